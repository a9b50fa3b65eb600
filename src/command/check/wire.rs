//! Frames as they must not be sent, too: any opcode, any bits, any length form, with a mask or
//! without. Only `check` has this; `tests/tidy.rs` holds that.

use crate::websocket::frame::{self, BINARY, CLOSE, CONTINUATION, FINAL, Key, TEXT};

/// The opcode of a Ping.
pub const PING: u8 = 0x9;
/// The opcode of a Pong.
pub const PONG: u8 = 0xa;

/// Instead of a length: the length follows in two bytes, or in eight.
const TWO: u8 = 0x7e;
const EIGHT: u8 = 0x7f;

/// How the length of the payload is written (RFC 6455 §5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// In the shortest form, as the RFC demands.
    Shortest,
    /// In two bytes more, whatever it is.
    #[cfg_attr(not(test), expect(dead_code, reason = "what the reader refuses"))]
    Two,
    /// In eight bytes more, whatever it is.
    #[cfg_attr(not(test), expect(dead_code, reason = "what the reader refuses"))]
    Eight,
    /// In eight bytes more, and this number instead of the payload's length.
    Claimed(u64),
}

/// Whether the payload is masked (RFC 6455 §5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mask {
    /// With a random mask, as a client must.
    Random,
    /// Not at all.
    None,
}

/// A frame to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// FIN, the reserved bits and the opcode.
    pub first: u8,
    /// How the length is written.
    pub length: Length,
    /// Whether the payload is masked.
    pub mask: Mask,
    /// The payload, without the mask.
    pub payload: Vec<u8>,
}

impl Frame {
    /// A whole message or control frame, legal unless its opcode or its length is not.
    pub fn new(opcode: u8, payload: impl Into<Vec<u8>>) -> Self {
        let payload = payload.into();
        Self { first: FINAL | opcode, length: Length::Shortest, mask: Mask::Random, payload }
    }

    /// A whole binary message.
    pub fn binary(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(BINARY, payload)
    }

    /// A whole text message.
    pub fn text(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(TEXT, payload)
    }

    /// A frame that continues a message, and ends it.
    pub fn continuation(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(CONTINUATION, payload)
    }

    /// A Ping.
    pub fn ping(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(PING, payload)
    }

    /// A Close with this code and reason.
    pub fn close(code: u16, reason: &[u8]) -> Self {
        Self::new(CLOSE, [&code.to_be_bytes(), reason].concat())
    }

    /// The same without FIN: more frames of the message follow.
    pub fn unfinished(self) -> Self {
        Self { first: self.first & !FINAL, ..self }
    }

    /// The same with these reserved bits: 0x40, 0x20, 0x10.
    pub fn with_bits(self, bits: u8) -> Self {
        Self { first: self.first | bits, ..self }
    }

    /// The same with its length written in this form.
    pub fn with_length(self, length: Length) -> Self {
        Self { length, ..self }
    }

    /// The same with this mask, or with none.
    pub fn with_mask(self, mask: Mask) -> Self {
        Self { mask, ..self }
    }

    /// Its bytes; `random` is the mask where none was chosen.
    pub fn bytes(&self, random: Key) -> Vec<u8> {
        let key = match self.mask {
            Mask::Random => Some(random),
            Mask::None => None,
        };
        let mut bytes = vec![self.first];
        self.push_length(if key.is_some() { 0x80 } else { 0 }, &mut bytes);
        bytes.extend(key.into_iter().flatten());
        let start = bytes.len();
        bytes.extend_from_slice(&self.payload);
        if let Some(key) = key {
            frame::unmask(&mut bytes[start..], key);
        }
        bytes
    }

    /// Adds the length in its form; `masked` is the bit that tells of a mask.
    fn push_length(&self, masked: u8, bytes: &mut Vec<u8>) {
        let length = self.payload.len() as u64;
        let [.., high, low] = length.to_be_bytes();
        let long = match (self.length, length) {
            (Length::Shortest, 0..126) => return bytes.push(masked | low),
            (Length::Two, _) | (Length::Shortest, 126..0x1_0000) => {
                return bytes.extend([masked | TWO, high, low]);
            }
            (Length::Eight | Length::Shortest, _) => length,
            (Length::Claimed(length), _) => length,
        };
        bytes.push(masked | EIGHT);
        bytes.extend(long.to_be_bytes());
    }

    /// It in words.
    pub fn words(&self) -> String {
        let name = match self.first & 0xf {
            CONTINUATION => "continuation".to_owned(),
            TEXT => "text".to_owned(),
            BINARY => "binary".to_owned(),
            CLOSE => "Close".to_owned(),
            PING => "Ping".to_owned(),
            PONG => "Pong".to_owned(),
            opcode => format!("opcode 0x{opcode:x}"),
        };
        let mut words = name;
        if self.first & FINAL == 0 {
            words += ", not final";
        }
        for (bit, name) in [(0x40, ", RSV1"), (0x20, ", RSV2"), (0x10, ", RSV3")] {
            if self.first & bit != 0 {
                words += name;
            }
        }
        if self.mask == Mask::None {
            words += ", unmasked";
        }
        format!("{words}, {} bytes", self.payload.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::websocket::frame::FrameHeader;

    const KEY: Key = [1, 2, 3, 4];

    #[test]
    fn legal_frames_are_written_as_the_reader_reads_them() {
        for length in [0_usize, 1, 125, 126, 0xffff, 0x1_0000] {
            let bytes = Frame::binary(vec![7; length]).bytes(KEY);
            let header = FrameHeader::read(&bytes).unwrap();
            assert_eq!(
                (header.first, header.key, header.payload),
                (0x82, Some(KEY), length as u64)
            );
            assert!(header.is_minimal());
            assert_eq!(bytes.len(), header.length + length);
        }
        assert_eq!(Frame::close(1000, b"x").bytes([0; 4]), b"\x88\x83\0\0\0\0\x03\xe8x");
        assert_eq!(Frame::binary(*b"ab").bytes(KEY)[6..], [b'a' ^ 1, b'b' ^ 2]);
    }

    #[test]
    fn illegal_frames_are_written_as_they_are_asked_for() {
        let ping = Frame::ping(*b"p").unfinished().with_bits(0x40).with_mask(Mask::None);
        assert_eq!(ping.bytes(KEY), b"\x49\x01p");
        assert_eq!(ping.words(), "Ping, not final, RSV1, unmasked, 1 bytes");
        let long = Frame::text(*b"t").with_length(Length::Two).with_mask(Mask::None);
        assert_eq!(long.bytes(KEY), b"\x81\x7e\0\x01t");
        let claimed = Frame::binary(*b"t").with_length(Length::Claimed(1 << 63));
        let bytes = claimed.with_mask(Mask::None).bytes(KEY);
        assert_eq!(bytes, b"\x82\x7f\x80\0\0\0\0\0\0\0t");
        let eight = Frame::continuation(*b"").with_length(Length::Eight).with_mask(Mask::None);
        assert_eq!(eight.bytes(KEY), b"\x80\x7f\0\0\0\0\0\0\0\0");
    }
}
