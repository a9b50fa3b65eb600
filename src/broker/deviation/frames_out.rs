//! Deviations in the frames that the broker sends, and in how connections end.

use super::stream::{WholeFrame, whole};
use super::{Change, DeviationMemory, KnownDeviation, RewriteStep, pass};
use crate::websocket::frame::{BINARY, CLOSE, CONTINUATION, FINAL, TEXT};

/// The packet type of DISCONNECT.
const DISCONNECT: u8 = 14;

const fn row(name: &'static str, sentence: &'static str, change: Change) -> KnownDeviation {
    KnownDeviation { name, sentence, servers: "", fails: &[], warns: &[], change }
}

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

pub const ROWS: &[KnownDeviation] = &[
    KnownDeviation {
        servers: "Artemis with webSocketEncoderType=text",
        fails: &["binary-only"],
        ..row(
            "text-out",
            "packets are sent in text frames",
            Change::server_frames(|_, frame| {
                instead(frame, || frame.altered(FINAL | TEXT, &frame.payload))
            }),
        )
    },
    KnownDeviation {
        fails: &["never-masked"],
        ..row(
            "masked-out",
            "frames are sent with a mask, as clients do",
            Change::server_frames(|_, frame| {
                instead(frame, || whole(BINARY, &frame.payload, true))
            }),
        )
    },
    KnownDeviation {
        fails: &["frames-legal"],
        ..row(
            "reserved-bit-out",
            "frames are sent with a reserved bit",
            Change::server_frames(|_, frame| {
                instead(frame, || frame.altered(frame.first | 0x20, &frame.payload))
            }),
        )
    },
    KnownDeviation {
        fails: &["frames-legal"],
        ..row(
            "long-length-out",
            "short lengths are sent in two bytes more than they need",
            Change::server_frames(|_, frame| match u8::try_from(frame.payload.len()) {
                Ok(length @ 0..126) => {
                    instead(frame, || [&[frame.first, 126, 0, length][..], &frame.payload].concat())
                }
                _ => pass(),
            }),
        )
    },
    KnownDeviation {
        servers: "Artemis and NanoMQ above 64 KiB; legal",
        ..row(
            "fragments-out",
            "every message is sent in a frame for each 16 bytes: legal, and some clients fail",
            Change::server_frames(|_, frame| instead(frame, || fragmented(&frame.payload))),
        )
    },
    KnownDeviation {
        servers: "Aedes with ws; legal",
        warns: &["packets-aligned"],
        ..row(
            "byte-a-message-out",
            "every byte is a message of its own",
            Change::server_frames(|_, frame| {
                instead(frame, || {
                    frame.payload.iter().flat_map(|byte| whole(BINARY, &[*byte], false)).collect()
                })
            }),
        )
    },
    KnownDeviation {
        servers: "RMQTT (an empty Close)",
        fails: &["close-code-legal"],
        ..row(
            "close-1005-out",
            "every Close has the code 1005, which must not be sent",
            Change::server_frames(|_, frame| match frame.opcode() {
                CLOSE => onward(frame.altered(frame.first, &1005_u16.to_be_bytes())),
                _ => pass(),
            }),
        )
    },
    KnownDeviation {
        servers: "Aedes, mochi, rumqttd, Mosquitto up to 2.0",
        warns: &["mqtt-disconnect"],
        ..row(
            "no-close-after-disconnect",
            "after DISCONNECT the connection ends without a Close frame",
            Change::frames(note_end, |memory, frame| no_close(memory, frame, BY_DISCONNECT)),
        )
    },
    KnownDeviation {
        servers: "Mosquitto 2.1",
        fails: &["client-close", "close-forms"],
        ..row(
            "close-unanswered",
            "a Close of the client is not answered by one",
            Change::frames(note_end, |memory, frame| no_close(memory, frame, BY_CLOSE)),
        )
    },
    KnownDeviation {
        servers: "Mosquitto up to 2.0, mochi",
        warns: &["error-close-frame"],
        ..row(
            "no-close-on-errors",
            "after an error of the client the connection ends without a Close frame",
            Change::frames(note_end, |memory, frame| no_close(memory, frame, 0)),
        )
    },
    KnownDeviation {
        fails: &["close-malformed", "close-code-legal"],
        ..row(
            "close-echoed",
            "a Close is answered by the same bytes, whatever they are",
            Change::client_frames(|_, frame| match frame.opcode() {
                CLOSE => {
                    vec![RewriteStep::Back(whole(CLOSE, &frame.payload, false)), RewriteStep::End]
                }
                _ => pass(),
            }),
        )
    },
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
