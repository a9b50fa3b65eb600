//! When the next message may be published: `--rate`, `--repeat-delay`, `--replay`.

use std::time::{Duration, Instant};

/// A delay of up to this is caught up with `--rate`; a longer one is not, or a burst would follow a
/// standstill.
const PATIENCE: Duration = Duration::from_secs(1);

/// Messages that are this far apart are slow.
const SLOW: Duration = Duration::from_secs(1);

/// When the next message is due.
#[derive(Debug)]
pub enum Pace {
    /// As fast as it goes.
    Free,
    /// So long after the one before.
    After {
        /// How long.
        delay: Duration,
        /// When the one before was published.
        latest: Option<Instant>,
    },
    /// One in each interval; a late one does not delay the next.
    Every {
        /// How long.
        interval: Duration,
        /// When the next one is due.
        next: Option<Instant>,
    },
    /// As far from the first as its time says.
    Replay {
        /// How many times as fast.
        speed: f64,
        /// The time of the first one, since 1970, and when it was published.
        first: Option<(Duration, Instant)>,
    },
}

impl Pace {
    /// At most this many messages a second.
    pub fn rate(rate: f64) -> Self {
        let interval = Duration::try_from_secs_f64(rate.recip()).unwrap_or(Duration::MAX);
        Self::Every { interval, next: None }
    }

    /// So long after the one before.
    pub fn delay(delay: Duration) -> Self {
        Self::After { delay, latest: None }
    }

    /// With the intervals that the records had, this many times as fast.
    pub fn replay(speed: f64) -> Self {
        Self::Replay { speed, first: None }
    }

    /// Whether the time does not matter.
    pub fn is_free(&self) -> bool {
        matches!(self, Self::Free)
    }

    /// Whether there is a delay from one to the next.
    pub fn is_delay(&self) -> bool {
        matches!(self, Self::After { .. })
    }

    /// Whether records keep their distances.
    pub fn is_replay(&self) -> bool {
        matches!(self, Self::Replay { .. })
    }

    /// When the next message is due; `time` is when the recorded message arrived, since 1970.
    /// `None` is now, also where the clock cannot show the time.
    pub fn due(&self, time: Option<Duration>) -> Option<Instant> {
        match self {
            Self::Free => None,
            Self::After { delay, latest } => latest.and_then(|latest| latest.checked_add(*delay)),
            Self::Every { next, .. } => *next,
            Self::Replay { speed, first } => {
                let (first, published) = (*first)?;
                let distance = time?.saturating_sub(first).as_secs_f64() / speed;
                published.checked_add(Duration::try_from_secs_f64(distance).ok()?)
            }
        }
    }

    /// When the last of `left` more messages is due, where they are at least a second apart: their
    /// recent rate says little then.
    pub fn end_of(&self, left: u64) -> Option<Instant> {
        let (next, interval) = match self {
            Self::Free | Self::Replay { .. } => return None,
            Self::After { delay, .. } => (self.due(None)?, *delay),
            Self::Every { interval, next } => ((*next)?, *interval),
        };
        let others = u32::try_from(left.saturating_sub(1)).ok()?;
        let is_slow = left > 0 && interval >= SLOW;
        is_slow.then(|| next.checked_add(interval.checked_mul(others)?)).flatten()
    }

    /// The next message was published now.
    pub fn published(&mut self, time: Option<Duration>, now: Instant) {
        match self {
            Self::Free => {}
            Self::After { latest, .. } => *latest = Some(now),
            Self::Every { interval, next } => {
                let due = next.filter(|due| now.duration_since(*due) < PATIENCE).unwrap_or(now);
                *next = due.checked_add(*interval);
            }
            Self::Replay { first, .. } => {
                if let (None, Some(time)) = (&first, time) {
                    *first = Some((time, now));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_rate_is_kept_and_a_standstill_is_not_made_up_for() {
        let start = Instant::now();
        let mut pace = Pace::Every { interval: SECOND / 10, next: None };
        assert_eq!(pace.due(None), None);
        pace.published(None, start);
        assert_eq!(pace.due(None), Some(start + SECOND / 10));
        pace.published(None, start + SECOND / 2);
        assert_eq!(pace.due(None), Some(start + SECOND / 5), "late, and so the next one is sooner");
        pace.published(None, start + SECOND * 9);
        assert_eq!(pace.due(None), Some(start + SECOND * 9 + SECOND / 10));
    }

    #[test]
    fn a_delay_is_kept_from_one_to_the_next() {
        let start = Instant::now();
        let mut pace = Pace::After { delay: SECOND, latest: None };
        assert_eq!(pace.due(None), None);
        pace.published(None, start + SECOND * 3);
        assert_eq!(pace.due(None), Some(start + SECOND * 4));
    }

    #[test]
    fn distances_are_replayed() {
        let start = Instant::now();
        let mut pace = Pace::Replay { speed: 2.0, first: None };
        assert_eq!(pace.due(Some(SECOND * 100)), None);
        pace.published(Some(SECOND * 100), start);
        assert_eq!(pace.due(Some(SECOND * 104)), Some(start + SECOND * 2));
        assert_eq!(pace.due(Some(SECOND * 99)), Some(start), "what was before the first is late");
        assert_eq!(pace.due(None), None);
    }

    #[test]
    fn the_end_of_a_slow_stream_is_known() {
        let start = Instant::now();
        let mut slow = [Pace::delay(100 * SECOND), Pace::rate(0.01)];
        for pace in &mut slow {
            assert_eq!(pace.end_of(4), None, "nothing was published");
            pace.published(None, start);
            assert_eq!(pace.end_of(3), Some(start + 300 * SECOND));
            assert_eq!((pace.end_of(0), pace.end_of(u64::MAX)), (None, None));
        }
        let mut fast = Pace::rate(2.0);
        fast.published(None, start);
        assert_eq!((fast.end_of(3), Pace::Free.end_of(3)), (None, None));
    }
}
