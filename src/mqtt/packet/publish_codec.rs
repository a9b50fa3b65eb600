//! The wire form of PUBLISH and its acknowledgements (§3.3 to §3.7), and of the pair "reason code,
//! properties" that MQTT 5 lets senders shorten. It must never know which acknowledgement is due.

use bytes::{BufMut, Bytes, BytesMut};

use super::reader::{Reader, variable_byte_integer};
use super::writer::{all_or_nothing, put_fixed_header, put_string, variable_byte_integer_len};
use super::{Ack, EncodeError, Malformed, PacketId, PacketType, Publish};
use crate::mqtt::property::{Place, Properties};
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::topic::TopicName;
use crate::mqtt::version::Version;

impl Publish {
    /// Appends everything but the payload, whose length is counted in. On an error nothing is
    /// appended.
    pub fn encode_header(&self, version: Version, out: &mut BytesMut) -> Result<(), EncodeError> {
        self.encode_header_for(self.packet_id, self.payload.len(), version, out)
    }

    /// The same with this identifier and a payload of `length` bytes, which comes from elsewhere;
    /// our own do not count.
    pub fn encode_header_for(
        &self,
        packet_id: Option<PacketId>,
        length: usize,
        version: Version,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        all_or_nothing(out, |out| {
            put_fixed_header(self.first_byte(), self.head_len(version) + length, out)?;
            self.put_variable_header(packet_id, version, out)
        })
    }

    /// The length of the whole packet, payload included, in bytes.
    #[cfg(test)]
    pub fn encoded_len(&self, version: Version) -> usize {
        self.encoded_len_with(self.payload.len(), version)
    }

    /// The length of the whole packet with a payload of `length` bytes.
    pub fn encoded_len_with(&self, length: usize, version: Version) -> usize {
        let remaining = self.head_len(version) + length;
        1 + variable_byte_integer_len(remaining) + remaining
    }

    /// The remaining length.
    pub(super) fn body_len(&self, version: Version) -> usize {
        self.head_len(version) + self.payload.len()
    }

    /// The length of the variable header, with an identifier where the QoS asks for one.
    fn head_len(&self, version: Version) -> usize {
        let topic = self.topic.as_ref().map_or(0, |topic| topic.as_str().len());
        let packet_id = if self.qos > QoS::AtMostOnce { 2 } else { 0 };
        let properties = self.properties.encoded_len(version);
        2 + topic + packet_id + properties
    }

    /// Type and flags (§3.3.1).
    pub(super) fn first_byte(&self) -> u8 {
        let flags = u8::from(self.dup) << 3 | self.qos.bits() << 1 | u8::from(self.retain);
        PacketType::Publish.first_byte() | flags
    }

    /// Appends what follows the fixed header.
    pub(super) fn encode_body(
        &self,
        version: Version,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        self.put_variable_header(self.packet_id, version, out)?;
        out.extend_from_slice(&self.payload);
        Ok(())
    }

    /// Appends what stands between the fixed header and the payload.
    pub(super) fn put_variable_header(
        &self,
        packet_id: Option<PacketId>,
        version: Version,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        self.check(packet_id, version)?;
        put_string(self.topic.as_ref().map_or("", TopicName::as_str), out)?;
        if let Some(packet_id) = packet_id {
            out.put_u16(packet_id.get());
        }
        self.properties.encode(version, out)
    }

    /// What a receiver would refuse is not sent.
    fn check(&self, packet_id: Option<PacketId>, version: Version) -> Result<(), EncodeError> {
        let named = self.topic.is_some()
            || version.has_properties() && self.properties.topic_alias().is_some();
        if !named {
            return Err(EncodeError::NoTopic);
        }
        if packet_id.is_some() != (self.qos > QoS::AtMostOnce) {
            return Err(EncodeError::PacketId);
        }
        if self.dup && self.qos == QoS::AtMostOnce {
            return Err(EncodeError::DupWithQoS0);
        }
        Ok(())
    }

    /// Reads what follows the fixed header, all but the payload, and says how long that is. `None`
    /// where anything is unusual; what was read of it by then does not count.
    #[inline]
    pub(super) fn read_plain(&mut self, first: u8, version: Version, body: &[u8]) -> Option<usize> {
        self.qos = QoS::from_bits(first >> 1 & 0b11)?;
        self.dup = first & 0b1000 != 0;
        self.retain = first & 1 != 0;
        let (length, rest) = body.split_first_chunk()?;
        let (name, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        let mut head = 2 + name.len();
        self.packet_id = None;
        let mut rest = rest;
        if self.qos > QoS::AtMostOnce {
            let (packet_id, behind) = rest.split_first_chunk()?;
            self.packet_id = Some(PacketId::new(u16::from_be_bytes(*packet_id))?);
            rest = behind;
            head += 2;
        } else if self.dup {
            return None;
        }
        if version.has_properties() {
            if rest.first() != Some(&0) || name.is_empty() {
                return None;
            }
            head += 1;
        }
        if self.topic.as_ref().is_none_or(|topic| topic.as_str().as_bytes() != name) {
            // A topic of its own, so that it does not keep the whole block alive.
            self.topic = Some(TopicName::from_bytes(Bytes::copy_from_slice(name)).ok()?);
        }
        Some(head)
    }

    /// How long the variable header is, in bytes, as far as these bytes of the body say: when there
    /// are at least as many, it is whole. It may be longer than the body; then the packet is
    /// malformed.
    pub(super) fn head_extent(
        first: u8,
        version: Version,
        body: &[u8],
    ) -> Result<usize, Malformed> {
        let Some((length, _)) = body.split_first_chunk() else { return Ok(2) };
        let packet_id = if first & 0b110 == 0 { 0 } else { 2 };
        let plain = 2 + usize::from(u16::from_be_bytes(*length)) + packet_id;
        if !version.has_properties() {
            return Ok(plain);
        }
        let Some(properties) = body.get(plain..).filter(|rest| !rest.is_empty()) else {
            return Ok(plain + 1);
        };
        Ok(match variable_byte_integer(properties)? {
            Some((length, of_length)) => plain + of_length + length as usize,
            None => body.len() + 1,
        })
    }

    /// Reads what follows the fixed header; the payload is what is left.
    #[inline]
    pub(super) fn decode(
        first: u8,
        version: Version,
        reader: &mut Reader,
    ) -> Result<Self, Malformed> {
        let qos = QoS::from_bits(first >> 1 & 0b11).ok_or(Malformed::QoS3)?;
        let dup = first & 0b1000 != 0;
        if dup && qos == QoS::AtMostOnce {
            return Err(Malformed::DupWithQoS0);
        }
        let name = reader.binary()?;
        let packet_id = if qos == QoS::AtMostOnce { None } else { Some(reader.packet_id()?) };
        let properties = Properties::decode(Place::Publish, version, reader)?;
        let topic = if !name.is_empty() || !version.has_properties() {
            Some(TopicName::from_bytes(name)?)
        } else if properties.topic_alias().is_some() {
            None
        } else {
            return Err(Malformed::NoTopic);
        };
        let retain = first & 1 != 0;
        Ok(Self { dup, qos, retain, topic, packet_id, properties, payload: reader.take_rest() })
    }
}

impl Ack {
    /// An acknowledgement of success as a whole packet, which is the same in every version: what
    /// streams are acknowledged with.
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
        reader: &mut Reader,
    ) -> Result<Self, Malformed> {
        let packet_id = reader.packet_id()?;
        let (code, properties) = decode_reason(place, version, reader)?;
        Ok(Self { packet_id, code, properties })
    }
}

/// The length of a reason code with its properties: nothing before MQTT 5 and where both say
/// nothing, one byte without properties (§3.4.2.1, §3.14.2.1).
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

/// Reads a reason code with its properties, each of which may be missing (§3.4.2.2.1).
pub(super) fn decode_reason(
    place: Place,
    version: Version,
    reader: &mut Reader,
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
