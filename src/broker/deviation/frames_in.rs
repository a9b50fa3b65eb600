//! Deviations in how frames of clients are read.

use super::stream::{WholeFrame, count_packets, packet_length, whole};
use super::{Change, DeviationMemory, KnownDeviation, RewriteStep, pass};
use crate::websocket::frame::{BINARY, CLOSE, CONTINUATION, FINAL, TEXT, TOO_BIG};

/// The opcodes of Ping and Pong.
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

/// The packet type of CONNECT.
const CONNECT: u8 = 1;

const KIB: usize = 1024;

const fn row(name: &'static str, sentence: &'static str, change: Change) -> KnownDeviation {
    KnownDeviation { name, sentence, servers: "", fails: &[], warns: &[], change }
}

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

pub const ROWS: &[KnownDeviation] = &[
    KnownDeviation {
        servers: "NanoMQ up to 0.22",
        fails: &["two-packets", "hundred-packets", "connect-with-subscribe"],
        ..row(
            "first-packet-only",
            "of several packets in one message only the first is read",
            Change::client_frames(first_only),
        )
    },
    KnownDeviation {
        servers: "NanoMQ",
        fails: &["connect-with-subscribe"],
        ..row(
            "behind-connect-lost",
            "what follows CONNECT in the same message is lost",
            Change::client_frames(|_, frame| {
                match (frame.packet_type(), packet_length(&frame.payload)) {
                    (Some(CONNECT), Some(end @ 1..)) => {
                        onward(frame, frame.first, &frame.payload[..end])
                    }
                    _ => pass(),
                }
            }),
        )
    },
    KnownDeviation {
        fails: &["packet-over-messages"],
        warns: &["large-packet", "large-frame"],
        ..row(
            "frame-is-packet",
            "a message that ends inside a packet ends the connection",
            Change::client_frames(|_, frame| {
                ended_if(frame.is_binary() && count_packets(&frame.payload).1 > 0)
            }),
        )
    },
    KnownDeviation {
        servers: "Mosquitto 2.1.2",
        fails: &["header-cut"],
        ..row(
            "header-in-one-read",
            "a frame header that is cut between TCP segments ends the connection",
            Change { read: Some(header_in_one_read), ..Change::NONE },
        )
    },
    KnownDeviation {
        servers: "Moquette, BifroMQ",
        fails: &["continuation-frames", "ping-between-fragments", "odd-fragments"],
        ..row(
            "no-continuation",
            "a continuation frame ends the connection",
            Change::client_frames(|_, frame| ended_if(frame.opcode() == CONTINUATION)),
        )
    },
    KnownDeviation {
        warns: &["odd-fragments"],
        ..row(
            "few-fragments",
            "more than 100 fragments of one message end the connection (1008)",
            Change::client_frames(|memory, frame| {
                match frame.opcode() {
                    CONTINUATION => memory.count += 1,
                    BINARY => memory.count = 0,
                    _ => {}
                }
                if memory.count > 100 { closed(1008) } else { pass() }
            }),
        )
    },
    KnownDeviation {
        fails: &["ping", "ping-between-fragments"],
        ..row(
            "no-pong",
            "a Ping of WebSocket is not answered",
            Change::client_frames(|_, frame| {
                ignored_if(frame.first == FINAL | PING && frame.payload.len() <= 125)
            }),
        )
    },
    KnownDeviation {
        servers: "RMQTT",
        fails: &["ping", "ping-between-fragments"],
        ..row(
            "ping-fed-to-mqtt",
            "the payload of a Ping is read as MQTT",
            Change::client_frames(|_, frame| match frame.first {
                first if first == FINAL | PING => onward(frame, FINAL | BINARY, &frame.payload),
                _ => pass(),
            }),
        )
    },
    KnownDeviation {
        fails: &["pong-unasked"],
        ..row(
            "pong-fatal",
            "a Pong that nobody asked for ends the connection",
            Change::client_frames(|_, frame| ended_if(frame.opcode() == PONG)),
        )
    },
    KnownDeviation {
        servers: "Mosquitto 2.1.2, RMQTT",
        fails: &["empty-message"],
        ..row(
            "empty-message-ends",
            "an empty message ends the connection",
            Change::client_frames(|_, frame| {
                ended_if(frame.is_binary() && frame.payload.is_empty())
            }),
        )
    },
    KnownDeviation {
        servers: "Mosquitto up to 2.0, NATS, ejabberd, Aedes, amqtt, Artemis",
        fails: &["text-frame", "text-frame-first"],
        ..row(
            "text-taken",
            "text frames are read as if they were binary",
            Change::client_frames(|_, frame| match frame.opcode() {
                TEXT => taken_as(frame, frame.first ^ TEXT ^ BINARY),
                _ => pass(),
            }),
        )
    },
    KnownDeviation {
        servers: "VerneMQ, RabbitMQ 3.10, ActiveMQ",
        fails: &["text-frame", "text-frame-first"],
        ..row(
            "text-ignored",
            "text frames are ignored",
            Change::client_frames(|_, frame| ignored_if(frame.opcode() == TEXT)),
        )
    },
    KnownDeviation {
        servers: "Mosquitto up to 2.0, ejabberd, websocket-stream",
        fails: &["unmasked"],
        ..row(
            "unmasked-taken",
            "frames without a mask are read",
            Change::client_frames(|_, frame| {
                if frame.key.is_some() {
                    return pass();
                }
                let mut bytes = whole(frame.opcode(), &frame.payload, true);
                bytes[0] = frame.first;
                vec![RewriteStep::Onward(bytes)]
            }),
        )
    },
    KnownDeviation {
        servers: "ejabberd",
        fails: &["reserved-bits"],
        ..row(
            "reserved-bits-taken",
            "frames with reserved bits are read as if these were 0",
            Change::client_frames(|_, frame| taken_as(frame, frame.first & 0x8f)),
        )
    },
    KnownDeviation {
        fails: &["reserved-opcode"],
        ..row(
            "reserved-opcode-ignored",
            "frames of unknown opcodes are ignored",
            Change::client_frames(|_, frame| {
                ignored_if(!matches!(frame.opcode(), 0x0..=0x2 | 0x8..=0xa))
            }),
        )
    },
    KnownDeviation {
        fails: &["fragment-order"],
        ..row(
            "orphan-ignored",
            "a continuation of nothing is ignored",
            Change::client_frames(|memory, frame| {
                let is_orphan = frame.opcode() == CONTINUATION && memory.count == 0;
                if frame.opcode() <= BINARY {
                    memory.count = u64::from(frame.first & FINAL == 0);
                }
                ignored_if(is_orphan)
            }),
        )
    },
    KnownDeviation {
        fails: &["control-frames-checked"],
        ..row(
            "ping-fragment-taken",
            "a Ping without FIN is answered",
            Change::client_frames(|_, frame| match frame.first {
                PING => taken_as(frame, FINAL | PING),
                _ => pass(),
            }),
        )
    },
    KnownDeviation {
        fails: &["control-frames-checked"],
        ..row(
            "long-ping-ignored",
            "a Ping of more than 125 bytes is ignored",
            Change::client_frames(|_, frame| {
                ignored_if(frame.opcode() == PING && frame.payload.len() > 125)
            }),
        )
    },
    KnownDeviation {
        fails: &["length-top-bit"],
        ..row(
            "top-bit-ignored",
            "a frame whose length has the top bit set is ignored",
            Change::client_frames(|_, frame| {
                ignored_if(matches!(frame.raw[..], [_, 0xff, 0x80..=0xff, ..]))
            }),
        )
    },
    KnownDeviation {
        servers: "Moquette, BifroMQ, Artemis, ActiveMQ",
        warns: &["large-frame"],
        ..row(
            "frames-up-to-64-kib",
            "a frame of more than 65,535 bytes ends the connection (1009)",
            Change::client_frames(|_, frame| {
                if frame.payload.len() > 0xffff { closed(TOO_BIG) } else { pass() }
            }),
        )
    },
    KnownDeviation {
        servers: "rumqttd",
        warns: &["large-packet", "large-frame"],
        ..row(
            "packets-up-to-20-kib",
            "a packet of more than 20 KiB ends the connection",
            Change::client(|_, packet| ended_if(packet.bytes.len() > 20 * KIB)),
        )
    },
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
