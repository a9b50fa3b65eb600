//! Which sessions get the messages of a row through a common queue, because their clients take
//! nothing: each message is then stored once, and not put into the queue of each.

use std::time::Instant;

use super::common::{Amount, CommonForm, CommonQueue};
use super::common_queues::CommonQueues;
use super::message::{AddressedMessage, AppMessage, Grant};
use super::outgoing::OutgoingItem;
use super::runs::RoutedRun;
use super::subscriptions::Matches;
use super::{Router, SessionKey, touch};
use crate::mqtt::packet::Packet;
use crate::mqtt::qos::QoS;

impl Router {
    /// Puts a message into the common queues, which have room for it.
    #[inline]
    pub(super) fn queue_in_common(
        &mut self,
        common: &mut CommonQueues,
        message: &mut AppMessage,
        now: Instant,
    ) {
        if !common.is_empty() {
            self.queue_in_each(common, message, now);
        }
    }

    #[inline(never)]
    fn queue_in_each(&mut self, common: &mut CommonQueues, message: &mut AppMessage, now: Instant) {
        message.detach_into(&mut self.buffers.block);
        for queue in &mut common.to_connections {
            queue.push(outgoing(message, queue.form(), now));
        }
        for queue in &mut common.to_sessions {
            queue.push(message.delivery(&grant(queue.form(), message)));
        }
        self.distribute_full_parts(common);
    }

    /// Puts a run of messages into the common queues, which have room for it.
    #[inline]
    pub(super) fn queue_run_in_common(
        &mut self,
        common: &mut CommonQueues,
        routed: &mut RoutedRun<'_>,
        now: Instant,
    ) {
        if !common.is_empty() {
            self.queue_run_in_each(common, routed, now);
        }
    }

    #[inline(never)]
    fn queue_run_in_each(
        &mut self,
        common: &mut CommonQueues,
        routed: &mut RoutedRun<'_>,
        now: Instant,
    ) {
        for queue in &mut common.to_connections {
            let (form, run) = (queue.form(), routed.run);
            let is_passed_on = form.has_properties == run.version.has_properties()
                && form.grant.identifiers.is_empty();
            if is_passed_on {
                queue.push(OutgoingItem::Run(routed.kept().clone()));
                continue;
            }
            for message in run.messages() {
                let mut message = AppMessage::published(message, run.topic.clone(), now);
                message.detach_into(&mut self.buffers.block);
                queue.push(outgoing(&message, queue.form(), now));
            }
        }
        self.distribute_full_parts(common);
    }

    /// Gives the sessions their places in the parts of common queues that are full.
    fn distribute_full_parts(&mut self, common: &mut CommonQueues) {
        for queue in common.to_connections.iter_mut().filter(|queue| queue.is_part_full()) {
            self.distribute_to_connections(queue);
        }
        for queue in common.to_sessions.iter_mut().filter(|queue| queue.is_part_full()) {
            self.distribute_to_sessions(queue);
        }
    }

    /// From now on no session has a common queue: what is in these goes to the sessions.
    pub(super) fn dissolve(&mut self, mut common: CommonQueues) {
        for queue in &mut common.to_connections {
            self.distribute_to_connections(queue);
        }
        for queue in &mut common.to_sessions {
            self.distribute_to_sessions(queue);
        }
    }

    fn distribute_to_connections(&mut self, queue: &mut CommonQueue<OutgoingItem>) {
        for (key, messages, count) in queue.take_part() {
            let id = self.sessions.get(key).and_then(|session| session.connection);
            let Some((id, peer)) = id.and_then(|id| Some((id, self.peers.get_mut(&id)?))) else {
                continue;
            };
            peer.push(OutgoingItem::Common(messages));
            peer.backlog.published += count as u64;
            // The packet that every item counts as is counted when it is handed over.
            self.statistics.sent.packets += count as u64 - 1;
            touch(&mut self.touched, id, peer);
        }
    }

    fn distribute_to_sessions(&mut self, queue: &mut CommonQueue<AddressedMessage>) {
        for (key, messages, _) in queue.take_part() {
            if let Some(session) = self.sessions.get_mut(key) {
                session.outbound.push_common(messages);
            }
        }
    }

    /// From now on a session whose client takes nothing gets messages of this row through a common
    /// queue, if it can. True if so.
    pub(super) fn follow(&self, matches: &mut Matches, key: SessionKey, now: Instant) -> bool {
        let (Some(grant), Some(session)) = (matches.grant(key), self.sessions.get(key)) else {
            return false;
        };
        let peer = session.connection.and_then(|id| self.peers.get(&id));
        if peer.is_some_and(|peer| !peer.backlog.reader.is_idle(now)) {
            return false;
        }
        if matches.qos().min(grant.qos) > QoS::AtMostOnce {
            let is_behind = peer.is_none() || session.outbound.queued() > 0;
            let room = session.outbound.room(&self.limits);
            let form = CommonForm { grant, has_properties: true };
            return is_behind && matches.common.join_sessions(form, key, room);
        }
        let Some(peer) = peer.filter(|peer| peer.backlog.unsent > 0 && peer.takes_all()) else {
            return false;
        };
        let weight = peer.backlog.room(self.memory.level);
        let room = Amount { messages: usize::MAX, weight };
        let form = CommonForm { grant, has_properties: peer.version.has_properties() };
        matches.common.join_connections(form, key, room)
    }
}

/// How the sessions with a common queue get a message.
fn grant(form: &CommonForm, message: &AppMessage) -> Grant {
    let grant = form.grant.clone();
    Grant { retain: grant.retain && message.retain, ..grant }
}

/// A message of QoS 0 for the connections with a common queue.
fn outgoing(message: &AppMessage, form: &CommonForm, now: Instant) -> OutgoingItem {
    let mut publish = message.delivery(&grant(form, message)).into_publish(now);
    if !form.has_properties {
        publish.properties.0.clear();
    }
    Packet::Publish(publish).into()
}
