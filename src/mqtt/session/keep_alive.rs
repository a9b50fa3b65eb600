//! Keep Alive (§3.1.2.10): a PINGREQ when nothing else was sent for a while, and the answer awaited.

use std::time::{Duration, Instant};

use super::Silence;

/// The two timers of one connection.
#[derive(Debug)]
pub struct KeepAlive {
    /// `None`: the keep alive is off.
    every: Option<Duration>,
    last_sent: Option<Instant>,
    /// When the oldest unanswered PINGREQ of ours left.
    awaiting: Option<Instant>,
    /// PINGREQs that the caller sent and whose answers it wants to see.
    asked: u32,
    held: bool,
}

impl KeepAlive {
    /// No keep alive.
    pub fn off() -> Self {
        Self { every: None, last_sent: None, awaiting: None, asked: 0, held: false }
    }

    /// A PINGREQ whenever nothing was sent for `seconds`; 0 turns it off.
    pub fn every(seconds: u16, now: Instant) -> Self {
        let every = (seconds > 0).then(|| Duration::from_secs(u64::from(seconds)));
        Self { every, last_sent: Some(now), ..Self::off() }
    }

    /// Something was sent.
    pub fn sent(&mut self, now: Instant) {
        self.last_sent = Some(now);
    }

    /// Something was received: the server lives, even if its PINGRESP stands behind a large message.
    pub fn received(&mut self, now: Instant) {
        if self.awaiting.is_some() {
            self.awaiting = Some(now);
        }
    }

    /// The caller sends a PINGREQ of its own.
    pub fn asked(&mut self) {
        self.asked += 1;
    }

    /// A PINGRESP came; whether it answers the caller.
    pub fn pong(&mut self) -> bool {
        if self.awaiting.take().is_some() && self.asked == 0 {
            return false;
        }
        let answers = self.asked > 0;
        self.asked = self.asked.saturating_sub(1);
        answers
    }

    /// See [`super::Session::hold`].
    pub fn hold(&mut self, held: bool, now: Instant) {
        if self.held && !held {
            self.received(now);
        }
        self.held = held;
    }

    /// When a PINGREQ is due, or its answer overdue.
    pub fn deadline(&self) -> Option<Instant> {
        let ping = self.last_sent? + self.every?;
        let silence = self.awaiting.filter(|_| !self.held).map(|since| since + self.patience());
        Some(silence.map_or(ping, |silence| ping.min(silence)))
    }

    /// Whether a PINGREQ is due now.
    pub fn expire(&mut self, now: Instant) -> Result<bool, Silence> {
        let (Some(every), Some(last_sent)) = (self.every, self.last_sent) else { return Ok(false) };
        if let Some(since) = self.awaiting
            && !self.held
            && now >= since + self.patience()
        {
            return Err(Silence { waited: now - since });
        }
        let due = now >= last_sent + every;
        if due {
            self.last_sent = Some(now);
            self.awaiting.get_or_insert(now);
        }
        Ok(due)
    }

    /// How long the server may take to answer: as long as the keep alive itself, 30 s at most.
    fn patience(&self) -> Duration {
        self.every.map_or(Duration::MAX, |every| every.min(Duration::from_secs(30)))
    }
}
