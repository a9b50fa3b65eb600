//! The language of `--expect`: a packet, and the conditions that it must meet, separated by blanks.

use crate::command::serve::{ExpectedField, ExpectedPacket, PacketExpectation};
use crate::exit::Exit;
use crate::mqtt::qos::QoS;
use crate::mqtt::topic::TopicFilter;
use crate::report::CaretError;

/// The conditions of each packet.
fn fields_of(packet: ExpectedPacket) -> &'static str {
    match packet {
        ExpectedPacket::Publish => "t=, q=, r=, client=, payload= or payload~",
        ExpectedPacket::Subscribe => "t=, q= or client=",
        ExpectedPacket::Unsubscribe => "t= or client=",
        ExpectedPacket::Connect | ExpectedPacket::Disconnect => "client=",
    }
}

/// What is wrong, and where, in bytes.
type ExpectFault = (String, usize);

/// A part of the text, and where it begins, in bytes.
#[derive(Debug, Clone, Copy)]
struct ExpectWord<'a> {
    text: &'a str,
    at: usize,
}

/// Reads what one `--expect` was given.
pub fn parse(text: &str) -> Result<PacketExpectation, CaretError> {
    expectation(text).map_err(|(sentence, at)| CaretError {
        flag: "--expect",
        sentence,
        value: text.to_owned(),
        at,
        exit: Exit::Usage,
    })
}

fn expectation(text: &str) -> Result<PacketExpectation, ExpectFault> {
    let mut words = words(text)?.into_iter();
    let first = words.next().unwrap_or(ExpectWord { text: "", at: 0 });
    let known = ExpectedPacket::ALL.into_iter().find(|packet| packet.word() == first.text);
    let packet = known
        .ok_or_else(|| ("expected pub, sub, unsub, connect or disconnect".to_owned(), first.at))?;
    let fields = words.map(|word| field(packet, word)).collect::<Result<_, ExpectFault>>()?;
    Ok(PacketExpectation { text: text.to_owned(), packet, fields })
}

/// The words of a text; a value in quotes may hold blanks.
fn words(text: &str) -> Result<Vec<ExpectWord<'_>>, ExpectFault> {
    let (mut words, mut at) = (Vec::new(), 0);
    while let Some(blanks) = text[at..].find(|c: char| !c.is_whitespace()) {
        let begin = at + blanks;
        let end = end_of_word(text, begin)?;
        words.push(ExpectWord { text: &text[begin..end], at: begin });
        at = end;
    }
    Ok(words)
}

fn end_of_word(text: &str, begin: usize) -> Result<usize, ExpectFault> {
    let rest = &text[begin..];
    let blank = rest.find(char::is_whitespace).map_or(text.len(), |end| begin + end);
    let Some(value) = rest.find(['=', '~']).map(|sign| begin + sign + 1) else { return Ok(blank) };
    let quote = text[value..].chars().next().filter(|c| value < blank && matches!(c, '\'' | '"'));
    let Some(quote) = quote else { return Ok(blank) };
    let end = text[value + 1..].find(quote).map(|end| value + 1 + end + 1);
    let end = end.ok_or_else(|| ("the quote has no end".to_owned(), value))?;
    match text[end..].chars().next() {
        Some(after) if !after.is_whitespace() => {
            Err(("expected a blank after the quote".to_owned(), end))
        }
        _ => Ok(end),
    }
}

fn field(packet: ExpectedPacket, word: ExpectWord<'_>) -> Result<ExpectedField, ExpectFault> {
    let expected = || format!("{}: expected {}", packet.word(), fields_of(packet));
    let sign = word.text.find(['=', '~']).ok_or_else(|| (expected(), word.at))?;
    let (name, value) = (&word.text[..=sign], &word.text[sign + 1..]);
    let at = word.at + sign + 1;
    if !fields_of(packet).split([',', ' ']).any(|field| field == name) {
        return Err((expected(), word.at));
    }
    let value = unquoted(value);
    let wrong = |sentence: String| (format!("{name} {sentence}"), at);
    let number = |numbers: &str| wrong(format!("expected {numbers}"));
    match name {
        "t=" => {
            let filter = TopicFilter::new(value);
            filter.map(ExpectedField::Topic).map_err(|error| wrong(error.to_string()))
        }
        "q=" => {
            let qos = value.parse().ok().and_then(QoS::from_bits);
            qos.map(ExpectedField::QoS).ok_or_else(|| number("0, 1 or 2"))
        }
        "r=" => match value {
            "0" => Ok(ExpectedField::Retain(false)),
            "1" => Ok(ExpectedField::Retain(true)),
            _ => Err(number("0 or 1")),
        },
        "client=" => Ok(ExpectedField::Client(value.to_owned())),
        "payload=" => Ok(ExpectedField::Payload(value.to_owned())),
        _ => {
            let pattern = value.parse();
            pattern.map(ExpectedField::PayloadMatch).map_err(wrong)
        }
    }
}

/// The value without its quotes.
fn unquoted(value: &str) -> &str {
    let inside = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    inside('"').or_else(|| inside('\'')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> String {
        let PacketExpectation { packet, fields, .. } = parse(text).expect("an expectation");
        format!("{packet:?} {fields:?}")
    }

    #[test]
    fn every_field() {
        let text = "pub  t=a/+ q=1 r=0 client=me payload='a b' payload~^ok ";
        assert_eq!(
            fields(text),
            "Publish [Topic(TopicFilter(\"a/+\")), QoS(AtLeastOnce), Retain(false), \
             Client(\"me\"), Payload(\"a b\"), \
             PayloadMatch(Pattern { text: \"^ok\", regex: Regex(\"^ok\") })]"
        );
        assert_eq!(fields("sub q=2"), "Subscribe [QoS(ExactlyOnce)]");
        assert_eq!(fields("connect client=\"\""), "Connect [Client(\"\")]");
        assert_eq!(fields("pub payload=a=\"b\""), "Publish [Payload(\"a=\\\"b\\\"\")]");
        assert_eq!(fields("disconnect"), "Disconnect []");
    }

    #[test]
    fn a_caret_shows_the_place() {
        for (text, sentence, place) in [
            ("", "expected pub, sub, unsub, connect or disconnect", 0),
            (" publish", "expected pub, sub, unsub, connect or disconnect", 1),
            ("sub r=1", "sub: expected t=, q= or client=", 4),
            ("sub t", "sub: expected t=, q= or client=", 4),
            ("pub t~a", "pub: expected t=, q=, r=, client=, payload= or payload~", 4),
            ("pub t=a q=3", "q= expected 0, 1 or 2", 10),
            ("pub r=true", "r= expected 0 or 1", 6),
            ("pub t=a#", "t= '#' must stand alone after the last slash, as in 'a/#'", 6),
            ("pub payload='a b", "the quote has no end", 12),
            ("pub payload='a'b", "expected a blank after the quote", 15),
            ("pub payload~(", "payload~ unclosed group", 12),
        ] {
            let error = parse(text).expect_err(text);
            assert_eq!((error.sentence.as_str(), error.at), (sentence, place), "{text}");
        }
    }
}
