//! The readers: what has come of each stream.

use std::collections::BTreeSet;

use super::context::Context;
use super::retained::RetainedReads;
use super::team::LoopShare;
use crate::command::bench::measure::LatencyTimes;
use crate::command::bench::payload::Verification;
use crate::command::bench::payload::{PayloadFault, Stamp};
use crate::command::bench::plan::Plan;
use crate::command::bench::results::{GroupResults, Latencies, MessageResults, Verified};
use crate::command::bench::verify::{Arrived, Pair, PairTally};
use crate::mqtt::packet::Publish;
use crate::mqtt::qos::QoS;

/// A member that got nothing is starved if its group got so many messages a member.
const ENOUGH: u64 = 10;

/// So many numbers of messages that are absent are kept when their pair forgets them.
const MOST_ABSENT: usize = 65_536;

/// All readers.
#[derive(Debug)]
pub struct Receiving {
    pairs: Vec<Pair>,
    /// Messages of QoS 1 and 2 that had not come when their pair forgot them: the pair, and the
    /// number. One that was not acknowledged is not lost.
    absent: BTreeSet<(usize, u64)>,
    /// How many first copies each member of a group got; empty without groups.
    members: Vec<u64>,
    /// What was retained before they subscribed.
    pub retained: RetainedReads,
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
    /// How many messages of its stream the reader does not wait for any more since it came.
    pub finished: u64,
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

/// Counts a copy; whether it is the first of its message.
fn is_first_copy(arrived: Arrived, head: &Publish, plan: &Plan, verified: &mut Verified) -> bool {
    match arrived {
        Arrived::First => return true,
        Arrived::Reordered => {
            // The members of a group get what they get in no order.
            verified.reordered += u64::from(plan.groups.is_none());
            return true;
        }
        // A reader that has subscribed again gets what is retained once more.
        Arrived::Duplicate if head.retain => {}
        Arrived::Duplicate => {
            verified.duplicated += 1;
            verified.duplicated_with_dup += u64::from(head.dup);
        }
        Arrived::Undecided => verified.undecided += 1,
    }
    false
}

impl Receiving {
    /// The readers before the start.
    pub fn new(context: &Context) -> Self {
        let plan = &context.load.plan;
        // Each reader has as many as the others.
        let each = plan.pairs() / plan.readers().max(1);
        let pairs = match context.load.messages.verification {
            Verification::Full => each * context.member.share.readers(plan.readers()),
            Verification::None => 0,
        };
        let pairs = vec![Pair::default(); pairs];
        let members = if plan.groups.is_some() { plan.subscribers } else { 0 };
        let retained = if context.load.messages.retain.is_set_before() {
            RetainedReads::new(plan)
        } else {
            RetainedReads::default()
        };
        Self {
            pairs,
            absent: BTreeSet::new(),
            members: vec![0; members],
            retained,
            distinct: 0,
            distinct_in_window: 0,
            latest: 0,
        }
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
        if context.load.messages.verification == Verification::None {
            self.latest = now;
            return self.count(subscriber, payload, context, sink, now);
        }
        let mut stamp = self.stamp(payload, context, sink, now)?;
        let plan = &context.load.plan;
        let has_time = plan.writers.is_here() || context.payloads.is_of_clock(payload);
        let reader = plan.reader(subscriber);
        let stream = stamp.stream as usize;
        if self.is_of_no_stream(subscriber, head, stamp, context, sink, now) {
            return None;
        }
        let is_known = stream < plan.streams() && {
            let (_, topic) = plan.stream(stream);
            context.takes(reader, topic) && head.topic_or_empty() == context.topics[topic].as_str()
        };
        if !is_known {
            sink.verified.corrupted += 1;
            return None;
        }
        let place = context.pair(reader, stream);
        if context.load.messages.qos > QoS::AtMostOnce {
            self.note_absent(place, stamp.sequence);
        }
        let pair = &mut self.pairs[place];
        let before = pair.next();
        let arrived = pair.observe(stamp.sequence);
        let finished = pair.next() - before;
        if !is_first_copy(arrived, head, plan, sink.verified) {
            return None;
        }
        if let Some(count) = self.members.get_mut(subscriber) {
            *count += 1;
        }
        if has_time {
            self.first_copy(stamp, context, sink, now);
        } else {
            stamp.intended = now;
            self.count_copy(context, sink, now);
            sink.verified.split.other_clock += 1;
        }
        let (publisher, intended) = (plan.stream(stream).0, stamp.intended);
        Some(FirstCopy { publisher, intended, finished })
    }

    /// What the payload says of itself, if it is one of this run and was not changed.
    fn stamp(
        &mut self,
        payload: &[u8],
        context: &Context,
        sink: &mut ReceivedSink<'_>,
        now: u64,
    ) -> Option<Stamp> {
        let stamp = context.payloads.read(payload);
        if stamp == Err(PayloadFault::Foreign) {
            // Nothing that is waited for.
            sink.verified.foreign += 1;
            return None;
        }
        self.latest = now;
        sink.verified.corrupted += u64::from(stamp.is_err());
        stamp.ok()
    }

    /// Keeps the numbers that this pair forgets when a message with this number comes.
    fn note_absent(&mut self, place: usize, sequence: u64) {
        let forgotten = self.pairs[place].forgotten_by(sequence);
        let room = MOST_ABSENT - self.absent.len();
        self.absent.extend(forgotten.take(room).map(|number| (place, number)));
    }

    /// Counts a message, whatever it is. The copies of all messages are alike then: a second one
    /// counts as one that is missing.
    fn count(
        &mut self,
        subscriber: usize,
        payload: &[u8],
        context: &Context,
        sink: &mut ReceivedSink<'_>,
        now: u64,
    ) -> Option<FirstCopy> {
        if let Some(count) = self.members.get_mut(subscriber) {
            *count += 1;
        }
        let plan = &context.load.plan;
        let stamp = context.payloads.glance(payload).filter(|stamp| {
            (stamp.stream as usize) < plan.streams() && context.load.messages.have_heads()
        });
        if let Some(stamp) = stamp {
            self.first_copy(stamp, context, sink, now);
            let publisher = plan.stream(stamp.stream as usize).0;
            return Some(FirstCopy { publisher, intended: stamp.intended, finished: 1 });
        }
        self.count_copy(context, sink, now);
        None
    }

    /// Takes a will, which a filter of the user may match, and what was retained before.
    fn is_of_no_stream(
        &mut self,
        subscriber: usize,
        head: &Publish,
        stamp: Stamp,
        context: &Context,
        sink: &mut ReceivedSink<'_>,
        now: u64,
    ) -> bool {
        let Some(topic) = context.retained_topic(stamp.stream) else {
            return stamp.stream == u32::MAX;
        };
        let plan = &context.load.plan;
        let reader = plan.reader(subscriber);
        let is_right =
            context.takes(reader, topic) && head.topic_or_empty() == context.topics[topic].as_str();
        if is_right {
            self.retained.came(subscriber, plan.topic_place(reader, topic), now);
        } else {
            sink.verified.corrupted += 1;
        }
        true
    }

    /// Counts a first copy.
    fn count_copy(&mut self, context: &Context, sink: &mut ReceivedSink<'_>, now: u64) {
        self.distinct += 1;
        sink.messages.received += u64::from(context.window.holds(now));
        *sink.second_received += 1;
    }

    /// Counts a first copy, and its time if that is known.
    fn first_copy(
        &mut self,
        stamp: Stamp,
        context: &Context,
        sink: &mut ReceivedSink<'_>,
        now: u64,
    ) {
        self.count_copy(context, sink, now);
        let window = &context.window;
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

    /// What the groups got, if there are any.
    pub fn groups(&self, plan: &Plan, share: LoopShare) -> Option<GroupResults> {
        let groups = plan.groups?;
        let own = || (0..groups).filter(move |group| share.has_reader(*group));
        let counts = || own().flat_map(|group| plan.members(group)).map(|id| self.members[id]);
        let mut results = GroupResults {
            groups: groups as u64,
            members: plan.subscribers as u64,
            // A loop without groups has nothing to say.
            least: counts().min()?,
            most: counts().max()?,
            starved: 0,
        };
        for group in own() {
            let got = || plan.members(group).map(|member| self.members[member]);
            // With fewer messages a member may have got none by chance.
            let is_enough = got().sum::<u64>() >= ENOUGH * got().count() as u64;
            let starved = got().filter(|count| is_enough && *count == 0).count();
            results.starved += starved as u64;
        }
        Some(results)
    }

    /// A reader has lost its connections, and its session with them.
    pub fn leave(&mut self, reader: usize, context: &Context) {
        for stream in context.streams_of(reader) {
            if let Some(pair) = self.pairs.get_mut(context.pair(reader, stream)) {
                pair.leave();
            }
        }
        let plan = &context.load.plan;
        let topics = context.topics_of_reader(reader).into_iter();
        self.retained.again(topics.map(|topic| plan.topic_place(reader, topic)));
    }

    /// Whether a message has come to a reader.
    pub fn has(&self, reader: usize, stream: usize, sequence: u64, context: &Context) -> bool {
        let place = context.pair(reader, stream);
        let pair = self.pairs.get(place);
        pair.is_none_or(|pair| pair.has(sequence)) && !self.absent.contains(&(place, sequence))
    }

    /// How much of a stream has come to a reader; `None` if that is not verified.
    pub fn tally(&self, place: usize) -> Option<PairTally> {
        self.pairs.get(place).map(Pair::tally)
    }

    /// The numbers that have not come to a reader before the highest of a stream that has, as far
    /// as they are known, in rising order.
    pub fn holes(&self, place: usize) -> impl Iterator<Item = u64> {
        let forgotten = self.absent.range((place, 0)..=(place, u64::MAX));
        let remembered = self.pairs.get(place).into_iter().flat_map(Pair::holes);
        forgotten.map(|(_, number)| *number).chain(remembered)
    }
}
