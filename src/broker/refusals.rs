//! Which refusals and warnings are worth a line, pure: a few in a while are written, the rest is
//! counted.

use std::time::{Duration, Instant};

/// Lines that are written within [`PERIOD`].
const LINES: u32 = 10;
/// The time after which lines are written again.
const PERIOD: Duration = Duration::from_secs(10);

/// All that clients can cause to be told: a flood of one kind hides nothing of the others.
#[derive(Debug, Default)]
pub struct Refusals {
    /// Requests for something other than an upgrade that is granted.
    pub upgrades: RefusalLines,
    /// TLS handshakes that have failed.
    pub handshakes: RefusalLines,
    /// Messages that were lost, and the like.
    pub warnings: RefusalLines,
}

impl Refusals {
    /// When those that got no line are due.
    pub fn deadline(&self) -> Option<Instant> {
        let Self { upgrades, handshakes, warnings } = self;
        [upgrades, handshakes, warnings].into_iter().filter_map(RefusalLines::deadline).min()
    }

    /// The lines about those that got none, as far as they are due at `now`; with `None` they are
    /// due.
    pub fn summaries(&mut self, now: Option<Instant>) -> Vec<String> {
        let Self { upgrades, handshakes, warnings } = self;
        let upgrades = upgrades.take_left_out(now).map(|count| {
            let upgrades = if count == 1 { "upgrade was" } else { "upgrades were" };
            format!("{count} more {upgrades} refused; -d shows each of them")
        });
        let handshakes = handshakes.take_left_out(now).map(|count| {
            let handshakes = if count == 1 { "TLS handshake" } else { "TLS handshakes" };
            format!("{count} more {handshakes} failed; -d shows each of them")
        });
        let warnings = warnings.take_left_out(now).map(|count| {
            let warnings = if count == 1 { "warning" } else { "warnings" };
            format!("{count} more {warnings}; -d shows each of them")
        });
        upgrades.into_iter().chain(handshakes).chain(warnings).collect()
    }
}

/// The refusals of one kind in the last while.
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

    fn deadline(&self) -> Option<Instant> {
        self.ends_at.filter(|_| self.left_out > 0)
    }

    /// How many got no line, if that is due at `now`.
    fn take_left_out(&mut self, now: Option<Instant>) -> Option<u64> {
        let at = self.deadline()?;
        if now.is_some_and(|now| now < at) {
            return None;
        }
        Some(std::mem::take(self).left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted() {
        let mut refusals = Refusals::default();
        let begin = Instant::now();
        let written = (0..1000).filter(|_| refusals.upgrades.count(begin)).count();
        assert_eq!((written, refusals.deadline()), (10, Some(begin + PERIOD)));
        let later = begin + PERIOD / 2;
        let written = (0..11).filter(|_| refusals.handshakes.count(later)).count();
        assert_eq!((written, refusals.deadline()), (10, Some(begin + PERIOD)));
        assert!(refusals.summaries(Some(begin)).is_empty());
        let text = "990 more upgrades were refused; -d shows each of them";
        assert_eq!(refusals.summaries(Some(begin + PERIOD)), [text]);
        assert_eq!(refusals.deadline(), Some(later + PERIOD));
        let text = "1 more TLS handshake failed; -d shows each of them";
        assert_eq!(refusals.summaries(None), [text]);
        assert_eq!(refusals.deadline(), None);
        assert!(refusals.summaries(None).is_empty() && refusals.upgrades.count(begin + PERIOD));
        for number in 0..12 {
            assert_eq!(refusals.warnings.count(later), number < 10);
        }
        assert_eq!(refusals.deadline(), Some(later + PERIOD));
        assert_eq!(refusals.summaries(None), ["2 more warnings; -d shows each of them"]);
    }

    #[test]
    fn those_that_come_one_by_one_have_a_line_each() {
        let mut lines = RefusalLines::default();
        let begin = Instant::now();
        for number in 0..100 {
            assert!(lines.count(begin + PERIOD / 5 * number), "{number}");
        }
        assert_eq!(lines.deadline(), None);
    }
}
