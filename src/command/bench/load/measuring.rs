//! The warm-up and the window: what is due is sent, second by second.

use std::time::{Duration, Instant};

use super::sending::SentSink;
use super::{AfterSecond, Load, LoadPhase, RunDisplay, SecondsOver, Window};
use crate::client::fleet::ManyConnections;
use crate::command::bench::clock::number;
use crate::command::bench::results::LoadEnding;

/// How long after the end of the window the loop may send what was due before it and has not come
/// to its turn. What the server does not take then stays unsent.
const GRACE: Duration = Duration::from_millis(250);

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
            self.end_window(now);
        }
    }

    /// Ends the seconds of the window that are over.
    pub(super) fn tick(&mut self, at: u64, now: Instant) {
        if !self.seconds.is_over(at) || at > self.context.window.end {
            return;
        }
        if self.end_second(at, now) == AfterSecond::End {
            self.end_early(now);
        }
    }

    /// Ends the current second.
    fn end_second(&mut self, at: u64, now: Instant) -> AfterSecond {
        let before = self.seconds.series.len();
        self.seconds.end(self.missing(), self.connecting.online(), at, now);
        let seconds = &self.seconds.series[before..];
        let over = SecondsOver { seconds, times: &self.seconds.times_before };
        self.display.seconds_over(&self.results, &over)
    }

    /// A condition is true: the run ends.
    fn end_early(&mut self, now: Instant) {
        self.results.ending = LoadEnding::FailedFast(now - self.times.began);
        if self.phase == LoadPhase::Sending {
            self.end_window(now);
        } else if self.phase.is_loading() {
            self.phase = LoadPhase::Holding(now);
        }
    }

    pub(super) fn has_sent_all(&self, at: u64) -> bool {
        let Window { start, end, .. } = self.context.window;
        if end == u64::MAX {
            return self.sending.is_done();
        }
        at >= end && (at >= end + number(GRACE) || !self.sending.is_waiting(end, start))
    }

    /// Nothing more is sent.
    pub(super) fn end_window(&mut self, now: Instant) {
        // After the latest message, which was sent since the turn began.
        let at = self.context.clock.number((self.context.now)()) + 1;
        let window = &mut self.context.window;
        window.end = window.end.min(at.max(window.begin));
        let length = Duration::from_nanos(window.end.saturating_sub(window.begin));
        self.results.messages.window = length;
        self.results.messages.unsent = match self.times.signal {
            None => self.sending.unsent(window.end - window.start),
            // What was due after the signal was not wanted.
            Some(_) => 0,
        };
        self.sending.note_left_behind(&self.context, &mut self.results.latencies.lateness, at);
        self.sending.stop(&self.context, at);
        if self.seconds.is_over(at) {
            // It ends anyway.
            let _ = self.end_second(at, now);
        }
        self.note_cpu(now);
        let publishers = self.context.load.plan.publishers.max(1) as u64;
        let all = (publishers * number(length)).max(1);
        let [blocked, full] = self.sending.blocked.map(|time| share(time, all));
        self.results.generator.publishers = publishers;
        self.results.generator.blocked = blocked;
        self.results.generator.window_full = full;
        self.receiving.latest = self.receiving.latest.max(at);
        self.phase = LoadPhase::Draining;
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
        [due, Some(phase), over].into_iter().flatten().min().map(|at| clock.instant(at))
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share has few digits")]
fn share(part: u64, all: u64) -> f64 {
    part as f64 / all as f64
}
