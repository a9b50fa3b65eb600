//! The beginning of a packet (§2.1), judged before the rest of it has come in. It must never know
//! what follows.

use super::reader::variable_byte_integer;
use super::{Malformed, PacketType};
use crate::mqtt::version::Version;

/// The longest fixed header: the first byte and four of the remaining length (§2.1).
pub const LONGEST_FIXED_HEADER: usize = 5;

/// The longest remaining length of anything but PUBLISH, in bytes: no string or property list comes
/// near it, and nobody is to make us hold more by calling it a CONNACK.
const LONGEST_CONTROL: usize = 16 * 1024 * 1024;

/// The beginning of a packet (§2.1).
pub struct FixedHeader {
    /// What it is.
    pub packet: PacketType,
    /// The length of the fixed header, in bytes.
    pub length: usize,
    /// The size of the whole packet, in bytes.
    pub size: usize,
}

impl FixedHeader {
    /// The fixed header at the beginning of these bytes, or `None` if it goes on past their end.
    /// The first byte is judged at once: an answer that is not MQTT at all fails before its
    /// "length" has come in.
    #[inline]
    pub fn read(bytes: &[u8], version: Version, maximum: usize) -> Result<Option<Self>, Malformed> {
        let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
        let packet = packet_type(first, version)?;
        let Some((remaining, length)) = variable_byte_integer(rest)? else { return Ok(None) };
        let length = 1 + length;
        let size = length + remaining as usize;
        check_length(packet, version, remaining as usize)?;
        if size > maximum {
            return Err(Malformed::PacketTooLarge { size, maximum });
        }
        Ok(Some(Self { packet, length, size }))
    }
}

/// What has one length only before MQTT 5 is judged by it, before its content has come in. In MQTT
/// 5 only PUBLISH is ever as long as [`LONGEST_CONTROL`].
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

/// The type of a packet, if its flags are as they must be (§2.1.3). MQTT 3.1 knows DUP where later
/// versions have a fixed 0010 (3.1 §2.1).
fn packet_type(first: u8, version: Version) -> Result<PacketType, Malformed> {
    let value = first >> 4;
    let packet = PacketType::from_bits(value)
        .filter(|packet| *packet != PacketType::Auth || version.has_properties())
        .ok_or(Malformed::UnknownPacketType { value })?;
    if packet == PacketType::Publish {
        return Ok(packet);
    }
    let flags = first & 0x0F;
    let fixed = packet.fixed_flags();
    let again = version == Version::V3_1 && fixed != 0 && flags == fixed | 0b1000;
    if flags == fixed || again {
        Ok(packet)
    } else {
        Err(Malformed::FixedHeaderFlags { packet, flags })
    }
}
