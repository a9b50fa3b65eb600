//! The line of progress.

use std::time::{Duration, Instant};

use super::team::LoopCounts;
use super::{Load, LoadPhase, RunDisplay};
use crate::command::bench::results::{LoadEnding, Results};

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
        results
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
            LoadPhase::Closing(_)
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
