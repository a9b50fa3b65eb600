//! The readers: what has come of each stream.

use super::context::Context;
use crate::command::bench::measure::LatencyTimes;
use crate::command::bench::payload::{PayloadFault, Stamp};
use crate::command::bench::results::{Latencies, MessageResults, Verified};
use crate::command::bench::verify::{Arrived, Pair};
use crate::mqtt::packet::Publish;

/// All readers.
#[derive(Debug)]
pub struct Receiving {
    pairs: Vec<Pair>,
    /// First copies that have come.
    pub distinct: u64,
    /// Of those, the ones of the window.
    pub distinct_in_window: u64,
    /// When the latest came, in nanoseconds.
    pub latest: u64,
}

/// A copy that came for the first time.
#[derive(Debug, Clone, Copy)]
pub struct FirstCopy {
    /// Who has published it.
    pub publisher: usize,
    /// When it was due.
    pub intended: u64,
}

/// Where it is noted what came.
pub struct ReceivedSink<'a> {
    /// The verification.
    pub verified: &'a mut Verified,
    /// The messages of the window.
    pub messages: &'a mut MessageResults,
    /// The times.
    pub latencies: &'a mut Latencies,
    /// Of the current second: the times of what came.
    pub second_times: &'a mut LatencyTimes,
    /// Of the current second: how much came.
    pub second_received: &'a mut u64,
}

impl Receiving {
    /// The readers before the start.
    pub fn new(context: &Context) -> Self {
        let pairs = vec![Pair::default(); context.load.plan.pairs()];
        Self { pairs, distinct: 0, distinct_in_window: 0, latest: 0 }
    }

    /// A message came to a subscriber; returns whether it is a first copy.
    pub fn message(
        &mut self,
        subscriber: usize,
        head: &Publish,
        payload: &[u8],
        context: &Context,
        sink: &mut ReceivedSink<'_>,
        now: u64,
    ) -> Option<FirstCopy> {
        self.latest = now;
        let stamp = match context.payloads.read(payload) {
            Ok(stamp) => stamp,
            Err(PayloadFault::Foreign) => {
                sink.verified.foreign += 1;
                return None;
            }
            Err(PayloadFault::Corrupted) => {
                sink.verified.corrupted += 1;
                return None;
            }
        };
        let plan = &context.load.plan;
        let stream = stamp.stream as usize;
        let is_known = stream < plan.streams() && {
            let (_, topic) = plan.stream(stream);
            plan.takes(subscriber, topic) && head.topic_or_empty() == context.topics[topic].as_str()
        };
        if !is_known {
            sink.verified.corrupted += 1;
            return None;
        }
        match self.pairs[plan.pair(subscriber, stream)].observe(stamp.sequence) {
            Arrived::First => {}
            Arrived::Reordered => sink.verified.reordered += 1,
            Arrived::Duplicate => {
                sink.verified.duplicated += 1;
                sink.verified.duplicated_with_dup += u64::from(head.dup);
                return None;
            }
            Arrived::Undecided => {
                sink.verified.undecided += 1;
                return None;
            }
        }
        self.first_copy(stamp, context, sink, now);
        Some(FirstCopy { publisher: plan.stream(stream).0, intended: stamp.intended })
    }

    fn first_copy(
        &mut self,
        stamp: Stamp,
        context: &Context,
        sink: &mut ReceivedSink<'_>,
        now: u64,
    ) {
        self.distinct += 1;
        let window = &context.window;
        if window.holds(now) {
            sink.messages.received += 1;
        }
        *sink.second_received += 1;
        if !window.holds(stamp.intended) {
            return;
        }
        self.distinct_in_window += 1;
        let took = now.saturating_sub(stamp.intended);
        sink.latencies.delivery.add(took);
        sink.second_times.add(took);
        if let Some(third) = window.outer_third(stamp.intended) {
            sink.latencies.thirds[third].add(took);
        }
    }

    /// A subscriber has lost its connection, and its session with it.
    pub fn leave(&mut self, subscriber: usize, context: &Context) {
        for (_, place) in context.load.plan.pairs_of(subscriber) {
            self.pairs[place].leave();
        }
    }

    /// Whether a message has come to a subscriber.
    pub fn has(&self, subscriber: usize, stream: usize, sequence: u64, context: &Context) -> bool {
        self.pairs[context.load.plan.pair(subscriber, stream)].has(sequence)
    }

    /// How many messages of a stream are lost at a subscriber, and how many missed.
    pub fn judge(&self, place: usize, expected: u64) -> (u64, u64) {
        self.pairs[place].judge(expected)
    }
}
