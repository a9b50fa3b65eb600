//! Streams that are cut anywhere, and streams with one wrong byte.

use super::*;

/// All rows of one version, one after the other. CONNECT, which sets the version, is only there
/// where it fits.
fn stream(version: Version) -> (Vec<u8>, Vec<Packet>) {
    let (mut wire, mut packets) = (Vec::new(), Vec::new());
    for row in rows() {
        let foreign = matches!(&row.packet, Packet::Connect(connect) if connect.version != version);
        if row.versions.contains(&version) && !foreign {
            wire.extend_from_slice(&row.wire);
            packets.push(row.packet);
        }
    }
    (wire, packets)
}

#[test]
fn a_stream_cut_in_two_anywhere_is_the_same_stream() {
    for version in VERSIONS {
        let (wire, packets) = stream(version);
        for cut in 0..=wire.len() {
            let (head, tail) = wire.split_at(cut);
            assert_eq!(
                decode_pieces(version, [head, tail]),
                Ok((packets.clone(), 0)),
                "{version} at {cut}"
            );
        }
    }
}

#[test]
fn a_stream_in_small_pieces_is_the_same_stream() {
    for version in VERSIONS {
        let (wire, packets) = stream(version);
        for size in [1, 2, 3, 7] {
            assert_eq!(
                decode_pieces(version, wire.chunks(size)),
                Ok((packets.clone(), 0)),
                "{version} by {size}"
            );
        }
    }
}

#[test]
fn all_may_be_fed_before_the_first_packet_is_taken() {
    let (wire, packets) = stream(Version::V5);
    let mut decoder = Decoder::new(Version::V5, UNLIMITED);
    for (index, byte) in wire.iter().enumerate() {
        assert_eq!(decoder.buffered(), index);
        decoder.feed(Bytes::copy_from_slice(&[*byte]));
        decoder.feed(Bytes::new());
    }
    for packet in packets {
        assert_eq!(decoder.next(), Ok(Some(packet)));
    }
    assert_eq!(decoder.next(), Ok(None));
    assert_eq!(decoder.buffered(), 0);
}

#[test]
fn a_cut_packet_is_counted_until_it_is_whole() {
    for row in rows() {
        let version = row.versions[0];
        for cut in 0..row.wire.len() {
            assert_eq!(
                decode_pieces(version, [&row.wire[..cut]]),
                Ok((Vec::new(), cut)),
                "{} at {cut}",
                row.name
            );
        }
    }
}

#[test]
fn a_large_packet_byte_by_byte_is_joined_once() {
    let payload = vec![b'x'; 1 << 20];
    let packet = Packet::Publish(Publish {
        qos: QoS::AtLeastOnce,
        packet_id: Some(id(1)),
        ..Publish::new(topic("t"), payload.into())
    });
    let wire = encode(&packet, Version::V5);
    assert_eq!(decode_pieces(Version::V5, wire.chunks(1)), Ok((vec![packet], 0)));
}

#[test]
fn what_is_only_announced_takes_no_memory() {
    // 256 MiB less one byte, the most that the fixed header can say.
    let mut decoder = Decoder::new(Version::V5, UNLIMITED);
    decoder.feed(Bytes::from_static(&[0x30, 0xff, 0xff, 0xff, 0x7f, 0, 1, b'a']));
    assert_eq!(decoder.next(), Ok(None));
    assert!(decoder.memory() <= 1 << 20, "{}", decoder.memory());
    for _ in 0..40 {
        decoder.feed(Bytes::from(vec![0; 50_000]));
        assert_eq!(decoder.next(), Ok(None));
    }
    assert!(decoder.memory() <= 4 << 20, "{}", decoder.memory());
}

#[test]
fn topic_and_payload_are_slices_of_what_was_fed() {
    let wire = Bytes::from(hex("30 07 0003 'a/b' 'hi'").repeat(2));
    let within = wire.as_ptr_range();
    let mut decoder = Decoder::new(Version::V3_1_1, UNLIMITED);
    decoder.feed(wire.clone());
    for _ in 0..2 {
        let Ok(Some(Packet::Publish(publish))) = decoder.next() else {
            panic!("a PUBLISH was fed")
        };
        assert!(within.contains(&publish.payload.as_ptr()));
        assert!(within.contains(&publish.topic.unwrap().as_str().as_ptr()));
    }
}

#[test]
fn a_connect_sets_the_version() {
    let mut decoder = Decoder::new(Version::V3_1_1, UNLIMITED);
    decoder.feed(Bytes::from(hex("10 0D 0004 'MQTT' 05 02 0000 00 0000 E0 01 04")));
    assert!(matches!(decoder.next(), Ok(Some(Packet::Connect(_)))));
    assert_eq!(decoder.version(), Version::V5);
    let code = ReasonCode::DISCONNECT_WITH_WILL_MESSAGE;
    assert_eq!(
        decoder.next(),
        Ok(Some(Packet::Disconnect(Disconnect { code, properties: none() })))
    );
}

/// With any one byte changed the decoder returns packets or an error, and a packet that it returns
/// can be encoded and decoded again.
#[test]
fn every_corruption_gives_a_value_or_an_error() {
    for row in rows() {
        for &version in row.versions {
            for at in 0..row.wire.len() {
                let mut wire = row.wire.clone();
                for value in 0..=255 {
                    wire[at] = value;
                    check_corrupted(version, &wire);
                }
            }
        }
    }
}

fn check_corrupted(version: Version, wire: &[u8]) {
    let mut decoder = Decoder::new(version, UNLIMITED);
    decoder.feed(Bytes::copy_from_slice(wire));
    // Each turn consumes two bytes at least.
    for _ in 0..=wire.len() / 2 {
        let Ok(Some(packet)) = decoder.next() else { return };
        let (version, mut out) = (decoder.version(), BytesMut::new());
        packet.encode(version, &mut out).unwrap();
        assert_eq!(decode(version, &out), Ok(Some(packet)), "{wire:02X?}");
    }
    panic!("the decoder does not end: {wire:02X?}");
}
