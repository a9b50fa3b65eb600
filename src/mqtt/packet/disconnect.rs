//! DISCONNECT (§3.14): the last packet of a connection.

use bytes::BytesMut;

use super::ack::{decode_reason, put_reason, reason_len};
use super::data::PacketReader;
use super::error::{EncodeError, Malformed};
use crate::mqtt::property::{Place, Properties};
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::version::Version;

/// DISCONNECT (§3.14). Before MQTT 5 it has no content.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Disconnect {
    /// The reason for the end of the connection; 0 is a normal disconnection.
    pub code: ReasonCode,
    /// MQTT 5 only.
    pub properties: Properties,
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
    pub(super) fn decode(version: Version, reader: &mut PacketReader) -> Result<Self, Malformed> {
        let (code, properties) = decode_reason(Place::Disconnect, version, reader)?;
        Ok(Self { code, properties })
    }
}
