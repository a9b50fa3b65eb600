//! AUTH (§3.15): a step of enhanced authentication, in MQTT 5 only.

use bytes::{BufMut, BytesMut};

use super::ack::decode_reason;
use super::data::PacketReader;
use super::error::{EncodeError, Malformed};
use crate::mqtt::property::{Place, Properties};
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::version::Version;

/// AUTH (§3.15), MQTT 5 only.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Auth {
    /// Success, continue authentication or re-authenticate.
    pub code: ReasonCode,
    /// Authentication method and data, reason string, user properties.
    pub properties: Properties,
}

impl Auth {
    /// The remaining length: 0 for success without properties, otherwise the code and the
    /// properties (§3.15.2.1).
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
    pub(super) fn decode(reader: &mut PacketReader) -> Result<Self, Malformed> {
        let (code, properties) = decode_reason(Place::Auth, Version::V5, reader)?;
        Ok(Self { code, properties })
    }
}
