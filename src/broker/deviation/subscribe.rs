//! Deviations in what is done with subscriptions.

use bytes::Bytes;

use super::packet::RawPacket;
use super::{Change, DeviationMemory, KeptBytes, NamedChange, RewriteStep, pass};
use crate::mqtt::packet::{
    Malformed, Packet, Publish, RetainHandling, Subscribe, Subscription, UnsubAck,
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

/// The options of each filter, changed.
fn options(packet: &RawPacket, change: impl Fn(&mut Subscription)) -> Vec<RewriteStep> {
    changed(packet, |subscribe| subscribe.subscriptions.iter_mut().for_each(change))
}

/// What stands before a filter that is to match nothing: to topics below it nobody publishes.
const NOWHERE: &str = "$nowhere/";

/// A filter that matches nothing instead of one that is shared.
fn unshare(filter: &mut TopicFilter) {
    let nowhere = filter.share().map(|_| format!("{NOWHERE}{}", filter.as_str()));
    if let Some(Ok(nowhere)) = nowhere.map(TopicFilter::new) {
        *filter = nowhere;
    }
}

/// SUBSCRIBE and UNSUBSCRIBE, in which shared filters match nothing.
fn unshared(packet: &RawPacket) -> Vec<RewriteStep> {
    packet.changed(|packet| match packet {
        Packet::Subscribe(subscribe) => {
            subscribe.subscriptions.iter_mut().for_each(|one| unshare(&mut one.filter));
        }
        Packet::Unsubscribe(unsubscribe) => unsubscribe.filters.iter_mut().for_each(unshare),
        _ => {}
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
    ("share-never-delivered", Change::client(|_, packet| unshared(packet))),
    (
        "any-filter-granted",
        Change::client(|_, packet| match packet.read() {
            Err(Malformed::Topic(_)) if packet.kind() == SUBSCRIBE => with_valid_filters(packet),
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
                note_shared(memory, packet);
                if packet.kind() == SUBSCRIBE { unshared(packet) } else { pass() }
            },
            |memory, packet| {
                let refusal = refusal(packet.version);
                packet.changed(|packet| {
                    let Packet::SubAck(ack) = packet else { return };
                    for (at, code) in ack.codes.iter_mut().enumerate() {
                        if memory.filters.remove(&place(ack.packet_id.get(), at)).is_some() {
                            *code = refusal;
                        }
                    }
                })
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

/// Whether a filter matches the topic of a message.
fn is_match(filter: &str, publish: &Publish) -> bool {
    let filter = TopicFilter::new(filter.to_owned()).ok();
    let topic = publish.topic.as_ref();
    filter.zip(topic).is_some_and(|(filter, topic)| filter.matches(topic))
}

fn is_held_twice(memory: &DeviationMemory, publish: &Publish) -> bool {
    let mut twice = memory.filters.iter().filter(|(_, times)| **times > 1);
    !publish.retain && twice.any(|(filter, _)| is_match(filter, publish))
}

/// Whether a message matches only because filters end in `/#` after its topic.
fn is_parent_only(memory: &DeviationMemory, publish: &Publish) -> bool {
    let is_parent =
        |filter: &str| filter.strip_suffix("/#").is_some_and(|parent| is_match(parent, publish));
    let mut matching = memory.filters.keys().filter(|filter| is_match(filter, publish)).peekable();
    matching.peek().is_some() && matching.all(|filter| is_parent(filter))
}

/// A SUBSCRIBE in which each filter that is none is one that matches nothing.
fn with_valid_filters(packet: &RawPacket) -> Vec<RewriteStep> {
    let body = packet.body();
    if body.len() < 2 {
        return pass();
    }
    let properties = if packet.version.has_properties() { properties_len(&body[2..]) } else { 0 };
    let Some((head, mut rest)) = body.split_at_checked(2 + properties) else { return pass() };
    let mut valid = head.to_vec();
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length));
        let Some((filter, after)) = after.split_at_checked(length) else { return pass() };
        let Some((options, after)) = after.split_first() else { return pass() };
        let is_valid = TopicFilter::from_bytes(Bytes::copy_from_slice(filter)).is_ok();
        let filter = if is_valid { filter } else { NOWHERE.as_bytes() };
        let Ok(length) = u16::try_from(filter.len()) else { return pass() };
        valid.extend(length.to_be_bytes());
        valid.extend(filter);
        valid.push(*options);
        rest = after;
    }
    packet.with_body(&valid)
}

/// How many bytes properties take that these begin with, with their length.
fn properties_len(bytes: &[u8]) -> usize {
    let longer = bytes.iter().take_while(|byte| **byte >= 0x80).count();
    let digits = bytes.iter().take(longer + 1);
    let value = digits.rev().fold(0, |value, byte| value * 0x80 + usize::from(byte & 0x7f));
    longer + 1 + value
}

/// The place of a filter in a SUBSCRIBE, as a key.
fn place(packet_id: u16, at: usize) -> String {
    format!("{packet_id} {at}")
}

/// Notes the places of the filters that are shared.
fn note_shared(memory: &mut DeviationMemory, packet: &RawPacket) {
    let Some(Subscribe { packet_id, subscriptions, .. }) = packet.subscribe() else { return };
    let shared = subscriptions.iter().enumerate().filter(|(_, one)| one.filter.share().is_some());
    memory.filters.extend(shared.map(|(at, _)| (place(packet_id.get(), at), 1)));
}

/// The code for a shared subscription that is refused.
fn refusal(version: Version) -> ReasonCode {
    match version {
        Version::V5 => ReasonCode::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED,
        _ => ReasonCode::UNSPECIFIED_ERROR,
    }
}
