//! The end: what is missing is waited for, what is lost is decided, the connections are closed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::connecting::ConnectionState;
use super::team::{LoopCounts, LoopOrder, LoopStage, SentMessages};
use super::{Load, LoadInterrupt, LoadPhase, RunDisplay};
use crate::client::fleet::ManyConnections;
use crate::command::bench::clock::number;
use crate::command::bench::split::{Decision, ExcuseReason, ExcusedMessage};
use crate::command::bench::verify::PairTally;
use crate::mqtt::qos::QoS;

/// How long it must have been silent when nothing is missing: what comes then is double.
const SILENCE: Duration = Duration::from_millis(100);

/// How long the drain of an interrupted run takes at most.
pub const SHORT_DRAIN: Duration = Duration::from_secs(2);

/// How long closing all connections takes at most.
const CLOSING: Duration = Duration::from_secs(2);

impl<D: RunDisplay> Load<D> {
    /// Copies that are to come and have not.
    pub(super) fn missing(&self) -> u64 {
        let LoopCounts { expected, distinct, .. } = self.total();
        expected.saturating_sub(distinct)
    }

    /// Waits for what is missing; then all loops decide what is lost, each of its readers.
    pub(super) fn drain(&mut self, now: Instant) {
        if !self.context.member.leads() {
            return;
        }
        if self.context.member.stage() == LoopStage::Draining
            && self.context.member.all_at(LoopStage::Draining)
            && self.is_quiet(now)
        {
            self.give(LoopOrder::HandIn, now);
        }
        let stage = self.context.member.stage();
        if stage == LoopStage::HandedIn && self.context.member.all_at(stage) {
            self.give(self.judgement_order(), now);
        }
        let stage = self.context.member.stage();
        if stage == LoopStage::Judged && self.context.member.all_at(stage) {
            self.after_drain(now);
        }
    }

    /// Whether nothing has come for as long as it is waited. It is found twice: a loop that had no
    /// core for that long reads first what has come meanwhile.
    fn is_quiet(&mut self, now: Instant) -> bool {
        let quiet = Some(self.quiet_at()).filter(|at| *at <= now);
        let before = std::mem::replace(&mut self.times.quiet, quiet);
        quiet.is_some() && quiet == before
    }

    /// When the drain is over if nothing comes.
    fn quiet_at(&self) -> Instant {
        let LoopCounts { expected, distinct, unfinished, latest, .. } = self.total();
        // How much is published elsewhere is not known.
        let is_known = self.context.load.plan.writers.is_here();
        let is_complete = is_known && expected <= distinct && unfinished == 0;
        let patience = if is_complete { SILENCE } else { self.context.load.times.drain };
        let quiet = self.context.clock.instant(latest + number(patience));
        match self.times.interrupt {
            Some(LoadInterrupt { again: Some(again), .. }) => quiet.min(again),
            Some(LoadInterrupt { since, again: None }) => quiet.min(since + SHORT_DRAIN),
            None => quiet,
        }
    }

    /// The same for the loop that decides it; the others are told.
    pub(super) fn drained_at(&self) -> Option<Instant> {
        let member = &self.context.member;
        let decides = member.leads()
            && member.stage() <= LoopStage::Draining
            && member.all_at(LoopStage::Draining);
        decides.then(|| self.quiet_at())
    }

    /// Decides what is lost.
    pub(super) fn judge(&mut self, sent: &SentMessages) {
        let excuses = self.excuses(sent);
        self.note_written(sent, &excuses);
        let (plan, share) = (self.context.load.plan, self.context.member.share);
        for reader in (0..plan.readers()).filter(|reader| share.has_reader(*reader)) {
            let states = || plan.members(reader).map(|member| self.connecting.state(member));
            if states().all(|state| state == ConnectionState::Failed) {
                continue;
            }
            // What came to none of its connections any more was not promised.
            if !states().any(ConnectionState::is_there) {
                self.receiving.leave(reader, &self.context);
            }
            for stream in self.context.streams_of(reader) {
                if !plan.writers.is_here() {
                    self.note_read(reader, stream);
                    continue;
                }
                let excuses = excuses.get(&stream).map_or(&[][..], Vec::as_slice);
                let all = sent.streams.get(stream).copied().unwrap_or_default();
                self.judge_pair(reader, stream, all, excuses);
            }
        }
        self.judge_retained();
        self.results.groups = self.receiving.groups(&plan, share);
        self.results.verified.extent = self.context.load.messages.verification;
        if self.context.load.messages.have_heads() {
            let came = self.receiving.distinct_in_window;
            let never = self.results.messages.expected.saturating_sub(came);
            self.results.latencies.delivery.add_never(never);
        }
        self.judge_acknowledgements(sent);
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
    fn excuses(&self, sent: &SentMessages) -> BTreeMap<usize, Vec<ExcusedMessage>> {
        let plan = self.context.load.plan;
        let mut excuses: BTreeMap<usize, Vec<ExcusedMessage>> = BTreeMap::new();
        let open = sent.open.iter().map(|message| (message, ExcuseReason::Unacknowledged));
        let doubtful = sent.doubtful.iter().map(|message| (message, ExcuseReason::SessionLost));
        for ((publisher, number, intended), why) in open.chain(doubtful) {
            let (_, stream, sequence) = plan.place(*publisher, *number);
            let is_in_window = self.context.window.holds(*intended);
            let excuse = ExcusedMessage { sequence, why, is_in_window };
            excuses.entry(stream).or_default().push(excuse);
        }
        excuses
    }

    /// Decides what a reader has lost of a stream.
    fn judge_pair(
        &mut self,
        reader: usize,
        stream: usize,
        sent: [u64; 2],
        excuses: &[ExcusedMessage],
    ) {
        let place = self.context.pair(reader, stream);
        // Without pairs nothing is verified.
        let tally = self.receiving.tally(place).unwrap_or(PairTally::all_of(sent[0]));
        let mut decision = Decision::of(tally, sent);
        for excuse in excuses {
            if !self.receiving.has(reader, stream, excuse.sequence, &self.context) {
                decision.excuse(*excuse);
            }
        }
        self.results.verified.add_decided(decision.copies);
        self.results.messages.expected += decision.copies.in_window;
    }

    fn judge_acknowledgements(&mut self, sent: &SentMessages) {
        let (window, share) = (self.context.window, self.context.member.share);
        let is_own = |publisher: &usize| share.has_publisher(*publisher);
        let open = sent.open.iter().filter(|(publisher, ..)| is_own(publisher));
        let open = open.filter(|(_, _, intended)| window.holds(*intended)).count();
        let unsent = match self.times.interrupt {
            None => self.sending.unsent_in(&window),
            Some(_) => 0,
        };
        let copies = self.copies(sent);
        let latencies = &mut self.results.latencies;
        if self.context.load.messages.qos > QoS::AtMostOnce {
            latencies.acknowledgement.add_never(open as u64 + unsent);
        }
        if self.context.has_readers() && self.context.load.messages.have_heads() {
            // What was not sent did not arrive either.
            latencies.delivery.add_never(unsent * copies.max(1));
        }
    }

    /// How many copies of a message of the window are to come, about.
    fn copies(&self, sent: &SentMessages) -> u64 {
        let plan = self.context.load.plan;
        let readers = |stream| self.context.readers[plan.stream(stream).1];
        let (mut all, mut copies) = (0_u64, 0_u64);
        for (stream, [_, in_window]) in sent.streams.iter().enumerate() {
            all += in_window;
            copies += in_window * readers(stream);
        }
        copies.checked_div(all).unwrap_or_else(|| self.context.copies())
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
                ConnectionState::Elsewhere | ConnectionState::Failed | ConnectionState::Closed => {}
            }
        }
        if now >= self.times.limit(since + CLOSING) || self.chores.closing == 0 {
            self.after_closing(since, now);
        }
    }

    /// The first loop waits until the connections of all are closed, and then clears up.
    fn after_closing(&mut self, since: Instant, now: Instant) {
        self.reach(LoopStage::Closed);
        let all_are = self.context.member.all_at(LoopStage::Closed);
        if !self.context.member.leads() {
            self.begin_ending(now);
        } else if all_are || now >= self.times.limit(since + 2 * CLOSING) {
            self.phase = LoadPhase::Clearing(now);
        }
    }

    /// When closing is over if nothing happens.
    pub(super) fn closed_at(&self, since: Instant) -> Instant {
        if self.context.member.stage() == LoopStage::Closed {
            self.times.limit(since + 2 * CLOSING)
        } else if self.chores.closing == 0 {
            self.times.began
        } else {
            self.times.limit(since + CLOSING)
        }
    }
}
