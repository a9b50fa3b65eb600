//! The header of a frame (RFC 6455 §5.2), read and written. It must never see a payload.

use std::fmt;

/// The opcode of a frame that goes on with a message.
pub const CONTINUATION: u8 = 0x0;
/// The opcode of text.
pub const TEXT: u8 = 0x1;
/// The opcode of binary data.
pub const BINARY: u8 = 0x2;

/// What a frame says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// FIN, reserved bits and opcode.
    pub first: u8,
    /// The length of the payload, in bytes.
    pub length: u64,
    /// The length of the header itself, with its mask, in bytes.
    pub size: usize,
    /// There is a mask.
    pub masked: bool,
}

impl Header {
    /// The header that these bytes begin with, if all of it is there.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let [first, second, rest @ ..] = bytes else { return None };
        let masked = second & 0x80 != 0;
        let extended = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let size = 2 + extended + if masked { 4 } else { 0 };
        if bytes.len() < size {
            return None;
        }
        let number = rest[..extended].iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        let length = if extended == 0 { u64::from(second & 0x7f) } else { number };
        Some(Self { first: *first, length, size, masked })
    }

    /// The header of an unmasked frame.
    pub fn write(first: u8, length: u64) -> Vec<u8> {
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(short @ ..126), _) => vec![first, short],
            (_, Ok(medium)) => [&[first, 126], &medium.to_be_bytes()[..]].concat(),
            _ => [&[first, 127], &length.to_be_bytes()[..]].concat(),
        }
    }

    /// Whether it is the last frame of its message.
    pub fn is_last(&self) -> bool {
        self.first & 0x80 != 0
    }

    /// Whether bits are set that need an extension.
    pub fn has_reserved_bits(&self) -> bool {
        self.first & 0x70 != 0
    }

    /// Whether the length has as few bytes as it can (RFC 6455 §5.2).
    pub fn is_minimal(&self) -> bool {
        match self.size - if self.masked { 4 } else { 0 } {
            4 => self.length >= 126,
            10 => self.length > u64::from(u16::MAX),
            _ => true,
        }
    }
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first & 0x0f {
            CONTINUATION => f.write_str("continuation"),
            TEXT => f.write_str("text"),
            BINARY => f.write_str("binary"),
            0x8 => f.write_str("close"),
            0x9 => f.write_str("ping"),
            0xa => f.write_str("pong"),
            opcode => write!(f, "opcode 0x{opcode:x}"),
        }?;
        if !self.is_last() {
            f.write_str(", to be continued")?;
        }
        if self.has_reserved_bits() {
            f.write_str(", reserved bits set")?;
        }
        write!(f, ", length {}", self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_they_are_written() {
        for length in [0, 1, 125, 126, 65_535, 65_536, 1 << 40] {
            let bytes = Header::write(0x82, length);
            let header = Header { first: 0x82, length, size: bytes.len(), masked: false };
            assert_eq!(Header::read(&bytes), Some(header));
            assert!(header.is_minimal());
            assert_eq!(Header::read(&bytes[..bytes.len() - 1]), None);
        }
        let masked = Header::read(&[0x88, 0x82, 1, 2, 3, 4]).unwrap();
        assert!(masked.masked && masked.is_minimal() && (masked.size, masked.length) == (6, 2));
        assert!(!Header::read(&[0x82, 126, 0, 125]).unwrap().is_minimal());
        assert!(!Header::read(&[0x82, 127, 0, 0, 0, 0, 0, 0, 255, 255]).unwrap().is_minimal());
    }

    #[test]
    fn headers_have_words() {
        let words = |bytes: &[u8]| Header::read(bytes).unwrap().to_string();
        assert_eq!(words(&[0x82, 5]), "binary, length 5");
        assert_eq!(words(&[0x02, 0]), "binary, to be continued, length 0");
        assert_eq!(words(&[0xc9, 1]), "ping, reserved bits set, length 1");
        assert_eq!(words(&[0x8b, 0]), "opcode 0xb, length 0");
    }
}
