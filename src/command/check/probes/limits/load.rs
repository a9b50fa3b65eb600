//! Large packets and frames, many messages, and how long one takes.

use std::time::Duration;

use bytes::Bytes;

use crate::command::check::bench::{Bench, Conn};
use crate::command::check::finding::{Finding, Probed, StepResult, Stop};
use crate::command::check::wire::Frame;
use crate::mqtt::packet::Packet;
use crate::mqtt::qos::QoS;

/// The payload of a large packet, in bytes.
const LARGE: usize = 100_000;

/// The largest message of a packet that goes in several, in bytes.
pub const PIECE: usize = 32 * 1024;

/// What a PUBLISH needs besides its payload, in bytes.
const OVERHEAD: usize = 512;

/// How long a large packet may take.
const LARGE_TIME: Duration = Duration::from_secs(30);

/// How many packets are timed.
const STEPS: usize = 20;

/// How long they may take where each round trip takes a second.
const ROUND_TRIPS: Duration = Duration::from_secs(40);

/// How much longer than a PINGREQ a PUBLISH may take.
const DELAY: Duration = Duration::from_millis(30);

/// How many messages a burst has.
const BURST: usize = 1000;

/// How many of them are on their way at most.
const WINDOW: u64 = 100;

/// How long a burst may take.
const BURST_TIME: Duration = Duration::from_secs(5);

/// How a packet is laid into frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MessageLayout {
    /// One message in one frame.
    OneFrame,
    /// Messages of [`PIECE`] bytes.
    Messages,
}

impl MessageLayout {
    fn words(self) -> &'static str {
        match self {
            Self::OneFrame => "in one frame",
            Self::Messages => "in messages of 32 KiB",
        }
    }
}

/// Whether the server has announced that it takes no packet with so much payload.
fn is_too_large(bench: &Bench, size: usize) -> Option<u64> {
    let maximum = bench.announced("maximum_packet_size");
    maximum.filter(|maximum| *maximum < (size + OVERHEAD) as u64)
}

/// Publishes so many bytes to ourselves, and waits for them. `Err` tells how they were refused.
fn there_and_back(
    bench: &mut Bench,
    conn: Conn,
    size: usize,
    layout: MessageLayout,
) -> StepResult<Result<(), String>> {
    let topic = bench.topic("");
    bench.subscribe(conn, &topic, QoS::AtLeastOnce)?;
    let payload: Bytes = (0..=250_u8).cycle().take(size).collect();
    let mut publish = Bench::message(&topic, bench.usable(QoS::AtLeastOnce), payload.clone());
    publish.packet_id = (publish.qos > QoS::AtMostOnce).then(|| bench.link(conn).mqtt.next_id());
    let bytes = bench.encoded(conn, &Packet::Publish(publish));
    let piece = if layout == MessageLayout::OneFrame { bytes.len() } else { PIECE };
    for piece in bytes.chunks(piece) {
        let frame = bench.link(conn).websocket.frame_bytes(&Frame::binary(piece));
        bench.write(conn, &frame);
    }
    let came = large_delivery(bench, conn, &topic);
    match came {
        Ok(Ok(came)) if came == payload => Ok(Ok(())),
        Ok(Ok(came)) => {
            let words = format!("{size} bytes were altered: {} bytes came", came.len());
            Err(Finding::fail(words).into())
        }
        Ok(Err(words)) => Ok(Err(words)),
        Err(Stop::Ended { end, .. }) => Ok(Err(end.to_string())),
        Err(stop) => Err(stop),
    }
}

/// The payload that comes to this topic, or the acknowledgement that refuses it. A server that goes
/// on sending is not silent.
fn large_delivery(bench: &mut Bench, conn: Conn, topic: &str) -> StepResult<Result<Bytes, String>> {
    bench.allow(LARGE_TIME);
    let (patience, until) = (bench.patience(), bench.elapsed() + LARGE_TIME);
    loop {
        let before = bench.journal.traffic.1;
        let came = bench.take_within(conn, "delivery", patience, |packet| match packet {
            Packet::Publish(publish) if publish.topic_or_empty() == topic => {
                Some(Ok(publish.payload.clone()))
            }
            Packet::PubAck(ack) if ack.code.is_error() => {
                Some(Err(format!("PUBACK 0x{:02x}", ack.code.0)))
            }
            _ => None,
        });
        let is_coming = bench.journal.traffic.1 > before && bench.elapsed() < until;
        if !(is_coming && matches!(came, Err(Stop::Silent { .. }))) {
            return came;
        }
    }
}

pub fn large_packet(bench: &mut Bench) -> Probed {
    let conn = bench.on()?;
    if let Some(maximum) = is_too_large(bench, LARGE) {
        let words = format!("the server announces packets of {maximum} bytes at most");
        return Ok(Finding::not_applicable(words));
    }
    Ok(match there_and_back(bench, conn, LARGE, MessageLayout::Messages)? {
        Ok(()) => Finding::pass(format!("{LARGE} bytes came back unchanged")),
        Err(words) => Finding::warn(format!("{LARGE} bytes were refused: {words}")),
    })
}

pub fn large_frame(bench: &mut Bench) -> Probed {
    let steps = [
        (65_536, MessageLayout::OneFrame),
        (130_000, MessageLayout::OneFrame),
        (1_100_000, MessageLayout::OneFrame),
        (1_100_000, MessageLayout::Messages),
    ];
    let mut largest = 0;
    for (size, layout) in steps {
        let conn = bench.on()?;
        if let Some(maximum) = is_too_large(bench, size) {
            let words = format!("the server announces packets of {maximum} bytes at most");
            return Ok(match largest {
                0 => Finding::not_applicable(words),
                _ => Finding::pass(format!("{largest} bytes in one frame came back; {words}")),
            });
        }
        if let Some(words) = refusal_of(bench, conn, size, layout)? {
            let how = layout.words();
            let taken = if largest == 0 { "none".to_owned() } else { format!("{largest} bytes") };
            let words = format!("largest taken: {taken}; {size} bytes {how}: {words}");
            return Ok(Finding::warn(words));
        }
        largest = size;
    }
    Ok(Finding::pass(format!("{largest} bytes in one frame came back")))
}

/// How so many bytes were refused, if they were. The connection is ended.
fn refusal_of(
    bench: &mut Bench,
    conn: Conn,
    size: usize,
    layout: MessageLayout,
) -> StepResult<Option<String>> {
    let refused = match there_and_back(bench, conn, size, layout) {
        Ok(came) => came.err(),
        Err(Stop::Silent { awaited, .. }) => Some(format!("no {awaited}")),
        Err(stop) => return Err(stop),
    };
    bench.close(conn);
    Ok(refused)
}

/// The value in the middle, and how far the middle half of the values reaches.
fn median_and_spread(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort();
    let at = |part: usize| times[times.len() * part / 4];
    (at(2), at(3).saturating_sub(at(1)))
}

pub fn latency_steps(bench: &mut Bench) -> Probed {
    bench.allow(ROUND_TRIPS);
    let conn = bench.shared()?;
    bench.requires("maximum_qos", "QoS 1")?;
    // At QoS 0 nothing is to be acknowledged: what waits for an acknowledgement of TCP shows.
    let topic = bench.topic("");
    bench.subscribe(conn, &topic, QoS::AtMostOnce)?;
    let (mut pings, mut publishes) = (Vec::new(), Vec::new());
    for _ in 0..STEPS {
        let began = bench.elapsed();
        bench.fence(conn)?;
        let between = bench.elapsed();
        bench.publish(conn, Bench::message(&topic, QoS::AtLeastOnce, "step"))?;
        bench.delivery(conn, &topic)?;
        pings.push(between.saturating_sub(began));
        publishes.push(bench.elapsed().saturating_sub(between));
    }
    Ok(judge_latency(pings, publishes))
}

fn judge_latency(pings: Vec<Duration>, publishes: Vec<Duration>) -> Finding {
    let (ping, _) = median_and_spread(pings);
    let (publish, spread) = median_and_spread(publishes);
    let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
    let words = format!(
        "a message takes {:.1} ms, a PINGREQ {:.1} ms (medians of {STEPS})",
        milliseconds(publish),
        milliseconds(ping),
    );
    match publish.saturating_sub(ping) > DELAY {
        false => Finding::pass(words),
        true if spread > publish => {
            Finding::unknown(format!("{words}, but half of them differ by more than that"))
        }
        true => Finding::warn(format!("{words}: delayed by Nagle's algorithm or batching")),
    }
}

pub fn burst(bench: &mut Bench) -> Probed {
    let conn = bench.on()?;
    bench.requires("maximum_qos", "QoS 1")?;
    let topic = bench.topic("");
    bench.publish(conn, Bench::message(&topic, QoS::AtLeastOnce, "first"))?;
    bench.allow(BURST_TIME);
    let window = bench.announced("receive_maximum").unwrap_or(WINDOW).clamp(1, WINDOW) as usize;
    let (mut sent, mut taken) = (0, 0);
    let began = bench.elapsed();
    while taken < BURST {
        let time = bench.elapsed().saturating_sub(began);
        if time > BURST_TIME {
            return Ok(Finding::warn(format!("{taken} of {BURST} acknowledged in 5 s")));
        }
        while sent < BURST && sent - taken < window {
            bench.send_publish(conn, Bench::message(&topic, QoS::AtLeastOnce, "burst"));
            sent += 1;
        }
        if let Some(words) = refusal_of_burst(bench, conn)? {
            return Ok(Finding::warn(format!("after {taken} of {BURST}: {words}")));
        }
        taken += 1;
    }
    let time = bench.elapsed().saturating_sub(began).as_secs_f64();
    bench.taken(conn, &format!("{BURST} messages acknowledged in {time:.1} s"))
}

/// How the next message was not acknowledged, if it was not.
fn refusal_of_burst(bench: &mut Bench, conn: Conn) -> StepResult<Option<String>> {
    let code = bench.take(conn, "PUBACK", |packet| match packet {
        Packet::PubAck(ack) => Some(ack.code),
        _ => None,
    });
    match code {
        Ok(code) => Ok(code.is_error().then(|| format!("PUBACK 0x{:02x}", code.0))),
        Err(Stop::Ended { end, .. }) => Ok(Some(end.to_string())),
        Err(Stop::Silent { after, .. }) => {
            Ok(Some(format!("no PUBACK within {:.1} s", after.as_secs_f64())))
        }
        Err(stop) => Err(stop),
    }
}
