//! Connections that say nothing, or little.

use std::time::Duration;

use bytes::Bytes;

use crate::command::check::bench::{Bench, Conn};
use crate::command::check::finding::{Finding, Probed, StepResult, Stop};
use crate::mqtt::packet::{Packet, Will};
use crate::mqtt::property::Properties;
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::topic::TopicName;

/// The keep alive that is asked for, in seconds.
const KEEP_ALIVE: u16 = 5;

/// The longest keep alive of the server that is waited for, in seconds.
const LONGEST: u16 = 10;

/// Timers are coarse, and ours began a moment later.
const TOLERANCE: Duration = Duration::from_millis(500);

/// How much longer than W a will may take.
const WILL_TIME: Duration = Duration::from_secs(5);

/// How long a connection without CONNECT may stay.
const MUTE: Duration = Duration::from_secs(60);

/// How late that may be seen: many servers have a timer of exactly a minute.
const LATE: Duration = Duration::from_secs(2);

/// The time between two PINGREQ, with a keep alive of 2 s, and how many there are.
const BETWEEN_PINGS: Duration = Duration::from_millis(1500);
const PINGS: u32 = 6;

/// A connection with this keep alive, and with a will to this topic.
fn connected(bench: &mut Bench, keep_alive: u16, will: Option<&str>) -> StepResult<Conn> {
    let mut connect = bench.connect_packet(bench.version());
    connect.keep_alive = keep_alive;
    connect.will = will.map(|topic| Will {
        topic: TopicName::new(topic).expect("topics of probes are legal"),
        payload: Bytes::from_static(b"mqttws-silent"),
        qos: bench.usable(QoS::AtLeastOnce),
        retain: false,
        properties: Properties::default(),
    });
    let conn = bench.up()?;
    let connack = bench.connect(conn, connect)?;
    if connack.code == ReasonCode::SUCCESS {
        return Ok(conn);
    }
    let name = connack.code.connack_name();
    Err(Finding::unknown(format!("refused: CONNACK 0x{:02x} {name}", connack.code.0)).into())
}

/// A silent connection with a will, and one that waits for the will.
pub fn begin_keep_alive(bench: &mut Bench) -> StepResult<Vec<Conn>> {
    let topic = bench.topic("");
    let mut watching = bench.connect_packet(bench.version());
    watching.client_id = bench.client_id("2").into();
    watching.keep_alive = 0;
    let watcher = bench.on_with(watching)?;
    bench.subscribe(watcher, &topic, QoS::AtLeastOnce)?;
    let conn = connected(bench, KEEP_ALIVE, Some(&topic))?;
    match bench.link(conn).mqtt.keep_alive {
        0 => Err(Finding::unknown("the server turns keep alive off").into()),
        seconds if seconds > LONGEST => {
            let words = format!("the server dictates a keep alive of {seconds} s");
            Err(Finding::unknown(words).into())
        }
        _ => Ok(vec![conn, watcher]),
    }
}

pub fn keep_alive_enforced(bench: &mut Bench, conns: &[Conn]) -> Probed {
    let (conn, watcher) = (conns[0], conns[1]);
    let keep_alive = Duration::from_secs(bench.link(conn).mqtt.keep_alive.into());
    let latest = keep_alive * 6;
    let left = latest.saturating_sub(bench.elapsed());
    bench.allow(left + WILL_TIME);
    bench.end_within(conn, left)?;
    let begun = format!("keep alive {} s", keep_alive.as_secs());
    let Some(after) = bench.ended_after(conn).filter(|after| *after <= latest) else {
        let words = format!("{begun}: the connection stays open for {} s", latest.as_secs());
        return Ok(Finding::fail(words));
    };
    let words = format!("{begun}: ended after {:.1} s", after.as_secs_f64());
    if after + TOLERANCE < keep_alive {
        return Ok(Finding::fail(words));
    }
    let (topic, time) = (bench.topic(""), bench.patience() + WILL_TIME);
    let will = bench.take_within(watcher, "will", time, |packet| match packet {
        Packet::Publish(publish) => (publish.topic_or_empty() == topic).then_some(()),
        _ => None,
    });
    match will {
        Ok(()) if after <= keep_alive * 3 => Ok(Finding::pass(format!("{words}, the will came"))),
        Ok(()) => Ok(Finding::warn(words)),
        Err(Stop::Silent { .. }) => Ok(Finding::fail(format!("{words}, but no will came"))),
        Err(stop) => Err(stop),
    }
}

pub fn ping_keeps_alive(bench: &mut Bench) -> Probed {
    bench.allow(BETWEEN_PINGS * PINGS);
    let conn = connected(bench, 2, None)?;
    for _ in 0..PINGS {
        bench.pause(conn, BETWEEN_PINGS)?;
        bench.fence(conn)?;
    }
    let time = (BETWEEN_PINGS * PINGS).as_secs();
    Ok(Finding::pass(format!("keep alive 2 s, nothing but PINGREQ: served for {time} s")))
}

pub fn begin_mute(bench: &mut Bench) -> StepResult<Vec<Conn>> {
    bench.up().map(|conn| vec![conn])
}

pub fn mute_connection(bench: &mut Bench, conns: &[Conn]) -> Probed {
    let conn = conns[0];
    let left = (MUTE + LATE).saturating_sub(bench.elapsed());
    bench.allow(left);
    bench.end_within(conn, left)?;
    let after = bench.ended_after(conn).filter(|after| *after <= MUTE + LATE);
    if let Some(after) = after {
        let end = &bench.link(conn).end;
        return Ok(Finding::pass(format!("ended after {:.1} s: {end}", after.as_secs_f64())));
    }
    let time = MUTE.as_secs();
    Ok(Finding::warn(format!("a connection without CONNECT stays open for {time} s")))
}

pub fn begin_idle(bench: &mut Bench) -> StepResult<Vec<Conn>> {
    let conn = connected(bench, 0, None)?;
    let dictated = bench.link(conn).mqtt.keep_alive;
    if dictated == 0 {
        return Ok(vec![conn]);
    }
    let words = format!("the server dictates a keep alive of {dictated} s");
    Err(Finding::not_applicable(words).into())
}

pub fn idle_survives(bench: &mut Bench, conns: &[Conn]) -> Probed {
    let conn = conns[0];
    let time = bench.target.idle_time;
    let left = time.saturating_sub(bench.elapsed());
    bench.allow(left);
    bench.end_within(conn, left)?;
    if let Some(after) = bench.ended_after(conn) {
        let end = &bench.link(conn).end;
        let words = format!("ended after {:.1} s of silence: {end}", after.as_secs_f64());
        return Ok(if after < time { Finding::warn(words) } else { Finding::pass(words) });
    }
    let silence = bench.elapsed().as_secs();
    match bench.fence(conn) {
        Ok(()) => Ok(Finding::pass(format!("served after {silence} s of silence"))),
        Err(Stop::Ended { end, .. }) => {
            let words = format!("a PINGREQ after {silence} s of silence was not answered: {end}");
            Ok(Finding::warn(words))
        }
        Err(stop) => Err(stop),
    }
}
