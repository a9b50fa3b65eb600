//! Deviations in what is done with subscriptions.

use super::packet::RawPacket;
use super::{Change, DeviationMemory, KeptBytes, NamedChange, RewriteStep, pass};
use crate::mqtt::packet::{
    Malformed, Packet, Publish, RetainHandling, SubAck, Subscribe, Subscription, UnsubAck,
};
use crate::mqtt::property::{Properties, PropertyId};
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::topic::TopicFilter;
use crate::mqtt::version::Version;

/// The types of packets.
const PUBLISH: u8 = 3;
const SUBSCRIBE: u8 = 8;
const SUBACK: u8 = 9;

/// SUBSCRIBE, changed.
fn changed(packet: &RawPacket, change: impl FnOnce(&mut Subscribe)) -> Vec<RewriteStep> {
    packet.changed(|packet| {
        if let Packet::Subscribe(subscribe) = packet {
            change(subscribe);
        }
    })
}

/// The options of each filter that is not shared, changed.
fn options(packet: &RawPacket, change: impl Fn(&mut Subscription)) -> Vec<RewriteStep> {
    changed(packet, |subscribe| {
        let plain = |one: &&mut Subscription| one.filter.share().is_none();
        subscribe.subscriptions.iter_mut().filter(plain).for_each(change);
    })
}

/// The codes of SUBACK, changed.
fn recoded(packet: &RawPacket, change: impl FnOnce(&mut Vec<ReasonCode>)) -> Vec<RewriteStep> {
    packet.changed(|packet| {
        if let Packet::SubAck(ack) = packet {
            change(&mut ack.codes);
        }
    })
}

/// Notes how often each filter is subscribed to.
fn note_filters(memory: &mut DeviationMemory, packet: &RawPacket) {
    if let Some(subscribe) = packet.subscribe() {
        for one in &subscribe.subscriptions {
            *memory.filters.entry(one.filter.as_str().to_owned()).or_default() += 1;
        }
    } else if let Ok(Packet::Unsubscribe(unsubscribe)) = packet.read() {
        for filter in &unsubscribe.filters {
            memory.filters.remove(filter.as_str());
        }
    }
}

pub const CHANGES: &[NamedChange] = &[
    ("one-suback-code", Change::server(|_, packet| recoded(packet, |codes| codes.truncate(1)))),
    ("suback-codes-reversed", Change::server(|_, packet| recoded(packet, |codes| codes.reverse()))),
    ("qos-raised", Change::packets(asking_for_2, told_as_asked)),
    (
        "qos-downgraded",
        Change::client(|_, packet| options(packet, |one| one.qos = QoS::AtMostOnce)),
    ),
    (
        "filter-held-twice",
        Change::packets(
            |memory, packet| {
                note_filters(memory, packet);
                pass()
            },
            |memory, packet| match packet.publish() {
                Some(publish) if is_held_twice(memory, &publish) => {
                    let copy = Publish { qos: QoS::AtMostOnce, packet_id: None, ..publish.clone() };
                    let mut steps = pass();
                    steps.extend(packet.instead(&Packet::Publish(copy)));
                    steps
                }
                _ => pass(),
            },
        ),
    ),
    (
        "unsubscribe-ignored",
        Change::client(|_, packet| match packet.read() {
            Ok(Packet::Unsubscribe(unsubscribe)) => {
                let is_v5 = packet.version.has_properties();
                let codes = unsubscribe.filters.iter().enumerate().filter(|_| is_v5);
                let codes = codes.map(|(at, _)| match at {
                    0 => ReasonCode::SUCCESS,
                    _ => ReasonCode::NO_SUBSCRIPTION_EXISTED,
                });
                let (packet_id, codes) = (unsubscribe.packet_id, codes.collect());
                let properties = Properties::default();
                packet.answered(&Packet::UnsubAck(UnsubAck { packet_id, properties, codes }))
            }
            _ => pass(),
        }),
    ),
    (
        "unsuback-with-foreign-id",
        Change::server(|_, packet| {
            packet.changed(|packet| {
                if let Packet::UnsubAck(ack) = packet
                    && let Some(other) = ack.packet_id.checked_add(1)
                {
                    ack.packet_id = other;
                }
            })
        }),
    ),
    (
        "unsuback-always-0",
        Change::server(|_, packet| {
            packet.changed(|packet| {
                if let Packet::UnsubAck(ack) = packet {
                    ack.codes.fill(ReasonCode::SUCCESS);
                }
            })
        }),
    ),
    (
        "hash-without-parent",
        Change::packets(
            |memory, packet| {
                note_filters(memory, packet);
                pass()
            },
            |memory, packet| match packet.publish() {
                Some(publish) if is_parent_only(memory, &publish) => Vec::new(),
                _ => pass(),
            },
        ),
    ),
    ("no-local-ignored", Change::client(|_, packet| options(packet, |one| one.no_local = false))),
    (
        "retain-as-published-ignored",
        Change::client(|_, packet| options(packet, |one| one.retain_as_published = false)),
    ),
    (
        "retain-handling-ignored",
        Change::client(|_, packet| {
            options(packet, |one| one.retain_handling = RetainHandling::Always)
        }),
    ),
    (
        "subscription-ids-ignored",
        Change::client(|_, packet| {
            changed(packet, |subscribe| {
                subscribe.properties.remove(PropertyId::SubscriptionIdentifier);
            })
        }),
    ),
    (
        "share-ignored",
        Change::client(|_, packet| {
            changed(packet, |subscribe| {
                for one in &mut subscribe.subscriptions {
                    let plain = one.filter.share().map(|(_, filter)| filter.to_owned());
                    if let Some(Ok(plain)) = plain.map(TopicFilter::new) {
                        one.filter = plain;
                    }
                }
            })
        }),
    ),
    (
        "share-never-delivered",
        Change::client(|_, packet| match packet.subscribe() {
            Some(subscribe)
                if subscribe.subscriptions.iter().all(|one| one.filter.share().is_some()) =>
            {
                granted(packet, &subscribe)
            }
            _ => pass(),
        }),
    ),
    (
        "any-filter-granted",
        Change::client(|_, packet| match packet.read() {
            Err(Malformed::Topic(_)) if packet.kind() == SUBSCRIBE => granted_unread(packet),
            _ => pass(),
        }),
    ),
    (
        "subscribe-unchecked",
        Change::client(|_, packet| match packet.read() {
            Err(error) if packet.kind() == SUBSCRIBE => match error {
                Malformed::Topic(_)
                | Malformed::NoLocalShared
                | Malformed::FixedHeaderFlags { .. } => pass(),
                _ => Vec::new(),
            },
            _ => pass(),
        }),
    ),
    (
        "publish-before-suback",
        Change { kept: KeptBytes::SentLast, ..Change::server(suback_after_messages) },
    ),
    (
        "share-refused",
        Change::packets(
            |memory, packet| {
                memory
                    .ids
                    .extend(packet.subscribe().filter(is_shared).map(|one| one.packet_id.get()));
                pass()
            },
            |memory, packet| match packet.read() {
                Ok(Packet::SubAck(ack)) if memory.ids.remove(&ack.packet_id.get()) => {
                    let codes = vec![refusal(packet.version); ack.codes.len()];
                    packet.instead(&Packet::SubAck(SubAck { codes, ..ack }))
                }
                _ => pass(),
            },
        ),
    ),
];

/// Keeps SUBACK until another packet comes that is no message, or none comes.
fn suback_after_messages(memory: &mut DeviationMemory, packet: &RawPacket) -> Vec<RewriteStep> {
    match packet.kind() {
        SUBACK => {
            memory.kept.get_or_insert_default().extend(&packet.bytes);
            Vec::new()
        }
        PUBLISH => pass(),
        _ => memory.kept.take().map(RewriteStep::Onward).into_iter().chain(pass()).collect(),
    }
}

/// Asks for QoS 2, and notes what the client has asked for.
fn asking_for_2(memory: &mut DeviationMemory, packet: &RawPacket) -> Vec<RewriteStep> {
    if let Some(subscribe) = packet.subscribe() {
        let asked = subscribe.subscriptions.iter().map(|one| one.qos.bits());
        memory.kept = Some(asked.collect());
    }
    options(packet, |one| one.qos = QoS::ExactlyOnce)
}

/// Tells the client that it was granted what it has asked for.
fn told_as_asked(memory: &mut DeviationMemory, packet: &RawPacket) -> Vec<RewriteStep> {
    recoded(packet, |codes| {
        let asked = memory.kept.take().unwrap_or_default();
        for (code, asked) in codes.iter_mut().zip(asked).filter(|(code, _)| !code.is_error()) {
            *code = ReasonCode(asked);
        }
    })
}

fn is_held_twice(memory: &DeviationMemory, publish: &Publish) -> bool {
    !publish.retain && memory.filters.get(publish.topic_or_empty()).is_some_and(|times| *times > 1)
}

/// Whether a message matches only because a filter ends in `/#` after its topic.
fn is_parent_only(memory: &DeviationMemory, publish: &Publish) -> bool {
    let topic = publish.topic_or_empty();
    memory.filters.contains_key(&format!("{topic}/#")) && !memory.filters.contains_key(topic)
}

/// A SUBACK that grants all.
fn granted(packet: &RawPacket, subscribe: &Subscribe) -> Vec<RewriteStep> {
    let codes = subscribe.subscriptions.iter().map(|one| ReasonCode(one.qos.bits())).collect();
    let (packet_id, properties) = (subscribe.packet_id, Properties::default());
    packet.answered(&Packet::SubAck(SubAck { packet_id, properties, codes }))
}

/// A SUBACK with one code for a SUBSCRIBE that cannot be read.
fn granted_unread(packet: &RawPacket) -> Vec<RewriteStep> {
    let body = packet.body();
    let id = body.first_chunk::<2>().map_or(0, |id| u16::from_be_bytes(*id));
    let Ok(packet_id) = id.try_into() else { return pass() };
    let (codes, properties) = (vec![ReasonCode::SUCCESS], Properties::default());
    packet.answered(&Packet::SubAck(SubAck { packet_id, properties, codes }))
}

/// Whether the first filter is shared.
fn is_shared(subscribe: &Subscribe) -> bool {
    subscribe.subscriptions.first().is_some_and(|one| one.filter.share().is_some())
}

/// The code for a shared subscription that is refused.
fn refusal(version: Version) -> ReasonCode {
    match version {
        Version::V5 => ReasonCode::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED,
        _ => ReasonCode::UNSPECIFIED_ERROR,
    }
}
