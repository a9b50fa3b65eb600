//! Filters and SUBSCRIBE packets that the server must refuse.

use super::super::publish::asked;
use super::super::raw;
use crate::command::check::bench::{Bench, Conn};
use crate::command::check::finding::{Finding, Probed, Stop};
use crate::mqtt::packet::Packet;
use crate::mqtt::version::Version;

/// The first byte of SUBSCRIBE.
const SUBSCRIBE: u8 = 0x82;

pub fn filter_bad(bench: &mut Bench) -> Probed {
    let version = asked(bench)?;
    let subscribe = |filter: &str| {
        raw::packet(SUBSCRIBE, &raw::subscribe(version, b"", &[(filter.as_bytes(), 0)]))
    };
    bench.each(
        vec![
            ("a filter with # behind a letter", subscribe(&bench.topic("/a#"))),
            ("a filter with # before the end", subscribe(&bench.topic("/#/b"))),
            ("a filter with + behind a letter", subscribe(&bench.topic("/a+"))),
            ("an empty filter", subscribe("")),
        ],
        not_granted,
    )
}

/// A SUBACK that refuses, or REFUSED.
pub fn not_granted(bench: &mut Bench, conn: Conn) -> Probed {
    let code = bench.take(conn, "SUBACK", |packet| match packet {
        Packet::SubAck(suback) => suback.codes.first().copied(),
        _ => None,
    });
    match code {
        Ok(code) if code.is_error() => Ok(Finding::pass(format!("SUBACK 0x{:02x}", code.0))),
        Ok(code) => Ok(Finding::fail(format!("granted: SUBACK 0x{:02x}", code.0))),
        Err(Stop::Ended { .. } | Stop::Silent { .. }) => bench.refused(conn),
        Err(stop) => Err(stop),
    }
}

/// MQTT 3.1 does not say that there must be a filter, nor that the upper bits of the options are 0.
pub fn subscribe_malformed(bench: &mut Bench) -> Probed {
    let version = asked(bench)?;
    let topic = bench.topic("");
    let subscribe = |properties: &[u8], options: &[u8]| {
        let filters: Vec<_> = options.iter().map(|byte| (topic.as_bytes(), *byte)).collect();
        raw::packet(SUBSCRIBE, &raw::subscribe(version, properties, &filters))
    };
    let mut packets = vec![("QoS 3", subscribe(b"", b"\x03"))];
    if version > Version::V3_1 {
        packets.push(("no filter at all", subscribe(b"", b"")));
        packets.push(("a reserved bit of the options", subscribe(b"", b"\x40")));
    }
    if version == Version::V5 {
        packets.push(("Subscription Identifier 0", subscribe(b"\x0b\x00", b"\x00")));
        packets.push(("Retain Handling 3", subscribe(b"", b"\x30")));
    }
    bench.each_refused(packets)
}
