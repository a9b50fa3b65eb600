//! Which refusals are worth a line, pure: a few in a while are written, the rest is counted.

use std::time::{Duration, Instant};

/// Lines that are written within [`PERIOD`].
const LINES: u32 = 10;
/// The time after which lines are written again.
const PERIOD: Duration = Duration::from_secs(10);

/// The refusals of the last while.
#[derive(Debug, Default)]
pub struct RefusalLines {
    /// When lines are written again, after the first of a while.
    ends_at: Option<Instant>,
    written: u32,
    left_out: u64,
}

impl RefusalLines {
    /// Counts a refusal: whether there is to be a line about it.
    pub fn count(&mut self, now: Instant) -> bool {
        if self.left_out == 0 && self.ends_at.is_none_or(|at| at <= now) {
            *self = Self { ends_at: Some(now + PERIOD), ..Self::default() };
        }
        let is_written = self.written < LINES;
        if is_written {
            self.written += 1;
        } else {
            self.left_out += 1;
        }
        is_written
    }

    /// When those that got no line are due.
    pub fn deadline(&self) -> Option<Instant> {
        self.ends_at.filter(|_| self.left_out > 0)
    }

    /// The line about those that got none, if it is due at `now`; with `None` it is due.
    pub fn summary(&mut self, now: Option<Instant>) -> Option<String> {
        let at = self.deadline()?;
        if now.is_some_and(|now| now < at) {
            return None;
        }
        let count = std::mem::take(self).left_out;
        let upgrades = if count == 1 { "upgrade was" } else { "upgrades were" };
        Some(format!("{count} more {upgrades} refused; -d shows each of them"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted() {
        let mut lines = RefusalLines::default();
        let begin = Instant::now();
        let written = (0..1000).filter(|_| lines.count(begin)).count();
        assert_eq!((written, lines.deadline()), (10, Some(begin + PERIOD)));
        assert_eq!(lines.summary(Some(begin)), None);
        let text = "990 more upgrades were refused; -d shows each of them";
        assert_eq!(lines.summary(Some(begin + PERIOD)).as_deref(), Some(text));
        assert_eq!((lines.deadline(), lines.summary(None)), (None, None));
        assert!(lines.count(begin + PERIOD));
    }

    #[test]
    fn those_that_come_one_by_one_have_a_line_each() {
        let mut lines = RefusalLines::default();
        let begin = Instant::now();
        for number in 0..100 {
            assert!(lines.count(begin + PERIOD / 5 * number), "{number}");
        }
        assert_eq!(lines.summary(None), None);
    }
}
