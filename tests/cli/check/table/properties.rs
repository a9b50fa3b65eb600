//! Deviations in the properties of MQTT 5.

use super::rewrite::{
    CONNACK, Memory, PUBACK, PUBLISH, UNSUBACK, body, client, holds, is, replaced, server,
    topic_field, with_property,
};
use super::{Row, play};
use crate::check::front::Deviation;

const SCOPE: &str = "properties-pass,short-acks,topic-alias-in,topic-alias-out,\
                     topic-alias-checked,announced-limits,publish-properties-checked,\
                     will-properties,problem-information-off";

const fn row(name: &'static str, deviation: fn() -> Box<dyn Deviation>) -> Row {
    Row { name, deviation, scope: SCOPE, fails: &[], warns: &[] }
}

const ROWS: &[Row] = &[
    Row {
        fails: &["properties-pass", "will-properties"],
        ..row("user-properties-sorted", || {
            server(|_, packet| {
                let (first, second) = (b"\x26\0\x01b\0\x011", b"\x26\0\x01a\0\x012");
                replaced(packet, &[&first[..], second].concat(), &[&second[..], first].concat())
            })
        })
    },
    Row {
        fails: &["properties-pass"],
        ..row("correlation-data-cut-at-nul", || {
            server(|_, packet| replaced(packet, b"\x09\0\x03\0\xff\x80", b"\x09\0\x03\0\0\0"))
        })
    },
    Row {
        fails: &["short-acks"],
        ..row("short-acks-refused", || {
            client(|memory, packet| {
                memory.ends |= is(packet, PUBACK) && packet[1] == 3;
                packet.to_vec()
            })
        })
    },
    Row {
        fails: &["topic-alias-in"],
        ..row("alias-not-set-again", || {
            server(|_, packet| {
                let mut packet = packet.to_vec();
                if is(&packet, PUBLISH) && packet.ends_with(b"alias 3") {
                    let last = body(&packet) + topic_field(&packet) - 1;
                    packet[last] = b'a';
                }
                packet
            })
        })
    },
    Row {
        fails: &["packets-wellformed", "topic-alias-out"],
        ..row("alias-unasked", || server(with_alias))
    },
    Row {
        fails: &["topic-alias-checked"],
        ..row("alias-0-taken", || {
            client(|_, packet| dropped_if(packet, is(packet, PUBLISH), &[0x23, 0, 0]))
        })
    },
    Row {
        fails: &["publish-properties-checked"],
        ..row("subscription-identifier-taken", || {
            client(|_, packet| {
                dropped_if(packet, packet.ends_with(b"illegal"), &[0x02, 0x0b, 0x01])
            })
        })
    },
    Row {
        warns: &["publish-properties-checked"],
        ..row("response-topic-unchecked", || {
            client(|_, packet| dropped_if(packet, packet.ends_with(b"illegal"), b"/+"))
        })
    },
    Row {
        warns: &["announced-limits"],
        ..row("retain-announced-as-absent", || {
            server(|_, packet| {
                if is(packet, CONNACK) {
                    with_property(packet, 2, &[0x25, 0])
                } else {
                    packet.to_vec()
                }
            })
        })
    },
    Row {
        fails: &["problem-information-off"],
        ..row("reason-strings-against-the-wish", || {
            server(|_, packet| {
                if is(packet, UNSUBACK) {
                    with_property(packet, 2, &[0x1f, 0, 1, b'x'])
                } else {
                    packet.to_vec()
                }
            })
        })
    },
];

/// Nothing instead of a packet that holds these bytes.
fn dropped_if(packet: &[u8], is_meant: bool, bytes: &[u8]) -> Vec<u8> {
    if is_meant && holds(packet, bytes) { Vec::new() } else { packet.to_vec() }
}

/// Deliveries of `short-acks` get an alias.
fn with_alias(_: &mut Memory, packet: &[u8]) -> Vec<u8> {
    if !is(packet, PUBLISH) || !packet.ends_with(b"ack") {
        return packet.to_vec();
    }
    with_property(packet, topic_field(packet) + 2, &[0x23, 0, 1])
}

#[test]
fn deviations_change_their_points() {
    play(ROWS);
}

#[test]
fn expiry_that_is_not_counted() {
    play(&[Row {
        fails: &["message-expiry"],
        scope: "message-expiry,properties-pass",
        ..row("expiry-not-counted", || {
            server(|_, packet| {
                let mut packet = packet.to_vec();
                for left in 20..30 {
                    packet = replaced(&packet, &[2, 0, 0, 0, left], &[2, 0, 0, 0, 30]);
                }
                packet
            })
        })
    }]);
}
