//! Reads and writes the fixed header (§2.1): packet type, flags and remaining length. It is
//! checked before the rest of the packet has arrived.

use std::fmt;

use bytes::{BufMut, BytesMut};

use super::data::{
    IntegerLength, integer_of_length, put_variable_byte_integer, variable_byte_integer_len,
};
use super::error::{EncodeError, Malformed};
use crate::mqtt::version::Version;

/// The longest fixed header: the first byte and four of the remaining length (§2.1).
pub const LONGEST_FIXED_HEADER: usize = 5;

/// The longest remaining length of a packet other than PUBLISH, in bytes. Real packets are far
/// shorter. The limit bounds the memory that a peer can occupy with, say, a huge CONNACK.
const LONGEST_CONTROL: usize = 16 * 1024 * 1024;

/// The type of a control packet (Table 2-1). Its number is the upper half of the first byte.
/// [`super::Packet`] says what each type means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PacketType {
    Connect = 1,
    ConnAck = 2,
    Publish = 3,
    PubAck = 4,
    PubRec = 5,
    PubRel = 6,
    PubComp = 7,
    Subscribe = 8,
    SubAck = 9,
    Unsubscribe = 10,
    UnsubAck = 11,
    PingReq = 12,
    PingResp = 13,
    Disconnect = 14,
    Auth = 15,
}

impl PacketType {
    /// The type with this number. There is no type 0.
    pub fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            1 => Self::Connect,
            2 => Self::ConnAck,
            3 => Self::Publish,
            4 => Self::PubAck,
            5 => Self::PubRec,
            6 => Self::PubRel,
            7 => Self::PubComp,
            8 => Self::Subscribe,
            9 => Self::SubAck,
            10 => Self::Unsubscribe,
            11 => Self::UnsubAck,
            12 => Self::PingReq,
            13 => Self::PingResp,
            14 => Self::Disconnect,
            15 => Self::Auth,
            _ => return None,
        })
    }

    /// The lower half of the first byte of every packet but PUBLISH (Table 2-2).
    pub fn fixed_flags(self) -> u8 {
        if matches!(self, Self::PubRel | Self::Subscribe | Self::Unsubscribe) { 0b0010 } else { 0 }
    }

    /// The first byte of every packet but PUBLISH.
    pub fn first_byte(self) -> u8 {
        (self as u8) << 4 | self.fixed_flags()
    }

    /// The name, as the specification spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "CONNECT",
            Self::ConnAck => "CONNACK",
            Self::Publish => "PUBLISH",
            Self::PubAck => "PUBACK",
            Self::PubRec => "PUBREC",
            Self::PubRel => "PUBREL",
            Self::PubComp => "PUBCOMP",
            Self::Subscribe => "SUBSCRIBE",
            Self::SubAck => "SUBACK",
            Self::Unsubscribe => "UNSUBSCRIBE",
            Self::UnsubAck => "UNSUBACK",
            Self::PingReq => "PINGREQ",
            Self::PingResp => "PINGRESP",
            Self::Disconnect => "DISCONNECT",
            Self::Auth => "AUTH",
        }
    }
}

impl fmt::Display for PacketType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The beginning of a packet (§2.1).
pub struct FixedHeader {
    /// The type of the packet.
    pub packet: PacketType,
    /// The length of the fixed header, in bytes.
    pub length: usize,
    /// The size of the whole packet, in bytes.
    pub size: usize,
}

impl FixedHeader {
    /// Reads the fixed header at the beginning of these bytes. Returns `None` if it continues after
    /// their end. The first byte is checked at once, so that an answer that is not MQTT fails
    /// before the bytes of its supposed length have arrived.
    // Every message that comes goes through it.
    #[inline(always)]
    pub fn read(bytes: &[u8], version: Version, maximum: usize) -> Result<Option<Self>, Malformed> {
        let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
        let packet = packet_type(first, version)?;
        let integer = integer_of_length(rest, length_taken(version))?;
        let Some((remaining, length)) = integer else { return Ok(None) };
        let length = 1 + length;
        let size = length + remaining as usize;
        check_length(packet, version, remaining as usize)?;
        if size > maximum {
            return Err(Malformed::PacketTooLarge { size, maximum });
        }
        Ok(Some(Self { packet, length, size }))
    }

    /// Checks that of a CONNECT that begins with this byte, once its version is known: in MQTT 3.1
    /// the flags say nothing, and before MQTT 5 the remaining length may be longer than it need be.
    pub fn check_connect(&self, first: u8, version: Version) -> Result<(), Malformed> {
        let flags = first & 0x0F;
        if version != Version::V3_1 && flags != 0 {
            return Err(Malformed::FixedHeaderFlags { packet: self.packet, flags });
        }
        if version.has_properties() && !self.is_minimal() {
            return Err(Malformed::VariableByteInteger);
        }
        Ok(())
    }

    /// Whether the remaining length takes no more bytes than it needs.
    pub fn is_minimal(&self) -> bool {
        self.length == 1 + variable_byte_integer_len(self.size - self.length)
    }
}

/// How long the remaining length of a packet may be.
fn length_taken(version: Version) -> IntegerLength {
    if version.has_properties() { IntegerLength::Shortest } else { IntegerLength::Any }
}

/// Checks the remaining length. Before MQTT 5 many packets have one length only, and any other is
/// an error before the content has arrived. In MQTT 5 only a PUBLISH may be longer than
/// [`LONGEST_CONTROL`].
#[inline]
fn check_length(packet: PacketType, version: Version, length: usize) -> Result<(), Malformed> {
    if packet == PacketType::Publish {
        return Ok(());
    }
    let exact = match packet {
        PacketType::PingReq | PacketType::PingResp => 0,
        _ if version.has_properties() => return bounded(length),
        PacketType::Disconnect => 0,
        PacketType::ConnAck
        | PacketType::PubAck
        | PacketType::PubRec
        | PacketType::PubRel
        | PacketType::PubComp
        | PacketType::UnsubAck => 2,
        _ => return bounded(length),
    };
    match length.checked_sub(exact) {
        None => Err(Malformed::Truncated { packet }),
        Some(0) => Ok(()),
        Some(count) => Err(Malformed::TrailingBytes { packet, count }),
    }
}

fn bounded(length: usize) -> Result<(), Malformed> {
    if length <= LONGEST_CONTROL {
        return Ok(());
    }
    Err(Malformed::PacketTooLarge { size: length, maximum: LONGEST_CONTROL })
}

/// The type of a packet whose flags are valid (§2.1.3).
#[inline(always)]
fn packet_type(first: u8, version: Version) -> Result<PacketType, Malformed> {
    let value = first >> 4;
    let packet = PacketType::from_bits(value)
        .filter(|packet| *packet != PacketType::Auth || version.has_properties())
        .ok_or(Malformed::UnknownPacketType { value })?;
    if packet == PacketType::Publish {
        return Ok(packet);
    }
    let flags = first & 0x0F;
    if flags == packet.fixed_flags() { Ok(packet) } else { unusual(packet, flags, version) }
}

/// A packet whose flags are not its fixed ones. In MQTT 3.1, which says of the others that they
/// are not used (3.1 §3), only the QoS counts, and only where an answer is awaited. The flags of
/// CONNECT come before the version is known: see [`FixedHeader::check_connect`].
#[cold]
#[inline(never)]
fn unusual(packet: PacketType, flags: u8, version: Version) -> Result<PacketType, Malformed> {
    let fixed = packet.fixed_flags();
    let used = if fixed == 0 { 0 } else { 0b0110 };
    let is_taken = version == Version::V3_1 || packet == PacketType::Connect;
    if is_taken && flags & used == fixed {
        Ok(packet)
    } else {
        Err(Malformed::FixedHeaderFlags { packet, flags })
    }
}

/// Appends the fixed header (§2.1): type and flags, then the remaining length.
pub fn put_fixed_header(
    first: u8,
    remaining: usize,
    out: &mut BytesMut,
) -> Result<(), EncodeError> {
    out.put_u8(first);
    put_variable_byte_integer(remaining, out)
}
