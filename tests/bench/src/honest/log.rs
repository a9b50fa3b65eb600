//! What the scripted broker did with each message, by its own clock.

/// One message.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// When it was due, as its payload says, in nanoseconds of `CLOCK_MONOTONIC`.
    pub intended: u64,
    /// When it had come.
    pub came: u64,
    /// When the write began in which it left.
    pub left: u64,
    /// When that write had ended: a system call, at the end of which another core is woken.
    pub written: u64,
}

/// Everything that was passed on.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// In the order of leaving; one for each reader of a message.
    pub entries: Vec<Entry>,
    /// How many left after a later message of the same topic.
    pub reordered: u64,
}

impl Log {
    /// What is known of the last `count` messages, by the times at which they were due.
    pub fn of_last(&self, count: usize) -> Self {
        let mut entries = self.entries.clone();
        entries.sort_unstable_by_key(|entry| entry.intended);
        entries.drain(..entries.len().saturating_sub(count));
        Self { entries, ..*self }
    }

    /// How long the messages were kept, the time at this share.
    pub fn kept(&self, share: f64) -> u64 {
        at(share, self.entries.iter().map(|entry| entry.left - entry.came).collect())
    }

    /// From the intended time to the end of the write, the time at this share.
    pub fn written(&self, share: f64) -> u64 {
        let times = self.entries.iter().map(|entry| entry.written.saturating_sub(entry.intended));
        at(share, times.collect())
    }

    /// From the intended time to leaving, the time at this share.
    pub fn whole(&self, share: f64) -> u64 {
        let times = self.entries.iter().map(|entry| entry.left.saturating_sub(entry.intended));
        at(share, times.collect())
    }
}

/// The time at this place of all: the `ceil(share * n)`-th.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "nobody counts to 2^52"
)]
fn at(share: f64, mut times: Vec<u64>) -> u64 {
    times.sort_unstable();
    let place = (share * times.len() as f64 - 1e-6).ceil() as usize;
    times.get(place.max(1) - 1).copied().unwrap_or(0)
}
