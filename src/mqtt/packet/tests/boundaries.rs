//! Values on both sides of every limit.

use super::*;
use crate::mqtt::packet::data::variable_byte_integer;
use crate::mqtt::packet::data::{put_variable_byte_integer, variable_byte_integer_len};

/// A PUBLISH of this remaining length.
fn publish(remaining: usize) -> Packet {
    Packet::Publish(Publish::new(topic("t"), Bytes::from(vec![b'x'; remaining - 3])))
}

#[test]
fn remaining_lengths_take_one_to_four_bytes() {
    let cases = [(127, 1), (128, 2), (16_383, 2), (16_384, 3), (2_097_151, 3), (2_097_152, 4)];
    for (remaining, length) in cases {
        let packet = publish(remaining);
        let wire = encode(&packet, Version::V3_1_1);
        assert_eq!(wire.len(), 1 + length + remaining);
        assert_eq!(decode(Version::V3_1_1, &wire), Ok(Some(packet)));
    }
}

#[test]
fn variable_byte_integers_have_one_form() {
    for value in [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, MAXIMUM_REMAINING_LENGTH] {
        let mut out = BytesMut::new();
        put_variable_byte_integer(value, &mut out).unwrap();
        assert_eq!(out.len(), variable_byte_integer_len(value), "{value}");
        assert_eq!(
            variable_byte_integer(&out),
            Ok(Some((u32::try_from(value).unwrap(), out.len())))
        );
        assert_eq!(variable_byte_integer(&out[..out.len() - 1]), Ok(None), "{value}");
    }
    let length = MAXIMUM_REMAINING_LENGTH + 1;
    assert_eq!(
        put_variable_byte_integer(length, &mut BytesMut::new()),
        Err(EncodeError::TooLarge { length })
    );
}

#[test]
fn the_largest_packet_is_announced_and_one_more_byte_is_not() {
    // Zeroed memory that is never written takes no real memory.
    let largest = MAXIMUM_REMAINING_LENGTH - 3;
    for (payload, fits) in [(largest, true), (largest + 1, false)] {
        let Packet::Publish(packet) = publish(3) else { unreachable!() };
        let packet = Publish { payload: Bytes::from(vec![0; payload]), ..packet };
        let mut out = BytesMut::from(&b"before"[..]);
        let result = packet.encode_header(Version::V3_1_1, &mut out);
        if fits {
            assert_eq!(result, Ok(()));
            assert_eq!(&out[..], &hex("'before' 30 FFFFFF7F 0001 't'")[..]);
            assert_eq!(packet.encoded_len(Version::V3_1_1), MAXIMUM_REMAINING_LENGTH + 5);
        } else {
            assert_eq!(result, Err(EncodeError::TooLarge { length: MAXIMUM_REMAINING_LENGTH + 1 }));
            assert_eq!(&out[..], b"before");
        }
    }
}

#[test]
fn the_decoder_refuses_by_size_before_the_packet_has_come() {
    let head = hex("30 64");
    let mut decoder = Decoder::new(Version::V5, 101);
    decoder.feed(Bytes::from(head.clone()));
    assert_eq!(decoder.next(), Err(Malformed::PacketTooLarge { size: 102, maximum: 101 }));
    let mut decoder = Decoder::new(Version::V5, 102);
    decoder.feed(Bytes::from(head));
    assert_eq!(decoder.next(), Ok(None));
    assert_eq!(decoder.buffered(), 2);
}

#[test]
fn strings_have_up_to_65535_bytes() {
    for length in [0, 1, 65_535] {
        let packet = Packet::Connect(Box::new(Connect {
            version: Version::V5,
            clean_start: true,
            keep_alive: 0,
            client_id: "c".repeat(length).into(),
            will: None,
            credentials: Credentials { username: Some("u".repeat(length).into()), password: None },
            properties: properties([Property::user("k".repeat(length).into(), "".into())]),
        }));
        assert_eq!(decode(Version::V5, &encode(&packet, Version::V5)), Ok(Some(packet)));
    }
}

#[test]
fn what_is_too_long_is_not_half_written() {
    let long = || "x".repeat(65_536);
    let too_long = EncodeError::StringTooLong { length: 65_536 };
    let connect = Connect {
        version: Version::V5,
        clean_start: true,
        keep_alive: 0,
        client_id: "c".into(),
        will: None,
        credentials: Credentials { username: None, password: Some(long().into()) },
        properties: none(),
    };
    let Packet::Publish(publish) = publish(10) else { unreachable!() };
    let publish = Publish {
        properties: properties([Property::binary(PropertyId::CorrelationData, long().into())]),
        ..publish
    };
    let disconnect = Disconnect {
        code: ReasonCode(0),
        properties: properties([Property::text(PropertyId::ReasonString, long().into())]),
    };
    let packets = [
        Packet::Connect(Box::new(connect)),
        Packet::Publish(publish.clone()),
        Packet::Disconnect(disconnect),
    ];
    for packet in packets {
        let mut out = BytesMut::from(&b"before"[..]);
        assert_eq!(
            packet.encode(Version::V5, &mut out),
            Err(too_long),
            "{:?}",
            packet.packet_type()
        );
        assert_eq!(&out[..], b"before");
    }
    let mut out = BytesMut::from(&b"before"[..]);
    assert_eq!(publish.encode_header(Version::V5, &mut out), Err(too_long));
    assert_eq!(&out[..], b"before");
}

#[test]
fn packets_that_contradict_themselves_are_not_written() {
    let Packet::Publish(plain) = publish(10) else { unreachable!() };
    let alias = Publish {
        topic: None,
        properties: properties([Property::number(PropertyId::TopicAlias, 1)]),
        ..plain.clone()
    };
    let cases = [
        (Version::V3_1_1, Publish { topic: None, ..plain.clone() }, EncodeError::NoTopic),
        (Version::V5, Publish { topic: None, ..plain.clone() }, EncodeError::NoTopic),
        (Version::V3_1_1, alias, EncodeError::NoTopic),
        (Version::V5, Publish { packet_id: Some(id(1)), ..plain.clone() }, EncodeError::PacketId),
        (Version::V5, Publish { qos: QoS::AtLeastOnce, ..plain.clone() }, EncodeError::PacketId),
        (Version::V5, Publish { dup: true, ..plain.clone() }, EncodeError::DupWithQoS0),
    ];
    for (version, packet, error) in cases {
        assert_eq!(Packet::Publish(packet).encode(version, &mut BytesMut::new()), Err(error));
    }
    let empty = Packet::Unsubscribe(Unsubscribe {
        packet_id: id(1),
        properties: none(),
        filters: Vec::new(),
    });
    assert_eq!(empty.encode(Version::V5, &mut BytesMut::new()), Err(EncodeError::NothingInside));
    let auth = Packet::Auth(Auth::default());
    assert_eq!(
        auth.encode(Version::V3_1_1, &mut BytesMut::new()),
        Err(EncodeError::AuthBeforeMqtt5)
    );
}

#[test]
fn small_things_in_large_numbers_are_refused() {
    let count = MAXIMUM_ITEMS + 1;
    let mut body = hex("0001 't'");
    put_section(&mut body, &hex("0B 01").repeat(count));
    let too_many = |packet| Err(Malformed::TooManyItems { packet });
    assert_eq!(decode(Version::V5, &framed(0x30, &body)), too_many(PacketType::Publish));
    let body = [hex("0001"), hex("0001 'a' 00").repeat(count)].concat();
    assert_eq!(decode(Version::V3_1_1, &framed(0x82, &body)), too_many(PacketType::Subscribe));
    let body = [hex("0001"), hex("0001 'a'").repeat(count)].concat();
    assert_eq!(decode(Version::V3_1_1, &framed(0xA2, &body)), too_many(PacketType::Unsubscribe));
}

fn put_section(body: &mut Vec<u8>, section: &[u8]) {
    let mut length = BytesMut::new();
    put_variable_byte_integer(section.len(), &mut length).unwrap();
    body.extend_from_slice(&length);
    body.extend_from_slice(section);
}

fn framed(first: u8, body: &[u8]) -> Vec<u8> {
    let mut wire = vec![first];
    put_section(&mut wire, body);
    wire
}
