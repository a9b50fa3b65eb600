//! A server that stops in the middle of a message, or does not acknowledge what we have published:
//! the user is told once.

use std::time::{Duration, Instant};

use super::{Action, Lifecycle};

/// After this time without progress the user is told.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a connection waits for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Awaited {
    /// The rest of a message that has begun to arrive.
    pub message: Option<ArrivingMessage>,
    /// The acknowledgement of a message that we have published, and that was sent as a whole.
    pub acknowledgement: Option<MissingAcknowledgement>,
}

/// A message that has begun to arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArrivingMessage {
    /// How much of it is here, in bytes.
    pub arrived: usize,
    /// The length of its payload, in bytes.
    pub length: usize,
}

/// An acknowledgement that has not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissingAcknowledgement {
    /// The name of its packet.
    pub packet: &'static str,
    /// How many acknowledgements came before it.
    pub earlier: u64,
}

/// How long one thing has been awaited without any progress.
#[derive(Debug)]
struct Wait<T> {
    /// The latest state of it, and when it became so.
    latest: Option<(T, Instant)>,
    is_told: bool,
}

impl<T> Default for Wait<T> {
    fn default() -> Self {
        Self { latest: None, is_told: false }
    }
}

impl<T: Copy + PartialEq> Wait<T> {
    fn note(&mut self, awaited: Option<T>, now: Instant) {
        if self.latest.map(|(latest, _)| latest) != awaited {
            self.latest = awaited.map(|awaited| (awaited, now));
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.latest.filter(|_| !self.is_told).map(|(_, since)| since + PATIENCE)
    }

    /// What has been awaited for too long, the first time that this is so.
    fn take_overdue(&mut self, now: Instant) -> Option<T> {
        let is_overdue = self.deadline().is_some_and(|deadline| deadline <= now);
        self.is_told |= is_overdue;
        self.latest.filter(|_| is_overdue).map(|(latest, _)| latest)
    }
}

/// How long a connection has waited for the server without any progress.
#[derive(Debug, Default)]
pub struct Standstill {
    message: Wait<ArrivingMessage>,
    acknowledgement: Wait<MissingAcknowledgement>,
}

impl Standstill {
    /// Another connection begins.
    pub fn connected(&mut self) {
        (self.message.latest, self.acknowledgement.latest) = (None, None);
    }

    /// When the user is to be told, if nothing comes before.
    pub fn deadline(&self) -> Option<Instant> {
        [self.message.deadline(), self.acknowledgement.deadline()].into_iter().flatten().min()
    }
}

impl Lifecycle {
    /// What the connection waits for now. Nothing, while the caller reads nothing or the server
    /// takes nothing: that is no silence of the server.
    pub fn note_awaited(&mut self, awaited: Awaited, now: Instant) {
        if self.is_online() {
            self.standstill.message.note(awaited.message, now);
            self.standstill.acknowledgement.note(awaited.acknowledgement, now);
        }
    }

    /// Tells the user what has been awaited for too long.
    pub(super) fn tell_standstill(&mut self, now: Instant) {
        let seconds = PATIENCE.as_secs();
        if let Some(ArrivingMessage { length, .. }) = self.standstill.message.take_overdue(now) {
            let bytes = if length == 1 { "byte" } else { "bytes" };
            self.actions.push_back(Action::Note(format!(
                "nothing more of a message of {length} {bytes} for {seconds} s; mosquitto before \
                 2.1 does this"
            )));
        }
        if let Some(missing) = self.standstill.acknowledgement.take_overdue(now) {
            self.actions.push_back(Action::Note(format!(
                "the broker has sent no {} for {seconds} s; -W limits how long it is waited for",
                missing.packet
            )));
        }
    }
}
