//! The reason of an answer: a code, and for people a string (§2.4, §3.14.2.2.3).

use std::borrow::Cow;

use crate::mqtt::packet::Packet;
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

/// The reason code of a packet if a client must not send it there `[MQTT-3.4.2-1]`
/// `[MQTT-3.14.2-1]`.
pub fn undefined_code(packet: &Packet) -> Option<ReasonCode> {
    let (code, defined): (_, &[u8]) = match packet {
        Packet::PubAck(ack) | Packet::PubRec(ack) => {
            (ack.code, &[0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99])
        }
        Packet::PubRel(ack) | Packet::PubComp(ack) => (ack.code, &[0x92]),
        Packet::Disconnect(packet) => (
            packet.code,
            &[0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99],
        ),
        _ => return None,
    };
    (code != ReasonCode::SUCCESS && !defined.contains(&code.0)).then_some(code)
}

impl From<ReasonCode> for Reason {
    fn from(code: ReasonCode) -> Self {
        Self { code, string: Cow::Borrowed("") }
    }
}
