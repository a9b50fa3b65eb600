//! What a session is asked to be.

use std::num::NonZeroU16;

use bytes::Bytes;
use bytestring::ByteString;

use crate::mqtt::packet::{Credentials, Will};
use crate::mqtt::property::Properties;
use crate::mqtt::version::Version;

/// What a session is asked to be; fixed for its life, but for the version, which may fall back.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a wish of its own")]
pub struct Config {
    /// The version of every packet.
    pub version: Version,
    /// The client identifier; empty asks the server to assign one.
    pub client_id: ByteString,
    /// Whether the first connection begins with a new session.
    pub clean_start: bool,
    /// Whether the session must survive the loss of a connection.
    pub outlives_connection: bool,
    /// ... but only where the server forgets it by itself some day: not before MQTT 5.
    pub only_with_expiry: bool,
    /// Whether the session stays with the server when we are done (`-c`).
    pub outlives_us: bool,
    /// Keep Alive in seconds; 0 turns it off (§3.1.2.10).
    pub keep_alive: u16,
    /// Session Expiry Interval in seconds, where the session survives anything (MQTT 5
    /// §3.1.2.11.2).
    pub session_expiry: u32,
    /// User name and password.
    pub credentials: Credentials,
    /// Enhanced authentication (MQTT 5 §4.12), instead of or beside them.
    pub authentication: Option<Authentication>,
    /// The will message.
    pub will: Option<Will>,
    /// Use topic aliases as far as the server allows.
    pub topic_alias: bool,
    /// `-M`: the most QoS 1 and 2 messages in flight, below what the server allows.
    pub max_inflight: Option<NonZeroU16>,
    /// The largest packet we accept, in bytes.
    pub maximum_packet: usize,
    /// Messages whose packet is larger than this, in bytes, are handed out in parts, as they come.
    pub parts_above: Option<usize>,
    /// Hand out each packet as one piece, so that the transport can send it as one message.
    pub whole_packets: bool,
    /// More for CONNECT (MQTT 5); what is here stands instead of our own.
    pub connect_properties: Properties,
    /// More for the DISCONNECT of an end in order (MQTT 5); what is here stands instead of our own.
    pub disconnect_properties: Properties,
    /// Do not say of each message that it came to a good end.
    pub only_failures: bool,
    /// Keep a line for each packet, for `-d`.
    pub trace: bool,
}

/// A method of enhanced authentication.
#[derive(Clone)]
pub enum Authentication {
    /// Everything is said in CONNECT.
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
        /// Random and printable; each connection makes its own nonce of it.
        nonce: String,
    },
}

/// What is secret is never shown.
impl std::fmt::Debug for Authentication {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::OneStep { method, .. } => f.debug_tuple("OneStep").field(method).finish(),
            Self::Scram { username, .. } => f.debug_tuple("Scram").field(username).finish(),
        }
    }
}
