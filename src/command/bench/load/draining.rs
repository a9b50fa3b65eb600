//! The end: what is missing is waited for, what is lost is decided, the connections are closed.

use std::time::{Duration, Instant};

use super::connecting::ConnectionState;
use super::{Load, LoadPhase, RunDisplay};
use crate::client::fleet::Fleet;
use crate::command::bench::clock::number;
use crate::mqtt::qos::QoS;

/// How long it must have been silent when nothing is missing: what comes then is double.
const SILENCE: Duration = Duration::from_millis(100);

/// How long the drain of an interrupted run takes at most.
const SHORT_DRAIN: Duration = Duration::from_secs(2);

/// How long closing all connections takes at most.
pub const CLOSING: Duration = Duration::from_secs(2);

impl<D: RunDisplay> Load<D> {
    /// Copies that are to come and have not.
    pub(super) fn missing(&self) -> u64 {
        self.sending.expected.saturating_sub(self.receiving.distinct)
    }

    pub(super) fn drain(&mut self, now: Instant) {
        let at = self.context.clock.number(now);
        let is_complete = self.missing() == 0 && self.sending.unfinished == 0;
        let patience = if is_complete { SILENCE } else { self.context.load.times.drain };
        let is_hurried =
            self.signal.is_some_and(|(_, since)| now.duration_since(since) >= SHORT_DRAIN);
        if at >= self.receiving.latest + number(patience) || is_hurried {
            self.judge();
            self.phase = LoadPhase::Closing(now);
        }
    }

    /// When the drain is over if nothing comes.
    pub(super) fn drained_at(&self) -> Instant {
        let is_complete = self.missing() == 0 && self.sending.unfinished == 0;
        let patience = if is_complete { SILENCE } else { self.context.load.times.drain };
        let quiet = self.context.clock.instant(self.receiving.latest + number(patience));
        match self.signal {
            Some((_, since)) => quiet.min(since + SHORT_DRAIN),
            None => quiet,
        }
    }

    /// Decides what is lost.
    pub(super) fn judge(&mut self) {
        let open = self.sending.open_messages();
        self.results.messages.unacknowledged += open.len() as u64;
        let plan = self.context.load.plan;
        for subscriber in 0..plan.subscribers {
            if self.connecting.state(subscriber) == ConnectionState::Failed {
                continue;
            }
            for (stream, place) in plan.pairs_of(subscriber) {
                let [all, in_window] = self.sending.streams[stream];
                let (lost, missed) = self.receiving.judge(place, all);
                let verified = &mut self.results.verified;
                verified.copies += all;
                verified.lost += lost;
                verified.missed += missed;
                self.results.messages.expected += in_window;
            }
            self.forgive(subscriber, &open);
        }
        let came = self.receiving.distinct_in_window;
        let never = self.results.messages.expected.saturating_sub(came);
        self.results.latencies.delivery.add_never(never);
        self.judge_acknowledgements(&open);
    }

    /// A message that was not acknowledged need not come.
    pub(super) fn forgive(&mut self, subscriber: usize, open: &[(usize, u64, u64)]) {
        let plan = self.context.load.plan;
        for (publisher, number, intended) in open {
            let (topic, stream, sequence) = plan.place(*publisher, *number);
            let is_missing = plan.takes(subscriber, topic)
                && !self.receiving.has(subscriber, stream, sequence, &self.context);
            if is_missing {
                let verified = &mut self.results.verified;
                verified.lost = verified.lost.saturating_sub(1);
                verified.copies -= 1;
                if self.context.window.holds(*intended) {
                    self.results.messages.expected -= 1;
                }
            }
        }
    }

    pub(super) fn judge_acknowledgements(&mut self, open: &[(usize, u64, u64)]) {
        let window = self.context.window;
        let open = open.iter().filter(|(_, _, intended)| window.holds(*intended)).count();
        let unsent = self.results.messages.unsent;
        let latencies = &mut self.results.latencies;
        if self.context.load.messages.qos > QoS::AtMostOnce {
            latencies.acknowledgement.add_never(open as u64 + unsent);
        }
        if self.context.has_readers() && self.results.messages.sent > 0 {
            // What was not sent did not arrive either.
            let copies = self.results.messages.expected / self.results.messages.sent;
            latencies.delivery.add_never(unsent * copies.max(1));
        }
    }

    pub(super) fn close(&mut self, fleet: &mut Fleet, since: Instant, now: Instant) {
        self.connecting.stop();
        for id in 0..self.context.load.plan.connections() {
            match self.connecting.state(id) {
                ConnectionState::Ready
                | ConnectionState::Subscribing(_)
                | ConnectionState::Pending
                | ConnectionState::Lost => {
                    self.connecting.closed(id);
                    self.chores.closing += 1;
                    fleet.close(id, now);
                }
                ConnectionState::Failed | ConnectionState::Closed => {}
            }
        }
        if now >= since + CLOSING || self.chores.closing == 0 {
            self.phase = LoadPhase::Over;
        }
    }
}
