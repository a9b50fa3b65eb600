//! Probes of the group framing-in: what the server takes as WebSocket.

mod fragments;
mod packets;
mod refused;

use super::{GroupProbes, PointProbe};
use crate::command::check::bench::{Bench, Conn};
use crate::command::check::finding::{Finding, Probed, StepResult, Stop};
use crate::command::check::wire::{Frame, PONG};
use crate::mqtt::packet::{Packet, PacketId, Subscribe, Subscription};
use crate::mqtt::property::Properties;
use crate::mqtt::qos::QoS;
use crate::mqtt::topic::TopicFilter;

/// The probes of this group.
pub const PROBES: GroupProbes = &[
    ("two-packets", PointProbe::Ask(packets::two_packets)),
    ("hundred-packets", PointProbe::Ask(packets::hundred_packets)),
    ("packet-over-messages", PointProbe::Ask(packets::packet_over_messages)),
    ("connect-with-subscribe", PointProbe::Ask(packets::connect_with_subscribe)),
    ("header-cut", PointProbe::Ask(fragments::header_cut)),
    ("small-frame-flood", PointProbe::Ask(fragments::small_frame_flood)),
    ("continuation-frames", PointProbe::Ask(fragments::continuation_frames)),
    ("ping-between-fragments", PointProbe::Ask(fragments::ping_between_fragments)),
    ("odd-fragments", PointProbe::Ask(fragments::odd_fragments)),
    ("ping", PointProbe::Ask(ping)),
    ("pong-unasked", PointProbe::Ask(pong_unasked)),
    ("empty-message", PointProbe::Ask(empty_message)),
    ("text-frame", PointProbe::Ask(refused::text_frame)),
    ("text-frame-first", PointProbe::Ask(refused::text_frame_first)),
    ("unmasked", PointProbe::Ask(refused::unmasked)),
    ("reserved-bits", PointProbe::Ask(refused::reserved_bits)),
    ("reserved-opcode", PointProbe::Ask(refused::reserved_opcode)),
    ("length-top-bit", PointProbe::Ask(refused::length_top_bit)),
    ("fragment-order", PointProbe::Ask(refused::fragment_order)),
    ("control-frames-checked", PointProbe::Ask(refused::control_frames_checked)),
];

fn ping(bench: &mut Bench) -> Probed {
    let conn = bench.on()?;
    // One after the other: a server may answer the latest of several alone (RFC 6455 §5.5.3).
    for (payload, tried) in [(&[][..], "of 0 bytes"), (&[b'p'; 125][..], "of 125 bytes")] {
        bench.send_frame(conn, &Frame::ping(payload));
        pong(bench, conn, payload).map_err(|stop| stop.of_try(tried))?;
    }
    bench.taken(conn, "both were answered")
}

/// Waits for the Pong with this payload. Others may come before it: a server may send a Pong that
/// answers nothing (RFC 6455 §5.5.3).
fn pong(bench: &mut Bench, conn: Conn, payload: &[u8]) -> StepResult<()> {
    let patience = bench.patience();
    let mut other = None;
    let answered = bench.wait(conn, "Pong", patience, |link| {
        std::iter::from_fn(|| link.websocket.pongs.pop_front()).find(|pong| {
            let is_answer = pong == payload;
            other = if is_answer { other } else { Some(pong.len()) };
            is_answer
        })
    });
    match (answered, other) {
        (Ok(_), _) => Ok(()),
        (Err(Stop::Silent { .. }), Some(length)) => {
            let asked = payload.len();
            let words = format!("a Pong with {length} other bytes than the {asked} of the Ping");
            Err(Finding::fail(words).into())
        }
        (Err(stop), _) => Err(stop),
    }
}

fn pong_unasked(bench: &mut Bench) -> Probed {
    let conn = bench.shared()?;
    bench.send_frame(conn, &Frame::new(PONG, *b"x"));
    bench.taken(conn, "ignored")
}

fn empty_message(bench: &mut Bench) -> Probed {
    let conn = bench.on()?;
    bench.send_frame(conn, &Frame::binary(*b""));
    bench.taken(conn, "ignored")
}

/// The bytes of a SUBSCRIBE to T with this behind it, at QoS 0, and its identifier.
fn subscribe_bytes(bench: &mut Bench, conn: Conn, suffix: &str) -> (PacketId, Vec<u8>) {
    let packet_id = bench.link(conn).mqtt.next_id();
    let filter = TopicFilter::new(bench.topic(suffix)).expect("filters of probes are legal");
    let subscriptions = vec![Subscription::new(filter, QoS::AtMostOnce)];
    let properties = Properties::default();
    let packet = Packet::Subscribe(Subscribe { packet_id, properties, subscriptions });
    (packet_id, bench.encoded(conn, &packet))
}

/// Waits for this SUBACK, whatever its code: it shows that the SUBSCRIBE was read.
fn suback(bench: &mut Bench, conn: Conn, packet_id: PacketId) -> StepResult<()> {
    bench.take(conn, "SUBACK", |packet| match packet {
        Packet::SubAck(suback) if suback.packet_id == packet_id => Some(()),
        _ => None,
    })
}
