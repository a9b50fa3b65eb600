//! A step of connecting: connections begin at its rate, whatever becomes of them; when as many
//! stand as may, the oldest are ended for new ones. Before the next step all are ended, so that
//! what a step finds does not depend on those before it.

use std::time::{Duration, Instant};

use super::connecting::ConnectionState;
use super::draining::SHORT_DRAIN;
use super::measuring::GRACE;
use super::pacing::{PacedConnections, Turns};
use super::team::{LoopOrder, LoopStage};
use super::{Load, LoadPhase, RunDisplay, Window};
use crate::client::fleet::{Cause, Made, ManyConnections};
use crate::command::bench::clock::number;
use crate::command::bench::config::WindowLength;
use crate::command::bench::results::Results;

/// How many connections begin or are ended in one turn at most.
const AT_ONCE: usize = 64;

/// How long ending all connections before the next step takes at most.
const EMPTYING: Duration = Duration::from_secs(2);

impl<D: RunDisplay> Load<D> {
    /// Whether the load consists of steps of connecting.
    pub(super) fn is_of_connecting(&self) -> bool {
        self.context.load.times.course.is_of_connecting()
    }

    /// When connections of this step are to begin.
    fn turns(&self) -> Turns {
        let (loops, number) = (self.context.loops(), self.context.loop_number());
        Turns { rate: self.context.load.connect_rate.unwrap_or(1.0), loops, number }
    }

    /// A step begins; no connection stands.
    pub(super) fn begin_making(&mut self, now: Instant) {
        let times = self.context.load.times;
        let start = self.context.clock.number(now);
        let begin = start + number(times.warmup);
        let length = match times.length {
            WindowLength::Time(time) => time,
            // Steps have no number of messages.
            WindowLength::Count(_) => Duration::ZERO,
        };
        self.context.window = Window { start, begin, end: begin + number(length) };
        let after = begin.saturating_sub(self.context.clock.number(self.times.began));
        self.results.messages.after = Duration::from_nanos(after);
        self.connecting.begin_paced(start);
        self.phase = LoadPhase::Making;
    }

    /// Begins what is due, and ends the oldest to make room.
    pub(super) fn make(&mut self, fleet: &mut impl ManyConnections, now: Instant) {
        let at = self.context.clock.number(now);
        if !self.seconds.has_begun() && at >= self.context.window.begin {
            self.seconds.begin(self.context.window.begin, now);
        }
        self.start_due(fleet);
        let (turns, own) = (self.turns(), self.connecting.paced.own());
        for _ in 0..AT_ONCE {
            let Some(id) = self.connecting.make_room(&turns, own) else { break };
            fleet.close(id, now);
        }
        self.tick(at, now);
        if self.phase == LoadPhase::Making && self.has_begun_all(at) {
            self.end_making(now);
        }
    }

    /// Begins the connections that are due.
    fn start_due(&mut self, fleet: &mut impl ManyConnections) {
        for _ in 0..AT_ONCE {
            let Some(due) = self.next_turn() else { return };
            let now = (self.context.now)();
            let at = self.context.clock.number(now);
            if due > at {
                return;
            }
            let Some((id, late)) = self.connecting.start(due, at) else { return };
            if self.context.window.holds(due) {
                self.results.latencies.lateness.add(late);
                self.seconds.lateness.add(late);
            }
            self.seconds.sent += 1;
            fleet.dial(id, self.context.clock.instant(due), now);
        }
    }

    /// When the next connection of this loop is to begin; `None` after the window.
    fn next_turn(&self) -> Option<u64> {
        let due = self.context.window.start + self.turns().due(self.connecting.paced.turns());
        Some(due).filter(|due| *due < self.context.window.end)
    }

    /// Whether what was due has begun, as far as there is room.
    fn has_begun_all(&self, at: u64) -> bool {
        let end = self.context.window.end;
        let waits_for_us = self.connecting.paced.has_free() && self.next_turn().is_some();
        at >= end && (at >= end + number(GRACE) || !waits_for_us)
    }

    /// When there is something to do in a step.
    pub(super) fn next_making(&self) -> Instant {
        let Window { begin, end, .. } = self.context.window;
        if self.connecting.paced.needs_room(&self.turns(), self.connecting.paced.own()) {
            return self.times.began;
        }
        let slice = if self.seconds.has_begun() { self.seconds.next() } else { begin };
        let turn = self.next_turn().filter(|_| self.connecting.paced.has_free());
        let next = [turn, Some(slice)].into_iter().flatten().fold(end, u64::min);
        self.context.clock.instant(next)
    }

    /// A connection was made in a step.
    pub(super) fn made_in_step(&mut self, id: usize, made: &Made, at: u64) {
        let intended = self.connecting.paced.intended(id);
        let (window, is_measured) = (self.context.window, self.is_measured(id));
        self.connecting.made_in_step(id, made, is_measured, &mut self.results.connections);
        self.results.making.arrived += u64::from(window.holds(at));
        self.seconds.received += 1;
        if is_measured {
            let took = number(made.took);
            self.seconds.times.add(took);
            if let Some(third) = window.outer_third(intended) {
                self.results.latencies.thirds[third].add(took);
            }
        }
    }

    /// Whether what becomes of a connection belongs to the window.
    fn is_measured(&self, id: usize) -> bool {
        let is_awaited = matches!(self.phase, LoadPhase::Making | LoadPhase::Settling(_));
        is_awaited && self.context.window.holds(self.connecting.paced.intended(id))
    }

    /// A connection of a step could not be made.
    pub(super) fn not_made_in_step(&mut self, id: usize, cause: Cause, now: Instant) {
        let at = self.context.clock.number(now);
        if self.is_measured(id) {
            self.results.connections.times.whole.add_never(1);
        }
        self.connecting.not_made_in_step(id, cause, (at, now), &mut self.results.connections);
    }

    /// Nothing more begins: those that have begun are waited for.
    pub(super) fn end_making(&mut self, now: Instant) {
        let at = self.context.clock.number((self.context.now)()) + 1;
        let window = &mut self.context.window;
        window.end = window.end.min(at.max(window.begin));
        let mut results = std::mem::take(&mut self.results);
        self.note_due(&mut results, self.context.window.end);
        self.results = results;
        let making = self.results.making;
        self.results.connections.times.whole.add_never(making.not_begun);
        if self.seconds.is_over(at) {
            self.end_slice(at, now);
        }
        self.note_cpu(now);
        self.phase = LoadPhase::Settling(now);
    }

    /// Notes how many connections were to begin until then, and how many of them have not.
    pub(super) fn note_due(&self, results: &mut Results, until: u64) {
        let (Window { start, begin, .. }, turns) = (self.context.window, self.turns());
        let until = until.max(begin);
        let length = Duration::from_nanos(until - begin);
        (results.messages.window, results.connections.took) = (length, length);
        let [before, all] = [begin, until].map(|time| turns.before(time - start));
        let begun = self.connecting.paced.turns().max(before);
        // What was due when a signal came was not wanted any more.
        let due = if self.times.interrupt.is_none() { all } else { all.min(begun) };
        results.making.due = due - before;
        results.making.not_begun = due.saturating_sub(begun);
        results.connections.wanted = results.making.due;
    }

    /// Waits for the connections that have begun: each is made, or fails within
    /// `--connect-timeout`.
    pub(super) fn settle(&mut self, since: Instant, now: Instant) {
        let is_cut_short = self.cut_short_at(since).is_some_and(|at| at <= now);
        if self.connecting.paced.making() == 0 || is_cut_short {
            let unfinished = self.connecting.paced.making() as u64;
            self.results.connections.times.whole.add_never(unfinished);
            self.phase = LoadPhase::Draining;
            self.reach(LoopStage::Draining);
        }
    }

    /// Until when those that have begun are waited for; `None` if each says itself how it ends.
    pub(super) fn settled_at(&self, since: Instant) -> Option<Instant> {
        if self.connecting.paced.making() == 0 {
            return Some(self.times.began);
        }
        self.cut_short_at(since)
    }

    /// Until when they are waited for after a signal; after another one not at all.
    fn cut_short_at(&self, since: Instant) -> Option<Instant> {
        let interrupt = self.times.interrupt?;
        Some(interrupt.again.unwrap_or(interrupt.since.max(since) + SHORT_DRAIN))
    }

    /// Ends all connections; the step begins when those of all loops have ended.
    pub(super) fn empty(&mut self, fleet: &mut impl ManyConnections, since: Instant, now: Instant) {
        while let Some(id) = self.connecting.end_oldest() {
            fleet.close(id, now);
        }
        if self.connecting.paced.is_empty() || now >= since + EMPTYING {
            self.reach(LoopStage::AllReady);
        }
        let member = &self.context.member;
        if member.leads() && member.all_at(LoopStage::AllReady) {
            self.give(LoopOrder::Begin(now), now);
        }
    }

    /// When there is something to do for that.
    pub(super) fn next_emptying(&self, since: Instant) -> Option<Instant> {
        let member = &self.context.member;
        match member.stage() {
            LoopStage::Begun if self.connecting.paced.is_empty() => Some(self.times.began),
            LoopStage::Begun => Some(since + EMPTYING),
            _ if member.leads() && member.all_at(LoopStage::AllReady) => Some(self.times.began),
            _ => None,
        }
    }

    /// The sessions of all connections that ever began may be at the server.
    pub(super) fn sessions_of_steps(&self) -> Vec<usize> {
        let all = 0..self.context.load.plan.connections();
        all.filter(|id| self.connecting.paced.has_begun(*id)).collect()
    }
}

impl super::connecting::Connecting {
    /// A step begins with all connections of this loop.
    fn begin_paced(&mut self, at: u64) {
        self.stop();
        let is_own = |id: &usize| self.state(*id) != ConnectionState::Elsewhere;
        let own: Vec<usize> = (0..self.count()).filter(is_own).collect();
        let all = self.count();
        self.paced.begin(own.into_iter(), all, at);
    }

    /// The next connection begins, which was to begin at `due`: which one, and how late that is.
    fn start(&mut self, due: u64, now: u64) -> Option<(usize, u64)> {
        let (id, late) = self.paced.start(due, now)?;
        self.set(id, ConnectionState::Pending);
        Some((id, late))
    }

    /// The oldest, if it is to be ended for those that come next; there are so many in this loop.
    fn make_room(&mut self, turns: &Turns, own: usize) -> Option<usize> {
        self.end(|paced, stands| paced.make_room(turns, own, stands))
    }

    /// The oldest, which is to be ended.
    fn end_oldest(&mut self) -> Option<usize> {
        self.end(|paced, stands| paced.end_oldest(stands))
    }

    fn end(
        &mut self,
        choose: impl FnOnce(&mut PacedConnections, &dyn Fn(usize) -> bool) -> Option<usize>,
    ) -> Option<usize> {
        let mut paced = std::mem::take(&mut self.paced);
        let id = choose(&mut paced, &|id| self.state(id) == ConnectionState::Ready);
        self.paced = paced;
        self.leave(id?);
        id
    }
}
