//! One subscription of one session, and how messages are granted to it.

use super::SessionKey;
use super::message::Grant;
use crate::mqtt::qos::QoS;

/// One subscription of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubscribedSession {
    /// Which.
    pub session: SessionKey,
    /// What it was granted.
    pub qos: QoS,
    /// Whether it does not get what it publishes itself (§3.8.3.1).
    pub no_local: bool,
    /// Whether messages keep their RETAIN flag.
    pub retain_as_published: bool,
    /// Its subscription identifier.
    pub identifier: Option<u32>,
}

impl SubscribedSession {
    /// One of QoS 0.
    #[cfg(test)]
    pub fn of(session: SessionKey) -> Self {
        let qos = QoS::AtMostOnce;
        Self { session, qos, no_local: false, retain_as_published: false, identifier: None }
    }

    /// How the session gets a message, which was published with RETAIN or without, if this is the
    /// only subscription of it that matches.
    pub fn grant(&self, retain: bool) -> Grant {
        merged(std::iter::once(self), retain).unwrap_or_default()
    }

    /// Whether it does not get what it publishes itself.
    pub fn is_deaf_to_itself(&self) -> bool {
        self.no_local
    }
}

/// One delivery for several overlapping subscriptions: the highest QoS and all identifiers.
pub fn merged<'a>(
    subscribers: impl Iterator<Item = &'a SubscribedSession>,
    retain: bool,
) -> Option<Grant> {
    let mut grant: Option<Grant> = None;
    for subscriber in subscribers {
        let grant = grant.get_or_insert_default();
        grant.qos = grant.qos.max(subscriber.qos);
        grant.retain |= retain && subscriber.retain_as_published;
        grant.identifiers.extend(subscriber.identifier);
    }
    grant
}
