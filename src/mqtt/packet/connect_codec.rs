//! The wire form of CONNECT, CONNACK, DISCONNECT and AUTH (§3.1, §3.2, §3.14, §3.15).
//! It must never know who may connect.

use bytes::{BufMut, BytesMut};

use super::publish_codec::{decode_reason, put_reason, reason_len};
use super::reader::Reader;
use super::writer::{put_binary, put_string};
use super::{Auth, ConnAck, Connect, Credentials, Disconnect, EncodeError, Malformed, Will};
use crate::mqtt::property::{Place, Properties};
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
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

    /// Reads what follows the fixed header, in the version that it names.
    pub(super) fn decode(reader: &mut Reader) -> Result<Self, Malformed> {
        let version = decode_version(reader)?;
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
        let follows = |bit, reader: &Reader| {
            flags & bit != 0 && !(version == Version::V3_1 && reader.is_empty())
        };
        let username = if follows(flag::USER_NAME, reader) { Some(reader.string()?) } else { None };
        let password = if follows(flag::PASSWORD, reader) { Some(reader.binary()?) } else { None };
        let credentials = Credentials { username, password };
        let clean_start = flags & flag::CLEAN_START != 0;
        Ok(Self { version, clean_start, keep_alive, client_id, will, credentials, properties })
    }
}

/// Reads the protocol name and level `[MQTT-3.1.2-1]` `[MQTT-3.1.2-2]`.
fn decode_version(reader: &mut Reader) -> Result<Version, Malformed> {
    let name = reader.string()?;
    let level = reader.byte()?;
    [Version::V3_1, Version::V3_1_1, Version::V5]
        .into_iter()
        .find(|version| version.protocol_name() == &*name && version.level() == level)
        .ok_or(Malformed::UnsupportedVersion { name, level })
}

/// Flags that contradict each other (§3.1.2.3 to §3.1.2.9).
fn check_flags(flags: u8, version: Version) -> Result<(), Malformed> {
    if flags & flag::RESERVED != 0 {
        return Err(Malformed::ConnectFlags);
    }
    if flags & flag::WILL == 0 && flags & (0b11 << flag::WILL_QOS_SHIFT | flag::WILL_RETAIN) != 0 {
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

    fn decode(flags: u8, version: Version, reader: &mut Reader) -> Result<Self, Malformed> {
        let qos = QoS::from_bits(flags >> flag::WILL_QOS_SHIFT & 0b11).ok_or(Malformed::QoS3)?;
        let properties = Properties::decode(Place::Will, version, reader)?;
        let topic = TopicName::from_bytes(reader.binary()?)?;
        let payload = reader.binary()?;
        Ok(Self { topic, payload, qos, retain: flags & flag::WILL_RETAIN != 0, properties })
    }
}

impl ConnAck {
    /// The remaining length.
    pub(super) fn body_len(&self, version: Version) -> usize {
        2 + self.properties.encoded_len(version)
    }

    /// Appends what follows the fixed header.
    pub(super) fn encode_body(
        &self,
        version: Version,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        out.put_u8(u8::from(self.session_present));
        out.put_u8(self.code.0);
        self.properties.encode(version, out)
    }

    /// Reads what follows the fixed header. A server that does not know MQTT 5 answers in the older
    /// form, without properties; and the first byte has no meaning in MQTT 3.1 (3.1 §3.2).
    pub(super) fn decode(version: Version, reader: &mut Reader) -> Result<Self, Malformed> {
        let flags = reader.byte()?;
        if flags > 1 && version != Version::V3_1 {
            return Err(Malformed::ConnAckFlags);
        }
        let code = ReasonCode(reader.byte()?);
        let properties = if reader.is_empty() {
            Properties::default()
        } else {
            Properties::decode(Place::ConnAck, version, reader)?
        };
        Ok(Self { session_present: flags & 1 != 0, code, properties })
    }
}

impl Disconnect {
    /// The remaining length.
    pub(super) fn body_len(&self, version: Version) -> usize {
        reason_len(self.code, &self.properties, version)
    }

    /// Appends what follows the fixed header.
    pub(super) fn encode_body(
        &self,
        version: Version,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        put_reason(self.code, &self.properties, version, out)
    }

    /// Reads what follows the fixed header.
    pub(super) fn decode(version: Version, reader: &mut Reader) -> Result<Self, Malformed> {
        let (code, properties) = decode_reason(Place::Disconnect, version, reader)?;
        Ok(Self { code, properties })
    }
}

impl Auth {
    /// The remaining length: nothing, or the code and the properties, if only their length
    /// (§3.15.2.1).
    pub(super) fn body_len(&self) -> usize {
        if *self == Self::default() { 0 } else { 1 + self.properties.encoded_len(Version::V5) }
    }

    /// Appends what follows the fixed header.
    pub(super) fn encode_body(
        &self,
        version: Version,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        if !version.has_properties() {
            return Err(EncodeError::AuthBeforeMqtt5);
        }
        if self.body_len() > 0 {
            out.put_u8(self.code.0);
            self.properties.encode(version, out)?;
        }
        Ok(())
    }

    /// Reads what follows the fixed header.
    pub(super) fn decode(reader: &mut Reader) -> Result<Self, Malformed> {
        let (code, properties) = decode_reason(Place::Auth, Version::V5, reader)?;
        Ok(Self { code, properties })
    }
}
