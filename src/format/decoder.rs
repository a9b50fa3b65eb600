//! Bytes that are given as hexadecimal digits or base64 and come in pieces. Blanks and line ends
//! are passed over, as `xxd -p` and `base64` write them.

use std::fmt;

use super::encoding::Encoding;

/// Reads encoded bytes, piece by piece.
#[derive(Debug)]
pub struct TextDecoder {
    encoding: Encoding,
    /// How much has come, in bytes of text.
    read: u64,
    /// The digits of a group that is not whole, and how many there are.
    bits: u32,
    held: u32,
    /// How many `=` have come.
    padding: u32,
}

/// A text that is not encoded so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotEncoded {
    encoding: Encoding,
    /// The place of the fault in bytes, from 1; of a text that is too short its length.
    at: u64,
    /// The wrong byte; `None` where the text ends too early.
    byte: Option<u8>,
}

impl fmt::Display for NotEncoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.encoding {
            Encoding::Hex => "expected hexadecimal digits in pairs, and ",
            Encoding::Base64 => "expected base64, and ",
        })?;
        match self.byte {
            Some(byte) => write!(f, "found {} at byte {}", byte.escape_ascii(), self.at),
            None => write!(f, "its last digits make no byte (byte {})", self.at),
        }
    }
}

impl std::error::Error for NotEncoded {}

impl TextDecoder {
    /// Nothing has come yet.
    pub fn new(encoding: Encoding) -> Self {
        Self { encoding, read: 0, bits: 0, held: 0, padding: 0 }
    }

    /// The bytes of a whole text.
    pub fn decode(encoding: Encoding, text: &[u8]) -> Result<Vec<u8>, NotEncoded> {
        let mut decoder = Self::new(encoding);
        let mut bytes = Vec::with_capacity(text.len() / 2);
        decoder.push(text, &mut bytes)?;
        decoder.finish(&mut bytes)?;
        Ok(bytes)
    }

    /// Takes the next piece of the text, and appends the bytes that it completes.
    pub fn push(&mut self, text: &[u8], bytes: &mut Vec<u8>) -> Result<(), NotEncoded> {
        for &byte in text {
            self.read += 1;
            let taken = match self.encoding {
                _ if byte.is_ascii_whitespace() => Some(()),
                Encoding::Hex => self.digit(byte, bytes),
                Encoding::Base64 => self.sextet(byte, bytes),
            };
            taken.ok_or(NotEncoded { byte: Some(byte), ..self.too_short() })?;
        }
        Ok(())
    }

    /// The text is over: appends what its last group stands for.
    pub fn finish(&mut self, bytes: &mut Vec<u8>) -> Result<(), NotEncoded> {
        let is_padded = self.padding == 0 || self.held + self.padding == 4;
        match (self.encoding, self.held) {
            (_, 0) => Ok(()),
            // What is left of the last digit is no byte, and has to be 0.
            (Encoding::Base64, 2) if is_padded && self.bits.trailing_zeros() >= 4 => {
                bytes.push((self.bits >> 4).to_be_bytes()[3]);
                Ok(())
            }
            (Encoding::Base64, 3) if is_padded && self.bits.trailing_zeros() >= 2 => {
                bytes.extend_from_slice(&(self.bits >> 2).to_be_bytes()[2..]);
                Ok(())
            }
            _ => Err(self.too_short()),
        }
    }

    fn too_short(&self) -> NotEncoded {
        NotEncoded { encoding: self.encoding, at: self.read, byte: None }
    }

    fn digit(&mut self, byte: u8, bytes: &mut Vec<u8>) -> Option<()> {
        let digit = char::from(byte).to_digit(16)?;
        self.bits = self.bits << 4 | digit;
        self.held += 1;
        if self.held == 2 {
            bytes.push(self.bits.to_be_bytes()[3]);
            (self.bits, self.held) = (0, 0);
        }
        Some(())
    }

    fn sextet(&mut self, byte: u8, bytes: &mut Vec<u8>) -> Option<()> {
        if byte == b'=' {
            self.padding += 1;
            return (self.held >= 2 && self.held + self.padding <= 4).then_some(());
        }
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        if self.padding > 0 {
            return None;
        }
        self.bits = self.bits << 6 | u32::from(value);
        self.held += 1;
        if self.held == 4 {
            bytes.extend_from_slice(&self.bits.to_be_bytes()[1..]);
            (self.bits, self.held) = (0, 0);
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same as the decoder of whole texts, in whatever pieces the text comes.
    #[test]
    fn pieces_are_the_same_as_a_whole() {
        let bytes: Vec<u8> = (0..=255).collect();
        for encoding in [Encoding::Hex, Encoding::Base64] {
            for length in 0..20 {
                let mut text = bytes::BytesMut::new();
                encoding.encode(&bytes[255 - length..], &mut text);
                for piece in 1..=text.len().max(1) {
                    let (mut decoder, mut found) = (TextDecoder::new(encoding), Vec::new());
                    for part in text.chunks(piece) {
                        decoder.push(part, &mut found).expect("encoded");
                        decoder.push(b" \r\n\t", &mut found).expect("blanks");
                    }
                    decoder.finish(&mut found).expect("whole");
                    assert_eq!(found, bytes[255 - length..], "{length} in pieces of {piece}");
                }
            }
        }
        assert_eq!(TextDecoder::decode(Encoding::Base64, b"Zm8"), Ok(b"fo".to_vec()));
        assert_eq!(TextDecoder::decode(Encoding::Hex, b"De AD\n"), Ok(vec![0xde, 0xad]));
    }

    #[test]
    fn a_fault_has_its_place() {
        for (encoding, text, expected) in [
            (Encoding::Hex, "0g", "expected hexadecimal digits in pairs, and found g at byte 2"),
            (Encoding::Hex, "0x00", "expected hexadecimal digits in pairs, and found x at byte 2"),
            (
                Encoding::Hex,
                "00 0",
                "expected hexadecimal digits in pairs, and its last digits make no byte (byte 4)",
            ),
            (Encoding::Base64, "Zm9\0", "expected base64, and found \\x00 at byte 4"),
            (Encoding::Base64, "Z", "expected base64, and its last digits make no byte (byte 1)"),
            (Encoding::Base64, "Zg=", "expected base64, and its last digits make no byte (byte 3)"),
            (
                Encoding::Base64,
                "Zh==",
                "expected base64, and its last digits make no byte (byte 4)",
            ),
            (Encoding::Base64, "Zg===", "expected base64, and found = at byte 5"),
            (Encoding::Base64, "=", "expected base64, and found = at byte 1"),
            (Encoding::Base64, "Zg==Zg==", "expected base64, and found Z at byte 5"),
            (Encoding::Base64, "Zm9-", "expected base64, and found - at byte 4"),
        ] {
            let error = TextDecoder::decode(encoding, text.as_bytes()).expect_err(text);
            assert_eq!(error.to_string(), expected, "{text}");
        }
    }
}
