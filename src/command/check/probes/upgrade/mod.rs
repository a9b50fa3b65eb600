//! Probes of the group upgrade: HTTP becomes WebSocket.

mod extension;
mod offer;
mod path;
mod request;

use super::{GroupProbes, PointProbe};
use crate::command::check::answer::Answer;
use crate::command::check::bench::{Bench, Conn};
use crate::command::check::finding::{Finding, StepResult, Stop};
use crate::command::check::request::UpgradeRequest;
use crate::mqtt::packet::ConnAck;

/// The probes of this group.
pub const PROBES: GroupProbes = &[
    ("offer-mqtt", PointProbe::Ask(offer::mqtt)),
    ("offer-mqttv31", PointProbe::Ask(offer::mqttv31)),
    ("path-mqtt", PointProbe::Ask(path::mqtt)),
    ("offer-list", PointProbe::Ask(offer::list)),
    ("offer-list-forms", PointProbe::Ask(offer::list_forms)),
    ("offer-unknown-first", PointProbe::Ask(offer::unknown_first)),
    ("offer-unknown", PointProbe::Ask(offer::unknown)),
    ("offer-none", PointProbe::Ask(offer::none)),
    ("accept-key", PointProbe::Ask(|bench| Ok(bench.observed("accept-key", "it fits the key")))),
    (
        "upgrade-headers",
        PointProbe::Ask(|bench| {
            Ok(bench.observed("upgrade-headers", "Upgrade: websocket, Connection: Upgrade"))
        }),
    ),
    (
        "no-unasked-extension",
        PointProbe::Ask(|bench| Ok(bench.observed("no-unasked-extension", "none was agreed to"))),
    ),
    ("browser-request", PointProbe::Ask(request::browser)),
    ("header-forms", PointProbe::Ask(request::header_forms)),
    ("host-forms", PointProbe::Ask(request::host_forms)),
    ("query-kept", PointProbe::Ask(path::query_kept)),
    ("path-unknown", PointProbe::Ask(path::unknown)),
    ("upgrade-missing", PointProbe::Ask(request::upgrade_missing)),
    ("key-checked", PointProbe::Ask(request::key_checked)),
    ("version-checked", PointProbe::Ask(request::version_checked)),
    ("method-checked", PointProbe::Ask(request::method_checked)),
    ("extensions-legal", PointProbe::Ask(extension::legal)),
    ("deflate-works", PointProbe::Ask(extension::deflate_works)),
    ("origin-foreign", PointProbe::Ask(request::origin_foreign)),
    ("long-header", PointProbe::Ask(request::long_header)),
    ("request-cut", PointProbe::Ask(request::cut)),
];

/// What comes for a request; the connection is ended.
fn answer_to(bench: &mut Bench, request: &UpgradeRequest) -> StepResult<Answer> {
    let asked = bench.ask(request)?;
    bench.close(asked.conn);
    Ok(asked.answer)
}

/// Goes on only if the user's own request is upgraded: otherwise each point would fail for the
/// reason that offer-mqtt tells.
fn needs_upgrade(bench: &mut Bench) -> StepResult<()> {
    match bench.answer_to_plain()? {
        answer if answer.status() == Some(101) => Ok(()),
        answer => Err(Finding::unknown(format!("nothing is upgraded: {answer}")).into()),
    }
}

/// The finding where this answer refuses just what the user's own request is refused with.
fn refused_alike(bench: &mut Bench, answer: &Answer) -> StepResult<Option<Finding>> {
    let plain = bench.answer_to_plain()?;
    let is_alike = plain.status() != Some(101) && plain.to_string() == answer.to_string();
    Ok(is_alike.then(|| Finding::unknown(format!("nothing is upgraded: {plain}"))))
}

/// A failure, tried once more if it rests on silence, on an end, or on an answer that may pass.
fn failed(answer: &Answer, words: String) -> Finding {
    match answer {
        answer if answer.is_passing() => Finding::fail(words).in_doubt(),
        Answer::Ended(_) | Answer::Silence => Finding::fail(words).in_doubt(),
        Answer::Head(_) | Answer::Other(_) => Finding::fail(words),
    }
}

/// The first of these forms of a request that is not upgraded.
fn first_refused(
    bench: &mut Bench,
    forms: Vec<(String, UpgradeRequest)>,
) -> StepResult<Option<Finding>> {
    for (form, request) in forms {
        let answer = answer_to(bench, &request)?;
        if answer.status() != Some(101) {
            return Ok(Some(failed(&answer, format!("{form}: {answer}"))));
        }
    }
    Ok(None)
}

/// Sends CONNECT on a connection that was upgraded, and gives CONNACK, or in words what came
/// instead.
fn connack(bench: &mut Bench, conn: Conn) -> StepResult<Result<ConnAck, String>> {
    match bench.connect(conn, bench.connect_packet(bench.version())) {
        Ok(connack) => Ok(Ok(connack)),
        Err(Stop::Ended { end, .. }) => {
            bench.asked.saw_unexpected_end = false;
            Ok(Err(format!("no CONNACK, but {end}")))
        }
        Err(Stop::Silent { .. }) => {
            let why = bench.link(conn).websocket.inflate_error;
            let why = why.map_or_else(String::new, |why| format!(": {why}"));
            Ok(Err(format!("no CONNACK{why}")))
        }
        Err(stop) => Err(stop),
    }
}

/// A GET that asks for no upgrade.
fn plain_get(bench: &Bench) -> UpgradeRequest {
    let mut plain = bench.request(&["mqtt"]).without("Upgrade").without("Connection");
    plain.headers.retain(|(name, _, _)| {
        !name.get(..14).is_some_and(|start| start.eq_ignore_ascii_case("Sec-WebSocket-"))
    });
    plain
}
