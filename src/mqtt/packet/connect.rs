//! CONNECT, CONNACK, DISCONNECT and AUTH: how a connection begins and ends.

use bytes::Bytes;
use bytestring::ByteString;

use crate::mqtt::property::Properties;
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::topic::TopicName;
use crate::mqtt::version::Version;

/// CONNECT (§3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect {
    /// The version this packet is written in and asks for.
    pub version: Version,
    /// Clean Start (MQTT 5) or Clean Session (before).
    pub clean_start: bool,
    /// Keep Alive in seconds; 0 turns it off.
    pub keep_alive: u16,
    /// The client identifier; empty asks the server to assign one.
    pub client_id: ByteString,
    /// The message that the server publishes if we vanish.
    pub will: Option<Will>,
    /// User name and password.
    pub credentials: Credentials,
    /// MQTT 5 only; empty before.
    pub properties: Properties,
}

/// The Will Message of a CONNECT (§3.1.2.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Will {
    /// Where it is published.
    pub topic: TopicName,
    /// What is published.
    pub payload: Bytes,
    /// At which `QoS` it is published.
    pub qos: QoS,
    /// Whether it is retained.
    pub retain: bool,
    /// MQTT 5 only; empty before.
    pub properties: Properties,
}

/// User name and password of a CONNECT; before MQTT 5 a password needs a user name
/// `[MQTT-3.1.2-22]`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Credentials {
    /// The user name.
    pub username: Option<ByteString>,
    /// The password: any bytes.
    pub password: Option<Bytes>,
}

/// The password is never shown.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let password = self.password.as_ref().map(|_| "***");
        f.debug_struct("Credentials")
            .field("username", &self.username)
            .field("password", &password)
            .finish()
    }
}

/// CONNACK (§3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnAck {
    /// The server still has the session of this client identifier.
    pub session_present: bool,
    /// 0 is success. Before MQTT 5 (and in a v3-shaped answer to a v5 CONNECT) a return code 1 to
    /// 5.
    pub code: ReasonCode,
    /// MQTT 5 only; empty before.
    pub properties: Properties,
}

/// DISCONNECT (§3.14). Before MQTT 5 it has no content.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Disconnect {
    /// Why; 0 is a normal end.
    pub code: ReasonCode,
    /// MQTT 5 only.
    pub properties: Properties,
}

/// AUTH (§3.15), MQTT 5 only.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Auth {
    /// Success, continue authentication or re-authenticate.
    pub code: ReasonCode,
    /// Authentication method and data, reason string, user properties.
    pub properties: Properties,
}
