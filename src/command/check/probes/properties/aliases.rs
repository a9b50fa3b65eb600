//! Topic aliases, in both directions (MQTT 5 §3.3.2.3.4).

use crate::command::check::bench::{Bench, Conn};
use crate::command::check::finding::{Finding, Probed, StepResult, Stop, Verdict};
use crate::mqtt::packet::{Packet, Publish};
use crate::mqtt::property::{Property, PropertyId};
use crate::mqtt::qos::QoS;
use crate::mqtt::version::Version;

/// How many aliases we allow the server, on one connection.
const ALLOWED: u16 = 2;

/// A message that sets an alias, or that has only the alias.
fn aliased(topic: Option<&str>, alias: u16, qos: QoS, payload: String) -> Publish {
    let mut publish = match topic {
        Some(topic) => Bench::message(topic, qos, payload),
        None => Publish { qos, payload: payload.into(), ..Publish::default() },
    };
    publish.properties.push(Property::number(PropertyId::TopicAlias, alias.into()));
    publish
}

/// The Topic Alias Maximum that the server has announced; 0 if it has not.
fn announced(bench: &Bench) -> u16 {
    let maximum = bench.announced("topic_alias_maximum").unwrap_or(0);
    u16::try_from(maximum).unwrap_or(u16::MAX)
}

pub fn topic_alias_in(bench: &mut Bench) -> Probed {
    let conn = bench.shared()?;
    let highest = announced(bench);
    if highest == 0 {
        return Ok(Finding::not_applicable("Topic Alias Maximum is 0"));
    }
    let topics = [bench.topic("/a"), bench.topic("/b"), bench.topic("/c")];
    for topic in &topics {
        bench.subscribe(conn, topic, QoS::AtLeastOnce)?;
    }
    let steps = topics.iter().zip([1, 1, highest]).flat_map(|(topic, alias)| {
        [(Some(topic.as_str()), "with its topic"), (None, "alone")]
            .map(|(sent, how)| (sent, alias, how, topic))
    });
    for (number, (sent, alias, how, topic)) in steps.enumerate() {
        let payload = format!("alias {number}");
        let publish = aliased(sent, alias, QoS::AtLeastOnce, payload.clone());
        bench.publish(conn, publish)?;
        if topic_of(bench, conn, &payload)? != *topic {
            let words = format!("a message with the alias {alias} {how} came to another topic");
            return Ok(Finding::fail(words));
        }
    }
    Ok(Finding::pass(format!("aliases up to {highest} stand for their topics")))
}

/// The topic of the delivery that has this payload.
fn topic_of(bench: &mut Bench, conn: Conn, payload: &str) -> StepResult<String> {
    bench.take(conn, "delivery", |packet| match packet {
        Packet::Publish(publish) if publish.payload == payload => {
            Some(publish.topic_or_empty().to_owned())
        }
        _ => None,
    })
}

pub fn topic_alias_out(bench: &mut Bench) -> Probed {
    if bench.target.selection.asks_full() {
        // Wherever it stops: what was seen until then is judged.
        if let Err(Stop::Interrupted) = allow_aliases(bench) {
            return Err(Stop::Interrupted);
        }
    }
    Ok(bench.observed("topic-alias-out", "no alias but those that we allow"))
}

/// Lets the server use aliases; the connection notes what it makes of that.
fn allow_aliases(bench: &mut Bench) -> StepResult<()> {
    let mut connect = bench.connect_packet(Version::V5);
    connect.properties.push(Property::number(PropertyId::TopicAliasMaximum, ALLOWED.into()));
    let conn = bench.on_with(connect)?;
    let topics = [bench.topic("/a"), bench.topic("/b"), bench.topic("/c")];
    for topic in &topics {
        bench.subscribe(conn, topic, QoS::AtLeastOnce)?;
    }
    for number in 0..3 {
        for topic in &topics {
            let payload = format!("{topic} {number}");
            let publish = Bench::message(topic, QoS::AtLeastOnce, payload.clone());
            bench.publish(conn, publish)?;
            let came = topic_of(bench, conn, &payload)?;
            if came != *topic {
                let words = format!("a message to {topic} came to {came:?}");
                bench.journal.observe("topic-alias-out", Some(Version::V5), Verdict::Fail, words);
            }
        }
    }
    Ok(())
}

pub fn topic_alias_checked(bench: &mut Bench) -> Probed {
    let conn = bench.on()?;
    let highest = announced(bench);
    let topic = bench.topic("");
    let legal = |alias| aliased(Some(&topic), alias, QoS::AtMostOnce, "alias".to_owned());
    let alone = |alias| aliased(None, alias, QoS::AtMostOnce, "alias".to_owned());
    let mut refused = vec![refused_alias(bench, conn, legal(0), "the alias 0")?];
    if let Some(above) = highest.checked_add(1) {
        let conn = bench.on()?;
        refused.push(refused_alias(bench, conn, legal(above), "an alias above the maximum")?);
    }
    let conn = bench.on()?;
    let words = "an alias that was never set";
    refused.push(refused_alias(bench, conn, alone(highest.max(1)), words)?);
    if highest > 0 {
        let earlier = bench.on()?;
        bench.send(earlier, &Packet::Publish(legal(1)));
        bench.fence(earlier)?;
        bench.close(earlier);
        let conn = bench.on()?;
        let words = "an alias that was set on an earlier connection";
        refused.push(refused_alias(bench, conn, alone(1), words)?);
    }
    let wrong = refused.into_iter().find(|finding| finding.verdict != Verdict::Pass);
    Ok(wrong.unwrap_or_else(|| Finding::pass("each ended the connection")))
}

fn refused_alias(bench: &mut Bench, conn: Conn, publish: Publish, what: &str) -> Probed {
    bench.send(conn, &Packet::Publish(publish));
    let finding = bench.refused(conn)?;
    let observed = format!("{what}: {}", finding.observed);
    Ok(Finding { observed, ..finding })
}
