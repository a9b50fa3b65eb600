//! The header of a frame (RFC 6455 §5.2), as far as it tells where the next one begins. It must
//! never judge it.

use std::fmt;

/// What the first bytes of a frame say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// FIN, the reserved bits and the opcode.
    pub first: u8,
    /// The payload is masked.
    pub masked: bool,
    /// The length of the payload, in bytes.
    pub payload: u64,
    /// The length of the header itself, mask included, in bytes.
    pub length: usize,
}

impl Header {
    /// The header that these bytes begin with, or `None` if it goes on past their end.
    #[inline]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let [first, second, rest @ ..] = bytes else { return None };
        let masked = second & 0x80 != 0;
        let (payload, extended) = match second & 0x7f {
            126 => (u64::from(u16::from_be_bytes(*rest.first_chunk()?)), 2),
            127 => (u64::from_be_bytes(*rest.first_chunk()?), 8),
            length => (u64::from(length), 0),
        };
        let length = 2 + extended + if masked { 4 } else { 0 };
        (length <= bytes.len()).then_some(Self { first: *first, masked, payload, length })
    }

    /// The last frame of its message, or the only one.
    pub fn is_final(self) -> bool {
        self.first & 0x80 != 0
    }

    /// Whether bits are set that need an extension (§5.2).
    pub fn has_reserved_bits(self) -> bool {
        self.first & 0x70 != 0
    }

    /// Whether the length of the payload takes as few bytes as it can (§5.2).
    pub fn is_minimal(self) -> bool {
        match self.length - if self.masked { 4 } else { 0 } {
            4 => self.payload >= 126,
            10 => self.payload > u64::from(u16::MAX),
            _ => true,
        }
    }

    /// What kind of frame it is (§11.8).
    pub fn opcode(self) -> u8 {
        self.first & 0x0f
    }
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.opcode() {
            0x0 => f.write_str("continuation"),
            0x1 => f.write_str("text"),
            0x2 => f.write_str("binary"),
            0x8 => f.write_str("close"),
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
