//! Probes of the group reach: the way to the server.

use std::net::SocketAddr;

use super::{GroupProbes, PointProbe};
use crate::command::check::answer::Answer;
use crate::command::check::bench::Bench;
use crate::command::check::finding::{Finding, Probed, StepResult, Stop, Verdict};
use crate::exit::Exit;
use crate::mqtt::packet::ConnAck;
use crate::mqtt::property::Properties;
use crate::transport::dial;

/// The probes of this group.
pub const PROBES: GroupProbes = &[
    ("addresses", PointProbe::Ask(addresses)),
    ("same-everywhere", PointProbe::Ask(same_everywhere)),
    ("speaks-http", PointProbe::Ask(speaks_http)),
    ("clock", PointProbe::Ask(clock)),
];

/// How many addresses of a name are tried.
const MOST_ADDRESSES: usize = 8;

/// The addresses of the name; none where a proxy or a socket of this machine is dialled instead.
fn known_addresses(bench: &mut Bench) -> StepResult<Vec<SocketAddr>> {
    let found = dial::addresses(&bench.target.access.endpoint, &bench.target.access.route);
    let mut found = match found {
        None => return Err(Finding::not_applicable("a proxy or a Unix socket is dialled").into()),
        Some(Err(error)) => return Err(bench.failed(Exit::Unreached, error.to_string())),
        Some(Ok(found)) => found,
    };
    found.truncate(MOST_ADDRESSES);
    Ok(found)
}

fn addresses(bench: &mut Bench) -> Probed {
    let addresses = known_addresses(bench)?;
    let mut dead = Vec::new();
    // One has answered already.
    let reached = bench.journal.facts.get("address").map(ToString::to_string);
    for address in addresses.iter().filter(|address| reached != Some(address.to_string())) {
        match bench.dial(Some(*address)) {
            Ok(conn) => bench.close(conn),
            Err(Stop::NoConnection(_)) => dead.push(address.to_string()),
            Err(stop) => return Err(stop),
        }
    }
    Ok(match (dead.len(), addresses.len()) {
        (0, 1) => Finding::pass(format!("{} answers", addresses[0])),
        (0, count) => Finding::pass(format!("all {count} addresses answer")),
        (dead_ones, count) if dead_ones == count => {
            Finding::warn(format!("no address answers: {}", dead.join(", ")))
        }
        (_, count) => {
            Finding::warn(format!("of {count} addresses no answer from {}", dead.join(", ")))
        }
    })
}

fn same_everywhere(bench: &mut Bench) -> Probed {
    let addresses = known_addresses(bench)?;
    if addresses.len() == 1 {
        return Ok(Finding::not_applicable("the name has one address"));
    }
    let mut first: Option<(SocketAddr, String)> = None;
    for address in addresses {
        let Some(seen) = node(bench, address)? else { continue };
        match &first {
            None => first = Some((address, seen)),
            Some((other, before)) if *before != seen => {
                return Ok(Finding::warn(format!("{other}: {before}; {address}: {seen}")));
            }
            Some(_) => {}
        }
    }
    Ok(first.map_or_else(
        || Finding::unknown("no address answers"),
        |(_, seen)| Finding::pass(format!("everywhere {seen}")),
    ))
}

/// What one address answers; `None` if it does not.
fn node(bench: &mut Bench, address: SocketAddr) -> StepResult<Option<String>> {
    let request = bench.request(&["mqtt"]);
    let asked = match bench.ask_at(Some(address), &request) {
        Err(Stop::NoConnection(_)) => return Ok(None),
        asked => asked?,
    };
    let mut seen = vec![asked.answer.to_string()];
    if let Answer::Head(head) = &asked.answer
        && let Some(server) = head.value("Server")
    {
        seen.push(format!("Server: {server}"));
    }
    if let Ok(conn) = bench.accepted(&request, asked) {
        let connect = bench.connect_packet(bench.version());
        let ConnAck { code, properties, .. } = bench.connect(conn, connect)?;
        bench.close(conn);
        seen.push(format!("CONNACK {}", code.0));
        seen.extend(limits(&properties));
    }
    Ok(Some(seen.join(", ")))
}

/// What a CONNACK announces.
fn limits(properties: &Properties) -> impl Iterator<Item = String> {
    let short = |value: Option<u16>| value.map(u64::from);
    let flag = |value: Option<bool>| value.map(u64::from);
    let limits = [
        ("receive maximum", short(properties.receive_maximum())),
        ("topic alias maximum", short(properties.topic_alias_maximum())),
        ("server keep alive", short(properties.server_keep_alive())),
        ("maximum packet size", properties.maximum_packet_size().map(u64::from)),
        ("maximum QoS", properties.maximum_qos().map(|qos| qos.bits().into())),
        ("retain available", flag(properties.retain_available())),
        ("wildcards available", flag(properties.wildcard_subscription_available())),
        ("shared available", flag(properties.shared_subscription_available())),
    ];
    limits.into_iter().filter_map(|(name, value)| Some(format!("{name} {}", value?)))
}

fn speaks_http(bench: &mut Bench) -> Probed {
    let finding = bench.observed("speaks-http", "every answer is HTTP/1.1");
    match &bench.failure {
        // Nothing came that could be observed.
        Some(failure) if finding.verdict == Verdict::NotApplicable => Ok(match failure.exit {
            // What is in TLS that cannot be opened is not known.
            Exit::Unreached | Exit::Tls => {
                Finding::unknown(format!("no connection: {}", failure.words))
            }
            _ => Finding::fail(failure.words.clone()),
        }),
        _ => Ok(finding),
    }
}

fn clock(bench: &mut Bench) -> Probed {
    Ok(bench.observed("clock", "within 5 minutes of ours"))
}
