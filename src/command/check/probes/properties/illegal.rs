//! What the server has announced as absent, and properties that a client must not send.

use crate::command::check::bench::{Bench, Conn};
use crate::command::check::finding::{Finding, Probed, StepResult, Stop, Verdict};
use crate::mqtt::packet::{Packet, Publish, Subscription};
use crate::mqtt::property::{Properties, Property, PropertyId};
use crate::mqtt::qos::QoS;
use crate::mqtt::topic::TopicFilter;

/// What a server may announce as absent (§3.2.2.3).
#[derive(Debug, Clone, Copy)]
enum Feature {
    HigherQoS(QoS),
    Retain,
    Wildcards,
    SubscriptionIds,
    Shared,
}

impl Feature {
    fn name(self) -> &'static str {
        match self {
            Self::HigherQoS(QoS::ExactlyOnce) => "QoS 2",
            Self::HigherQoS(_) => "QoS 1",
            Self::Retain => "retain",
            Self::Wildcards => "a wildcard",
            Self::SubscriptionIds => "a subscription identifier",
            Self::Shared => "a shared subscription",
        }
    }

    /// Those that the server has announced as absent.
    fn absent(bench: &Bench) -> Vec<Self> {
        let qos = match bench.announced("maximum_qos") {
            Some(0) => Some(Self::HigherQoS(QoS::AtLeastOnce)),
            Some(1) => Some(Self::HigherQoS(QoS::ExactlyOnce)),
            _ => None,
        };
        let flags = [
            ("retain_available", Self::Retain),
            ("wildcard_available", Self::Wildcards),
            ("subscription_id_available", Self::SubscriptionIds),
            ("shared_available", Self::Shared),
        ];
        let absent = flags.into_iter().filter(|(name, _)| bench.announced(name) == Some(0));
        qos.into_iter().chain(absent.map(|(_, feature)| feature)).collect()
    }

    /// Uses it all the same: whether the server takes it. Silence is no refusal.
    fn is_taken(self, bench: &mut Bench, conn: Conn) -> StepResult<bool> {
        let topic = bench.topic("");
        let used = match self {
            Self::HigherQoS(qos) => bench.publish(conn, Bench::message(&topic, qos, "absent")),
            Self::Retain => {
                let publish = Bench::message(&topic, QoS::AtMostOnce, "absent");
                let publish = Publish { retain: true, ..publish };
                bench.publish(conn, publish).and_then(|()| bench.fence(conn))
            }
            Self::Wildcards => subscribe(bench, conn, &format!("{topic}/+"), None),
            Self::SubscriptionIds => subscribe(bench, conn, &topic, Some(1)),
            Self::Shared => subscribe(bench, conn, &format!("$share/mqttws/{topic}"), None),
        };
        match used {
            Ok(()) | Err(Stop::Silent { .. }) => Ok(true),
            Err(Stop::Forbidden(_) | Stop::Ended { .. }) => {
                bench.asked.saw_unexpected_end = false;
                Ok(false)
            }
            Err(stop) => Err(stop),
        }
    }
}

fn subscribe(
    bench: &mut Bench,
    conn: Conn,
    filter: &str,
    identifier: Option<u32>,
) -> StepResult<()> {
    let filter = TopicFilter::new(filter).expect("filters of probes are legal");
    let property = |id| Property::number(PropertyId::SubscriptionIdentifier, id);
    let properties = Properties(identifier.map(property).into_iter().collect());
    let subscriptions = vec![Subscription::new(filter, QoS::AtMostOnce)];
    let suback = bench.subscribe_with(conn, subscriptions, Some(properties))?;
    match suback.codes.iter().find(|code| code.is_error()) {
        Some(code) => Err(Stop::Forbidden(format!("SUBACK 0x{:02x}", code.0))),
        None => Ok(()),
    }
}

pub fn announced_limits(bench: &mut Bench) -> Probed {
    let conn = bench.on()?;
    bench.close(conn);
    let absent = Feature::absent(bench);
    let mut taken = Vec::new();
    for feature in &absent {
        let conn = bench.on()?;
        if feature.is_taken(bench, conn)? {
            taken.push(feature.name());
        }
        bench.close(conn);
    }
    Ok(if absent.is_empty() {
        Finding::not_applicable("nothing is announced as absent")
    } else if taken.is_empty() {
        Finding::pass("what is announced as absent is refused")
    } else {
        Finding::warn(format!("announced as absent, and taken: {}", taken.join(", ")))
    })
}

pub fn publish_properties_checked(bench: &mut Bench) -> Probed {
    let identifier = Property::number(PropertyId::SubscriptionIdentifier, 1);
    let refused = refused_property(bench, identifier)?;
    if refused.verdict != Verdict::Pass {
        let observed = format!("a Subscription Identifier: {}", refused.observed);
        return Ok(Finding { observed, ..refused });
    }
    let wildcard = bench.topic("/+").into();
    let refused = refused_property(bench, Property::text(PropertyId::ResponseTopic, wildcard))?;
    // No clause says what the server must do about it.
    Ok(if refused.verdict == Verdict::Pass {
        Finding::pass("a Subscription Identifier and a wildcard in Response Topic ended it")
    } else {
        Finding::warn(format!("a wildcard in Response Topic: {}", refused.observed))
    })
}

fn refused_property(bench: &mut Bench, property: Property) -> Probed {
    let conn = bench.on()?;
    let mut publish = Bench::message(&bench.topic(""), QoS::AtMostOnce, "illegal");
    publish.properties.push(property);
    bench.send(conn, &Packet::Publish(publish));
    bench.refused(conn)
}
