//! Reads a text with fields.

use std::sync::Arc;

use super::{FileLines, RandomRange, TextField, TextPart, TextTemplate};

/// The most decimals of a random number.
const MOST_DECIMALS: usize = 9;

/// What is wrong with a text, and where.
#[derive(Debug, PartialEq, Eq)]
pub struct TemplateFault {
    /// What is wrong.
    pub sentence: String,
    /// Where, in bytes.
    pub at: usize,
}

/// What a text is read with.
pub struct TemplateSource<'a> {
    /// The longest text that is of use, filled in, in bytes.
    pub longest: usize,
    /// The content of a file, or what is wrong with it.
    pub read: &'a dyn Fn(&str) -> Result<Vec<u8>, String>,
}

impl TextTemplate {
    /// Reads a text: fields stand in braces, and `{{` and `}}` for braces.
    pub fn parse(text: &str, source: &TemplateSource<'_>) -> Result<Self, TemplateFault> {
        let mut parts: Vec<TextPart> = Vec::new();
        let (mut at, mut length) = (0, 0_usize);
        while let Some(next) = text[at..].chars().next() {
            let fault = |sentence: String| TemplateFault { sentence, at };
            let (part, taken) = first_part(next, &text[at..], source).map_err(fault)?;
            length = length.saturating_add(part.shortest());
            if length > source.longest {
                return Err(fault(format!("it is longer than {} bytes", source.longest)));
            }
            match (parts.last_mut(), part) {
                (Some(TextPart::Literal(before)), TextPart::Literal(more)) => before.extend(more),
                (_, part) => parts.push(part),
            }
            at += taken;
        }
        Ok(Self { parts, text: text.to_owned() })
    }
}

/// The part with which a text that begins with `next` begins, and its length in bytes.
fn first_part(
    next: char,
    text: &str,
    source: &TemplateSource<'_>,
) -> Result<(TextPart, usize), String> {
    match next {
        '{' if text.starts_with("{{") => Ok((literal("{"), 2)),
        '}' if text.starts_with("}}") => Ok((literal("}"), 2)),
        '}' => Err("a } that ends no field is written }}".to_owned()),
        '{' => {
            let end = text.find('}').ok_or("this field has no }; { itself is written {{")?;
            Ok((TextPart::Field(field(&text[1..end], source)?), end + 1))
        }
        _ => {
            let end = text.find(['{', '}']).unwrap_or(text.len());
            Ok((literal(&text[..end]), end))
        }
    }
}

impl TextPart {
    /// The least that it takes in a message, in bytes.
    fn shortest(&self) -> usize {
        match self {
            Self::Literal(bytes) => bytes.len(),
            Self::Field(TextField::Bytes(length)) => *length,
            Self::Field(_) => 0,
        }
    }
}

fn literal(text: &str) -> TextPart {
    TextPart::Literal(text.as_bytes().to_vec())
}

fn field(inner: &str, source: &TemplateSource<'_>) -> Result<TextField, String> {
    let (name, argument) = inner.split_once(' ').unwrap_or((inner, ""));
    let argument = argument.trim();
    if let Some(divisor) = inner.strip_prefix("n%") {
        let divisor = divisor.parse().ok().filter(|divisor| *divisor > 0);
        let expected = || format!("{{{inner}}}: expected a number above 0 after the %");
        return divisor.map(TextField::Remainder).ok_or_else(expected);
    }
    let plain = match name {
        "n" => TextField::Number,
        "time" => TextField::Time,
        "unix_ms" => TextField::UnixMilliseconds,
        "uuid" => TextField::Uuid,
        "rand" => return random_range(argument).map(TextField::Random),
        "bytes" => return bytes(argument).map(TextField::Bytes),
        "line" => return lines(argument, source.read),
        _ => {
            return Err(format!(
                "{{{inner}}} is no field; there are {{n}}, {{n%100}}, {{time}}, {{unix_ms}}, \
                 {{uuid}}, {{rand 0 100}}, {{bytes 1K}} and {{line FILE}}, and {{{{ is a brace"
            ));
        }
    };
    if argument.is_empty() { Ok(plain) } else { Err(format!("{{{name}}} takes no value")) }
}

/// Two numbers, with as many decimals as the one that has more of them.
fn random_range(argument: &str) -> Result<RandomRange, String> {
    let expected = || "expected two numbers, the smaller one first: {rand 0 100}".to_owned();
    let mut words = argument.split_ascii_whitespace();
    let (Some(from), Some(to), None) = (words.next(), words.next(), words.next()) else {
        return Err(expected());
    };
    let decimals = |word: &str| word.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let decimals = decimals(from).max(decimals(to));
    if decimals > MOST_DECIMALS {
        return Err(format!("expected numbers with at most {MOST_DECIMALS} decimals"));
    }
    let number = |word| scaled(word, decimals).ok_or_else(expected);
    let (from, to) = (number(from)?, number(to)?);
    if from > to { Err(expected()) } else { Ok(RandomRange { from, to, decimals }) }
}

/// A number without its decimal point.
fn scaled(word: &str, decimals: usize) -> Option<i64> {
    let (whole, fraction) = word.split_once('.').unwrap_or((word, ""));
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    let is_number = !digits.is_empty()
        && (digits.bytes().chain(fraction.bytes())).all(|byte| byte.is_ascii_digit());
    let text = format!("{whole}{fraction}{:0<1$}", "", decimals - fraction.len());
    if is_number { text.parse().ok() } else { None }
}

/// A number of bytes: `100`, `1K`, `2M`.
fn bytes(argument: &str) -> Result<usize, String> {
    let number = argument.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match argument[number.len()..].to_ascii_uppercase().as_str() {
        "" => Some(1),
        "K" | "KIB" => Some(1 << 10),
        "M" | "MIB" => Some(1 << 20),
        "G" | "GIB" => Some(1_usize << 30),
        _ => None,
    };
    let size = unit.zip(number.parse().ok());
    size.and_then(|(unit, number): (usize, usize)| number.checked_mul(unit))
        .ok_or_else(|| "expected a number of bytes: {bytes 100}, {bytes 1K}".to_owned())
}

fn lines(file: &str, read: &dyn Fn(&str) -> Result<Vec<u8>, String>) -> Result<TextField, String> {
    if file.is_empty() {
        return Err("expected a file: {line FILE}".to_owned());
    }
    let content = read(file).map_err(|wrong| format!("reading {file}: {wrong}"))?;
    let lines = FileLines::new(content).ok_or_else(|| format!("reading {file}: it has no line"))?;
    Ok(TextField::Line(Arc::new(lines)))
}
