//! Deviations of CONNECT, CONNACK, PINGREQ and DISCONNECT.

use bytestring::ByteString;

use super::packet::{RawPacket, encoded};
use super::{Change, DeviationMemory, KnownDeviation, RewriteStep, pass};
use crate::mqtt::packet::{ConnAck, Connect, Malformed, Packet};
use crate::mqtt::property::{Properties, PropertyId};
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::version::Version;

/// The types of packets.
const CONNECT: u8 = 1;
const PINGREQ: u8 = 12;
const DISCONNECT: u8 = 14;

const fn row(name: &'static str, sentence: &'static str, change: Change) -> KnownDeviation {
    KnownDeviation { name, sentence, servers: "", fails: &[], warns: &[], change }
}

/// The protocol level that a CONNECT asks for.
fn level(packet: &RawPacket) -> Option<u8> {
    if packet.kind() != CONNECT {
        return None;
    }
    let body = packet.body();
    let name = usize::from(u16::from_be_bytes(*body.first_chunk()?));
    body.get(2 + name).copied()
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

/// A CONNECT, changed.
fn connect(packet: &RawPacket, change: impl FnOnce(&mut Connect)) -> Vec<RewriteStep> {
    packet.changed(|packet| {
        if let Packet::Connect(connect) = packet {
            change(connect);
        }
    })
}

/// A CONNACK, changed.
fn connack(packet: &RawPacket, change: impl FnOnce(&mut ConnAck)) -> Vec<RewriteStep> {
    packet.changed(|packet| {
        if let Packet::ConnAck(connack) = packet {
            change(connack);
        }
    })
}

pub const ROWS: &[KnownDeviation] = &[
    KnownDeviation {
        servers: "NATS, RabbitMQ up to 3.12, Aedes",
        ..row(
            "mqtt5-refused",
            "MQTT 5 is refused by the CONNACK of MQTT 3.1.1 (its points are not applicable)",
            Change::client(|_, packet| at_level(packet, 5, refused(1, Version::V3_1_1))),
        )
    },
    KnownDeviation {
        servers: "rumqttd",
        fails: &["connect-mqtt5"],
        ..row(
            "mqtt5-closed-mute",
            "a CONNECT of MQTT 5 ends the connection without an answer",
            Change::client(|_, packet| at_level(packet, 5, vec![RewriteStep::End])),
        )
    },
    KnownDeviation {
        servers: "amqtt, for a CONNECT with properties",
        fails: &["connect-mqtt5"],
        ..row(
            "mqtt5-unanswered",
            "a CONNECT of MQTT 5 is not answered",
            Change::client(|_, packet| at_level(packet, 5, Vec::new())),
        )
    },
    KnownDeviation {
        fails: &["connect-mqtt311"],
        ..row(
            "mqtt311-unanswered",
            "a CONNECT of MQTT 3.1.1 is not answered",
            Change::client(|_, packet| at_level(packet, 4, Vec::new())),
        )
    },
    KnownDeviation {
        warns: &["connect-mqtt311"],
        ..row(
            "mqtt311-closed-mute",
            "a CONNECT of MQTT 3.1.1 ends the connection without an answer",
            Change::client(|_, packet| at_level(packet, 4, vec![RewriteStep::End])),
        )
    },
    KnownDeviation {
        servers: "NanoMQ",
        fails: &["connect-mqtt31"],
        ..row(
            "mqtt31-unanswered",
            "a CONNECT of MQTT 3.1 is not answered",
            Change::client(|_, packet| at_level(packet, 3, Vec::new())),
        )
    },
    KnownDeviation {
        fails: &["level-unknown"],
        ..row(
            "level-6-taken",
            "a CONNECT of a version that does not exist is accepted",
            Change::client(|_, packet| match level(packet) {
                Some(6) => {
                    let mut bytes = packet.bytes.clone();
                    let at = bytes.len() - packet.body().len() + 6;
                    bytes[at] = 5;
                    vec![RewriteStep::Onward(bytes)]
                }
                _ => pass(),
            }),
        )
    },
    KnownDeviation {
        fails: &["level-unknown", "refusal-then-close"],
        ..row(
            "refused-not-closed",
            "after CONNACK has refused an unknown version the connection stays open",
            Change::client(|_, packet| match level(packet) {
                Some(6) => vec![RewriteStep::Back(b"\x20\x02\0\x01".to_vec())],
                _ => pass(),
            }),
        )
    },
    KnownDeviation {
        fails: &["session-present-clean"],
        ..row(
            "session-present-after-clean-start",
            "CONNACK says that there was a session also after Clean Start",
            Change::server(|_, packet| {
                connack(packet, |connack| connack.session_present = !connack.code.is_error())
            }),
        )
    },
    KnownDeviation {
        fails: &["client-id-empty"],
        ..row(
            "no-assigned-id",
            "CONNACK does not tell the client identifier that was assigned",
            Change::server(|_, packet| {
                connack(packet, |connack| {
                    connack.properties.remove(PropertyId::AssignedClientIdentifier);
                })
            }),
        )
    },
    KnownDeviation {
        servers: "Mosquitto with allow_zero_length_clientid false",
        warns: &["client-id-empty"],
        ..row(
            "empty-id-refused",
            "a CONNECT without a client identifier is refused",
            Change::client(|_, packet| match packet.connect() {
                Some(connect) if connect.client_id.is_empty() => {
                    let code = if connect.version == Version::V5 { 0x85 } else { 2 };
                    refused(code, connect.version)
                }
                _ => pass(),
            }),
        )
    },
    KnownDeviation {
        fails: &["client-id-empty-kept"],
        ..row(
            "empty-id-kept",
            "MQTT 3.1.1: an empty client identifier is accepted without Clean Session",
            Change::client(|_, packet| {
                connect(packet, |connect| {
                    let is_it = connect.version == Version::V3_1_1 && connect.client_id.is_empty();
                    connect.clean_start |= is_it;
                })
            }),
        )
    },
    KnownDeviation {
        fails: &["takeover"],
        ..row(
            "no-takeover",
            "a second client with the same identifier does not end the first",
            Change::client(|memory, packet| {
                connect(packet, |connect| {
                    if !connect.client_id.is_empty() && connect.clean_start {
                        let id = format!("{}-{}", connect.client_id, memory.connection);
                        connect.client_id = ByteString::from(id);
                    }
                })
            }),
        )
    },
    KnownDeviation {
        servers: "Mosquitto up to 2.0",
        warns: &["takeover", "error-reason-code"],
        ..row(
            "disconnect-without-reason",
            "MQTT 5: the connection ends without a DISCONNECT that says why",
            Change::server(
                |_, packet| {
                    if packet.kind() == DISCONNECT { Vec::new() } else { pass() }
                },
            ),
        )
    },
    KnownDeviation {
        fails: &["connect-flags-checked"],
        ..row(
            "any-connect-flags",
            "the reserved flag of CONNECT is ignored",
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
        )
    },
    KnownDeviation {
        fails: &["first-packet"],
        ..row("any-first-packet", "a client need not begin with CONNECT", Change::client(any_first))
    },
    KnownDeviation {
        fails: &["second-connect"],
        ..row(
            "second-connect-ignored",
            "a second CONNECT is ignored",
            Change::client(|memory, packet| {
                let is_second = packet.kind() == CONNECT && memory.count > 0;
                memory.count += u64::from(packet.kind() == CONNECT);
                if is_second { Vec::new() } else { pass() }
            }),
        )
    },
    KnownDeviation {
        fails: &["auth-method-unknown"],
        ..row(
            "any-auth-method",
            "an unknown Authentication Method is ignored",
            Change::client(|_, packet| {
                connect(packet, |connect| {
                    connect.properties.remove(PropertyId::AuthenticationMethod);
                    connect.properties.remove(PropertyId::AuthenticationData);
                })
            }),
        )
    },
    KnownDeviation {
        fails: &["ping-answered", "ping-keeps-alive"],
        ..row(
            "pingreq-unanswered",
            "PINGREQ is not answered",
            Change::client(|_, packet| if packet.kind() == PINGREQ { Vec::new() } else { pass() }),
        )
    },
    KnownDeviation {
        fails: &["keep-alive-enforced"],
        ..row(
            "keep-alive-not-enforced",
            "a client that is silent for longer than its Keep Alive is not disconnected",
            Change::client(|_, packet| connect(packet, |connect| connect.keep_alive = 0)),
        )
    },
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
