//! Deviations of how frames are read.

use super::{Row, play};
use crate::check::front::{Deviation, Do, Seen, frame};

/// The opcodes.
const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

/// A deviation that looks at each frame of the client alone.
struct Frames(fn(&Seen) -> Vec<Do>);

impl Deviation for Frames {
    fn client_frame(&mut self, seen: &Seen) -> Vec<Do> {
        (self.0)(seen)
    }
}

/// A masked frame, for the server.
fn masked(first: u8, payload: &[u8]) -> Vec<Do> {
    vec![Do::ToServer(frame(first, payload, true))]
}

/// The bytes of the first packet, if it is whole.
fn first_packet(bytes: &[u8]) -> Option<usize> {
    let mut length = 0;
    for (at, byte) in bytes.iter().enumerate().skip(1) {
        length |= usize::from(byte & 0x7f) << (7 * (at - 1));
        if byte & 0x80 == 0 {
            let size = at + 1 + length;
            return (bytes.len() >= size).then_some(size);
        }
    }
    None
}

/// How many whole packets there are, and the bytes behind them.
fn packets(mut bytes: &[u8]) -> (usize, usize) {
    let mut count = 0;
    while let Some(size) = first_packet(bytes) {
        bytes = &bytes[size..];
        count += 1;
    }
    (count, bytes.len())
}

/// Reads only the first packet of each message.
#[derive(Default)]
struct FirstOnly {
    partial: Vec<u8>,
}

impl Deviation for FirstOnly {
    fn client_frame(&mut self, seen: &Seen) -> Vec<Do> {
        if seen.opcode() != BINARY {
            return vec![Do::Pass];
        }
        if self.partial.is_empty()
            && let Some(size) = first_packet(&seen.payload)
        {
            return masked(seen.first, &seen.payload[..size]);
        }
        self.partial.extend(&seen.payload);
        if packets(&self.partial).1 == 0 {
            self.partial.clear();
        }
        vec![Do::Pass]
    }
}

/// Ends the connection at a read that ends inside the header of a frame.
struct HeaderInOneRead {
    /// Bytes of the frame that are not read yet.
    left: usize,
    /// How many are read at once, at most.
    largest: usize,
}

impl HeaderInOneRead {
    fn new(largest: usize) -> Self {
        Self { left: 0, largest }
    }
}

impl Deviation for HeaderInOneRead {
    fn largest_read(&self) -> usize {
        self.largest
    }

    fn client_bytes(&mut self, mut bytes: &[u8]) -> bool {
        loop {
            let taken = self.left.min(bytes.len());
            self.left -= taken;
            bytes = &bytes[taken..];
            if bytes.is_empty() {
                return true;
            }
            let (header, length) = match bytes {
                [_, 0xfe, high, low, ..] => (8, usize::from(u16::from_be_bytes([*high, *low]))),
                [_, second, ..] if *second < 0xfe => (6, usize::from(second & 0x7f)),
                _ => return false,
            };
            if bytes.len() < header {
                return false;
            }
            bytes = &bytes[header..];
            self.left = length;
        }
    }
}

/// A new message inside a fragmented one takes its place.
#[derive(Default)]
struct NestedTaken {
    held: Option<Vec<u8>>,
}

impl Deviation for NestedTaken {
    fn client_frame(&mut self, seen: &Seen) -> Vec<Do> {
        match (seen.opcode(), seen.first & 0x80) {
            (BINARY, 0) => {
                self.held = Some(seen.raw.clone());
                Vec::new()
            }
            (BINARY, _) => {
                self.held = None;
                vec![Do::Pass]
            }
            _ => match self.held.take() {
                Some(held) => vec![Do::ToServer(held), Do::Pass],
                None => vec![Do::Pass],
            },
        }
    }
}

/// A continuation of nothing is left out.
#[derive(Default)]
struct OrphanIgnored {
    is_open: bool,
}

impl Deviation for OrphanIgnored {
    fn client_frame(&mut self, seen: &Seen) -> Vec<Do> {
        let is_orphan = seen.opcode() == CONTINUATION && !self.is_open;
        if seen.opcode() <= BINARY {
            self.is_open = seen.first & 0x80 == 0;
        }
        if is_orphan { Vec::new() } else { vec![Do::Pass] }
    }
}

/// A Pong holds something else than the Ping.
struct OtherPong;

impl Deviation for OtherPong {
    fn server_frame(&mut self, seen: &Seen) -> Vec<Do> {
        match seen.opcode() {
            PONG => vec![Do::ToClient(frame(seen.first, b"other", false))],
            _ => vec![Do::Pass],
        }
    }
}

const PACKETS: &str =
    "two-packets,hundred-packets,packet-over-messages,connect-with-subscribe,ping-answered";

const FRAMES: &str = "header-cut,continuation-frames,ping-between-fragments,odd-fragments,ping,\
                      pong-unasked,empty-message,small-frame-flood";

/// Those that write little at once.
const WHOLE: &str = "header-cut,continuation-frames,ping-between-fragments,odd-fragments,ping,\
                     pong-unasked,empty-message";

const REFUSED: &str = "text-frame,text-frame-first,unmasked,reserved-bits,reserved-opcode,\
                       length-top-bit,fragment-order,control-frames-checked";

const fn row(
    name: &'static str,
    scope: &'static str,
    deviation: fn() -> Box<dyn Deviation>,
) -> Row {
    Row { name, deviation, scope, fails: &[], warns: &[] }
}

const ALIGNMENT: &[Row] = &[
    Row {
        fails: &["two-packets", "hundred-packets", "connect-with-subscribe"],
        ..row("first-packet-only", PACKETS, || Box::new(FirstOnly::default()))
    },
    Row {
        fails: &["connect-with-subscribe"],
        ..row("behind-connect-lost", PACKETS, || {
            Box::new(Frames(|seen| match (seen.packet(), first_packet(&seen.payload)) {
                (Some(1), Some(size)) => masked(seen.first, &seen.payload[..size]),
                _ => vec![Do::Pass],
            }))
        })
    },
    Row {
        fails: &["packet-over-messages"],
        ..row("frame-is-packet", PACKETS, || {
            Box::new(Frames(|seen| {
                let is_cut = seen.opcode() == BINARY && packets(&seen.payload).1 > 0;
                if is_cut { vec![Do::End] } else { vec![Do::Pass] }
            }))
        })
    },
    Row {
        // Some of the hundred are lost, and the others are served.
        warns: &["hundred-packets"],
        ..row("fifty-packets", PACKETS, || {
            Box::new(Frames(|seen| {
                let (count, rest) = packets(&seen.payload);
                if seen.opcode() != BINARY || count < 50 || rest > 0 {
                    return vec![Do::Pass];
                }
                let first = first_packet(&seen.payload).unwrap();
                masked(seen.first, &seen.payload[first..])
            }))
        })
    },
];

const LEGAL: &[Row] = &[
    Row {
        fails: &["header-cut"],
        ..row("header-in-one-read", WHOLE, || Box::new(HeaderInOneRead::new(16 * 1024)))
    },
    Row {
        fails: &["small-frame-flood"],
        // In reads as large as what it writes at once.
        ..row("header-in-one-read-of-many", "small-frame-flood,ping,pong-unasked", || {
            Box::new(HeaderInOneRead::new(1448))
        })
    },
    Row {
        fails: &["continuation-frames", "ping-between-fragments", "odd-fragments"],
        ..row("no-continuation", FRAMES, || {
            Box::new(Frames(|seen| match seen.opcode() {
                CONTINUATION => vec![Do::End],
                _ => vec![Do::Pass],
            }))
        })
    },
    Row {
        fails: &["ping", "ping-between-fragments"],
        ..row("ping-fed-to-mqtt", FRAMES, || {
            Box::new(Frames(|seen| match seen.opcode() {
                PING => masked(0x82, &seen.payload),
                _ => vec![Do::Pass],
            }))
        })
    },
    Row {
        fails: &["ping", "ping-between-fragments"],
        ..row("other-pong", FRAMES, || Box::new(OtherPong))
    },
    Row {
        fails: &["pong-unasked"],
        ..row("pong-fatal", FRAMES, || {
            Box::new(Frames(|seen| match seen.opcode() {
                PONG => vec![Do::End],
                _ => vec![Do::Pass],
            }))
        })
    },
    Row {
        fails: &["empty-message"],
        ..row("empty-message-ends", FRAMES, || {
            Box::new(Frames(|seen| match (seen.first, &seen.payload[..]) {
                (0x82, []) => vec![Do::End],
                _ => vec![Do::Pass],
            }))
        })
    },
    Row {
        // Many fragments are bounded, which is told by 1008.
        warns: &["odd-fragments"],
        ..row("few-fragments", FRAMES, || {
            Box::new(Frames(|seen| match (seen.opcode(), seen.payload.len()) {
                (CONTINUATION, 1) => {
                    vec![Do::ToClient(frame(0x88, &1008_u16.to_be_bytes(), false)), Do::End]
                }
                _ => vec![Do::Pass],
            }))
        })
    },
];

const UNCHECKED: &[Row] = &[
    Row {
        fails: &["text-frame", "text-frame-first"],
        ..row("text-taken", REFUSED, || {
            Box::new(Frames(|seen| match seen.opcode() {
                TEXT => masked(seen.first ^ 3, &seen.payload),
                _ => vec![Do::Pass],
            }))
        })
    },
    Row {
        fails: &["text-frame", "text-frame-first"],
        ..row("text-ignored", REFUSED, || {
            Box::new(Frames(|seen| match seen.opcode() {
                TEXT => Vec::new(),
                _ => vec![Do::Pass],
            }))
        })
    },
    Row {
        fails: &["unmasked"],
        ..row("unmasked-taken", REFUSED, || {
            Box::new(Frames(|seen| {
                if seen.is_masked { vec![Do::Pass] } else { masked(seen.first, &seen.payload) }
            }))
        })
    },
    Row {
        fails: &["reserved-bits"],
        ..row("reserved-bits-taken", REFUSED, || {
            Box::new(Frames(|seen| match seen.first & 0x10 {
                0 => vec![Do::Pass],
                _ => masked(seen.first & 0x8f, &seen.payload),
            }))
        })
    },
    Row {
        fails: &["reserved-opcode"],
        ..row("reserved-opcode-ignored", REFUSED, || {
            Box::new(Frames(|seen| match seen.opcode() {
                0x0..=0x2 | 0x8..=0xa => vec![Do::Pass],
                _ => Vec::new(),
            }))
        })
    },
    Row {
        fails: &["fragment-order"],
        ..row("orphan-ignored", REFUSED, || Box::new(OrphanIgnored::default()))
    },
    Row {
        fails: &["fragment-order"],
        ..row("nested-taken", REFUSED, || Box::new(NestedTaken::default()))
    },
    Row {
        fails: &["control-frames-checked"],
        ..row("ping-fragment-taken", REFUSED, || {
            Box::new(Frames(|seen| match seen.first {
                PING => masked(0x80 | PING, &seen.payload),
                _ => vec![Do::Pass],
            }))
        })
    },
    Row {
        fails: &["control-frames-checked"],
        ..row("long-ping-ignored", REFUSED, || {
            Box::new(Frames(|seen| match (seen.opcode(), seen.payload.len()) {
                (PING, 126..) => Vec::new(),
                _ => vec![Do::Pass],
            }))
        })
    },
    Row {
        fails: &["length-top-bit"],
        ..row("top-bit-ignored", REFUSED, || {
            Box::new(Frames(|seen| match seen.raw[..] {
                [_, 0xff, 0x80..=0xff, ..] => Vec::new(),
                _ => vec![Do::Pass],
            }))
        })
    },
];

#[test]
fn packets_and_messages() {
    play(ALIGNMENT);
}

#[test]
fn legal_frames() {
    play(LEGAL);
}

#[test]
fn frames_that_must_be_refused() {
    play(UNCHECKED);
}
