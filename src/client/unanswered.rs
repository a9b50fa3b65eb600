//! A broker that does not answer a SUBSCRIBE or an UNSUBSCRIBE: for how long it may, and what comes
//! of it. It must never know what was asked, but for its name.

use std::time::{Duration, Instant};

use super::{Client, Error};

/// A pause of so long ends what a broker has to say first: many send retained messages before
/// SUBACK.
const PAUSE: Duration = Duration::from_secs(1);

/// A broker that never pauses may take so many times as long.
const TALKATIVE: u32 = 3;

/// Since when an answer is awaited.
#[derive(Debug)]
pub struct Asked {
    since: Instant,
    /// When something came the last time.
    heard: Option<Instant>,
}

impl Asked {
    /// Until when, if `patience` is what a silent broker may take.
    pub fn until(&self, patience: Duration) -> Instant {
        let pause = self.heard.map_or(self.since, |heard| heard + PAUSE.min(patience));
        (self.since + patience).max(pause).min(self.since + patience * TALKATIVE)
    }
}

impl Client {
    /// Begins to wait for an answer, or ends it. While we read nothing, or are not connected,
    /// nobody waits.
    pub(super) fn await_answer(&mut self) {
        if !self.session.has_pending_subscribe() || self.held {
            self.asked = None;
        } else if self.asked.is_none() {
            self.asked = Some(Asked { since: self.now, heard: None });
        }
    }

    /// Something came.
    pub(super) fn heard(&mut self) {
        if let Some(asked) = &mut self.asked {
            asked.heard = Some(Instant::now());
        }
    }

    /// Whether the time is up.
    pub(super) fn check_answer(&mut self) -> Result<(), Error> {
        let after = self.options.connect_timeout;
        let is_up = self.asked.as_ref().is_some_and(|asked| asked.until(after) <= self.now);
        match self
            .session
            .pending_subscribe()
            .filter(|_| is_up && self.session.has_pending_subscribe())
        {
            Some(unanswered) => Err(Error::Unanswered { what: unanswered.to_string(), after }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_goes_on_talking_may_take_longer() {
        let (since, second) = (Instant::now(), Duration::from_secs(1));
        let until = |heard: Option<u32>| {
            let asked = Asked { since, heard: heard.map(|seconds| since + second * seconds) };
            (asked.until(second * 10) - since).as_secs()
        };
        assert_eq!([None, Some(3), Some(10), Some(25), Some(40)].map(until), [10, 10, 11, 26, 30]);
    }
}
