//! Parses the text of `-F` into its parts.

use std::iter::Peekable;
use std::str::Chars;

use super::{Align, Field, Fill, Shape, TemplatePart};

/// Wider than any screen, and more decimals than a float has.
const WIDEST: usize = 4096;

/// What may separate groups of hexadecimal digits (`mosquitto_sub` 2.1).
const SEPARATORS: &str = "!\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~ ";

/// Where a format makes no sense, as the user is told.
type Wrong = String;

/// The parts of a format.
pub(super) fn parts(format: &str) -> Result<Vec<TemplatePart>, Wrong> {
    let mut parts = Vec::new();
    let mut literal = Vec::new();
    let mut left = format.chars().peekable();
    while let Some(next) = left.next() {
        let part = match next {
            '%' => percent(&mut left)?,
            '@' => at(&mut left)?,
            '\\' => backslash(&mut left)?,
            other => TemplatePart::Literal(other.to_string().into_bytes()),
        };
        match part {
            TemplatePart::Literal(bytes) => literal.extend(bytes),
            part => {
                flush(&mut literal, &mut parts);
                parts.push(part);
            }
        }
    }
    flush(&mut literal, &mut parts);
    Ok(parts)
}

fn flush(literal: &mut Vec<u8>, parts: &mut Vec<TemplatePart>) {
    if !literal.is_empty() {
        parts.push(TemplatePart::Literal(std::mem::take(literal)));
    }
}

/// `%`, flags, width, `.` and precision, a separator, a letter.
fn percent(left: &mut Peekable<Chars<'_>>) -> Result<TemplatePart, Wrong> {
    let mut shape = Shape::default();
    if left.next_if_eq(&'-').is_some() {
        shape.align = Align::Left;
    }
    if left.next_if_eq(&'0').is_some() {
        shape.fill = Fill::Zeros;
    }
    shape.width = number(left)?;
    if left.next_if_eq(&'.').is_some() {
        shape.precision = Some(number(left)?);
    }
    shape.separator = left.next_if(|c| SEPARATORS.contains(*c)).and_then(|c| u8::try_from(c).ok());
    let letter = left.next().ok_or("it ends in the middle of a % escape; %% is a percent sign")?;
    if letter == '%' {
        return Ok(TemplatePart::Literal(b"%".to_vec()));
    }
    let field = field(letter).ok_or_else(|| {
        format!("%{letter} is unknown; the letters are A C D d E F f I J j l m P p q R r S t U X x")
    })?;
    if shape.separator.is_some() && !matches!(field, Field::Hex { .. }) {
        return Err(format!("only %x and %X take a separator, not %{letter}"));
    }
    Ok(TemplatePart::Field(field, shape))
}

fn number(left: &mut Peekable<Chars<'_>>) -> Result<usize, Wrong> {
    let mut number = 0_usize;
    while let Some(digit) = left.peek().and_then(|c| c.to_digit(10)) {
        left.next();
        number = number * 10 + digit as usize;
        if number > WIDEST {
            return Err(format!("a width or precision above {WIDEST}"));
        }
    }
    Ok(number)
}

fn field(letter: char) -> Option<Field> {
    Some(match letter {
        'A' => Field::TopicAlias,
        'C' => Field::ContentType,
        'D' => Field::CorrelationData,
        'd' => Field::Float { bytes: 8 },
        'E' => Field::MessageExpiryInterval,
        'F' => Field::PayloadFormatIndicator,
        'f' => Field::Float { bytes: 4 },
        'I' => Field::Iso8601,
        'J' => Field::Json { parsed: true },
        'j' => Field::Json { parsed: false },
        'l' => Field::PayloadLength,
        'm' => Field::PacketId,
        'P' => Field::UserProperties,
        'p' => Field::Payload,
        'q' => Field::QoS,
        'R' => Field::ResponseTopic,
        'r' => Field::Retain,
        'S' => Field::SubscriptionIdentifier,
        't' => Field::Topic,
        'U' => Field::Unix,
        'X' => Field::Hex { upper: true },
        'x' => Field::Hex { upper: false },
        _ => return None,
    })
}

fn at(left: &mut Peekable<Chars<'_>>) -> Result<TemplatePart, Wrong> {
    match left.next() {
        Some('@') => Ok(TemplatePart::Literal(b"@".to_vec())),
        Some(digit @ '1'..='9') if left.next_if_eq(&'N').is_some() => {
            Ok(TemplatePart::Fraction(digit.to_digit(10).unwrap_or_default() as usize))
        }
        Some(letter) => Ok(TemplatePart::Time(letter)),
        None => Err("it ends after an @; @@ is an at sign".to_owned()),
    }
}

fn backslash(left: &mut Peekable<Chars<'_>>) -> Result<TemplatePart, Wrong> {
    let byte = match left.next() {
        Some('\\') => b'\\',
        Some('0') => 0,
        Some('a') => 0x07,
        Some('e') => 0x1b,
        Some('n') => b'\n',
        Some('r') => b'\r',
        Some('t') => b'\t',
        Some('v') => 0x0b,
        Some(letter) => {
            return Err(format!(
                "\\{letter} is unknown; there are \\\\ \\0 \\a \\e \\n \\r \\t and \\v"
            ));
        }
        None => return Err("it ends after a \\; \\\\ is a backslash".to_owned()),
    };
    Ok(TemplatePart::Literal(vec![byte]))
}
