//! Runs of messages as one: what is taken together is what the decoder would have returned one by
//! one, however the stream is cut.

use super::*;

/// Packets of which many are plain messages, and some are nearly.
fn stream(version: Version, random: &mut fastrand::Rng) -> (Vec<u8>, Vec<Packet>) {
    let topics = ["a", "a/b", "b"].map(topic);
    let mut bytes = BytesMut::new();
    let mut packets = Vec::new();
    let mut name = 0;
    for _ in 0..random.usize(1..60) {
        if random.u8(..) < 50 {
            name = random.usize(..topics.len());
        }
        let length = [0, 1, 10, 120, 130, 3000][random.usize(..6)];
        let mut publish = Publish::new(topics[name].clone(), vec![b'a'; length].into());
        match random.u8(..20) {
            0 => publish.retain = true,
            1 => (publish.qos, publish.packet_id) = (QoS::AtLeastOnce, Some(id(7))),
            2 if version.has_properties() => {
                publish.properties =
                    properties([Property::number(PropertyId::MessageExpiryInterval, 9)]);
            }
            _ => {}
        }
        packets.push(if random.u8(..20) == 0 { Packet::PingReq } else { Packet::Publish(publish) });
    }
    for packet in &packets {
        packet.encode(version, &mut bytes).unwrap();
    }
    (bytes.to_vec(), packets)
}

/// What a decoder returns for these pieces, runs as their messages; and how many messages were in
/// runs.
fn decode(version: Version, most: usize, pieces: &[&[u8]]) -> (Vec<Packet>, usize) {
    let mut decoder = Decoder::new(version, UNLIMITED);
    let (mut packets, mut joined) = (Vec::new(), 0);
    for piece in pieces {
        decoder.feed(Bytes::copy_from_slice(piece));
        loop {
            if let Some(run) = decoder.next_run(most) {
                assert!(run.packets.len() <= most && run.count > 1);
                let messages: Vec<_> = run.messages().collect();
                let sizes = messages.iter().map(|message| message.encoded_len(version));
                assert_eq!((messages.len(), sizes.max()), (run.count, Some(run.longest)));
                assert_eq!(run.detached(), run);
                packets.extend(messages.into_iter().map(Packet::Publish));
                joined += run.count;
            } else if let Some(packet) = decoder.next().unwrap() {
                packets.push(packet);
            } else {
                break;
            }
        }
    }
    (packets, joined)
}

#[test]
fn runs_hold_what_their_packets_hold() {
    let seed = 151;
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut all = 0;
    for version in VERSIONS {
        for _ in 0..200 {
            let (bytes, packets) = stream(version, &mut random);
            let cut = random.usize(..=bytes.len());
            let (head, tail) = bytes.split_at(cut);
            let most = [0, 100, 5000, usize::MAX][random.usize(..4)];
            let (decoded, joined) = decode(version, most, &[head, tail]);
            assert_eq!(decoded, packets);
            all += joined;
        }
    }
    assert!(all > 1000, "{all}");
}

#[test]
fn what_is_wrong_is_left_to_the_decoder() {
    let message = |topic: &str, rest: &[u8]| {
        let body = [&[0, u8::try_from(topic.len()).unwrap()], topic.as_bytes(), rest].concat();
        [&[0x30, u8::try_from(body.len()).unwrap()], &body[..]].concat()
    };
    let good = message("t", b"\0x");
    let longer = message("t", b"\0xxxxxxxxxxxxx");
    let dup = [&[0x38], &good[1..]].concat();
    for (version, wrong) in [
        (Version::V3_1_1, message("", b"\0x")),
        (Version::V3_1_1, message("t#", b"\0x")),
        (Version::V3_1_1, message("\u{7f}\0", b"\0x")),
        (Version::V3_1_1, vec![0x30, 0x80, 0]),
        (Version::V3_1_1, vec![0x30, 1, 0]),
        (Version::V5, message("", b"\0x")),
        (Version::V5, message("t", b"\x01x")),
        (Version::V5, message("t", b"")),
        (Version::V5, vec![0x30, 0x85, 0x80, 0]),
        (Version::V5, longer.clone()),
        (Version::V5, dup),
    ] {
        // Twice, so that they could be a run; and after one.
        for (before, count) in [(vec![], 0), (good.repeat(3), 3)] {
            let mut decoder = Decoder::new(version, longer.len() - 1);
            decoder.feed([before, wrong.repeat(2)].concat().into());
            assert_eq!(decoder.next_run(UNLIMITED).map_or(0, |run| run.count), count, "{wrong:?}");
            assert!(decoder.next_run(UNLIMITED).is_none(), "{wrong:?}");
            assert!(decoder.next().is_err(), "{wrong:?}");
        }
    }
}
