//! Probes of the group limits: limits, load and time.

mod load;
mod slow_reader;
mod time;

use std::time::Duration;

use super::{GroupProbes, PointProbe};
use crate::command::check::bench::{Bench, Conn};
use crate::command::check::finding::{Finding, Probed, Stop, Verdict};
use crate::command::check::is_private;
use crate::mqtt::packet::{Packet, RetainHandling, Subscription};
use crate::mqtt::property::Properties;
use crate::mqtt::qos::QoS;
use crate::mqtt::topic::TopicFilter;
use crate::transport::dial::Reached;

/// The probes of this group.
pub const PROBES: GroupProbes = &[
    ("large-packet", PointProbe::Ask(load::large_packet)),
    ("large-frame", PointProbe::Ask(load::large_frame)),
    ("latency-steps", PointProbe::Ask(load::latency_steps)),
    ("burst", PointProbe::Ask(load::burst)),
    ("parallel", PointProbe::Ask(parallel)),
    ("slow-reader", PointProbe::Ask(slow_reader::slow_reader)),
    (
        "keep-alive-enforced",
        PointProbe::Wait { begin: time::begin_keep_alive, finish: time::keep_alive_enforced },
    ),
    ("ping-keeps-alive", PointProbe::Ask(time::ping_keeps_alive)),
    (
        "mute-connection",
        PointProbe::Wait { begin: time::begin_mute, finish: time::mute_connection },
    ),
    ("idle-survives", PointProbe::Wait { begin: time::begin_idle, finish: time::idle_survives }),
    ("exposure", PointProbe::Ask(exposure)),
    ("still-alive", PointProbe::Ask(still_alive)),
];

/// How many connections a page with several tabs opens.
const PARALLEL: usize = 20;

/// How long so many connections may take.
const PARALLEL_TIME: Duration = Duration::from_secs(20);

fn parallel(bench: &mut Bench) -> Probed {
    bench.allow(PARALLEL_TIME);
    for number in 0..PARALLEL {
        match bench.up() {
            Ok(_) => {}
            Err(Stop::NoConnection(words)) => {
                // That is a limit of connections at once.
                bench.asked.turned_away = None;
                return Ok(Finding::warn(format!(
                    "{number} of {PARALLEL} connections at once; then {words}"
                )));
            }
            Err(stop) => return Err(stop),
        }
    }
    Ok(Finding::pass(format!("{PARALLEL} connections at once")))
}

/// Whether the server is of this machine or of a private network.
fn is_near(reached: &Reached) -> bool {
    match reached {
        Reached::Tcp(address) => is_private(address.ip()),
        Reached::Unix(_) => true,
        // The proxy looks the name up.
        Reached::Proxied { server, .. } => {
            let host = server.rsplit_once(':').map_or(server.as_str(), |(host, _)| host);
            let host = host.trim_matches(['[', ']']);
            host == "localhost" || host.parse().is_ok_and(is_private)
        }
    }
}

fn exposure(bench: &mut Bench) -> Probed {
    let credentials = &bench.target.login.credentials;
    if credentials.username.is_some() || credentials.password.is_some() {
        return Ok(Finding::not_applicable("asked with credentials"));
    }
    let conn = bench.on()?;
    if is_near(&bench.link(conn).stream.reached) {
        return Ok(Finding::not_applicable("the server is of this machine or a private network"));
    }
    // The messages of others are not ours to see.
    bench.journal.is_blind = true;
    let probed = everything(bench, conn);
    bench.close(conn);
    bench.journal.is_blind = false;
    probed
}

/// Whether `#` is granted; given back at once.
fn everything(bench: &mut Bench, conn: Conn) -> Probed {
    let filter = TopicFilter::new("#").expect("a legal filter");
    let subscription = Subscription {
        retain_handling: RetainHandling::Never,
        ..Subscription::new(filter, QoS::AtMostOnce)
    };
    bench.send_subscribe(conn, vec![subscription], Properties::default());
    bench.send_unsubscribe(conn, &["#"]);
    let answered = bench.take(conn, "SUBACK", |packet| match packet {
        Packet::SubAck(suback) => suback.codes.first().copied(),
        _ => None,
    });
    Ok(match answered {
        Ok(code) if code.is_error() => {
            Finding::pass(format!("a subscription to # is refused: SUBACK 0x{:02x}", code.0))
        }
        Ok(_) => Finding::warn("# is granted without credentials: anyone may read everything"),
        Err(Stop::Ended { end, .. }) => {
            Finding::pass(format!("a subscription to # ends the connection: {end}"))
        }
        Err(stop) => return Err(stop),
    })
}

fn still_alive(bench: &mut Bench) -> Probed {
    let finding = bench.observed("still-alive", "it always answered");
    Ok(match finding.verdict {
        // There was no reason to ask.
        Verdict::NotApplicable => Finding::pass("no connection was lost"),
        _ => finding,
    })
}
