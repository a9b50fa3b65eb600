//! Connections that only stand, for as long as they are to.

use std::time::{Duration, Instant};

use super::{Load, LoadPhase, RunDisplay};

impl<D: RunDisplay> Load<D> {
    /// The connections stand until then.
    pub(super) fn hold(&mut self, until: Instant, now: Instant) {
        let at = self.context.clock.number(now);
        self.tick(at, now);
        self.tell_slices(now);
        // A second may have said that it ends here.
        let until = if self.phase == LoadPhase::Holding(now) { now } else { until };
        if until <= now {
            let held = Duration::from_nanos(at.saturating_sub(self.seconds.began()));
            self.results.held = Some((held, self.connecting.online()));
            self.note_cpu(now);
            self.absences.finish(&mut self.results.disturbances);
            self.judge_retained();
            self.phase = LoadPhase::Closing(now);
        }
    }

    /// When it is over, or the current second.
    pub(super) fn next_hold(&self, until: Instant) -> Instant {
        until.min(self.context.clock.instant(self.seconds.next()))
    }
}
