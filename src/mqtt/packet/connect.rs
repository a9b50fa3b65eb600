//! CONNECT (§3.1), with its will and its credentials.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use bytestring::ByteString;

use super::data::{IntegerLength, PacketReader, integer_of_length, put_binary, put_string};
use super::error::{EncodeError, Malformed};
use super::header::PacketType;
use crate::mqtt::property::{Place, Properties};
use crate::mqtt::qos::QoS;
use crate::mqtt::topic::TopicName;
use crate::mqtt::version::Version;

/// The connect flags (§3.1.2.3).
mod flag {
    pub const RESERVED: u8 = 1;
    pub const CLEAN_START: u8 = 1 << 1;
    pub const WILL: u8 = 1 << 2;
    pub const WILL_QOS_SHIFT: u8 = 3;
    pub const WILL_RETAIN: u8 = 1 << 5;
    pub const PASSWORD: u8 = 1 << 6;
    pub const USER_NAME: u8 = 1 << 7;
}

/// CONNECT (§3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect {
    /// The version that this packet is written in and asks for.
    pub version: Version,
    /// Clean Start (MQTT 5) or Clean Session (before).
    pub clean_start: bool,
    /// Keep Alive in seconds; 0 turns it off.
    pub keep_alive: u16,
    /// The client identifier; empty asks the server to assign one.
    pub client_id: ByteString,
    /// The message that the server publishes if the client disconnects uncleanly.
    pub will: Option<Will>,
    /// User name and password.
    pub credentials: Credentials,
    /// MQTT 5 only; empty before.
    pub properties: Properties,
}

/// The Will Message of a CONNECT (§3.1.2.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Will {
    /// The topic that the will is published to.
    pub topic: TopicName,
    /// The payload.
    pub payload: Bytes,
    /// The `QoS` of the message.
    pub qos: QoS,
    /// Whether the server retains the message when it publishes it.
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

/// Shows the user name, but never the password.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let password = self.password.as_ref().map(|_| "***");
        f.debug_struct("Credentials")
            .field("username", &self.username)
            .field("password", &password)
            .finish()
    }
}

impl Connect {
    /// The remaining length.
    pub(super) fn body_len(&self) -> usize {
        // Protocol name with its length, level, flags, keep alive.
        let fixed = 2 + self.version.protocol_name().len() + 1 + 1 + 2;
        let properties = self.properties.encoded_len(self.version);
        let will = self.will.as_ref().map_or(0, |will| will.body_len(self.version));
        let username = self.credentials.username.as_ref().map_or(0, |name| 2 + name.len());
        let password = self.credentials.password.as_ref().map_or(0, |password| 2 + password.len());
        fixed + properties + 2 + self.client_id.len() + will + username + password
    }

    /// Appends what follows the fixed header.
    pub(super) fn encode_body(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        let Credentials { username, password } = &self.credentials;
        if password.is_some() && username.is_none() && !self.version.has_properties() {
            return Err(EncodeError::PasswordWithoutUserName);
        }
        put_string(self.version.protocol_name(), out)?;
        out.put_u8(self.version.level());
        out.put_u8(self.flags());
        out.put_u16(self.keep_alive);
        self.properties.encode(self.version, out)?;
        put_string(&self.client_id, out)?;
        if let Some(will) = &self.will {
            will.encode(self.version, out)?;
        }
        if let Some(username) = username {
            put_string(username, out)?;
        }
        if let Some(password) = password {
            put_binary(password, out)?;
        }
        Ok(())
    }

    fn flags(&self) -> u8 {
        let mut flags = 0;
        if self.clean_start {
            flags |= flag::CLEAN_START;
        }
        if let Some(will) = &self.will {
            flags |= flag::WILL | will.qos.bits() << flag::WILL_QOS_SHIFT;
            if will.retain {
                flags |= flag::WILL_RETAIN;
            }
        }
        if self.credentials.username.is_some() {
            flags |= flag::USER_NAME;
        }
        if self.credentials.password.is_some() {
            flags |= flag::PASSWORD;
        }
        flags
    }

    /// The version of a CONNECT that was not read, if the beginning of it names one.
    pub(super) fn version_of(bytes: &[u8]) -> Option<Version> {
        let (first, rest) = bytes.split_first()?;
        let (_, length) = integer_of_length(rest, IntegerLength::Any).ok()??;
        let named = rest.get(length..)?.strip_prefix(&[0])?;
        let is_of = |version: &Version| {
            let name = version.protocol_name().as_bytes();
            let (length, named) = named.split_first().unwrap_or((&0, &[]));
            usize::from(*length) == name.len()
                && named.strip_prefix(name).and_then(<[u8]>::first) == Some(&version.level())
        };
        let versions = [Version::V3_1, Version::V3_1_1, Version::V5];
        versions.into_iter().find(is_of).filter(|_| first >> 4 == PacketType::Connect as u8)
    }

    /// Reads the protocol name and level `[MQTT-3.1.2-1]` `[MQTT-3.1.2-2]`: what follows the fixed
    /// header begins with them.
    pub(super) fn decode_version(reader: &mut PacketReader) -> Result<Version, Malformed> {
        let name = reader.string()?;
        let level = reader.byte()?;
        [Version::V3_1, Version::V3_1_1, Version::V5]
            .into_iter()
            .find(|version| version.protocol_name() == &*name && version.level() == level)
            .ok_or(Malformed::UnsupportedVersion { name, level })
    }

    /// Reads what follows the version.
    pub(super) fn decode(version: Version, reader: &mut PacketReader) -> Result<Self, Malformed> {
        let flags = reader.byte()?;
        check_flags(flags, version)?;
        let keep_alive = reader.two_byte_integer()?;
        let properties = Properties::decode(Place::Connect, version, reader)?;
        let client_id = reader.string()?;
        let will = if flags & flag::WILL == 0 {
            None
        } else {
            Some(Will::decode(flags, version, reader)?)
        };
        // In MQTT 3.1 the remaining length takes precedence over these flags (3.1 §3.1).
        let follows = |bit, reader: &PacketReader| {
            flags & bit != 0 && !(version == Version::V3_1 && reader.is_empty())
        };
        let username = if follows(flag::USER_NAME, reader) { Some(reader.string()?) } else { None };
        let password = if follows(flag::PASSWORD, reader) { Some(reader.binary()?) } else { None };
        let credentials = Credentials { username, password };
        let clean_start = flags & flag::CLEAN_START != 0;
        Ok(Self { version, clean_start, keep_alive, client_id, will, credentials, properties })
    }
}

/// Refuses flags that contradict each other (§3.1.2.3 to §3.1.2.9).
fn check_flags(flags: u8, version: Version) -> Result<(), Malformed> {
    // In MQTT 3.1 the reserved bit, and those of a will that is not there, are unused (3.1 §3.1).
    let is_strict = version != Version::V3_1;
    if is_strict && flags & flag::RESERVED != 0 {
        return Err(Malformed::ConnectFlags);
    }
    if is_strict
        && flags & flag::WILL == 0
        && flags & (0b11 << flag::WILL_QOS_SHIFT | flag::WILL_RETAIN) != 0
    {
        return Err(Malformed::WillFlags);
    }
    let password_alone = flags & (flag::USER_NAME | flag::PASSWORD) == flag::PASSWORD;
    if password_alone && !version.has_properties() {
        return Err(Malformed::PasswordWithoutUserName);
    }
    Ok(())
}

impl Will {
    fn body_len(&self, version: Version) -> usize {
        let properties = self.properties.encoded_len(version);
        properties + 2 + self.topic.as_str().len() + 2 + self.payload.len()
    }

    fn encode(&self, version: Version, out: &mut BytesMut) -> Result<(), EncodeError> {
        self.properties.encode(version, out)?;
        put_string(self.topic.as_str(), out)?;
        put_binary(&self.payload, out)
    }

    fn decode(flags: u8, version: Version, reader: &mut PacketReader) -> Result<Self, Malformed> {
        let qos = QoS::from_bits(flags >> flag::WILL_QOS_SHIFT & 0b11).ok_or(Malformed::QoS3)?;
        let properties = Properties::decode(Place::Will, version, reader)?;
        let topic = TopicName::from_bytes(reader.binary()?)?;
        let payload = reader.binary()?;
        Ok(Self { topic, payload, qos, retain: flags & flag::WILL_RETAIN != 0, properties })
    }
}
