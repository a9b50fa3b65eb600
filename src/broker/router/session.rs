//! The session of one client, connected or not (§4.1), and the table of all sessions.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Instant;

use bytestring::ByteString;

use super::ConnectionId;
use super::inbound::UnreleasedMessages;
use super::outbound::OutboundMessages;
use super::replay::Replays;
use crate::broker::access::acl::{ClientRights, TopicAccess};
use crate::mqtt::packet::Will;
use crate::mqtt::topic::{TopicFilter, TopicName};

/// A Session Expiry Interval that never ends (§3.1.2.11.2).
pub const NEVER: u32 = u32::MAX;

/// The place of a session in the table. A key is used again after its session has ended.
pub type SessionKey = usize;

/// How many messages a session has lost.
#[derive(Debug, Default)]
pub struct LostMessages {
    /// Because the client was too slow.
    pub dropped: u64,
    /// Because the queue was full.
    pub overflowed: u64,
}

/// The session of one client identifier.
#[derive(Debug)]
pub struct ClientSession {
    /// The client identifier.
    pub client_id: ByteString,
    /// The connection that uses it now.
    pub connection: Option<ConnectionId>,
    /// Its Session Expiry Interval in seconds; `NEVER` means that it does not expire.
    pub expiry: u32,
    /// When it ends, if it is not connected.
    pub expires_at: Option<Instant>,
    /// What its client may do; `None` is everything.
    pub rights: Option<Box<ClientRights>>,
    /// What is published if the client disconnects uncleanly.
    pub will: Option<Will>,
    /// When the will is published, if the client has disconnected uncleanly.
    pub will_at: Option<Instant>,
    /// The topic filters it is subscribed to.
    pub filters: HashSet<TopicFilter>,
    /// QoS 1 and 2 messages for the client.
    pub outbound: OutboundMessages,
    /// QoS 2 messages of the client that were routed and not yet released.
    pub inbound: UnreleasedMessages,
    /// Messages that it has lost, and of which the user was not told.
    pub lost: LostMessages,
    /// Since when it is in the table's list of the absent.
    absent_since: Option<Instant>,
}

impl ClientSession {
    /// A new session, without subscriptions.
    pub fn new(client_id: ByteString) -> Self {
        Self {
            client_id,
            connection: None,
            expiry: 0,
            expires_at: None,
            rights: None,
            will: None,
            will_at: None,
            filters: HashSet::new(),
            outbound: OutboundMessages::default(),
            inbound: UnreleasedMessages::default(),
            lost: LostMessages::default(),
            absent_since: None,
        }
    }

    /// Whether its client may do this with this topic.
    pub fn may(&self, access: TopicAccess, topic: &TopicName) -> bool {
        self.rights.as_ref().is_none_or(|rights| rights.allows(access, topic))
    }
}

impl ClientSession {
    /// Whether no message waits for the client.
    pub fn has_no_message(&self) -> bool {
        self.outbound.len() == 0
    }
}

/// All sessions, by key and by client identifier.
#[derive(Debug, Default)]
pub struct Sessions {
    slots: Vec<Option<ClientSession>>,
    free: Vec<SessionKey>,
    by_client_id: HashMap<ByteString, SessionKey>,
    /// Client identifiers assigned so far.
    assigned: u64,
    /// Those without a connection, the longest first.
    absent: BTreeSet<(Instant, SessionKey)>,
    /// The retained messages that they wait for.
    pub replays: Replays,
}

impl Sessions {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_client_id.len()
    }

    /// How many subscriptions all of them have.
    pub fn subscriptions(&self) -> usize {
        self.slots.iter().flatten().map(|session| session.filters.len()).sum()
    }

    /// The number of the next client identifier that is assigned.
    pub fn next_number(&mut self) -> u64 {
        self.assigned += 1;
        self.assigned
    }

    /// The session of a client identifier.
    pub fn find(&self, client_id: &ByteString) -> Option<SessionKey> {
        self.by_client_id.get(client_id).copied()
    }

    /// The session at a key.
    pub fn get(&self, key: SessionKey) -> Option<&ClientSession> {
        self.slots.get(key)?.as_ref()
    }

    /// The session at a key.
    pub fn get_mut(&mut self, key: SessionKey) -> Option<&mut ClientSession> {
        self.slots.get_mut(key)?.as_mut()
    }

    /// Adds a session whose client identifier has none yet.
    pub fn insert(&mut self, session: ClientSession) -> SessionKey {
        let key = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.by_client_id.insert(session.client_id.clone(), key);
        self.slots[key] = Some(session);
        key
    }

    /// The client of a session is gone.
    pub fn set_absent(&mut self, key: SessionKey, now: Instant) {
        if let Some(session) = self.get_mut(key) {
            session.absent_since = Some(now);
            self.absent.insert((now, key));
        }
    }

    /// The client of a session is there.
    pub fn set_present(&mut self, key: SessionKey) {
        let since = self.get_mut(key).and_then(|session| session.absent_since.take());
        if let Some(since) = since {
            self.absent.remove(&(since, key));
        }
    }

    /// The session that makes room for another: the one whose client has been absent longest, of
    /// those for which nothing is queued, or else of all.
    pub fn least_missed(&self) -> Option<SessionKey> {
        let is_idle = |key: &SessionKey| self.get(*key).is_some_and(ClientSession::has_no_message);
        let mut absent = self.absent.iter().map(|(_, key)| *key);
        absent.clone().find(is_idle).or_else(|| absent.next())
    }

    /// Takes a session out.
    pub fn remove(&mut self, key: SessionKey) -> Option<ClientSession> {
        self.set_present(key);
        let session = self.slots.get_mut(key)?.take()?;
        self.by_client_id.remove(&session.client_id);
        self.free.push(key);
        Some(session)
    }
}
