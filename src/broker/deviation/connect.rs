//! Deviations of CONNECT, CONNACK, PINGREQ and DISCONNECT.

use bytestring::ByteString;

use super::packet::{RawPacket, encoded};
use super::{Change, DeviationMemory, NamedChange, RewriteStep, pass};
use crate::mqtt::packet::{ConnAck, Connect, Malformed, Packet};
use crate::mqtt::property::{Properties, PropertyId};
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::version::Version;

/// The types of packets.
const CONNECT: u8 = 1;
const PINGREQ: u8 = 12;
const DISCONNECT: u8 = 14;

/// The protocol level that a CONNECT asks for.
fn level(packet: &RawPacket) -> Option<u8> {
    if packet.kind() != CONNECT {
        return None;
    }
    let body = packet.body();
    let name = usize::from(u16::from_be_bytes(*body.first_chunk()?));
    body.get(2 + name).copied()
}

/// Whether it is a CONNECT of a version that does not exist.
fn is_of_unknown_level(packet: &RawPacket) -> bool {
    level(packet).is_some_and(|level| !(3..=5).contains(&level))
}

/// Does something else about a CONNECT of this level.
fn at_level(packet: &RawPacket, wanted: u8, steps: Vec<RewriteStep>) -> Vec<RewriteStep> {
    if level(packet) == Some(wanted) { steps } else { pass() }
}

/// A CONNACK with this code, and the end.
fn refused(code: u8, version: Version) -> Vec<RewriteStep> {
    let (code, properties) = (ReasonCode(code), Properties::default());
    let connack = ConnAck { session_present: false, code, properties };
    vec![RewriteStep::Back(encoded(&Packet::ConnAck(Box::new(connack)), version)), RewriteStep::End]
}

pub const CHANGES: &[NamedChange] = &[
    ("mqtt5-refused", Change::client(|_, packet| at_level(packet, 5, refused(1, Version::V3_1_1)))),
    ("mqtt5-closed-mute", Change::client(|_, packet| at_level(packet, 5, vec![RewriteStep::End]))),
    ("mqtt5-unanswered", Change::client(|_, packet| at_level(packet, 5, Vec::new()))),
    ("mqtt311-unanswered", Change::client(|_, packet| at_level(packet, 4, Vec::new()))),
    (
        "mqtt311-closed-mute",
        Change::client(|_, packet| at_level(packet, 4, vec![RewriteStep::End])),
    ),
    ("mqtt31-unanswered", Change::client(|_, packet| at_level(packet, 3, Vec::new()))),
    (
        "level-6-taken",
        Change::client(|_, packet| {
            if !is_of_unknown_level(packet) {
                return pass();
            }
            let mut bytes = packet.bytes.clone();
            let name = packet.body().get(1).map_or(0, |name| usize::from(*name));
            let at = bytes.len() - packet.body().len() + 2 + name;
            bytes[at] = 5;
            vec![RewriteStep::Onward(bytes)]
        }),
    ),
    (
        "refused-not-closed",
        Change::client(|_, packet| {
            if is_of_unknown_level(packet) {
                vec![RewriteStep::Back(b"\x20\x02\0\x01".to_vec())]
            } else {
                pass()
            }
        }),
    ),
    (
        "session-present-after-clean-start",
        Change::server(|_, packet| {
            packet.changed_connack(|connack| connack.session_present = !connack.code.is_error())
        }),
    ),
    (
        "no-assigned-id",
        Change::server(|_, packet| {
            packet.changed_connack(|connack| {
                connack.properties.remove(PropertyId::AssignedClientIdentifier);
            })
        }),
    ),
    (
        "empty-id-refused",
        Change::client(|_, packet| match packet.connect() {
            Some(connect) if connect.client_id.is_empty() => {
                let code = if connect.version == Version::V5 { 0x85 } else { 2 };
                refused(code, connect.version)
            }
            _ => pass(),
        }),
    ),
    (
        "empty-id-kept",
        Change::client(|_, packet| {
            packet.changed_connect(|connect| {
                let is_it = connect.version == Version::V3_1_1 && connect.client_id.is_empty();
                connect.clean_start |= is_it;
            })
        }),
    ),
    (
        "no-takeover",
        Change::client(|memory, packet| {
            packet.changed_connect(|connect| {
                if !connect.client_id.is_empty() && connect.clean_start {
                    // In MQTT 3.1 it has at most 23 characters.
                    let id = format!("{}-{}", memory.connection, connect.client_id);
                    let id: String = match connect.version {
                        Version::V3_1 => id.chars().take(23).collect(),
                        Version::V3_1_1 | Version::V5 => id,
                    };
                    connect.client_id = ByteString::from(id);
                }
            })
        }),
    ),
    (
        "disconnect-without-reason",
        Change::server(|_, packet| if packet.kind() == DISCONNECT { Vec::new() } else { pass() }),
    ),
    (
        "any-connect-flags",
        Change::client(|_, packet| match packet.read() {
            Err(Malformed::ConnectFlags) => {
                let mut bytes = packet.bytes.clone();
                let name = packet.body().get(1).map_or(0, |name| usize::from(*name));
                let at = bytes.len() - packet.body().len() + 2 + name + 1;
                bytes[at] &= !1;
                vec![RewriteStep::Onward(bytes)]
            }
            _ => pass(),
        }),
    ),
    ("any-first-packet", Change::client(any_first)),
    (
        "second-connect-ignored",
        Change::client(|memory, packet| {
            let is_second = packet.kind() == CONNECT && memory.count > 0;
            memory.count += u64::from(packet.kind() == CONNECT);
            if is_second { Vec::new() } else { pass() }
        }),
    ),
    (
        "any-auth-method",
        Change::client(|_, packet| {
            packet.changed_connect(|connect| {
                connect.properties.remove(PropertyId::AuthenticationMethod);
                connect.properties.remove(PropertyId::AuthenticationData);
            })
        }),
    ),
    (
        "pingreq-unanswered",
        Change::client(|_, packet| if packet.kind() == PINGREQ { Vec::new() } else { pass() }),
    ),
    (
        "keep-alive-not-enforced",
        Change::client(|_, packet| packet.changed_connect(|connect| connect.keep_alive = 0)),
    ),
    ("mqtt31-refused", Change::client(|_, packet| at_level(packet, 3, refused(1, Version::V3_1)))),
    (
        "huge-maximum-refused",
        Change::client(|_, packet| {
            let maximum = |connect: Connect| connect.properties.maximum_packet_size();
            let is_huge = packet.connect().and_then(maximum).is_some_and(|size| size > 268_435_455);
            if is_huge { vec![RewriteStep::End] } else { pass() }
        }),
    ),
    (
        "refusals-mute",
        Change::server(|_, packet| match packet.read() {
            Ok(Packet::ConnAck(connack)) if connack.code != ReasonCode::SUCCESS => {
                vec![RewriteStep::End]
            }
            _ => pass(),
        }),
    ),
];

/// Puts a CONNECT before a first packet that is none.
fn any_first(memory: &mut DeviationMemory, packet: &RawPacket) -> Vec<RewriteStep> {
    memory.count += 1;
    if memory.count > 1 || packet.kind() == CONNECT {
        return pass();
    }
    let connect = b"\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0";
    vec![RewriteStep::Onward(connect.to_vec()), RewriteStep::Pass]
}
