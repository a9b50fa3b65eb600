//! Tests of the codec: tables, cut streams, corrupted bytes, generated packets and an independent
//! codec.

mod boundaries;
mod describe;
mod generated;
mod joined;
mod malformed;
mod oracle;
mod parts;
mod runs;
mod streams;
mod throughput;
mod valid_v3;
mod valid_v5;

use bytes::{Bytes, BytesMut};

use super::*;
use crate::mqtt::property::{Properties, Property, PropertyId};
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::topic::{TopicFilter, TopicName, TopicSlice};
use crate::mqtt::version::Version;

pub(super) const VERSIONS: [Version; 3] = [Version::V3_1, Version::V3_1_1, Version::V5];

/// A limit larger than any packet.
pub(super) const UNLIMITED: usize = MAXIMUM_REMAINING_LENGTH + 5;

/// A packet and its bytes.
pub(super) struct Row {
    pub name: &'static str,
    pub versions: &'static [Version],
    pub wire: Vec<u8>,
    pub packet: Packet,
    /// Whether we encode the packet as these bytes; otherwise we only decode them.
    pub ours: bool,
    /// Whether the independent codec accepts them, too.
    pub strict: bool,
}

pub(super) const V3_1: &[Version] = &[Version::V3_1];
pub(super) const V3_1_1: &[Version] = &[Version::V3_1_1];
pub(super) const V3: &[Version] = &[Version::V3_1, Version::V3_1_1];
pub(super) const V5: &[Version] = &[Version::V5];
pub(super) const ALL: &[Version] = &VERSIONS;

/// A packet that we decode and encode.
pub(super) fn row(
    name: &'static str,
    versions: &'static [Version],
    wire: &str,
    packet: Packet,
) -> Row {
    Row { name, versions, wire: hex(wire), packet, ours: true, strict: true }
}

/// A packet that we decode, as every receiver does, but encode differently.
pub(super) fn long_form(
    name: &'static str,
    versions: &'static [Version],
    wire: &str,
    packet: Packet,
) -> Row {
    Row { ours: false, ..row(name, versions, wire, packet) }
}

/// A packet that we decode although a strict receiver would refuse it.
pub(super) fn liberal(
    name: &'static str,
    versions: &'static [Version],
    wire: &str,
    packet: Packet,
) -> Row {
    Row { ours: false, strict: false, ..row(name, versions, wire, packet) }
}

/// Every row of every table.
pub(super) fn rows() -> Vec<Row> {
    let mut rows = valid_v3::rows();
    rows.extend(valid_v5::rows());
    rows
}

/// Bytes from a text: hexadecimal digits, and 'text' as it stands. Spaces are ignored.
pub(super) fn hex(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (index, part) in text.split('\'').enumerate() {
        if index % 2 == 1 {
            bytes.extend_from_slice(part.as_bytes());
            continue;
        }
        let digits: Vec<char> = part.chars().filter(|c| !c.is_whitespace()).collect();
        for pair in digits.chunks(2) {
            bytes.push(u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap());
        }
    }
    bytes
}

pub(super) fn id(value: u16) -> PacketId {
    PacketId::new(value).unwrap()
}

pub(super) fn topic(text: &str) -> TopicName {
    TopicName::new(text).unwrap()
}

pub(super) fn filter(text: &str) -> TopicFilter {
    TopicFilter::new(text).unwrap()
}

pub(super) fn properties(list: impl IntoIterator<Item = Property>) -> Properties {
    list.into_iter().collect()
}

pub(super) fn none() -> Properties {
    Properties::default()
}

pub(super) fn encode(packet: &Packet, version: Version) -> Vec<u8> {
    let mut out = BytesMut::new();
    packet.encode(version, &mut out).unwrap();
    assert_eq!(out.len(), packet.encoded_len(version), "the length of {packet:?}");
    out.to_vec()
}

/// All packets of a stream that is fed in these pieces, and how many bytes are left over.
pub(super) fn decode_pieces<'a>(
    version: Version,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<(Vec<Packet>, usize), Malformed> {
    let mut decoder = Decoder::new(version, UNLIMITED);
    let mut packets = Vec::new();
    for piece in pieces {
        decoder.feed(Bytes::copy_from_slice(piece));
        while let Some(packet) = decoder.next()? {
            packets.push(packet);
        }
    }
    Ok((packets, decoder.buffered()))
}

/// The same, with runs of messages and of acknowledgements read by their fast paths.
pub(super) fn decode_runs<'a>(
    version: Version,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<(Vec<Packet>, usize), Malformed> {
    let mut decoder = Decoder::new(version, UNLIMITED);
    let (mut packets, mut publish) = (Vec::new(), Publish::default());
    for piece in pieces {
        decoder.feed(Bytes::copy_from_slice(piece));
        loop {
            if next_publish(&mut decoder, &mut publish) {
                packets.push(Packet::Publish(publish.clone()));
            } else if let Some((packet, packet_id)) = decoder.next_acknowledgement() {
                let ack = Ack::success(packet_id);
                packets.push(match packet {
                    PacketType::PubAck => Packet::PubAck(ack),
                    PacketType::PubRec => Packet::PubRec(ack),
                    PacketType::PubRel => Packet::PubRel(ack),
                    _ => Packet::PubComp(ack),
                });
            } else if let Some(packet) = decoder.next()? {
                packets.push(packet);
            } else {
                break;
            }
        }
    }
    Ok((packets, decoder.buffered()))
}

/// The next packet, if the fast path of messages takes it.
fn next_publish(decoder: &mut Decoder, publish: &mut Publish) -> bool {
    let Some(found) = decoder.find_publish(publish) else { return false };
    publish.payload = decoder.payload_bytes(found);
    assert_eq!(decoder.payload(found), publish.payload);
    decoder.skip(found);
    true
}

/// The one packet in these bytes, or `None` if they are incomplete.
pub(super) fn decode(version: Version, wire: &[u8]) -> Result<Option<Packet>, Malformed> {
    let (mut packets, _) = decode_pieces(version, [wire])?;
    assert!(packets.len() <= 1, "{} packets in {wire:02X?}", packets.len());
    Ok(packets.pop())
}

#[test]
fn every_row_is_read_and_written() {
    for row in rows() {
        for &version in row.versions {
            assert_eq!(
                decode(version, &row.wire),
                Ok(Some(row.packet.clone())),
                "{} in {version}",
                row.name
            );
            let written = encode(&row.packet, version);
            if row.ours {
                assert_eq!(written, row.wire, "{} in {version}", row.name);
            } else {
                assert_eq!(
                    decode(version, &written),
                    Ok(Some(row.packet.clone())),
                    "{} in {version}",
                    row.name
                );
            }
        }
    }
}

#[test]
fn a_packet_is_small() {
    assert!(size_of::<Packet>() <= 104, "{}", size_of::<Packet>());
}
