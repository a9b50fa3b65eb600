//! Messages made of records: a payload, a topic and a payload (`--split`), or a line of JSON.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;

use super::config::{MessageFormat, RecordForm, prefixed};
use crate::format::record::Record;
use crate::mqtt::packet::Publish;
use crate::mqtt::qos::QoS;
use crate::mqtt::topic::TopicName;

/// A message that is ready to be published.
#[derive(Debug)]
pub enum PreparedMessage {
    /// Of the topic, QoS and flags of the command line.
    Payload(Bytes),
    /// One that says more itself.
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
    template: Publish,
    /// The head of the messages of the current block.
    head: Rc<Publish>,
    prefix: String,
    form: RecordForm,
}

impl MessageBuilder {
    /// Messages of this format.
    pub fn new(format: MessageFormat) -> Self {
        let MessageFormat { template, topic_prefix, form } = format;
        Self { template, head: Rc::default(), prefix: topic_prefix, form }
    }

    /// What records do not say; its topic is there unless they say it.
    pub fn template(&self) -> &Publish {
        &self.template
    }

    /// Whether each record is a payload, and nothing else.
    pub fn takes_payloads(&self) -> bool {
        matches!(self.form, RecordForm::Payload)
    }

    /// What the messages of this block have in common, the block being its payload.
    pub fn head(&mut self, block: &Bytes) -> Rc<Publish> {
        let known = &self.head.payload;
        if (known.as_ptr(), known.len()) != (block.as_ptr(), block.len()) {
            self.head = Rc::new(Publish { payload: block.clone(), ..self.template.clone() });
        }
        Rc::clone(&self.head)
    }

    /// Whether a record is a blank line between others.
    pub fn skips(&self, record: &[u8]) -> bool {
        matches!(self.form, RecordForm::Json) && Record::is_blank(record)
    }

    /// The message of a record; the error says what is wrong with it.
    pub fn make(&self, record: Bytes) -> Result<PreparedMessage, String> {
        match self.form {
            RecordForm::Payload => Ok(PreparedMessage::Payload(record)),
            RecordForm::Split(separator) => self.split(&record, separator),
            RecordForm::Json => self.parse(&record),
        }
    }

    fn split(&self, record: &Bytes, separator: u8) -> Result<PreparedMessage, String> {
        let at = memchr::memchr(separator, record)
            .ok_or_else(|| format!("no {} between topic and message", separator.escape_ascii()))?;
        let topic =
            TopicName::from_bytes(record.slice(..at)).map_err(|error| format!("topic: {error}"))?;
        let topic = Some(self.prefixed(&topic)?);
        let publish = Publish { topic, payload: record.slice(at + 1..), ..self.template.clone() };
        Ok(PreparedMessage::Whole { publish: Box::new(publish), time: None })
    }

    fn parse(&self, line: &[u8]) -> Result<PreparedMessage, String> {
        let record = Record::parse(line)?;
        let topic = match &record.topic {
            Some(topic) => Some(self.prefixed(topic)?),
            None => self.template.topic.clone(),
        };
        if topic.is_none() {
            return Err("no topic".to_owned());
        }
        let mut properties = self.template.properties.clone();
        for property in record.properties.0 {
            properties.set(property);
        }
        let publish = Publish {
            qos: record.qos.unwrap_or(self.template.qos),
            retain: record.retain.unwrap_or(self.template.retain),
            properties,
            topic,
            payload: record.payload,
            ..Publish::default()
        };
        Ok(PreparedMessage::Whole { publish: Box::new(publish), time: record.time })
    }

    fn prefixed(&self, topic: &TopicName) -> Result<TopicName, String> {
        prefixed(&self.prefix, topic).map_err(|error| format!("topic: {error}"))
    }

    /// The packet of a message, and when the message once came.
    pub fn finish(&self, message: PreparedMessage) -> (Publish, Option<Duration>) {
        match message {
            PreparedMessage::Payload(payload) => {
                (Publish { payload, ..self.template.clone() }, None)
            }
            PreparedMessage::Whole { publish, time } => (*publish, time),
        }
    }
}

impl PreparedMessage {
    /// At which QoS it is published, that of the template being `usual`.
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
