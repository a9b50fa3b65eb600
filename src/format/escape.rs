//! Escapes control and bidirectional characters, so that text from a broker cannot control the
//! terminal. Only for terminals: in a pipe every byte is unchanged.

use bytes::{BufMut, BytesMut};

/// What is done with the characters that could drive a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlCharacters {
    /// They are written as escapes.
    Escaped,
    /// Every byte is written as it came.
    Unchanged,
}

impl ControlCharacters {
    /// Escaped where the text goes to a terminal.
    pub fn on_terminal(is_terminal: bool) -> Self {
        if is_terminal { Self::Escaped } else { Self::Unchanged }
    }

    /// Whether they are escaped.
    pub fn are_escaped(self) -> bool {
        self == Self::Escaped
    }
}

/// Appends `text` with everything escaped that is not plainly printable; line feeds and tabs stay.
pub fn escape(text: &[u8], out: &mut BytesMut) {
    escape_unless(is_harmless, text, out);
}

/// The same for text that must stay on one line, such as a topic: line feeds and tabs are escaped,
/// too.
pub fn escape_line(text: &[u8], out: &mut BytesMut) {
    escape_unless(
        |character| is_harmless(character) && !matches!(character, '\n' | '\t'),
        text,
        out,
    );
}

fn escape_unless(is_harmless: impl Fn(char) -> bool, text: &[u8], out: &mut BytesMut) {
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            if is_harmless(character) {
                out.put_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                out.put_slice(escaped(character).as_bytes());
            }
        }
        for byte in chunk.invalid() {
            out.put_slice(format!("\\x{byte:02x}").as_bytes());
        }
    }
}

fn escaped(character: char) -> String {
    match u32::from(character) {
        0 => "\\0".to_owned(),
        0x09 => "\\t".to_owned(),
        0x0a => "\\n".to_owned(),
        code @ 1..0x100 => format!("\\x{code:02x}"),
        code => format!("\\u{{{code:x}}}"),
    }
}

/// The same for a line of JSON, by the escapes of JSON: characters that are not plainly printable
/// stand only in its strings, and a parser reads the same text.
pub fn escape_json(line: &[u8], out: &mut BytesMut) {
    for chunk in line.utf8_chunks() {
        for character in chunk.valid().chars() {
            if is_harmless(character) {
                out.put_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    out.put_slice(format!("\\u{unit:04x}").as_bytes());
                }
            }
        }
        for byte in chunk.invalid() {
            out.put_slice(format!("\\u00{byte:02x}").as_bytes());
        }
    }
}

/// Whether a terminal shows this character and does nothing else.
pub fn is_harmless(character: char) -> bool {
    match character {
        '\n' | '\t' => true,
        // Bidirectional controls reorder what stands around them; the others break lines, or hide.
        '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}' => false,
        _ => !character.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_could_drive_a_terminal_is_escaped() {
        let cases: [(&[u8], &str); 9] = [
            ("grün 日本 😀\n\t".as_bytes(), "grün 日本 😀\n\t"),
            (b"\x1b[2J\r\x07", "\\x1b[2J\\x0d\\x07"),
            (b"\0\x7f", "\\0\\x7f"),
            ("\u{9b}31m".as_bytes(), "\\x9b31m"),
            ("a\u{202e}b".as_bytes(), "a\\u{202e}b"),
            ("a\u{61c}\u{2067}\u{200b}\u{feff}".as_bytes(), "a\\u{61c}\\u{2067}\\u{200b}\\u{feff}"),
            ("\u{e0041}e\u{301}".as_bytes(), "\\u{e0041}e\u{301}"),
            (b"\x1b]0;title\x07\x08", "\\x1b]0;title\\x07\\x08"),
            (b"\xff\xc3(", "\\xff\\xc3("),
        ];
        for (text, expected) in cases {
            let mut out = BytesMut::new();
            escape(text, &mut out);
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn a_line_stays_a_line() {
        let mut out = BytesMut::new();
        escape_line(b"a\n\tb\x1b\xff", &mut out);
        assert_eq!(out, "a\\n\\tb\\x1b\\xff");
    }
}
