//! CONNACK (§3.2): the answer to CONNECT.

use bytes::{BufMut, BytesMut};

use super::data::PacketReader;
use super::error::{EncodeError, Malformed};
use crate::mqtt::property::{Place, Properties};
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::version::Version;

/// CONNACK (§3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnAck {
    /// The server still has the session of this client identifier.
    pub session_present: bool,
    /// 0 is success. Before MQTT 5, and from a server that answers a CONNECT of MQTT 5 in the older
    /// form, a refusal is a return code from 1 to 5.
    pub code: ReasonCode,
    /// MQTT 5 only; empty before.
    pub properties: Properties,
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
    /// form, without properties. In MQTT 3.1 the first byte has no meaning (3.1 §3.2).
    pub(super) fn decode(version: Version, reader: &mut PacketReader) -> Result<Self, Malformed> {
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
