//! PUBLISH (§3.3): a message.

use bytes::{BufMut, Bytes, BytesMut};

use super::PacketId;
use super::data::{
    PacketReader, all_or_nothing, put_string, variable_byte_integer, variable_byte_integer_len,
};
use super::error::{EncodeError, Malformed};
use super::header::{PacketType, put_fixed_header};
use crate::mqtt::property::{Place, Properties};
use crate::mqtt::qos::QoS;
use crate::mqtt::topic::TopicName;
use crate::mqtt::version::Version;

/// PUBLISH (§3.3).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Publish {
    /// A re-delivery `[MQTT-3.3.1-1]`; never with `QoS` 0 `[MQTT-3.3.1-2]`.
    pub dup: bool,
    /// The delivery guarantee.
    pub qos: QoS,
    /// To the server: retain this message. From the server: it is a retained message.
    pub retain: bool,
    /// The topic name. `None` only in MQTT 5, where the Topic Alias property stands for it
    /// (§3.3.2.3.4).
    pub topic: Option<TopicName>,
    /// Present exactly when the `QoS` is above 0 `[MQTT-2.2.1-2]`.
    pub packet_id: Option<PacketId>,
    /// MQTT 5 only; empty before.
    pub properties: Properties,
    /// The application message: any bytes.
    pub payload: Bytes,
}

impl Publish {
    /// A message of QoS 0 that is not retained, without properties.
    pub fn new(topic: TopicName, payload: Bytes) -> Self {
        Self { topic: Some(topic), payload, ..Self::default() }
    }

    /// The topic name, or the empty string if a topic alias stands for it. Messages that the
    /// session has received always have their topic.
    pub fn topic_or_empty(&self) -> &str {
        self.topic.as_ref().map_or("", TopicName::as_str)
    }

    /// Appends the packet without its payload; the remaining length includes the payload. After an
    /// error nothing is appended.
    pub fn encode_header(&self, version: Version, out: &mut BytesMut) -> Result<(), EncodeError> {
        self.encode_header_for(self.packet_id, self.payload.len(), version, out)
    }

    /// The same, with this identifier and for a payload of `length` bytes instead of its own.
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

    /// The length of the variable header, with an identifier where the QoS is above 0.
    fn head_len(&self, version: Version) -> usize {
        let topic = self.topic_or_empty().len();
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

    /// Appends the variable header: topic name, identifier, properties.
    pub(super) fn put_variable_header(
        &self,
        packet_id: Option<PacketId>,
        version: Version,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        self.check(packet_id, version)?;
        put_string(self.topic_or_empty(), out)?;
        if let Some(packet_id) = packet_id {
            out.put_u16(packet_id.get());
        }
        self.properties.encode(version, out)
    }

    /// Refuses a message that a receiver would refuse.
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

    /// Reads the variable header from `body` and returns its length in bytes. Returns `None` if
    /// anything is unusual (see [`super::Decoder::find_publish`]); the fields then have no meaning.
    #[inline(always)]
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
            let (packet_id, after) = rest.split_first_chunk()?;
            self.packet_id = Some(PacketId::new(u16::from_be_bytes(*packet_id))?);
            rest = after;
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
            // A copy, so that the topic does not keep the whole block alive.
            self.topic = Some(TopicName::from_bytes(Bytes::copy_from_slice(name)).ok()?);
        }
        Some(head)
    }

    /// The length of the variable header in bytes, as far as the first bytes of the body reveal it:
    /// the header is complete once so many bytes have arrived. A header that is longer than the
    /// whole body is malformed.
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

    /// Reads what follows the fixed header: the variable header, and the rest as the payload.
    #[inline]
    pub(super) fn decode(
        first: u8,
        version: Version,
        reader: &mut PacketReader,
    ) -> Result<Self, Malformed> {
        let qos = QoS::from_bits(first >> 1 & 0b11).ok_or(Malformed::QoS3)?;
        let mut dup = first & 0b1000 != 0;
        if dup && qos == QoS::AtMostOnce {
            if version != Version::V3_1 {
                return Err(Malformed::DupWithQoS0);
            }
            // There it applies to messages that are acknowledged (3.1 §2.1).
            dup = false;
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
