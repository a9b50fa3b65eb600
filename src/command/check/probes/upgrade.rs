//! Probes of the group upgrade: HTTP becomes WebSocket.

use super::{Probe, Probes};
use crate::command::check::answer::Answer;
use crate::command::check::bench::Bench;
use crate::command::check::finding::{Finding, Probed, Step};

/// The probes of this group.
pub const PROBES: Probes = &[
    ("offer-mqtt", Probe::Ask(offer_mqtt)),
    ("accept-key", Probe::Ask(|bench| Ok(bench.observed("accept-key", "it fits the key")))),
    (
        "upgrade-headers",
        Probe::Ask(|bench| {
            Ok(bench.observed("upgrade-headers", "Upgrade: websocket, Connection: Upgrade"))
        }),
    ),
    (
        "no-unasked-extension",
        Probe::Ask(|bench| Ok(bench.observed("no-unasked-extension", "none was agreed to"))),
    ),
];

/// The paths that brokers listen on.
const USUAL_PATHS: [&str; 3] = ["/mqtt", "/ws", "/"];

fn offer_mqtt(bench: &mut Bench) -> Probed {
    let answer = bench.answer_to_plain()?;
    let Answer::Head(head) = &answer else {
        return Ok(Finding::fail(elsewhere(bench, &answer)?).in_doubt());
    };
    Ok(match (head.status, &head.subprotocols()[..]) {
        (101, [name]) if name == "mqtt" => Finding::pass("answered mqtt"),
        (101, []) => Finding::fail("101 without a subprotocol: browsers end the connection"),
        (101, _) => Finding::fail(answer.to_string()),
        _ => Finding::fail(elsewhere(bench, &answer)?),
    })
}

/// A refusal, and the usual paths that are upgraded instead.
fn elsewhere(bench: &mut Bench, answer: &Answer) -> Step<String> {
    let mut found = Vec::new();
    let asked_for = bench.target.endpoint.target.clone();
    for path in USUAL_PATHS.into_iter().filter(|path| *path != asked_for) {
        let asked = bench.ask(&bench.request(&["mqtt"]).to(path))?;
        if asked.answer.status() == Some(101) {
            found.push(path);
        }
        bench.close(asked.conn);
    }
    let path = asked_for.split('?').next().unwrap_or_default();
    Ok(match &found[..] {
        [] => format!("{path}: {answer}; nor are /mqtt, /ws and / upgraded"),
        found => format!("{path}: {answer}; upgraded at {}", found.join(" and ")),
    })
}
