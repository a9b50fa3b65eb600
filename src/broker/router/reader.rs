//! How a client takes what it is sent, and whether publishers wait for it: for one that reads, but
//! more slowly than others publish. One that does not read costs them nothing.

use std::time::{Duration, Instant};

use crate::broker::limits::{FAIR_RATE, FIRST_SIGN, HOLD_BACK, IDLE, SLOW_BYTES, STUCK};

/// A client that takes fewer bytes than these in [`HOLD_BACK`] is not waited for. One for which
/// fewer wait has caught up.
const FAIR_BYTES: usize = SLOW_BYTES / 2;

/// What one has taken beyond that rate counts for so many bytes at most when a period is over.
const MOST_CREDIT: usize = FAIR_RATE / 4;

/// A client that has stopped reads again when it has taken so many bytes a second since then. The
/// system does not report at once what it has taken.
const FIRST_RATE: usize = FAIR_RATE / 2;

/// How a client takes what it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReaderPace {
    /// It has taken everything, as far as is known.
    Prompt,
    /// It has taken nothing since this time, when its socket was full, or when as many messages
    /// were unacknowledged as may be.
    Silent(Instant),
    /// It has taken something since it stopped, when the period began, but so little that it need
    /// not have read anything.
    Unproven(ReadingPeriod),
    /// It takes what it is sent, but more slowly than that is published.
    Slow(ReadingPeriod),
    /// It takes nothing, or very little.
    Stuck(ReadingPeriod),
}

/// What a client has taken in a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadingPeriod {
    began: Instant,
    /// When it last took anything.
    last: Instant,
    /// The bytes that it has taken since the period began.
    taken: usize,
}

/// How much waits for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BacklogLevel {
    /// So little that nobody waits.
    Low,
    /// So much that publishers wait for a client that reads.
    High,
    /// So much that soon messages are lost: publishers also wait a little for a client that has
    /// stopped reading.
    NearlyFull,
}

impl ReadingPeriod {
    fn new(now: Instant) -> Self {
        Self { began: now, last: now, taken: 0 }
    }

    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.began) >= HOLD_BACK
    }

    /// Whether publishers wait for a client that reads like this: not much longer than it would
    /// need for what it has taken if it read as slowly as it may.
    fn is_fair(&self, now: Instant) -> bool {
        let has_paused = now.saturating_duration_since(self.last) >= STUCK;
        let worth = time_for(self.taken, FAIR_RATE) + FIRST_SIGN;
        !has_paused && now.saturating_duration_since(self.began) <= worth
    }

    /// The next period of a client that goes on reading.
    fn next(&self, now: Instant) -> Self {
        let elapsed = now.saturating_duration_since(self.began).as_millis();
        let elapsed = usize::try_from(elapsed).unwrap_or(usize::MAX);
        let due = elapsed.saturating_mul(FAIR_RATE / 1000);
        Self { taken: self.taken.saturating_sub(due).min(MOST_CREDIT), ..Self::new(now) }
    }
}

/// How long so many bytes take at a rate in bytes a second.
fn time_for(bytes: usize, rate: usize) -> Duration {
    Duration::from_micros((bytes as u64).saturating_mul(1_000_000) / rate as u64)
}

impl ReaderPace {
    /// The client takes nothing from now on.
    #[inline]
    pub fn stop(&mut self, now: Instant) {
        if let Self::Prompt = self {
            *self = Self::Silent(now);
        }
    }

    /// A client that took nothing has taken something, or acknowledged a message; so many bytes
    /// wait.
    #[inline]
    pub fn go_on(&mut self, waiting: usize, now: Instant) {
        match self {
            Self::Prompt => {}
            _ if waiting <= FAIR_BYTES => *self = Self::Prompt,
            Self::Silent(since) => {
                *self = Self::Unproven(ReadingPeriod { began: *since, last: now, taken: 0 });
            }
            Self::Unproven(period) | Self::Slow(period) | Self::Stuck(period) => period.last = now,
        }
    }

    /// So many bytes were written to the client, and so many wait. Those that were written before
    /// it took nothing any more say nothing about it.
    pub fn take(&mut self, bytes: usize, waiting: usize, now: Instant) {
        match self {
            // It has taken all.
            Self::Silent(_) if waiting == 0 => *self = Self::Prompt,
            Self::Prompt | Self::Silent(_) => {}
            _ if waiting <= FAIR_BYTES => *self = Self::Prompt,
            Self::Unproven(period) => {
                period.taken += bytes;
                let elapsed = now.saturating_duration_since(period.began);
                if time_for(period.taken, FIRST_RATE) >= elapsed {
                    *self = Self::Slow(ReadingPeriod { taken: bytes, ..ReadingPeriod::new(now) });
                }
            }
            Self::Slow(period) => {
                if period.is_over(now) && period.is_fair(now) {
                    *period = period.next(now);
                }
                period.taken += bytes;
            }
            Self::Stuck(period) => {
                if period.is_over(now) {
                    *period = ReadingPeriod::new(now);
                }
                period.taken += bytes;
                if period.taken >= FAIR_BYTES {
                    *self = Self::Slow(ReadingPeriod { taken: bytes, ..ReadingPeriod::new(now) });
                }
            }
        }
    }

    /// Whether publishers wait for the client, for which this much waits, and if it would lose
    /// messages so long after it has stopped.
    #[inline]
    pub fn is_waited_for(&mut self, level: BacklogLevel, patience: Duration, now: Instant) -> bool {
        level != BacklogLevel::Low && self.is_worth_waiting(level, patience, now)
    }

    #[inline(never)]
    fn is_worth_waiting(&mut self, level: BacklogLevel, patience: Duration, now: Instant) -> bool {
        let age = |since| now.saturating_duration_since(since);
        let is_nearly_full = level == BacklogLevel::NearlyFull;
        match self {
            // It was not tried since the last message came, and will be before the next.
            Self::Prompt if is_nearly_full => {
                *self = Self::Silent(now);
                true
            }
            Self::Slow(period) if period.is_fair(now) => true,
            Self::Prompt | Self::Stuck(_) => false,
            Self::Silent(since) | Self::Unproven(ReadingPeriod { began: since, .. })
                if age(*since) < FIRST_SIGN =>
            {
                is_nearly_full && age(*since) < patience
            }
            Self::Silent(since) | Self::Unproven(ReadingPeriod { began: since, .. }) => {
                *self = Self::Stuck(ReadingPeriod::new(*since));
                false
            }
            Self::Slow(_) => {
                *self = Self::Stuck(ReadingPeriod::new(now));
                false
            }
        }
    }

    /// Notes whether the client, for which this much waits, is stuck.
    #[inline]
    pub fn review(&mut self, level: BacklogLevel, now: Instant) {
        if level != BacklogLevel::Low && !self.is_prompt() {
            self.is_worth_waiting(level, Duration::ZERO, now);
        }
    }

    /// Whether the client has taken nothing for a while, or very little.
    #[inline]
    pub fn is_idle(&self, now: Instant) -> bool {
        match self {
            Self::Silent(since) => now.saturating_duration_since(*since) >= IDLE,
            Self::Unproven(period) => now.saturating_duration_since(period.last) >= IDLE,
            Self::Stuck(_) => true,
            Self::Prompt | Self::Slow(_) => false,
        }
    }

    /// Whether the client takes nothing, or very little, and has done so for a while.
    pub fn is_stuck(&self) -> bool {
        matches!(self, Self::Stuck(_))
    }

    /// Whether nobody waits for the client, unless it takes something.
    pub fn is_given_up(&self) -> bool {
        matches!(self, Self::Silent(_) | Self::Unproven(_) | Self::Stuck(_))
    }

    /// Whether the client has taken everything, as far as is known.
    pub fn is_prompt(&self) -> bool {
        matches!(self, Self::Prompt)
    }
}

#[cfg(test)]
mod tests {
    use super::BacklogLevel::{High, Low, NearlyFull};
    use super::*;

    const MIB: usize = 1 << 20;

    fn after(begin: Instant, milliseconds: u64) -> Instant {
        begin + Duration::from_millis(milliseconds)
    }

    #[test]
    fn nobody_waits_for_a_client_that_takes_nothing() {
        for patience in [Duration::ZERO, FIRST_SIGN] {
            let begin = Instant::now();
            let mut reader = ReaderPace::Prompt;
            reader.stop(begin);
            // What was under way.
            reader.take(10 * MIB, 20 * MIB, begin);
            // One that has read before may go on at once.
            let is_known = !patience.is_zero();
            for (at, level, waits) in [
                (0, Low, false),
                (1, High, false),
                (2, NearlyFull, is_known),
                (99, NearlyFull, is_known),
                (100, NearlyFull, false),
                (9999, High, false),
            ] {
                let is_waited_for = reader.is_waited_for(level, patience, after(begin, at));
                assert_eq!(is_waited_for, waits, "{patience:?} {at}");
            }
            assert!(reader.is_stuck());
        }
    }

    #[test]
    fn a_client_that_was_never_seen_to_stop_is_waited_for_a_little_when_messages_would_be_lost() {
        let begin = Instant::now();
        let mut reader = ReaderPace::Prompt;
        for (at, level, waits) in
            [(0, High, false), (5, NearlyFull, true), (15, NearlyFull, false), (105, High, false)]
        {
            let is_waited_for = reader.is_waited_for(level, Duration::ZERO, after(begin, at));
            assert_eq!(is_waited_for, waits, "{at}");
        }
        let mut reader = ReaderPace::Silent(begin);
        reader.take(60 * MIB, 0, after(begin, 1));
        assert_eq!(reader, ReaderPace::Prompt, "it has taken all");
    }

    #[test]
    fn a_client_that_reads_is_waited_for_as_long_as_it_does() {
        let begin = Instant::now();
        let mut reader = ReaderPace::Prompt;
        reader.stop(begin);
        for step in 0..50 {
            let now = after(begin, 100 * (step + 1));
            reader.go_on(10 * MIB, now);
            reader.take(MIB, 10 * MIB, now);
            assert!(reader.is_waited_for(High, FIRST_SIGN, now), "{step}");
        }
        let now = after(begin, 5_100);
        assert!(!reader.is_waited_for(Low, FIRST_SIGN, now));
        reader.go_on(3 * MIB, now);
        assert_eq!(reader, ReaderPace::Prompt);
    }

    #[test]
    fn nobody_waits_for_a_client_that_takes_very_little() {
        // Its system reports now and then that it has taken something.
        for (bytes, every) in [(100_000, 100), (64 << 10, 6_400), (384 << 10, 3_840)] {
            let begin = Instant::now();
            let mut reader = ReaderPace::Prompt;
            reader.stop(begin);
            for step in 0..1000 {
                let now = after(begin, every * (step + 1));
                reader.go_on(60 * MIB, now);
                reader.take(bytes, 60 * MIB, now);
                assert!(!reader.is_waited_for(NearlyFull, FIRST_SIGN, now), "{bytes} {step}");
            }
        }
    }

    /// As long as what it has taken is worth, and no longer.
    #[test]
    fn one_that_reads_at_last_too_slowly_is_waited_for_a_little() {
        let begin = Instant::now();
        let mut reader = ReaderPace::Prompt;
        reader.stop(begin);
        let mut waits = 0;
        for step in 0..1000 {
            let now = after(begin, 10 * (step + 1));
            reader.go_on(60 * MIB, now);
            reader.take(25_000, 60 * MIB, now);
            waits += usize::from(reader.is_waited_for(High, FIRST_SIGN, now));
        }
        assert!((1..40).contains(&waits), "{waits}");
    }

    #[test]
    fn one_that_reads_again_is_waited_for_again() {
        let begin = Instant::now();
        let mut reader = ReaderPace::Stuck(ReadingPeriod::new(begin));
        let later = after(begin, 60_000);
        for _ in 0..3 {
            reader.go_on(60 * MIB, later);
            reader.take(MIB, 60 * MIB, later);
            assert!(!reader.is_waited_for(NearlyFull, FIRST_SIGN, later));
        }
        reader.take(MIB, 60 * MIB, later);
        assert!(reader.is_waited_for(High, FIRST_SIGN, after(later, 249)));
        assert!(!reader.is_waited_for(High, FIRST_SIGN, after(later, 250)), "it has paused");
        // Or it has read all.
        reader.take(MIB, 0, after(later, 500));
        assert_eq!(reader, ReaderPace::Prompt);
    }
}
