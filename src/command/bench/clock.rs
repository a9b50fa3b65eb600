//! Points in time as numbers: nanoseconds of `CLOCK_MONOTONIC`.

use std::time::{Duration, Instant};

/// Translates between `Instant` and nanoseconds.
#[derive(Debug, Clone, Copy)]
pub struct RunClock {
    instant: Instant,
    nanoseconds: u64,
}

impl RunClock {
    /// A clock that shows `nanoseconds` at `instant`.
    pub fn new(instant: Instant, nanoseconds: u64) -> Self {
        Self { instant, nanoseconds }
    }

    /// A point in time as a number.
    pub fn number(&self, at: Instant) -> u64 {
        match at.checked_duration_since(self.instant) {
            Some(after) => self.nanoseconds + number(after),
            None => self.nanoseconds.saturating_sub(number(self.instant - at)),
        }
    }

    /// A number as a point in time; one long ago is the beginning of this clock.
    pub fn instant(&self, number: u64) -> Instant {
        self.instant + Duration::from_nanos(number.saturating_sub(self.nanoseconds))
    }
}

/// A time in nanoseconds.
pub fn number(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
