//! Messages of which a record is only a part: to several topics (`-t` again and again), and with
//! fields that are filled in for each of them (`--template`).

use std::rc::Rc;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};

use super::filled_run::{BYTES_AHEAD, FilledRun, MOST_AHEAD};
use crate::format::text_template::{FillState, TextTemplate, Values};
use crate::mqtt::packet::Publish;
use crate::mqtt::topic::{DiscouragedCharacter, TopicName};

/// What the messages of each record are made of.
#[derive(Debug, Clone)]
pub struct Composition {
    /// Where each of them goes: one topic or more.
    pub topics: Vec<TopicText>,
    /// Stands before a topic that is filled in; the others have it already.
    pub prefix: String,
    /// The payload, if it is filled in; without it the record is the payload.
    pub payload: Option<TextTemplate>,
}

/// A topic of the command line.
#[derive(Debug, Clone)]
pub enum TopicText {
    /// The topic.
    Fixed(TopicName),
    /// Filled in for each message.
    Filled(TextTemplate),
}

impl TopicText {
    /// As it was given.
    pub fn text(&self) -> &str {
        match self {
            Self::Fixed(topic) => topic.as_str(),
            Self::Filled(template) => template.text(),
        }
    }
}

/// Makes the messages of one record after the other.
#[derive(Debug)]
pub struct Composer {
    composition: Composition,
    state: FillState<fn() -> u64>,
    /// The topic of the next message, by its place.
    place: usize,
    /// The payload of the messages of the current record, once it is filled in.
    payload: Option<Bytes>,
    /// Payloads that are filled in ahead.
    ahead: FilledRun,
    buffer: BytesMut,
}

impl Composer {
    /// Makes messages of these parts.
    pub fn new(composition: Composition) -> Self {
        Self {
            composition,
            state: FillState::new(|| fastrand::u64(..)),
            place: 0,
            payload: None,
            ahead: FilledRun::default(),
            buffer: BytesMut::new(),
        }
    }

    /// What they are made of.
    pub fn parts(&self) -> &Composition {
        &self.composition
    }

    /// How many messages of the current record were made.
    pub fn made(&self) -> usize {
        self.place
    }

    /// Topic and payload of the next message of the record with this number, whose text is
    /// `record`; the error says why the topic is none. The payload is the same for all topics.
    pub fn next(&mut self, number: u64, record: &Bytes) -> (Result<TopicName, String>, Bytes) {
        let values = self.values(number);
        let payload = self.payload(values, record);
        let topic = self.topic(values);
        self.place += 1;
        if self.place == self.composition.topics.len() {
            (self.place, self.payload) = (0, None);
        }
        (topic, payload)
    }

    /// The latest message is to be made once more.
    pub fn step_back(&mut self) {
        let topics = self.composition.topics.len();
        self.place = (self.place + topics - 1) % topics;
    }

    /// The topic of all messages, if they differ in their payloads alone.
    fn only_topic(&self) -> Option<&TopicName> {
        match self.composition.topics.as_slice() {
            [TopicText::Fixed(topic)] if self.composition.payload.is_some() => Some(topic),
            _ => None,
        }
    }

    /// Whether messages can be filled in ahead. A character at which a server may end the
    /// connection needs a look at each of them.
    pub fn makes_runs(&self) -> bool {
        let topic = self.only_topic();
        topic.is_some_and(|topic| DiscouragedCharacter::find(topic.as_str()).is_none())
    }

    /// Payloads that are filled in from the message with this number on, at most `most`, for
    /// messages like `template`; those of before that were not taken, if there are any.
    pub fn run(
        &mut self,
        template: &Publish,
        number: u64,
        most: u64,
    ) -> (Rc<Publish>, &mut FilledRun) {
        if !self.ahead.is_at(number) {
            self.fill_ahead(template, number, most);
        }
        (Rc::clone(&self.ahead.head), &mut self.ahead)
    }

    fn fill_ahead(&mut self, template: &Publish, first: u64, most: u64) {
        let Some(text) = &self.composition.payload else { return };
        let (mut ends, mut number) = (Vec::new(), first);
        // They are sent within microseconds: one look at the clock will do.
        let time = self.values(first).time;
        while number - first < most.min(MOST_AHEAD) && self.buffer.len() < BYTES_AHEAD {
            text.fill(Values { number, time }, &mut self.state, &mut self.buffer);
            ends.push(self.buffer.len());
            number += 1;
        }
        let (topic, payload) = (self.only_topic().cloned(), self.buffer.split().freeze());
        self.ahead = FilledRun::new(Publish { topic, payload, ..template.clone() }, ends, first);
    }

    /// Time has passed: payloads that show it are filled in anew.
    pub fn refresh(&mut self) {
        if self.composition.payload.as_ref().is_some_and(TextTemplate::shows_time) {
            self.ahead.clear();
        }
    }

    fn values(&self, number: u64) -> Values {
        let shows_time =
            |topic: &TopicText| matches!(topic, TopicText::Filled(t) if t.shows_time());
        let is_wanted = self.composition.payload.as_ref().is_some_and(TextTemplate::shows_time)
            || self.composition.topics.iter().any(shows_time);
        Values { number, time: if is_wanted { now() } else { Duration::ZERO } }
    }

    fn payload(&mut self, values: Values, record: &Bytes) -> Bytes {
        let Some(template) = &self.composition.payload else { return record.clone() };
        if self.place > 0
            && let Some(payload) = &self.payload
        {
            return payload.clone();
        }
        if let Some(payload) = self.ahead.take(values.number) {
            return payload;
        }
        template.fill(values, &mut self.state, &mut self.buffer);
        let payload = self.buffer.split().freeze();
        if self.composition.topics.len() > 1 {
            self.payload = Some(payload.clone());
        }
        payload
    }

    fn topic(&mut self, values: Values) -> Result<TopicName, String> {
        match &self.composition.topics[self.place] {
            TopicText::Fixed(topic) => Ok(topic.clone()),
            TopicText::Filled(template) => {
                self.buffer.extend_from_slice(self.composition.prefix.as_bytes());
                template.fill(values, &mut self.state, &mut self.buffer);
                let topic = self.buffer.split().freeze();
                TopicName::from_bytes(topic).map_err(|error| format!("topic: {error}"))
            }
        }
    }
}

/// The time now, since 1970.
fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
