//! Probes of how packets lie in messages: several in one, one in several (`[MQTT-6.0.0-2]`).

use super::{suback, subscribe_bytes};
use crate::command::check::bench::{Bench, Conn};
use crate::command::check::finding::{Finding, Probed, StepResult, Stop};
use crate::mqtt::packet::{Packet, Publish};
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;

/// PINGREQ.
const PINGREQ: [u8; 2] = [0xc0, 0];

pub fn two_packets(bench: &mut Bench) -> Probed {
    let conn = bench.shared()?;
    let (id, mut bytes) = subscribe_bytes(bench, conn, "");
    bytes.extend(PINGREQ);
    bench.send_bytes(conn, &bytes);
    suback(bench, conn, id)?;
    pingresp(bench, conn)?;
    bench.taken(conn, "SUBACK and PINGRESP")
}

fn pingresp(bench: &mut Bench, conn: Conn) -> StepResult<()> {
    bench.take(conn, "PINGRESP", |packet| (*packet == Packet::PingResp).then_some(()))
}

pub fn hundred_packets(bench: &mut Bench) -> Probed {
    let (conn, topic) = (bench.shared()?, bench.topic(""));
    bench.subscribe(conn, &topic, QoS::AtMostOnce)?;
    let payloads: Vec<String> = (0..100).map(|number| format!("{number:020}")).collect();
    let mut bytes = Vec::new();
    for payload in &payloads {
        let publish = Bench::message(&topic, QoS::AtMostOnce, payload.clone());
        bytes.extend(bench.encoded(conn, &Packet::Publish(publish)));
    }
    bytes.extend(PINGREQ);
    bench.send_bytes(conn, &bytes);
    pingresp(bench, conn)?;
    let before = match bench.mark(conn, &topic, QoS::AtMostOnce) {
        Ok(before) => before,
        // QoS 0 may lose even the mark.
        Err(Stop::Silent { .. }) => {
            return Ok(Finding::warn("PINGRESP, but a message after it was not delivered"));
        }
        Err(stop) => return Err(stop),
    };
    Ok(judge_hundred(&payloads, &before))
}

fn judge_hundred(payloads: &[String], before: &[Publish]) -> Finding {
    let came: Vec<&[u8]> = before.iter().map(|publish| &publish.payload[..]).collect();
    if came.iter().eq(payloads.iter().map(String::as_bytes).collect::<Vec<_>>().iter()) {
        return Finding::pass("all 100, in order, and PINGRESP");
    }
    let is_there = |payload: &&String| came.contains(&payload.as_bytes());
    let words = match payloads.iter().filter(is_there).count() {
        100 => format!("PINGRESP, but {} messages came, not in order", came.len()),
        count => format!("PINGRESP, but {count} of the 100 messages came"),
    };
    Finding::warn(words)
}

pub fn packet_over_messages(bench: &mut Bench) -> Probed {
    let (conn, topic) = (bench.shared()?, bench.topic(""));
    bench.subscribe(conn, &topic, QoS::AtMostOnce)?;
    for (at, tried) in [
        (Some(1), "cut behind its first byte"),
        (Some(2), "cut inside the remaining length"),
        (Some(10), "cut inside the topic"),
        (None, "a message for each byte"),
    ] {
        let publish = Bench::message(&topic, QoS::AtMostOnce, vec![b'x'; 200]);
        let bytes = bench.encoded(conn, &Packet::Publish(publish.clone()));
        match at {
            Some(at) => {
                bench.send_bytes(conn, &bytes[..at]);
                bench.send_bytes(conn, &bytes[at..]);
            }
            None => bytes.chunks(1).for_each(|byte| bench.send_bytes(conn, byte)),
        }
        delivered(bench, conn, &publish).map_err(|stop| stop.of_try(tried))?;
    }
    bench.taken(conn, "all four were delivered")
}

/// Waits for this message to come back.
pub fn delivered(bench: &mut Bench, conn: Conn, publish: &Publish) -> StepResult<()> {
    let came = bench.delivery(conn, publish.topic_or_empty())?;
    if came.payload == publish.payload {
        return Ok(());
    }
    let words = format!("{} other bytes were delivered", came.payload.len());
    Err(Finding::fail(words).into())
}

pub fn connect_with_subscribe(bench: &mut Bench) -> Probed {
    let version = bench.version();
    let connect = bench.connect_packet(version);
    let conn = bench.up()?;
    bench.link(conn).mqtt.speak(version);
    let mut bytes = bench.encoded(conn, &Packet::Connect(Box::new(connect)));
    let (id, subscribe) = subscribe_bytes(bench, conn, "");
    bytes.extend(subscribe);
    bytes.extend(PINGREQ);
    bench.send_bytes(conn, &bytes);
    let code = bench.take(conn, "CONNACK", |packet| match packet {
        Packet::ConnAck(connack) => Some(connack.code),
        _ => None,
    })?;
    if code != ReasonCode::SUCCESS {
        let words = format!("CONNECT was refused: CONNACK 0x{:02x}", code.0);
        return Ok(Finding::unknown(words));
    }
    suback(bench, conn, id)?;
    pingresp(bench, conn)?;
    Ok(Finding::pass("CONNACK, SUBACK and PINGRESP"))
}
