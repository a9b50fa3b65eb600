//! Shared subscriptions.

use std::time::Duration;

use super::super::publish::{asked, retain, retaining};
use super::super::raw;
use super::checked::not_granted;
use super::{codes, subscription};
use crate::command::check::bench::{Bench, Conn};
use crate::command::check::finding::{Finding, Probed, StepResult, Stop};
use crate::command::check::packets::ReceivedPacket;
use crate::mqtt::packet::Packet;
use crate::mqtt::qos::QoS;

/// How many messages the groups get.
const COUNT: usize = 20;

/// How long one of the two connections is waited for before the other is looked at.
const TURN: Duration = Duration::from_millis(20);

/// The first byte of SUBSCRIBE, and the option No Local.
const SUBSCRIBE: u8 = 0x82;
const NO_LOCAL: u8 = 0x04;

fn requires_shared(bench: &Bench) -> StepResult<()> {
    bench.requires("shared_available", "shared subscriptions")
}

/// One group of both connections, and a group of each alone: each message comes three times in
/// all, and at least once to each. A server that takes the subscriptions for plain ones sends
/// another number.
pub fn shared_once(bench: &mut Bench) -> Probed {
    let first = bench.on()?;
    requires_shared(bench)?;
    let second = bench.on2()?;
    let (topic, qos) = (bench.topic(""), bench.usable(QoS::AtLeastOnce));
    for (conn, group) in [(first, "both"), (second, "both"), (first, "one"), (second, "two")] {
        bench.subscribe(conn, &format!("$share/{group}/{topic}"), qos)?;
    }
    for number in 0..COUNT {
        bench.publish(first, Bench::message(&topic, qos, number.to_string()))?;
    }
    let mut came = [[0; COUNT]; 2];
    read_in_turn(bench, [first, second], &mut came)?;
    bench.fence(first)?;
    bench.fence(second)?;
    tally(bench, [first, second], &mut came);
    Ok(judge(&came))
}

/// Reads both connections in turn until all messages have come, or none for W: which of the two
/// gets the next is for the server to choose.
fn read_in_turn(
    bench: &mut Bench,
    conns: [Conn; 2],
    came: &mut [[usize; COUNT]; 2],
) -> StepResult<()> {
    let (mut sum, mut latest) = (0, bench.elapsed());
    for conn in conns.into_iter().cycle() {
        tally(bench, conns, came);
        let now = came.iter().flatten().sum();
        if now > sum {
            (sum, latest) = (now, bench.elapsed());
        }
        if sum >= 3 * COUNT || bench.elapsed() > latest + bench.patience() {
            break;
        }
        let waited = bench.wait(conn, "delivery", TURN, |link| {
            link.mqtt.inbox.iter().any(is_message).then_some(())
        });
        if let Err(stop @ (Stop::Ended { .. } | Stop::Interrupted)) = waited {
            return Err(stop);
        }
    }
    Ok(())
}

/// Counts the messages that have come, and takes them.
fn tally(bench: &mut Bench, conns: [Conn; 2], came: &mut [[usize; COUNT]; 2]) {
    for (conn, came) in conns.into_iter().zip(came) {
        for publish in super::arrived(bench, conn) {
            let number = std::str::from_utf8(&publish.payload).ok();
            let number = number.and_then(|text| text.parse::<usize>().ok());
            if let Some(count) = number.and_then(|number| came.get_mut(number)) {
                *count += 1;
            }
        }
        bench.link(conn).mqtt.inbox.retain(|received| !is_message(received));
    }
}

fn is_message(received: &ReceivedPacket) -> bool {
    matches!(received.packet, Ok(Packet::Publish(_)))
}

fn judge(came: &[[usize; COUNT]; 2]) -> Finding {
    for (number, (first, second)) in came[0].iter().zip(&came[1]).enumerate() {
        if first + second != 3 || *first == 0 || *second == 0 {
            let words = format!(
                "three groups, one of both connections and one of each: message {} of {COUNT} \
                 came {first} times to one and {second} times to the other",
                number + 1
            );
            return Finding::fail(words).in_doubt();
        }
    }
    let share: usize = came[0].iter().map(|count| count - 1).sum();
    Finding::pass(format!(
        "{COUNT} messages came once to each of three groups; in the common one {share} came to one \
         member and {} to the other",
        COUNT - share
    ))
}

pub fn shared_no_retained(bench: &mut Bench) -> Probed {
    let (conn, qos) = retaining(bench)?;
    requires_shared(bench)?;
    let topic = bench.topic("");
    retain(bench, conn, &topic, "retained")?;
    let wanted = subscription(&format!("$share/g/{topic}"), qos);
    let granted = bench.subscribe_with(conn, vec![wanted], None)?.codes;
    if granted.iter().any(|code| code.is_error()) {
        return Err(Stop::Forbidden(format!("SUBACK {}", codes(&granted))));
    }
    Ok(match bench.mark(conn, &topic, qos)?.len() {
        0 => Finding::pass("the retained message did not come"),
        _ => Finding::fail("the retained message came to a shared subscription"),
    })
}

pub fn shared_checked(bench: &mut Bench) -> Probed {
    let version = asked(bench)?;
    let conn = bench.on()?;
    requires_shared(bench)?;
    bench.close(conn);
    let topic = bench.topic("");
    let subscribe = |filter: String, options| {
        let filters = [(filter.as_bytes(), options)];
        raw::packet(SUBSCRIBE, &raw::subscribe(version, b"", &filters))
    };
    bench.each(
        vec![
            ("$share without a name", subscribe(format!("$share//{topic}"), 0)),
            ("$share with a wildcard in the name", subscribe(format!("$share/g+/{topic}"), 0)),
            ("$share without a filter", subscribe("$share/g".to_owned(), 0)),
            ("$share with No Local", subscribe(format!("$share/g/{topic}"), NO_LOCAL)),
        ],
        not_granted,
    )
}
