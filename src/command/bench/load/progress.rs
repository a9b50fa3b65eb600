//! The line of progress.

use std::time::{Duration, Instant};

use super::team::LoopCounts;
use super::{Load, LoadPhase, RunDisplay};
use crate::command::bench::results::{LoadEnding, Results};
use crate::command::bench::words;

impl<D: RunDisplay> Load<D> {
    pub(super) fn show(&mut self, now: Instant) {
        let line = self.progress(now);
        if let Some(display) = &mut self.display {
            display.show(line, now);
        }
    }

    /// When something new is to be shown.
    pub(super) fn next_show(&self) -> Option<Instant> {
        self.display.as_ref().and_then(RunDisplay::next)
    }

    /// What would be found if nothing more came.
    pub(super) fn so_far(&self, now: Instant) -> Results {
        let mut results = self.results.clone();
        let at = self.context.clock.number(now).min(self.context.window.end);
        let window = at.saturating_sub(self.context.window.begin);
        results.messages.window = Duration::from_nanos(window);
        // What is missing is known of all loops together.
        let missing = if self.context.member.leads() { self.missing() } else { 0 };
        results.messages.expected = results.messages.received + missing;
        results.verified.copies = self.sending.expected;
        results.ending = LoadEnding::Running(now - self.times.began, missing);
        results.generator.cpu = self.seconds.cpu_of_window(now);
        if self.is_of_connecting() {
            self.note_due(&mut results, at);
        }
        results
    }

    /// The line of progress of a step of connecting.
    fn making_progress(&self, now: Instant) -> String {
        let LoopCounts { failed, online, .. } = self.total();
        let (at, begin) = (self.context.clock.number(now), self.context.window.begin);
        let since = at.saturating_sub(begin) / 1_000_000_000;
        let (rate, wanted) = (self.context.load.connect_rate, self.context.load.plan.connections());
        let (rate, rates) = (rate.map(words::rate), self.seconds.rates_of_connecting());
        let rate = rate.unwrap_or_default();
        format!("{rate}  {since} s  {rates}  failed {failed}  online {online}/{wanted}")
    }

    /// The line of progress.
    pub(super) fn progress(&self, now: Instant) -> String {
        let total = self.total();
        let (online, wanted) = (total.online, self.context.load.plan.connections());
        match self.phase {
            LoadPhase::Setting | LoadPhase::Readers | LoadPhase::Others => {
                let LoopCounts { made, failed, .. } = total;
                format!("connecting  {made} of {wanted}  failed {failed}")
            }
            LoadPhase::Holding(until) => {
                let left = until.saturating_duration_since(now).as_secs();
                format!("holding  {left} s left  online {online}/{wanted}")
            }
            LoadPhase::Making | LoadPhase::Settling(_) => self.making_progress(now),
            LoadPhase::Emptying(_)
            | LoadPhase::Closing(_)
            | LoadPhase::Clearing(_)
            | LoadPhase::Ending(_)
            | LoadPhase::Over => {
                format!("closing  online {online}/{wanted}")
            }
            LoadPhase::Sending | LoadPhase::Draining => {
                let at = self.context.clock.number(now);
                let since = at.saturating_sub(self.context.window.begin) / 1_000_000_000;
                let (rates, missing) = (self.seconds.rates(), self.missing());
                format!("{since} s  {rates}  missing {missing}  online {online}/{wanted}")
            }
        }
    }
}
