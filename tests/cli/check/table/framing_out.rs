//! Deviations of what the server sends.

use super::{Row, play};
use crate::check::front::{Deviation, Do, Seen, frame};

/// Changes the frames of the server that hold data or, where it says so, a Close.
struct Changed {
    is_close: bool,
    change: fn(&Seen) -> Vec<u8>,
}

impl Deviation for Changed {
    fn server_frame(&mut self, seen: &Seen) -> Vec<Do> {
        let is_meant = match seen.opcode() {
            0x2 => !self.is_close,
            0x8 => self.is_close,
            _ => false,
        };
        if is_meant { vec![Do::ToClient((self.change)(seen))] } else { vec![Do::Pass] }
    }
}

const SCOPE: &str = "framing-out,offer-mqtt,ping-answered,connect-mqtt311";

const fn data(name: &'static str, deviation: fn() -> Box<dyn Deviation>) -> Row {
    Row { name, deviation, scope: SCOPE, fails: &[], warns: &[] }
}

const ROWS: &[Row] = &[
    Row {
        fails: &["binary-only"],
        ..data("text-out", || {
            let change = |seen: &Seen| frame(0x81, &seen.payload, false);
            Box::new(Changed { is_close: false, change })
        })
    },
    Row {
        fails: &["never-masked"],
        ..data("masked-out", || {
            let change = |seen: &Seen| frame(seen.first, &seen.payload, true);
            Box::new(Changed { is_close: false, change })
        })
    },
    Row {
        fails: &["frames-legal"],
        ..data("reserved-bit-out", || {
            let change = |seen: &Seen| frame(seen.first | 0x20, &seen.payload, false);
            Box::new(Changed { is_close: false, change })
        })
    },
    Row {
        fails: &["frames-legal"],
        ..data("long-length-out", || {
            let change = |seen: &Seen| {
                let length = u16::try_from(seen.payload.len()).unwrap().to_be_bytes();
                [&[seen.first, 126][..], &length, &seen.payload].concat()
            };
            Box::new(Changed { is_close: false, change })
        })
    },
    Row {
        fails: &["close-code-legal"],
        ..data("close-1005-out", || {
            Box::new(Changed { is_close: true, change: |_| frame(0x88, &[0x03, 0xed], false) })
        })
    },
    Row {
        warns: &["packets-aligned"],
        ..data("byte-a-message-out", || {
            let change = |seen: &Seen| {
                seen.payload.iter().flat_map(|byte| frame(0x82, &[*byte], false)).collect()
            };
            Box::new(Changed { is_close: false, change })
        })
    },
    Row {
        // A PINGRESP has no flags.
        fails: &["packets-wellformed"],
        ..data("unknown-packet-out", || {
            let change =
                |seen: &Seen| frame(0x82, &[&[0xd1, 0][..], &seen.payload].concat(), false);
            Box::new(Changed { is_close: false, change })
        })
    },
];

#[test]
fn deviations_change_their_points() {
    play(ROWS);
}
