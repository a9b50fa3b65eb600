//! Deviations in how frames of clients are read.

use super::stream::{WholeFrame, count_packets, packet_length, whole};
use super::{Change, DeviationMemory, NamedChange, RewriteStep, pass};
use crate::websocket::frame::{BINARY, CLOSE, CONTINUATION, FINAL, TEXT, TOO_BIG};

/// The opcodes of Ping and Pong.
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

/// The packet type of CONNECT.
const CONNECT: u8 = 1;

const KIB: usize = 1024;

/// Ends the connection at frames that are like that.
fn ended_if(is_fatal: bool) -> Vec<RewriteStep> {
    if is_fatal { vec![RewriteStep::End] } else { pass() }
}

/// Leaves out frames that are like that.
fn ignored_if(is_ignored: bool) -> Vec<RewriteStep> {
    if is_ignored { Vec::new() } else { pass() }
}

/// Another first byte, if it is like that.
fn taken_as(frame: &WholeFrame, first: u8) -> Vec<RewriteStep> {
    if first == frame.first { pass() } else { onward(frame, first, &frame.payload) }
}

fn onward(frame: &WholeFrame, first: u8, payload: &[u8]) -> Vec<RewriteStep> {
    vec![RewriteStep::Onward(frame.altered(first, payload))]
}

/// Close with this code, and the end.
fn closed(code: u16) -> Vec<RewriteStep> {
    vec![RewriteStep::Back(whole(CLOSE, &code.to_be_bytes(), false)), RewriteStep::End]
}

pub const CHANGES: &[NamedChange] = &[
    ("first-packet-only", Change::client_frames(first_only)),
    (
        "behind-connect-lost",
        Change::client_frames(|_, frame| {
            match (frame.packet_type(), packet_length(&frame.payload)) {
                (Some(CONNECT), Some(end @ 1..)) => {
                    onward(frame, frame.first, &frame.payload[..end])
                }
                _ => pass(),
            }
        }),
    ),
    (
        "frame-is-packet",
        Change::client_frames(|_, frame| {
            ended_if(frame.is_binary() && count_packets(&frame.payload).1 > 0)
        }),
    ),
    ("header-in-one-read", Change { read: Some(header_in_one_read), ..Change::NONE }),
    ("no-continuation", Change::client_frames(|_, frame| ended_if(frame.opcode() == CONTINUATION))),
    (
        "few-fragments",
        Change::client_frames(|memory, frame| {
            if frame.opcode() == CONTINUATION {
                memory.count += 1;
            } else if frame.opcode() == BINARY {
                memory.count = 0;
            }
            if memory.count > 100 { closed(1008) } else { pass() }
        }),
    ),
    (
        "no-pong",
        Change::client_frames(|_, frame| {
            ignored_if(frame.first == FINAL | PING && frame.payload.len() <= 125)
        }),
    ),
    (
        "ping-fed-to-mqtt",
        Change::client_frames(|_, frame| match frame.first {
            first if first == FINAL | PING => onward(frame, FINAL | BINARY, &frame.payload),
            _ => pass(),
        }),
    ),
    ("pong-fatal", Change::client_frames(|_, frame| ended_if(frame.opcode() == PONG))),
    (
        "empty-message-ends",
        Change::client_frames(|_, frame| ended_if(frame.is_binary() && frame.payload.is_empty())),
    ),
    (
        "text-taken",
        Change::client_frames(|_, frame| match frame.opcode() {
            TEXT => taken_as(frame, frame.first ^ TEXT ^ BINARY),
            _ => pass(),
        }),
    ),
    ("text-ignored", Change::client_frames(|_, frame| ignored_if(frame.opcode() == TEXT))),
    (
        "unmasked-taken",
        Change::client_frames(|_, frame| {
            if frame.key.is_some() {
                return pass();
            }
            let mut bytes = whole(frame.opcode(), &frame.payload, true);
            bytes[0] = frame.first;
            vec![RewriteStep::Onward(bytes)]
        }),
    ),
    ("reserved-bits-taken", Change::client_frames(|_, frame| taken_as(frame, frame.first & 0x8f))),
    (
        "reserved-opcode-ignored",
        Change::client_frames(|_, frame| {
            ignored_if(!matches!(frame.opcode(), 0x0..=0x2 | 0x8..=0xa))
        }),
    ),
    (
        "orphan-ignored",
        Change::client_frames(|memory, frame| {
            let is_orphan = frame.opcode() == CONTINUATION && memory.count == 0;
            if frame.opcode() <= BINARY {
                memory.count = u64::from(frame.first & FINAL == 0);
            }
            ignored_if(is_orphan)
        }),
    ),
    (
        "ping-fragment-taken",
        Change::client_frames(|_, frame| match frame.first {
            PING => taken_as(frame, FINAL | PING),
            _ => pass(),
        }),
    ),
    (
        "long-ping-ignored",
        Change::client_frames(|_, frame| {
            ignored_if(frame.opcode() == PING && frame.payload.len() > 125)
        }),
    ),
    (
        "top-bit-ignored",
        Change::client_frames(|_, frame| {
            ignored_if(matches!(frame.raw[..], [_, 0xff, 0x80..=0xff, ..]))
        }),
    ),
    (
        "frames-up-to-64-kib",
        Change::client_frames(
            |_, frame| {
                if frame.payload.len() > 0xffff { closed(TOO_BIG) } else { pass() }
            },
        ),
    ),
    ("packets-up-to-20-kib", Change::client(|_, packet| ended_if(packet.bytes.len() > 20 * KIB))),
    (
        "ping-between-fragments-ends",
        Change::client_frames(|memory, frame| {
            if matches!(frame.opcode(), BINARY | CONTINUATION) {
                memory.count = u64::from(frame.first & FINAL == 0);
            }
            ended_if(frame.opcode() == PING && memory.count > 0)
        }),
    ),
];

/// The rest of a message after its first packet is lost; a packet over several messages is not.
fn first_only(memory: &mut DeviationMemory, frame: &WholeFrame) -> Vec<RewriteStep> {
    if frame.opcode() != BINARY {
        return pass();
    }
    let partial = memory.kept.get_or_insert_default();
    if partial.is_empty()
        && let Some(end @ 1..) = packet_length(&frame.payload)
    {
        return onward(frame, frame.first, &frame.payload[..end]);
    }
    partial.extend(&frame.payload);
    if count_packets(partial).1 == 0 {
        partial.clear();
    }
    pass()
}

/// Whether this read does not end inside the header of a frame.
fn header_in_one_read(memory: &mut DeviationMemory, mut bytes: &[u8]) -> bool {
    use crate::websocket::frame::FrameHeader;
    loop {
        let taken = usize::try_from(memory.count).map_or(bytes.len(), |left| left.min(bytes.len()));
        memory.count -= taken as u64;
        bytes = &bytes[taken..];
        if bytes.is_empty() {
            return true;
        }
        let Some(header) = FrameHeader::read(bytes) else { return false };
        bytes = &bytes[header.length..];
        memory.count = header.payload;
    }
}
