//! Deviations in sessions and wills.

use super::packet::RawPacket;
use super::{Change, NamedChange, RewriteStep, pass};
use crate::mqtt::packet::{Connect, Disconnect, Packet};
use crate::mqtt::property::{Property, PropertyId};
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::version::Version;

/// The packet type of DISCONNECT.
const DISCONNECT: u8 = 14;

/// A time in which no test ends, in seconds.
const LONG: u32 = 3600;

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

pub const CHANGES: &[NamedChange] = &[
    (
        "session-lost",
        Change::client(|_, packet| packet.changed_connect(|connect| connect.clean_start = true)),
    ),
    (
        "session-kept-after-clean-start",
        Change::client(|_, packet| {
            packet.changed_connect(|connect| {
                let has_id = !connect.client_id.is_empty();
                connect.clean_start &= !has_id || connect.version == Version::V3_1;
            })
        }),
    ),
    (
        "no-dup",
        Change::server(|_, packet| {
            packet.changed(|packet| {
                if let Packet::Publish(publish) = packet {
                    publish.dup = false;
                }
            })
        }),
    ),
    ("expiry-ignored", Change::client(|_, packet| packet.changed_connect(kept_for_long))),
    (
        "expiry-in-disconnect-ignored",
        Change::client(|_, packet| {
            disconnect(packet, |disconnect| {
                disconnect.properties.remove(PropertyId::SessionExpiryInterval);
            })
        }),
    ),
    (
        "will-never",
        Change::client(|_, packet| packet.changed_connect(|connect| connect.will = None)),
    ),
    (
        "will-after-disconnect",
        Change::client(|_, packet| match packet.kind() {
            DISCONNECT => vec![RewriteStep::End],
            _ => pass(),
        }),
    ),
    (
        "disconnect-with-will-ignored",
        Change::client(|_, packet| {
            disconnect(packet, |disconnect| disconnect.code = ReasonCode::SUCCESS)
        }),
    ),
    (
        "will-delay-ignored",
        Change::client(|_, packet| {
            packet.changed_connect(|connect| {
                if let Some(will) = &mut connect.will {
                    will.properties.remove(PropertyId::WillDelayInterval);
                }
            })
        }),
    ),
    (
        "session-present-never",
        Change::server(|_, packet| {
            packet.changed_connack(|connack| connack.session_present = false)
        }),
    ),
    (
        "session-present-but-lost",
        Change::packets(
            |memory, packet| {
                packet.changed_connect(|connect| {
                    let is_named = !connect.client_id.is_empty();
                    memory.count = u64::from(is_named && !connect.clean_start);
                    connect.clean_start |= is_named;
                })
            },
            |memory, packet| {
                let is_told = memory.count > 0;
                packet.changed_connack(|connack| {
                    connack.session_present = is_told && !connack.code.is_error();
                })
            },
        ),
    ),
    (
        "no-will-with-session",
        Change::client(|_, packet| {
            packet.changed_connect(|connect| {
                if !connect.clean_start {
                    connect.will = None;
                }
            })
        }),
    ),
];
