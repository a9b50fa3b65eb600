//! Deviations in what is done with messages, and in their properties.

use super::packet::RawPacket;
use super::{Change, DeviationMemory, NamedChange, RewriteStep, pass};
use crate::mqtt::packet::{
    ConnAck, Malformed, Packet, PacketId, PropertyError, Publish, Subscribe,
};
use crate::mqtt::property::{Property, PropertyId};
use crate::mqtt::qos::QoS;
use crate::mqtt::topic::{TopicError, TopicName};

/// The types of packets.
const PUBLISH: u8 = 3;
const PUBACK: u8 = 4;
const PUBREC: u8 = 5;

/// What counts as a large message, in bytes.
const LARGE: usize = 128 * 1024;

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
    packet.changed_connack(|ConnAck { properties, .. }| {
        properties.remove(id);
        properties.push(Property::number(id, value));
    })
}

pub const CHANGES: &[NamedChange] = &[
    (
        "payload-cut-at-nul",
        Change::server(|_, packet| {
            changed(packet, |publish| {
                let end = publish.payload.iter().position(|byte| *byte == 0);
                publish.payload.truncate(end.unwrap_or(usize::MAX));
            })
        }),
    ),
    ("reordered", Change::server(reordered)),
    (
        "one-lost",
        Change::server(|memory, packet| {
            let is_counted = packet.publish().is_some_and(|publish| publish.qos > QoS::AtMostOnce);
            memory.count += u64::from(is_counted);
            ignored_if(is_counted && memory.count.is_multiple_of(40))
        }),
    ),
    (
        "qos-2-twice",
        Change::server(|_, packet| match packet.publish() {
            Some(publish) if publish.qos == QoS::ExactlyOnce => {
                let mut steps = pass();
                steps.extend(copy(&publish, packet));
                steps
            }
            _ => pass(),
        }),
    ),
    ("no-pubrec", Change::server(|_, packet| ignored_if(packet.kind() == PUBREC))),
    (
        "qos-2-as-1",
        Change::client(|_, packet| {
            changed(packet, |publish| publish.qos = publish.qos.min(QoS::AtLeastOnce))
        }),
    ),
    ("no-puback", Change::server(|_, packet| ignored_if(packet.kind() == PUBACK))),
    (
        "byte-order-mark-stripped",
        Change::server(|_, packet| {
            changed(packet, |publish| {
                let topic = publish.topic_or_empty().replace('\u{feff}', "");
                publish.topic = TopicName::new(topic).ok().or(publish.topic.take());
            })
        }),
    ),
    (
        "topics-unchecked",
        Change::client(|_, packet| {
            ignored_if(is_wrong(packet, |error| match error {
                Malformed::Topic(error) => !is_no_text(error),
                error => *error == Malformed::NoTopic,
            }))
        }),
    ),
    (
        "utf8-unchecked",
        Change::client(|_, packet| {
            ignored_if(is_wrong(packet, |error| match error {
                Malformed::Topic(error) => is_no_text(error),
                error => matches!(error, Malformed::NotUtf8 | Malformed::NulInString),
            }))
        }),
    ),
    (
        "publish-headers-unchecked",
        Change::client(|_, packet| {
            ignored_if(is_wrong(packet, |error| {
                matches!(error, Malformed::QoS3 | Malformed::PacketIdZero)
            }))
        }),
    ),
    (
        "fixed-headers-unchecked",
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
    ),
    (
        "dup-passed",
        Change::server(|_, packet| {
            changed(packet, |publish| publish.dup = publish.qos > QoS::AtMostOnce)
        }),
    ),
    ("unknown-pubrel-ignored", Change::client(unknown_pubrel_ignored)),
    (
        "retained-never-stored",
        Change::packets(note_retain_as_published, |memory, packet| {
            let is_replay = packet.publish().is_some_and(|publish| publish.retain);
            ignored_if(is_replay && memory.count == 0)
        }),
    ),
    (
        "retained-never-cleared",
        Change::client(|_, packet| {
            changed(packet, |publish| publish.retain &= !publish.payload.is_empty())
        }),
    ),
    (
        "retain-always-1",
        Change::server(|_, packet| changed(packet, |publish| publish.retain = true)),
    ),
    (
        "retain-always-0",
        Change::server(|_, packet| changed(packet, |publish| publish.retain = false)),
    ),
    ("all-retained", Change::client(|_, packet| changed(packet, |publish| publish.retain = true))),
    (
        "user-properties-dropped",
        Change::server(|_, packet| {
            changed(packet, |publish| publish.properties.remove(PropertyId::UserProperty))
        }),
    ),
    (
        "user-property-added",
        Change::server(|_, packet| {
            if !packet.version.has_properties() {
                return pass();
            }
            changed(packet, |publish| {
                publish.properties.push(Property::user("added".into(), "yes".into()));
            })
        }),
    ),
    ("expiry-not-counted", Change::server(expiry_restored)),
    (
        "short-acks-refused",
        Change::client(|_, packet| {
            let is_short = packet.kind() == PUBACK && packet.body().len() == 3;
            if is_short { vec![RewriteStep::End] } else { pass() }
        }),
    ),
    (
        "topic-alias-fatal",
        Change::client(|_, packet| {
            let alias = packet.publish().and_then(|publish| publish.properties.topic_alias());
            if alias.is_some() { vec![RewriteStep::End] } else { pass() }
        }),
    ),
    (
        "alias-0-taken",
        Change::client(|_, packet| {
            let wrong = PropertyError::Value { property: PropertyId::TopicAlias };
            ignored_if(is_wrong(packet, |error| *error == Malformed::Property(wrong)))
        }),
    ),
    (
        "retain-announced-as-absent",
        Change::server(|_, packet| announcing(packet, PropertyId::RetainAvailable, 0)),
    ),
    (
        "receive-maximum-ignored",
        Change::client(|_, packet| without(packet, PropertyId::ReceiveMaximum)),
    ),
    (
        "maximum-packet-size-ignored",
        Change::client(|_, packet| without(packet, PropertyId::MaximumPacketSize)),
    ),
    (
        "more-in-flight-than-announced",
        Change::server(|_, packet| announcing(packet, PropertyId::ReceiveMaximum, 9)),
    ),
    (
        "larger-than-announced-taken",
        Change::server(|_, packet| announcing(packet, PropertyId::MaximumPacketSize, 4096)),
    ),
    (
        "qos-2-ends",
        Change::client(|_, packet| match packet.publish() {
            Some(publish) if publish.qos == QoS::ExactlyOnce => vec![RewriteStep::End],
            _ => pass(),
        }),
    ),
    (
        "blank-in-topic-ends",
        Change::client(|_, packet| match packet.publish() {
            Some(publish) if publish.topic_or_empty().contains(' ') => vec![RewriteStep::End],
            _ => pass(),
        }),
    ),
    (
        "large-messages-dropped",
        Change::client(|_, packet| {
            ignored_if(packet.kind() == PUBLISH && packet.bytes.len() > LARGE)
        }),
    ),
    ("packet-ids-reused", Change::packets(real_id, same_id)),
];

/// A CONNECT without this property.
fn without(packet: &RawPacket, id: PropertyId) -> Vec<RewriteStep> {
    packet.changed_connect(|connect| connect.properties.remove(id))
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
    if let Some(publish) = packet.publish() {
        memory.ids.extend(publish.packet_id.map(PacketId::get));
    }
    match packet.read() {
        Ok(Packet::PubRel(ack)) => ignored_if(!memory.ids.contains(&ack.packet_id.get())),
        _ => pass(),
    }
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

/// Gives every message the identifier 1, and remembers its own.
fn same_id(memory: &mut DeviationMemory, packet: &RawPacket) -> Vec<RewriteStep> {
    packet.changed(|packet| {
        if let Packet::Publish(publish) = packet {
            if let Some(id) = &mut publish.packet_id {
                memory.ids.insert(id.get());
                *id = PacketId::MIN;
            }
        } else if let Packet::PubRel(ack) = packet {
            ack.packet_id = PacketId::MIN;
        }
    })
}

/// Gives an acknowledgement the identifier of the oldest message that awaits one.
fn real_id(memory: &mut DeviationMemory, packet: &RawPacket) -> Vec<RewriteStep> {
    let oldest = memory.ids.first().copied().and_then(PacketId::new);
    let is_end = matches!(packet.read(), Ok(Packet::PubAck(_) | Packet::PubComp(_)));
    let steps = packet.changed(|packet| {
        if let Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubComp(ack) = packet {
            ack.packet_id = oldest.unwrap_or(ack.packet_id);
        }
    });
    if is_end {
        memory.ids.pop_first();
    }
    steps
}
