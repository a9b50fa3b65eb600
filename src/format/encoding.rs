//! Bytes as hexadecimal digits and as base64 (RFC 4648 §4), both ways.

use bytes::BytesMut;
use data_encoding::{BASE64, BASE64_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE, HEXUPPER};

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
            Self::Hex => append(&HEXLOWER, bytes, out),
            Self::Base64 => append(&BASE64, bytes, out),
        }
    }

    /// The bytes of such a text; hexadecimal digits of either case, base64 with or without its
    /// padding.
    pub fn decode(self, text: &str) -> Option<Vec<u8>> {
        let text = text.as_bytes();
        let decoded = match self {
            Self::Hex => HEXLOWER_PERMISSIVE.decode(text),
            Self::Base64 if text.ends_with(b"=") => BASE64.decode(text),
            Self::Base64 => BASE64_NOPAD.decode(text),
        };
        decoded.ok()
    }
}

/// Appends two digits for each byte.
pub fn hex(bytes: &[u8], upper: bool, out: &mut BytesMut) {
    if upper { append(&HEXUPPER, bytes, out) } else { append(&HEXLOWER, bytes, out) }
}

fn append(encoding: &data_encoding::Encoding, bytes: &[u8], out: &mut BytesMut) {
    let known = out.len();
    out.resize(known + encoding.encode_len(bytes.len()), 0);
    encoding.encode_mut(bytes, &mut out[known..]);
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
            ["Z", "Zg=", "Zg===", "Z===", "=", "====", "Zh==", "Zm9", "Zm 9v", "Zm9v\n", "Zm9-"];
        for text in wrong {
            assert_eq!(Encoding::Base64.decode(text), None, "{text}");
        }
        for text in ["6", "6g", "666", "+6", "0x66", "6 6", "ü"] {
            assert_eq!(Encoding::Hex.decode(text), None, "{text}");
        }
    }
}
