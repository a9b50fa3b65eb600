//! How a client takes what it is sent, and whether publishers wait for it: for one that reads, but
//! more slowly than others publish. One that does not read costs them nothing.

use std::time::Instant;

use crate::broker::limits::{FIRST_SIGN, HOLD_BACK, IDLE, SLOW_BYTES, STUCK};

/// A client that takes fewer bytes than these in [`HOLD_BACK`] is not waited for. One for which
/// fewer wait has caught up.
const FAIR_BYTES: usize = SLOW_BYTES / 2;

/// How a client takes what it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReaderPace {
    /// It has taken everything, as far as is known.
    Prompt,
    /// It has taken nothing since this time, when its socket was full, or when as many messages
    /// were unacknowledged as may be.
    Silent(Instant),
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
    /// So much that soon messages are lost: publishers also wait a little for a client of which is
    /// not known whether it reads.
    NearlyFull,
}

impl ReadingPeriod {
    fn new(now: Instant) -> Self {
        Self { began: now, last: now, taken: 0 }
    }

    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.began) >= HOLD_BACK
    }

    /// Whether publishers wait for a client that reads like this.
    fn is_fair(&self, now: Instant) -> bool {
        let has_paused = now.saturating_duration_since(self.last) >= STUCK;
        !has_paused && (self.taken >= FAIR_BYTES || !self.is_over(now))
    }
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
            Self::Silent(_) => *self = Self::Slow(ReadingPeriod::new(now)),
            Self::Slow(period) | Self::Stuck(period) => period.last = now,
        }
    }

    /// So many bytes were written to the client, and so many wait. Those that were written before
    /// it took nothing any more say nothing about it.
    pub fn take(&mut self, bytes: usize, waiting: usize, now: Instant) {
        match self {
            // It has taken all.
            Self::Silent(_) if waiting == 0 => *self = Self::Prompt,
            Self::Prompt | Self::Silent(_) => {}
            Self::Slow(_) | Self::Stuck(_) if waiting <= FAIR_BYTES => *self = Self::Prompt,
            Self::Slow(period) => {
                period.taken += bytes;
                if period.is_over(now) && period.taken >= FAIR_BYTES {
                    *period = ReadingPeriod::new(now);
                }
            }
            Self::Stuck(period) => {
                if period.is_over(now) {
                    *period = ReadingPeriod::new(now);
                }
                period.taken += bytes;
                if period.taken >= FAIR_BYTES {
                    *self = Self::Slow(ReadingPeriod::new(now));
                }
            }
        }
    }

    /// Whether publishers wait for the client, for which this much waits.
    #[inline]
    pub fn is_waited_for(&mut self, level: BacklogLevel, now: Instant) -> bool {
        level != BacklogLevel::Low && self.is_worth_waiting(level, now)
    }

    #[inline(never)]
    fn is_worth_waiting(&mut self, level: BacklogLevel, now: Instant) -> bool {
        let is_silent = |since| now.saturating_duration_since(since) >= FIRST_SIGN;
        match self {
            Self::Prompt if level == BacklogLevel::NearlyFull => {
                *self = Self::Silent(now);
                true
            }
            Self::Silent(since) if !is_silent(*since) => level == BacklogLevel::NearlyFull,
            Self::Slow(period) if period.is_fair(now) => true,
            Self::Prompt | Self::Stuck(_) => false,
            Self::Silent(_) | Self::Slow(_) => {
                *self = Self::Stuck(ReadingPeriod::new(now));
                false
            }
        }
    }

    /// Whether the client has taken nothing for a while, or very little.
    #[inline]
    pub fn is_idle(&self, now: Instant) -> bool {
        match self {
            Self::Silent(since) => now.saturating_duration_since(*since) >= IDLE,
            Self::Stuck(_) => true,
            Self::Prompt | Self::Slow(_) => false,
        }
    }

    /// Whether the client takes nothing, or very little.
    pub fn is_stuck(&self) -> bool {
        matches!(self, Self::Stuck(_))
    }

    /// Whether the client has taken everything, as far as is known.
    pub fn is_prompt(&self) -> bool {
        matches!(self, Self::Prompt)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::BacklogLevel::{High, Low, NearlyFull};
    use super::*;

    const MIB: usize = 1 << 20;

    fn after(begin: Instant, milliseconds: u64) -> Instant {
        begin + Duration::from_millis(milliseconds)
    }

    #[test]
    fn nobody_waits_for_a_client_that_takes_nothing() {
        let begin = Instant::now();
        let mut reader = ReaderPace::Prompt;
        reader.stop(begin);
        // What was under way.
        reader.take(10 * MIB, 20 * MIB, begin);
        for (at, level, waits) in [
            (0, Low, false),
            (1, High, false),
            (2, NearlyFull, true),
            (99, NearlyFull, true),
            (100, NearlyFull, false),
            (9999, High, false),
        ] {
            assert_eq!(reader.is_waited_for(level, after(begin, at)), waits, "{at}");
        }
        assert!(reader.is_stuck());
    }

    #[test]
    fn a_client_that_was_never_seen_to_stop_is_waited_for_a_little_when_messages_would_be_lost() {
        let begin = Instant::now();
        let mut reader = ReaderPace::Prompt;
        for (at, level, waits) in
            [(0, High, false), (5, NearlyFull, true), (104, NearlyFull, true), (105, High, false)]
        {
            assert_eq!(reader.is_waited_for(level, after(begin, at)), waits, "{at}");
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
            assert!(reader.is_waited_for(High, now), "{step}");
            reader.take(MIB, 10 * MIB, now);
        }
        let now = after(begin, 5_100);
        assert!(!reader.is_waited_for(Low, now));
        reader.go_on(3 * MIB, now);
        assert_eq!(reader, ReaderPace::Prompt);
    }

    #[test]
    fn a_client_that_takes_very_little_is_waited_for_once() {
        let begin = Instant::now();
        let mut reader = ReaderPace::Prompt;
        reader.stop(begin);
        let mut waits = 0;
        for step in 0..1000 {
            let now = after(begin, 100 * (step + 1));
            reader.go_on(60 * MIB, now);
            waits += usize::from(reader.is_waited_for(NearlyFull, now));
            reader.take(100_000, 60 * MIB, now);
        }
        assert_eq!(waits, 10);
    }

    #[test]
    fn one_that_reads_again_is_waited_for_again() {
        let begin = Instant::now();
        let mut reader = ReaderPace::Stuck(ReadingPeriod::new(begin));
        let later = after(begin, 60_000);
        for _ in 0..3 {
            reader.go_on(60 * MIB, later);
            reader.take(MIB, 60 * MIB, later);
            assert!(!reader.is_waited_for(NearlyFull, later));
        }
        reader.take(MIB, 60 * MIB, later);
        assert!(reader.is_waited_for(High, after(later, 249)));
        assert!(!reader.is_waited_for(High, after(later, 250)), "it has paused");
        // Or it has read all.
        reader.take(MIB, 0, after(later, 500));
        assert_eq!(reader, ReaderPace::Prompt);
    }
}
