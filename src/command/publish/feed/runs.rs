//! Publishes messages in runs, as many as may be sent now, where they are due at once and differ
//! little.

use std::ops::Range;

use super::Feed;
use crate::client::Client;
use crate::command::publish::message::PreparedMessage;
use crate::command::publish::tally::{Clock, Tally};
use crate::mqtt::qos::QoS;
use crate::mqtt::topic::TopicSlice;

/// Counts the messages of a run.
struct RunCount<'a> {
    times: Clock<'a>,
    /// The number of the next message.
    next: u64,
    bytes: u64,
}

impl<'a> RunCount<'a> {
    /// None of a run of messages of this QoS, which begins with the message with this number.
    fn new(tally: &'a mut Tally, qos: QoS, first: u64) -> Self {
        Self { times: tally.clock(qos), next: first, bytes: 0 }
    }

    /// The message with this payload is published.
    #[inline(always)]
    fn published(&mut self, payload: &Range<usize>) {
        self.bytes += payload.len() as u64;
        self.times.published(self.next);
        self.next += 1;
    }
}

impl Feed {
    /// Publishes the usual stream as far as that is possible now: every message is like the one
    /// before, but for its payload, and is due at once.
    pub fn publish_runs(&mut self, client: &mut Client, tally: &mut Tally) {
        if self.builder.composer().is_some() {
            return self.publish_composed(client, tally);
        }
        let is_usual = self.next.is_none() && self.pace.is_free();
        while is_usual
            && self.builder.is_uniform()
            && let Some(block) = self.input.block()
        {
            let head = self.builder.head(block.bytes());
            let first = self.records + 1;
            let mut run = RunCount::new(tally, head.qos, first);
            let count = client.publish_run(&head, first, |longest| {
                block.next_within(longest).inspect(|payload| run.published(payload))
            });
            let bytes = run.bytes;
            tally.sent(count, bytes, head.qos);
            self.records += count;
            if count == 0 {
                return;
            }
        }
        if is_usual && let Some(separator) = self.builder.plain_separator() {
            self.publish_split(separator, client, tally);
        }
    }

    /// The same for messages that are made of records and more.
    // Not part of the caller: most runs do not need it.
    #[inline(never)]
    fn publish_composed(&mut self, client: &mut Client, tally: &mut Tally) {
        if !(self.pace.is_free() && client.session().sends_runs()) {
            return;
        }
        if let Some((composer, _)) = self.builder.run_maker() {
            composer.refresh();
        }
        while self.publish_composed_run(client, tally) > 0 {}
    }

    /// Publishes one run of them, and returns how many these were.
    fn publish_composed_run(&mut self, client: &mut Client, tally: &mut Tally) -> u64 {
        let current = match &self.next {
            Some(PreparedMessage::Payload(record)) => Some(record.clone()),
            Some(PreparedMessage::Whole { .. }) => return 0,
            None => None,
        };
        let whole = self.records - u64::from(current.is_some());
        let Some((composer, template)) = self.builder.run_maker() else { return 0 };
        let most = client.session().free_window(template.qos);
        if most == 0 {
            return 0;
        }
        let has_one_topic = composer.only_topic().is_some();
        let mut records = self.input.coming(current);
        let first = composer.message_of(whole + 1);
        let (head, run) = composer.run(template, whole + 1, &mut records, most);
        let mut counted = RunCount::new(tally, head.qos, first);
        let count = if has_one_topic {
            client.publish_run(&head, first, |longest| {
                run.next_within(longest).inspect(|payload| counted.published(payload))
            })
        } else {
            client.publish_topic_run(&head, first, |longest| {
                let next = run.next_topic_within(longest, &head.payload);
                next.inspect(|(_, payload)| counted.published(payload))
            })
        };
        let bytes = counted.bytes;
        tally.sent(count, bytes, head.qos);
        if count > 0 {
            let last = whole + composer.took(count);
            self.take_records(last);
        }
        count
    }

    /// Messages were published of all records up to this one; of the last one perhaps not all.
    fn take_records(&mut self, last: u64) {
        let count = last.saturating_sub(self.records);
        let mut current = self.next.take();
        if count > 0 {
            self.input.took(count - 1);
            current = self.input.next().map(PreparedMessage::Payload);
            self.records = last;
        }
        self.next = current.filter(|_| self.made() > 0);
    }

    /// The same for records of a topic and a payload; a record that is not plainly so ends the run.
    // Not part of the caller: most runs do not need it.
    #[inline(never)]
    fn publish_split(&mut self, separator: u8, client: &mut Client, tally: &mut Tally) {
        while let Some(block) = self.input.block() {
            let head = self.builder.head(block.bytes());
            let first = self.records + 1;
            let mut run = RunCount::new(tally, head.qos, first);
            let count = client.publish_topic_run(&head, first, |longest| {
                let record = block.next_within(longest)?;
                let at = memchr::memchr(separator, &head.payload[record.clone()]);
                let end = record.start + at.unwrap_or_default();
                let Some(topic) = TopicSlice::plain(&head.payload, record.start..end) else {
                    block.put_back(&record);
                    return None;
                };
                let payload = end + 1..record.end;
                run.published(&payload);
                Some((topic, payload))
            });
            let bytes = run.bytes;
            tally.sent(count, bytes, head.qos);
            self.records += count;
            if count == 0 {
                return;
            }
        }
    }
}
