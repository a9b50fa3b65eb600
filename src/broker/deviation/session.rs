//! Deviations in sessions and wills.

use super::packet::RawPacket;
use super::{Change, KnownDeviation, RewriteStep, pass};
use crate::mqtt::packet::{Connect, Disconnect, Packet};
use crate::mqtt::property::{Property, PropertyId};
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::version::Version;

/// The packet type of DISCONNECT.
const DISCONNECT: u8 = 14;

/// A time in which no test ends, in seconds.
const LONG: u32 = 3600;

const fn row(name: &'static str, sentence: &'static str, change: Change) -> KnownDeviation {
    KnownDeviation { name, sentence, servers: "", fails: &[], warns: &[], change }
}

fn connect(packet: &RawPacket, change: impl FnOnce(&mut Connect)) -> Vec<RewriteStep> {
    packet.changed(|packet| {
        if let Packet::Connect(connect) = packet {
            change(connect);
        }
    })
}

fn disconnect(packet: &RawPacket, change: impl FnOnce(&mut Disconnect)) -> Vec<RewriteStep> {
    packet.changed(|packet| {
        if let Packet::Disconnect(disconnect) = packet {
            change(disconnect);
        }
    })
}

/// Lets a session that ends some time after its connection live for long.
fn kept_for_long(connect: &mut Connect) {
    let expiry = connect.properties.session_expiry_interval();
    if expiry.is_some_and(|seconds| seconds > 0) {
        connect.properties.remove(PropertyId::SessionExpiryInterval);
        connect.properties.push(Property::number(PropertyId::SessionExpiryInterval, LONG));
    }
}

pub const ROWS: &[KnownDeviation] = &[
    KnownDeviation {
        servers: "amqtt, NanoMQ with MQTT 5",
        fails: &["session-resumed"],
        ..row(
            "session-lost",
            "no session outlives its connection",
            Change::client(|_, packet| connect(packet, |connect| connect.clean_start = true)),
        )
    },
    KnownDeviation {
        fails: &["session-present-clean", "session-clean-forgets"],
        ..row(
            "session-kept-after-clean-start",
            "Clean Start does not remove the session",
            Change::client(|_, packet| {
                connect(packet, |connect| {
                    let has_id = !connect.client_id.is_empty();
                    connect.clean_start &= !has_id || connect.version == Version::V3_1;
                })
            }),
        )
    },
    KnownDeviation {
        fails: &["redelivery-dup"],
        ..row(
            "no-dup",
            "messages that are sent again come without DUP",
            Change::server(|_, packet| {
                packet.changed(|packet| {
                    if let Packet::Publish(publish) = packet {
                        publish.dup = false;
                    }
                })
            }),
        )
    },
    KnownDeviation {
        fails: &["session-expiry"],
        ..row(
            "expiry-ignored",
            "a session does not end after its Session Expiry Interval",
            Change::client(|_, packet| connect(packet, kept_for_long)),
        )
    },
    KnownDeviation {
        fails: &["expiry-on-disconnect"],
        ..row(
            "expiry-in-disconnect-ignored",
            "the Session Expiry Interval of DISCONNECT is ignored",
            Change::client(|_, packet| {
                disconnect(packet, |disconnect| {
                    disconnect.properties.remove(PropertyId::SessionExpiryInterval);
                })
            }),
        )
    },
    KnownDeviation {
        fails: &["will-on-cut", "will-on-request", "will-delay", "will-properties"],
        ..row(
            "will-never",
            "wills are not published",
            Change::client(|_, packet| connect(packet, |connect| connect.will = None)),
        )
    },
    KnownDeviation {
        servers: "RabbitMQ 3.10",
        fails: &["will-not-after-disconnect"],
        ..row(
            "will-after-disconnect",
            "the will is published also after DISCONNECT",
            Change::client(|_, packet| match packet.kind() {
                DISCONNECT => vec![RewriteStep::End],
                _ => pass(),
            }),
        )
    },
    KnownDeviation {
        fails: &["will-on-request"],
        ..row(
            "disconnect-with-will-ignored",
            "MQTT 5: DISCONNECT with reason 0x04 does not publish the will",
            Change::client(|_, packet| {
                disconnect(packet, |disconnect| disconnect.code = ReasonCode::SUCCESS)
            }),
        )
    },
    KnownDeviation {
        fails: &["will-delay"],
        ..row(
            "will-delay-ignored",
            "the will is published at once, whatever its Will Delay Interval",
            Change::client(|_, packet| {
                connect(packet, |connect| {
                    if let Some(will) = &mut connect.will {
                        will.properties.remove(PropertyId::WillDelayInterval);
                    }
                })
            }),
        )
    },
];
