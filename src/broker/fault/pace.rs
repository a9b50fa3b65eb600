//! How fast bytes pass in one direction, and how long a connection may be silent, pure.

use std::time::{Duration, Instant};

/// How often a direction that is slow on purpose lets bytes pass: Mosquitto 2.0 does so as often.
const TICK: Duration = Duration::from_millis(100);

const DAY: Duration = Duration::from_secs(86_400);

/// A direction in which so many bytes pass in a second, and in a tick as many as belong to it.
#[derive(Debug)]
pub struct BytePace {
    bytes_per_second: u64,
    /// When the time of all bytes is over that have passed.
    next: Option<Instant>,
    state: PaceState,
}

/// Whether bytes may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PaceState {
    Open,
    /// Not before `BytePace::next`.
    Resting,
}

impl BytePace {
    /// A direction with so many bytes a second, at least one.
    pub fn new(bytes_per_second: u64) -> Self {
        Self { bytes_per_second: bytes_per_second.max(1), next: None, state: PaceState::Open }
    }

    /// How many bytes may pass now.
    pub fn room(&self) -> u64 {
        match self.state {
            PaceState::Open => (self.bytes_per_second / 10).max(1),
            PaceState::Resting => 0,
        }
    }

    /// So many bytes have passed, at least one.
    pub fn pass(&mut self, bytes: usize, now: Instant) {
        // The loop is always a little late: that is made up for.
        let is_late = |at: &Instant| now.saturating_duration_since(*at) < TICK;
        let from = self.next.filter(is_late).unwrap_or(now);
        let next = from + self.time_of(bytes);
        self.next = Some(next);
        self.state = if next > now { PaceState::Resting } else { PaceState::Open };
    }

    /// How long so many bytes take, at most a day.
    fn time_of(&self, bytes: usize) -> Duration {
        let nanoseconds = bytes as u128 * 1_000_000_000 / u128::from(self.bytes_per_second);
        u64::try_from(nanoseconds).map_or(DAY, Duration::from_nanos).min(DAY)
    }

    /// When bytes pass again, if they do not now.
    pub fn due(&self) -> Option<Instant> {
        self.next.filter(|_| self.state == PaceState::Resting)
    }

    /// Lets bytes pass if it is time.
    pub fn wake(&mut self, now: Instant) {
        if self.due().is_some_and(|at| at <= now) {
            self.state = PaceState::Open;
        }
    }
}

/// How long a connection may be silent.
#[derive(Debug)]
pub struct SilenceLimit {
    /// For so long.
    pub time: Duration,
    /// When bytes passed last, in either direction.
    heard: Option<Instant>,
}

impl SilenceLimit {
    /// A connection in which no bytes have passed.
    pub fn new(time: Duration) -> Self {
        Self { time, heard: None }
    }

    /// Bytes have passed.
    pub fn pass(&mut self, now: Instant) {
        self.heard = Some(now);
    }

    /// When it has been silent for too long, unless something passes.
    pub fn due(&self) -> Option<Instant> {
        self.heard.map(|heard| heard + self.time)
    }
}
