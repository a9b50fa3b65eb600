//! Every text form of a message is at most a small multiple of it, whatever the broker sends.

use bytes::{Bytes, BytesMut};

use super::encoding::Encoding;
use super::escape::ControlCharacters;
use super::json::Style;
use super::layout::{Content, Layout, TopicColour};
use super::record::RecordWriter;
use super::template::Template;
use crate::mqtt::packet::Publish;
use crate::mqtt::property::{Properties, Property};
use crate::mqtt::topic::TopicName;

/// About as many bytes has a payload.
const SIZE: usize = 40_000;

/// As many bytes of a text stand at most for a byte of the message: six of an escape in JSON, once
/// more for a payload that stands there as JSON, too.
const MULTIPLE: usize = 12;

/// Eight bytes more of line ends and indentation for each byte of a record, in which a payload can
/// stand twice.
const INDENTED: usize = MULTIPLE + 2 * 8;

fn payloads() -> Vec<Bytes> {
    let nested = |open: &str, inside: &str, close: &str, depth: usize| {
        format!("{}{inside}{}", open.repeat(depth), close.repeat(depth))
    };
    let texts = [
        nested("[", "", "]", SIZE / 2),
        nested("{\"\":", "1", "}", SIZE / 6),
        nested("[", &"1,".repeat(SIZE / 2), "1]", 1),
        nested("[", &format!("{}1", "1,".repeat(SIZE / 2)), "]", 63),
        nested("[", &format!("{}1", "[],".repeat(SIZE / 3)), "]", 63),
        nested("[", &format!("{}1", "{\"\":[]},".repeat(SIZE / 8)), "]", 63),
        nested("[", &format!("{}1", "1e14,".repeat(SIZE / 5)), "]", 1),
        format!("\"{}\"", "\\\"".repeat(SIZE / 2)),
        "\u{1}".repeat(SIZE),
        "\u{9b}\u{202e}".repeat(SIZE / 5),
        "\"\\".repeat(SIZE / 2),
    ];
    let mut payloads: Vec<Bytes> = texts.into_iter().map(Bytes::from).collect();
    payloads.push(Bytes::from(vec![0xff; SIZE]));
    payloads
}

fn contents() -> Vec<(usize, Content)> {
    let mut contents = Vec::new();
    for encoding in [None, Some(Encoding::Hex), Some(Encoding::Base64)] {
        contents.push((MULTIPLE, Content::Payload { verbose: true, encoding }));
    }
    for parsed in [false, true] {
        for (factor, style) in [(MULTIPLE, Style::Compact), (INDENTED, Style::Pretty)] {
            contents.push((factor, Content::Record(RecordWriter { parsed, style })));
        }
    }
    for format in ["%p", "%x", "%X", "%j", "%J", "%t %P"] {
        for (factor, style) in [(MULTIPLE, Style::CJson), (INDENTED, Style::CJsonPretty)] {
            let template = Template::parse(format, style, ControlCharacters::Escaped);
            contents.push((factor, Content::Template(template.expect(format))));
        }
    }
    contents
}

#[test]
fn every_text_of_a_message_is_a_small_multiple_of_it() {
    let user = Property::user("\u{1}".repeat(1000).into(), String::new().into());
    for payload in payloads() {
        let topic = TopicName::new("\u{1}".repeat(1000)).ok();
        let properties = Properties(vec![user.clone(); 10]);
        let publish = Publish { topic, properties, payload, ..Publish::default() };
        let size = publish.payload.len() + 11_000;
        for (factor, content) in contents() {
            for control_characters in [ControlCharacters::Escaped, ControlCharacters::Unchanged] {
                let (end, colour) = (Some(b'\n'), TopicColour::Cyan);
                let content = content.clone();
                let layout = Layout { content, end, control_characters, colour };
                let mut out = BytesMut::new();
                // A payload that is not JSON is refused, which is short enough.
                let _ = layout.write(&publish, None, &mut out);
                let begin = &publish.payload[..10];
                assert!(out.len() <= factor * size, "{} of {begin:?}: {layout:?}", out.len());
            }
        }
    }
}
