//! Messages of which a record is only a part: to several topics (`-t` again and again), and with
//! fields that are filled in for each of them (`--template`).

use std::ops::Range;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};

use super::coming::ComingRecords;
use super::filled_run::{BYTES_AHEAD, FilledPlace, FilledRun, MOST_AHEAD};
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
    /// Messages that are made ahead.
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

    /// How many messages each record makes.
    fn topics(&self) -> usize {
        self.composition.topics.len()
    }

    /// The number of the next message of the record with this number.
    pub fn message_of(&self, record: u64) -> u64 {
        (record - 1) * self.topics() as u64 + self.place as u64 + 1
    }

    /// Topic and payload of the next message of the record with this number, whose text is
    /// `record`; the error says why the topic is none. The payload is the same for all topics.
    pub fn next(&mut self, number: u64, record: &Bytes) -> (Result<TopicName, String>, Bytes) {
        let message = self.message_of(number);
        let (topic, payload) = match (self.ahead.take(message), self.only_topic().cloned()) {
            (Some((_, payload)), Some(topic)) => (Ok(topic), payload),
            (Some((topic, payload)), None) => (named(topic), payload),
            (None, _) => {
                let values = self.values(number);
                let payload = self.payload(values, record);
                (self.topic(values), payload)
            }
        };
        self.took(1);
        (topic, payload)
    }

    /// So many messages were taken: returns how many records these are, the current one included,
    /// and one of which not all were taken.
    pub fn took(&mut self, messages: u64) -> u64 {
        let topics = self.topics() as u64;
        let place = self.place as u64 + messages;
        // It is smaller than the number of topics.
        self.place = usize::try_from(place % topics).unwrap_or_default();
        if self.place == 0 {
            self.payload = None;
        }
        place.div_ceil(topics)
    }

    /// The latest message is to be made once more.
    pub fn step_back(&mut self) {
        let topics = self.topics();
        self.place = (self.place + topics - 1) % topics;
    }

    /// The topic of all messages, if they differ in their payloads alone.
    pub fn only_topic(&self) -> Option<&TopicName> {
        match self.composition.topics.as_slice() {
            [TopicText::Fixed(topic)] => Some(topic),
            _ => None,
        }
    }

    /// Whether messages can be made ahead. A character at which a server may end the connection
    /// needs a look at each of them.
    pub fn makes_runs(&self) -> bool {
        self.only_topic().is_none_or(|topic| DiscouragedCharacter::find(topic.as_str()).is_none())
    }

    /// Messages like `template`, made ahead from these records on, of which the first has this
    /// number; those of before that were not taken, if there are any. `most` messages can be sent
    /// now.
    pub fn run(
        &mut self,
        template: &Publish,
        number: u64,
        records: &mut ComingRecords,
        most: usize,
    ) -> (Rc<Publish>, &mut FilledRun) {
        let first = self.message_of(number);
        if !self.ahead.is_at(first) {
            // What shows the time is not made too early.
            let most = if self.shows_time() { most.min(MOST_AHEAD) } else { MOST_AHEAD };
            let places = self.fill_ahead(number, records, most);
            let (topic, payload) = (self.only_topic().cloned(), self.buffer.split().freeze());
            let head = Publish { topic, payload, ..template.clone() };
            self.ahead = FilledRun::new(head, places, first);
        }
        (Rc::clone(&self.ahead.head), &mut self.ahead)
    }

    /// Writes the messages of records one after the other. A record is written whole, so that its
    /// messages have the same payload.
    fn fill_ahead(
        &mut self,
        first: u64,
        records: &mut ComingRecords,
        most: usize,
    ) -> Vec<FilledPlace> {
        let (mut places, mut from) = (self.ahead.clear(), self.place);
        self.buffer.reserve(BYTES_AHEAD);
        // They are sent within microseconds: one look at the clock will do.
        let time = self.values(first).time;
        let mut number = first;
        while let Some(record) = records.next() {
            let is_long = self.composition.payload.is_none() && record.len() > BYTES_AHEAD;
            if places.len() >= most || self.buffer.len() >= BYTES_AHEAD || is_long {
                break;
            }
            let values = Values { number, time };
            let payload = self.write_payload(values, record);
            for place in std::mem::take(&mut from)..self.topics() {
                let topic = self.write_topic(place, values);
                places.push(FilledPlace { topic, payload: payload.clone() });
            }
            number += 1;
        }
        places
    }

    /// Writes the payload of a record's messages: where it stands.
    fn write_payload(&mut self, values: Values, record: &[u8]) -> Range<usize> {
        let start = self.buffer.len();
        match (self.payload.take(), &self.composition.payload) {
            (Some(known), _) => self.buffer.extend_from_slice(&known),
            (None, Some(template)) => template.fill(values, &mut self.state, &mut self.buffer),
            (None, None) => self.buffer.extend_from_slice(record),
        }
        start..self.buffer.len()
    }

    /// Writes the topic at this place, unless it is the only one: where it stands.
    fn write_topic(&mut self, place: usize, values: Values) -> Range<usize> {
        let start = self.buffer.len();
        match &self.composition.topics[place] {
            TopicText::Fixed(topic) if self.topics() > 1 => {
                self.buffer.extend_from_slice(topic.as_str().as_bytes());
            }
            TopicText::Fixed(_) => {}
            TopicText::Filled(template) => {
                self.buffer.extend_from_slice(self.composition.prefix.as_bytes());
                template.fill(values, &mut self.state, &mut self.buffer);
            }
        }
        start..self.buffer.len()
    }

    /// Time has passed: messages that show it are made anew, but for those of a record of which one
    /// was taken.
    pub fn refresh(&mut self) {
        if self.shows_time() {
            self.ahead.keep(if self.place == 0 { 0 } else { self.topics() - self.place });
        }
    }

    fn shows_time(&self) -> bool {
        let shows_time =
            |topic: &TopicText| matches!(topic, TopicText::Filled(t) if t.shows_time());
        self.composition.payload.as_ref().is_some_and(TextTemplate::shows_time)
            || self.composition.topics.iter().any(shows_time)
    }

    fn values(&self, number: u64) -> Values {
        Values { number, time: if self.shows_time() { now() } else { Duration::ZERO } }
    }

    fn payload(&mut self, values: Values, record: &Bytes) -> Bytes {
        let Some(template) = &self.composition.payload else { return record.clone() };
        if let Some(payload) = &self.payload {
            return payload.clone();
        }
        template.fill(values, &mut self.state, &mut self.buffer);
        let payload = self.buffer.split().freeze();
        self.payload = Some(payload.clone());
        payload
    }

    fn topic(&mut self, values: Values) -> Result<TopicName, String> {
        if let TopicText::Fixed(topic) = &self.composition.topics[self.place] {
            return Ok(topic.clone());
        }
        self.write_topic(self.place, values);
        named(self.buffer.split().freeze())
    }
}

/// The topic of this text; the error says why it is none.
fn named(text: Bytes) -> Result<TopicName, String> {
    TopicName::from_bytes(text).map_err(|error| format!("topic: {error}"))
}

/// The time now, since 1970.
fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
