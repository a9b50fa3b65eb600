//! The next message that is due: records come in, messages come out, as the window of the broker
//! and the clock allow.

mod runs;

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::config::{AfterBadRecord, FOR_EVER, FeedOptions, Pace};
use super::input::RecordInput;
use super::message::{Discouraged, MessageBuilder, PreparedMessage};
use super::tally::Tally;
use crate::client::{Client, Error};
use crate::format::record::Record;
use crate::mqtt::packet::Publish;
use crate::report;
use crate::stdio::stdin;
use crate::terminal::progress::{Part, Unit};

/// A source of messages.
pub struct Feed {
    /// Where the records come from.
    pub input: RecordInput,
    builder: MessageBuilder,
    pace: Pace,
    after_bad: AfterBadRecord,
    /// The message of the latest record, if it was not taken.
    next: Option<PreparedMessage>,
    /// When it is due, if that is not yet.
    alarm: Option<Instant>,
    /// How many records there are in all, where that is known.
    total: Option<u64>,
    /// Records that were read: the number of the latest.
    records: u64,
    /// Records that made no sense.
    bad: u64,
    /// The time of the last record of the input, where it is of interest and known.
    last_time: Option<Duration>,
}

impl Feed {
    /// Messages like these from the records of this input.
    pub fn new(input: RecordInput, messages: FeedOptions) -> Self {
        let FeedOptions { format, pace, after_bad } = messages;
        let builder = MessageBuilder::new(format);
        Self {
            total: input.total,
            input,
            builder,
            pace,
            after_bad,
            next: None,
            alarm: None,
            records: 0,
            bad: 0,
            last_time: None,
        }
    }

    /// Looks where a replay of a file ends, so that [`Feed::handed_over`] can tell when.
    pub fn look_for_end(&mut self) {
        if self.pace.is_replay()
            && let Some(delimiter) = self.input.delimiter
        {
            let last = stdin::last_record(delimiter);
            self.last_time = last.and_then(|last| Record::parse(&last).ok()?.time);
        }
    }

    /// How far the input has come, of which `in_flight` messages are not acknowledged; `None` if
    /// its end is not known.
    pub fn handed_over(&self, in_flight: u64) -> Option<Part> {
        let topics = self.topics();
        let taken = (self.records - u64::from(self.next.is_some())) * topics + self.made();
        let finished = taken.saturating_sub(in_flight);
        if let Some(total) = self.total.map(|total| total.saturating_mul(topics))
            && total > 1
        {
            let done = finished;
            let ends = self.pace.end_of(total.saturating_sub(done));
            return (total != FOR_EVER).then_some(Part { done, total, unit: Unit::Messages, ends });
        }
        let total = self.input.length?;
        let finished = finished / topics;
        // Records are about as long as each other.
        let (taken, records) = (u128::from(self.input.taken()), u128::from(self.records.max(1)));
        let done = taken * u128::from(finished) / records;
        let ends = self.last_time.and_then(|time| self.pace.due(Some(time)));
        Some(Part {
            done: u64::try_from(done).unwrap_or(total).min(total),
            total,
            unit: Unit::Bytes,
            ends,
        })
    }

    /// Lets this client read the input; to be called once.
    pub fn attach(&mut self, client: &mut Client) -> Result<(), Error> {
        match self.input.source.take() {
            Some(source) => client.attach_input(source),
            None => Ok(()),
        }
    }

    /// What records do not say of their messages.
    pub fn template(&self) -> &Publish {
        self.builder.template()
    }

    /// See [`MessageBuilder::unproven`].
    pub fn unproven(&self, publish: &Publish) -> Vec<Discouraged> {
        self.builder.unproven(publish)
    }

    /// See [`MessageBuilder::proven`].
    pub fn proven(&mut self, doubts: Vec<Discouraged>) {
        self.builder.proven(doubts);
    }

    /// The context of errors: publishing, and where to.
    pub fn context(&self) -> String {
        match self.topic_names().as_slice() {
            [] => {}
            [one] => return format!("publishing to {one}"),
            topics => return format!("publishing to {} topics", topics.len()),
        }
        match &self.template().topic {
            Some(topic) => format!("publishing to {}", topic.as_str()),
            None => "publishing".to_owned(),
        }
    }

    /// Counts of these messages, of which none was published; `times` asks how long
    /// acknowledgements take.
    pub fn tally(&self, times: bool) -> Tally {
        Tally::new(self.context(), self.topic_names(), self.input.has_several(), times)
    }

    /// The topics to which each record goes, as they were given, where they are more than the one
    /// of the template.
    fn topic_names(&self) -> Vec<String> {
        let topics = self.builder.composer().map(|composer| composer.parts().topics.iter());
        topics.into_iter().flatten().map(|topic| topic.text().to_owned()).collect()
    }

    /// How many messages a record makes.
    pub fn topics(&self) -> u64 {
        self.builder.composer().map_or(1, |composer| composer.parts().topics.len() as u64)
    }

    /// How many messages of the latest record were made, if it makes more.
    fn made(&self) -> u64 {
        self.builder.composer().map_or(0, |composer| composer.made() as u64)
    }

    /// The next message and its number, if it is due and may be published now. Messages have the
    /// numbers of their records; where each makes several, they are numbered through.
    pub fn next_due(&mut self, client: &Client) -> Option<(Publish, u64)> {
        self.alarm = None;
        if self.builder.composer().is_some() {
            return self.next_composed(client);
        }
        if !(self.prepare() && self.can_publish(client) && self.is_due()) {
            return None;
        }
        let (publish, time) = self.builder.finish(self.next.take()?);
        if !self.pace.is_free() {
            self.pace.published(time, Instant::now());
        }
        Some((publish, self.records))
    }

    /// The same where the record is only a part of its messages.
    // Not part of the caller: most runs do not need it.
    #[inline(never)]
    fn next_composed(&mut self, client: &Client) -> Option<(Publish, u64)> {
        while self.prepare()
            && self.can_publish(client)
            && self.is_due()
            && let Some(PreparedMessage::Payload(record)) = &self.next
        {
            let record = record.clone();
            let (number, made) = self.builder.compose(&record, self.records);
            let is_last = self.made() == 0;
            if is_last {
                self.next = None;
            }
            // A delay is one between records.
            if !self.pace.is_free() && (is_last || !self.pace.is_delay()) {
                self.pace.published(None, Instant::now());
            }
            match made {
                Ok(publish) => return Some((publish, number)),
                Err(wrong) => self.tell_bad(&wrong),
            }
        }
        None
    }

    /// The message that was taken is to be published once more: no broker has got it.
    pub fn again(&mut self) {
        self.builder.step_back();
        self.next = Some(PreparedMessage::Payload(Bytes::new()));
    }

    /// Makes a message of the next record that makes sense; whether there was such a record.
    fn prepare(&mut self) -> bool {
        while self.next.is_none() {
            let Some(record) = self.input.next() else { return false };
            self.records += 1;
            if self.builder.skips(&record) {
                continue;
            }
            match self.builder.make(record) {
                Ok(message) => {
                    self.next = Some(message);
                    self.tell_warning();
                }
                Err(wrong) => self.tell_bad(&wrong),
            }
        }
        true
    }

    fn can_publish(&self, client: &Client) -> bool {
        let usual = self.builder.template().qos;
        client.can_publish(self.next.as_ref().map_or(usual, |message| message.qos(usual)))
    }

    fn is_due(&mut self) -> bool {
        let due = self.pace.due(self.next.as_ref().and_then(PreparedMessage::time));
        self.alarm = due.filter(|due| *due > Instant::now());
        self.alarm.is_none()
    }

    /// Warns of the latest record, if it is the first that needs it.
    fn tell_warning(&mut self) {
        if let Some(found) = self.builder.take_warning() {
            report::warn(&format!(
                "reading {}: record {}: {found}; it is published all the same",
                self.input.what, self.records
            ));
        }
    }

    /// The latest record makes no sense.
    pub fn tell_bad(&mut self, wrong: &str) {
        self.bad += 1;
        report::line(&format!("reading {}: record {}: {wrong}", self.input.what, self.records));
        if self.after_bad == AfterBadRecord::Stop {
            self.stop();
        }
    }

    /// No more messages are wanted.
    pub fn stop(&mut self) {
        self.input.stop();
        self.next = None;
    }

    /// Whether records come without end unless somebody stops them.
    pub fn is_endless(&self) -> bool {
        self.total == Some(FOR_EVER)
    }

    /// Sends most of the published messages; whether that made room for the next, which is there
    /// already.
    pub fn can_go_on(&self, client: &mut Client) -> bool {
        if self.next.is_none() || self.alarm.is_some() || !client.session().is_online() {
            return false;
        }
        client.gather();
        self.can_publish(client)
    }

    /// When the next message is due, if that is not yet.
    pub fn alarm(&self) -> Option<Instant> {
        self.alarm
    }

    /// Whether every message was taken, and no record will come.
    pub fn is_done(&self) -> bool {
        self.next.is_none() && self.input.is_done()
    }

    /// The number of the first record of which not all was taken.
    pub fn first_untaken(&self) -> u64 {
        self.records + u64::from(self.next.is_none())
    }

    /// The number of the first record of which nothing was taken.
    pub fn untouched(&self) -> u64 {
        self.records + u64::from(self.next.is_none() || self.made() > 0)
    }

    /// Whether a record made no sense.
    pub fn has_bad(&self) -> bool {
        self.bad > 0
    }
}
