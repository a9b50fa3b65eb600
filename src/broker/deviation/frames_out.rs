//! Deviations in the frames that the broker sends, and in how connections end.

use super::stream::{WholeFrame, whole};
use super::{Change, DeviationMemory, NamedChange, RewriteStep, SideEnding, pass};
use crate::websocket::frame::{BINARY, CLOSE, CONTINUATION, FINAL, TEXT};

/// The packet type of DISCONNECT.
const DISCONNECT: u8 = 14;

/// The opcode of Ping.
const PING: u8 = 0x9;

fn onward(bytes: Vec<u8>) -> Vec<RewriteStep> {
    vec![RewriteStep::Onward(bytes)]
}

/// Something else instead of a binary message.
fn instead(frame: &WholeFrame, change: impl FnOnce() -> Vec<u8>) -> Vec<RewriteStep> {
    if frame.is_binary() { onward(change()) } else { pass() }
}

/// How a client ends a connection, as `Memory::count`.
const BY_DISCONNECT: u64 = 1;
const BY_CLOSE: u64 = 2;

/// Notes how the client ends the connection.
fn note_end(memory: &mut DeviationMemory, frame: &WholeFrame) -> Vec<RewriteStep> {
    if memory.count == 0 {
        if frame.packet_type() == Some(DISCONNECT) {
            memory.count = BY_DISCONNECT;
        } else if frame.opcode() == CLOSE {
            memory.count = BY_CLOSE;
        }
    }
    pass()
}

/// No Close where the client has ended the connection in this way.
fn no_close(memory: &DeviationMemory, frame: &WholeFrame, end: u64) -> Vec<RewriteStep> {
    if frame.opcode() == CLOSE && memory.count == end { Vec::new() } else { pass() }
}

pub const CHANGES: &[NamedChange] = &[
    (
        "text-out",
        Change::server_frames(|_, frame| {
            instead(frame, || frame.altered(FINAL | TEXT, &frame.payload))
        }),
    ),
    (
        "masked-out",
        Change::server_frames(|_, frame| instead(frame, || whole(BINARY, &frame.payload, true))),
    ),
    (
        "reserved-bit-out",
        Change::server_frames(|_, frame| {
            instead(frame, || frame.altered(frame.first | 0x20, &frame.payload))
        }),
    ),
    (
        "long-length-out",
        Change::server_frames(|_, frame| match u8::try_from(frame.payload.len()) {
            Ok(length @ 0..126) => {
                instead(frame, || [&[frame.first, 126, 0, length][..], &frame.payload].concat())
            }
            _ => pass(),
        }),
    ),
    (
        "fragments-out",
        Change::server_frames(|_, frame| instead(frame, || fragmented(&frame.payload))),
    ),
    (
        "byte-a-message-out",
        Change::server_frames(|_, frame| {
            instead(frame, || {
                frame.payload.iter().flat_map(|byte| whole(BINARY, &[*byte], false)).collect()
            })
        }),
    ),
    (
        "close-1005-out",
        Change::server_frames(|_, frame| match frame.opcode() {
            CLOSE => onward(frame.altered(frame.first, &1005_u16.to_be_bytes())),
            _ => pass(),
        }),
    ),
    (
        "no-close-after-disconnect",
        Change::frames(note_end, |memory, frame| no_close(memory, frame, BY_DISCONNECT)),
    ),
    (
        "close-unanswered",
        Change::frames(note_end, |memory, frame| no_close(memory, frame, BY_CLOSE)),
    ),
    ("no-close-on-errors", Change::frames(note_end, |memory, frame| no_close(memory, frame, 0))),
    (
        "close-echoed",
        Change::client_frames(|_, frame| match frame.opcode() {
            CLOSE => {
                vec![RewriteStep::Back(whole(CLOSE, &frame.payload, false)), RewriteStep::End]
            }
            _ => pass(),
        }),
    ),
    (
        "pings-out",
        Change::server_frames(|_, frame| {
            instead(frame, || [&whole(PING, b"alive?", false), &frame.raw[..]].concat())
        }),
    ),
    (
        "reset-after-disconnect",
        Change::frames(note_end, |memory, frame| {
            let is_it = frame.opcode() == CLOSE && memory.count == BY_DISCONNECT;
            if is_it { vec![RewriteStep::Reset] } else { pass() }
        }),
    ),
    ("no-end-after-close", Change { ending: SideEnding::Never, ..Change::NONE }),
    (
        "no-end-after-disconnect",
        Change {
            ending: SideEnding::Never,
            ..Change::frames(note_end, |memory, frame| no_close(memory, frame, BY_DISCONNECT))
        },
    ),
    ("no-close-notify", Change { ending: SideEnding::WithoutCloseNotify, ..Change::NONE }),
];

/// A message in frames of 16 bytes.
fn fragmented(payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let count = payload.chunks(16).count();
    for (at, part) in payload.chunks(16).enumerate() {
        let start = bytes.len();
        bytes.extend(whole(if at == 0 { BINARY } else { CONTINUATION }, part, false));
        if at + 1 < count {
            bytes[start] &= !FINAL;
        }
    }
    bytes
}
