//! Probes of the group subscribe: SUBSCRIBE and UNSUBSCRIBE.

mod checked;
mod matching;
mod options;
mod shared;

use super::{GroupProbes, PointProbe};
use crate::command::check::bench::{Bench, Conn};
use crate::command::check::finding::{Finding, Probed, StepResult, Stop};
use crate::mqtt::packet::{Packet, Publish, Subscription};
use crate::mqtt::property::Properties;
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::topic::TopicFilter;
use crate::mqtt::version::Version;

/// The probes of this group.
pub const PROBES: GroupProbes = &[
    ("suback-each", PointProbe::Ask(suback_each)),
    ("granted-qos", PointProbe::Ask(granted_qos)),
    ("filter-matching", PointProbe::Ask(matching::filter_matching)),
    ("resubscribe-replaces", PointProbe::Ask(resubscribe_replaces)),
    ("overlapping", PointProbe::Ask(matching::overlapping)),
    ("unsubscribe", PointProbe::Ask(unsubscribe)),
    ("dollar-topics", PointProbe::Ask(matching::dollar_topics)),
    ("filter-bad", PointProbe::Ask(checked::filter_bad)),
    ("subscribe-malformed", PointProbe::Ask(checked::subscribe_malformed)),
    ("no-local", PointProbe::Ask(options::no_local)),
    ("retain-as-published", PointProbe::Ask(options::retain_as_published)),
    ("retain-handling", PointProbe::Ask(options::retain_handling)),
    ("subscription-id", PointProbe::Ask(options::subscription_id)),
    ("shared-once", PointProbe::Ask(shared::shared_once)),
    ("shared-no-retained", PointProbe::Ask(shared::shared_no_retained)),
    ("shared-checked", PointProbe::Ask(shared::shared_checked)),
];

/// A subscription with the default options.
fn subscription(filter: &str, qos: QoS) -> Subscription {
    Subscription::new(TopicFilter::new(filter).expect("filters of probes are legal"), qos)
}

/// Codes as they are written.
fn codes(codes: &[ReasonCode]) -> String {
    let codes: Vec<String> = codes.iter().map(|code| format!("0x{:02x}", code.0)).collect();
    codes.join(" ")
}

fn suback_each(bench: &mut Bench) -> Probed {
    let conn = bench.shared()?;
    let asked = [("/a", QoS::ExactlyOnce), ("/b", QoS::AtMostOnce), ("/c", QoS::AtLeastOnce)];
    let wanted = asked.map(|(suffix, qos)| subscription(&bench.topic(suffix), qos)).to_vec();
    let id = bench.send_subscribe(conn, wanted, Properties::default());
    let suback = bench.suback(conn, id)?;
    let words = format!("SUBACK {} for the QoS 2, 0, 1", codes(&suback.codes));
    if suback.codes.len() != asked.len() {
        return Ok(Finding::fail(words));
    }
    if suback.codes.iter().any(|code| code.is_error()) {
        return Err(Stop::Forbidden(words));
    }
    let is_more = |(code, (_, qos)): (&ReasonCode, (&str, QoS))| code.0 > qos.bits();
    let grants_more = suback.codes.iter().zip(asked).any(is_more);
    Ok(if grants_more { Finding::fail(words) } else { Finding::pass(words) })
}

fn granted_qos(bench: &mut Bench) -> Probed {
    let conn = bench.shared()?;
    let mut seen = Vec::new();
    for (asked, sent) in [(QoS::AtMostOnce, QoS::AtLeastOnce), (QoS::AtLeastOnce, QoS::ExactlyOnce)]
    {
        if bench.usable(sent) < sent {
            continue;
        }
        let topic = bench.topic(&format!("/{asked}"));
        let granted = bench.subscribe(conn, &topic, asked)?.codes;
        let granted = granted.first().and_then(|code| QoS::from_bits(code.0)).unwrap_or(asked);
        let published = bench.publish(conn, Bench::message(&topic, sent, "once"));
        // Whether there is QoS 2 at all is the question of its round trip.
        if sent == QoS::ExactlyOnce && !matches!(published, Ok(()) | Err(Stop::Interrupted)) {
            break;
        }
        published?;
        let came = bench.delivery(conn, &topic)?.qos;
        let words = format!("granted {granted}, published at {sent}: delivered at {came}");
        if came != granted.min(sent) {
            return Ok(Finding::fail(words));
        }
        seen.push(words);
    }
    Ok(if seen.is_empty() {
        Finding::not_applicable("announced: Maximum QoS 0")
    } else {
        Finding::pass(seen.join("; "))
    })
}

/// All copies of the message with this payload that come to a topic: those before a marker at its
/// QoS, and those at another QoS that come until a fence.
fn copies(
    bench: &mut Bench,
    conn: Conn,
    topic: &str,
    payload: &'static str,
) -> StepResult<Vec<Publish>> {
    let qos = bench.usable(QoS::AtLeastOnce);
    bench.publish(conn, Bench::message(topic, qos, payload))?;
    let mut copies = bench.mark(conn, topic, qos)?;
    bench.fence(conn)?;
    copies.extend(arrived(bench, conn));
    copies.retain(|copy| copy.payload == payload && copy.topic_or_empty() == topic);
    Ok(copies)
}

/// The messages that have come and that nobody has taken.
fn arrived(bench: &mut Bench, conn: Conn) -> Vec<Publish> {
    let packets =
        bench.link(conn).mqtt.inbox.iter().filter_map(|received| received.packet.as_ref().ok());
    let publish = |packet: &Packet| match packet {
        Packet::Publish(publish) => Some(publish.clone()),
        _ => None,
    };
    packets.filter_map(publish).collect()
}

fn resubscribe_replaces(bench: &mut Bench) -> Probed {
    let conn = bench.shared()?;
    let topic = bench.topic("");
    bench.subscribe(conn, &topic, QoS::AtMostOnce)?;
    let granted = bench.subscribe(conn, &topic, QoS::AtLeastOnce)?.codes;
    let copies = copies(bench, conn, &topic, "once")?;
    let sent = bench.usable(QoS::AtLeastOnce);
    let qos = granted.first().and_then(|code| QoS::from_bits(code.0)).unwrap_or(sent).min(sent);
    match copies.as_slice() {
        [] => return Ok(Finding::fail("after a second SUBSCRIBE the message did not come")),
        [copy] if copy.qos == qos => {}
        [copy] => {
            let words = format!("the second asked for QoS 1, the message came at {}", copy.qos);
            return Ok(Finding::fail(words));
        }
        more => return Ok(Finding::fail(format!("the message came {} times", more.len()))),
    }
    // The default set leaves this out.
    let is_thorough = bench.target.selection.asks_full();
    if is_thorough && bench.link(conn).mqtt.version == Version::V5 {
        replace_options(bench, conn, sent)?;
    }
    Ok(Finding::pass("the message came once, as the second SUBSCRIBE asks for it"))
}

/// A second SUBSCRIBE replaces the options of the first, too.
fn replace_options(bench: &mut Bench, conn: Conn, qos: QoS) -> StepResult<()> {
    let topic = bench.topic("/options");
    let plain = subscription(&topic, qos);
    let no_local = Subscription { no_local: true, ..plain.clone() };
    bench.subscribe_with(conn, vec![no_local], None)?;
    bench.subscribe_with(conn, vec![plain], None)?;
    bench.publish(conn, Bench::message(&topic, qos, "own"))?;
    if let Err(Stop::Silent { .. }) = bench.delivery(conn, &topic) {
        let words = "No Local of the first SUBSCRIBE was kept: our own message did not come";
        return Err(Finding::fail(words).in_doubt().into());
    }
    Ok(())
}

fn unsubscribe(bench: &mut Bench) -> Probed {
    let conn = bench.shared()?;
    let (topic, never) = (bench.topic(""), bench.topic("/never"));
    let qos = bench.usable(QoS::AtLeastOnce);
    bench.subscribe(conn, &topic, qos)?;
    let answer = bench.unsubscribe(conn, &[&topic, &never])?;
    bench.publish(conn, Bench::message(&topic, qos, "afterwards"))?;
    // A server may acknowledge first and match subscriptions later.
    bench.fence(conn)?;
    bench.subscribe(conn, &topic, qos)?;
    if !bench.mark(conn, &topic, qos)?.is_empty() {
        return Ok(Finding::fail("UNSUBACK came, and then still a message"));
    }
    let words =
        format!("UNSUBACK {} for a filter that was held and one that was not", codes(&answer));
    if bench.link(conn).mqtt.version < Version::V5 {
        return Ok(Finding::pass("UNSUBACK came, and no message after it"));
    }
    let none = ReasonCode::NO_SUBSCRIPTION_EXISTED;
    Ok(match answer.as_slice() {
        [ReasonCode::SUCCESS, second] if *second == none => Finding::pass(words),
        [ReasonCode::SUCCESS, ReasonCode::SUCCESS] => Finding::warn(words),
        [first, second] if first.is_error() || second.is_error() => {
            return Err(Stop::Forbidden(words));
        }
        _ => Finding::fail(words),
    })
}
