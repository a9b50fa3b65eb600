//! Bytes as text that survives everything: hexadecimal and base64 (RFC 4648 §4), both ways. It must never
//! know what the bytes mean.

use bytes::{BufMut, BytesMut};

const LOWER: &[u8; 16] = b"0123456789abcdef";
const UPPER: &[u8; 16] = b"0123456789ABCDEF";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// How bytes are written as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Two lower-case digits for each byte.
    Hex,
    /// The standard alphabet, with padding.
    Base64,
}

impl Encoding {
    /// Appends `bytes` as text.
    pub fn encode(self, bytes: &[u8], out: &mut BytesMut) {
        match self {
            Self::Hex => hex(bytes, false, out),
            Self::Base64 => base64(bytes, out),
        }
    }

    /// The bytes of such a text; hexadecimal digits of either case, base64 with or without its padding.
    pub fn decode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Hex => from_hex(text.as_bytes()),
            Self::Base64 => from_base64(text.as_bytes()),
        }
    }
}

/// Appends two digits for each byte.
pub fn hex(bytes: &[u8], upper: bool, out: &mut BytesMut) {
    let digits = if upper { UPPER } else { LOWER };
    out.reserve(bytes.len() * 2);
    for byte in bytes {
        out.put_slice(&[digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]]);
    }
}

fn base64(bytes: &[u8], out: &mut BytesMut) {
    out.reserve(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        let digit = |at: usize| BASE64[(bits >> (18 - 6 * at) & 63) as usize];
        let text = [digit(0), digit(1), digit(2), digit(3)];
        let digits = group.len() + 1;
        out.put_slice(&text[..digits]);
        out.put_bytes(b'=', 4 - digits);
    }
}

fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, []) = text.as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    let padding = text.iter().rev().take(2).take_while(|byte| **byte == b'=').count();
    let text = &text[..text.len() - padding];
    if text.len() % 4 == 1 || (padding > 0 && !(text.len() + padding).is_multiple_of(4)) {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for group in text.chunks(4) {
        let mut bits = 0;
        for (at, byte) in group.iter().enumerate() {
            bits |= base64_digit(*byte)? << (18 - 6 * at);
        }
        let [_, first, second, third] = bits.to_be_bytes();
        let whole = group.len() - 1;
        bytes.extend_from_slice(&[first, second, third][..whole]);
        // What is left of the last digit stands for nothing.
        if [first, second, third][whole..].iter().any(|left| *left != 0) {
            return None;
        }
    }
    Some(bytes)
}

fn base64_digit(byte: u8) -> Option<u32> {
    let digit = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(digit.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(encoding: Encoding, bytes: &[u8]) -> String {
        let mut out = BytesMut::new();
        encoding.encode(bytes, &mut out);
        String::from_utf8(out.to_vec()).expect("text")
    }

    /// RFC 4648 §10.
    #[test]
    fn the_vectors_of_the_specification() {
        for (bytes, base64, hex) in [
            ("", "", ""),
            ("f", "Zg==", "66"),
            ("fo", "Zm8=", "666f"),
            ("foo", "Zm9v", "666f6f"),
            ("foob", "Zm9vYg==", "666f6f62"),
            ("fooba", "Zm9vYmE=", "666f6f6261"),
            ("foobar", "Zm9vYmFy", "666f6f626172"),
        ] {
            assert_eq!(encoded(Encoding::Base64, bytes.as_bytes()), base64);
            assert_eq!(encoded(Encoding::Hex, bytes.as_bytes()), hex);
            assert_eq!(Encoding::Base64.decode(base64).as_deref(), Some(bytes.as_bytes()));
            assert_eq!(
                Encoding::Base64.decode(base64.trim_end_matches('=')).as_deref(),
                Some(bytes.as_bytes())
            );
            assert_eq!(Encoding::Hex.decode(hex).as_deref(), Some(bytes.as_bytes()));
        }
    }

    #[test]
    fn every_byte_survives() {
        let bytes: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
        for encoding in [Encoding::Hex, Encoding::Base64] {
            for length in 0..bytes.len() {
                let text = encoded(encoding, &bytes[..length]);
                assert_eq!(encoding.decode(&text).as_deref(), Some(&bytes[..length]), "{text}");
            }
        }
        assert_eq!(Encoding::Hex.decode("fF").as_deref(), Some(&[255][..]));
    }

    #[test]
    fn what_is_no_such_text_is_refused() {
        let wrong =
            ["Z", "Zg=", "Zg===", "Z===", "=", "====", "Zh==", "Zm9", "Zm 9v", "Zm9v\n", "Zm9-", "Zg==Zg=="];
        for text in wrong {
            assert_eq!(Encoding::Base64.decode(text), None, "{text}");
        }
        for text in ["6", "6g", "666", "+6", "0x66", "6 6", "ü"] {
            assert_eq!(Encoding::Hex.decode(text), None, "{text}");
        }
    }
}
