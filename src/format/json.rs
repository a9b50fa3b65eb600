//! JSON as text: writes strings, and lays out values anew or as cJSON prints them, without building
//! a tree in memory.

use bytes::{BufMut, BytesMut};
use serde_json::value::{RawValue, Value};

/// Brackets that are nested deeper stay on the line of the outer one, so that a hostile payload
/// does not become a text that is much longer.
const INDENTED_LEVELS: usize = 64;

/// So many times as long as the text may be its line ends and indentation, and what is then left
/// stays on one line: most of a hostile payload may lie at the deepest level.
const INDENTATION: usize = 8;

/// So many bytes of line ends and indentation may also a short text have, however deep it is.
const SHORT_INDENTATION: usize = 16 * 1024;

/// How JSON is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// One line without blanks, every token as it was.
    Compact,
    /// Two blanks for each level, every token as it was.
    Pretty,
    /// As cJSON prints: one line, strings and numbers in its spelling.
    CJson,
    /// As cJSON prints for people: a tab for each level, arrays in one line.
    CJsonPretty,
}

/// Appends a string.
pub fn string(text: &str, out: &mut BytesMut) {
    serde_json::to_writer(out.writer(), text).expect("a string can be written to memory");
}

/// Appends a string as cJSON writes it.
pub fn cjson_string(bytes: &[u8], out: &mut BytesMut) {
    out.put_u8(b'"');
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => out.put_slice(&[b'\\', byte]),
            0x08 => out.put_slice(b"\\b"),
            0x0c => out.put_slice(b"\\f"),
            b'\n' => out.put_slice(b"\\n"),
            b'\r' => out.put_slice(b"\\r"),
            b'\t' => out.put_slice(b"\\t"),
            0..0x20 => out.put_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.put_u8(byte),
        }
    }
    out.put_u8(b'"');
}

/// The text, if all of it is one JSON value.
pub fn checked(text: &[u8]) -> Option<&str> {
    serde_json::from_slice::<&RawValue>(text).ok().map(RawValue::get)
}

/// Whether `payload` is JSON with the same value as `json`. Blanks, the order of names and the
/// spelling of strings and fractions do not matter; integers that a program has rounded do.
pub fn is_same(payload: &[u8], json: &str) -> bool {
    let Some(payload) = checked(payload) else { return false };
    let compact = |text| {
        let mut out = BytesMut::new();
        lay_out(text, Style::Compact, &mut out);
        out
    };
    let value = |text| serde_json::from_str::<Value>(text).ok();
    compact(payload) == compact(json)
        || (!differ_in_long_integers(payload, json)
            && value(payload).zip(value(json)).is_some_and(|(one, other)| is_equal(&one, &other)))
}

/// Whether both have integers that no [`Value`] holds exactly, and not the same ones. If only one
/// has them, a program may have written those of the other with an exponent.
fn differ_in_long_integers(one: &str, other: &str) -> bool {
    let (one, other) = (long_integers(one), long_integers(other));
    !one.is_empty() && !other.is_empty() && one != other
}

/// The integers of more than 64 bits, sorted.
fn long_integers(text: &str) -> Vec<&str> {
    let is_long = |token: &&str| {
        let digits = token.strip_prefix('-').unwrap_or(token);
        digits.bytes().all(|byte| byte.is_ascii_digit())
            && token.parse::<u64>().is_err()
            && token.parse::<i64>().is_err()
    };
    let mut integers: Vec<_> = tokens(text).filter(is_long).collect();
    integers.sort_unstable();
    integers
}

fn is_equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            let is_fraction = one.is_f64() || other.is_f64();
            one == other || (is_fraction && one.as_f64() == other.as_f64())
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| is_equal(a, b))
        }
        (Value::Object(one), Value::Object(other)) => {
            let has = |(name, a)| other.get(name).is_some_and(|b| is_equal(a, b));
            one.len() == other.len() && one.iter().all(has)
        }
        _ => one == other,
    }
}

/// Appends `text`, which [`checked`] has returned or we have written, in this style.
pub fn lay_out(text: &str, style: Style, out: &mut BytesMut) {
    let indentation = text.len().saturating_mul(INDENTATION).saturating_add(SHORT_INDENTATION);
    let mut writer = LayoutWriter { style, open: Vec::new(), after_name: false, indentation, out };
    tokens(text).for_each(|token| writer.put(token.as_bytes()[0], token));
}

/// The tokens of JSON and, one by one, the blanks between them.
fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let mut left = text;
    std::iter::from_fn(move || {
        if left.is_empty() {
            return None;
        }
        let (token, rest) = left.split_at(token(left));
        left = rest;
        Some(token)
    })
}

/// The length of the token that begins here.
fn token(text: &str) -> usize {
    let bytes = text.as_bytes();
    match bytes[0] {
        b'"' => {
            let mut at = 1;
            while bytes.get(at).is_some_and(|byte| *byte != b'"') {
                at += if bytes[at] == b'\\' { 2 } else { 1 };
            }
            (at + 1).min(bytes.len())
        }
        b'{' | b'}' | b'[' | b']' | b',' | b':' => 1,
        byte if byte.is_ascii_whitespace() => 1,
        _ => bytes.iter().position(|byte| b",]} \t\r\n".contains(byte)).unwrap_or(bytes.len()),
    }
}

struct LayoutWriter<'a> {
    style: Style,
    /// The brackets that are open, and whether anything stands in them.
    open: Vec<(u8, bool)>,
    /// A name and its colon were the last that was written.
    after_name: bool,
    /// How many bytes of line ends and indentation may still be written.
    indentation: usize,
    out: &'a mut BytesMut,
}

impl LayoutWriter<'_> {
    fn put(&mut self, first: u8, token: &str) {
        match first {
            b'{' | b'[' => {
                self.begin_item();
                self.out.put_u8(first);
                self.open.push((first, false));
            }
            b'}' | b']' => self.close(first),
            b',' if self.style == Style::CJsonPretty && self.is_in(b'[') => {
                self.out.put_slice(b", ");
            }
            b',' => self.out.put_u8(b','),
            b':' => {
                self.after_name = true;
                self.out.put_slice(match self.style {
                    Style::Compact | Style::CJson => b":",
                    Style::Pretty => b": ",
                    Style::CJsonPretty => b":\t",
                });
            }
            _ if first.is_ascii_whitespace() => {}
            _ => {
                self.begin_item();
                self.scalar(first, token);
            }
        }
    }

    fn is_in(&self, bracket: u8) -> bool {
        self.open.last().is_some_and(|(open, _)| *open == bracket)
    }

    /// What stands after a name stays on its line; everything else in brackets may get a line of
    /// its own.
    fn begin_item(&mut self) {
        if std::mem::take(&mut self.after_name) {
            return;
        }
        let in_object = self.is_in(b'{');
        let level = self.open.len();
        if let Some((_, filled)) = self.open.last_mut() {
            *filled = true;
            if self.style == Style::Pretty || (self.style == Style::CJsonPretty && in_object) {
                self.new_line(level);
            }
        }
    }

    fn close(&mut self, bracket: u8) {
        let filled = self.open.pop().is_some_and(|(_, filled)| filled);
        if (self.style == Style::Pretty && filled)
            || (self.style == Style::CJsonPretty && bracket == b'}')
        {
            self.new_line(self.open.len() + 1);
        }
        self.out.put_u8(bracket);
    }

    /// Begins a line, unless it is about brackets at a level that is not indented.
    fn new_line(&mut self, level: usize) {
        if level > INDENTED_LEVELS {
            return;
        }
        let (indent, times) = if self.style == Style::Pretty { (b' ', 2) } else { (b'\t', 1) };
        let length = self.open.len() * times;
        if let Some(left) = self.indentation.checked_sub(1 + length) {
            self.indentation = left;
            self.out.put_u8(b'\n');
            self.out.put_bytes(indent, length);
        }
    }

    fn scalar(&mut self, first: u8, token: &str) {
        let rewritten = matches!(self.style, Style::CJson | Style::CJsonPretty);
        match first {
            b'"' if rewritten => match serde_json::from_str::<String>(token) {
                Ok(text) => cjson_string(text.as_bytes(), self.out),
                Err(_) => self.out.put_slice(token.as_bytes()),
            },
            b'-' | b'0'..=b'9' if rewritten => {
                let number = token.parse().map_or_else(|_| token.to_owned(), cjson_number);
                self.out.put_slice(number.as_bytes());
            }
            _ => self.out.put_slice(token.as_bytes()),
        }
    }
}

/// A number as cJSON prints it: `%1.15g`, or `%1.17g` where that would be another number.
fn cjson_number(number: f64) -> String {
    if !number.is_finite() {
        return "null".to_owned();
    }
    let short = shortest(number, 15);
    let again: f64 = short.parse().unwrap_or(f64::NAN);
    let tolerance = number.abs().max(again.abs()) * f64::EPSILON;
    if (number - again).abs() <= tolerance { short } else { shortest(number, 17) }
}

/// C's `%.*g`.
fn shortest(number: f64, precision: usize) -> String {
    let scientific = format!("{number:.*e}", precision - 1);
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trimmed = |text: &str| {
        let zeros = if text.contains('.') { '0' } else { '.' };
        text.trim_end_matches(zeros).trim_end_matches('.').to_owned()
    };
    match usize::try_from(exponent) {
        Ok(before) if before >= precision => format!("{}e+{exponent:02}", trimmed(digits)),
        Err(_) if exponent < -4 => format!("{}e-{:02}", trimmed(digits), -exponent),
        Ok(before) => trimmed(&format!("{number:.*}", precision - 1 - before)),
        Err(_) => {
            let zeros = usize::try_from(-exponent).unwrap_or(0);
            trimmed(&format!("{number:.*}", precision - 1 + zeros))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laid_out(text: &str, style: Style) -> String {
        let mut out = BytesMut::new();
        lay_out(checked(text.as_bytes()).expect("JSON"), style, &mut out);
        String::from_utf8(out.to_vec()).expect("text")
    }

    const TEXT: &str =
        r#" { "b" : [ 1, 2.50, {} , [ ] ] ,"a":{"x":null, "x":"\u00fc\"\/ ,:"},"e":{} } "#;

    #[test]
    fn tokens_stay_as_they_were() {
        let compact = r#"{"b":[1,2.50,{},[]],"a":{"x":null,"x":"\u00fc\"\/ ,:"},"e":{}}"#;
        assert_eq!(laid_out(TEXT, Style::Compact), compact);
        let pretty = "{\n  \"b\": [\n    1,\n    2.50,\n    {},\n    []\n  ],\n  \"a\": {\n    \
                      \"x\": null,\n    \
                      \"x\": \"\\u00fc\\\"\\/ ,:\"\n  },\n  \"e\": {}\n}";
        assert_eq!(laid_out(TEXT, Style::Pretty), pretty);
        assert_eq!(laid_out(&laid_out(TEXT, Style::Pretty), Style::Compact), compact);
    }

    #[test]
    fn at_most_64_levels_are_indented() {
        let deep = format!("{}1,2{}", "[".repeat(70), "]".repeat(70));
        let text = laid_out(&deep, Style::Pretty);
        let longest = format!("{}{}1,2{}", " ".repeat(128), "[".repeat(6), "]".repeat(6));
        assert_eq!(text.lines().count(), 129);
        assert_eq!(text.lines().nth(64), Some(longest.as_str()));
        assert_eq!(laid_out(&text, Style::Compact), deep);
        let deep = format!("{}1{}", "{\"a\":".repeat(70), "}".repeat(70));
        let text = laid_out(&deep, Style::CJsonPretty);
        assert_eq!(text.lines().count(), 129);
        assert_eq!(laid_out(&text, Style::Compact), deep);
    }

    /// As cJSON 1.7.15 prints it.
    #[test]
    fn cjson_is_imitated() {
        assert_eq!(
            laid_out(TEXT, Style::CJson),
            r#"{"b":[1,2.5,{},[]],"a":{"x":null,"x":"ü\"/ ,:"},"e":{}}"#
        );
        assert_eq!(
            laid_out(r#"{"a":[1,{"b":{}}],"c":"d"}"#, Style::CJsonPretty),
            "{\n\t\"a\":\t[1, {\n\t\t\t\"b\":\t{\n\t\t\t}\n\t\t}],\n\t\"c\":\t\"d\"\n}"
        );
    }

    #[test]
    fn numbers_are_those_of_c() {
        for (number, expected) in [
            ("-0", "-0"),
            ("0.1", "0.1"),
            ("100", "100"),
            ("1e30", "1e+30"),
            ("1E-7", "1e-07"),
            ("0.0001", "0.0001"),
            ("0.00001", "1e-05"),
            ("12345678901234567890", "1.2345678901234567e+19"),
            ("123456789012345", "123456789012345"),
            ("3.141592653589793", "3.1415926535897931"),
            ("1e400", "null"),
        ] {
            assert_eq!(cjson_number(number.parse().expect("a number")), expected, "{number}");
        }
    }

    #[test]
    fn what_is_not_json_is_told() {
        for text in ["", "x", "{", "[1,]", "1 2", "\"\n\"", "{1:2}", "\u{feff}1"] {
            assert_eq!(checked(text.as_bytes()), None, "{text}");
        }
        assert_eq!(checked(b"\xff"), None);
        assert_eq!(checked(b" [1] "), Some("[1]"));
        let deep = "[".repeat(100_000);
        assert_eq!(checked(deep.as_bytes()), None);
    }

    #[test]
    fn strings_are_escaped() {
        let mut out = BytesMut::new();
        string("a\"\n\0ü", &mut out);
        cjson_string(b"a\"\n\0\x7f/\\\x08\xff", &mut out);
        assert_eq!(
            &out[..],
            b"\"a\\\"\\n\\u0000\xc3\xbc\"\"a\\\"\\n\\u0000\x7f/\\\\\\b\xff\"".as_slice()
        );
    }
}
