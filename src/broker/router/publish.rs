//! PUBLISH and its acknowledgements, in both directions (§3.3 to §3.7, §4.3).

use std::time::Instant;

use super::backlog::availability;
use super::common::Amount;
use super::message::{AppMessage, DeliveryOutcome, is_answerable};
use super::outbound::OutboundMessages;
use super::peer::Peer;
use super::reason::Reason;
use super::session::ClientSession;
use super::subscriptions::Matches;
use super::{Admission, ConnectionId, EndReason, Router, SessionKey, WrongAck, lesser};
use crate::broker::access::acl::TopicAccess;
use crate::broker::limits::Limit;
use crate::broker::memory::MemoryLevel;
use crate::mqtt::packet::{Ack, Packet, PacketId, Publish};
use crate::mqtt::property::PropertyId;
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::topic::TopicName;
use crate::mqtt::version::Version;

/// Why an acknowledgement ends the connection.
const WRONG_ACK: &str = "an acknowledgement that does not fit the QoS of its message (§4.3)";

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
        if let Some(reason) = lesser::refused(&self.limits, publish.qos, publish.retain) {
            return self.shut(id, &reason, EndReason::Misbehaved, now);
        }
        let sets_alias = publish.topic.is_some() && publish.properties.topic_alias().is_some();
        if sets_alias && self.memory.level == MemoryLevel::Out {
            return self.out_of_memory(id, now);
        }
        let topic = match resolve(peer, &mut publish, self.limits.get_u16(Limit::TopicAliases)) {
            Ok(topic) => topic,
            Err(reason) => return self.shut(id, &reason, EndReason::Misbehaved, now),
        };
        self.statistics.received.messages += 1;
        let (qos, packet_id) = (publish.qos, publish.packet_id);
        if let Some(reason) = self.not_allowed(id, key, &topic) {
            return self.deny(id, key, qos, packet_id, reason);
        }
        let mut message = AppMessage::published(publish, topic, now);
        if let Some(reason) = self.quota_exceeded(id, key, packet_id, &message, now) {
            return self.deny(id, key, qos, packet_id, reason);
        }
        let cannot_be_told = packet_id.is_none() || !self.speaks_v5(id);
        if cannot_be_told
            && self.lacks_memory(&message, now)
            && self.admit(id, qos, now) == Admission::Refused
        {
            return;
        }
        match packet_id {
            Some(packet_id) if qos == QoS::ExactlyOnce => {
                self.publish_once(id, key, packet_id, &mut message, now);
            }
            Some(packet_id) => {
                let code = self.route(&mut message, Some(key), Some(id), now);
                self.send_ack(id, Packet::PubAck, packet_id, routed(code));
            }
            None => drop(self.route(&mut message, Some(key), Some(id), now)),
        }
    }

    /// Why a client may not publish to a topic, which the log is told of.
    fn not_allowed(
        &mut self,
        id: ConnectionId,
        key: SessionKey,
        topic: &TopicName,
    ) -> Option<Reason> {
        let may = |session: &ClientSession| session.may(TopicAccess::Write, topic);
        let (what, string) = if is_reserved(topic) {
            ("$SYS".to_owned(), "clients do not publish to $SYS")
        } else if !self.sessions.get(key).is_some_and(may) {
            let string = "no line of --acl lets this client publish to this topic";
            (format!("{:?}", topic.as_str()), string)
        } else {
            return None;
        };
        let name = self.name(id);
        self.lines.notes.push(format!("{name}: not allowed to publish to {what}"));
        Some(Reason::new(ReasonCode::NOT_AUTHORIZED, string))
    }

    /// A message that is not taken: MQTT 5 says so, the older versions acknowledge it (3.1.1
    /// §3.3.5).
    fn deny(
        &mut self,
        id: ConnectionId,
        key: SessionKey,
        qos: QoS,
        packet_id: Option<PacketId>,
        reason: Reason,
    ) {
        let Some(packet_id) = packet_id else { return };
        if qos == QoS::AtLeastOnce {
            return self.send_ack(id, Packet::PubAck, packet_id, reason);
        }
        // In MQTT 5 the code ends the flow; otherwise PUBREL follows.
        let ends = self.peers.get(&id).is_some_and(|peer| peer.version == Version::V5);
        if let Some(session) = self.sessions.get_mut(key).filter(|_| !ends) {
            let _ = session.inbound.insert(packet_id);
        }
        self.send_ack(id, Packet::PubRec, packet_id, reason);
    }

    /// Why there is no room for a message whose publisher can be told so.
    fn quota_exceeded(
        &mut self,
        id: ConnectionId,
        key: SessionKey,
        packet_id: Option<PacketId>,
        message: &AppMessage,
        now: Instant,
    ) -> Option<Reason> {
        let packet_id = packet_id.filter(|_| self.speaks_v5(id))?;
        // It was accepted when it came for the first time.
        let is_repeated =
            self.sessions.get(key).is_some_and(|session| session.inbound.contains(packet_id));
        if is_repeated {
            return None;
        }
        let string = if message.retain && !self.has_room_to_retain(message) {
            "the broker has no room for more retained messages"
        } else if self.lacks_memory(message, now) {
            "the broker has too little memory left"
        } else {
            return None;
        };
        Some(Reason::new(ReasonCode::QUOTA_EXCEEDED, string))
    }

    fn speaks_v5(&self, id: ConnectionId) -> bool {
        self.peers.get(&id).is_some_and(|peer| peer.version == Version::V5)
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
        let is_new = session.inbound.insert(packet_id);
        let maximum = self.limits.get(Limit::ReceiveMaximum);
        let excess = session.inbound.counted() > maximum;
        if excess && self.peers.get(&id).is_some_and(|peer| peer.version == Version::V5) {
            if is_new {
                session.inbound.remove(packet_id);
            }
            let string = format!("more than {maximum} unfinished messages [MQTT-3.3.4-7]");
            let reason = Reason::new(ReasonCode::RECEIVE_MAXIMUM_EXCEEDED, string);
            return self.shut(id, &reason, EndReason::Misbehaved, now);
        }
        let mut code = ReasonCode::SUCCESS;
        if is_new {
            code = self.route(message, Some(key), Some(id), now);
            // In MQTT 5 an error ends the flow.
            if code.is_error() && self.speaks_v5(id) {
                self.sessions.get_mut(key).map(|session| session.inbound.remove(packet_id));
            }
        }
        self.send_ack(id, Packet::PubRec, packet_id, routed(code));
    }

    /// PUBREL: the identifier is free again (§4.3.3).
    pub(super) fn released(&mut self, id: ConnectionId, key: SessionKey, packet_id: PacketId) {
        let known =
            self.sessions.get_mut(key).is_some_and(|session| session.inbound.remove(packet_id));
        let reason = if known { ReasonCode::SUCCESS.into() } else { unknown_identifier() };
        self.send_ack(id, Packet::PubComp, packet_id, reason);
    }

    /// PUBREC: PUBREL is the answer, unless the client refused the message (§4.3.3).
    pub(super) fn received(&mut self, id: ConnectionId, key: SessionKey, ack: &Ack, now: Instant) {
        let Some(session) = self.sessions.get_mut(key) else { return };
        let refused = ack.code.is_error();
        match session.outbound.received(ack.packet_id, refused) {
            Ok(_) if refused => {}
            Ok(true) => self.send_ack(id, Packet::PubRel, ack.packet_id, ReasonCode::SUCCESS),
            Ok(false) => self.send_ack(id, Packet::PubRel, ack.packet_id, unknown_identifier()),
            Err(WrongAck) => return self.misbehaved(id, WRONG_ACK, now),
        }
        self.pump_acknowledged(key, now);
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
            Ok(()) => self.pump_acknowledged(key, now),
            Err(WrongAck) => self.misbehaved(id, WRONG_ACK, now),
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
        if message.retain {
            self.retain(message);
        }
        self.distribute(message, publisher, from, now)
    }

    /// Delivers a message to every matching subscription.
    pub(super) fn distribute(
        &mut self,
        message: &mut AppMessage,
        publisher: Option<SessionKey>,
        from: Option<ConnectionId>,
        now: Instant,
    ) -> ReasonCode {
        let mut matches = std::mem::take(&mut self.buffers.matches);
        self.find_matches(message, &mut matches);
        let aside = self.put_aside(&mut matches, message, now);
        let mut is_taken = aside.waiting > 0;
        let mut is_lost = aside.overflowed > 0;
        let mut set_aside = Vec::new();
        matches.for_each(publisher, message.retain, |key, grant| {
            let outcome = self.deliver(key, message, grant, from, now);
            is_taken |= matches!(outcome, DeliveryOutcome::Done | DeliveryOutcome::Idle);
            is_lost |= outcome == DeliveryOutcome::Overflowed;
            if outcome != DeliveryOutcome::Done {
                set_aside.push(key);
            }
        });
        self.set_aside(&set_aside, message.qos, now);
        let is_empty = matches.is_empty();
        self.buffers.matches = matches;
        // What others have got is not to be sent again for the sake of one that does not read.
        if is_lost && !is_taken {
            ReasonCode::QUOTA_EXCEEDED
        } else if is_empty {
            ReasonCode::NO_MATCHING_SUBSCRIBERS
        } else {
            ReasonCode::SUCCESS
        }
    }

    /// Finds the sessions that get a message. Those that are set aside have room for it.
    fn find_matches(&mut self, message: &AppMessage, matches: &mut Matches) {
        loop {
            let (sessions, peers, topic) = (&self.sessions, &self.peers, &message.topic);
            let availability = |key| availability(sessions, peers, key, topic);
            self.subscriptions.find(topic, availability, matches);
            let amount = || Amount { messages: 1, weight: message.weight() };
            if self.has_room_aside(matches, message.qos, amount) {
                return;
            }
        }
    }
}

/// Whether only the server itself publishes to this topic: clients should not use it to exchange
/// messages (§4.7.2).
pub(super) fn is_reserved(topic: &TopicName) -> bool {
    topic.as_str() == "$SYS" || topic.as_str().starts_with("$SYS/")
}

/// What the publisher of a message is told that was delivered as far as this code says.
fn routed(code: ReasonCode) -> Reason {
    let is_lost = code == ReasonCode::QUOTA_EXCEEDED;
    let string = if is_lost { "the queues of all who would get it are full" } else { "" };
    Reason::new(code, string)
}

/// The answer to an acknowledgement of a message that is not there.
fn unknown_identifier() -> Reason {
    let string = "no message with this packet identifier is unfinished";
    Reason::new(ReasonCode::PACKET_IDENTIFIER_NOT_FOUND, string)
}

/// The topic of a PUBLISH, its alias resolved (§3.3.2.3.4).
fn resolve(peer: &mut Peer, publish: &mut Publish, maximum: u16) -> Result<TopicName, Reason> {
    if publish.properties.has(PropertyId::SubscriptionIdentifier) {
        let string = "PUBLISH of a client with a subscription identifier [MQTT-3.3.4-6]";
        return Err(Reason::protocol_error(string));
    }
    if !is_answerable(&publish.properties) {
        return Err(Reason::protocol_error("a response topic with a wildcard [MQTT-3.3.2-14]"));
    }
    let Some(alias) = publish.properties.topic_alias() else {
        let no_topic = || Reason::protocol_error("PUBLISH without a topic");
        return publish.topic.take().ok_or_else(no_topic);
    };
    let out_of_range = || {
        let string = format!("topic alias {alias}, at most {maximum} are taken");
        Reason::new(ReasonCode::TOPIC_ALIAS_INVALID, string)
    };
    match publish.topic.take() {
        Some(topic) if peer.set_alias(alias, &topic, maximum) => Ok(topic),
        Some(_) => Err(out_of_range()),
        None if alias > maximum => Err(out_of_range()),
        None => {
            let unknown = || Reason::protocol_error("a topic alias that has no topic yet");
            peer.alias(alias).cloned().ok_or_else(unknown)
        }
    }
}
