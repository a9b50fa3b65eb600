//! Probes of the group upgrade: HTTP becomes WebSocket.

mod extension;
mod offer;
mod path;
mod request;

use super::{Probe, Probes};
use crate::command::check::answer::Answer;
use crate::command::check::bench::{Bench, Conn};
use crate::command::check::finding::{Finding, Step, Stop};
use crate::command::check::request::Request;
use crate::mqtt::packet::ConnAck;

/// The probes of this group.
pub const PROBES: Probes = &[
    ("offer-mqtt", Probe::Ask(offer::mqtt)),
    ("offer-mqttv31", Probe::Ask(offer::mqttv31)),
    ("path-mqtt", Probe::Ask(path::mqtt)),
    ("offer-list", Probe::Ask(offer::list)),
    ("offer-list-forms", Probe::Ask(offer::list_forms)),
    ("offer-unknown-first", Probe::Ask(offer::unknown_first)),
    ("offer-unknown", Probe::Ask(offer::unknown)),
    ("offer-none", Probe::Ask(offer::none)),
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
    ("browser-request", Probe::Ask(request::browser)),
    ("header-forms", Probe::Ask(request::header_forms)),
    ("host-forms", Probe::Ask(request::host_forms)),
    ("query-kept", Probe::Ask(path::query_kept)),
    ("path-unknown", Probe::Ask(path::unknown)),
    ("upgrade-missing", Probe::Ask(request::upgrade_missing)),
    ("key-checked", Probe::Ask(request::key_checked)),
    ("version-checked", Probe::Ask(request::version_checked)),
    ("method-checked", Probe::Ask(request::method_checked)),
    ("extensions-legal", Probe::Ask(extension::legal)),
    ("deflate-works", Probe::Ask(extension::deflate_works)),
    ("origin-foreign", Probe::Ask(request::origin_foreign)),
    ("long-header", Probe::Ask(request::long_header)),
    ("request-cut", Probe::Ask(request::cut)),
];

/// What comes for a request; the connection is ended.
fn answer_to(bench: &mut Bench, request: &Request) -> Step<Answer> {
    let asked = bench.ask(request)?;
    bench.close(asked.conn);
    Ok(asked.answer)
}

/// Goes on only if the user's own request is upgraded: otherwise each point would fail for the
/// reason that offer-mqtt tells.
fn needs_upgrade(bench: &mut Bench) -> Step<()> {
    match bench.answer_to_plain()? {
        answer if answer.status() == Some(101) => Ok(()),
        answer => Err(Finding::unknown(format!("nothing is upgraded: {answer}")).into()),
    }
}

/// The finding where this answer refuses just what the user's own request is refused with.
fn refused_alike(bench: &mut Bench, answer: &Answer) -> Step<Option<Finding>> {
    let plain = bench.answer_to_plain()?;
    let is_alike = plain.status() != Some(101) && plain.to_string() == answer.to_string();
    Ok(is_alike.then(|| Finding::unknown(format!("nothing is upgraded: {plain}"))))
}

/// A failure, tried once more if it rests on silence or on an end.
fn failed(answer: &Answer, words: String) -> Finding {
    match answer {
        Answer::Ended(_) | Answer::Silence => Finding::fail(words).in_doubt(),
        Answer::Head(_) | Answer::Other(_) => Finding::fail(words),
    }
}

/// The first of these forms of a request that is not upgraded.
fn first_refused(bench: &mut Bench, forms: Vec<(String, Request)>) -> Step<Option<Finding>> {
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
fn connack(bench: &mut Bench, conn: Conn) -> Step<Result<ConnAck, String>> {
    match bench.connect(conn, bench.connect_packet(bench.version())) {
        Ok(connack) => Ok(Ok(connack)),
        Err(Stop::Ended { end, .. }) => {
            bench.saw_unexpected_end = false;
            Ok(Err(format!("no CONNACK, but {end}")))
        }
        Err(Stop::Silent { .. }) => {
            let why = bench.link(conn).inflate_error;
            let why = why.map_or_else(String::new, |why| format!(": {why}"));
            Ok(Err(format!("no CONNACK{why}")))
        }
        Err(stop) => Err(stop),
    }
}

/// A GET that asks for no upgrade.
fn plain_get(bench: &Bench) -> Request {
    let mut plain = bench.request(&["mqtt"]).without("Upgrade").without("Connection");
    plain.headers.retain(|(name, _, _)| {
        !name.get(..14).is_some_and(|start| start.eq_ignore_ascii_case("Sec-WebSocket-"))
    });
    plain
}
