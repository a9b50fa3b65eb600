//! One message on its way to one session: it is sent, queued or lost, and its publisher may have to
//! wait.

use std::time::Instant;

use super::backlog::backlog_level;
use super::message::{AddressedMessage, AppMessage, DeliveryOutcome, Grant};
use super::peer::{Backlog, Peer};
use super::session::ClientSession;
use super::{ConnectionId, Router, SessionKey, touch};
use crate::broker::access::acl::TopicAccess;
use crate::broker::limits::{FIRST_SIGN, Limits, READ_BYTES};
use crate::broker::memory::MemoryLevel;
use crate::mqtt::packet::{Packet, Publish};
use crate::mqtt::qos::QoS;

impl Router {
    /// Delivers a message to one session: now, or when its client can take it.
    pub(super) fn deliver(
        &mut self,
        key: SessionKey,
        message: &mut AppMessage,
        grant: &Grant,
        from: Option<ConnectionId>,
        now: Instant,
    ) -> DeliveryOutcome {
        // A shared subscription has chosen it.
        self.readmit(key);
        let memory = self.memory.level;
        let Some(session) = self.sessions.get_mut(key) else { return DeliveryOutcome::None };
        if !session.may(TopicAccess::Read, &message.topic) {
            return DeliveryOutcome::None;
        }
        let connection = session.connection.and_then(|id| Some((id, self.peers.get_mut(&id)?)));
        let Some((id, peer)) = connection else {
            let delivery = queue_for_absent(session, message, grant, &self.limits);
            return self.count_lost(key, delivery, 1);
        };
        let level = backlog_level(session, peer, &self.limits, memory);
        peer.backlog.reader.review(level, now);
        let qos = message.qos.min(grant.qos);
        let mut outcome = without_room(session, peer, qos, &self.limits, memory, now);
        // What is lost is not made first.
        if outcome == DeliveryOutcome::Done {
            if peer.backlog.unsent >= READ_BYTES || session.outbound.is_behind() {
                message.detach_into(&mut self.buffers.block);
            }
            let delivery = message.delivery(grant);
            outcome = send_or_queue(session, peer, delivery, &self.limits, memory, now);
        }
        touch(&mut self.touched, id, peer);
        let level = backlog_level(session, peer, &self.limits, memory);
        let is_waited_for = peer.backlog.is_waited_for(level, now);
        if outcome == DeliveryOutcome::Done && peer.backlog.reader.is_idle(now) {
            outcome = DeliveryOutcome::Idle;
        }
        if let Some(publisher) = from.filter(|from| is_waited_for && *from != id) {
            self.hold_back(publisher, id);
        }
        self.count_lost(key, outcome, 1)
    }

    /// Sends what may be sent of the messages that wait in a session.
    pub(super) fn pump(&mut self, key: SessionKey, now: Instant) {
        self.pump_after(key, now, |_, _| {});
    }

    /// The same after the client has acknowledged something.
    pub(super) fn pump_acknowledged(&mut self, key: SessionKey, now: Instant) {
        self.pump_after(key, now, |backlog, queued| {
            backlog.patience = FIRST_SIGN;
            backlog.reader.go_on(backlog.unsent + queued, now);
        });
    }

    #[inline]
    fn pump_after(
        &mut self,
        key: SessionKey,
        now: Instant,
        note: impl FnOnce(&mut Backlog, usize),
    ) {
        self.readmit(key);
        let Some(session) = self.sessions.get_mut(key) else { return };
        let Some(id) = session.connection else { return };
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let memory = self.memory.level;
        note(&mut peer.backlog, session.outbound.queued());
        fill(session, peer, memory, now);
        touch(&mut self.touched, id, peer);
    }

    /// Counts messages that a session lost; the first is told of, the rest when it ends.
    pub(super) fn count_lost(
        &mut self,
        key: SessionKey,
        outcome: DeliveryOutcome,
        count: u64,
    ) -> DeliveryOutcome {
        if outcome <= DeliveryOutcome::Idle || count == 0 {
            return outcome;
        }
        self.statistics.dropped += count;
        let Some(session) = self.sessions.get_mut(key) else { return outcome };
        let client_id = &*session.client_id;
        match outcome {
            DeliveryOutcome::None | DeliveryOutcome::Done | DeliveryOutcome::Idle => {}
            DeliveryOutcome::Dropped => {
                session.lost.dropped += count;
                if session.lost.dropped == count {
                    self.lines
                        .notes
                        .push(format!("{client_id:?} is too slow: messages are dropped"));
                }
            }
            DeliveryOutcome::Overflowed => {
                session.lost.overflowed += count;
                if session.lost.overflowed == count {
                    self.lines.warnings.push(format!(
                        "the queue of {client_id:?} is full (see --limit): messages for it are \
                         lost; their publishers are told only if nobody else gets them, in MQTT 5"
                    ));
                }
            }
        }
        outcome
    }

    /// Tells how many messages a session lost.
    pub(super) fn report_dropped(&mut self, key: SessionKey) {
        self.readmit(key);
        let Some(session) = self.sessions.get_mut(key) else { return };
        let client_id = &*session.client_id;
        let messages = |count| if count == 1 { "message" } else { "messages" };
        let dropped = std::mem::take(&mut session.lost.dropped);
        if dropped > 0 {
            let messages = messages(dropped);
            self.lines
                .notes
                .push(format!("{client_id:?} was too slow: {dropped} {messages} dropped"));
        }
        let lost = std::mem::take(&mut session.lost.overflowed);
        if lost > 0 {
            let messages = messages(lost);
            self.lines
                .warnings
                .push(format!("the queue of {client_id:?} was full: {lost} {messages} lost"));
        }
    }
}

/// Queues a message for a client that is not connected.
fn queue_for_absent(
    session: &mut ClientSession,
    message: &mut AppMessage,
    grant: &Grant,
    limits: &Limits,
) -> DeliveryOutcome {
    if message.qos.min(grant.qos) == QoS::AtMostOnce {
        return DeliveryOutcome::None;
    }
    if session.outbound.is_full(limits) {
        return DeliveryOutcome::Overflowed;
    }
    message.detach();
    match queued(session.outbound.push(message.delivery(grant), limits)) {
        DeliveryOutcome::Done => DeliveryOutcome::Idle,
        outcome => outcome,
    }
}

fn queued(has_room: bool) -> DeliveryOutcome {
    if has_room { DeliveryOutcome::Done } else { DeliveryOutcome::Overflowed }
}

/// What becomes of a message for a client that is connected if there is no room for it, whatever
/// its size: it is lost. Otherwise nothing has become of it.
fn without_room(
    session: &mut ClientSession,
    peer: &mut Peer,
    qos: QoS,
    limits: &Limits,
    memory: MemoryLevel,
    now: Instant,
) -> DeliveryOutcome {
    if qos == QoS::AtMostOnce {
        let is_full = peer.backlog.is_full(memory);
        return if is_full { DeliveryOutcome::Dropped } else { DeliveryOutcome::Done };
    }
    if session.outbound.queued() > 0 && session.outbound.is_full(limits) {
        fill(session, peer, memory, now);
        return queued(!session.outbound.is_full(limits));
    }
    DeliveryOutcome::Done
}

/// Delivers a message to a client that is connected.
fn send_or_queue(
    session: &mut ClientSession,
    peer: &mut Peer,
    delivery: AddressedMessage,
    limits: &Limits,
    memory: MemoryLevel,
    now: Instant,
) -> DeliveryOutcome {
    if delivery.publish.qos == QoS::AtMostOnce {
        push_publish(peer, delivery.into_publish(now));
        return DeliveryOutcome::Done;
    }
    let has_room = session.outbound.push(delivery, limits);
    fill(session, peer, memory, now);
    if session.outbound.queued() > 0 {
        peer.backlog.reader.stop(now);
    }
    queued(has_room)
}

/// Moves messages from a session to its connection, as far as both allow.
fn fill(session: &mut ClientSession, peer: &mut Peer, memory: MemoryLevel, now: Instant) {
    while !peer.backlog.is_full(memory) {
        let Some(packet) = session.outbound.next(now) else { break };
        let Packet::Publish(publish) = packet else {
            peer.push(packet.into());
            continue;
        };
        let packet_id = publish.packet_id;
        if !push_publish(peer, publish)
            && let Some(id) = packet_id
        {
            // "Behave as if it had completed sending" `[MQTT-3.1.2-25]`.
            session.outbound.forget(id);
        }
    }
}

/// Hands a PUBLISH over in the client's version; false if it is too large for the client.
fn push_publish(peer: &mut Peer, mut publish: Publish) -> bool {
    if !peer.version.has_properties() {
        publish.properties.0.clear();
    }
    let mut packet = Packet::Publish(publish);
    let fits = peer.takes(&packet);
    if fits {
        let terms = &mut peer.terms;
        if let (Some(aliases), Packet::Publish(publish)) = (&mut terms.aliases, &mut packet) {
            aliases.apply(publish, terms.maximum_packet);
        }
        peer.backlog.published += 1;
        peer.push(packet.into());
    }
    fits
}
