//! Connections that only stand, for as long as they are to.

use std::time::Instant;

use super::{Load, LoadPhase, RunDisplay};

impl<D: RunDisplay> Load<D> {
    /// The connections stand until then.
    pub(super) fn hold(&mut self, until: Instant, now: Instant) {
        let at = self.context.clock.number(now);
        self.tick(at, now);
        // A second may have said that it ends here.
        let until = if self.phase == LoadPhase::Holding(now) { now } else { until };
        if until <= now {
            self.end_holding(now);
        }
    }

    /// When it is over, or the current second.
    pub(super) fn next_hold(&self, until: Instant) -> Instant {
        until.min(self.context.clock.instant(self.seconds.next()))
    }
}
