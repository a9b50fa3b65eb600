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

const SCOPE: &str = "framing-out,offer-mqtt,ping-answered,connect-mqtt311,hundred-packets";

const fn data(name: &'static str, deviation: fn() -> Box<dyn Deviation>) -> Row {
    Row { name, deviation, scope: SCOPE, fails: &[], warns: &[] }
}

/// Puts a packet behind CONNACK, into the same message, that must not be there.
struct Behind(fn(&Seen) -> Vec<u8>);

impl Deviation for Behind {
    fn server_frame(&mut self, seen: &Seen) -> Vec<Do> {
        if seen.packet() != Some(2) {
            return vec![Do::Pass];
        }
        let payload = [&seen.payload[..], &(self.0)(seen)].concat();
        vec![Do::ToClient(frame(seen.first, &payload, false))]
    }
}

const fn stray(name: &'static str, deviation: fn() -> Box<dyn Deviation>) -> Row {
    Row { fails: &["packets-wellformed"], ..data(name, deviation) }
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
    stray("second-connack", || Box::new(Behind(|seen| seen.payload.clone()))),
    stray("pingresp-unasked", || Box::new(Behind(|_| vec![0xd0, 0]))),
    stray("stray-puback", || Box::new(Behind(|_| vec![0x40, 2, 0, 77]))),
    // A PUBLISH in MQTT 5 and before: the 0 is no properties, or a part of the payload.
    stray("stranger-out", || Box::new(Behind(|_| b"\x30\x05\0\x01x\0y".to_vec()))),
    stray("client-packet-out", || Box::new(Behind(|_| vec![0xc0, 0]))),
    Row {
        warns: &["packets-wellformed"],
        scope: "framing-out,two-packets",
        ..data("unknown-code-out", || {
            let change = |seen: &Seen| {
                let mut payload = seen.payload.clone();
                if seen.packet() == Some(9) {
                    let length = usize::from(payload[1]);
                    payload[1 + length] = 0xee;
                }
                frame(seen.first, &payload, false)
            };
            Box::new(Changed { is_close: false, change })
        })
    },
];

#[test]
fn deviations_change_their_points() {
    play(ROWS);
}
