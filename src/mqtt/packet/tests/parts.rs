//! Large messages in parts: put together again they are the same as whole messages, wherever the
//! stream is cut.

use super::*;

/// The packets of a stream, with each PUBLISH above `above` bytes read in parts and put together
/// again. Runs of messages are read by their fast path.
fn in_parts<'a>(
    version: Version,
    above: usize,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<(Vec<Packet>, usize), Malformed> {
    let mut decoder = Decoder::new(version, UNLIMITED).in_parts_above(above);
    let (mut packets, mut publish, mut open) = (Vec::new(), Publish::default(), None);
    for piece in pieces {
        decoder.feed(Bytes::copy_from_slice(piece));
        loop {
            if next_publish(&mut decoder, &mut publish) {
                assert!(open.is_none(), "no message within another");
                packets.push(Packet::Publish(publish.clone()));
                continue;
            }
            match decoder.next_part()? {
                None => break,
                Some(Decoded::Packet(packet)) => packets.push(packet),
                Some(Decoded::PublishBegins(begun, length)) => {
                    assert!(begun.payload.is_empty());
                    assert!(length == 0 || decoder.buffered() > 0, "something of it is there");
                    assert!(open.replace((begun, length, BytesMut::new())).is_none());
                }
                Some(Decoded::PayloadPiece(piece)) => {
                    assert!(!piece.is_empty());
                    open.as_mut().expect("it has begun").2.extend_from_slice(&piece);
                }
                Some(Decoded::PublishEnds) => {
                    let (begun, length, payload) = open.take().expect("it has begun");
                    assert_eq!(payload.len(), length);
                    let whole = Publish { payload: payload.freeze(), ..begun };
                    assert!(whole.encoded_len(version) > above);
                    packets.push(Packet::Publish(whole));
                }
            }
        }
    }
    Ok((packets, decoder.buffered()))
}

/// Every row that is not a CONNECT, and some longer messages.
fn stream(version: Version) -> (Vec<u8>, Vec<Packet>) {
    let mut packets: Vec<_> = rows()
        .into_iter()
        .filter(|row| row.versions.contains(&version) && !matches!(row.packet, Packet::Connect(_)))
        .map(|row| row.packet)
        .collect();
    for (qos, length) in [(QoS::AtMostOnce, 0), (QoS::AtLeastOnce, 1), (QoS::ExactlyOnce, 150)] {
        let packet_id = (qos > QoS::AtMostOnce).then(|| id(7));
        let value = Property::binary(PropertyId::CorrelationData, "b".repeat(130).into());
        let properties = if version.has_properties() { properties([value]) } else { none() };
        let payload = (0..length).map(|at: u8| at).collect::<Vec<_>>().into();
        let plain = Publish::new(topic("a/long/topic"), payload);
        packets.push(Packet::Publish(Publish { qos, packet_id, properties, ..plain }));
    }
    (packets.iter().flat_map(|packet| encode(packet, version)).collect(), packets)
}

#[test]
fn a_stream_cut_in_two_anywhere_is_the_same_stream_in_parts() {
    for version in VERSIONS {
        let (wire, packets) = stream(version);
        for above in [0, 20, 150] {
            for cut in 0..=wire.len() {
                let (head, tail) = wire.split_at(cut);
                let expected = Ok((packets.clone(), 0));
                assert_eq!(
                    in_parts(version, above, [head, tail]),
                    expected,
                    "{version} {above} {cut}"
                );
            }
        }
    }
}

#[test]
fn a_stream_in_small_pieces_is_the_same_stream_in_parts() {
    for version in VERSIONS {
        let (wire, packets) = stream(version);
        for above in [0, 20, 150, UNLIMITED] {
            for size in [1, 2, 3, 7] {
                let expected = Ok((packets.clone(), 0));
                assert_eq!(
                    in_parts(version, above, wire.chunks(size)),
                    expected,
                    "{version} {above} {size}"
                );
            }
        }
    }
}

/// All bytes may be fed before the first part is taken.
#[test]
fn bytes_that_wait_are_not_waited_for() {
    for version in VERSIONS {
        let (wire, packets) = stream(version);
        let mut decoder = Decoder::new(version, UNLIMITED).in_parts_above(0);
        for byte in &wire {
            decoder.feed(Bytes::copy_from_slice(&[*byte]));
        }
        let mut begun = 0;
        while let Some(part) = decoder.next_part().expect("well-formed packets") {
            begun += usize::from(matches!(part, Decoded::Packet(_) | Decoded::PublishBegins(..)));
        }
        assert_eq!((begun, decoder.buffered()), (packets.len(), 0));
    }
}

#[test]
fn pieces_are_slices_of_what_was_fed() {
    let wire = Bytes::from(hex("30 07 0003 'a/b' 'hi'"));
    let within = wire.as_ptr_range();
    let mut decoder = Decoder::new(Version::V3_1_1, UNLIMITED).in_parts_above(0);
    decoder.feed(wire.clone());
    let Ok(Some(Decoded::PublishBegins(publish, 2))) = decoder.next_part() else {
        panic!("a PUBLISH was fed")
    };
    assert!(within.contains(&publish.topic.unwrap().as_str().as_ptr()));
    let Ok(Some(Decoded::PayloadPiece(piece))) = decoder.next_part() else {
        panic!("its payload was fed")
    };
    assert!(within.contains(&piece.as_ptr()));
    assert_eq!(decoder.next_part(), Ok(Some(Decoded::PublishEnds)));
    assert_eq!(decoder.next_part(), Ok(None));
}

#[test]
fn a_message_begins_with_its_first_byte() {
    let mut decoder = Decoder::new(Version::V3_1_1, UNLIMITED).in_parts_above(0);
    for byte in hex("30 07 0003 'a/b'") {
        decoder.feed(Bytes::copy_from_slice(&[byte]));
        assert_eq!(decoder.next_part(), Ok(None));
    }
    decoder.feed(Bytes::from_static(b"h"));
    assert!(matches!(decoder.next_part(), Ok(Some(Decoded::PublishBegins(_, 2)))));
    assert_eq!(decoder.next_part(), Ok(Some(Decoded::PayloadPiece(Bytes::from_static(b"h")))));
    assert_eq!(decoder.next_part(), Ok(None));
}

/// With any one byte changed: a packet that is accepted whole is accepted in parts and is the same,
/// and one that is refused whole is refused in parts.
#[test]
fn corruptions_are_found_in_parts_too() {
    for row in rows() {
        for &version in row.versions {
            for at in 0..row.wire.len() {
                let mut wire = row.wire.clone();
                for value in 0..=255 {
                    wire[at] = value;
                    let whole = decode_pieces(version, [&wire[..]]);
                    let parts = in_parts(version, 0, [&wire[..]]);
                    let is_cut = matches!(whole, Ok((_, left)) if left > 0);
                    // A packet may be refused, or have begun, before its end.
                    assert!(
                        is_cut || parts.is_err() == whole.is_err(),
                        "{wire:02X?}\n{whole:?}\n{parts:?}"
                    );
                    if whole.is_ok() && !is_cut {
                        assert_eq!(parts, whole, "{wire:02X?}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_large_message_stays_within_the_maximum() {
    let mut decoder = Decoder::new(Version::V3_1_1, 8).in_parts_above(0);
    decoder.feed(Bytes::from(hex("30 07 0003 'a/b' 'hi'")));
    assert_eq!(decoder.next_part(), Err(Malformed::PacketTooLarge { size: 9, maximum: 8 }));
    assert_eq!(decoder.next_part(), Err(Malformed::PacketTooLarge { size: 9, maximum: 8 }));
}
