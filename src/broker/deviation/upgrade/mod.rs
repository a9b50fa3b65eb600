//! Deviations in which requests are upgraded, and in the headers of the answer.

pub mod offers;

use super::head::{RewrittenHead, answer};
use super::stream::whole;
use super::{Change, DeviationMemory, KnownDeviation, RequestStep, RewriteStep};
use crate::websocket::frame::BINARY;

const ACCEPT: &str = "Sec-WebSocket-Accept";
const EXTENSIONS: &str = "Sec-WebSocket-Extensions";
const KEY: &str = "Sec-WebSocket-Key";
const VERSION: &str = "Sec-WebSocket-Version";

/// A key of 16 bytes (RFC 6455 §1.3), and an answer to another one.
const SOME_KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const WRONG_ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The path of the broker.
const PATH: &str = "/mqtt";

const fn row(name: &'static str, sentence: &'static str, change: Change) -> KnownDeviation {
    KnownDeviation { name, sentence, servers: "", fails: &[], warns: &[], change }
}

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

pub const ROWS: &[KnownDeviation] = &[
    KnownDeviation {
        servers: "ActiveMQ and Mosquitto at any path",
        ..row(
            "any-path",
            "every path is upgraded",
            Change::request(|_, head| RequestStep::Change(at_our_path(head))),
        )
    },
    KnownDeviation {
        servers: "HiveMQ, Moquette",
        warns: &["path-unknown"],
        ..row(
            "wrong-path-hangs",
            "a request for another path is never answered",
            Change::request(
                |_, head| {
                    if path(head) == PATH { RequestStep::Pass } else { RequestStep::Hang }
                },
            ),
        )
    },
    KnownDeviation {
        servers: "NATS",
        warns: &["path-unknown"],
        ..row(
            "other-protocol-at-wrong-path",
            "another path is upgraded, and NATS is spoken there",
            Change { request: Some(other_protocol), ..Change::server_frames(nats) },
        )
    },
    KnownDeviation {
        servers: "HiveMQ, Moquette, BifroMQ",
        warns: &["query-kept"],
        ..row(
            "path-exact-with-query",
            "a path with a query is not found: both are compared as one text",
            Change::request(|_, head| refused_if(head.target().contains('?'), "404 Not Found")),
        )
    },
    KnownDeviation {
        servers: "single-page applications, captive portals",
        fails: &["offer-mqtt"],
        ..row(
            "page-instead-of-upgrade",
            "every request is answered by 200 and a page (check ends with exit code 5)",
            Change::request(|_, _| {
                RequestStep::Answer(answer("200 OK", "<html><title>Welcome</title></html>\n"))
            }),
        )
    },
    KnownDeviation {
        servers: "HiveMQ, Moquette",
        fails: &["upgrade-missing"],
        ..row(
            "upgrade-unasked",
            "a request without Upgrade is upgraded",
            Change::request(|_, head| match head.value(KEY) {
                Some(_) => RequestStep::Change(
                    head.with("Upgrade", "websocket").with("Connection", "Upgrade").0,
                ),
                None => RequestStep::Pass,
            }),
        )
    },
    KnownDeviation {
        fails: &["key-checked"],
        ..row(
            "any-key",
            "a request with a wrong Sec-WebSocket-Key, or none, is upgraded",
            Change::request(|_, head| match head.value(KEY) {
                Some(key) if key.len() == SOME_KEY.len() && key.ends_with("==") => {
                    RequestStep::Pass
                }
                _ => completed(head, KEY, SOME_KEY),
            }),
        )
    },
    KnownDeviation {
        fails: &["version-checked"],
        ..row(
            "any-version",
            "a request of any Sec-WebSocket-Version is upgraded",
            Change::request(|_, head| completed(head, VERSION, "13")),
        )
    },
    KnownDeviation {
        warns: &["version-checked"],
        ..row(
            "version-not-named",
            "the refusal of another version does not say that it should be 13",
            Change::response(|_, head| Some(head.without(VERSION))),
        )
    },
    KnownDeviation {
        fails: &["method-checked"],
        ..row(
            "any-method",
            "POST and HTTP/1.0 are upgraded",
            Change::request(|_, head| {
                let text = head.0.replacen("POST ", "GET ", 1);
                RequestStep::Change(text.replacen(" HTTP/1.0\r\n", " HTTP/1.1\r\n", 1))
            }),
        )
    },
    KnownDeviation {
        fails: &["header-forms"],
        ..row(
            "upgrade-compared-with-case",
            "400 for `Upgrade: WebSocket`: the value is compared letter by letter",
            Change::request(|_, head| {
                let is_other = head.value("Upgrade").is_some_and(|value| value != "websocket");
                refused_if(is_other, "400 Bad Request")
            }),
        )
    },
    KnownDeviation {
        servers: "NanoMQ at one address",
        warns: &["host-forms"],
        ..row(
            "host-without-port-refused",
            "404 for a Host without a port",
            Change::request(|_, head| {
                let has_port = head.value("Host").is_some_and(|host| host.contains(':'));
                refused_if(!has_port, "404 Not Found")
            }),
        )
    },
    KnownDeviation {
        fails: &["request-cut"],
        ..row(
            "request-in-one-read",
            "a request that does not come in one TCP segment ends the connection",
            Change::request(
                |memory, _| {
                    if memory.reads > 1 { RequestStep::Mute } else { RequestStep::Pass }
                },
            ),
        )
    },
    KnownDeviation {
        servers: "Mosquitto 2.1 (4 KiB)",
        warns: &["long-header"],
        ..row(
            "short-headers-only",
            "a request of more than 4 KiB is refused by 431",
            Change::request(|_, head| {
                refused_if(head.0.len() > 4096, "431 Request Header Fields Too Large")
            }),
        )
    },
    KnownDeviation {
        servers: "EMQX, NATS and RabbitMQ with a list of origins",
        fails: &["browser-request"],
        ..row(
            "origin-list",
            "403 for every page of a browser: its Origin is not in the list",
            Change::request(|_, head| refused_if(head.value("Origin").is_some(), "403 Forbidden")),
        )
    },
    KnownDeviation {
        servers: "Mosquitto 2.1 with websockets_origin",
        fails: &["browser-request"],
        warns: &["origin-foreign"],
        ..row(
            "origin-mute",
            "a request with an Origin ends the connection without an answer",
            Change::request(|_, head| match head.value("Origin") {
                Some(_) => RequestStep::Mute,
                None => RequestStep::Pass,
            }),
        )
    },
    KnownDeviation {
        servers: "Mosquitto 2.1, RMQTT, rumqttd",
        warns: &[
            "offer-unknown",
            "offer-none",
            "path-unknown",
            "upgrade-missing",
            "key-checked",
            "version-checked",
        ],
        ..row(
            "mute-refusals",
            "every refusal is an end without an answer",
            Change::response(|_, head| head.is_upgrade().then_some(head)),
        )
    },
    KnownDeviation {
        servers: "proxies that set it themselves",
        warns: &["upgrade-headers"],
        ..row(
            "connection-keep-alive",
            "the answer has `Connection: keep-alive, Upgrade`",
            Change::response(|_, head| {
                Some(granted_with(head, "Connection", "keep-alive, Upgrade"))
            }),
        )
    },
    KnownDeviation {
        servers: "proxies that drop it",
        fails: &["upgrade-headers"],
        ..row(
            "no-upgrade-header",
            "the answer has no Upgrade (check ends with exit code 5)",
            Change::response(|_, head| Some(head.without("Upgrade"))),
        )
    },
    KnownDeviation {
        servers: "caches",
        fails: &["accept-key"],
        ..row(
            "wrong-accept-key",
            "Sec-WebSocket-Accept does not answer the key (check ends with exit code 5)",
            Change::response(|_, head| Some(granted_with(head, ACCEPT, WRONG_ACCEPT))),
        )
    },
    KnownDeviation {
        fails: &["no-unasked-extension"],
        ..row(
            "unasked-extension",
            "an extension that was not offered is agreed to",
            Change::response(|request, head| match request.value(EXTENSIONS) {
                None => Some(granted_with(head, EXTENSIONS, "permessage-deflate")),
                Some(_) => Some(head),
            }),
        )
    },
    KnownDeviation {
        fails: &["extensions-legal"],
        ..row(
            "another-extension",
            "another extension is agreed to than the one that was offered",
            Change::response(|request, head| match request.value(EXTENSIONS) {
                Some(offer) if !offer.starts_with("permessage-deflate") => {
                    Some(granted_with(head, EXTENSIONS, "permessage-deflate"))
                }
                _ => Some(head),
            }),
        )
    },
    KnownDeviation {
        warns: &["clock"],
        ..row(
            "clock-off",
            "the Date of the answer is years ago",
            Change::response(|_, head| Some(head.with("Date", "Sun, 06 Nov 1994 08:49:37 GMT"))),
        )
    },
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
