//! How long the answer to a SUBSCRIBE or an UNSUBSCRIBE is waited for.

use std::time::{Duration, Instant};

/// After a pause of this length the answer counts as missing: many brokers send retained messages
/// before SUBACK.
const PAUSE: Duration = Duration::from_secs(1);

/// A broker that never pauses may take this many times as long.
const TALKATIVE: u32 = 3;

/// A SUBSCRIBE or an UNSUBSCRIBE that awaits its answer.
#[derive(Debug)]
pub struct AnswerTimer {
    since: Instant,
    /// When something came the last time.
    received: Option<Instant>,
}

impl AnswerTimer {
    /// It was sent now.
    pub fn new(now: Instant) -> Self {
        Self { since: now, received: None }
    }

    /// Bytes came.
    pub fn received(&mut self, now: Instant) {
        self.received = Some(now);
    }

    /// Until when it is awaited, if `patience` is what a silent broker may take.
    pub fn until(&self, patience: Duration) -> Instant {
        let pause = self.received.map_or(self.since, |received| received + PAUSE.min(patience));
        (self.since + patience).max(pause).min(self.since + patience * TALKATIVE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_that_goes_on_sending_may_take_longer() {
        let (since, second) = (Instant::now(), Duration::from_secs(1));
        let until = |received: Option<u32>| {
            let mut pending = AnswerTimer::new(since);
            if let Some(seconds) = received {
                pending.received(since + second * seconds);
            }
            (pending.until(second * 10) - since).as_secs()
        };
        assert_eq!([None, Some(3), Some(10), Some(25), Some(40)].map(until), [10, 10, 11, 26, 30]);
    }
}
