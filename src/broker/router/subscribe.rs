//! SUBSCRIBE and UNSUBSCRIBE (§3.8 to §3.11), and the retained messages that follow.

use std::time::Instant;

use super::reason::Reason;
use super::{ConnectionId, EndReason, Router, SessionKey, copies, lesser};
use crate::broker::limits::Limit;
use crate::broker::memory::MemoryLevel;
use crate::mqtt::packet::{
    Packet, PacketId, RetainHandling, SubAck, Subscribe, Subscription, UnsubAck, Unsubscribe,
};
use crate::mqtt::property::Properties;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::version::Version;

/// The Reason String of a SUBACK names no more filters once it has so many bytes.
const LONGEST_STRING: usize = 1000;

impl Router {
    /// SUBSCRIBE: SUBACK, then the retained messages.
    pub(super) fn subscribe(
        &mut self,
        id: ConnectionId,
        key: SessionKey,
        subscribe: &Subscribe,
        now: Instant,
    ) {
        self.readmit(key);
        let Some(version) = self.peers.get(&id).map(|peer| peer.version) else { return };
        let refused = lesser::refused_subscribe(&self.limits, subscribe);
        if let Some(reason) = refused.filter(|_| version == Version::V5) {
            return self.shut(id, &reason, EndReason::Misbehaved, now);
        }
        let identifier = subscribe.properties.subscription_identifiers().next();
        let mut results = SubscribeResults::default();
        let mut replays = Vec::new();
        for wanted in &subscribe.subscriptions {
            // `[MQTT-3.2.2-10]`
            let qos = wanted.qos.min(self.limits.max_qos());
            let wanted = Subscription { qos, ..wanted.clone() };
            let added = self.add(key, &wanted, identifier);
            if added.is_err() && self.memory.level >= MemoryLevel::Low {
                self.tell_of_memory(now);
            }
            results.add(&wanted, added.as_ref().err(), version);
            if added.is_ok() {
                self.watch_statistics(&wanted.filter, now);
            }
            if added.is_ok_and(|new| replays_retained(&wanted, new)) {
                replays.push(wanted);
            }
        }
        self.answer_subscribe(id, subscribe.packet_id, results, now);
        for wanted in &replays {
            self.add_replay(id, key, wanted, identifier, now);
        }
        self.continue_replays(now);
    }

    /// Sends SUBACK.
    fn answer_subscribe(
        &mut self,
        id: ConnectionId,
        packet_id: PacketId,
        results: SubscribeResults,
        now: Instant,
    ) {
        let Some(peer) = self.peers.get(&id) else { return };
        let SubscribeResults { codes, string } = results;
        let suback =
            |properties| Packet::SubAck(SubAck { packet_id, properties, codes: codes.clone() });
        let suback = peer.explained(&string, suback);
        self.answer(id, suback, now);
    }

    /// Sends SUBACK or UNSUBACK. A client that takes none of that size would wait for ever: it is
    /// told so `[MQTT-3.1.2-24]` `[MQTT-3.8.4-1]`.
    fn answer(&mut self, id: ConnectionId, answer: Packet, now: Instant) {
        if self.peers.get(&id).is_some_and(|peer| peer.takes(&answer)) {
            return self.send(id, answer);
        }
        let string = "the answer is larger than the client's Maximum Packet Size";
        let reason = Reason::new(ReasonCode::PACKET_TOO_LARGE, string);
        self.shut(id, &reason, EndReason::Misbehaved, now);
    }

    /// Adds one subscription: whether it is new, or why it is refused.
    fn add(
        &mut self,
        key: SessionKey,
        wanted: &Subscription,
        identifier: Option<u32>,
    ) -> Result<bool, Reason> {
        let session = self.sessions.get_mut(key).ok_or(ReasonCode::UNSPECIFIED_ERROR)?;
        let rights = session.rights.as_ref();
        if rights.is_some_and(|rights| !rights.may_read_some(&wanted.filter)) {
            let string = "no line of --acl lets this client read any of these topics";
            return Err(Reason::new(ReasonCode::NOT_AUTHORIZED, string));
        }
        if let Some(reason) = lesser::refused_subscription(&self.limits, wanted) {
            return Err(reason);
        }
        let maximum = self.limits.get(Limit::Subscriptions);
        let is_full = session.filters.len() >= maximum;
        let is_new = !session.filters.contains(&wanted.filter);
        if is_new && self.memory.level >= MemoryLevel::Low {
            let string = "the broker has too little memory left";
            return Err(Reason::new(ReasonCode::QUOTA_EXCEEDED, string));
        }
        if is_full && !session.filters.contains(&wanted.filter) {
            let string = format!("a session has at most {maximum} subscriptions here");
            return Err(Reason::new(ReasonCode::QUOTA_EXCEEDED, string));
        }
        if !session.filters.contains(&wanted.filter) {
            session.filters.insert(copies::filter(&wanted.filter));
        }
        Ok(self.subscriptions.insert(key, wanted, identifier))
    }

    /// UNSUBSCRIBE. Before MQTT 5 the answer has no codes.
    pub(super) fn unsubscribe(
        &mut self,
        id: ConnectionId,
        key: SessionKey,
        unsubscribe: &Unsubscribe,
        now: Instant,
    ) {
        self.readmit(key);
        let mut codes: Vec<_> = unsubscribe
            .filters
            .iter()
            .map(|filter| {
                let known = self
                    .sessions
                    .get_mut(key)
                    .is_some_and(|session| session.filters.remove(filter));
                if known && self.subscriptions.remove(key, filter) {
                    ReasonCode::SUCCESS
                } else {
                    ReasonCode::NO_SUBSCRIPTION_EXISTED
                }
            })
            .collect();
        if self.peers.get(&id).is_none_or(|peer| peer.version != Version::V5) {
            codes.clear();
        }
        let (packet_id, properties) = (unsubscribe.packet_id, Properties::default());
        self.answer(id, Packet::UnsubAck(UnsubAck { packet_id, properties, codes }), now);
    }
}

/// What became of the subscriptions of one SUBSCRIBE.
#[derive(Debug, Default)]
struct SubscribeResults {
    codes: Vec<ReasonCode>,
    /// Why some were refused.
    string: String,
}

impl SubscribeResults {
    /// Adds what became of the next one.
    fn add(&mut self, wanted: &Subscription, refusal: Option<&Reason>, version: Version) {
        let granted = ReasonCode(wanted.qos.bits());
        let Some(Reason { code, string }) = refusal else { return self.codes.push(granted) };
        self.codes.push(match version {
            Version::V5 => *code,
            Version::V3_1_1 => ReasonCode::UNSPECIFIED_ERROR,
            // It has no way of saying so: the answer must be positive (3.1 §3.8).
            Version::V3_1 => granted,
        });
        if self.string.len() < LONGEST_STRING {
            let separator = if self.string.is_empty() { "" } else { "; " };
            self.string.extend([separator, wanted.filter.as_str(), ": ", string]);
        }
    }
}

/// Whether a subscription is answered with retained messages (§3.8.3.1, §4.8.2).
fn replays_retained(wanted: &Subscription, new: bool) -> bool {
    wanted.filter.share().is_none()
        && match wanted.retain_handling {
            RetainHandling::Always => true,
            RetainHandling::New => new,
            RetainHandling::Never => false,
        }
}
