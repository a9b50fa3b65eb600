//! `pub --template`: a text with fields in braces, which each message fills in anew.

mod fill;
mod parse;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use self::fill::{FillState, Values};
#[cfg(test)]
use self::parse::TemplateFault;
pub use self::parse::TemplateSource;

/// A text with fields.
#[derive(Debug, Clone)]
pub struct TextTemplate {
    parts: Vec<TextPart>,
    /// The text as it was given.
    text: String,
}

/// A piece of such a text.
#[derive(Debug, Clone)]
enum TextPart {
    /// What stands in every message.
    Literal(Vec<u8>),
    /// What each message has of its own.
    Field(TextField),
}

/// What stands for a field.
#[derive(Debug, Clone)]
enum TextField {
    /// The number of the message, from 1.
    Number,
    /// Its remainder.
    Remainder(u64),
    /// The time, RFC 3339 in UTC with microseconds.
    Time,
    /// The time in milliseconds since 1970.
    UnixMilliseconds,
    /// A random UUID (RFC 9562, version 4).
    Uuid,
    /// A random number.
    Random(RandomRange),
    /// So many random characters.
    Bytes(usize),
    /// A line of a file, each in its turn.
    Line(Arc<FileLines>),
}

/// A range of numbers with some decimals, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RandomRange {
    /// The ends, as if there were no decimal point.
    from: i64,
    to: i64,
    decimals: usize,
}

/// The lines of a file.
#[derive(Debug)]
struct FileLines {
    content: Vec<u8>,
    /// Where each line ends, without its line feed.
    ends: Vec<u32>,
}

impl TextTemplate {
    /// The text as it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether a field shows the time.
    pub fn shows_time(&self) -> bool {
        let is_time = |part: &TextPart| {
            matches!(part, TextPart::Field(TextField::Time | TextField::UnixMilliseconds))
        };
        self.parts.iter().any(is_time)
    }
}

impl FileLines {
    /// The lines of this content; `None` if it is empty.
    fn new(content: Vec<u8>) -> Option<Self> {
        let mut ends: Vec<u32> = memchr::memchr_iter(b'\n', &content)
            .map(|end| u32::try_from(end).ok())
            .collect::<Option<_>>()?;
        if content.last().is_some_and(|last| *last != b'\n') {
            ends.push(u32::try_from(content.len()).ok()?);
        }
        (!ends.is_empty()).then_some(Self { content, ends })
    }

    /// The line of the message with this number: after the last one the first is next.
    fn of(&self, number: u64) -> &[u8] {
        let at = number.saturating_sub(1) % self.ends.len() as u64;
        let at = usize::try_from(at).unwrap_or_default();
        let start = if at == 0 { 0 } else { self.ends[at - 1] as usize + 1 };
        let line = &self.content[start..self.ends[at] as usize];
        line.strip_suffix(b"\r").unwrap_or(line)
    }
}
