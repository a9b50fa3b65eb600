//! Probes of the group framing-in: what the server takes as WebSocket.

mod fragments;
mod packets;
mod refused;

use super::{Probe, Probes};
use crate::command::check::bench::{Bench, Conn};
use crate::command::check::finding::{Finding, Probed, Step};
use crate::command::check::wire::{Frame, PONG};
use crate::mqtt::packet::{Packet, PacketId, Subscribe, Subscription};
use crate::mqtt::property::Properties;
use crate::mqtt::qos::QoS;
use crate::mqtt::topic::TopicFilter;

/// The probes of this group.
pub const PROBES: Probes = &[
    ("two-packets", Probe::Ask(packets::two_packets)),
    ("hundred-packets", Probe::Ask(packets::hundred_packets)),
    ("packet-over-messages", Probe::Ask(packets::packet_over_messages)),
    ("connect-with-subscribe", Probe::Ask(packets::connect_with_subscribe)),
    ("header-cut", Probe::Ask(fragments::header_cut)),
    ("small-frame-flood", Probe::Ask(fragments::small_frame_flood)),
    ("continuation-frames", Probe::Ask(fragments::continuation_frames)),
    ("ping-between-fragments", Probe::Ask(fragments::ping_between_fragments)),
    ("odd-fragments", Probe::Ask(fragments::odd_fragments)),
    ("ping", Probe::Ask(ping)),
    ("pong-unasked", Probe::Ask(pong_unasked)),
    ("empty-message", Probe::Ask(empty_message)),
    ("text-frame", Probe::Ask(refused::text_frame)),
    ("text-frame-first", Probe::Ask(refused::text_frame_first)),
    ("unmasked", Probe::Ask(refused::unmasked)),
    ("reserved-bits", Probe::Ask(refused::reserved_bits)),
    ("reserved-opcode", Probe::Ask(refused::reserved_opcode)),
    ("length-top-bit", Probe::Ask(refused::length_top_bit)),
    ("fragment-order", Probe::Ask(refused::fragment_order)),
    ("control-frames-checked", Probe::Ask(refused::control_frames_checked)),
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

/// Waits for the Pong with this payload.
fn pong(bench: &mut Bench, conn: Conn, payload: &[u8]) -> Step<()> {
    let patience = bench.patience();
    let pong = bench.wait(conn, "Pong", patience, |link| link.pongs.pop_front())?;
    if pong == payload {
        return Ok(());
    }
    let lengths = (pong.len(), payload.len());
    let words = format!("a Pong with {} other bytes than the {} of the Ping", lengths.0, lengths.1);
    Err(Finding::fail(words).into())
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
    let packet_id = bench.link(conn).next_id();
    let filter = TopicFilter::new(bench.topic(suffix)).expect("filters of probes are legal");
    let subscriptions = vec![Subscription::new(filter, QoS::AtMostOnce)];
    let properties = Properties::default();
    let packet = Packet::Subscribe(Subscribe { packet_id, properties, subscriptions });
    (packet_id, bench.encoded(conn, &packet))
}

/// Waits for this SUBACK, whatever its code: it shows that the SUBSCRIBE was read.
fn suback(bench: &mut Bench, conn: Conn, packet_id: PacketId) -> Step<()> {
    bench.take(conn, "SUBACK", |packet| match packet {
        Packet::SubAck(suback) if suback.packet_id == packet_id => Some(()),
        _ => None,
    })
}
