//! The end: what is missing is waited for, what is lost is decided, the connections are closed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::connecting::ConnectionState;
use super::sending::OpenMessage;
use super::{Load, LoadPhase, RunDisplay};
use crate::client::fleet::ManyConnections;
use crate::command::bench::clock::number;
use crate::command::bench::results::MessageResults;
use crate::mqtt::qos::QoS;

/// How long it must have been silent when nothing is missing: what comes then is double.
const SILENCE: Duration = Duration::from_millis(100);

/// How long the drain of an interrupted run takes at most.
const SHORT_DRAIN: Duration = Duration::from_secs(2);

/// How long closing all connections takes at most.
pub const CLOSING: Duration = Duration::from_secs(2);

/// Why a message need not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ExcuseReason {
    /// It was not acknowledged.
    Unacknowledged,
    /// It was of QoS 2, and the server lost the session.
    SessionLost,
}

/// A message that need not come.
#[derive(Debug)]
struct Excuse {
    sequence: u64,
    intended: u64,
    doubt: ExcuseReason,
}

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
            self.times.signal.is_some_and(|(_, since)| now.duration_since(since) >= SHORT_DRAIN);
        if at >= self.receiving.latest + number(patience) || is_hurried {
            self.judge();
            self.after_drain(now);
        }
    }

    /// When the drain is over if nothing comes.
    pub(super) fn drained_at(&self) -> Instant {
        let is_complete = self.missing() == 0 && self.sending.unfinished == 0;
        let patience = if is_complete { SILENCE } else { self.context.load.times.drain };
        let quiet = self.context.clock.instant(self.receiving.latest + number(patience));
        match self.times.signal {
            Some((_, since)) => quiet.min(since + SHORT_DRAIN),
            None => quiet,
        }
    }

    /// Decides what is lost.
    pub(super) fn judge(&mut self) {
        let open = self.sending.open_messages();
        self.results.messages.unacknowledged += open.len() as u64;
        let excuses = self.excuses(&open);
        let plan = self.context.load.plan;
        for reader in 0..plan.readers() {
            let states = || plan.members(reader).map(|member| self.connecting.state(member));
            if states().all(|state| state == ConnectionState::Failed) {
                continue;
            }
            // What came to none of its connections any more was not promised.
            if !states().any(ConnectionState::is_there) {
                self.receiving.leave(reader, &self.context);
            }
            for (stream, place) in plan.pairs_of(reader) {
                let excuses = excuses.get(&stream).map_or(&[][..], Vec::as_slice);
                self.judge_pair(reader, stream, place, excuses);
            }
        }
        self.judge_retained();
        self.results.groups = self.receiving.groups(&plan);
        let came = self.receiving.distinct_in_window;
        let never = self.results.messages.expected.saturating_sub(came);
        self.results.latencies.delivery.add_never(never);
        self.judge_acknowledgements(&open);
        self.absences.finish(&mut self.results.disturbances);
    }

    /// What was retained and did not come, or came twice, counts like any other message.
    pub(super) fn judge_retained(&mut self) {
        let Some(retained) = self.receiving.retained.finish() else { return };
        let verified = &mut self.results.verified;
        verified.copies += retained.expected;
        verified.lost += retained.expected.saturating_sub(retained.received);
        verified.duplicated += retained.duplicated;
        self.results.disturbances.retained = Some(retained);
    }

    /// The messages that need not come, by their streams.
    fn excuses(&self, open: &[OpenMessage]) -> BTreeMap<usize, Vec<Excuse>> {
        let plan = self.context.load.plan;
        let mut excuses: BTreeMap<usize, Vec<Excuse>> = BTreeMap::new();
        let open = open.iter().map(|message| (message, ExcuseReason::Unacknowledged));
        let doubtful =
            self.sending.doubtful.iter().map(|message| (message, ExcuseReason::SessionLost));
        for ((publisher, number, intended), doubt) in open.chain(doubtful) {
            let (_, stream, sequence) = plan.place(*publisher, *number);
            let excuse = Excuse { sequence, intended: *intended, doubt };
            excuses.entry(stream).or_default().push(excuse);
        }
        excuses
    }

    /// Decides what a reader has lost of a stream.
    fn judge_pair(&mut self, reader: usize, stream: usize, place: usize, excuses: &[Excuse]) {
        let [mut all, mut in_window] = self.sending.streams[stream];
        let (mut lost, mut missed) = self.receiving.judge(place, all);
        let verified = &mut self.results.verified;
        for Excuse { sequence, intended, doubt } in excuses {
            if self.receiving.has(reader, stream, *sequence, &self.context) {
                continue;
            }
            all -= 1;
            in_window -= u64::from(self.context.window.holds(*intended));
            // It is one of those that are absent.
            if lost > 0 {
                lost -= 1;
            } else {
                missed = missed.saturating_sub(1);
            }
            verified.undecided += u64::from(*doubt == ExcuseReason::SessionLost);
        }
        verified.copies += all;
        verified.lost += lost;
        verified.missed += missed;
        self.results.messages.expected += in_window;
    }

    pub(super) fn judge_acknowledgements(&mut self, open: &[OpenMessage]) {
        let window = self.context.window;
        let open = open.iter().filter(|(_, _, intended)| window.holds(*intended)).count();
        let unsent = match self.times.signal {
            None => self.sending.unsent_in(&window),
            Some(_) => 0,
        };
        let latencies = &mut self.results.latencies;
        if self.context.load.messages.qos > QoS::AtMostOnce {
            latencies.acknowledgement.add_never(open as u64 + unsent);
        }
        if self.context.has_readers() {
            // What was not sent did not arrive either.
            let MessageResults { expected, sent, .. } = self.results.messages;
            let copies = expected.checked_div(sent).unwrap_or_else(|| self.context.copies());
            latencies.delivery.add_never(unsent * copies.max(1));
        }
    }

    pub(super) fn close(&mut self, fleet: &mut impl ManyConnections, since: Instant, now: Instant) {
        self.connecting.stop();
        self.absences.redial.clear();
        for id in 0..self.context.load.plan.connections() {
            match self.connecting.state(id) {
                ConnectionState::Ready
                | ConnectionState::Subscribing(_)
                | ConnectionState::Pending
                | ConnectionState::Lost
                | ConnectionState::Away
                | ConnectionState::Returning(_) => {
                    let is_pending = self.connecting.state(id) == ConnectionState::Pending;
                    if !is_pending || fleet.has_sent_connect(id) {
                        self.chores.sessions.push(id);
                    }
                    self.connecting.closed(id);
                    self.chores.closing += 1;
                    fleet.close(id, now);
                }
                ConnectionState::Failed | ConnectionState::Closed => {}
            }
        }
        if now >= since + CLOSING || self.chores.closing == 0 {
            self.phase = LoadPhase::Clearing(now);
        }
    }
}
