//! Keep Alive (§3.1.2.10): a PINGREQ when nothing else was sent for a while, and the answer
//! awaited.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Silence;

/// The two timers of one connection.
#[derive(Debug)]
pub struct KeepAlive {
    /// `None`: the keep alive is off.
    every: Option<Duration>,
    last_sent: Option<Instant>,
    /// Since when nothing has come, although a PINGREQ of ours is unanswered.
    awaiting: Option<Instant>,
    /// The unanswered PINGREQs, in order: who wants to see the answer.
    unanswered: VecDeque<Asker>,
    held: bool,
}

/// Who sent a PINGREQ. PINGRESPs come in the same order, and nothing else tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asker {
    Caller,
    KeepAlive,
}

impl KeepAlive {
    /// No keep alive.
    pub fn off() -> Self {
        Self {
            every: None,
            last_sent: None,
            awaiting: None,
            unanswered: VecDeque::new(),
            held: false,
        }
    }

    /// A PINGREQ whenever nothing was sent for `seconds`; 0 turns it off. `held`: see
    /// [`KeepAlive::hold`].
    pub fn every(seconds: u16, now: Instant, held: bool) -> Self {
        let every = (seconds > 0).then(|| Duration::from_secs(u64::from(seconds)));
        Self { every, last_sent: Some(now), held, ..Self::off() }
    }

    /// The keep alive, unless it is off.
    pub fn interval(&self) -> Option<Duration> {
        self.every
    }

    /// Something was sent.
    pub fn sent(&mut self, now: Instant) {
        self.last_sent = Some(now);
    }

    /// Something was received: the server lives, even if its PINGRESP stands behind a large
    /// message.
    pub fn received(&mut self, now: Instant) {
        if self.awaiting.is_some() {
            self.awaiting = Some(now);
        }
    }

    /// The caller sends a PINGREQ of its own.
    pub fn asked(&mut self) {
        self.unanswered.push_back(Asker::Caller);
    }

    /// A PINGRESP came; whether it answers the caller.
    pub fn pong(&mut self) -> bool {
        let asker = self.unanswered.pop_front();
        if !self.unanswered.contains(&Asker::KeepAlive) {
            self.awaiting = None;
        }
        asker == Some(Asker::Caller)
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
            self.unanswered.push_back(Asker::KeepAlive);
        }
        Ok(due)
    }

    /// How long the server may take to answer: as long as the keep alive itself, 30 s at most.
    fn patience(&self) -> Duration {
        self.every.map_or(Duration::MAX, |every| every.min(Duration::from_secs(30)))
    }
}
