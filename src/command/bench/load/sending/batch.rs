//! Batches of messages that are due: they are put into one block, and handed to the connection.

use std::ops::Range;
use std::rc::Rc;

use super::publisher::FINISHED;
use super::{LoadSending, SentSink};
use crate::client::fleet::ManyConnections;
use crate::command::bench::load::context::Context;
use crate::command::bench::payload::Stamp;
use crate::mqtt::packet::Publish;
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;

/// How many payload bytes of one publisher are prepared at once.
const BATCH_BYTES: usize = 32 * 1024;

/// A batch begins in a block that has so much room, in bytes.
const LEAST_ROOM: usize = 4 * 1024;

/// How many messages of one publisher are prepared at once.
const BATCH: usize = 512;

/// Messages of one publisher to one topic that are due.
#[derive(Debug, Default)]
pub struct DueBatch {
    topic: usize,
    payloads: Vec<Range<usize>>,
    pub times: Vec<u64>,
}

impl LoadSending {
    /// Puts the payloads of the messages that are due into one block.
    pub(super) fn prepare(
        &mut self,
        publisher: usize,
        context: &Context,
        room: u64,
        until: u64,
        now: u64,
    ) -> DueBatch {
        self.make_room(context.load.messages.qos);
        let of = &self.publishers[publisher];
        let (plan, sizes) = (&context.load.plan, &context.load.messages.sizes);
        let mut ahead = of.schedule.clone();
        let (topic, ..) = plan.place(publisher, of.sent);
        let mut batch = DueBatch { topic, ..DueBatch::default() };
        let most = room.min(of.quota - of.sent).min(BATCH as u64);
        for number in of.sent..of.sent + most {
            let intended = match &ahead {
                Some(schedule) => schedule.due() + context.window.start,
                None => now,
            };
            let (other, stream, sequence) = plan.place(publisher, number);
            let is_late_enough = intended <= until || (ahead.is_none() && now < context.window.end);
            if !is_late_enough || other != topic || self.buffer.len() >= BATCH_BYTES {
                break;
            }
            let stream = u32::try_from(stream).unwrap_or(u32::MAX);
            let length = sizes.of(stream, sequence);
            let start = self.buffer.len();
            let stamp = Stamp { stream, sequence, intended };
            context.payloads.put(stamp, length, &mut self.buffer);
            batch.payloads.push(start..self.buffer.len());
            batch.times.push(intended);
            if let Some(schedule) = &mut ahead {
                schedule.advance();
            }
        }
        batch
    }

    /// Makes room for a batch. What was sent at QoS 0 is gone, and its memory is taken again; what
    /// waits for an acknowledgement keeps its memory, which is shared with the next batches.
    fn make_room(&mut self, qos: QoS) {
        if qos == QoS::AtMostOnce || self.buffer.capacity() < LEAST_ROOM {
            self.buffer.reserve(BATCH_BYTES);
        }
    }

    /// Hands a batch to the connection; returns how many messages it took.
    pub(super) fn hand_over(
        &mut self,
        publisher: usize,
        fleet: &mut impl ManyConnections,
        context: &Context,
        batch: &DueBatch,
        sink: &mut SentSink<'_>,
        now: u64,
    ) -> usize {
        if batch.times.is_empty() {
            return 0;
        }
        let id = context.load.plan.publisher_id(publisher);
        let payload = self.buffer.split().freeze();
        let qos = context.load.messages.qos;
        let retain = context.load.messages.retain.is_flagged();
        let properties = context.load.messages.properties.publish.clone();
        let plain = Publish::new(context.topics[batch.topic].clone(), payload);
        let head = Rc::new(Publish { qos, retain, properties, ..plain });
        let token = context.token_of(self.publishers[publisher].sent);
        let mut ranges = batch.payloads.iter();
        let fits = |longest: usize, range: &Range<usize>| range.len() <= longest;
        let mut sent = fleet.publish_run(id, &head, token, |longest| {
            ranges.next().filter(|range| fits(longest, range)).cloned()
        });
        if sent == 0 && fleet.can_publish(id, qos) {
            // Larger than a run takes, or with an alias for the topic.
            match singly(fleet, id, &head, &batch.payloads, token) {
                0 => {
                    self.skip_too_large(publisher, sink);
                    return 1;
                }
                some => sent = some,
            }
        }
        let sent = usize::try_from(sent).unwrap_or(0);
        for time in &batch.times[..sent] {
            self.note_sent(publisher, context, *time, sink, now);
        }
        sent
    }

    /// The next message cannot be sent: in general it is larger than the server takes.
    pub(super) fn skip_too_large(&mut self, publisher: usize, sink: &mut SentSink<'_>) {
        let of = &mut self.publishers[publisher];
        of.sent += 1;
        of.unfinished.push_back(FINISHED);
        of.forget_finished();
        if let Some(schedule) = &mut of.schedule {
            schedule.advance();
        }
        *sink.messages.refused.entry(ReasonCode::PACKET_TOO_LARGE).or_default() += 1;
    }

    pub(super) fn note_sent(
        &mut self,
        publisher: usize,
        context: &Context,
        intended: u64,
        sink: &mut SentSink<'_>,
        now: u64,
    ) {
        let of = &mut self.publishers[publisher];
        let (topic, stream, _) = context.load.plan.place(publisher, of.sent);
        of.sent += 1;
        self.expected += context.readers[topic];
        if let Some(schedule) = &mut of.schedule {
            schedule.advance();
            // What was blocked is late from the end of the block on.
            sink.lateness(now.saturating_sub(intended.max(of.since)), intended, context);
        }
        self.streams[stream][0] += 1;
        *sink.second_sent += 1;
        if context.window.holds(intended) {
            self.streams[stream][1] += 1;
            sink.messages.sent += 1;
        }
        of.unfinished.push_back(intended);
        if context.load.messages.qos > QoS::AtMostOnce {
            of.open += 1;
            self.unfinished += 1;
        } else {
            of.unfinished.clear();
            of.first = of.sent;
        }
    }
}

/// Publishes messages one by one, up to the first that cannot be sent; returns how many.
fn singly(
    fleet: &mut impl ManyConnections,
    id: usize,
    head: &Rc<Publish>,
    payloads: &[Range<usize>],
    token: u64,
) -> u64 {
    let mut sent = 0;
    for range in payloads {
        let payload = head.payload.slice(range.clone());
        let message = Publish { payload, ..Publish::clone(head) };
        let is_sent =
            fleet.can_publish(id, head.qos) && fleet.publish(id, message, token + sent).is_ok();
        if !is_sent {
            break;
        }
        sent += 1;
    }
    sent
}
