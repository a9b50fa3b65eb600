//! Probes of the group connect: CONNECT and CONNACK.

use super::{Probe, Probes};
use crate::command::check::bench::{Bench, Conn, Spoken, is_version_refusal};
use crate::command::check::finding::{End, Finding, Probed, Stop};
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::version::Version;

/// The probes of this group.
pub const PROBES: Probes = &[
    ("connect-mqtt5", Probe::Ask(connect_mqtt5)),
    ("connect-mqtt311", Probe::Ask(connect_mqtt311)),
    ("ping-answered", Probe::Ask(ping_answered)),
];

fn connect_mqtt5(bench: &mut Bench) -> Probed {
    connect_version(bench, |end| Finding::fail(format!("no CONNACK, but {end}")).in_doubt())
}

fn connect_mqtt311(bench: &mut Bench) -> Probed {
    connect_version(bench, |end| Finding::warn(format!("no CONNACK, but {end}")))
}

/// Whether the version of the point is spoken; `ended` judges an end without CONNACK.
fn connect_version(bench: &mut Bench, ended: fn(&End) -> Finding) -> Probed {
    let version = bench.version();
    if let Ok(conn) = bench.shared() {
        bench.note_reached(conn);
        return Ok(Finding::pass("CONNACK 0"));
    }
    let conn = bench.up()?;
    let connack = match bench.connect(conn, bench.connect_packet(version)) {
        Ok(connack) => connack,
        Err(Stop::Ended { end, .. }) => return Ok(ended(&end)),
        Err(stop) => return Err(stop),
    };
    judge_connack(bench, conn, version, connack.code)
}

fn judge_connack(bench: &mut Bench, conn: Conn, version: Version, code: ReasonCode) -> Probed {
    let words = format!("CONNACK 0x{:02x} ({})", code.0, code.connack_name());
    if code == ReasonCode::SUCCESS {
        bench.note_spoken(version, Spoken::Yes);
        return Ok(Finding::pass("CONNACK 0"));
    }
    if !is_version_refusal(version, code) {
        return Ok(Finding::unknown(format!("refused for another reason: {words}")));
    }
    let patience = bench.patience();
    Ok(match bench.end_within(conn, patience)? {
        Some(_) => Finding::not_applicable(format!("not spoken: {words}")),
        None => Finding::fail(format!("{words}, and the connection stays open")),
    })
}

fn ping_answered(bench: &mut Bench) -> Probed {
    let conn = bench.shared()?;
    bench.taken(conn, "PINGRESP")
}
