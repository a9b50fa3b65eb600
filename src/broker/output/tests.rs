//! Tests of what waits for a client.

use std::ops::Range;

use bytes::Bytes;

use super::*;
use crate::broker::router::CommonMessages;

/// FIN and the opcode of a binary message, and of Close.
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
use crate::mqtt::packet::{Decoder, PacketId, Publish};
use crate::mqtt::property::{Properties, Property, PropertyId};
use crate::mqtt::qos::QoS;

use crate::mqtt::topic::TopicName;

fn publish(size: usize) -> Packet {
    Packet::Publish(Publish::new(TopicName::new("t").unwrap(), Bytes::from(vec![b'x'; size])))
}

/// What is written of these packets to a socket that takes `room` bytes at a time.
fn written_in_pieces(packets: &[Packet], room: usize) -> Vec<u8> {
    let mut output = OutputQueue::default();
    output.post(&mut packets.iter().cloned().map(OutgoingItem::Packet).collect(), 0);
    all_of(&mut output, room)
}

fn all_of(output: &mut OutputQueue, room: usize) -> Vec<u8> {
    let mut frames = ServerOutbound::new(MESSAGE_BYTES);
    let mut sink = Vec::new();
    while !output.is_empty() {
        let mut is_full = false;
        let write = |bytes: &[u8]| {
            let count = if is_full { 0 } else { bytes.len().min(room) };
            is_full = count < bytes.len();
            sink.extend_from_slice(&bytes[..count]);
            Ok::<_, ()>(count)
        };
        output.write(Version::V3_1_1, &mut frames, |_| {}, write).unwrap();
    }
    sink
}

fn written(packets: &[Packet]) -> Vec<u8> {
    let whole = written_in_pieces(packets, usize::MAX);
    for room in [7, 4096, 100_000] {
        if whole.len() / room < 100_000 {
            assert!(written_in_pieces(packets, room) == whole, "{room}");
        }
    }
    whole
}

/// The payloads of binary frames, and that there is nothing else.
fn messages(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    while let [BINARY, short, rest @ ..] = bytes {
        let (length, rest) = match short {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            _ => (usize::from(*short), rest),
        };
        messages.push(rest[..length].to_vec());
        bytes = &rest[length..];
    }
    assert_eq!(bytes, b"");
    messages
}

#[test]
fn small_packets_share_a_message() {
    assert_eq!(written(&[Packet::PingResp, Packet::PingResp]), [BINARY, 4, 0xd0, 0, 0xd0, 0]);
    let many: Vec<_> = (0..10_000).map(|_| publish(10)).collect();
    let messages = messages(&written(&many));
    assert!(messages.iter().all(|message| message.len() <= MESSAGE_BYTES));
    assert_eq!(
        messages.concat(),
        [b"\x30\x0d\x00\x01t".as_slice(), &[b'x'; 10]].concat().repeat(10_000)
    );
    // The fourth ends early, with the write that it is part of.
    assert_eq!(messages.len(), 6);
}

#[test]
fn what_could_not_be_written_is_not_written_to_another_client() {
    let mut frames = ServerOutbound::new(MESSAGE_BYTES);
    let mut output = OutputQueue::default();
    output.post(&mut VecDeque::from([publish(10).into()]), 0);
    let failed = output.write(Version::V3_1_1, &mut frames, |_| {}, |_| Err(()));
    assert_eq!((failed, frames.len()), (Err(()), 0));
}

#[test]
fn frequent_packets_weigh_more_than_their_bytes() {
    let id = PacketId::MAX;
    let string = Property::text(PropertyId::ReasonString, "x".repeat(500).into());
    let properties = Properties(vec![string.clone(), string]);
    let ack = |properties| Ack { packet_id: id, code: ReasonCode::SUCCESS, properties };
    let publish = Publish { qos: QoS::AtLeastOnce, packet_id: Some(id), ..Publish::default() };
    let topic = TopicName::new("t".repeat(300)).ok();
    for (packet, is_frequent) in [
        (Packet::PubAck(ack(Properties::default())), true),
        (Packet::PubRec(ack(properties.clone())), false),
        (Packet::PingResp, false),
        (
            Packet::Publish(Publish { topic, properties, payload: vec![0; 20].into(), ..publish }),
            true,
        ),
    ] {
        let mut expected = BytesMut::new();
        packet.encode(Version::V5, &mut expected).unwrap();
        let mut frames = ServerOutbound::new(MESSAGE_BYTES);
        assert_eq!(put_frequent(&packet, Version::V5, &mut frames), is_frequent);
        if is_frequent {
            assert!(frames.waiting().ends_with(&expected));
            assert!(OutgoingItem::from(packet).weight() >= expected.len());
        }
    }
}

#[test]
fn large_packets_are_cut() {
    for size in [121, 122, 123, 32_758, 32_759, 32_760, 32_761, 32_768, 65_536, 1_000_000] {
        let mut expected = BytesMut::new();
        publish(size).encode(Version::V3_1_1, &mut expected).unwrap();
        let messages = messages(&written(&[publish(size)]));
        assert_eq!(messages.concat(), expected, "{size}");
        assert_eq!(messages.len(), expected.len().div_ceil(MESSAGE_BYTES), "{size}");
    }
}

#[test]
fn runs_are_kept_in_their_order_and_not_cut() {
    for count in [2, 5, 400, 2500] {
        let packets: Vec<_> = (0..3 * count).map(|n| publish(n % 7)).collect();
        let run = |packets: &[Packet]| {
            let mut bytes = BytesMut::new();
            for packet in packets {
                packet.encode(Version::V3_1_1, &mut bytes).unwrap();
            }
            let mut decoder = Decoder::new(Version::V3_1_1, usize::MAX);
            decoder.feed(bytes.freeze());
            OutgoingItem::Run(decoder.next_run(MESSAGE_BYTES).unwrap())
        };
        let mut items: VecDeque<_> =
            packets[..count].iter().cloned().map(OutgoingItem::Packet).collect();
        items.extend(packets[count..].chunks_exact(count).map(run));
        let mut output = OutputQueue::default();
        output.post(&mut items, 0);
        let messages = messages(&all_of(&mut output, 5000));
        let mut decoder = Decoder::new(Version::V3_1_1, usize::MAX);
        let mut read = Vec::new();
        for message in messages {
            decoder.feed(message.into());
            while let Some(packet) = decoder.next().unwrap() {
                read.push(packet);
            }
            assert_eq!(decoder.buffered(), 0, "a packet in two messages");
        }
        assert!(read == packets, "{count}");
    }
}

#[test]
fn control_frames_go_first_and_a_close_last() {
    let mut output = OutputQueue::default();
    output.post(&mut VecDeque::from([Packet::PingResp.into()]), 0);
    output.post_close(1000);
    output.post_control(&[0x8a, 0]);
    let expected = [0x8a, 0, BINARY, 2, 0xd0, 0, CLOSE, 2, 3, 232];
    assert_eq!(all_of(&mut output, usize::MAX), expected);
    assert_eq!(output.take_written(), OutgoingItem::from(Packet::PingResp).weight());
}

#[test]
fn what_others_are_sent_too_is_written_in_its_place() {
    let all: Vec<_> = (0..1000).map(|n| publish(n % 300)).collect();
    let common = all[10..910].iter().map(|packet| match packet {
        Packet::Publish(publish) => publish.clone(),
        other => panic!("{other:?}"),
    });
    let common = common.collect();
    let items = |range: Range<usize>| all[range].iter().cloned().map(OutgoingItem::Packet);
    let mut items: VecDeque<_> = items(0..10)
        .chain([OutgoingItem::Common(CommonMessages::of(common, usize::MAX))])
        .chain(items(910..1000))
        .collect();
    let weight = items.iter().map(OutgoingItem::weight).sum();
    let mut output = OutputQueue::default();
    output.post(&mut items, weight);
    assert_eq!(all_of(&mut output, 5000), written(&all));
    assert_eq!((output.take_written(), output.unsent()), (weight, 0));
}

#[test]
fn what_others_get_and_the_client_does_not_take_counts_as_written() {
    for sizes in [[10, 500, 20], [500, 500, 10], [10, 20, 500], [500, 500, 500]] {
        let messages = sizes.iter().filter_map(|size| match publish(*size) {
            Packet::Publish(message) => Some(message),
            _ => None,
        });
        let common = CommonMessages::of(messages.collect(), 100);
        let weight = common.left().weight;
        let mut output = OutputQueue::default();
        output.post(&mut vec![OutgoingItem::Common(common)].into(), weight);
        let small: Vec<_> =
            sizes.iter().filter(|size| **size < 100).map(|size| publish(*size)).collect();
        assert_eq!(all_of(&mut output, 5000), written(&small), "{sizes:?}");
        assert_eq!((output.take_written(), output.unsent()), (weight, 0), "{sizes:?}");
    }
}

#[test]
fn what_was_written_is_known_before_all_is() {
    let mut output = OutputQueue::default();
    let packet = OutgoingItem::from(publish(10_000));
    let weight = packet.weight();
    output.post(&mut vec![packet; 100].into(), 100 * weight);
    let mut frames = ServerOutbound::new(MESSAGE_BYTES);
    let mut written = 0;
    for step in 1..=10 {
        let mut room = 100_000;
        let write = |bytes: &[u8]| {
            let count = bytes.len().min(room);
            room -= count;
            Ok::<_, ()>(count)
        };
        output.write(Version::V3_1_1, &mut frames, |_| {}, write).unwrap();
        written += output.take_written();
        assert!(written <= 100_000 * step / 10_000 * weight, "{step}");
        assert!(written + WRITE_BYTES + MESSAGE_BYTES >= 100_000 * step, "{step}");
        assert_eq!(output.unsent(), 100 * weight - written);
    }
}
