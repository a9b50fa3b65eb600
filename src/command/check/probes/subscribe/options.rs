//! What MQTT 5 lets a subscriber choose.

use super::super::publish::{retain, retaining};
use super::{codes, copies, subscription};
use crate::command::check::bench::{Bench, Conn};
use crate::command::check::finding::{Finding, Probed, StepResult, Stop};
use crate::mqtt::packet::{Publish, RetainHandling, Subscription};
use crate::mqtt::property::{Properties, Property, PropertyId};
use crate::mqtt::qos::QoS;

/// SUBSCRIBE with these options. A refusal means that the point cannot be decided.
pub fn subscribe(
    bench: &mut Bench,
    conn: Conn,
    wanted: Subscription,
    identifier: Option<u32>,
) -> StepResult<()> {
    let property = |id| Property::number(PropertyId::SubscriptionIdentifier, id);
    let properties = identifier.map(|id| Properties(vec![property(id)]));
    let suback = bench.subscribe_with(conn, vec![wanted], properties)?;
    if suback.codes.iter().any(|code| code.is_error()) {
        return Err(Stop::Forbidden(format!("SUBACK {}", codes(&suback.codes))));
    }
    Ok(())
}

pub fn no_local(bench: &mut Bench) -> Probed {
    let conn = bench.shared()?;
    let (topic, qos) = (bench.topic(""), bench.usable(QoS::AtLeastOnce));
    let plain = subscription(&topic, qos);
    subscribe(bench, conn, Subscription { no_local: true, ..plain }, None)?;
    bench.publish(conn, Bench::message(&topic, qos, "own"))?;
    bench.let_go(conn, &topic)?;
    bench.subscribe(conn, &topic, qos)?;
    Ok(match bench.mark(conn, &topic, qos)?.len() {
        0 => Finding::pass("our own message did not come"),
        _ => Finding::fail("our own message came"),
    })
}

pub fn retain_as_published(bench: &mut Bench) -> Probed {
    let (conn, qos) = retaining(bench)?;
    for wish in [true, false] {
        let topic = bench.topic(if wish { "/kept" } else { "/cleared" });
        let plain = subscription(&topic, qos);
        subscribe(bench, conn, Subscription { retain_as_published: wish, ..plain }, None)?;
        retain(bench, conn, &topic, "retained")?;
        let came = bench.delivery(conn, &topic)?.retain;
        if came != wish {
            let (wish, came) = (u8::from(wish), u8::from(came));
            let words = format!("Retain As Published {wish}: RETAIN was 1, and came as {came}");
            return Ok(Finding::fail(words));
        }
    }
    Ok(Finding::pass("RETAIN came as 1 with it, and as 0 without"))
}

pub fn retain_handling(bench: &mut Bench) -> Probed {
    let (conn, qos) = retaining(bench)?;
    // Topics of their own: whether UNSUBSCRIBE is obeyed is another question.
    let [held, new, never] = ["/held", "/new", "/never"].map(|suffix| bench.topic(suffix));
    for topic in [&held, &new, &never] {
        retain(bench, conn, topic, "retained")?;
    }
    for (topic, handling, when, comes) in [
        (&held, RetainHandling::Always, "for a new subscription", true),
        (&held, RetainHandling::Always, "for one that is held", true),
        (&held, RetainHandling::New, "for one that is held", false),
        (&new, RetainHandling::New, "for a new subscription", true),
        (&never, RetainHandling::Never, "for a new subscription", false),
    ] {
        let plain = subscription(topic, qos);
        subscribe(bench, conn, Subscription { retain_handling: handling, ..plain }, None)?;
        let came = if comes {
            retained_comes(bench, conn, topic)?
        } else {
            bench.mark(conn, topic, qos)?.iter().any(is_retained)
        };
        if came != comes {
            let (came, bits) = (if came { "came" } else { "did not come" }, handling.bits());
            let words = format!("Retain Handling {bits} {when}: the retained message {came}");
            return Ok(Finding::fail(words).in_doubt());
        }
    }
    Ok(Finding::pass("retained messages came with 0, with 1 only the first time, not with 2"))
}

/// Whether the retained message comes to this topic.
fn retained_comes(bench: &mut Bench, conn: Conn, topic: &str) -> StepResult<bool> {
    match bench.delivery(conn, topic) {
        Ok(publish) => Ok(is_retained(&publish)),
        Err(Stop::Silent { .. }) => Ok(false),
        Err(stop) => Err(stop),
    }
}

fn is_retained(publish: &Publish) -> bool {
    publish.payload == "retained"
}

/// The smallest identifier that is no accident, and the largest that there is.
const IDENTIFIERS: [u32; 2] = [7, 268_435_455];

pub fn subscription_id(bench: &mut Bench) -> Probed {
    let conn = bench.shared()?;
    bench.requires("subscription_id_available", "subscription identifiers")?;
    bench.requires("wildcard_available", "wildcards")?;
    let qos = bench.usable(QoS::AtLeastOnce);
    for (suffix, identifier) in ["/+", "/#"].into_iter().zip(IDENTIFIERS) {
        let wanted = subscription(&bench.topic(suffix), qos);
        subscribe(bench, conn, wanted, Some(identifier))?;
    }
    let copies = copies(bench, conn, &bench.topic("/x"), "once")?;
    let mut came: Vec<u32> =
        copies.iter().flat_map(|copy| copy.properties.subscription_identifiers()).collect();
    came.sort_unstable();
    let words =
        format!("subscribed with {IDENTIFIERS:?}, {} copies came with {came:?}", copies.len());
    Ok(if came == IDENTIFIERS { Finding::pass(words) } else { Finding::fail(words) })
}
