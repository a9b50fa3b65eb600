//! Sessions that lose every message of a topic, because their clients do not read: they are not
//! looked at for each message.

use super::SessionKey;
use super::message::DeliveryOutcome;

/// The sessions that lose every message of one topic and one QoS.
#[derive(Debug, Default)]
pub struct LosingSessions {
    /// In the order of their keys.
    sessions: Vec<LosingSession>,
    /// How many of them lose it because their queue is full.
    overflowing: usize,
    /// How many messages were lost since there is one.
    messages: u64,
}

#[derive(Debug)]
struct LosingSession {
    key: SessionKey,
    outcome: DeliveryOutcome,
    /// How many messages were lost before it was among them.
    since: u64,
}

impl LosingSessions {
    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Whether a session is among them.
    pub fn contains(&self, key: SessionKey) -> bool {
        self.sessions.binary_search_by_key(&key, |session| session.key).is_ok()
    }

    /// Adds a session.
    pub fn insert(&mut self, key: SessionKey, outcome: DeliveryOutcome) {
        let at = self.sessions.partition_point(|session| session.key < key);
        self.sessions.insert(at, LosingSession { key, outcome, since: self.messages });
        self.overflowing += usize::from(outcome == DeliveryOutcome::Overflowed);
    }

    /// Counts messages that each of them loses; what becomes of a message for them, and how many
    /// are lost in all.
    pub fn count(&mut self, messages: u64) -> (DeliveryOutcome, u64) {
        self.messages += messages;
        let outcome = match self.overflowing {
            0 => DeliveryOutcome::Dropped,
            _ => DeliveryOutcome::Overflowed,
        };
        (outcome, messages * self.sessions.len() as u64)
    }

    /// What became of the messages for each session, and how many it has lost.
    pub fn losses(&self) -> impl Iterator<Item = (SessionKey, DeliveryOutcome, u64)> {
        let losses =
            |session: &LosingSession| (session.key, session.outcome, self.messages - session.since);
        self.sessions.iter().map(losses)
    }
}
