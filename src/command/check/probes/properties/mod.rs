//! Probes of the group properties: the properties of MQTT 5.

mod aliases;
mod illegal;

use std::time::Duration;

use bytes::Bytes;

use super::session::wills::{heir, inherited, on_with_will, will};
use super::{GroupProbes, PointProbe};
use crate::command::check::bench::{Bench, Conn};
use crate::command::check::connection::mqtt::Acks;
use crate::command::check::finding::{Finding, Probed, StepResult, Stop};
use crate::mqtt::packet::{
    Ack, Packet, PacketId, PacketType, Publish, Subscribe, Subscription, Unsubscribe, Will,
};
use crate::mqtt::property::{Properties, Property, PropertyId};
use crate::mqtt::qos::QoS;
use crate::mqtt::topic::TopicFilter;
use crate::mqtt::version::Version;

/// The probes of this group.
pub const PROBES: GroupProbes = &[
    ("properties-pass", PointProbe::Ask(properties_pass)),
    ("short-acks", PointProbe::Ask(short_acks)),
    ("topic-alias-in", PointProbe::Ask(aliases::topic_alias_in)),
    ("topic-alias-out", PointProbe::Ask(aliases::topic_alias_out)),
    ("topic-alias-checked", PointProbe::Ask(aliases::topic_alias_checked)),
    ("message-expiry", PointProbe::Ask(message_expiry)),
    ("announced-limits", PointProbe::Ask(illegal::announced_limits)),
    ("publish-properties-checked", PointProbe::Ask(illegal::publish_properties_checked)),
    ("will-properties", PointProbe::Ask(will_properties)),
    ("problem-information-off", PointProbe::Ask(problem_information_off)),
];

/// How long a will may take beside W.
const MARGIN: Duration = Duration::from_secs(5);

/// A message expiry that is counted, and one that ends, in seconds.
const LONG_EXPIRY: u32 = 30;
const SHORT_EXPIRY: u32 = 1;

/// How long the messages that expire are left alone.
const FIRST_WAIT: Duration = Duration::from_secs(2);
const SECOND_WAIT: Duration = Duration::from_secs(1);

/// User properties: one name twice, one value empty.
const USER: [(&str, &str); 5] = [("b", "1"), ("a", "2"), ("b", "3"), ("empty", ""), ("c", "ü")];

/// These user properties.
fn user(pairs: &[(&'static str, &'static str)]) -> impl Iterator<Item = Property> {
    pairs.iter().map(|(name, value)| Property::user((*name).into(), (*value).into()))
}

/// What differs between the properties that were sent and those that came: what the server must
/// pass on unaltered, and nothing else.
fn difference(sent: &Properties, came: &Properties) -> Option<String> {
    let ids = [
        PropertyId::PayloadFormatIndicator,
        PropertyId::ContentType,
        PropertyId::ResponseTopic,
        PropertyId::CorrelationData,
        PropertyId::UserProperty,
    ];
    let of = |properties: &Properties, id| -> Vec<Property> {
        properties.iter().filter(|property| property.id() == id).cloned().collect()
    };
    ids.into_iter().find_map(|id| {
        let (sent, came) = (of(sent, id), of(came, id));
        if sent == came {
            return None;
        }
        Some(match (sent.len(), came.len()) {
            (_, 0) => format!("{id} did not arrive"),
            (sent, came) if sent != came => format!("{sent} × {id} were sent, {came} came"),
            (1, _) => format!("{id} came with another value"),
            _ => format!("{id} came in another order, or with other values"),
        })
    })
}

fn properties_pass(bench: &mut Bench) -> Probed {
    let conn = bench.shared()?;
    let topic = bench.topic("");
    bench.subscribe(conn, &topic, QoS::AtLeastOnce)?;
    let mut publish = Bench::message(&topic, QoS::AtLeastOnce, "properties");
    publish.properties.0 = vec![
        Property::number(PropertyId::PayloadFormatIndicator, 1),
        Property::text(PropertyId::ContentType, "text/plain".into()),
        Property::text(PropertyId::ResponseTopic, bench.topic("/answer").into()),
        Property::binary(PropertyId::CorrelationData, Bytes::from_static(b"\x00\xff\x80")),
    ];
    publish.properties.0.extend(user(&USER));
    let sent = publish.properties.clone();
    bench.publish(conn, publish)?;
    let came = bench.delivery(conn, &topic)?;
    Ok(match difference(&sent, &came.properties) {
        Some(words) => Finding::fail(words),
        None => Finding::pass("all came, equal and in order"),
    })
}

fn short_acks(bench: &mut Bench) -> Probed {
    let conn = bench.shared()?;
    bench.link(conn).mqtt.acks = Acks::Held;
    let probed = acknowledge_shortly(bench, conn);
    bench.link(conn).mqtt.acks = Acks::Automatic;
    probed
}

fn acknowledge_shortly(bench: &mut Bench, conn: Conn) -> Probed {
    let topic = bench.topic("");
    bench.subscribe(conn, &topic, QoS::AtLeastOnce)?;
    // Behind the identifier: nothing, the reason code, and an empty list of properties, too.
    for rest in [&b""[..], b"\0", b"\0\0"] {
        bench.publish(conn, Bench::message(&topic, QoS::AtLeastOnce, "ack"))?;
        let Some(id) = bench.delivery(conn, &topic)?.packet_id else {
            return Ok(Finding::unknown("the message came at QoS 0 (see granted-qos)"));
        };
        let body = [&id.get().to_be_bytes()[..], rest].concat();
        let length = u8::try_from(body.len()).unwrap_or(u8::MAX);
        bench.send_bytes(conn, &[&[0x40, length][..], &body].concat());
        let words = format!("PUBACK of {length} bytes");
        match bench.fence(conn) {
            Err(Stop::Ended { end, .. }) => {
                return Ok(Finding::fail(format!("{words} ended the connection: {end}")).in_doubt());
            }
            Err(Stop::Silent { .. }) => {
                return Ok(Finding::fail(format!("no answer any more after {words}")).in_doubt());
            }
            fenced => fenced?,
        }
    }
    Ok(Finding::pass("PUBACK of 2, 3 and 4 bytes was taken"))
}

/// Publishes a retained message that expires.
fn retain(bench: &mut Bench, conn: Conn, topic: &str, expiry: u32) -> StepResult<()> {
    let mut publish = Bench::message(topic, QoS::AtLeastOnce, "expires");
    publish.retain = true;
    publish.properties.push(Property::number(PropertyId::MessageExpiryInterval, expiry));
    bench.publish(conn, publish)
}

fn message_expiry(bench: &mut Bench) -> Probed {
    let conn = bench.on()?;
    if bench.announced("retain_available") == Some(0) {
        return Ok(Finding::not_applicable("the server retains nothing"));
    }
    bench.allow(FIRST_WAIT + SECOND_WAIT);
    let (long, short) = (bench.topic("/30"), bench.topic("/1"));
    retain(bench, conn, &long, LONG_EXPIRY)?;
    retain(bench, conn, &short, SHORT_EXPIRY)?;
    bench.pause(conn, FIRST_WAIT)?;
    bench.subscribe(conn, &long, QoS::AtLeastOnce)?;
    let came = match bench.delivery(conn, &long) {
        Err(Stop::Silent { .. }) => {
            return Ok(Finding::unknown("the retained message did not come (see retain-stored)"));
        }
        came => came?,
    };
    let passed = u32::try_from(bench.elapsed().as_secs()).unwrap_or(u32::MAX);
    judge_expiry(came.properties.message_expiry_interval(), passed)?;
    bench.pause(conn, SECOND_WAIT)?;
    bench.subscribe(conn, &short, QoS::AtLeastOnce)?;
    let before = bench.mark(conn, &short, QoS::AtLeastOnce)?;
    Ok(if before.is_empty() {
        Finding::pass("the time that is left is told, and what has expired does not come")
    } else {
        Finding::fail("a message with an expiry of 1 s came 3 s later")
    })
}

/// The expiry of the message, so many seconds after it was sent.
fn judge_expiry(left: Option<u32>, passed: u32) -> StepResult<()> {
    let Some(left) = left else {
        return Err(Finding::fail("a message came without the expiry that it had").into());
    };
    // At most so many seconds have passed, and at least those of the wait.
    let most = LONG_EXPIRY - 1;
    let least = LONG_EXPIRY.saturating_sub(passed.saturating_add(1));
    if (least..=most).contains(&left) {
        return Ok(());
    }
    let words = format!("{passed} s after it was sent with 30 s, {left} s are left");
    Err(Finding::fail(words).into())
}

fn will_properties(bench: &mut Bench) -> Probed {
    let topic = bench.topic("");
    let other = heir(bench, &topic)?;
    // The session ends with the connection, and the delay with the session (§3.1.3.2.2).
    let mut properties = Properties(vec![
        Property::number(PropertyId::WillDelayInterval, 1),
        Property::number(PropertyId::PayloadFormatIndicator, 1),
        Property::text(PropertyId::ContentType, "text/plain".into()),
    ]);
    properties.0.extend(user(&USER[..3]));
    let conn = on_with_will(bench, Will { properties: properties.clone(), ..will(&topic) })?;
    bench.cut(conn);
    let time = bench.patience() + MARGIN;
    bench.allow(time);
    let Some(came) = inherited(bench, other, &topic, time)? else {
        let mut inbox = bench.link(other).mqtt.inbox.iter();
        let malformed = inbox.find(|received| received.packet.is_err());
        return Ok(match malformed {
            Some(received) => Finding::fail(received.words()),
            None => Finding::fail(format!("no will within {} s", time.as_secs())).in_doubt(),
        });
    };
    Ok(match difference(&properties, &came.properties) {
        Some(words) => Finding::fail(words),
        None => Finding::pass("all came, equal and in order, without the Will Delay Interval"),
    })
}

fn problem_information_off(bench: &mut Bench) -> Probed {
    let mut connect = bench.connect_packet(Version::V5);
    connect.properties.push(Property::number(PropertyId::RequestProblemInformation, 0));
    let conn = bench.on_with(connect)?;
    let topic = bench.topic("");
    let mut answers = vec![unsubscribe_unheld(bench, conn, &topic)?];
    let at = |qos| Bench::message(&topic, qos, "nobody");
    answers.extend(publish_to_nobody(bench, conn, at(QoS::AtLeastOnce))?);
    if bench.announced("maximum_qos").is_none() {
        answers.extend(publish_to_nobody(bench, conn, at(QoS::ExactlyOnce))?);
    }
    if let Some(told) = answers.iter().find_map(told) {
        return Ok(Finding::fail(told));
    }
    let answer = subscribe_illegally(bench, conn, &topic)?;
    let told = answer.as_ref().and_then(told);
    Ok(told
        .map_or_else(|| Finding::pass("no acknowledgement says more than its code"), Finding::fail))
}

/// What an acknowledgement says against our wish.
fn told(packet: &Packet) -> Option<String> {
    let properties = match packet {
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubComp(ack) => &ack.properties,
        Packet::SubAck(suback) => &suback.properties,
        Packet::UnsubAck(unsuback) => &unsuback.properties,
        _ => return None,
    };
    let told = properties
        .iter()
        .map(Property::id)
        .find(|id| matches!(id, PropertyId::ReasonString | PropertyId::UserProperty))?;
    Some(format!("{} came with {told}", packet.packet_type()))
}

/// Takes a packet of this type.
fn answer(bench: &mut Bench, conn: Conn, packet_type: PacketType) -> StepResult<Packet> {
    bench.take(conn, &packet_type.to_string(), |packet| {
        (packet.packet_type() == packet_type).then(|| packet.clone())
    })
}

fn unsubscribe_unheld(bench: &mut Bench, conn: Conn, topic: &str) -> StepResult<Packet> {
    let packet_id = bench.link(conn).mqtt.next_id();
    let filters = vec![TopicFilter::new(topic).expect("topics of probes are legal")];
    let properties = Properties::default();
    bench.send(conn, &Packet::Unsubscribe(Unsubscribe { packet_id, properties, filters }));
    answer(bench, conn, PacketType::UnsubAck)
}

fn publish_to_nobody(bench: &mut Bench, conn: Conn, publish: Publish) -> StepResult<Vec<Packet>> {
    let qos = publish.qos;
    let id = bench.send_publish(conn, publish).unwrap_or(PacketId::MIN);
    if qos == QoS::AtLeastOnce {
        return Ok(vec![answer(bench, conn, PacketType::PubAck)?]);
    }
    let pubrec = answer(bench, conn, PacketType::PubRec)?;
    if matches!(&pubrec, Packet::PubRec(ack) if ack.code.is_error()) {
        return Ok(vec![pubrec]);
    }
    bench.send(conn, &Packet::PubRel(Ack::success(id)));
    Ok(vec![pubrec, answer(bench, conn, PacketType::PubComp)?])
}

/// SUBSCRIBE to `T/a#`, and the SUBACK for it; the end of the connection is fine, too.
fn subscribe_illegally(bench: &mut Bench, conn: Conn, topic: &str) -> StepResult<Option<Packet>> {
    let filter = TopicFilter::new(format!("{topic}/aa")).expect("topics of probes are legal");
    let packet_id = bench.link(conn).mqtt.next_id();
    let subscriptions = vec![Subscription::new(filter, QoS::AtMostOnce)];
    let properties = Properties::default();
    let subscribe = Subscribe { packet_id, properties, subscriptions };
    let mut bytes = bench.encoded(conn, &Packet::Subscribe(subscribe));
    // The last character of the filter is before the options.
    if let Some(last) = bytes.len().checked_sub(2).and_then(|at| bytes.get_mut(at)) {
        *last = b'#';
    }
    bench.send_bytes(conn, &bytes);
    match answer(bench, conn, PacketType::SubAck) {
        Ok(packet) => Ok(Some(packet)),
        Err(Stop::Ended { .. } | Stop::Silent { .. }) => {
            bench.asked.saw_unexpected_end = false;
            Ok(None)
        }
        Err(stop) => Err(stop),
    }
}
