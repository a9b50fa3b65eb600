//! What the first loop decides for all, and what each does when it is told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::team::{LoopCounts, LoopNote, LoopOrder, LoopStage, SentMessages};
use super::{Load, LoadInterrupt, LoadPhase, RunDisplay};
use crate::command::bench::joining::Joined;
use crate::command::bench::results::{LoadEnding, Results};

/// How often it is counted how many connections are online, for the line of progress.
const LOOK: Duration = Duration::from_millis(100);

impl<D: RunDisplay> Load<D> {
    /// Gives an order to all loops, and obeys it.
    pub(super) fn give(&mut self, order: LoopOrder, now: Instant) {
        self.obey(order.clone(), now);
        self.context.member.tell_others(order);
    }

    /// Does what all loops were told since the last turn, and notes what others have told.
    pub(super) fn listen(&mut self, now: Instant) {
        if self.context.member.has_failed() {
            self.phase = LoadPhase::Over;
        }
        while let Some(order) = self.context.member.next_order() {
            self.obey(order, now);
        }
        for note in self.context.member.take_notes() {
            self.note(note, now);
        }
        self.look_at_seconds(now);
        self.print_figures();
    }

    /// Prints the figures so far, if they were wanted and those of all loops are there.
    pub(super) fn print_figures(&mut self) {
        if let Some(display) = &mut self.display
            && let Some(figures) = self.context.member.take_figures()
        {
            display.print(&joined(figures));
        }
    }

    fn obey(&mut self, order: LoopOrder, now: Instant) {
        match order {
            LoopOrder::ConnectReaders(at) => self.begin_readers(at),
            LoopOrder::ConnectOthers(at) => self.begin_others(at),
            LoopOrder::Begin(at) => self.begin(at),
            LoopOrder::EndWindow(at) if self.phase == LoadPhase::Sending => {
                self.end_window_at(at, now);
            }
            LoopOrder::EndWindow(_) => {}
            LoopOrder::EndEarly(at) => self.end_early(at),
            LoopOrder::Interrupt(signal, at) => self.interrupt(signal, at),
            LoopOrder::HandIn => self.hand_in(),
            LoopOrder::Judge(sent) => {
                self.judge(&sent);
                self.hand_in_step();
                self.reach(LoopStage::Judged);
            }
            LoopOrder::Step(plan, at) => self.begin_step(plan, at),
            LoopOrder::Close(at) => self.phase = LoadPhase::Closing(at),
            LoopOrder::Figures => {
                let results = self.so_far(now);
                self.context.member.add_figures(results);
            }
        }
    }

    fn interrupt(&mut self, signal: i32, now: Instant) {
        if let Some(interrupt) = &mut self.times.interrupt {
            interrupt.again.get_or_insert(now);
            return;
        }
        self.times.interrupt = Some(LoadInterrupt { since: now, again: None });
        let after = now.saturating_duration_since(self.times.began);
        self.results.ending = LoadEnding::Interrupted(signal, after);
        match self.phase {
            LoadPhase::Sending => self.end_window(now),
            LoadPhase::Making => self.end_making(now),
            LoadPhase::Emptying(_) => self.phase = LoadPhase::Closing(now),
            LoadPhase::Setting | LoadPhase::Readers | LoadPhase::Others => {
                self.results.connections.took = after;
                self.phase = LoadPhase::Closing(now);
            }
            LoadPhase::Holding(_) => self.phase = LoadPhase::Holding(now),
            LoadPhase::Settling(_)
            | LoadPhase::Draining
            | LoadPhase::Closing(_)
            | LoadPhase::Clearing(_)
            | LoadPhase::Ending(_)
            | LoadPhase::Over => {}
        }
    }

    /// Tells what was sent: the readers of other loops are judged by it, too.
    fn hand_in(&mut self) {
        let sent = SentMessages {
            streams: self.sending.streams.clone(),
            open: self.sending.open_messages(),
            doubtful: self.sending.doubtful.clone(),
        };
        let window = self.context.window;
        let open = sent.open.iter().filter(|(_, _, intended)| window.holds(*intended)).count();
        self.results.messages.unacknowledged += open as u64;
        self.context.member.hand_in(sent);
        self.reach(LoopStage::HandedIn);
    }

    /// What all have sent.
    pub(super) fn judgement_order(&self) -> LoopOrder {
        LoopOrder::Judge(Arc::new(self.context.member.take_sent()))
    }

    /// This loop has come so far.
    pub(super) fn reach(&mut self, stage: LoopStage) {
        if self.context.member.stage() >= stage {
            return;
        }
        let counts = LoopCounts { online: self.connecting.online(), ..self.counts() };
        self.context.member.reach(stage, counts);
    }

    /// What this loop has counted.
    fn counts(&self) -> LoopCounts {
        LoopCounts {
            expected: self.sending.expected,
            distinct: self.receiving.distinct,
            unfinished: self.sending.unfinished,
            latest: self.receiving.latest,
            made: self.results.connections.made,
            failed: self.results.connections.failures(),
            online: self.times.online,
        }
    }

    /// What all loops have counted.
    pub(super) fn total(&self) -> LoopCounts {
        self.context.member.total(self.counts())
    }

    /// The turn ends: what the others have to know is told before it is waited.
    pub(super) fn tell(&mut self) {
        if self.context.member.is_alone() {
            return;
        }
        self.context.member.count(self.counts());
        for (publisher, count) in self.chores.arrived.drain(..) {
            let to = self.context.member.share.of_publisher(publisher);
            self.context.member.post(to, [LoopNote::Arrived(publisher, count)]);
        }
    }

    /// Counts the connections that are online, if that was not done lately.
    pub(super) fn look_who_is_online(&mut self, now: Instant) {
        if self.times.look_at <= now {
            self.times.look_at = now + LOOK;
            self.times.online = self.connecting.online();
        }
    }

    /// A first copy of a message came whose publisher is in another loop.
    pub(super) fn arrived_from_afar(&mut self, publisher: usize, copies: u64) {
        match self.chores.arrived.last_mut() {
            Some((last, count)) if *last == publisher => *count += copies,
            _ => self.chores.arrived.push((publisher, copies)),
        }
    }

    fn note(&mut self, note: LoopNote, now: Instant) {
        let at = self.context.clock.number(now);
        match note {
            LoopNote::Arrived(publisher, count) => {
                self.sending.arrived(publisher, count, &self.context, at);
            }
            LoopNote::WillDue(id, at) => self.leftovers.watcher.wills.due(id, at),
            LoopNote::WillAllowed(id) => self.leftovers.watcher.wills.allow(id),
            LoopNote::Away(id, cut, at) => {
                let connections = self.context.load.plan.connections();
                self.absences.away_elsewhere(id, cut, connections, at);
            }
            LoopNote::Back(id, at) => self.absences.back_elsewhere(id, at),
        }
    }

    /// The will of a connection is due.
    pub(super) fn will_is_due(&mut self, id: usize, at: u64) {
        if self.context.member.leads() {
            self.leftovers.watcher.wills.due(id, at);
        } else if self.context.wills.is_some() {
            self.context.member.post(0, [LoopNote::WillDue(id, at)]);
        }
    }

    /// The will of a connection may come.
    pub(super) fn will_may_come(&mut self, id: usize) {
        if self.context.member.leads() {
            self.leftovers.watcher.wills.allow(id);
        } else if self.context.wills.is_some() {
            self.context.member.post(0, [LoopNote::WillAllowed(id)]);
        }
    }
}

/// What several loops have found at the same time; the first says how it ended.
pub fn joined(results: Vec<Results>) -> Results {
    let mut results = results.into_iter();
    let mut all = results.next().unwrap_or_default();
    for more in results {
        all.add(&more, Joined::SideBySide);
    }
    all
}
