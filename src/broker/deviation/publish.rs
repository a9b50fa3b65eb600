//! Deviations in what is done with messages, and in their properties.

use super::packet::RawPacket;
use super::{Change, DeviationMemory, KnownDeviation, RewriteStep, pass};
use crate::mqtt::packet::{
    Ack, ConnAck, Malformed, Packet, PacketId, PropertyError, Publish, Subscribe,
};
use crate::mqtt::property::{Property, PropertyId};
use crate::mqtt::qos::QoS;
use crate::mqtt::topic::{TopicError, TopicName};

/// The types of packets.
const PUBLISH: u8 = 3;
const PUBACK: u8 = 4;
const PUBREC: u8 = 5;

const fn row(name: &'static str, sentence: &'static str, change: Change) -> KnownDeviation {
    KnownDeviation { name, sentence, servers: "", fails: &[], warns: &[], change }
}

/// Messages, changed.
fn changed(packet: &RawPacket, change: impl FnOnce(&mut Publish)) -> Vec<RewriteStep> {
    packet.changed(|packet| {
        if let Packet::Publish(publish) = packet {
            change(publish);
        }
    })
}

/// Leaves out what is like that.
fn ignored_if(is_ignored: bool) -> Vec<RewriteStep> {
    if is_ignored { Vec::new() } else { pass() }
}

/// The same message once more, at QoS 0.
fn copy(publish: &Publish, packet: &RawPacket) -> Vec<RewriteStep> {
    let publish = Publish { qos: QoS::AtMostOnce, packet_id: None, ..publish.clone() };
    packet.instead(&Packet::Publish(publish))
}

/// Whether a PUBLISH is malformed in this way.
fn is_wrong(packet: &RawPacket, is_it: impl FnOnce(&Malformed) -> bool) -> bool {
    packet.kind() == PUBLISH && packet.read().is_err_and(|error| is_it(&error))
}

fn is_no_text(error: &TopicError) -> bool {
    matches!(error, TopicError::NotUtf8 | TopicError::Nul)
}

/// A CONNACK with another property.
fn announcing(packet: &RawPacket, id: PropertyId, value: u32) -> Vec<RewriteStep> {
    packet.changed(|packet| {
        if let Packet::ConnAck(connack) = packet {
            let ConnAck { properties, .. } = &mut **connack;
            properties.remove(id);
            properties.push(Property::number(id, value));
        }
    })
}

pub const ROWS: &[KnownDeviation] = &[
    KnownDeviation {
        fails: &["qos0-round-trip"],
        ..row(
            "payload-cut-at-nul",
            "payloads end before their first byte 0",
            Change::server(|_, packet| {
                changed(packet, |publish| {
                    let end = publish.payload.iter().position(|byte| *byte == 0);
                    publish.payload.truncate(end.unwrap_or(usize::MAX));
                })
            }),
        )
    },
    KnownDeviation {
        fails: &["order"],
        ..row(
            "reordered",
            "every fortieth message comes after the next one",
            Change::server(reordered),
        )
    },
    KnownDeviation {
        servers: "NanoMQ and RMQTT in bursts",
        fails: &["order"],
        ..row(
            "one-lost",
            "every fortieth message of QoS 1 and 2 is lost",
            Change::server(|memory, packet| {
                let is_counted =
                    packet.publish().is_some_and(|publish| publish.qos > QoS::AtMostOnce);
                memory.count += u64::from(is_counted);
                ignored_if(is_counted && memory.count.is_multiple_of(40))
            }),
        )
    },
    KnownDeviation {
        fails: &["qos2-round-trip", "order"],
        ..row(
            "qos-2-twice",
            "messages of QoS 2 come twice",
            Change::server(|_, packet| match packet.publish() {
                Some(publish) if publish.qos == QoS::ExactlyOnce => {
                    let mut steps = pass();
                    steps.extend(copy(&publish, packet));
                    steps
                }
                _ => pass(),
            }),
        )
    },
    KnownDeviation {
        servers: "AWS IoT Core",
        fails: &["qos2-round-trip"],
        ..row(
            "no-pubrec",
            "a message of QoS 2 is not acknowledged",
            Change::server(|_, packet| ignored_if(packet.kind() == PUBREC)),
        )
    },
    KnownDeviation {
        servers: "RabbitMQ",
        fails: &["qos2-round-trip"],
        ..row(
            "qos-2-as-1",
            "a message of QoS 2 is taken at QoS 1, and answered by PUBACK",
            Change::client(|_, packet| {
                changed(packet, |publish| publish.qos = publish.qos.min(QoS::AtLeastOnce))
            }),
        )
    },
    KnownDeviation {
        servers: "RabbitMQ, for a user who may not write",
        fails: &["qos1-round-trip"],
        ..row(
            "no-puback",
            "a message of QoS 1 is not acknowledged (points that build on it are unknown)",
            Change::server(|_, packet| ignored_if(packet.kind() == PUBACK)),
        )
    },
    KnownDeviation {
        fails: &["utf8-topic", "packets-wellformed"],
        ..row(
            "byte-order-mark-stripped",
            "topics lose their byte order marks",
            Change::server(|_, packet| {
                changed(packet, |publish| {
                    let topic = publish.topic_or_empty().replace('\u{feff}', "");
                    publish.topic = TopicName::new(topic).ok().or(publish.topic.take());
                })
            }),
        )
    },
    KnownDeviation {
        fails: &["topic-checked"],
        ..row(
            "topics-unchecked",
            "a message to a topic with wildcards, or to none, is dropped without a word",
            Change::client(|_, packet| {
                ignored_if(is_wrong(packet, |error| match error {
                    Malformed::Topic(error) => !is_no_text(error),
                    error => *error == Malformed::NoTopic,
                }))
            }),
        )
    },
    KnownDeviation {
        fails: &["topic-bad-utf8"],
        ..row(
            "utf8-unchecked",
            "a message to a topic that is no UTF-8 is dropped without a word",
            Change::client(|_, packet| {
                ignored_if(is_wrong(packet, |error| match error {
                    Malformed::Topic(error) => is_no_text(error),
                    error => matches!(error, Malformed::NotUtf8 | Malformed::NulInString),
                }))
            }),
        )
    },
    KnownDeviation {
        fails: &["publish-header-checked"],
        ..row(
            "publish-headers-unchecked",
            "a message of QoS 3, or with packet identifier 0, is dropped without a word",
            Change::client(|_, packet| {
                ignored_if(is_wrong(packet, |error| {
                    matches!(error, Malformed::QoS3 | Malformed::PacketIdZero)
                }))
            }),
        )
    },
    KnownDeviation {
        fails: &["fixed-header-checked"],
        ..row(
            "fixed-headers-unchecked",
            "packets of unknown types, with wrong flags and with lengths in five bytes are ignored",
            Change::client(|_, packet| {
                ignored_if(
                    packet.kind() != PUBLISH
                        && packet.read().is_err_and(|error| {
                            matches!(
                                error,
                                Malformed::UnknownPacketType { .. }
                                    | Malformed::FixedHeaderFlags { .. }
                                    | Malformed::VariableByteInteger
                            )
                        }),
                )
            }),
        )
    },
    KnownDeviation {
        fails: &["dup-not-passed"],
        ..row(
            "dup-passed",
            "every message of QoS 1 and 2 comes with DUP",
            Change::server(|_, packet| {
                changed(packet, |publish| publish.dup = publish.qos > QoS::AtMostOnce)
            }),
        )
    },
    KnownDeviation {
        fails: &["pubrel-unknown"],
        ..row(
            "unknown-pubrel-ignored",
            "a PUBREL for an unknown packet identifier is not answered",
            Change::client(unknown_pubrel_ignored),
        )
    },
    KnownDeviation {
        servers: "Azure IoT Hub",
        fails: &["retain-stored", "retain-handling"],
        ..row(
            "retained-never-stored",
            "retained messages are not sent to those who subscribe",
            Change::packets(note_retain_as_published, |memory, packet| {
                let is_replay = packet.publish().is_some_and(|publish| publish.retain);
                ignored_if(is_replay && memory.count == 0)
            }),
        )
    },
    KnownDeviation {
        fails: &["retain-cleared"],
        ..row(
            "retained-never-cleared",
            "an empty retained message removes nothing",
            Change::client(|_, packet| match packet.publish() {
                Some(publish) if publish.retain && publish.payload.is_empty() => {
                    match publish.packet_id {
                        Some(id) => packet.answered(&Packet::PubAck(Ack::success(id))),
                        None => Vec::new(),
                    }
                }
                _ => pass(),
            }),
        )
    },
    KnownDeviation {
        fails: &["retain-live-flag", "retain-as-published"],
        ..row(
            "retain-always-1",
            "every message comes with RETAIN",
            Change::server(|_, packet| changed(packet, |publish| publish.retain = true)),
        )
    },
    KnownDeviation {
        fails: &["retain-stored", "retain-as-published"],
        ..row(
            "retain-always-0",
            "no message comes with RETAIN",
            Change::server(|_, packet| changed(packet, |publish| publish.retain = false)),
        )
    },
    KnownDeviation {
        fails: &["retain-live-flag"],
        ..row(
            "all-retained",
            "every message is retained",
            Change::client(|_, packet| changed(packet, |publish| publish.retain = true)),
        )
    },
    KnownDeviation {
        fails: &["properties-pass", "will-properties"],
        ..row(
            "user-properties-dropped",
            "user properties are not passed on",
            Change::server(|_, packet| {
                changed(packet, |publish| publish.properties.remove(PropertyId::UserProperty))
            }),
        )
    },
    KnownDeviation {
        servers: "mqttv5-cli",
        fails: &["properties-pass"],
        ..row(
            "user-property-added",
            "a user property is added to what is passed on",
            Change::server(|_, packet| {
                if !packet.version.has_properties() {
                    return pass();
                }
                changed(packet, |publish| {
                    publish.properties.push(Property::user("added".into(), "yes".into()));
                })
            }),
        )
    },
    KnownDeviation {
        fails: &["message-expiry"],
        ..row(
            "expiry-not-counted",
            "what is left of the expiry of a message is rounded up to the next 10 s",
            Change::server(expiry_restored),
        )
    },
    KnownDeviation {
        fails: &["short-acks"],
        ..row(
            "short-acks-refused",
            "MQTT 5: a PUBACK that leaves out its properties ends the connection",
            Change::client(|_, packet| {
                let is_short = packet.kind() == PUBACK && packet.body().len() == 3;
                if is_short { vec![RewriteStep::End] } else { pass() }
            }),
        )
    },
    KnownDeviation {
        fails: &["topic-alias-in"],
        ..row(
            "topic-alias-fatal",
            "a topic alias ends the connection, although CONNACK allows aliases",
            Change::client(|_, packet| {
                let alias = packet.publish().and_then(|publish| publish.properties.topic_alias());
                if alias.is_some() { vec![RewriteStep::End] } else { pass() }
            }),
        )
    },
    KnownDeviation {
        fails: &["topic-alias-checked"],
        ..row(
            "alias-0-taken",
            "a message with topic alias 0 is dropped without a word",
            Change::client(|_, packet| {
                let wrong = PropertyError::Value { property: PropertyId::TopicAlias };
                ignored_if(is_wrong(packet, |error| *error == Malformed::Property(wrong)))
            }),
        )
    },
    KnownDeviation {
        warns: &["announced-limits"],
        ..row(
            "retain-announced-as-absent",
            "CONNACK says that there are no retained messages, and there are",
            Change::server(|_, packet| announcing(packet, PropertyId::RetainAvailable, 0)),
        )
    },
    KnownDeviation {
        fails: &["receive-maximum-out"],
        ..row(
            "receive-maximum-ignored",
            "more messages are in flight than the client's Receive Maximum",
            Change::client(|_, packet| without(packet, PropertyId::ReceiveMaximum)),
        )
    },
    KnownDeviation {
        fails: &["maximum-packet-size-out"],
        ..row(
            "maximum-packet-size-ignored",
            "packets are larger than the client's Maximum Packet Size",
            Change::client(|_, packet| without(packet, PropertyId::MaximumPacketSize)),
        )
    },
    KnownDeviation {
        warns: &["receive-maximum-in"],
        ..row(
            "more-in-flight-than-announced",
            "CONNACK announces a Receive Maximum of 9, and more is taken",
            Change::server(|_, packet| announcing(packet, PropertyId::ReceiveMaximum, 9)),
        )
    },
    KnownDeviation {
        fails: &["maximum-packet-size-in"],
        ..row(
            "larger-than-announced-taken",
            "CONNACK announces a Maximum Packet Size of 4 KiB, and more is taken",
            Change::server(|_, packet| announcing(packet, PropertyId::MaximumPacketSize, 4096)),
        )
    },
];

/// A CONNECT without this property.
fn without(packet: &RawPacket, id: PropertyId) -> Vec<RewriteStep> {
    packet.changed(|packet| {
        if let Packet::Connect(connect) = packet {
            connect.properties.remove(id);
        }
    })
}

fn reordered(memory: &mut DeviationMemory, packet: &RawPacket) -> Vec<RewriteStep> {
    if packet.kind() != PUBLISH {
        return pass();
    }
    memory.count += 1;
    if memory.count.is_multiple_of(40) {
        memory.kept = Some(packet.bytes.clone());
        return Vec::new();
    }
    [RewriteStep::Pass].into_iter().chain(memory.kept.take().map(RewriteStep::Onward)).collect()
}

fn unknown_pubrel_ignored(memory: &mut DeviationMemory, packet: &RawPacket) -> Vec<RewriteStep> {
    match packet.read() {
        Ok(Packet::Publish(publish)) => memory.ids.extend(publish.packet_id.map(PacketId::get)),
        Ok(Packet::PubRel(ack)) => return ignored_if(!memory.ids.contains(&ack.packet_id.get())),
        _ => {}
    }
    pass()
}

/// Notes whether the client wants the RETAIN flag as it was published.
fn note_retain_as_published(memory: &mut DeviationMemory, packet: &RawPacket) -> Vec<RewriteStep> {
    let wants_flag = |it: Subscribe| it.subscriptions.iter().any(|one| one.retain_as_published);
    memory.count |= u64::from(packet.subscribe().is_some_and(wants_flag));
    pass()
}

fn expiry_restored(_: &mut DeviationMemory, packet: &RawPacket) -> Vec<RewriteStep> {
    changed(packet, |publish| {
        if let Some(left) = publish.properties.message_expiry_interval() {
            let whole = left.div_ceil(10) * 10;
            publish.properties.remove(PropertyId::MessageExpiryInterval);
            publish.properties.push(Property::number(PropertyId::MessageExpiryInterval, whole));
        }
    })
}
