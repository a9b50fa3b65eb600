//! `--message-rate`: how many messages and bytes come in a second, told on stderr again and again.

use std::time::{Duration, Instant};

use crate::report;
use crate::stdio::written::Counts;

/// Tells the rate.
#[derive(Debug)]
pub struct RateTeller {
    interval: Duration,
    /// When the latest line was written, or the first time began.
    since: Instant,
    /// What had come by then.
    before: Counts,
}

impl RateTeller {
    /// The first line comes after this time.
    pub fn new(interval: Duration, now: Instant) -> Self {
        Self { interval, since: now, before: Counts::default() }
    }

    /// Writes a line, if one is due; when the next is.
    pub fn tick(&mut self, counts: Counts, now: Instant) -> Option<Instant> {
        let due = self.since.checked_add(self.interval)?;
        if due > now {
            return Some(due);
        }
        self.tell(counts, now);
        now.checked_add(self.interval)
    }

    /// The last line, about what came since the one before.
    pub fn finish(&mut self, counts: Counts, now: Instant) {
        if counts.messages > self.before.messages {
            self.tell(counts, now);
        }
    }

    fn tell(&mut self, counts: Counts, now: Instant) {
        let seconds = now.saturating_duration_since(self.since);
        let messages = per_second(counts.messages.saturating_sub(self.before.messages), seconds);
        let bytes = per_second(counts.bytes.saturating_sub(self.before.bytes), seconds);
        report::line(&format!("{messages:.1} messages/s, {bytes:.0} bytes/s"));
        (self.since, self.before) = (now, counts);
    }
}

#[expect(clippy::cast_precision_loss, reason = "nobody counts 2^52 messages or bytes")]
fn per_second(number: u64, time: Duration) -> f64 {
    let seconds = time.as_secs_f64();
    if seconds > 0.0 { number as f64 / seconds } else { 0.0 }
}
