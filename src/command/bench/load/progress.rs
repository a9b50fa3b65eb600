//! The line of progress.

use std::time::{Duration, Instant};

use super::{Load, LoadPhase, RunDisplay};
use crate::command::bench::results::{LoadEnding, Results};

impl<D: RunDisplay> Load<D> {
    pub(super) fn show(&mut self, now: Instant) {
        let line = self.progress(now);
        self.display.show(line, now);
    }

    /// What would be found if nothing more came.
    pub(super) fn so_far(&self, now: Instant) -> Results {
        let mut results = self.results.clone();
        let at = self.context.clock.number(now).min(self.context.window.end);
        let window = at.saturating_sub(self.context.window.begin);
        results.messages.window = Duration::from_nanos(window);
        results.messages.expected = results.messages.received + self.missing();
        results.verified.copies = self.sending.expected;
        results.ending = LoadEnding::Running(now - self.times.began, self.missing());
        results.generator.cpu = self.seconds.cpu_of_window(now);
        results
    }

    /// The line of progress.
    pub(super) fn progress(&self, now: Instant) -> String {
        let connections = &self.results.connections;
        let online = self.connecting.online();
        match self.phase {
            LoadPhase::Setting | LoadPhase::Readers | LoadPhase::Others => {
                let failed = connections.failures();
                let wanted = connections.wanted;
                format!("connecting  {} of {wanted}  failed {failed}", connections.made)
            }
            LoadPhase::Holding(until) => {
                let left = until.saturating_duration_since(now).as_secs();
                format!("holding  {left} s left  online {online}/{}", connections.wanted)
            }
            LoadPhase::Closing(_)
            | LoadPhase::Clearing(_)
            | LoadPhase::Ending(_)
            | LoadPhase::Over => {
                format!("closing  online {online}/{}", connections.wanted)
            }
            LoadPhase::Sending | LoadPhase::Draining => {
                let at = self.context.clock.number(now);
                let since = at.saturating_sub(self.context.window.begin) / 1_000_000_000;
                let (rates, missing) = (self.seconds.rates(), self.missing());
                let wanted = connections.wanted;
                format!("{since} s  {rates}  missing {missing}  online {online}/{wanted}")
            }
        }
    }
}
