//! Deviations in which requests are upgraded, and in the headers of the answer.

pub mod offers;

use super::head::{RewrittenHead, answer};
use super::stream::whole;
use super::{Change, DeviationMemory, EarlyBytes, NamedChange, RequestStep, RewriteStep};
use crate::websocket::frame::BINARY;

const ACCEPT: &str = "Sec-WebSocket-Accept";
const EXTENSIONS: &str = "Sec-WebSocket-Extensions";
const KEY: &str = "Sec-WebSocket-Key";
const VERSION: &str = "Sec-WebSocket-Version";

/// A key of 16 bytes (RFC 6455 §1.3).
const SOME_KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// The path of the broker.
const PATH: &str = "/mqtt";

/// Refuses a request if it is like that.
fn refused_if(is_refused: bool, status: &str) -> RequestStep {
    if is_refused { RequestStep::Answer(answer(status, "")) } else { RequestStep::Pass }
}

fn path(head: &RewrittenHead) -> &str {
    head.target().split('?').next().unwrap_or_default()
}

/// The same request for the path of the broker.
fn at_our_path(head: &RewrittenHead) -> String {
    head.0.replacen(path(head), PATH, 1)
}

/// Another header, if an upgrade is asked for.
fn completed(head: &RewrittenHead, name: &str, value: &str) -> RequestStep {
    match head.value("Sec-WebSocket-Protocol") {
        Some(_) => RequestStep::Change(head.with(name, value).0),
        None => RequestStep::Pass,
    }
}

/// Another header in the answer, if that grants the upgrade.
fn granted_with(head: RewrittenHead, name: &str, value: &str) -> RewrittenHead {
    if head.is_upgrade() { head.with(name, value) } else { head }
}

pub const CHANGES: &[NamedChange] = &[
    ("any-path", Change::request(|_, head| RequestStep::Change(at_our_path(head)))),
    (
        "wrong-path-hangs",
        Change::request(
            |_, head| {
                if path(head) == PATH { RequestStep::Pass } else { RequestStep::Hang }
            },
        ),
    ),
    (
        "other-protocol-at-wrong-path",
        Change { request: Some(other_protocol), ..Change::server_frames(nats) },
    ),
    (
        "path-exact-with-query",
        Change::request(|_, head| refused_if(head.target().contains('?'), "404 Not Found")),
    ),
    (
        "page-instead-of-upgrade",
        Change::request(|_, _| {
            RequestStep::Answer(answer("200 OK", "<html><title>Welcome</title></html>\n"))
        }),
    ),
    (
        "upgrade-unasked",
        Change::request(|_, head| match head.value(KEY) {
            Some(_) => RequestStep::Change(
                head.with("Upgrade", "websocket").with("Connection", "Upgrade").0,
            ),
            None => RequestStep::Pass,
        }),
    ),
    (
        "any-key",
        Change::request(|_, head| match head.value(KEY) {
            Some(key) if key.len() == SOME_KEY.len() && key.ends_with("==") => RequestStep::Pass,
            _ => completed(head, KEY, SOME_KEY),
        }),
    ),
    ("any-version", Change::request(|_, head| completed(head, VERSION, "13"))),
    ("version-not-named", Change::response(|_, head| Some(head.without(VERSION)))),
    (
        "any-method",
        Change::request(|_, head| {
            let text = head.0.replacen("POST ", "GET ", 1);
            RequestStep::Change(text.replacen(" HTTP/1.0\r\n", " HTTP/1.1\r\n", 1))
        }),
    ),
    (
        "upgrade-compared-with-case",
        Change::request(|_, head| {
            let is_other = head.value("Upgrade").is_some_and(|value| value != "websocket");
            refused_if(is_other, "400 Bad Request")
        }),
    ),
    (
        "host-without-port-refused",
        Change::request(|_, head| {
            let has_port = head.value("Host").is_some_and(|host| host.contains(':'));
            refused_if(!has_port, "404 Not Found")
        }),
    ),
    (
        "request-in-one-read",
        Change::request(
            |memory, _| {
                if memory.reads > 1 { RequestStep::Mute } else { RequestStep::Pass }
            },
        ),
    ),
    (
        "short-headers-only",
        Change::request(|_, head| {
            refused_if(head.0.len() > 4096, "431 Request Header Fields Too Large")
        }),
    ),
    (
        "origin-list",
        Change::request(|_, head| refused_if(head.value("Origin").is_some(), "403 Forbidden")),
    ),
    (
        "origin-mute",
        Change::request(|_, head| match head.value("Origin") {
            Some(_) => RequestStep::Mute,
            None => RequestStep::Pass,
        }),
    ),
    ("mute-refusals", Change::response(|_, head| head.is_upgrade().then_some(head))),
    (
        "connection-keep-alive",
        Change::response(|_, head| Some(granted_with(head, "Connection", "keep-alive, Upgrade"))),
    ),
    ("no-upgrade-header", Change::response(|_, head| Some(head.without("Upgrade")))),
    (
        "wrong-accept-key",
        Change::response(|_, head| {
            let right = head.value(ACCEPT).unwrap_or_default();
            let first = if right.starts_with('A') { "B" } else { "A" };
            let wrong = format!("{first}{}", right.get(1..).unwrap_or_default());
            Some(granted_with(head, ACCEPT, &wrong))
        }),
    ),
    (
        "unasked-extension",
        Change::response(|request, head| match request.value(EXTENSIONS) {
            None => Some(granted_with(head, EXTENSIONS, "permessage-deflate")),
            Some(_) => Some(head),
        }),
    ),
    (
        "another-extension",
        Change::response(|request, head| match request.value(EXTENSIONS) {
            Some(offer) if !offer.starts_with("permessage-deflate") => {
                Some(granted_with(head, EXTENSIONS, "permessage-deflate"))
            }
            _ => Some(head),
        }),
    ),
    (
        "clock-off",
        Change::response(|_, head| Some(head.with("Date", "Sun, 06 Nov 1994 08:49:37 GMT"))),
    ),
    ("odd-header-spelling", Change::response(|_, head| Some(oddly_spelt(&head)))),
    (
        "long-answer",
        Change::response(|_, head| {
            let padded = |head: RewrittenHead, number| {
                head.with(&format!("X-Padding-{number}"), &"x".repeat(800))
            };
            Some((0..10).fold(head, padded))
        }),
    ),
    (
        "redirected",
        Change::request(|_, _| RequestStep::Answer(answer("302 Found\r\nLocation: /login", ""))),
    ),
    (
        "login-wanted",
        Change::request(|_, _| {
            let status = "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"broker\"";
            RequestStep::Answer(answer(status, "who are you?\n"))
        }),
    ),
    (
        "bad-gateway",
        Change::request(|_, _| {
            RequestStep::Answer(answer("502 Bad Gateway", "<h1>502 Bad Gateway</h1>\n"))
        }),
    ),
    ("early-data-lost", Change { early: EarlyBytes::Lost, ..Change::NONE }),
    ("early-data-ends", Change { early: EarlyBytes::Fatal, ..Change::NONE }),
    (
        "http2-spoken",
        Change::request(|_, _| {
            // SETTINGS, the first frame of a server (RFC 9113 §3.4).
            RequestStep::Answer("\0\0\u{6}\u{4}\0\0\0\0\0\0\u{3}\0\0\0d".to_owned())
        }),
    ),
];

fn other_protocol(memory: &mut DeviationMemory, head: &RewrittenHead) -> RequestStep {
    memory.count = u64::from(path(head) != PATH);
    RequestStep::Change(at_our_path(head))
}

fn nats(memory: &mut DeviationMemory, _: &super::WholeFrame) -> Vec<RewriteStep> {
    if memory.count == 0 {
        return super::pass();
    }
    vec![RewriteStep::Onward(whole(BINARY, b"INFO {\"proto\":1}\r\n", false)), RewriteStep::End]
}

/// The same headers as some servers spell them, which is legal.
fn oddly_spelt(RewrittenHead(text): &RewrittenHead) -> RewrittenHead {
    let text = text.replace("Upgrade: websocket", "UPGRADE:   WebSocket");
    let text = text.replace("Connection: Upgrade", "connection: upgrade");
    RewrittenHead(text.replace("Sec-WebSocket-Protocol: ", "Sec-Websocket-Protocol:"))
}
