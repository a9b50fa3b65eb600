//! The warm-up and the window: what is due is sent, second by second.

use std::time::{Duration, Instant};

use super::sending::SentSink;
use super::team::{GatheredSecond, LoopOrder, LoopStage, SecondDetail};
use super::{AfterSecond, Load, LoadPhase, RunDisplay, SliceOver, Window};
use crate::client::fleet::ManyConnections;
use crate::command::bench::clock::number;
use crate::command::bench::measure::LatencyTimes;
use crate::command::bench::results::{LoadEnding, Second};

/// How long after the end of the window the loop may send what was due before it and has not come
/// to its turn. What the server does not take then stays unsent.
pub const GRACE: Duration = Duration::from_millis(250);

/// How long a run of so many messages (`-C`) waits for a server that takes none of them, at least.
const STUCK: Duration = Duration::from_secs(10);

impl<D: RunDisplay> Load<D> {
    pub(super) fn send(&mut self, fleet: &mut impl ManyConnections, now: Instant) {
        let at = self.context.clock.number(now);
        if !self.seconds.has_begun() && at >= self.context.window.begin {
            let Window { start, begin, .. } = self.context.window;
            self.results.messages.backlog = self.sending.held_up(begin - start);
            self.seconds.begin(self.context.window.begin, now);
        }
        let Self { context, sending, results, seconds, .. } = self;
        let mut sink = SentSink {
            messages: &mut results.messages,
            latencies: &mut results.latencies,
            second_lateness: &mut seconds.lateness,
            second_sent: &mut seconds.sent,
        };
        sending.act(fleet, context, &mut sink, at);
        self.tick(at, now);
        if self.phase == LoadPhase::Sending && self.has_sent_all(at) {
            self.end_sending(now);
        }
    }

    /// This loop has sent what it may: a window without a time ends when all have.
    fn end_sending(&mut self, now: Instant) {
        if self.context.window.end != u64::MAX {
            return self.end_window(now);
        }
        self.reach(LoopStage::Sent);
        if self.context.member.leads() && self.context.member.all_at(LoopStage::Sent) {
            let is_sent_here = self.context.load.plan.writers.is_here();
            let latest = self.total().latest.max(self.context.window.begin) + 1;
            let end = if is_sent_here { self.moment() } else { latest };
            self.give(LoopOrder::EndWindow(end), now);
        }
    }

    /// A moment after the latest message, which was sent since the turn began.
    fn moment(&self) -> u64 {
        self.context.clock.number((self.context.now)()) + 1
    }

    /// Ends the slices of the window that are over.
    pub(super) fn tick(&mut self, at: u64, now: Instant) {
        if self.seconds.is_over(at) && at <= self.context.window.end {
            self.end_slice(at, now);
        }
    }

    /// Tells of the slices that are over, which takes longer than to end them.
    pub(super) fn tell_slices(&mut self, now: Instant) {
        let ended = std::mem::take(&mut self.seconds.ended);
        if ended.is_empty() {
            return;
        }
        for (number, slice) in ended {
            self.context.member.add_slice(number, slice);
        }
        self.look_at_seconds(now);
    }

    /// Ends the current slice of this loop, and those that passed unseen.
    pub(super) fn end_slice(&mut self, at: u64, now: Instant) {
        let first = self.seconds.over();
        let (second, unseen) = self.seconds.end(self.connecting.online(), at, now);
        let times = self.seconds.take_times();
        let blank = Second { online: second.online, ..Second::default() };
        self.note_slice(first, second, times);
        for number in first + 1..=first + unseen {
            self.note_slice(number, blank, Default::default());
        }
    }

    fn note_slice(&mut self, number: u64, second: Second, times: [LatencyTimes; 2]) {
        let has_results = self.context.member.detail() == SecondDetail::Results;
        let is_asked = has_results && self.seconds.ends_second(number);
        let results = is_asked.then(|| self.results.clone());
        self.seconds.ended.push((number, GatheredSecond::of(second, times, results)));
    }

    /// The first loop looks at the slices that all have ended.
    pub(super) fn look_at_seconds(&mut self, now: Instant) {
        if !self.context.member.leads() {
            return;
        }
        while let Some(mut slice) = self.context.member.take_slice() {
            slice.second.missing = self.missing();
            let (shown, results) = (&mut self.display, slice.results.take());
            if let Some(display) = shown {
                let over = SliceOver { slice: &slice, length: self.context.member.slice() };
                display.slice_over(&over);
            }
            if !self.seconds.add_slice(slice) {
                continue;
            }
            let results = results.as_ref().unwrap_or(&self.results);
            let after = self.display.as_mut().map(|display| display.second_over(results));
            // What ends anyway is not ended early.
            if after == Some(AfterSecond::End) && self.phase.is_loading() {
                self.give(LoopOrder::EndEarly(now), now);
            }
        }
    }

    /// The seconds of all loops; at the end also those that not all have ended.
    pub(super) fn series(&mut self) -> Vec<Second> {
        if self.context.member.leads() {
            for slice in self.context.member.take_rest() {
                self.seconds.add_slice(slice);
            }
        }
        std::mem::take(&mut self.seconds.of_all)
    }

    /// A condition is true: the run ends.
    pub(super) fn end_early(&mut self, now: Instant) {
        let after = now.saturating_duration_since(self.times.began);
        self.results.ending = LoadEnding::FailedFast(after);
        if self.phase == LoadPhase::Sending {
            self.end_window(now);
        } else if self.phase == LoadPhase::Making {
            self.end_making(now);
        } else if self.phase.is_loading() {
            self.phase = LoadPhase::Holding(now);
        }
    }

    pub(super) fn has_sent_all(&self, at: u64) -> bool {
        let Window { start, end, .. } = self.context.window;
        if end == u64::MAX {
            if self.context.load.plan.writers.is_here() {
                return self.sending.is_done() || self.is_stuck(at);
            }
            // How much is published elsewhere is not known.
            let latest = self.total().latest.max(start);
            return at >= latest + number(self.context.load.times.drain);
        }
        at >= end && (at >= end + number(GRACE) || !self.sending.is_waiting(end, start))
    }

    /// Whether the server has taken nothing for so long that the number of messages is not waited
    /// for any more.
    fn is_stuck(&self, at: u64) -> bool {
        let patience = number(STUCK.max(self.context.load.times.drain));
        let since = self.sending.stuck_since();
        since.is_some_and(|since| at >= since.max(self.receiving.latest) + patience)
    }

    /// Nothing more is sent.
    pub(super) fn end_window(&mut self, now: Instant) {
        self.end_window_at(self.moment(), now);
    }

    /// The window has ended at this number.
    pub(super) fn end_window_at(&mut self, at: u64, now: Instant) {
        let window = &mut self.context.window;
        window.end = window.end.min(at.max(window.begin));
        let length = Duration::from_nanos(window.end.saturating_sub(window.begin));
        self.results.messages.window = length;
        self.results.messages.unsent = match self.times.interrupt {
            None => self.sending.unsent(window.end - window.start),
            // What was due after the signal was not wanted.
            Some(_) => 0,
        };
        self.sending.note_left_behind(&self.context, &mut self.results.latencies.lateness, at);
        self.sending.stop(&self.context, at);
        if self.seconds.is_over(at) {
            self.end_slice(at, now);
        }
        self.tell_slices(now);
        self.note_cpu(now);
        let own = self.context.member.share;
        let publishers = 0..self.context.load.plan.own_publishers();
        let publishers = publishers.filter(|id| own.has_publisher(*id)).count() as u64;
        let all = (publishers * number(length)).max(1);
        let [blocked, full] = self.sending.blocked.map(|time| share(time, all));
        self.results.generator.publishers = publishers;
        self.results.generator.blocked = blocked;
        self.results.generator.window_full = full;
        self.receiving.latest = self.receiving.latest.max(at);
        self.phase = LoadPhase::Draining;
        self.reach(LoopStage::Draining);
    }

    /// Notes what the loop took since the window began.
    pub(super) fn note_cpu(&mut self, now: Instant) {
        let generator = &mut self.results.generator;
        generator.cpu = self.seconds.cpu_of_window(now);
        generator.loops = vec![generator.cpu];
        self.seconds.finish(generator);
    }

    pub(super) fn next_send(&self) -> Option<Instant> {
        let Window { begin, end, .. } = self.context.window;
        let clock = &self.context.clock;
        let phase = if self.seconds.has_begun() { self.seconds.next() } else { begin };
        let over = if end == u64::MAX { None } else { Some(end) };
        let due = self.sending.next_due();
        // The others have not sent all.
        let due = due.filter(|_| self.context.member.stage() < LoopStage::Sent);
        [due, Some(phase), over].into_iter().flatten().min().map(|at| clock.instant(at))
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share has few digits")]
fn share(part: u64, all: u64) -> f64 {
    part as f64 / all as f64
}
