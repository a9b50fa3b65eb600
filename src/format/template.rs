//! `-F`: a format is parsed once into a plan, and the plan makes text of each message. The escapes
//! are those of `mosquitto_sub` 2.0, to the byte, and those that 2.1 added.

mod field;
mod parse;
#[cfg(test)]
mod tests;

use bytes::{BufMut, BytesMut};

use super::count::count;
use super::escape::{self, ControlCharacters};
use super::json::Style;
use super::time::LocalTime;
use crate::mqtt::packet::Publish;

/// A parsed format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<TemplatePart>,
    /// How `%j` and `%J` are laid out.
    style: Style,
    /// What is done with what could drive a terminal, in what comes from the broker.
    control_characters: ControlCharacters,
}

/// A piece of a format.
#[derive(Debug, Clone, PartialEq, Eq)]
enum TemplatePart {
    /// Bytes that stand for themselves.
    Literal(Vec<u8>),
    /// `%`: something of the message.
    Field(Field, Shape),
    /// `@`: a conversion of strftime.
    Time(char),
    /// `@3N`: as many digits of the fraction of the second.
    Fraction(usize),
}

/// What `%` may ask for; the letters are mosquitto's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    /// `%A`
    TopicAlias,
    /// `%C`
    ContentType,
    /// `%D`
    CorrelationData,
    /// `%d`, `%f`: the payload as a floating point number of this machine, of 8 or 4 bytes
    Float { bytes: usize },
    /// `%E`
    MessageExpiryInterval,
    /// `%F`
    PayloadFormatIndicator,
    /// `%I`
    Iso8601,
    /// `%j`; `%J` with the payload as JSON
    Json { parsed: bool },
    /// `%l`
    PayloadLength,
    /// `%m`
    PacketId,
    /// `%P`
    UserProperties,
    /// `%p`
    Payload,
    /// `%q`
    QoS,
    /// `%R`
    ResponseTopic,
    /// `%r`
    Retain,
    /// `%S`
    SubscriptionIdentifier,
    /// `%t`
    Topic,
    /// `%U`
    Unix,
    /// `%x`, `%X`
    Hex { upper: bool },
}

/// Flags, width and precision: between the `%` and its letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Shape {
    /// `-`
    align: Align,
    /// `0`
    fill: Fill,
    /// 0 is none.
    width: usize,
    precision: Option<usize>,
    /// Stands between groups of as many hexadecimal digits as the precision says, instead of a
    /// blank.
    separator: Option<u8>,
}

/// The side of its width on which a field stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Align {
    #[default]
    Right,
    Left,
}

/// What stands before a field that is narrower than its width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Fill {
    #[default]
    Spaces,
    Zeros,
}

impl Fill {
    fn byte(self) -> u8 {
        match self {
            Self::Spaces => b' ',
            Self::Zeros => b'0',
        }
    }
}

/// The payload is not what the format wants to make of it; nothing stands in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormatError {
    /// `%J` and no JSON.
    NotJson,
    /// `%d` or `%f` and not this many bytes.
    NotFloat {
        /// How many it would be.
        bytes: usize,
    },
}

impl std::fmt::Display for FormatError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotJson => f.write_str("is not JSON"),
            Self::NotFloat { bytes } => {
                write!(f, "is not a number of {}", count(*bytes as u64, "byte"))
            }
        }
    }
}

impl Template {
    /// Understands a format; the error says where it makes no sense.
    ///
    /// `style` is how `%j` and `%J` are laid out.
    pub fn parse(
        format: &str,
        style: Style,
        control_characters: ControlCharacters,
    ) -> Result<Self, String> {
        Ok(Self { parts: parse::parts(format)?, style, control_characters })
    }

    /// Whether the format shows the time.
    pub fn needs_time(&self) -> bool {
        let shows_time = |part: &TemplatePart| {
            matches!(
                part,
                TemplatePart::Time(_)
                    | TemplatePart::Fraction(_)
                    | TemplatePart::Field(Field::Iso8601 | Field::Unix | Field::Json { .. }, _)
            )
        };
        self.parts.iter().any(shows_time)
    }

    /// Appends a message that came at this time; without one nothing stands in its place.
    pub fn render(
        &self,
        publish: &Publish,
        now: Option<&LocalTime>,
        out: &mut BytesMut,
    ) -> Result<(), FormatError> {
        let mut result = Ok(());
        for part in &self.parts {
            match (part, now) {
                (TemplatePart::Literal(bytes), _) => out.put_slice(bytes),
                (TemplatePart::Time(letter), Some(now)) => now.conversion(*letter, out),
                (TemplatePart::Fraction(digits), Some(now)) => now.fraction(*digits, out),
                (TemplatePart::Time(_) | TemplatePart::Fraction(_), None) => {}
                (TemplatePart::Field(field, shape), _) => {
                    result = result.and(self.put_field(*field, *shape, publish, now, out));
                }
            }
        }
        result
    }

    fn put_field(
        &self,
        field: Field,
        shape: Shape,
        publish: &Publish,
        now: Option<&LocalTime>,
        out: &mut BytesMut,
    ) -> Result<(), FormatError> {
        if !self.control_characters.are_escaped() {
            return field::put(field, shape, publish, now, self.style, out);
        }
        let mut raw = BytesMut::new();
        let result = field::put(field, shape, publish, now, self.style, &mut raw);
        match field {
            Field::Json { .. } => escape::escape_json(&raw, out),
            Field::Payload => escape::escape(&raw, out),
            // Only a payload is expected to have several lines.
            _ => escape::escape_line(&raw, out),
        }
        result
    }
}
