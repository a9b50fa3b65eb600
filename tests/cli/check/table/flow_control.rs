//! Deviations in flow control.

use super::rewrite::{CONNACK, CONNECT, client, is, replaced, server};
use super::{Row, play};
use crate::check::front::Deviation;

const SCOPE: &str = "flow-control,short-acks";

const fn row(name: &'static str, deviation: fn() -> Box<dyn Deviation>) -> Row {
    Row { name, deviation, scope: SCOPE, fails: &[], warns: &[] }
}

/// A CONNECT, or a CONNACK, with another value of a property.
fn changed(packet: &[u8], packet_type: u8, from: &[u8], to: &[u8]) -> Vec<u8> {
    if is(packet, packet_type) { replaced(packet, from, to) } else { packet.to_vec() }
}

const ROWS: &[Row] = &[
    Row {
        fails: &["receive-maximum-out"],
        ..row("receive-maximum-ignored", || {
            client(|_, packet| changed(packet, CONNECT, &[0x21, 0, 2], &[0x21, 0, 9]))
        })
    },
    Row {
        warns: &["receive-maximum-in"],
        ..row("more-in-flight-than-announced-taken", || {
            server(|_, packet| changed(packet, CONNACK, &[0x21, 4, 0], &[0x21, 0, 9]))
        })
    },
    Row {
        fails: &["maximum-packet-size-out"],
        ..row("maximum-packet-size-ignored", || {
            client(|_, packet| changed(packet, CONNECT, &[0x27, 0, 0, 0, 200], &[0x27, 0, 1, 0, 0]))
        })
    },
    Row {
        fails: &["maximum-packet-size-in"],
        ..row("larger-than-announced-taken", || {
            // 16 MiB become 4 KiB.
            server(|_, packet| {
                changed(packet, CONNACK, &[0x27, 1, 0, 0, 0], &[0x27, 0, 0, 0x10, 0])
            })
        })
    },
];

#[test]
fn deviations_change_their_points() {
    play(ROWS);
}
