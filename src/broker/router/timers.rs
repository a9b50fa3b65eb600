//! Everything that will happen by itself, in order of time. It never asks what time it is.

use std::collections::BTreeSet;
use std::time::Instant;

use super::{ConnectionId, SessionKey};

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Alarm {
    /// Look whether this connection was silent for too long (§3.1.2.10).
    Silence(ConnectionId),
    /// Publish the will of this session (§3.1.3.2.2).
    Will(SessionKey),
    /// Forget this session (§3.1.2.11.2).
    Expiry(SessionKey),
}

/// A set of alarms.
#[derive(Debug, Default)]
pub struct Timers(BTreeSet<(Instant, Alarm)>);

impl Timers {
    /// Sets an alarm.
    pub fn set(&mut self, at: Instant, alarm: Alarm) {
        self.0.insert((at, alarm));
    }

    /// Takes an alarm back; `at` is when it was set for, if it was.
    pub fn cancel(&mut self, at: Option<Instant>, alarm: Alarm) {
        if let Some(at) = at {
            self.0.remove(&(at, alarm));
        }
    }

    /// When the next alarm is due.
    pub fn next(&self) -> Option<Instant> {
        self.0.first().map(|(at, _)| *at)
    }

    /// Takes the next alarm out if it is due at `now`.
    pub fn due(&mut self, now: Instant) -> Option<Alarm> {
        if self.next()? > now {
            return None;
        }
        self.0.pop_first().map(|(_, alarm)| alarm)
    }
}
