//! Whole packets out of the frames of a client.

use crate::Failure;
use crate::websocket::{CLOSE, apply_mask};

/// What came over one connection and is not understood yet.
#[derive(Debug, Default)]
pub struct Inbound {
    raw: Vec<u8>,
    packets: Vec<u8>,
    /// How much of `packets` was taken.
    taken: usize,
}

impl Inbound {
    /// Takes what was read; frames of a client are masked.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.raw.extend_from_slice(bytes);
        let mut at = 0;
        while let Some((start, length, mask)) = header(&self.raw[at..]) {
            let Some(end) = Some(at + start + length).filter(|end| *end <= self.raw.len()) else {
                break;
            };
            let first = self.raw[at];
            let payload = &mut self.raw[at + start..end];
            apply_mask(payload, mask, 0);
            if first == CLOSE {
                return Err("closed".into());
            }
            if first & 0x0f < 8 {
                self.packets.extend_from_slice(payload);
            }
            at = end;
        }
        self.raw.drain(..at);
        Ok(())
    }

    /// The next packet: its first byte and its body.
    pub fn packet(&mut self) -> Option<(u8, Vec<u8>)> {
        let rest = &self.packets[self.taken..];
        let (mut length, mut start) = (0, 1);
        loop {
            let Some(byte) = rest.get(start) else { return self.forget() };
            length |= usize::from(byte & 0x7f) << (7 * (start - 1));
            start += 1;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let Some(body) = rest.get(start..start + length) else { return self.forget() };
        let packet = (rest[0], body.to_vec());
        self.taken += start + length;
        Some(packet)
    }

    /// Nothing more is whole: what was taken is given back.
    fn forget(&mut self) -> Option<(u8, Vec<u8>)> {
        self.packets.drain(..self.taken);
        self.taken = 0;
        None
    }
}

/// Where the payload of a frame begins, its length, and the mask; `None` if not all has come.
fn header(bytes: &[u8]) -> Option<(usize, usize, [u8; 4])> {
    let (length, start) = match bytes.get(1)? & 0x7f {
        126 => (usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4),
        127 => {
            let length = u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?);
            (usize::try_from(length).ok()?, 10)
        }
        short => (usize::from(short), 2),
    };
    Some((start + 4, length, bytes.get(start..start + 4)?.try_into().ok()?))
}
