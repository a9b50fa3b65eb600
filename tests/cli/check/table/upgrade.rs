//! Deviations of the upgrade.

use super::{Row, play};
use crate::check::front::{Answers, with, without};

const ROWS: &[Row] = &[
    Row {
        name: "no-subprotocol",
        deviation: || Box::new(Answers(|_, head| without(&head, "Sec-WebSocket-Protocol"))),
        scope: "offer-mqtt,accept-key,ping-answered",
        fails: &["offer-mqtt"],
        warns: &[],
    },
    Row {
        name: "other-subprotocol",
        deviation: || {
            Box::new(Answers(|_, head| {
                with(&without(&head, "Sec-WebSocket-Protocol"), "Sec-WebSocket-Protocol", "stomp")
            }))
        },
        scope: "offer-mqtt,accept-key,ping-answered",
        fails: &["offer-mqtt"],
        warns: &[],
    },
    Row {
        name: "connection-keep-alive",
        deviation: || {
            Box::new(Answers(|_, head| {
                with(&without(&head, "Connection"), "Connection", "keep-alive, Upgrade")
            }))
        },
        scope: "offer-mqtt,accept-key,upgrade-headers,ping-answered",
        fails: &[],
        warns: &["upgrade-headers"],
    },
    Row {
        name: "unasked-extension",
        deviation: || {
            Box::new(Answers(|_, head| with(&head, "Sec-WebSocket-Extensions", "x-check")))
        },
        scope: "offer-mqtt,no-unasked-extension,ping-answered",
        fails: &["no-unasked-extension"],
        warns: &[],
    },
];

#[test]
fn deviations_change_their_points() {
    play(ROWS);
}
