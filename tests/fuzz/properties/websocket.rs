//! Frames of a WebSocket in both roles: what the writer of one role writes, the reader of the other
//! reads, wherever it is cut.

use bytes::Bytes;

use super::choices::Choices;
use super::frames::read;
use crate::websocket::client::ClientFrames;
use crate::websocket::outbound::{ServerOutbound, put_frame};
use crate::websocket::{Framing, Role, WebSocketError};

/// The opcode of a Ping.
const PING: u8 = 9;

pub fn check(data: &[u8]) {
    let mut choices = Choices::new(data);
    let seed = choices.byte();
    let mut sent = Vec::new();
    let (wire, reader) = if choices.flag() {
        (from_client(&mut choices, &mut sent), Role::Server)
    } else {
        (from_server(&mut choices, &mut sent), Role::Client)
    };
    let whole = read(reader, &wire, None);
    assert_eq!(whole.payload, sent);
    let closed = WebSocketError::Closed { code: Some(1000), reason: String::new() };
    assert_eq!(whole.end, Some(closed));
    assert_eq!(read(reader, &wire, Some(seed)), whole);
}

/// A payload of any length that matters to headers.
fn payload(choices: &mut Choices<'_>) -> Vec<u8> {
    let length = match choices.below(6) {
        0 => 125 + choices.below(3),
        1 => 0xffff - 1 + choices.below(4),
        2 => 32 * 1024 - 1 + choices.below(3),
        3 => usize::from(choices.number()) % 5000,
        _ => choices.below(20),
    };
    let first = choices.byte();
    (0..length).map(|at| first.wrapping_add(u8::try_from(at % 251).expect("it is below"))).collect()
}

/// What a client writes up to its Close.
fn from_client(choices: &mut Choices<'_>, sent: &mut Vec<u8>) -> Vec<u8> {
    let mut frames =
        ClientFrames::new(1 << 20, choices.of(&[Framing::UpToLimit, Framing::PerPiece]), false);
    let mut wire = Vec::new();
    while !choices.is_empty() && wire.len() < 1 << 18 {
        match choices.below(4) {
            0 => frames.put_ping().expect("it is open"),
            1 => {
                wire.extend_from_slice(frames.waiting());
                frames.written();
            }
            _ => {
                let payload = payload(choices);
                sent.extend_from_slice(&payload);
                let mut payload = Bytes::from(payload);
                while !payload.is_empty() {
                    let before = payload.len();
                    frames.put(&mut payload).expect("it is open");
                    assert!(payload.len() < before);
                }
            }
        }
    }
    frames.put_close_if_little_waits();
    frames.put_close();
    wire.extend_from_slice(frames.waiting());
    wire
}

/// What the server of `serve` writes up to its Close.
fn from_server(choices: &mut Choices<'_>, sent: &mut Vec<u8>) -> Vec<u8> {
    let mut out = ServerOutbound::new(1 + usize::from(choices.number()) % 40_000);
    let mut wire = Vec::new();
    while !choices.is_empty() && wire.len() < 1 << 18 {
        match choices.below(5) {
            0 => {
                let mut frame = Vec::new();
                put_frame(PING, choices.bytes().get(..20).unwrap_or_default(), None, &mut frame);
                out.put_frames(&frame);
            }
            1 => {
                wire.extend_from_slice(out.waiting());
                out.clear();
            }
            2 => out.finish_message(),
            _ => {
                let payload = payload(choices);
                let mut rest = &payload[..];
                while !rest.is_empty() {
                    let room = out.room();
                    if room == 0 {
                        out.finish_message();
                        continue;
                    }
                    let (part, after) = rest.split_at(room.min(rest.len()));
                    out.message().extend_from_slice(part);
                    rest = after;
                }
                sent.extend_from_slice(&payload);
            }
        }
    }
    out.put_close(1000);
    wire.extend_from_slice(out.waiting());
    wire
}
