//! The reason of an answer: a code, and for people a string (§2.4, §3.14.2.2.3).

use std::borrow::Cow;

use super::peer::Peer;
use crate::mqtt::packet::Packet;
use crate::mqtt::property::{Properties, Property, PropertyId};
use crate::mqtt::reason::ReasonCode;

/// A reason code, and the Reason String that goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The code.
    pub code: ReasonCode,
    /// Empty says no more than the code.
    pub string: Cow<'static, str>,
}

impl Reason {
    /// A code and why it is sent.
    pub fn new(code: ReasonCode, string: impl Into<Cow<'static, str>>) -> Self {
        Self { code, string: string.into() }
    }

    /// A violation of the protocol.
    pub fn protocol_error(string: &'static str) -> Self {
        Self::new(ReasonCode::PROTOCOL_ERROR, string)
    }
}

impl From<ReasonCode> for Reason {
    fn from(code: ReasonCode) -> Self {
        Self { code, string: Cow::Borrowed("") }
    }
}

/// Which packets to a client have a Reason String (§3.1.2.11.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReasonStrings {
    /// Each that may have one.
    Everywhere,
    /// CONNACK and DISCONNECT alone: the client has not asked for more `[MQTT-3.1.2-29]`.
    AtTheEnds,
}

impl Peer {
    /// The packet that `packet` makes of its properties, with a Reason String if there is one that
    /// the client takes `[MQTT-3.2.2-19]`.
    pub fn explained(&self, string: &str, packet: impl Fn(Properties) -> Packet) -> Packet {
        let plain = packet(Properties::default());
        let is_end = matches!(plain, Packet::ConnAck(_) | Packet::Disconnect(_));
        let is_wanted = is_end || self.reason_strings == ReasonStrings::Everywhere;
        if string.is_empty() || !is_wanted || !self.version.has_properties() {
            return plain;
        }
        let string = Property::text(PropertyId::ReasonString, string.into());
        let explained = packet(Properties(vec![string]));
        if self.takes(&explained) { explained } else { plain }
    }
}
