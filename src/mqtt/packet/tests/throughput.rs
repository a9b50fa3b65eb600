//! The speed of the codec. Run by hand, in release mode: no time is asserted.

use std::time::Instant;

use super::*;

const MESSAGES: u32 = 4_000_000;

fn message() -> Packet {
    Packet::Publish(Publish::new(topic("bench/topic"), Bytes::from(vec![b'x'; 64])))
}

fn report(what: &str, version: Version, start: Instant) {
    let rate = f64::from(MESSAGES) / start.elapsed().as_secs_f64() / 1e6;
    println!("{what} in {version}: {rate:.1} M messages/s");
}

#[test]
#[ignore = "measures"]
fn throughput() {
    for version in [Version::V3_1_1, Version::V5] {
        decode_throughput(version);
        encode_throughput(version);
    }
}

fn decode_throughput(version: Version) {
    let wire = encode(&message(), version);
    let stream = Bytes::from(wire.repeat(MESSAGES as usize));
    let start = Instant::now();
    let (mut decoder, mut count) = (Decoder::new(version, UNLIMITED), 0);
    for from in (0..stream.len()).step_by(65_536) {
        decoder.feed(stream.slice(from..stream.len().min(from + 65_536)));
        while let Some(packet) = decoder.next().unwrap() {
            count += u32::from(matches!(packet, Packet::Publish(_)));
        }
    }
    assert_eq!(count, MESSAGES);
    report("decode", version, start);
}

fn encode_throughput(version: Version) {
    let packet = message();
    let mut out = BytesMut::with_capacity(65_536 + 128);
    let start = Instant::now();
    for _ in 0..MESSAGES {
        packet.encode(version, &mut out).unwrap();
        if out.len() > 65_536 {
            out.clear();
        }
    }
    report("encode", version, start);
}
