//! Frame headers (RFC 6455 §5.2), masks (§5.3) and Close codes (§7.4).
//!
//! tungstenite has a type for headers, too. It does not return the length of the header, so a
//! length in more bytes than necessary goes unnoticed; it refuses unknown opcodes before a log
//! could show them; and it reads through `std::io`, in many small steps.

use std::fmt;
use std::ops::Deref;

use ring::rand::{SecureRandom, SystemRandom};

/// FIN: the last frame of a message.
pub const FINAL: u8 = 0x80;

/// The opcode of a frame that continues a message (§11.8).
pub const CONTINUATION: u8 = 0x0;
/// The opcode of text.
pub const TEXT: u8 = 0x1;
/// The opcode of binary data.
pub const BINARY: u8 = 0x2;
/// The opcode of Close, the first of the control frames.
pub const CLOSE: u8 = 0x8;
/// The first byte of a whole message of binary data: no reserved bits.
pub const WHOLE_BINARY: u8 = FINAL | BINARY;

/// Close code: a normal end (§7.4.1).
pub const NORMAL: u16 = 1000;
/// Close code: the server shuts down, or the user leaves the page.
pub const GOING_AWAY: u16 = 1001;
/// Close code: a protocol error.
pub const PROTOCOL_ERROR: u16 = 1002;
/// Close code: a type of data that is not accepted, here text.
pub const UNSUPPORTED_DATA: u16 = 1003;
/// Close code: text that is not UTF-8.
pub const INVALID_DATA: u16 = 1007;
/// Close code: a message that is too large.
pub const TOO_BIG: u16 = 1009;

/// Whether a Close frame may hold this code: a code of §7.4.1 that may be sent, one registered
/// since then (1012 to 1014), or one for libraries and applications (§7.4.2).
pub fn is_close_code(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// The meaning of a Close code in a few words; empty if it has no registered meaning.
pub fn close_words(code: u16) -> &'static str {
    match code {
        NORMAL => "normal",
        GOING_AWAY => "going away",
        PROTOCOL_ERROR => "protocol error",
        UNSUPPORTED_DATA => "unacceptable data",
        INVALID_DATA => "inconsistent data",
        1008 => "policy violation",
        TOO_BIG => "message too big",
        1011 => "internal error",
        1012 => "restarting",
        1013 => "try again later",
        1014 => "bad gateway",
        _ => "",
    }
}

/// The mask of one frame.
pub type Key = [u8; 4];

/// The bit of the second byte that says that the payload is masked.
const MASKED: u8 = 0x80;

/// Instead of a length: the length follows in two bytes.
const TWO: u8 = 126;
/// Instead of a length: the length follows in eight bytes.
const EIGHT: u8 = 127;

/// The longest header, in bytes: two, a length of eight, a mask of four.
const LONGEST: usize = 14;

/// The header of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// FIN, the reserved bits and the opcode.
    pub first: u8,
    /// The mask of the payload, if it has one.
    pub key: Option<Key>,
    /// The length of the payload, in bytes.
    pub payload: u64,
    /// The length of the header itself, mask included, in bytes.
    pub length: usize,
}

impl FrameHeader {
    /// Reads the header at the beginning of these bytes, or returns `None` if it continues after
    /// their end.
    #[inline]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let [first, second, rest @ ..] = bytes else { return None };
        let (payload, extended) = match second & !MASKED {
            TWO => (u64::from(u16::from_be_bytes(*rest.first_chunk()?)), 2),
            EIGHT => (u64::from_be_bytes(*rest.first_chunk()?), 8),
            length => (u64::from(length), 0),
        };
        let key = if second & MASKED == 0 { None } else { Some(*rest[extended..].first_chunk()?) };
        let length = 2 + extended + if key.is_some() { 4 } else { 0 };
        Some(Self { first: *first, key, payload, length })
    }

    /// Whether this is the last frame of its message, or the only one.
    pub fn is_final(self) -> bool {
        self.first & FINAL != 0
    }

    /// Whether bits are set that need an extension (§5.2).
    pub fn has_reserved_bits(self) -> bool {
        self.first & 0x70 != 0
    }

    /// Whether the payload length is encoded in as few bytes as possible (§5.2).
    pub fn is_minimal(self) -> bool {
        match self.length - if self.key.is_some() { 4 } else { 0 } {
            4 => self.payload >= 126,
            10 => self.payload > u64::from(u16::MAX),
            _ => true,
        }
    }

    /// The bytes of the same header with a payload length of 0.
    pub fn without_payload(self) -> Vec<u8> {
        let mut bytes = vec![self.first, if self.key.is_some() { MASKED } else { 0 }];
        bytes.extend(self.key.into_iter().flatten());
        bytes
    }

    /// The opcode (§11.8).
    pub fn opcode(self) -> u8 {
        self.first & 0x0f
    }
}

impl fmt::Display for FrameHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.opcode() {
            CONTINUATION => f.write_str("continuation"),
            TEXT => f.write_str("text"),
            BINARY => f.write_str("binary"),
            CLOSE => f.write_str("close"),
            0x9 => f.write_str("ping"),
            0xa => f.write_str("pong"),
            opcode => write!(f, "opcode 0x{opcode:x}"),
        }?;
        if !self.is_final() {
            f.write_str(", to be continued")?;
        }
        if self.has_reserved_bits() {
            f.write_str(", reserved bits set")?;
        }
        write!(f, ", length {}", self.payload)
    }
}

/// The bytes of a header to send.
#[derive(Debug, Clone, Copy)]
pub struct HeaderBytes {
    bytes: [u8; LONGEST],
    length: usize,
}

impl HeaderBytes {
    /// The header of a whole message or control frame with this opcode and payload length in bytes.
    /// A client's frame has a mask (§5.1).
    #[inline]
    pub fn new(opcode: u8, payload: usize, key: Option<Key>) -> Self {
        let masked = if key.is_some() { MASKED } else { 0 };
        let mut bytes = [0; LONGEST];
        bytes[0] = FINAL | opcode;
        let [.., high, low] = (payload as u64).to_be_bytes();
        let mut length = match payload {
            0..126 => {
                bytes[1] = masked | low;
                2
            }
            126..0x1_0000 => {
                bytes[1..4].copy_from_slice(&[masked | TWO, high, low]);
                4
            }
            _ => {
                bytes[1] = masked | EIGHT;
                bytes[2..10].copy_from_slice(&(payload as u64).to_be_bytes());
                10
            }
        };
        if let Some(key) = key {
            bytes[length..length + 4].copy_from_slice(&key);
            length += 4;
        }
        Self { bytes, length }
    }
}

impl Deref for HeaderBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// How much is masked at once, in bytes.
const WIDE: usize = 32;

/// Masks `WIDE` bytes, in two words: in a program that is built for size a loop over bytes stays
/// one, at a tenth of the speed.
#[inline]
fn masked(block: [u8; WIDE], key: u32) -> [u8; WIDE] {
    let key = u128::from(key) * 0x0000_0001_0000_0001_0000_0001_0000_0001;
    let (words, _) = block.as_chunks::<16>();
    let masked = |word: [u8; 16]| (u128::from_ne_bytes(word) ^ key).to_ne_bytes();
    let mut bytes = [0; WIDE];
    let (masked_words, _) = bytes.as_chunks_mut::<16>();
    (masked_words[0], masked_words[1]) = (masked(words[0]), masked(words[1]));
    bytes
}

/// Writes the masked payload into `target` (§5.3).
pub fn mask(payload: &[u8], key: Key, target: &mut [u8]) {
    let word = u32::from_ne_bytes(key);
    let (blocks, rest) = payload.as_chunks::<WIDE>();
    let (masked_blocks, masked_rest) = target.as_chunks_mut::<WIDE>();
    for (target, block) in masked_blocks.iter_mut().zip(blocks) {
        *target = masked(*block, word);
    }
    let (words, rest) = rest.as_chunks::<4>();
    let (masked_words, masked_rest) = masked_rest.as_chunks_mut::<4>();
    for (masked, bytes) in masked_words.iter_mut().zip(words) {
        *masked = (u32::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
    }
    for ((masked, byte), key) in masked_rest.iter_mut().zip(rest).zip(key) {
        *masked = byte ^ key;
    }
}

/// Removes the mask in place.
pub fn unmask(bytes: &mut [u8], key: Key) {
    let word = u32::from_ne_bytes(key);
    let (blocks, rest) = bytes.as_chunks_mut::<WIDE>();
    for block in blocks {
        *block = masked(*block, word);
    }
    for (byte, key) in rest.iter_mut().zip(key.into_iter().cycle()) {
        *byte ^= key;
    }
}

/// How many masks are fetched at once.
const KEYS: usize = 256;

/// Masks that cannot be guessed (§5.3), each used once: random numbers of the system, fetched many
/// at a time.
#[derive(Debug)]
pub struct Keys {
    fetched: [Key; KEYS],
    used: usize,
}

impl Default for Keys {
    fn default() -> Self {
        Self { fetched: [Key::default(); KEYS], used: KEYS }
    }
}

impl Keys {
    /// A new mask.
    pub fn next(&mut self) -> Key {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_they_are_written() {
        for payload in [0, 1, 125, 126, 127, 0xffff, 0x1_0000, 1 << 40] {
            for key in [None, Some([1, 2, 3, 4])] {
                let bytes = HeaderBytes::new(BINARY, payload, key);
                let length = bytes.len();
                let expected = FrameHeader { first: 0x82, key, payload: payload as u64, length };
                assert_eq!(FrameHeader::read(&bytes), Some(expected));
                assert!(expected.is_minimal() && expected.is_final());
                assert_eq!(FrameHeader::read(&bytes[..length - 1]), None);
            }
        }
    }

    #[test]
    fn a_mask_comes_off_as_it_went_on() {
        let payload: Vec<u8> = (0..=255).collect();
        for length in [0, 1, 3, 31, 32, 33, 100, 256] {
            let mut masked = vec![0; length];
            mask(&payload[..length], [1, 2, 3, 4], &mut masked);
            assert!(length == 0 || masked != payload[..length]);
            unmask(&mut masked, [1, 2, 3, 4]);
            assert_eq!(masked, payload[..length]);
        }
    }

    #[test]
    fn close_codes_are_those_that_may_be_sent() {
        for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014] {
            assert!(is_close_code(code) && (code == 1010) == close_words(code).is_empty());
        }
        assert!([3000, 3999, 4000, 4999].map(is_close_code).iter().all(|is_valid| *is_valid));
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, u16::MAX] {
            assert!(!is_close_code(code), "{code}");
        }
    }
}
