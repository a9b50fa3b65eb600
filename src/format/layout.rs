//! How `sub` writes a message: what stands before, around and after its payload.

use bytes::{BufMut, BytesMut};

use super::annotated::{self, Annotations, PayloadForm, Shown};
use super::encoding::Encoding;
use super::escape::{self, ControlCharacters};
use super::record;
use super::template::{FormatError, Template};
use super::time::LocalTime;
use crate::mqtt::packet::Publish;
use crate::mqtt::topic::TopicName;

/// The layout of `sub`'s output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// What is written of each message.
    pub content: Content,
    /// What ends it: a line feed, NUL, or nothing.
    pub end: Option<u8>,
    /// What is done with what could drive a terminal.
    pub control_characters: ControlCharacters,
    /// The colour of topics.
    pub colour: TopicColour,
}

/// The colour of topics on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicColour {
    /// That of all other text.
    Plain,
    /// Cyan.
    Cyan,
}

/// The colour of topics, and its end.
const TOPIC: &[u8] = b"\x1b[36m";
const PLAIN: &[u8] = b"\x1b[0m";

/// What is written of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// The payload.
    Payload {
        /// `-v`: the topic and a space before it.
        verbose: bool,
        /// As text of this kind.
        encoding: Option<Encoding>,
    },
    /// `--time`, `--hexdump`
    Annotated(Annotations),
    /// `-F`
    Template(Template),
    /// `--json`
    Record(record::RecordWriter),
}

impl Layout {
    /// Whether payloads are written unchanged, so that a large one need not be copied.
    pub fn keeps_payloads(&self) -> bool {
        !self.control_characters.are_escaped()
            && matches!(self.content, Content::Payload { encoding: None, .. })
    }

    /// Whether a message is its payload, and nothing else.
    pub fn is_bare(&self) -> bool {
        self.end.is_none()
            && self.keeps_payloads()
            && matches!(self.content, Content::Payload { verbose: false, .. })
    }

    /// Whether the text depends on the time: then [`Layout::write`] needs it.
    pub fn needs_time(&self) -> bool {
        match &self.content {
            Content::Payload { .. } => false,
            Content::Annotated(annotations) => annotations.heading.time == Shown::Yes,
            Content::Template(template) => template.needs_time(),
            Content::Record(_) => true,
        }
    }

    /// Appends a whole message that came at this time.
    pub fn write(
        &self,
        publish: &Publish,
        now: Option<&LocalTime>,
        out: &mut BytesMut,
    ) -> Result<(), FormatError> {
        let result = match &self.content {
            Content::Payload { .. } => {
                self.write_text(publish.topic.as_ref(), &publish.payload, out);
                return Ok(());
            }
            Content::Annotated(annotations) => {
                self.annotated(*annotations, publish, now, out);
                Ok(())
            }
            Content::Template(template) => template.render(publish, now, out),
            Content::Record(writer) => {
                self.record(*writer, publish, now, out);
                Ok(())
            }
        };
        self.tail(out);
        result
    }

    /// Appends a whole message, if topic and payload are all that is needed of it; whether they
    /// are.
    #[inline(always)]
    pub fn write_text(
        &self,
        topic: Option<&TopicName>,
        payload: &[u8],
        out: &mut BytesMut,
    ) -> bool {
        let Content::Payload { encoding, .. } = self.content else { return false };
        if self.head(topic, payload, out) {
            match encoding {
                Some(encoding) => encoding.encode(payload, out),
                None => self.text(payload, out),
            }
        }
        if !self.is_nothing(payload) {
            self.tail(out);
        }
        true
    }

    /// What stands before the payload; whether the payload follows. An empty one is `(null)` after
    /// its topic, as mosquitto writes it.
    #[inline]
    pub fn head(&self, topic: Option<&TopicName>, payload: &[u8], out: &mut BytesMut) -> bool {
        let Content::Payload { verbose: true, .. } = self.content else { return true };
        if self.is_nothing(payload) {
            return false;
        }
        self.title(topic, out);
        if payload.is_empty() {
            out.put_slice(b"(null)");
        }
        !payload.is_empty()
    }

    /// The topic and a space, where they are wanted.
    pub fn title(&self, topic: Option<&TopicName>, out: &mut BytesMut) {
        if let (Content::Payload { verbose: true, .. }, Some(topic)) = (&self.content, topic) {
            self.topic(topic.as_str().as_bytes(), out);
            out.put_u8(b' ');
        }
    }

    /// What stands after the payload.
    pub fn tail(&self, out: &mut BytesMut) {
        if let Some(end) = self.end {
            out.extend_from_slice(&[end]);
        }
    }

    /// An empty payload after its topic, but with nothing to end it, is not written at all.
    fn is_nothing(&self, payload: &[u8]) -> bool {
        let verbose = matches!(self.content, Content::Payload { verbose: true, .. });
        verbose && self.end.is_none() && payload.is_empty()
    }

    fn topic(&self, topic: &[u8], out: &mut BytesMut) {
        if self.colour == TopicColour::Cyan {
            out.put_slice(TOPIC);
        }
        if self.control_characters.are_escaped() {
            escape::escape_line(topic, out);
        } else {
            out.extend_from_slice(topic);
        }
        if self.colour == TopicColour::Cyan {
            out.put_slice(PLAIN);
        }
    }

    /// Text that came from the broker.
    fn text(&self, text: &[u8], out: &mut BytesMut) {
        if self.control_characters.are_escaped() {
            escape::escape(text, out);
        } else {
            out.extend_from_slice(text);
        }
    }

    /// The time, the topic, and the payload in its form; an empty one is `(null)` after its topic.
    fn annotated(
        &self,
        Annotations { heading, payload: form }: Annotations,
        publish: &Publish,
        now: Option<&LocalTime>,
        out: &mut BytesMut,
    ) {
        if let Some(now) = now {
            now.milliseconds(out);
            out.put_u8(b' ');
        }
        if heading.topic == Shown::Yes {
            self.topic(publish.topic_or_empty().as_bytes(), out);
            out.put_u8(b' ');
        }
        match form {
            PayloadForm::Dump => annotated::dump(&publish.payload, heading, out),
            _ if publish.payload.is_empty() && heading.topic == Shown::Yes => {
                out.put_slice(b"(null)");
            }
            PayloadForm::Encoded(encoding) => encoding.encode(&publish.payload, out),
            PayloadForm::Plain => self.text(&publish.payload, out),
        }
    }

    fn record(
        &self,
        writer: record::RecordWriter,
        publish: &Publish,
        now: Option<&LocalTime>,
        out: &mut BytesMut,
    ) {
        if self.control_characters.are_escaped() {
            let mut record = BytesMut::new();
            writer.write(publish, now, &mut record);
            escape::escape_json(&record, out);
        } else {
            writer.write(publish, now, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::json::Style;

    fn text_of(layout: &Layout, payload: &'static [u8]) -> Vec<u8> {
        let publish = Publish::new(
            TopicName::new("a/b").expect("a topic name"),
            bytes::Bytes::from_static(payload),
        );
        let mut out = BytesMut::new();
        layout.write(&publish, None, &mut out).expect("everything fits");
        out.to_vec()
    }

    fn plain(verbose: bool, end: Option<u8>, is_terminal: bool) -> Layout {
        Layout {
            content: Content::Payload { verbose, encoding: None },
            end,
            control_characters: ControlCharacters::on_terminal(is_terminal),
            colour: TopicColour::Plain,
        }
    }

    #[test]
    fn layouts_are_those_of_mosquitto_sub() {
        let end = Some(b'\n');
        let text = |layout| text_of(&layout, b"x\x1b\0\xff");
        assert_eq!(text(plain(false, end, false)), b"x\x1b\0\xff\n");
        assert_eq!(text(plain(false, None, false)), b"x\x1b\0\xff");
        assert_eq!(text(plain(false, Some(0), false)), b"x\x1b\0\xff\0");
        assert_eq!(text(plain(true, end, false)), b"a/b x\x1b\0\xff\n");
        assert_eq!(text(plain(true, end, true)), b"a/b x\\x1b\\0\\xff\n");
    }

    #[test]
    fn a_topic_has_a_colour_and_stays_on_its_line() {
        let layout = Layout { colour: TopicColour::Cyan, ..plain(true, None, true) };
        assert_eq!(text_of(&layout, b"x"), b"\x1b[36ma/b\x1b[0m x");
        let mut out = BytesMut::new();
        layout.topic(b"a\nb\x1b[0m", &mut out);
        assert_eq!(out, "\x1b[36ma\\nb\\x1b[0m\x1b[0m");
    }

    #[test]
    fn an_empty_message_is_an_empty_line() {
        assert_eq!(text_of(&plain(false, Some(b'\n'), false), b""), b"\n");
        assert_eq!(text_of(&plain(true, Some(b'\n'), false), b""), b"a/b (null)\n");
        assert_eq!(text_of(&plain(true, None, false), b""), b"");
    }

    #[test]
    fn encodings_change_only_the_payload() {
        let layout = |encoding| Layout {
            content: Content::Payload { verbose: true, encoding: Some(encoding) },
            end: Some(b'\n'),
            control_characters: ControlCharacters::Escaped,
            colour: TopicColour::Plain,
        };
        assert_eq!(text_of(&layout(Encoding::Hex), b"\x1b\0"), b"a/b 1b00\n");
        assert_eq!(text_of(&layout(Encoding::Base64), b"\x1b\0"), b"a/b GwA=\n");
    }

    #[test]
    fn records_on_a_terminal_stay_records() {
        let writer = record::RecordWriter { parsed: false, style: Style::Compact };
        let layout = Layout {
            content: Content::Record(writer),
            end: Some(b'\n'),
            control_characters: ControlCharacters::Escaped,
            colour: TopicColour::Plain,
        };
        let text =
            String::from_utf8(text_of(&layout, "\u{202e}\x7f\u{9b}ü".as_bytes())).expect("text");
        assert!(text.ends_with(",\"payload\":\"\\u202e\\u007f\\u009bü\"}\n"), "{text}");
    }
}
