//! PUBACK, PUBREC, PUBREL and PUBCOMP (§3.4 to §3.7), which have one form, and the reason code with
//! properties that they share with DISCONNECT and AUTH.

use bytes::{BufMut, BytesMut};

use super::PacketId;
use super::data::PacketReader;
use super::error::{EncodeError, Malformed};
use super::header::PacketType;
use crate::mqtt::property::{Place, Properties};
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::version::Version;

/// PUBACK, PUBREC, PUBREL and PUBCOMP (§3.4 to §3.7) share one form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    /// The identifier of the PUBLISH that this packet answers.
    pub packet_id: PacketId,
    /// The result; before MQTT 5 it is always 0, success.
    pub code: ReasonCode,
    /// MQTT 5 only: reason string, user properties.
    pub properties: Properties,
}

impl Ack {
    /// An acknowledgement of success without properties: two bytes on the wire in every version.
    pub fn success(packet_id: PacketId) -> Self {
        Self { packet_id, code: ReasonCode::SUCCESS, properties: Properties::default() }
    }

    /// An acknowledgement of success as a whole packet, which is the same in every version.
    pub fn success_packet(packet: PacketType, packet_id: PacketId) -> [u8; 4] {
        let [high, low] = packet_id.get().to_be_bytes();
        [packet.first_byte(), 2, high, low]
    }

    /// The remaining length.
    pub(super) fn body_len(&self, version: Version) -> usize {
        2 + reason_len(self.code, &self.properties, version)
    }

    /// Appends what follows the fixed header.
    pub(super) fn encode_body(
        &self,
        version: Version,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        out.put_u16(self.packet_id.get());
        put_reason(self.code, &self.properties, version, out)
    }

    /// Reads what follows the fixed header.
    pub(super) fn decode(
        place: Place,
        version: Version,
        reader: &mut PacketReader,
    ) -> Result<Self, Malformed> {
        let packet_id = reader.packet_id()?;
        let (code, properties) = decode_reason(place, version, reader)?;
        Ok(Self { packet_id, code, properties })
    }
}

/// The length in bytes of a reason code with its properties. Both are left out for success without
/// properties and before MQTT 5, and the properties alone where there are none (§3.4.2.1,
/// §3.14.2.1).
pub(super) fn reason_len(code: ReasonCode, properties: &Properties, version: Version) -> usize {
    match (version.has_properties(), properties.is_empty()) {
        (false, _) => 0,
        (true, true) => usize::from(code != ReasonCode::SUCCESS),
        (true, false) => 1 + properties.encoded_len(version),
    }
}

/// Appends a reason code with its properties, in its shortest form.
pub(super) fn put_reason(
    code: ReasonCode,
    properties: &Properties,
    version: Version,
    out: &mut BytesMut,
) -> Result<(), EncodeError> {
    if reason_len(code, properties, version) > 0 {
        out.put_u8(code.0);
        if !properties.is_empty() {
            properties.encode(version, out)?;
        }
    }
    Ok(())
}

/// Reads a reason code with its properties; the packet may end before either (§3.4.2.2.1).
pub(super) fn decode_reason(
    place: Place,
    version: Version,
    reader: &mut PacketReader,
) -> Result<(ReasonCode, Properties), Malformed> {
    if !version.has_properties() || reader.is_empty() {
        return Ok((ReasonCode::SUCCESS, Properties::default()));
    }
    let code = ReasonCode(reader.byte()?);
    if reader.is_empty() {
        return Ok((code, Properties::default()));
    }
    Ok((code, Properties::decode(place, version, reader)?))
}
