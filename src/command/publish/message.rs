//! Messages made of records: a payload, a topic and a payload (`--split`), or a line of JSON.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;

use super::composition::Composer;
use super::config::{DiscouragedTopics, MessageFormat, RecordForm, prefixed};
use crate::command::latency;
use crate::format::decoder::TextDecoder;
use crate::format::record::Record;
use crate::mqtt::packet::Publish;
use crate::mqtt::property::{PropertyId, Value};
use crate::mqtt::qos::QoS;
use crate::mqtt::topic::{DiscouragedCharacter, TopicName};

/// A message that is ready to be published.
#[derive(Debug)]
pub enum PreparedMessage {
    /// A payload; topic, QoS and flags are those of the command line.
    Payload(Bytes),
    /// A message whose record names more than the payload.
    Whole {
        /// The message.
        publish: Box<Publish>,
        /// When it once came, since 1970.
        time: Option<Duration>,
    },
}

/// Makes messages of records.
#[derive(Debug)]
pub struct MessageBuilder {
    format: MessageFormat,
    /// Makes messages of which records are only a part.
    composer: Option<Box<Composer>>,
    /// The head of the messages of the current block.
    head: Rc<Publish>,
    /// The warning about the latest record.
    warning: Option<Discouraged>,
    /// What the server has taken.
    taken: Vec<Discouraged>,
    /// What is in doubt about the template.
    in_template: Vec<Discouraged>,
}

/// A character in a text of a message for which a server may end the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Discouraged {
    /// The property in whose text it stands; `None` is the topic.
    property: Option<PropertyId>,
    character: DiscouragedCharacter,
}

impl Discouraged {
    /// All of them in the texts of this message, those of its topics first.
    fn all(publish: &Publish) -> impl Iterator<Item = Self> {
        let found = |property, text| {
            DiscouragedCharacter::all(text).map(move |character| Self { property, character })
        };
        let texts = publish.properties.iter().flat_map(|property| {
            match property.value() {
                Value::Text(text) => [Some(text), None],
                Value::Pair(name, value) => [Some(name), Some(value)],
                Value::Number(_) | Value::Binary(_) => [None, None],
            }
            .into_iter()
            .flatten()
            .map(|text| (property.id(), &**text))
        });
        let in_properties = texts.flat_map(move |(id, text)| found(Some(id), text));
        found(None, publish.topic_or_empty()).chain(in_properties)
    }

    /// Whether it stands in a topic, to which somebody publishes.
    fn is_in_topic(self) -> bool {
        self.property.is_none_or(|id| id == PropertyId::ResponseTopic)
    }
}

impl fmt::Display for Discouraged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.property {
            Some(id) if !self.is_in_topic() => {
                write!(f, "{id} holds the {}", self.character.name())
            }
            Some(_) | None => self.character.fmt(f),
        }
    }
}

impl MessageBuilder {
    /// Messages of this format.
    pub fn new(mut format: MessageFormat) -> Self {
        let composition = format.composition.take();
        let mut builder = Self {
            format,
            composer: composition.map(|composition| Box::new(Composer::new(*composition))),
            head: Rc::default(),
            warning: None,
            taken: Vec::new(),
            in_template: Vec::new(),
        };
        builder.in_template = builder.unproven(builder.template());
        builder
    }

    /// What a message has unless its record says otherwise; a topic only if records need not name
    /// one.
    pub fn template(&self) -> &Publish {
        &self.format.template
    }

    /// Whether messages differ in their payloads only, and may be sent one after the other.
    pub fn is_uniform(&self) -> bool {
        self.format.form == RecordForm::Payload && self.composer.is_none() && self.is_plain()
    }

    /// Because of what the server may end the connection when it gets this message, without a word
    /// that names it: a message of QoS 0 is not acknowledged. Each is named once.
    pub fn unproven(&self, publish: &Publish) -> Vec<Discouraged> {
        if publish.qos > QoS::AtMostOnce {
            return Vec::new();
        }
        let mut unproven = Vec::new();
        for found in Discouraged::all(publish) {
            if !self.taken.contains(&found) && !unproven.contains(&found) {
                unproven.push(found);
            }
        }
        unproven
    }

    /// The server has taken a message that holds these.
    pub fn proven(&mut self, mut found: Vec<Discouraged>) {
        found.retain(|one| !self.taken.contains(one));
        self.taken.extend(found);
        self.in_template = self.unproven(self.template());
    }

    /// What the messages of this block have in common, the block being its payload.
    pub fn head(&mut self, block: &Bytes) -> Rc<Publish> {
        let known = &self.head.payload;
        if (known.as_ptr(), known.len()) != (block.as_ptr(), block.len()) {
            self.head = Rc::new(Publish { payload: block.clone(), ..self.template().clone() });
        }
        Rc::clone(&self.head)
    }

    /// Whether a record is a blank line between others.
    pub fn skips(&self, record: &[u8]) -> bool {
        matches!(self.format.form, RecordForm::Json) && Record::is_blank(record)
    }

    /// The message of a record; the error says what is wrong with it.
    pub fn make(&mut self, record: Bytes) -> Result<PreparedMessage, String> {
        let message = match self.format.form {
            RecordForm::Payload => return self.decoded(record).map(PreparedMessage::Payload),
            RecordForm::Split(separator) => self.split(&record, separator),
            RecordForm::Json => self.parse(&record),
        }?;
        if let PreparedMessage::Whole { publish, .. } = &message {
            self.judge_topics(publish)?;
        }
        Ok(message)
    }

    /// The warning about the latest record, at most one for all of them.
    pub fn take_warning(&mut self) -> Option<Discouraged> {
        self.warning.take()
    }

    fn judge_topics(&mut self, publish: &Publish) -> Result<(), String> {
        if self.format.characters == DiscouragedTopics::Taken {
            return Ok(());
        }
        let is_refused = self.format.characters == DiscouragedTopics::Refused;
        let mut found = Discouraged::all(publish);
        let Some(found) = found.find(|found| !is_refused || found.is_in_topic()) else {
            return Ok(());
        };
        if is_refused {
            return Err(found.to_string());
        }
        self.format.characters = DiscouragedTopics::Taken;
        self.warning = Some(found);
        Ok(())
    }

    fn split(&self, record: &Bytes, separator: u8) -> Result<PreparedMessage, String> {
        let at = memchr::memchr(separator, record)
            .ok_or_else(|| format!("no {} between topic and message", separator.escape_ascii()))?;
        let topic =
            TopicName::from_bytes(record.slice(..at)).map_err(|error| format!("topic: {error}"))?;
        let topic = Some(self.prefixed(&topic)?);
        let payload = self.decoded(record.slice(at + 1..))?;
        let publish = Publish { topic, payload, ..self.template().clone() };
        Ok(PreparedMessage::Whole { publish: Box::new(publish), time: None })
    }

    /// The payload that this text stands for.
    fn decoded(&self, text: Bytes) -> Result<Bytes, String> {
        let Some(encoding) = self.format.encoding else { return Ok(text) };
        let decoded = TextDecoder::decode(encoding, &text);
        decoded.map(Bytes::from).map_err(|error| format!("the payload: {error}"))
    }

    /// What makes several messages of a record, or fills them in, if anything does.
    pub fn composer(&self) -> Option<&Composer> {
        self.composer.as_deref()
    }

    /// The number of the next message of this record, which has this number, and the message; see
    /// [`Composer`].
    pub fn compose(&mut self, record: &Bytes, number: u64) -> (u64, Result<Publish, String>) {
        let composer = self.composer.as_mut().expect("it is asked only where there is one");
        let message = composer.message_of(number);
        let parts = composer.next(number, record);
        (message, self.composed(parts))
    }

    fn composed(&mut self, parts: (Result<TopicName, String>, Bytes)) -> Result<Publish, String> {
        let (topic, payload) = parts;
        let mut publish = Publish { topic: Some(topic?), payload, ..self.template().clone() };
        self.judge_topics(&publish)?;
        if self.format.stamps {
            latency::stamp(&mut publish);
        }
        Ok(publish)
    }

    /// The byte between topic and payload, where nothing else is to be done with them.
    pub fn plain_separator(&self) -> Option<u8> {
        let RecordForm::Split(separator) = self.format.form else { return None };
        (self.is_plain() && self.format.topic_prefix.is_empty()).then_some(separator)
    }

    /// Whether a record becomes a message as it is, without a look at it.
    fn is_plain(&self) -> bool {
        !self.format.stamps && self.format.encoding.is_none() && self.in_template.is_empty()
    }

    /// What makes messages ahead, and what these have beside topic and payload; `None` where
    /// messages may differ in more than that.
    pub fn run_maker(&mut self) -> Option<(&mut Composer, &Publish)> {
        let is_plain = self.is_plain() && self.format.form == RecordForm::Payload;
        let composer = self.composer.as_deref_mut().filter(|composer| composer.makes_runs());
        Some((composer.filter(|_| is_plain)?, &self.format.template))
    }

    /// The latest message is to be made once more.
    pub fn step_back(&mut self) {
        if let Some(composer) = &mut self.composer {
            composer.step_back();
        }
    }

    fn parse(&self, line: &[u8]) -> Result<PreparedMessage, String> {
        let record = Record::parse(line)?;
        let topic = match &record.topic {
            Some(topic) => Some(self.prefixed(topic)?),
            None => self.template().topic.clone(),
        };
        if topic.is_none() {
            return Err("no topic".to_owned());
        }
        let mut properties = self.template().properties.clone();
        for property in record.properties.0 {
            properties.set(property);
        }
        let publish = Publish {
            qos: record.qos.unwrap_or(self.template().qos),
            retain: record.retain.unwrap_or(self.template().retain),
            properties,
            topic,
            payload: record.payload,
            ..Publish::default()
        };
        Ok(PreparedMessage::Whole { publish: Box::new(publish), time: record.time })
    }

    fn prefixed(&self, topic: &TopicName) -> Result<TopicName, String> {
        prefixed(&self.format.topic_prefix, topic).map_err(|error| format!("topic: {error}"))
    }

    /// The packet of a message that is published now, and when the message once came.
    pub fn finish(&self, message: PreparedMessage) -> (Publish, Option<Duration>) {
        let (mut publish, time) = match message {
            PreparedMessage::Payload(payload) => {
                (Publish { payload, ..self.template().clone() }, None)
            }
            PreparedMessage::Whole { publish, time } => (*publish, time),
        };
        if self.format.stamps {
            latency::stamp(&mut publish);
        }
        (publish, time)
    }
}

impl PreparedMessage {
    /// The QoS at which it is published; `usual` is that of the template.
    pub fn qos(&self, usual: QoS) -> QoS {
        match self {
            Self::Payload(_) => usual,
            Self::Whole { publish, .. } => publish.qos,
        }
    }

    /// When it once came, since 1970.
    pub fn time(&self) -> Option<Duration> {
        match self {
            Self::Payload(_) => None,
            Self::Whole { time, .. } => *time,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message has many characters, and what is kept of it has few entries.
    #[test]
    fn what_is_in_doubt_is_kept_once() {
        let template = Publish::new(TopicName::new("t").unwrap(), Bytes::new());
        let mut builder = MessageBuilder::new(MessageFormat {
            template,
            topic_prefix: String::new(),
            form: RecordForm::Json,
            stamps: false,
            characters: DiscouragedTopics::Taken,
            encoding: None,
            composition: None,
        });
        let topic = TopicName::new("\u{1}\u{2}".repeat(30_000)).unwrap();
        let publish = Publish::new(topic, Bytes::new());
        let doubts = builder.unproven(&publish);
        assert_eq!(doubts.len(), 2);
        builder.proven(doubts);
        assert_eq!((builder.taken.len(), builder.unproven(&publish)), (2, Vec::new()));
    }
}
