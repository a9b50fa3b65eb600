//! `--time` and `--hexdump`: a message with the time at which it came, or with its payload as lines
//! of hexadecimal digits and characters.

use std::fmt::Write;

use bytes::{BufMut, BytesMut};

use super::count::count;
use super::encoding::Encoding;

/// What is written of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Annotations {
    /// What stands before the payload.
    pub heading: Heading,
    /// How the payload is written.
    pub payload: PayloadForm,
}

/// What stands before a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heading {
    /// `--time`
    pub time: Shown,
    /// `-v`
    pub topic: Shown,
}

/// Whether something is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// It is.
    Yes,
    /// It is not.
    No,
}

impl From<bool> for Shown {
    fn from(is_shown: bool) -> Self {
        if is_shown { Self::Yes } else { Self::No }
    }
}

/// How a payload is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadForm {
    /// As it is.
    Plain,
    /// As text of this kind.
    Encoded(Encoding),
    /// `--hexdump`
    Dump,
}

/// The bytes of a line.
const LINE: usize = 16;

/// Appends the length of a payload and its bytes, as `hexdump -C` writes them, without a line feed
/// after the last line.
pub fn dump(payload: &[u8], heading: Heading, out: &mut BytesMut) {
    if heading != (Heading { time: Shown::No, topic: Shown::No }) {
        out.put_slice(count(payload.len() as u64, "byte").as_bytes());
        if !payload.is_empty() {
            out.put_u8(b'\n');
        }
    }
    for (at, bytes) in payload.chunks(LINE).enumerate() {
        if at > 0 {
            out.put_u8(b'\n');
        }
        line(at * LINE, bytes, out);
    }
}

fn line(offset: usize, bytes: &[u8], out: &mut BytesMut) {
    let mut text = format!("{offset:08x} ");
    for at in 0..LINE {
        if at % 8 == 0 {
            text.push(' ');
        }
        match bytes.get(at) {
            Some(byte) => write!(text, "{byte:02x} ").expect("writing to a string"),
            None => text.push_str("   "),
        }
    }
    text.push_str(" |");
    let shown = |byte: &u8| if (b' '..=b'~').contains(byte) { char::from(*byte) } else { '.' };
    text.extend(bytes.iter().map(shown));
    text.push('|');
    out.put_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dumped(payload: &[u8], topic: Shown) -> String {
        let mut out = BytesMut::new();
        dump(payload, Heading { time: Shown::No, topic }, &mut out);
        String::from_utf8(out.to_vec()).expect("text")
    }

    #[test]
    fn lines_are_those_of_hexdump() {
        assert_eq!(
            dumped(b"0123456789abcdef\x00~\x7f", Shown::No),
            "00000000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  |0123456789abcdef|\n\
             00000010  00 7e 7f                                          |.~.|"
        );
        let line = "00000000  78                                                |x|";
        assert_eq!(dumped(b"x", Shown::Yes), format!("1 byte\n{line}"));
        assert_eq!(
            (dumped(b"", Shown::Yes), dumped(b"", Shown::No)),
            ("0 bytes".into(), String::new())
        );
    }
}
