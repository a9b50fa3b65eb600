//! SUBSCRIBE, SUBACK, UNSUBSCRIBE and UNSUBACK (§3.8 to §3.11).

use bytes::{BufMut, BytesMut};

use super::PacketId;
use super::data::{PacketReader, put_string};
use super::error::{EncodeError, Malformed};
use super::header::PacketType;
use crate::mqtt::property::{Place, Properties};
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::topic::TopicFilter;
use crate::mqtt::version::Version;

/// SUBSCRIBE (§3.8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribe {
    /// The SUBACK has the same identifier.
    pub packet_id: PacketId,
    /// MQTT 5 only: subscription identifier, user properties.
    pub properties: Properties,
    /// The subscriptions, at least one `[MQTT-3.8.3-2]`.
    pub subscriptions: Vec<Subscription>,
}

/// One topic filter with its Subscription Options (§3.8.3.1). Before MQTT 5 only the `QoS` is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The topic filter.
    pub filter: TopicFilter,
    /// The highest `QoS` at which the server may send.
    pub qos: QoS,
    /// Do not send this connection the messages that it published itself.
    pub no_local: bool,
    /// Send each message with the RETAIN flag that it was published with.
    pub retain_as_published: bool,
    /// Whether retained messages are sent at the time of subscribing.
    pub retain_handling: RetainHandling,
}

impl Subscription {
    /// A subscription with the default options.
    pub fn new(filter: TopicFilter, qos: QoS) -> Self {
        Self {
            filter,
            qos,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::Always,
        }
    }
}

/// Retain Handling (§3.8.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum RetainHandling {
    /// 0: retained messages at every SUBSCRIBE.
    #[default]
    Always = 0,
    /// 1: only if the subscription did not exist.
    New = 1,
    /// 2: never.
    Never = 2,
}

/// SUBACK (§3.9): a code for each filter, in order; below 0x80 it is the granted `QoS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubAck {
    /// The identifier of the SUBSCRIBE.
    pub packet_id: PacketId,
    /// MQTT 5 only.
    pub properties: Properties,
    /// One code for each filter.
    pub codes: Vec<ReasonCode>,
}

/// UNSUBSCRIBE (§3.10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsubscribe {
    /// The UNSUBACK has the same identifier.
    pub packet_id: PacketId,
    /// MQTT 5 only.
    pub properties: Properties,
    /// The topic filters, at least one `[MQTT-3.10.3-2]`.
    pub filters: Vec<TopicFilter>,
}

/// UNSUBACK (§3.11). Before MQTT 5 it has no codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsubAck {
    /// The identifier of the UNSUBSCRIBE.
    pub packet_id: PacketId,
    /// MQTT 5 only.
    pub properties: Properties,
    /// One code for each filter in MQTT 5, none before.
    pub codes: Vec<ReasonCode>,
}

/// The bits of the Subscription Options (§3.8.3.1).
mod option {
    pub const NO_LOCAL: u8 = 1 << 2;
    pub const RETAIN_AS_PUBLISHED: u8 = 1 << 3;
    pub const RETAIN_HANDLING_SHIFT: u8 = 4;
    pub const RESERVED: u8 = 0b1100_0000;
    pub const RESERVED_BEFORE_MQTT_5: u8 = 0b1111_1100;
}

impl RetainHandling {
    /// The value of the two-bit field; 3 is reserved (§3.8.3.1).
    pub fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0 => Some(Self::Always),
            1 => Some(Self::New),
            2 => Some(Self::Never),
            _ => None,
        }
    }

    /// The value of the two-bit field.
    pub fn bits(self) -> u8 {
        self as u8
    }
}

impl Subscription {
    /// The Subscription Options byte of MQTT 5 (§3.8.3.1). In older versions it holds only the
    /// `QoS` (3.1.1 §3.8.3).
    pub fn options(&self, version: Version) -> u8 {
        let qos = self.qos.bits();
        if !version.has_properties() {
            return qos;
        }
        let no_local = if self.no_local { option::NO_LOCAL } else { 0 };
        let retain_as_published =
            if self.retain_as_published { option::RETAIN_AS_PUBLISHED } else { 0 };
        qos | no_local
            | retain_as_published
            | self.retain_handling.bits() << option::RETAIN_HANDLING_SHIFT
    }

    fn decode(version: Version, reader: &mut PacketReader) -> Result<Self, Malformed> {
        let filter = decode_filter(version, reader)?;
        let options = reader.byte()?;
        let reserved = match version {
            // The upper six bits are "not used" (3.1 §3.8).
            Version::V3_1 => 0,
            Version::V3_1_1 => option::RESERVED_BEFORE_MQTT_5,
            Version::V5 => option::RESERVED,
        };
        if options & reserved != 0 {
            return Err(Malformed::SubscriptionOptions);
        }
        let qos = QoS::from_bits(options & 0b11).ok_or(Malformed::QoS3)?;
        if !version.has_properties() {
            return Ok(Self::new(filter, qos));
        }
        let retain_handling =
            RetainHandling::from_bits(options >> option::RETAIN_HANDLING_SHIFT & 0b11)
                .ok_or(Malformed::RetainHandling3)?;
        let no_local = options & option::NO_LOCAL != 0;
        if no_local && filter.share().is_some() {
            return Err(Malformed::NoLocalShared);
        }
        let retain_as_published = options & option::RETAIN_AS_PUBLISHED != 0;
        Ok(Self { filter, qos, no_local, retain_as_published, retain_handling })
    }
}

impl Subscribe {
    /// The remaining length.
    pub(super) fn body_len(&self, version: Version) -> usize {
        let filters: usize =
            self.subscriptions.iter().map(|one| 2 + one.filter.as_str().len() + 1).sum();
        2 + self.properties.encoded_len(version) + filters
    }

    /// Appends what follows the fixed header.
    pub(super) fn encode_body(
        &self,
        version: Version,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        if self.subscriptions.is_empty() {
            return Err(EncodeError::NothingInside);
        }
        put_head(self.packet_id, &self.properties, version, out)?;
        for subscription in &self.subscriptions {
            put_string(subscription.filter.as_str(), out)?;
            out.put_u8(subscription.options(version));
        }
        Ok(())
    }

    /// Reads what follows the fixed header.
    pub(super) fn decode(version: Version, reader: &mut PacketReader) -> Result<Self, Malformed> {
        let (packet_id, properties) = decode_head(Place::Subscribe, version, reader)?;
        let mut subscriptions = Vec::new();
        while !reader.is_empty() {
            let subscription = Subscription::decode(version, reader)?;
            reader.collect(&mut subscriptions, subscription)?;
        }
        if subscriptions.is_empty() {
            return Err(Malformed::NoTopicFilter { packet: PacketType::Subscribe });
        }
        Ok(Self { packet_id, properties, subscriptions })
    }
}

impl Unsubscribe {
    /// The remaining length.
    pub(super) fn body_len(&self, version: Version) -> usize {
        let filters: usize = self.filters.iter().map(|filter| 2 + filter.as_str().len()).sum();
        2 + self.properties.encoded_len(version) + filters
    }

    /// Appends what follows the fixed header.
    pub(super) fn encode_body(
        &self,
        version: Version,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        if self.filters.is_empty() {
            return Err(EncodeError::NothingInside);
        }
        put_head(self.packet_id, &self.properties, version, out)?;
        self.filters.iter().try_for_each(|filter| put_string(filter.as_str(), out))
    }

    /// Reads what follows the fixed header.
    pub(super) fn decode(version: Version, reader: &mut PacketReader) -> Result<Self, Malformed> {
        let (packet_id, properties) = decode_head(Place::Unsubscribe, version, reader)?;
        let mut filters = Vec::new();
        while !reader.is_empty() {
            let filter = decode_filter(version, reader)?;
            reader.collect(&mut filters, filter)?;
        }
        if filters.is_empty() {
            return Err(Malformed::NoTopicFilter { packet: PacketType::Unsubscribe });
        }
        Ok(Self { packet_id, properties, filters })
    }
}

impl SubAck {
    /// The Reason String of the server (MQTT 5).
    pub fn reason(&self) -> Option<&str> {
        self.properties.reason_string().map(AsRef::as_ref)
    }

    /// The remaining length.
    pub(super) fn body_len(&self, version: Version) -> usize {
        2 + self.properties.encoded_len(version) + self.codes.len()
    }

    /// Appends what follows the fixed header.
    pub(super) fn encode_body(
        &self,
        version: Version,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        if self.codes.is_empty() {
            return Err(EncodeError::NothingInside);
        }
        put_head(self.packet_id, &self.properties, version, out)?;
        out.extend(self.codes.iter().map(|code| code.0));
        Ok(())
    }

    /// Reads what follows the fixed header.
    pub(super) fn decode(version: Version, reader: &mut PacketReader) -> Result<Self, Malformed> {
        let (packet_id, properties) = decode_head(Place::SubAck, version, reader)?;
        let codes = decode_codes(PacketType::SubAck, reader)?;
        Ok(Self { packet_id, properties, codes })
    }
}

impl UnsubAck {
    /// The Reason String of the server (MQTT 5).
    pub fn reason(&self) -> Option<&str> {
        self.properties.reason_string().map(AsRef::as_ref)
    }

    /// The remaining length.
    pub(super) fn body_len(&self, version: Version) -> usize {
        let codes = if version.has_properties() { self.codes.len() } else { 0 };
        2 + self.properties.encoded_len(version) + codes
    }

    /// Appends what follows the fixed header.
    pub(super) fn encode_body(
        &self,
        version: Version,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        put_head(self.packet_id, &self.properties, version, out)?;
        if version.has_properties() {
            if self.codes.is_empty() {
                return Err(EncodeError::NothingInside);
            }
            out.extend(self.codes.iter().map(|code| code.0));
        }
        Ok(())
    }

    /// Reads what follows the fixed header.
    pub(super) fn decode(version: Version, reader: &mut PacketReader) -> Result<Self, Malformed> {
        let (packet_id, properties) = decode_head(Place::UnsubAck, version, reader)?;
        let codes = if version.has_properties() {
            decode_codes(PacketType::UnsubAck, reader)?
        } else {
            Vec::new()
        };
        Ok(Self { packet_id, properties, codes })
    }
}

/// Reads a topic filter (§4.7).
fn decode_filter(version: Version, reader: &mut PacketReader) -> Result<TopicFilter, Malformed> {
    let bytes = reader.binary()?;
    Ok(match version {
        Version::V5 => TopicFilter::from_bytes(bytes)?,
        Version::V3_1_1 | Version::V3_1 => TopicFilter::from_bytes_before_5(bytes)?,
    })
}

/// Appends the beginning that all four packets share: packet identifier and properties.
fn put_head(
    packet_id: PacketId,
    properties: &Properties,
    version: Version,
    out: &mut BytesMut,
) -> Result<(), EncodeError> {
    out.put_u16(packet_id.get());
    properties.encode(version, out)
}

/// Reads the beginning that all four packets share: packet identifier and properties.
fn decode_head(
    place: Place,
    version: Version,
    reader: &mut PacketReader,
) -> Result<(PacketId, Properties), Malformed> {
    let packet_id = reader.packet_id()?;
    Ok((packet_id, Properties::decode(place, version, reader)?))
}

/// Reads the reason codes, at least one, to the end of the packet. Any byte is taken for a code.
fn decode_codes(
    packet: PacketType,
    reader: &mut PacketReader,
) -> Result<Vec<ReasonCode>, Malformed> {
    let count = reader.len();
    if count == 0 {
        return Err(Malformed::NoReasonCode { packet });
    }
    let mut codes = Vec::with_capacity(count);
    while !reader.is_empty() {
        codes.push(ReasonCode(reader.byte()?));
    }
    Ok(codes)
}
