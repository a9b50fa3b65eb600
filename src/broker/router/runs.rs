//! Messages of QoS 0 that came one after another and differ in their payloads alone. What must be
//! known of them is looked up once, and subscribers are sent the bytes that came.

use std::time::Instant;

use super::backlog::{availability, backlog_level};
use super::common::{Amount, run_weight};
use super::message::{AppMessage, DeliveryOutcome, Grant};
use super::outgoing::OutgoingItem;
use super::peer::Peer;
use super::publish::is_reserved;
use super::subscriptions::Matches;
use super::{ConnectionId, Router, SessionKey, touch};
use crate::broker::access::acl::TopicAccess;
use crate::broker::limits::READ_BYTES;
use crate::broker::memory::MemoryLevel;
use crate::mqtt::packet::{Packet, PublishRun};
use crate::mqtt::property::Properties;
use crate::mqtt::qos::QoS;
use crate::mqtt::version::Version;

/// A run on its way to its subscribers.
pub(super) struct RoutedRun<'a> {
    pub run: &'a PublishRun,
    /// The same in memory of its own, once somebody keeps it.
    kept: Option<PublishRun>,
    /// The same for clients of versions that have properties, if this has none, or the other way
    /// round.
    other: Option<PublishRun>,
}

impl RoutedRun<'_> {
    /// How much it is.
    pub fn amount(&self) -> Amount {
        Amount { messages: self.run.count, weight: run_weight(self.run) }
    }

    /// The run in memory of its own, which all share that keep it.
    pub fn kept(&mut self) -> &PublishRun {
        self.kept.get_or_insert_with(|| self.run.detached())
    }

    /// The run as a client gets it that has this version; it is kept, or used at once.
    fn stated(&mut self, version: Version, is_kept: bool) -> Option<&PublishRun> {
        if version.has_properties() == self.run.version.has_properties() {
            return Some(if is_kept { self.kept() } else { self.run });
        }
        if self.other.is_none() {
            self.other = self.run.restated(&Properties::default(), version, usize::MAX);
        }
        self.other.as_ref()
    }
}

impl Router {
    /// A run of messages came in. What becomes of each is the same as if it had come alone.
    pub fn receive_run(&mut self, id: ConnectionId, run: &PublishRun, now: Instant) {
        let mut matches = std::mem::take(&mut self.buffers.matches);
        let mut routed = RoutedRun { run, kept: None, other: None };
        let session = self.forwarder(id, run);
        let forwards = session.filter(|_| self.find_run_matches(&routed, &mut matches));
        if let Some(session) = forwards {
            self.count_received(id, run.count as u64, now);
            self.put_run_aside(&mut matches, &mut routed, now);
            let mut set_aside = Vec::new();
            matches.for_each(Some(session), false, |key, grant| {
                let outcome = self.deliver_run(key, &mut routed, grant, id, now);
                if outcome != DeliveryOutcome::Done {
                    set_aside.push(key);
                }
            });
            self.set_aside(&set_aside, QoS::AtMostOnce, now);
        }
        self.buffers.matches = matches;
        if forwards.is_none() {
            for message in run.messages() {
                self.receive(id, Packet::Publish(message), now);
            }
        }
    }

    /// Finds the sessions that get a run; false if members of a shared subscription take turns.
    /// Those that are set aside have room for it.
    fn find_run_matches(&mut self, routed: &RoutedRun<'_>, matches: &mut Matches) -> bool {
        loop {
            let (sessions, peers, topic) = (&self.sessions, &self.peers, &routed.run.topic);
            let availability = |key| availability(sessions, peers, key, topic);
            if !self.subscriptions.find_for_many(topic, availability, matches) {
                return false;
            }
            if self.has_room_aside(matches, QoS::AtMostOnce, || routed.amount()) {
                return true;
            }
        }
    }

    /// The session whose messages can be taken together: nothing is to be said about any of them.
    fn forwarder(&self, id: ConnectionId, run: &PublishRun) -> Option<SessionKey> {
        let peer = self.peers.get(&id).filter(|peer| peer.end.is_none())?;
        let session = self.sessions.get(peer.session?)?;
        let is_taken = self.memory.level < MemoryLevel::Low
            && !is_reserved(&run.topic)
            && session.may(TopicAccess::Write, &run.topic);
        peer.session.filter(|_| is_taken)
    }

    fn count_received(&mut self, id: ConnectionId, count: u64, now: Instant) {
        let received = &mut self.statistics.received;
        received.packets += count;
        received.messages += count;
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.heard = now;
        }
    }

    /// Delivers a run to one session, as [`Router::deliver`] delivers a message.
    fn deliver_run(
        &mut self,
        key: SessionKey,
        routed: &mut RoutedRun<'_>,
        grant: &Grant,
        from: ConnectionId,
        now: Instant,
    ) -> DeliveryOutcome {
        let (memory, run) = (self.memory.level, routed.run);
        let Some(session) = self.sessions.get_mut(key) else { return DeliveryOutcome::None };
        // Nothing of QoS 0 is kept for a client that is not connected.
        let connection = session.connection.and_then(|id| Some((id, self.peers.get_mut(&id)?)));
        let may = session.may(TopicAccess::Read, &run.topic);
        let Some((id, peer)) = connection.filter(|_| may) else { return DeliveryOutcome::None };
        let level = backlog_level(session, peer, &self.limits, memory);
        peer.backlog.reader.review(level, now);
        let is_full = peer.backlog.is_full(memory);
        if !is_full {
            let is_behind = peer.backlog.unsent >= READ_BYTES || session.outbound.is_behind();
            let item =
                if takes(peer, run, grant) { routed.stated(peer.version, is_behind) } else { None };
            let Some(item) = item else {
                return self.deliver_one_by_one(key, run, grant, from, now);
            };
            peer.push(OutgoingItem::Run(item.clone()));
            peer.backlog.published += run.count as u64;
            // The packet that every item counts as is counted when it is handed over.
            self.statistics.sent.packets += run.count as u64 - 1;
            touch(&mut self.touched, id, peer);
        }
        let level = backlog_level(session, peer, &self.limits, memory);
        let is_waited_for = peer.backlog.is_waited_for(level, now);
        let outcome = if is_full {
            DeliveryOutcome::Dropped
        } else if peer.backlog.reader.is_idle(now) {
            DeliveryOutcome::Idle
        } else {
            DeliveryOutcome::Done
        };
        if is_waited_for && from != id {
            self.hold_back(from, id);
        }
        self.count_lost(key, outcome, run.count as u64)
    }

    fn deliver_one_by_one(
        &mut self,
        key: SessionKey,
        run: &PublishRun,
        grant: &Grant,
        from: ConnectionId,
        now: Instant,
    ) -> DeliveryOutcome {
        let mut outcome = DeliveryOutcome::Done;
        for message in run.messages() {
            let mut message = AppMessage::published(message, run.topic.clone(), now);
            outcome = self.deliver(key, &mut message, grant, Some(from), now).max(outcome);
        }
        outcome
    }
}

/// Another version may make a packet longer by so many bytes: no properties have one, by which the
/// length of the packet may have one more.
const OF_VERSION: usize = 2;

/// Whether a client can be sent these packets, in its version: it would get them if each were made
/// for it.
fn takes(peer: &Peer, run: &PublishRun, grant: &Grant) -> bool {
    grant.identifiers.is_empty()
        && peer.terms.aliases.is_none()
        && run.longest.saturating_add(OF_VERSION) <= peer.terms.maximum_packet
}
