//! Deviations in sessions and wills.

use super::rewrite::{
    CONNECT, DISCONNECT, Memory, PINGREQ, PUBLISH, PUBREC, PUBREL, body, both, client,
    connect_flags, holds, is, replaced, server, topic_field,
};
use super::{Row, play};
use crate::check::front::Deviation;

/// Clean Start, or Clean Session, in the flags of a CONNECT.
const CLEAN: u8 = 0x02;
/// DUP in the first byte of a PUBLISH.
const DUP: u8 = 0x08;
/// QoS 1 and 2 in the first byte of a PUBLISH.
const QOS_1: u8 = 0x02;
const QOS_2: u8 = 0x04;
/// What wills hold.
const WILL: &[u8] = b"mqttws-will";

const fn row(
    name: &'static str,
    deviation: fn() -> Box<dyn Deviation>,
    scope: &'static str,
    fails: &'static [&'static str],
) -> Row {
    Row { name, deviation, scope, fails, warns: &[] }
}

#[test]
fn sessions_that_are_lost_or_kept() {
    play(&[
        row(
            "session-lost",
            || {
                client(|_, packet| {
                    let mut packet = packet.to_vec();
                    if is(&packet, CONNECT) {
                        let at = connect_flags(&packet);
                        packet[at] |= CLEAN;
                    }
                    packet
                })
            },
            "session-resumed,session-clean-forgets",
            &["session-resumed"],
        ),
        row(
            "session-kept-after-clean-start",
            || {
                client(|_, packet| {
                    let mut packet = packet.to_vec();
                    if is(&packet, CONNECT) {
                        let at = connect_flags(&packet);
                        packet[at] &= !CLEAN;
                    }
                    packet
                })
            },
            "session-resumed,session-clean-forgets",
            // In MQTT 3.1 no CONNACK says that the messages belong to an old session.
            &["session-present-clean", "session-clean-forgets", "packets-wellformed"],
        ),
        row(
            "nothing-queued",
            || server(|_, packet| dropped_if(packet, PUBLISH, b"queued ")),
            "offline-queue,session-resumed",
            &["offline-queue"],
        ),
        row(
            "queue-not-in-order",
            || server(|_, packet| replaced(packet, b"queued 2", b"queued 4")),
            "offline-queue,session-resumed",
            &["offline-queue"],
        ),
    ]);
}

/// Nothing instead of a packet of this type that holds these bytes.
fn dropped_if(packet: &[u8], packet_type: u8, bytes: &[u8]) -> Vec<u8> {
    let is_meant = is(packet, packet_type) && holds(packet, bytes);
    if is_meant { Vec::new() } else { packet.to_vec() }
}

const REDELIVERY: &str = "redelivery-dup,pubrel-resumed,client-redelivery,session-resumed";

#[test]
fn messages_that_are_sent_again() {
    play(&[
        row(
            "no-dup",
            || {
                server(|_, packet| {
                    let mut packet = packet.to_vec();
                    if is(&packet, PUBLISH) {
                        packet[0] &= !DUP;
                    }
                    packet
                })
            },
            REDELIVERY,
            &["redelivery-dup"],
        ),
        row(
            "pubrel-with-another-id",
            || both(note_pubrec, other_pubrel),
            REDELIVERY,
            &["pubrel-resumed"],
        ),
        row(
            "client-id-of-qos-2-forgotten",
            || client(routed_again),
            REDELIVERY,
            &["client-redelivery"],
        ),
    ]);
}

fn note_pubrec(memory: &mut Memory, packet: &[u8]) -> Vec<u8> {
    memory.happened |= is(packet, PUBREC);
    packet.to_vec()
}

/// A PUBREL that answers no PUBREC of this connection gets another identifier.
fn other_pubrel(memory: &mut Memory, packet: &[u8]) -> Vec<u8> {
    let mut packet = packet.to_vec();
    if is(&packet, PUBREL) && !memory.happened {
        packet[2] ^= 0x40;
    }
    packet
}

/// A message of QoS 2 that is sent again is routed again: once more at QoS 0.
fn routed_again(_: &mut Memory, packet: &[u8]) -> Vec<u8> {
    if !is(packet, PUBLISH) || packet[0] & (DUP | QOS_2) != DUP | QOS_2 {
        return packet.to_vec();
    }
    let mut copy = packet.to_vec();
    let id = body(packet) + topic_field(packet);
    copy.drain(id..id + 2);
    copy[0] = 0x30;
    copy[1] -= 2;
    [copy, packet.to_vec()].concat()
}

#[test]
fn messages_that_are_sent_again_while_connected() {
    play(&[row(
        "resent-while-connected",
        || {
            let on_ping = |memory: &mut Memory, packet: &[u8]| {
                if is(packet, PINGREQ) {
                    memory.back = memory.kept.clone();
                }
                packet.to_vec()
            };
            both(on_ping, |memory, packet| {
                if is(packet, PUBLISH) && packet[0] & QOS_1 != 0 {
                    memory.kept = packet.to_vec();
                    memory.kept[0] |= DUP;
                }
                packet.to_vec()
            })
        },
        "no-redelivery-while-connected,session-resumed",
        &["no-redelivery-while-connected"],
    )]);
}

#[test]
fn sessions_that_do_not_expire() {
    play(&[
        row(
            "expiry-ignored",
            || client(|_, packet| replaced(packet, &[0x11, 0, 0, 0, 3], &[0x11, 0, 0, 0, 60])),
            "session-expiry,expiry-on-disconnect",
            &["session-expiry"],
        ),
        row(
            "expiry-in-disconnect-ignored",
            || {
                client(|_, packet| {
                    if is(packet, DISCONNECT) {
                        replaced(packet, &[0x11, 0, 0, 0, 0], &[0x11, 0, 0, 0, 60])
                    } else {
                        packet.to_vec()
                    }
                })
            },
            "session-expiry,expiry-on-disconnect",
            &["expiry-on-disconnect"],
        ),
    ]);
}

/// Wills do not come on connections of this version.
fn will_never(memory: &mut Memory, packet: &[u8], version: u8) -> Vec<u8> {
    if memory.kept == [version] { dropped_if(packet, PUBLISH, WILL) } else { packet.to_vec() }
}

fn note_version(memory: &mut Memory, packet: &[u8]) -> Vec<u8> {
    if is(packet, CONNECT) {
        memory.kept = vec![packet[connect_flags(packet) - 1]];
    }
    packet.to_vec()
}

#[test]
fn wills_that_never_come() {
    play(&[row(
        "will-never",
        || both(note_version, |memory, packet| will_never(memory, packet, 4)),
        "will-on-cut,will-not-after-disconnect",
        &["will-on-cut"],
    )]);
}

const fn never(scope: &'static str, fails: &'static [&'static str]) -> Row {
    let deviation = || both(note_version, |memory, packet| will_never(memory, packet, 5));
    row("will-never-in-mqtt-5", deviation, scope, fails)
}

#[test]
fn wills_that_never_come_in_mqtt_5() {
    // Each is waited for twice: together they would take longer than a test may.
    play(&[
        never("will-not-after-disconnect,will-on-request", &["will-on-request"]),
        never("will-not-after-disconnect,will-delay", &["will-delay"]),
        never("will-not-after-disconnect,will-properties", &["will-properties"]),
    ]);
}

const WILLS: &str = "will-not-after-disconnect,will-on-request,will-delay";

#[test]
fn wills_that_come_when_they_should_not() {
    play(&[
        row(
            "will-after-disconnect",
            || client(|_, packet| if packet == [0xe0, 0] { Vec::new() } else { packet.to_vec() }),
            WILLS,
            &["will-not-after-disconnect"],
        ),
        row(
            "disconnect-with-will-ignored",
            || {
                client(
                    |_, packet| {
                        if is(packet, DISCONNECT) { vec![0xe0, 0] } else { packet.to_vec() }
                    },
                )
            },
            WILLS,
            &["will-on-request"],
        ),
        row(
            "will-delay-ignored",
            || client(|_, packet| replaced(packet, &[0x18, 0, 0, 0, 3], &[0x18, 0, 0, 0, 0])),
            WILLS,
            &["will-delay"],
        ),
    ]);
}
