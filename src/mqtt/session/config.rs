//! The configuration of a session.

use std::num::NonZeroU16;

use bytes::Bytes;
use bytestring::ByteString;

use super::lifetime::Lifetime;
use crate::mqtt::packet::{Credentials, Will};
use crate::mqtt::property::{Properties, Value};
use crate::mqtt::version::Version;

/// The configuration of a session. Only two parts of it change later: the version, which may fall
/// back, and the client identifier, which the server may assign.
#[derive(Debug, Clone)]
pub struct Config {
    /// The version of every packet.
    pub version: Version,
    /// The client identifier; empty asks the server to assign one.
    pub client_id: ByteString,
    /// Whether the first connection begins with a new session.
    pub clean_start: bool,
    /// How long the session lives at the server.
    pub lifetime: Lifetime,
    /// Keep Alive in seconds; 0 turns it off (§3.1.2.10).
    pub keep_alive: u16,
    /// Session Expiry Interval in seconds, for a session that outlives its connection (MQTT 5
    /// §3.1.2.11.2).
    pub session_expiry: u32,
    /// How the client authenticates itself.
    pub login: Login,
    /// The will message.
    pub will: Option<Will>,
    /// Further properties of packets.
    pub properties: ExtraProperties,
    /// How packets are sent.
    pub sending: SendOptions,
    /// How packets are received.
    pub receiving: ReceiveOptions,
    /// Which reports the caller gets.
    pub reports: ReportOptions,
}

impl Config {
    /// The texts in CONNECT that may be secret, which no one should be shown.
    pub fn secrets(&self) -> Vec<String> {
        let Login { credentials, authentication } = &self.login;
        let password = credentials.password.as_ref();
        let data = match authentication {
            Some(Authentication::OneStep { data, .. }) => data.as_ref(),
            Some(Authentication::Scram { password, .. }) => Some(password),
            None => None,
        };
        let bytes = [password, data].into_iter().flatten();
        let text = bytes.filter_map(|bytes| String::from_utf8(bytes.to_vec()).ok());
        let properties = self.properties.connect.iter().filter_map(|property| {
            if let Value::Pair(_, value) = property.value() {
                Some(value.to_string())
            } else {
                None
            }
        });
        text.chain(properties).collect()
    }
}

/// How the client authenticates itself in CONNECT.
#[derive(Debug, Clone, Default)]
pub struct Login {
    /// User name and password.
    pub credentials: Credentials,
    /// Enhanced authentication (MQTT 5 §4.12), with user name and password or without.
    pub authentication: Option<Authentication>,
}

/// Properties that the user gives (MQTT 5). They replace those that the session sets itself.
#[derive(Debug, Clone, Default)]
pub struct ExtraProperties {
    /// Properties of CONNECT.
    pub connect: Properties,
    /// Properties of a DISCONNECT with the reason code 0.
    pub disconnect: Properties,
}

/// How packets are sent.
#[derive(Debug, Clone, Default)]
pub struct SendOptions {
    /// Whether topic aliases are used.
    pub topic_aliases: TopicAliasUse,
    /// The most QoS 1 and 2 messages in flight, if that is less than the server allows (`-M`).
    pub max_inflight: Option<NonZeroU16>,
    /// How packets become pieces of bytes.
    pub grouping: PacketGrouping,
}

/// Whether messages are sent with topic aliases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TopicAliasUse {
    /// They are sent with their topics.
    #[default]
    Never,
    /// As many topics get an alias as the server allows.
    AsAllowed,
}

/// How packets become the pieces of bytes that are handed to the transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PacketGrouping {
    /// A piece holds what has gathered.
    #[default]
    Gathered,
    /// Each packet is one piece, so that the transport can send it as one message.
    Single,
}

/// How packets are received.
#[derive(Debug, Clone)]
pub struct ReceiveOptions {
    /// The largest packet that is accepted, in bytes.
    pub maximum_packet: usize,
    /// A message whose packet is larger than this, in bytes, is reported in parts as they arrive.
    pub parts_above: Option<usize>,
    /// Whether a [`super::Deviation`] is a violation.
    pub strictness: Strictness,
    /// Who answers.
    pub answering: Answering,
}

/// Who gives the answers of QoS 1 and 2: PUBACK, PUBREC, PUBREL and PUBCOMP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Answering {
    /// The session.
    #[default]
    Session,
    /// The caller, who passes messages on to another server under their identifiers: see
    /// [`super::Event::Answered`].
    Caller,
}

/// How a server is judged that does something against the protocol which does no harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strictness {
    /// It is taken and reported once.
    #[default]
    Tolerant,
    /// It is a violation (`--strict`).
    Strict,
}

/// Which reports the caller gets.
#[derive(Debug, Clone, Default)]
pub struct ReportOptions {
    /// How the messages are reported that did not fail.
    pub successes: SuccessReports,
    /// Write a line about each packet, for `-d`.
    pub trace: bool,
}

/// How the messages are reported that the server has acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SuccessReports {
    /// Each for itself.
    #[default]
    Each,
    /// Together ([`super::Event::SomeAcknowledged`]).
    Together,
}

/// A method of enhanced authentication.
#[derive(Clone)]
pub enum Authentication {
    /// A method that needs no AUTH packet: CONNECT holds all data.
    OneStep {
        /// The name of the method.
        method: ByteString,
        /// Authentication Data.
        data: Option<Bytes>,
    },
    /// SCRAM-SHA-256.
    Scram {
        /// The user name.
        username: String,
        /// The password.
        password: Bytes,
        /// Random and printable. The nonce of each connection begins with it.
        nonce: String,
    },
}

/// Leaves out the secrets.
impl std::fmt::Debug for Authentication {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::OneStep { method, .. } => f.debug_tuple("OneStep").field(method).finish(),
            Self::Scram { username, .. } => f.debug_tuple("Scram").field(username).finish(),
        }
    }
}
