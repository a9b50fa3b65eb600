//! MQTT packets: wherever a stream is cut, and whether it is read packet by packet, in runs or in
//! parts, it holds the same packets; and what was read is written, and read again as it was.

use super::stream::{Stream, pieces};
use crate::mqtt::packet::Packet;
use crate::mqtt::version::Version;
use bytes::BytesMut;

const VERSIONS: [Version; 3] = [Version::V3_1, Version::V3_1_1, Version::V5];

pub fn check(data: &[u8]) {
    let [version, above, seed, wire @ ..] = data else { return };
    let version = VERSIONS[usize::from(*version) % 3];
    let above = [0, 8, 40, 200][usize::from(*above) % 4];
    let mut whole = Stream::new(version, false, usize::MAX);
    let end = whole.read([wire]);
    for (in_runs, above) in [(false, usize::MAX), (true, usize::MAX), (true, above)] {
        let mut cut = Stream::new(version, in_runs, above);
        let cut_end = cut.read(pieces(wire, *seed));
        assert_eq!(cut.packets, whole.packets, "in runs: {in_runs}, in parts above {above}");
        // The beginning of a large message is judged before its end is there.
        assert!(
            cut_end == end || above < usize::MAX && cut_end.is_err(),
            "{cut_end:?}, not {end:?}"
        );
    }
    let mut version = version;
    for packet in &whole.packets {
        if let Packet::Connect(connect) = packet {
            version = connect.version;
        }
        assert_travels(packet, version);
    }
}

/// What was read can be written, in as many bytes as it was said to take, and says the same again.
fn assert_travels(packet: &Packet, version: Version) {
    let mut wire = BytesMut::new();
    packet.encode(version, &mut wire).unwrap_or_else(|error| panic!("{packet:?}: {error}"));
    assert_eq!(wire.len(), packet.encoded_len(version), "{packet:?}");
    let mut again = Stream::new(version, false, usize::MAX);
    assert_eq!(again.read([&wire[..]]), Ok(()), "{packet:?}");
    assert_eq!(again.packets, std::slice::from_ref(packet));
    // A code and a number are longer in words; control characters are escaped by `report`.
    assert!(packet.describe().len() <= 48 * wire.len() + 200, "{packet:?}");
}
