//! Deviations in the choice of the subprotocol.

use super::super::head::{RewrittenHead, answer};
use super::super::{Change, NamedChange, RequestStep, RewriteStep};
use super::{granted_with, refused_if};

const PROTOCOL: &str = "Sec-WebSocket-Protocol";

/// The request as if it offered `mqtt` alone.
fn offering_mqtt(head: &RewrittenHead) -> RequestStep {
    RequestStep::Change(head.with(PROTOCOL, "mqtt").0)
}

/// The same, if it offers something.
fn offering_mqtt_if_any(head: &RewrittenHead) -> RequestStep {
    if head.list(PROTOCOL).is_empty() { RequestStep::Pass } else { offering_mqtt(head) }
}

fn has_list(head: &RewrittenHead) -> bool {
    head.list(PROTOCOL).len() > 1
}

pub const CHANGES: &[NamedChange] = &[
    ("no-subprotocol", Change::response(|_, head| Some(head.without(PROTOCOL)))),
    (
        "always-mqtt",
        Change::request(|_, head| {
            if head.asks_for_upgrade() { offering_mqtt(head) } else { RequestStep::Pass }
        }),
    ),
    ("wrong-subprotocol", Change::response(|_, head| Some(granted_with(head, PROTOCOL, "amqp")))),
    (
        "list-echoed",
        Change {
            request: Some(|_, head| offering_mqtt_if_any(head)),
            ..Change::response(|request, head| {
                let list = request.list(PROTOCOL).join(", ");
                if list.is_empty() { Some(head) } else { Some(granted_with(head, PROTOCOL, &list)) }
            })
        },
    ),
    (
        "first-name-taken",
        Change {
            request: Some(|_, head| offering_mqtt_if_any(head)),
            ..Change::response(|request, head| match request.list(PROTOCOL).first() {
                Some(first) => Some(granted_with(head, PROTOCOL, first)),
                None => Some(head),
            })
        },
    ),
    ("list-refused", Change::request(|_, head| refused_if(has_list(head), "400 Bad Request"))),
    (
        "list-mute",
        Change::request(
            |_, head| {
                if has_list(head) { RequestStep::Mute } else { RequestStep::Pass }
            },
        ),
    ),
    (
        "mqttv31-refused",
        Change::request(|_, head| {
            refused_if(head.list(PROTOCOL) == ["mqttv3.1"], "400 Bad Request")
        }),
    ),
    (
        "none-offered-silence",
        Change {
            request: Some(|memory, head| {
                let is_meant = head.list(PROTOCOL).is_empty() && head.asks_for_upgrade();
                memory.count = u64::from(is_meant);
                if is_meant { offering_mqtt(head) } else { RequestStep::Pass }
            }),
            response: Some(|request, head| {
                let is_meant = request.list(PROTOCOL).is_empty();
                Some(if is_meant { head.without(PROTOCOL) } else { head })
            }),
            ..Change::client_frames(|memory, _| {
                if memory.count == 0 { vec![RewriteStep::Pass] } else { Vec::new() }
            })
        },
    ),
    (
        "origin-wanted",
        Change::request(|_, head| match head.value("Origin") {
            Some(_) => RequestStep::Pass,
            None => RequestStep::Answer(answer("403 Forbidden", "")),
        }),
    ),
    (
        "none-offered-taken",
        Change {
            response: Some(|request, head| match request.value(PROTOCOL) {
                None => Some(head.without(PROTOCOL)),
                Some(_) => Some(head),
            }),
            ..Change::request(|_, head| match head.value(PROTOCOL) {
                None if head.asks_for_upgrade() => offering_mqtt(head),
                _ => RequestStep::Pass,
            })
        },
    ),
];
