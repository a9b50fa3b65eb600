//! Probes of frames that are cut: by TCP, and into fragments (RFC 6455 §5.2, §5.4).

use std::time::Duration;

use super::packets::delivered;
use super::{pong, suback, subscribe_bytes};
use crate::command::check::bench::{Bench, Conn};
use crate::command::check::finding::{Finding, Probed, StepResult, Stop};
use crate::command::check::wire::Frame;
use crate::mqtt::packet::Packet;
use crate::mqtt::qos::QoS;

/// Between the two parts of a frame.
const BETWEEN_PARTS: Duration = Duration::from_millis(30);

/// Between the pieces of a flood: the server reads them one by one.
const BETWEEN_PIECES: Duration = Duration::from_millis(1);

/// How long a flood may take to be read.
const FLOOD: Duration = Duration::from_secs(10);

/// The bytes of a frame of a flood, and those of a piece of it, as TCP often cuts.
const SMALL_FRAME: usize = 53;
const PIECE: usize = 1448;

/// Frames of a flood.
const FRAMES: usize = 2000;

pub fn header_cut(bench: &mut Bench) -> Probed {
    let conn = bench.on()?;
    // With 7 bits of length the mask is in the bytes 2 to 5, with 16 bits in 4 to 7.
    let short = [
        (1, "cut behind its first byte"),
        (2, "cut before the mask"),
        (4, "cut inside the mask"),
        (6, "cut before the payload"),
    ];
    let long = [
        (3, "cut inside a length of 16 bits"),
        (4, "cut behind a length of 16 bits"),
        (6, "cut inside the mask, after a length of 16 bits"),
    ];
    for (at, tried) in short {
        cut_subscribe(bench, conn, "", at).map_err(|stop| stop.of_try(tried))?;
    }
    let suffix = format!("/{}", "x".repeat(126));
    for (at, tried) in long {
        cut_subscribe(bench, conn, &suffix, at).map_err(|stop| stop.of_try(tried))?;
    }
    bench.taken(conn, "each was answered by SUBACK")
}

/// SUBSCRIBE as a frame in two parts, and its SUBACK.
fn cut_subscribe(bench: &mut Bench, conn: Conn, suffix: &str, at: usize) -> StepResult<()> {
    let (id, bytes) = subscribe_bytes(bench, conn, suffix);
    let bytes = bench.link(conn).websocket.frame_bytes(&Frame::binary(bytes));
    let (first, second) = bytes.split_at(at);
    bench.write(conn, first);
    bench.pause(conn, BETWEEN_PARTS)?;
    bench.write(conn, second);
    suback(bench, conn, id)
}

pub fn small_frame_flood(bench: &mut Bench) -> Probed {
    let (conn, topic) = (bench.on()?, bench.topic(""));
    bench.allow(FLOOD);
    let empty = Packet::Publish(Bench::message(&topic, QoS::AtMostOnce, ""));
    let empty = Frame::binary(bench.encoded(conn, &empty));
    let room = SMALL_FRAME.saturating_sub(bench.link(conn).websocket.frame_bytes(&empty).len());
    let packet = Packet::Publish(Bench::message(&topic, QoS::AtMostOnce, vec![b'x'; room]));
    let frame = Frame::binary(bench.encoded(conn, &packet));
    let mut bytes = Vec::new();
    for _ in 0..FRAMES {
        bytes.extend(bench.link(conn).websocket.frame_bytes(&frame));
    }
    for piece in bytes.chunks(PIECE) {
        bench.write(conn, piece);
        bench.pause(conn, BETWEEN_PIECES)?;
    }
    bench.send_fence(conn);
    bench.wait(conn, "PINGRESP", FLOOD, |link| {
        link.mqtt.inbox.iter().any(|received| received.packet == Ok(Packet::PingResp)).then_some(())
    })?;
    Ok(Finding::pass("all were read"))
}

pub fn continuation_frames(bench: &mut Bench) -> Probed {
    let conn = bench.on()?;
    let (id, bytes) = subscribe_bytes(bench, conn, "");
    let (first, second) = bytes.split_at(bytes.len() / 2);
    bench.send_frame(conn, &Frame::binary(first).unfinished());
    bench.send_frame(conn, &Frame::continuation(second));
    suback(bench, conn, id)?;
    bench.taken(conn, "SUBACK")
}

pub fn ping_between_fragments(bench: &mut Bench) -> Probed {
    let conn = bench.on()?;
    let (id, bytes) = subscribe_bytes(bench, conn, "");
    let (first, second) = bytes.split_at(bytes.len() / 2);
    bench.send_frame(conn, &Frame::binary(first).unfinished());
    bench.send_frame(conn, &Frame::ping(*b"mqttws"));
    bench.send_frame(conn, &Frame::continuation(second));
    pong(bench, conn, b"mqttws")?;
    suback(bench, conn, id)?;
    bench.taken(conn, "Pong and SUBACK")
}

pub fn odd_fragments(bench: &mut Bench) -> Probed {
    let conn = bench.on()?;
    for (empty, tried) in [
        (0, "an empty first fragment"),
        (1, "an empty middle fragment"),
        (2, "an empty last fragment"),
    ] {
        let (id, bytes) = subscribe_bytes(bench, conn, "");
        let mut parts: Vec<&[u8]> = bytes.chunks(bytes.len().div_ceil(2)).collect();
        parts.insert(empty, &[]);
        send_fragments(bench, conn, &parts);
        suback(bench, conn, id).map_err(|stop| stop.of_try(tried))?;
    }
    bench.subscribe(conn, &bench.topic(""), QoS::AtMostOnce)?;
    let tried = "1000 fragments of a byte";
    tiny_fragments(bench, conn).map_err(|stop| stop.of_try(tried))
}

/// One message in these fragments.
fn send_fragments(bench: &mut Bench, conn: Conn, parts: &[&[u8]]) {
    let mut bytes = Vec::new();
    for (number, part) in parts.iter().enumerate() {
        let frame = if number == 0 { Frame::binary(*part) } else { Frame::continuation(*part) };
        let frame = if number + 1 < parts.len() { frame.unfinished() } else { frame };
        bytes.extend(bench.link(conn).websocket.frame_bytes(&frame));
    }
    bench.write(conn, &bytes);
}

/// A PUBLISH in fragments of a byte. Some libraries bound the number of fragments: that is told
/// by a Close of 1008 or 1009.
fn tiny_fragments(bench: &mut Bench, conn: Conn) -> Probed {
    let topic = bench.topic("");
    // About 1000 bytes with its topic.
    let publish = Bench::message(&topic, QoS::AtMostOnce, vec![b'x'; 950]);
    let bytes = bench.encoded(conn, &Packet::Publish(publish.clone()));
    send_fragments(bench, conn, &bytes.chunks(1).collect::<Vec<_>>());
    match delivered(bench, conn, &publish) {
        Ok(()) => Ok(Finding::pass("all were read")),
        Err(Stop::Ended { end, .. })
            if end.close.as_ref().is_some_and(|close| matches!(close.code, Some(1008 | 1009))) =>
        {
            Ok(Finding::warn(format!("1000 fragments of a byte: {end}")))
        }
        Err(stop) => Err(stop),
    }
}
