//! `order`: a hundred messages at each QoS.

use std::time::Duration;

use crate::command::check::bench::{Bench, Conn};
use crate::command::check::finding::{Finding, Probed, StepResult, Stop};
use crate::mqtt::packet::{Ack, Packet};
use crate::mqtt::qos::QoS;
use crate::mqtt::version::Version;

/// How many messages are sent at each QoS.
const COUNT: usize = 100;

/// How long they may take where each round trip takes a second.
const ROUND_TRIPS: Duration = Duration::from_secs(40);

/// How many of them may be unacknowledged.
const WINDOW: u64 = 10;

/// None lost, twice or out of order; at QoS 0 some may be lost.
pub fn order(bench: &mut Bench) -> Probed {
    bench.allow(ROUND_TRIPS);
    let conn = bench.shared()?;
    let (mut judged, mut lost) = (Vec::new(), None);
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        // Whether this QoS is spoken at all is the question of its round trip.
        match first_message(bench, conn, qos) {
            Ok(()) => {}
            Err(Stop::Forbidden(_) | Stop::Found(_)) => continue,
            Err(Stop::Ended { .. }) if qos > QoS::AtMostOnce => break,
            Err(stop) => return Err(stop),
        }
        match numbers(bench, conn, qos).map(|numbers| judge(&numbers)) {
            Ok(Ok(())) => judged.push(qos.to_string()),
            Ok(Err(OrderFault::Lost(words))) if qos == QoS::AtMostOnce => lost = Some(words),
            Ok(Err(OrderFault::Lost(words) | OrderFault::Disorder(words))) => {
                return Ok(Finding::fail(format!("QoS {qos}: {words}")));
            }
            // What comes of no message at all is judged by the round trips.
            Err(Stop::Silent { .. }) => bench.fence(conn)?,
            Err(stop) => return Err(stop),
        }
    }
    Ok(match (lost, judged.join(", ")) {
        (Some(words), _) => Finding::warn(format!("QoS 0: {words}")),
        (None, none) if none.is_empty() => {
            Finding::unknown("no message came back: see the round trips")
        }
        (None, all) => {
            Finding::pass(format!("{COUNT} messages each came in their order, at QoS {all}"))
        }
    })
}

/// One message at this QoS, unless the server announces that it does without it.
fn first_message(bench: &mut Bench, conn: Conn, qos: QoS) -> StepResult<()> {
    if bench.version() == Version::V5 && bench.usable(qos) < qos {
        return Err(Finding::not_applicable("announced as absent").into());
    }
    bench.publish(conn, Bench::message(&bench.topic("/first"), qos, "0"))
}

/// Publishes a hundred numbers, and gives what came of them.
fn numbers(bench: &mut Bench, conn: Conn, qos: QoS) -> StepResult<Vec<usize>> {
    let topic = bench.topic(&format!("/{qos}"));
    bench.subscribe(conn, &topic, qos)?;
    let window = bench.announced("receive_maximum").unwrap_or(WINDOW).min(WINDOW);
    let mut in_flight = 0;
    for number in 1..=COUNT {
        if in_flight == window {
            end_of_flow(bench, conn)?;
            in_flight -= 1;
        }
        let id = bench.send_publish(conn, Bench::message(&topic, qos, number.to_string()));
        in_flight += u64::from(id.is_some());
    }
    for _ in 0..in_flight {
        end_of_flow(bench, conn)?;
    }
    let came = bench.mark(conn, &topic, qos)?;
    let number = |payload: &[u8]| std::str::from_utf8(payload).ok()?.parse().ok();
    Ok(came.iter().map(|publish| number(&publish.payload).unwrap_or(0)).collect())
}

/// Waits for a PUBACK or PUBCOMP; a PUBREC on the way is answered.
fn end_of_flow(bench: &mut Bench, conn: Conn) -> StepResult<()> {
    loop {
        let (ack, is_received) = bench.take(conn, "acknowledgement", |packet| match packet {
            Packet::PubAck(ack) | Packet::PubComp(ack) => Some((ack.clone(), false)),
            Packet::PubRec(ack) => Some((ack.clone(), true)),
            _ => None,
        })?;
        if ack.code.is_error() {
            let words = format!("an acknowledgement with 0x{:02x}", ack.code.0);
            return Err(Stop::Forbidden(words));
        }
        if !is_received {
            return Ok(());
        }
        bench.send(conn, &Packet::PubRel(Ack::success(ack.packet_id)));
    }
}

/// What is wrong with the numbers that came.
#[derive(Debug, PartialEq, Eq)]
enum OrderFault {
    /// Some are missing, the others are right.
    Lost(String),
    /// Some came twice, or in another order.
    Disorder(String),
}

fn judge(numbers: &[usize]) -> Result<(), OrderFault> {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    if sorted.len() < numbers.len() {
        let twice = numbers.len() - sorted.len();
        return Err(OrderFault::Disorder(format!("{twice} of {COUNT} messages came again")));
    }
    if let Some((early, late)) = numbers.iter().zip(numbers.iter().skip(1)).find(|(a, b)| a > b) {
        let words = format!("message {early} of {COUNT} came before {late}");
        return Err(OrderFault::Disorder(words));
    }
    match COUNT.saturating_sub(numbers.len()) {
        0 => Ok(()),
        lost => Err(OrderFault::Lost(format!("{lost} of {COUNT} messages were lost"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_judged() {
        let mut numbers: Vec<usize> = (1..=COUNT).collect();
        assert_eq!(judge(&numbers), Ok(()));
        numbers.swap(3, 4);
        let words = "message 5 of 100 came before 4".to_owned();
        assert_eq!(judge(&numbers), Err(OrderFault::Disorder(words)));
        numbers.remove(4);
        assert_eq!(
            judge(&numbers),
            Err(OrderFault::Lost("1 of 100 messages were lost".to_owned()))
        );
        numbers.push(100);
        let words = "1 of 100 messages came again".to_owned();
        assert_eq!(judge(&numbers), Err(OrderFault::Disorder(words)));
    }
}
