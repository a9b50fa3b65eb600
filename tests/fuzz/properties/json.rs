//! Every text form of a message: at most a small multiple of it, and where it is JSON, valid JSON.

use bytes::{Bytes, BytesMut};
use serde_json::value::RawValue;

use super::choices::Choices;
use crate::format::encoding::Encoding;
use crate::format::escape::{ControlCharacters, is_harmless};
use crate::format::json::{self, Style};
use crate::format::layout::{Content, Layout, TopicColour};
use crate::format::record::RecordWriter;
use crate::format::template::Template;
use crate::mqtt::packet::Publish;
use crate::mqtt::property::{Properties, Property};
use crate::mqtt::topic::TopicName;

/// As in the program's own test: so many bytes of text stand at most for a byte of the message, and
/// with indentation.
const MULTIPLE: usize = 12;
const INDENTED: usize = 130;

/// The names and numbers of a record.
const FRAME: usize = 200;

pub fn check(data: &[u8]) {
    let mut choices = Choices::new(data);
    let topic = TopicName::new(String::from_utf8_lossy(choices.bytes()).into_owned()).ok();
    let user = String::from_utf8_lossy(choices.bytes()).into_owned();
    let properties = if user.contains('\0') || user.is_empty() {
        Properties::default()
    } else {
        Properties(vec![Property::user(user.clone().into(), user.into())])
    };
    let payload = Bytes::copy_from_slice(choices.rest());
    laid_out(&payload);
    forms(&Publish { topic, properties, payload, ..Publish::default() }, data.len());
}

/// A payload that is JSON stays the same JSON in every style.
fn laid_out(payload: &[u8]) {
    let Some(text) = json::checked(payload) else { return };
    let is_json = serde_json::from_str::<&RawValue>(text);
    assert!(is_json.is_ok(), "{text}: {is_json:?}");
    for style in [Style::Compact, Style::Pretty] {
        let mut out = BytesMut::new();
        json::lay_out(text, style, &mut out);
        let laid_out = json::checked(&out).unwrap_or_else(|| panic!("{text} became {out:?}"));
        let mut again = BytesMut::new();
        json::lay_out(laid_out, style, &mut again);
        assert_eq!(again, out, "{style:?} of {text}");
        assert!(out.len() <= INDENTED * (1 + text.len()), "{} of {text}", out.len());
    }
}

fn forms(publish: &Publish, size: usize) {
    for control_characters in [ControlCharacters::Escaped, ControlCharacters::Unchanged] {
        for (factor, is_json, content) in contents(control_characters) {
            let (end, colour) = (None, TopicColour::Plain);
            let layout = Layout { content, end, control_characters, colour };
            let mut out = BytesMut::new();
            if layout.write(publish, None, &mut out).is_err() {
                continue;
            }
            let most = factor * size + FRAME;
            assert!(out.len() <= most, "{} bytes, not {most}: {layout:?}", out.len());
            let text = std::str::from_utf8(&out);
            if control_characters.are_escaped() {
                let text = text.expect("what a terminal gets is text");
                assert!(text.chars().all(|c| is_harmless(c) || c == '\n'), "{text:?}: {layout:?}");
            }
            if is_json {
                let text = text.expect("JSON is UTF-8");
                let parsed = serde_json::from_str::<&RawValue>(text);
                assert!(parsed.is_ok(), "{text}: {parsed:?}: {layout:?}");
            }
        }
    }
}

/// How long each may be, and whether it is JSON.
fn contents(control_characters: ControlCharacters) -> Vec<(usize, bool, Content)> {
    let mut contents = Vec::new();
    for encoding in [None, Some(Encoding::Hex), Some(Encoding::Base64)] {
        contents.push((MULTIPLE, false, Content::Payload { verbose: true, encoding }));
    }
    for parsed in [false, true] {
        for (factor, style) in [(MULTIPLE, Style::Compact), (INDENTED, Style::Pretty)] {
            contents.push((factor, true, Content::Record(RecordWriter { parsed, style })));
        }
    }
    for (is_json, format) in
        [(false, "%p"), (false, "%x"), (false, "%X"), (false, "%t %P"), (false, "%j"), (true, "%J")]
    {
        for (factor, style) in [(MULTIPLE, Style::CJson), (INDENTED, Style::CJsonPretty)] {
            let template = Template::parse(format, style, control_characters).expect(format);
            contents.push((factor, is_json, Content::Template(template)));
        }
    }
    contents
}
