//! What `pub` is asked to do.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;

pub use super::composition::{Composition, TopicText};
pub use super::pace::Pace;
use crate::client;
use crate::format::encoding::Encoding;
use crate::format::layout::Layout;
use crate::format::summary::SummaryForm;
use crate::mqtt::packet::{Publish, RetainHandling};
use crate::mqtt::property::Properties;
use crate::mqtt::topic::{TopicError, TopicName};
use crate::report::Verbosity;

/// What `pub` is asked to do.
pub struct Config {
    /// Where to connect, and how.
    pub client: client::Options,
    /// Where the records come from.
    pub input: InputOptions,
    /// What becomes of the records, and when.
    pub messages: FeedOptions,
    /// The form of the summary, if there is to be one.
    pub summary: Option<SummaryForm>,
    /// How long the whole may take; with `request` only each answer is limited, by its own time.
    pub timeout: Option<Duration>,
    /// Which lines go to stderr.
    pub verbosity: Verbosity,
    /// Each message asks for an answer.
    pub request: Option<RequestOptions>,
}

/// Stands for a number of repetitions that has no end.
pub const FOR_EVER: u64 = u64::MAX;

/// Where the records come from, and how often.
#[derive(Debug)]
pub struct InputOptions {
    /// Where they come from.
    pub source: InputSource,
    /// How often the one record, or that of each file, is published: from 1 to [`FOR_EVER`].
    pub repeat: u64,
    /// How the content of files, and all of stdin, is encoded, if it is.
    pub encoding: Option<Encoding>,
}

/// What becomes of the records, and when.
#[derive(Debug)]
pub struct FeedOptions {
    /// What becomes of a record.
    pub format: MessageFormat,
    /// When each message is due.
    pub pace: Pace,
    /// What follows a record that makes no sense.
    pub after_bad: AfterBadRecord,
}

/// What follows a record that makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterBadRecord {
    /// The next record.
    GoOn,
    /// No record (`--strict-input`).
    Stop,
}

/// Where the records come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputSource {
    /// One record, from the command line.
    Text(Bytes),
    /// One record: the content of a file.
    File(PathBuf),
    /// A record for each of several files, in their order.
    Files(Vec<PathBuf>),
    /// One record: all of stdin.
    Stdin,
    /// stdin, whose records end in this byte.
    Records(u8),
}

/// What becomes of a record.
#[derive(Debug, Clone)]
pub struct MessageFormat {
    /// What records do not say; it has a topic unless each record has one.
    pub template: Publish,
    /// Stands before every topic that a record names; the template's has it already.
    pub topic_prefix: String,
    /// The form of the records.
    pub form: RecordForm,
    /// Each message says when it was published (`--latency`).
    pub stamps: bool,
    /// What becomes of a record whose topic or response topic holds a control character.
    pub characters: DiscouragedTopics,
    /// How the payloads of records are encoded, if they are.
    pub encoding: Option<Encoding>,
    /// What makes messages of a record, where that is only a part of them.
    pub composition: Option<Box<Composition>>,
}

impl MessageFormat {
    /// A message without a payload that is as large as any that is known now.
    pub fn largest_head(&self) -> Publish {
        let topics = self.composition.iter().flat_map(|composition| &composition.topics);
        let fixed = topics.filter_map(|topic| match topic {
            TopicText::Fixed(topic) => Some(topic),
            TopicText::Filled(_) => None,
        });
        let longest = fixed.max_by_key(|topic| topic.as_str().len()).cloned();
        let shortest = || TopicName::new(ByteString::from_static("t")).ok();
        let topic = self.template.topic.clone().or(longest).or_else(shortest);
        Publish { topic, ..self.template.clone() }
    }
}

/// What becomes of a record whose topic holds a character that no topic should hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiscouragedTopics {
    /// It is published.
    Taken,
    /// It is published, and the first of them is told: a mirror passes on what a broker delivers.
    Warned,
    /// It is a record that makes no sense.
    Refused,
}

/// The form of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordForm {
    /// A payload.
    Payload,
    /// A topic, this byte, and a payload.
    Split(u8),
    /// A message as `sub --json` writes it.
    Json,
}

/// `--request`.
#[derive(Debug, Clone)]
pub struct RequestOptions {
    /// Where the answers come; `None` is a topic of our own.
    pub response_topic: Option<TopicName>,
    /// The correlation data of the one request, where the user gave it.
    pub correlation: Option<Bytes>,
    /// How long to wait for each answer.
    pub timeout: Option<Duration>,
    /// How answers are written.
    pub layout: Layout,
    /// How many requests wait for their answers at once.
    pub most_waiting: u16,
    /// Whether answers keep the retain flag with which they were published.
    pub retain_as_published: bool,
    /// Whether retained messages come at all.
    pub retain_handling: RetainHandling,
    /// The properties of SUBSCRIBE.
    pub subscribe_properties: Properties,
}

/// The topic with the prefix before it.
pub fn prefixed(prefix: &str, topic: &TopicName) -> Result<TopicName, TopicError> {
    match prefix {
        "" => Ok(topic.clone()),
        _ => TopicName::new(ByteString::from(format!("{prefix}{}", topic.as_str()))),
    }
}
