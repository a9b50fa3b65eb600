//! Frames as they leave: binary messages get their headers and masks here, and wait in one buffer
//! until it is full or flushed. Control frames are tungstenite's, and never wait: before it writes,
//! what waits here must have been written.
//!
//! tungstenite copies a payload into its buffer and masks it there; here it is masked on its way,
//! and the buffer is never zeroed again. It must never know what the payloads carry.

use std::io::{self, Write};

use ring::rand::{SecureRandom, SystemRandom};

/// FIN and "binary", no reserved bits (RFC 6455 §5.2).
const WHOLE_BINARY: u8 = 0x82;

/// FIN and "close" (§11.8).
const CLOSE: u8 = 0x88;

/// Close code 1000: all is well (§7.4.1).
const NORMAL: [u8; 2] = 1000_u16.to_be_bytes();

/// The bit of the second byte that says that the payload is masked.
const MASKED: u8 = 0x80;

/// From here on the buffer is full.
const FULL: usize = 64 * 1024;

/// So much goes into one packet of any network.
const LITTLE: usize = 1024;

/// The mask of one frame.
type Key = [u8; 4];

/// How many masks are fetched at once.
const KEYS: usize = 256;

/// Frames that wait to be written.
#[derive(Debug, Default)]
pub struct Outbound {
    /// It is as long as it ever was, so that what is in use of it need not be zeroed each time.
    buffer: Vec<u8>,
    /// How many bytes of it wait.
    filled: usize,
    keys: Keys,
}

impl Outbound {
    /// Appends a frame with this payload.
    pub fn put(&mut self, payload: &[u8]) {
        self.put_frame(WHOLE_BINARY, payload);
    }

    /// Appends Close 1000, if what waits is so little that the socket takes both or nothing of it:
    /// whether that is so.
    pub fn put_close(&mut self) -> bool {
        let is_little = self.filled <= LITTLE;
        if is_little {
            self.put_frame(CLOSE, &NORMAL);
        }
        is_little
    }

    fn put_frame(&mut self, first: u8, payload: &[u8]) {
        let key = self.keys.next();
        let length = (payload.len() as u64).to_be_bytes();
        let (second, extended) = match payload.len() {
            0..126 => (length[7], &length[..0]),
            126..0x1_0000 => (126, &length[6..]),
            _ => (127, &length[..]),
        };
        let header = [&[first, MASKED | second][..], extended, &key];
        let start = self.filled;
        self.filled += header.iter().map(|part| part.len()).sum::<usize>() + payload.len();
        if self.buffer.len() < self.filled {
            self.buffer.resize(self.filled, 0);
        }
        let mut target = &mut self.buffer[start..self.filled];
        for part in header {
            let (place, rest) = target.split_at_mut(part.len());
            place.copy_from_slice(part);
            target = rest;
        }
        mask(payload, key, target);
    }

    /// Whether what waits is worth a write.
    pub fn is_full(&self) -> bool {
        self.filled >= FULL
    }

    /// How many bytes of memory it has.
    #[cfg(test)]
    pub fn memory(&self) -> usize {
        self.buffer.len()
    }

    /// Writes what waits.
    pub fn write_out(&mut self, stream: &mut impl Write) -> io::Result<()> {
        let written = stream.write_all(&self.buffer[..self.filled]);
        self.filled = 0;
        if self.buffer.len() > 2 * FULL {
            // A single long message must not keep its memory for ever.
            self.buffer = Vec::new();
        }
        written
    }
}

/// Writes the payload into `target`, masked (§5.3): in steps that are as wide as the processor can
/// make them.
fn mask(payload: &[u8], key: Key, target: &mut [u8]) {
    const WIDE: usize = 32;
    let wide: [u8; WIDE] = std::array::from_fn(|index| key[index % key.len()]);
    let (blocks, rest) = payload.as_chunks::<WIDE>();
    let (masked_blocks, masked_rest) = target.as_chunks_mut::<WIDE>();
    for (masked, block) in masked_blocks.iter_mut().zip(blocks) {
        for ((masked, byte), key) in masked.iter_mut().zip(block).zip(wide) {
            *masked = byte ^ key;
        }
    }
    for ((masked, byte), key) in masked_rest.iter_mut().zip(rest).zip(wide) {
        *masked = byte ^ key;
    }
}

/// Masks that nobody can guess (§5.3), each used once: the system's random numbers, many in one
/// call.
#[derive(Debug)]
struct Keys {
    fetched: [Key; KEYS],
    used: usize,
}

impl Default for Keys {
    fn default() -> Self {
        Self { fetched: [Key::default(); KEYS], used: KEYS }
    }
}

impl Keys {
    fn next(&mut self) -> Key {
        if self.used == KEYS {
            SystemRandom::new()
                .fill(self.fetched.as_flattened_mut())
                .expect("every system that we run on has random numbers: the upgrade needed some");
            self.used = 0;
        }
        self.used += 1;
        self.fetched[self.used - 1]
    }
}
