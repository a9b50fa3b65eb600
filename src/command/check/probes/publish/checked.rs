//! Packets that the server must refuse: topics and headers that are not legal.

use super::super::raw;
use crate::command::check::bench::Bench;
use crate::command::check::finding::{Probed, StepResult};
use crate::mqtt::version::Version;

/// PUBLISH at QoS 0, and at QoS 1.
const PUBLISH: u8 = 0x30;
const PUBLISH_QOS_1: u8 = 0x32;

pub fn topic_checked(bench: &mut Bench) -> Probed {
    let version = asked(bench)?;
    let publish = |topic: &str| raw::publish(version, PUBLISH, topic.as_bytes(), None);
    bench.each_refused(vec![
        ("a topic with +", publish(&bench.topic("/+"))),
        ("a topic with #", publish(&bench.topic("/#"))),
        ("an empty topic without an alias", publish("")),
    ])
}

pub fn topic_bad_utf8(bench: &mut Bench) -> Probed {
    let version = asked(bench)?;
    let topic = bench.topic("/");
    let publish =
        |bad: &[u8]| raw::publish(version, PUBLISH, &[topic.as_bytes(), bad].concat(), None);
    bench.each_refused(vec![
        ("a topic with a surrogate (ED A0 80)", publish(b"\xed\xa0\x80")),
        ("a topic that ends within a character (C3)", publish(b"\xc3")),
        ("a topic with U+0000", publish(b"a\0b")),
    ])
}

pub fn publish_header_checked(bench: &mut Bench) -> Probed {
    let version = asked(bench)?;
    let topic = bench.topic("");
    let publish = |first, id| raw::publish(version, first, topic.as_bytes(), Some(id));
    bench.each_refused(vec![
        ("QoS 3", publish(PUBLISH | 0x06, 1)),
        ("packet identifier 0", publish(PUBLISH_QOS_1, 0)),
    ])
}

/// MQTT 3.1 says which flags SUBSCRIBE, UNSUBSCRIBE and PUBREL have, but not that others are
/// refused.
pub fn fixed_header_checked(bench: &mut Bench) -> Probed {
    let version = asked(bench)?;
    let topic = bench.topic("");
    let filters: &[(&[u8], u8)] = &[(topic.as_bytes(), 0)];
    let subscribe = raw::subscribe(version, b"", filters);
    // The same without the options.
    let unsubscribe = &subscribe[..subscribe.len() - 1];
    let mut packets = vec![
        ("a remaining length of 5 bytes", b"\xc0\x80\x80\x80\x80\x01".to_vec()),
        ("packet type 0", b"\0\0".to_vec()),
    ];
    if version < Version::V5 {
        packets.push(("packet type 15", b"\xf0\0".to_vec()));
    }
    if version > Version::V3_1 {
        packets.push(("SUBSCRIBE with the flags 0", raw::packet(0x80, &subscribe)));
        packets.push(("UNSUBSCRIBE with the flags 0", raw::packet(0xa0, unsubscribe)));
        packets.push(("PUBREL with the flags 0", raw::packet(0x60, &[0, 1])));
    }
    bench.each_refused(packets)
}

/// The version that the connections of the point will speak: the packets are written for it.
pub fn asked(bench: &mut Bench) -> StepResult<Version> {
    if bench.asked.version.is_none() && bench.known.versions().is_empty() {
        let conn = bench.on()?;
        bench.close(conn);
    }
    Ok(bench.version())
}
