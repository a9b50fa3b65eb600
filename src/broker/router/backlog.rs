//! What waits for a client, and whether publishers wait for the client.

use std::time::Instant;

use super::peer::{Peer, nearly_full};
use super::reader::BacklogLevel;
use super::session::{ClientSession, Sessions};
use super::subscriptions::Availability;
use super::{ConnectionId, Router, SessionKey, touch};
use crate::broker::access::acl::TopicAccess;
use crate::broker::limits::{FIRST_SIGN, Limits, READ_BYTES, SLOW_BYTES};
use crate::broker::memory::MemoryLevel;
use crate::mqtt::id_map::IdMap;
use crate::mqtt::topic::TopicName;

impl Router {
    /// Packets of this weight in bytes, which were handed over for a connection, were written.
    pub fn written(&mut self, id: ConnectionId, weight: usize, now: Instant) {
        self.readmit_client(id);
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let has_room_again = peer.backlog.written(weight);
        let queued = queued(&self.sessions, peer);
        peer.backlog.reader.take(weight, peer.backlog.unsent + queued, now);
        let Some(key) = peer.session else { return };
        if has_room_again {
            self.report_dropped(key);
            self.pump(key, now);
        }
    }

    /// The client of a connection has read messages: publishers wait for it when it stops.
    pub fn has_read(&mut self, id: ConnectionId) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.backlog.patience = FIRST_SIGN;
        }
    }

    /// The socket of a connection takes nothing from now on.
    pub fn stopped(&mut self, id: ConnectionId, now: Instant) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.backlog.reader.stop(now);
        }
    }

    /// The socket of a connection, which took nothing, has taken something.
    pub fn went_on(&mut self, id: ConnectionId, now: Instant) {
        self.readmit_client(id);
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let queued = queued(&self.sessions, peer);
        peer.backlog.reader.go_on(peer.backlog.unsent + queued, now);
    }

    /// Whether publishers that wait for the client of a connection go on waiting.
    pub fn is_waited_for(&mut self, id: ConnectionId, now: Instant) -> bool {
        let Some(peer) = self.peers.get_mut(&id) else { return false };
        let Some(session) = peer.session.and_then(|key| self.sessions.get(key)) else {
            return false;
        };
        let level = backlog_level(session, peer, &self.limits, self.memory.level);
        peer.backlog.is_waited_for(level, now)
    }

    /// Whether so little waits for the client of a connection that its publishers can go on.
    pub fn has_caught_up(&self, id: ConnectionId) -> bool {
        let Some(peer) = self.peers.get(&id) else { return true };
        let Some(session) = peer.session.and_then(|key| self.sessions.get(key)) else {
            return true;
        };
        let most = SLOW_BYTES.min(self.memory.level.unsent_bytes()) / 2;
        let waiting = peer.backlog.unsent + session.outbound.queued();
        waiting <= most && !session.outbound.is_nearly_full(&self.limits)
    }

    /// Everything that waits for the client of a connection, in bytes.
    #[cfg(test)]
    pub fn backlog(&self, id: ConnectionId) -> usize {
        let backlog = |peer: &Peer| peer.backlog.unsent + queued(&self.sessions, peer);
        self.peers.get(&id).map_or(0, backlog)
    }

    /// A publisher waits for a slow subscriber.
    pub(super) fn hold_back(&mut self, publisher: ConnectionId, subscriber: ConnectionId) {
        if let Some(peer) = self.peers.get_mut(&publisher) {
            peer.hold_back_for = Some(subscriber);
            touch(&mut self.touched, publisher, peer);
        }
    }
}

/// What waits in the session of a connection, in bytes.
fn queued(sessions: &Sessions, peer: &Peer) -> usize {
    let session = peer.session.and_then(|key| sessions.get(key));
    session.map_or(0, |session| session.outbound.queued())
}

/// How much waits for a client that is connected.
#[inline]
pub fn backlog_level(
    session: &ClientSession,
    peer: &Peer,
    limits: &Limits,
    memory: MemoryLevel,
) -> BacklogLevel {
    let (unsent, queued) = (peer.backlog.unsent, session.outbound.queued());
    // As it almost always is, however little memory there is.
    if queued == 0 && unsent <= READ_BYTES {
        return BacklogLevel::Low;
    }
    if unsent > nearly_full(memory) || session.outbound.is_nearly_full(limits) {
        BacklogLevel::NearlyFull
    } else if unsent + queued > SLOW_BYTES {
        BacklogLevel::High
    } else {
        BacklogLevel::Low
    }
}

/// Whether a member of a shared subscription can take a message of this topic.
pub fn availability(
    sessions: &Sessions,
    peers: &IdMap<ConnectionId, Peer>,
    key: SessionKey,
    topic: &TopicName,
) -> Availability {
    let session = sessions.get(key).filter(|session| session.may(TopicAccess::Read, topic));
    match session.and_then(|session| peers.get(&session.connection?)) {
        None => Availability::Absent,
        Some(peer) if peer.backlog.reader.is_prompt() => Availability::Ready,
        Some(_) => Availability::Behind,
    }
}
