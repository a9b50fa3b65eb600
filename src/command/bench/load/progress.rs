//! The line of progress.

use std::time::Instant;

use super::{Load, LoadPhase, RunDisplay};

impl<D: RunDisplay> Load<D> {
    pub(super) fn show(&mut self, now: Instant) {
        let line = self.progress(now);
        self.display.show(line, now);
    }

    /// The line of progress.
    pub(super) fn progress(&self, now: Instant) -> String {
        let connections = &self.results.connections;
        let online = self.connecting.online();
        match self.phase {
            LoadPhase::Readers | LoadPhase::Others => {
                let failed = connections.failures();
                let wanted = connections.wanted;
                format!("connecting  {} of {wanted}  failed {failed}", connections.made)
            }
            LoadPhase::Holding(until) => {
                let left = until.saturating_duration_since(now).as_secs();
                format!("holding  {left} s left  online {online}/{}", connections.wanted)
            }
            LoadPhase::Closing(_) | LoadPhase::Ending(_) | LoadPhase::Over => {
                format!("closing  online {online}/{}", connections.wanted)
            }
            LoadPhase::Sending | LoadPhase::Draining => {
                let at = self.context.clock.number(now);
                let since = at.saturating_sub(self.context.window.begin) / 1_000_000_000;
                let missing = self.missing();
                let rates = self.seconds.rates();
                format!(
                    "{since} s  {rates}  missing {missing}  online {online}/{}",
                    connections.wanted
                )
            }
        }
    }
}
