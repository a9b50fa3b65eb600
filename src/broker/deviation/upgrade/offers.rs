//! Deviations in the choice of the subprotocol.

use super::super::head::{RewrittenHead, answer};
use super::super::{Change, KnownDeviation, RequestStep, RewriteStep};
use super::{granted_with, refused_if, row};

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

/// The points that fail where no subprotocol that was offered is named.
const UNNAMED: &[&str] =
    &["offer-mqtt", "offer-list", "offer-list-forms", "offer-unknown-first", "browser-request"];

pub const ROWS: &[KnownDeviation] = &[
    KnownDeviation {
        servers: "mochi and Moquette for names that they do not know",
        fails: UNNAMED,
        warns: &["offer-mqttv31"],
        ..row(
            "no-subprotocol",
            "the answer names no subprotocol",
            Change::response(|_, head| Some(head.without(PROTOCOL))),
        )
    },
    KnownDeviation {
        servers: "NATS, rumqttd, ActiveMQ",
        fails: &["offer-unknown", "offer-none"],
        warns: &["offer-mqttv31"],
        ..row(
            "always-mqtt",
            "the answer names mqtt, whatever was offered",
            Change::request(|_, head| {
                if head.asks_for_upgrade() { offering_mqtt(head) } else { RequestStep::Pass }
            }),
        )
    },
    KnownDeviation {
        fails: UNNAMED,
        warns: &["offer-mqttv31"],
        ..row(
            "wrong-subprotocol",
            "the answer names amqp",
            Change::response(|_, head| Some(granted_with(head, PROTOCOL, "amqp"))),
        )
    },
    KnownDeviation {
        servers: "RabbitMQ up to 3.11, ejabberd",
        fails: &["offer-list", "offer-list-forms", "offer-unknown-first", "offer-unknown"],
        ..row(
            "list-echoed",
            "the answer repeats the whole list",
            Change {
                request: Some(|_, head| offering_mqtt_if_any(head)),
                ..Change::response(|request, head| {
                    let list = request.list(PROTOCOL).join(", ");
                    if list.is_empty() {
                        Some(head)
                    } else {
                        Some(granted_with(head, PROTOCOL, &list))
                    }
                })
            },
        )
    },
    KnownDeviation {
        servers: "Aedes with ws or websocket-stream",
        fails: &["offer-unknown-first", "offer-unknown"],
        ..row(
            "first-name-taken",
            "the answer names the first subprotocol of the list, whatever it is",
            Change {
                request: Some(|_, head| offering_mqtt_if_any(head)),
                ..Change::response(|request, head| match request.list(PROTOCOL).first() {
                    Some(first) => Some(granted_with(head, PROTOCOL, first)),
                    None => Some(head),
                })
            },
        )
    },
    KnownDeviation {
        servers: "NanoMQ, IBM MQ 7.5",
        fails: &["offer-list", "offer-list-forms", "offer-unknown-first"],
        ..row(
            "list-refused",
            "400 for a list of subprotocols",
            Change::request(|_, head| refused_if(has_list(head), "400 Bad Request")),
        )
    },
    KnownDeviation {
        servers: "Mosquitto 2.1, RMQTT",
        fails: &["offer-list", "offer-list-forms", "offer-unknown-first"],
        ..row(
            "list-mute",
            "a list of subprotocols ends the connection without an answer",
            Change::request(
                |_, head| {
                    if has_list(head) { RequestStep::Mute } else { RequestStep::Pass }
                },
            ),
        )
    },
    KnownDeviation {
        servers: "EMQX, NanoMQ, amqtt, RabbitMQ 3.12 to 4.2.1, Azure IoT Hub",
        warns: &["offer-mqttv31"],
        ..row(
            "mqttv31-refused",
            "400 for the subprotocol mqttv3.1",
            Change::request(|_, head| {
                refused_if(head.list(PROTOCOL) == ["mqttv3.1"], "400 Bad Request")
            }),
        )
    },
    KnownDeviation {
        servers: "Mosquitto up to 2.0 with libwebsockets",
        warns: &["offer-none"],
        ..row(
            "none-offered-silence",
            "a request without a subprotocol is upgraded, and nothing that it sends is answered",
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
        )
    },
    KnownDeviation {
        servers: "The Things Network v2",
        fails: &["offer-mqtt"],
        ..row(
            "origin-wanted",
            "403 for a request without an Origin (check needs --origin)",
            Change::request(|_, head| match head.value("Origin") {
                Some(_) => RequestStep::Pass,
                None => RequestStep::Answer(answer("403 Forbidden", "")),
            }),
        )
    },
];
