//! Keep Alive (§3.1.2.10): when a PINGREQ is due, and how long its answer may take.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Silence;

/// The two timers of one connection.
#[derive(Debug, Default)]
pub struct KeepAlive {
    /// `None` if the keep alive is off.
    every: Option<Duration>,
    last_sent: Option<Instant>,
    /// The time of the last packet received while a PINGREQ is unanswered.
    awaiting: Option<Instant>,
    /// The senders of the unanswered PINGREQs, in order.
    unanswered: VecDeque<PingSender>,
    /// The caller does not read, see [`super::Session::hold`]. This may outlast a connection.
    held: bool,
}

/// The sender of a PINGREQ. PINGRESPs arrive in the order of the PINGREQs, and nothing else tells
/// them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PingSender {
    Caller,
    KeepAlive,
}

impl KeepAlive {
    /// Turns the keep alive off: a connection has none before CONNACK or after it is lost.
    pub fn stop(&mut self) {
        *self = Self { held: self.held, ..Self::default() };
    }

    /// Makes a PINGREQ due whenever nothing was sent for `seconds`; 0 turns the keep alive off.
    pub fn start(&mut self, seconds: u16, now: Instant) {
        self.stop();
        self.every = (seconds > 0).then(|| Duration::from_secs(u64::from(seconds)));
        self.last_sent = Some(now);
    }

    /// The keep alive, or `None` if it is off.
    pub fn interval(&self) -> Option<Duration> {
        self.every
    }

    /// Something was sent.
    pub fn sent(&mut self, now: Instant) {
        self.last_sent = Some(now);
    }

    /// Something was received: the server is alive, even if its PINGRESP waits after a large
    /// message.
    pub fn received(&mut self, now: Instant) {
        if self.awaiting.is_some() {
            self.awaiting = Some(now);
        }
    }

    /// The caller sends a PINGREQ of its own.
    pub fn asked(&mut self) {
        self.unanswered.push_back(PingSender::Caller);
    }

    /// Handles PINGRESP. Returns whether it answers a PINGREQ of the caller.
    pub fn pong(&mut self) -> bool {
        let sender = self.unanswered.pop_front();
        if !self.unanswered.contains(&PingSender::KeepAlive) {
            self.awaiting = None;
        }
        sender == Some(PingSender::Caller)
    }

    /// See [`super::Session::hold`].
    pub fn hold(&mut self, held: bool, now: Instant) {
        if self.held && !held {
            self.received(now);
        }
        self.held = held;
    }

    /// Whether the PINGREQ of the keep alive waits for its answer.
    pub fn awaits_answer(&self) -> bool {
        self.awaiting.is_some()
    }

    /// The time at which a PINGREQ is due or its answer overdue.
    pub fn deadline(&self) -> Option<Instant> {
        let ping = self.last_sent? + self.every?;
        let silence = self.awaiting.filter(|_| !self.held).map(|since| since + self.patience());
        Some(silence.map_or(ping, |silence| ping.min(silence)))
    }

    /// Whether a PINGREQ is due now. An error if the server has not answered the last one in time.
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
            self.unanswered.push_back(PingSender::KeepAlive);
        }
        Ok(due)
    }

    /// How long the server may take to answer: as long as the keep alive, but at most 30 s. A
    /// server that is alive needs no longer, and a user should not wait longer.
    fn patience(&self) -> Duration {
        self.every.map_or(Duration::MAX, |every| every.min(Duration::from_secs(30)))
    }
}
