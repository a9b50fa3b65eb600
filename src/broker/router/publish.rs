//! PUBLISH and its acknowledgements, in both directions (§3.3 to §3.7, §4.3).

use std::time::Instant;

use super::message::{AddressedMessage, AppMessage, Grant, is_answerable};
use super::outbound::OutboundMessages;
use super::peer::Peer;
use super::session::ClientSession;
use super::{ConnectionId, EndReason, Router, SessionKey, WrongAck, touch};
use crate::broker::access::acl::TopicAccess;
use crate::broker::limits::{READ_BYTES, RECEIVE_MAXIMUM, TOPIC_ALIAS_MAXIMUM};
use crate::mqtt::packet::{Ack, Packet, PacketId, Publish};
use crate::mqtt::property::PropertyId;
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::topic::TopicName;
use crate::mqtt::version::Version;

impl Router {
    /// PUBLISH from a client (§3.3.4).
    pub(super) fn publish(
        &mut self,
        id: ConnectionId,
        key: SessionKey,
        mut publish: Publish,
        now: Instant,
    ) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let topic = match resolve(peer, &mut publish) {
            Ok(topic) => topic,
            Err(code) => return self.shut(id, code, EndReason::Misbehaved, now),
        };
        let (qos, packet_id) = (publish.qos, publish.packet_id);
        let may_write =
            self.sessions.get(key).is_some_and(|session| session.may(TopicAccess::Write, &topic));
        if is_reserved(&topic) || !may_write {
            let (name, topic) = (self.name(id), topic.as_str());
            self.notes.push(format!("{name}: not allowed to publish to {topic:?}"));
            return self.deny(id, key, qos, packet_id);
        }
        let mut message = AppMessage::published(publish, topic, now);
        match packet_id {
            Some(packet_id) if qos == QoS::ExactlyOnce => {
                self.publish_once(id, key, packet_id, &mut message, now);
            }
            Some(packet_id) => {
                let code = self.route(&mut message, Some(key), Some(id), now);
                self.send_ack(id, Packet::PubAck, packet_id, code);
            }
            None => drop(self.route(&mut message, Some(key), Some(id), now)),
        }
    }

    /// A message that is not taken: MQTT 5 says so, the older versions acknowledge it (3.1.1
    /// §3.3.5).
    fn deny(&mut self, id: ConnectionId, key: SessionKey, qos: QoS, packet_id: Option<PacketId>) {
        let Some(packet_id) = packet_id else { return };
        let code = ReasonCode::NOT_AUTHORIZED;
        if qos == QoS::AtLeastOnce {
            return self.send_ack(id, Packet::PubAck, packet_id, code);
        }
        // In MQTT 5 the code ends the flow; otherwise PUBREL follows.
        let ends = self.peers.get(&id).is_some_and(|peer| peer.version == Version::V5);
        if let Some(session) = self.sessions.get_mut(key).filter(|_| !ends) {
            session.inbound.insert(packet_id);
        }
        self.send_ack(id, Packet::PubRec, packet_id, code);
    }

    /// A QoS 2 message is routed when it comes, and its identifier stored until PUBREL (§4.3.3,
    /// Method B).
    fn publish_once(
        &mut self,
        id: ConnectionId,
        key: SessionKey,
        packet_id: PacketId,
        message: &mut AppMessage,
        now: Instant,
    ) {
        let Some(session) = self.sessions.get_mut(key) else { return };
        let mut code = ReasonCode::SUCCESS;
        if session.inbound.insert(packet_id) {
            let excess = session.inbound.len() > usize::from(RECEIVE_MAXIMUM);
            if excess && self.peers.get(&id).is_some_and(|peer| peer.version == Version::V5) {
                session.inbound.remove(&packet_id);
                return self.shut(
                    id,
                    ReasonCode::RECEIVE_MAXIMUM_EXCEEDED,
                    EndReason::Misbehaved,
                    now,
                );
            }
            code = self.route(message, Some(key), Some(id), now);
        }
        self.send_ack(id, Packet::PubRec, packet_id, code);
    }

    /// PUBREL: the identifier is free again (§4.3.3).
    pub(super) fn released(&mut self, id: ConnectionId, key: SessionKey, packet_id: PacketId) {
        let known =
            self.sessions.get_mut(key).is_some_and(|session| session.inbound.remove(&packet_id));
        let code =
            if known { ReasonCode::SUCCESS } else { ReasonCode::PACKET_IDENTIFIER_NOT_FOUND };
        self.send_ack(id, Packet::PubComp, packet_id, code);
    }

    /// PUBREC: PUBREL is the answer, unless the client refused the message (§4.3.3).
    pub(super) fn received(&mut self, id: ConnectionId, key: SessionKey, ack: &Ack, now: Instant) {
        let Some(session) = self.sessions.get_mut(key) else { return };
        let refused = ack.code.is_error();
        match session.outbound.received(ack.packet_id, refused) {
            Ok(_) if refused => {}
            Ok(true) => self.send_ack(id, Packet::PubRel, ack.packet_id, ReasonCode::SUCCESS),
            Ok(false) => {
                let code = ReasonCode::PACKET_IDENTIFIER_NOT_FOUND;
                self.send_ack(id, Packet::PubRel, ack.packet_id, code);
            }
            Err(WrongAck) => {
                return self.shut(id, ReasonCode::PROTOCOL_ERROR, EndReason::Misbehaved, now);
            }
        }
        self.pump(key, now);
    }

    /// PUBACK or PUBCOMP: `end` ends the exchange, and makes room for another.
    pub(super) fn acknowledged(
        &mut self,
        id: ConnectionId,
        key: SessionKey,
        now: Instant,
        end: impl FnOnce(&mut OutboundMessages) -> Result<(), WrongAck>,
    ) {
        let Some(session) = self.sessions.get_mut(key) else { return };
        match end(&mut session.outbound) {
            Ok(()) => self.pump(key, now),
            Err(WrongAck) => self.shut(id, ReasonCode::PROTOCOL_ERROR, EndReason::Misbehaved, now),
        }
    }

    /// Retains a message and delivers it to every matching subscription. `publisher` and `from` are
    /// the session and the connection it comes from. The code is for the acknowledgement.
    pub(super) fn route(
        &mut self,
        message: &mut AppMessage,
        publisher: Option<SessionKey>,
        from: Option<ConnectionId>,
        now: Instant,
    ) -> ReasonCode {
        if message.retain && !self.retained.store(message) {
            self.notes
                .push(format!("not retained, too many already: {:?}", message.topic.as_str()));
        }
        let mut matches = std::mem::take(&mut self.matches);
        let sessions = &self.sessions;
        let topic = &message.topic;
        let takes = |session: &ClientSession| {
            session.connection.is_some() && session.may(TopicAccess::Read, topic)
        };
        let connected = |key| sessions.get(key).is_some_and(takes);
        self.subscriptions.find(&message.topic, connected, &mut matches);
        let nobody = matches.is_empty();
        matches.for_each(publisher, message.retain, |key, grant| {
            self.deliver(key, message, grant, from, now);
        });
        self.matches = matches;
        if nobody { ReasonCode::NO_MATCHING_SUBSCRIBERS } else { ReasonCode::SUCCESS }
    }

    /// Delivers a message to one session: now, or when its client can take it.
    pub(super) fn deliver(
        &mut self,
        key: SessionKey,
        message: &mut AppMessage,
        grant: &Grant,
        from: Option<ConnectionId>,
        now: Instant,
    ) {
        let Some(session) = self.sessions.get_mut(key) else { return };
        if !session.may(TopicAccess::Read, &message.topic) {
            return;
        }
        let connection = session.connection.and_then(|id| Some((id, self.peers.get_mut(&id)?)));
        let Some((id, peer)) = connection else {
            let lost = !queue_for_absent(session, message, grant);
            return self.count_dropped(key, lost);
        };
        if peer.backlog.unsent >= READ_BYTES || session.outbound.is_behind() {
            message.detach();
        }
        let delivery = message.delivery(grant);
        touch(&mut self.touched, id, peer);
        let lost = !send_or_queue(session, peer, delivery, now);
        let slow = peer.backlog.is_slow(session.outbound.queued());
        if let Some(publisher) = from.filter(|from| slow && *from != id) {
            self.hold_back(publisher, id);
        }
        self.count_dropped(key, lost);
    }

    /// Sends what may be sent of the messages that wait in a session.
    pub(super) fn pump(&mut self, key: SessionKey, now: Instant) {
        let Some(session) = self.sessions.get_mut(key) else { return };
        let Some(id) = session.connection else { return };
        let Some(peer) = self.peers.get_mut(&id) else { return };
        fill(session, peer, now);
        touch(&mut self.touched, id, peer);
    }

    /// A publisher waits for a slow subscriber.
    fn hold_back(&mut self, publisher: ConnectionId, subscriber: ConnectionId) {
        if let Some(peer) = self.peers.get_mut(&publisher) {
            peer.hold_back_for = Some(subscriber);
            touch(&mut self.touched, publisher, peer);
        }
    }

    /// Counts a message that a session lost; the first is noted, the rest when it ends.
    fn count_dropped(&mut self, key: SessionKey, lost: bool) {
        let Some(session) = self.sessions.get_mut(key).filter(|_| lost) else { return };
        session.dropped += 1;
        if session.dropped == 1 {
            self.notes.push(format!("{:?} is too slow: messages are dropped", &*session.client_id));
        }
    }

    /// Notes how many messages a session lost.
    pub(super) fn report_dropped(&mut self, key: SessionKey) {
        let Some(session) = self.sessions.get_mut(key).filter(|session| session.dropped > 0) else {
            return;
        };
        let dropped = std::mem::take(&mut session.dropped);
        let messages = if dropped == 1 { "message" } else { "messages" };
        let client_id = &*session.client_id;
        self.notes.push(format!("{client_id:?} was too slow: {dropped} {messages} dropped"));
    }
}

/// Queues a message for a client that is not connected; false when there is no room for it.
fn queue_for_absent(session: &mut ClientSession, message: &mut AppMessage, grant: &Grant) -> bool {
    if message.qos.min(grant.qos) == QoS::AtMostOnce {
        return true;
    }
    message.detach();
    session.outbound.push(message.delivery(grant))
}

/// Delivers a message to a client that is connected; false when there is no room for it.
fn send_or_queue(
    session: &mut ClientSession,
    peer: &mut Peer,
    delivery: AddressedMessage,
    now: Instant,
) -> bool {
    if delivery.publish.qos == QoS::AtMostOnce {
        let room = !peer.backlog.is_full();
        if room {
            push_publish(peer, delivery.into_publish(now));
        }
        return room;
    }
    let queued = session.outbound.push(delivery);
    fill(session, peer, now);
    queued
}

/// Moves messages from a session to its connection, as far as both allow.
fn fill(session: &mut ClientSession, peer: &mut Peer, now: Instant) {
    while !peer.backlog.is_full() {
        let Some(packet) = session.outbound.next(now) else { break };
        let Packet::Publish(publish) = packet else {
            peer.push(packet);
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
    let packet = Packet::Publish(publish);
    let fits = peer.takes(&packet);
    if fits {
        peer.push(packet);
    }
    fits
}

/// Whether only the server itself publishes to this topic: clients should not use it to exchange
/// messages (§4.7.2).
pub(super) fn is_reserved(topic: &TopicName) -> bool {
    topic.as_str() == "$SYS" || topic.as_str().starts_with("$SYS/")
}

/// The topic of a PUBLISH, its alias resolved (§3.3.2.3.4).
fn resolve(peer: &mut Peer, publish: &mut Publish) -> Result<TopicName, ReasonCode> {
    // `[MQTT-3.3.4-6]`
    if publish.properties.has(PropertyId::SubscriptionIdentifier) {
        return Err(ReasonCode::PROTOCOL_ERROR);
    }
    if !is_answerable(&publish.properties) {
        return Err(ReasonCode::PROTOCOL_ERROR);
    }
    let alias = publish.properties.topic_alias();
    match (publish.topic.take(), alias) {
        (Some(topic), None) => Ok(topic),
        (Some(topic), Some(alias)) if peer.set_alias(alias, &topic) => Ok(topic),
        (Some(_), Some(_)) => Err(ReasonCode::TOPIC_ALIAS_INVALID),
        (None, Some(alias)) if alias == 0 || alias > TOPIC_ALIAS_MAXIMUM => {
            Err(ReasonCode::TOPIC_ALIAS_INVALID)
        }
        (None, alias) => {
            alias.and_then(|alias| peer.alias(alias)).cloned().ok_or(ReasonCode::PROTOCOL_ERROR)
        }
    }
}
