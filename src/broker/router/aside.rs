//! Which sessions are set aside, because their clients take nothing: they wait together, or lose
//! what comes, and are looked at again when their clients take something.

use std::time::Instant;

use super::backlog::backlog_level;
use super::common::{Amount, CommonContent, CommonItem, DeliveryPlace};
use super::idle::{IdleFate, IdleOutcome, LeftBehind};
use super::message::{AppMessage, DeliveryOutcome};
use super::outgoing::OutgoingItem;
use super::peer::Peer;
use super::reader::BacklogLevel;
use super::runs::RoutedRun;
use super::session::ClientSession;
use super::subscribed::SubscribedSession;
use super::subscriptions::Matches;
use super::{ConnectionId, Router, SessionKey, touch};
use crate::mqtt::qos::QoS;
use crate::mqtt::topic::TopicFilter;
use crate::mqtt::version::Version;

/// A session with more filters is not set aside: they would have to be compared.
const MOST_FILTERS: usize = 8;

impl Router {
    /// Makes sure that every session that is set aside, and waits for what is published to these
    /// filters, has room for so much. False if some had none: they are set aside no more.
    #[inline]
    pub(super) fn has_room_aside(
        &mut self,
        matches: &Matches,
        qos: QoS,
        amount: impl FnOnce() -> Amount,
    ) -> bool {
        matches.idle().is_empty() || self.make_room_aside(matches, qos, amount())
    }

    #[inline(never)]
    fn make_room_aside(&mut self, matches: &Matches, qos: QoS, amount: Amount) -> bool {
        let without = self.subscriptions.idle.without_room(matches.idle(), qos, amount);
        for key in &without {
            self.readmit(*key);
        }
        without.is_empty()
    }

    /// Passes a message to the sessions that are set aside, which have room for it.
    #[inline]
    pub(super) fn put_aside(
        &mut self,
        matches: &mut Matches,
        message: &mut AppMessage,
        now: Instant,
    ) -> IdleOutcome {
        if matches.idle().is_empty() {
            return IdleOutcome::default();
        }
        let amount = Amount { messages: 1, weight: message.weight() };
        let outcome = self.count_aside(matches, message.qos, amount, now);
        if outcome.waiting > 0 {
            message.detach_into(&mut self.buffers.block);
            self.store_aside(matches, CommonContent::Message(message.clone()), now);
        }
        outcome
    }

    /// The same with a run of messages.
    #[inline]
    pub(super) fn put_run_aside(
        &mut self,
        matches: &mut Matches,
        routed: &mut RoutedRun<'_>,
        now: Instant,
    ) {
        if matches.idle().is_empty() {
            return;
        }
        let outcome = self.count_aside(matches, QoS::AtMostOnce, routed.amount(), now);
        if outcome.waiting > 0 {
            self.store_aside(matches, CommonContent::Run(routed.kept().clone()), now);
        }
    }

    fn count_aside(
        &mut self,
        matches: &Matches,
        qos: QoS,
        amount: Amount,
        now: Instant,
    ) -> IdleOutcome {
        let outcome = self.subscriptions.idle.count(matches.idle(), qos, amount, now);
        self.statistics.dropped +=
            ((outcome.dropped + outcome.overflowed) * amount.messages) as u64;
        outcome
    }

    fn store_aside(&mut self, matches: &mut Matches, content: CommonContent, now: Instant) {
        let filters = matches.idle_numbers(&self.subscriptions.idle);
        self.subscriptions.idle.push(CommonItem { filters, content, at: now });
        if self.subscriptions.idle.is_part_full() {
            self.distribute_part();
        }
    }

    /// Gives the sessions that are set aside their places in the open part of the common queue.
    fn distribute_part(&mut self) {
        for (key, to, messages) in self.subscriptions.idle.take_part() {
            let Some(session) = self.sessions.get_mut(key) else { continue };
            if to == DeliveryPlace::Queue {
                session.outbound.push_common(messages);
                continue;
            }
            let id = session.connection;
            let Some((id, peer)) = id.and_then(|id| Some((id, self.peers.get_mut(&id)?))) else {
                continue;
            };
            let count = messages.left().messages as u64;
            peer.push(OutgoingItem::Common(messages));
            peer.backlog.published += count;
            // The packet that every item counts as is counted when it is handed over.
            self.statistics.sent.packets += count - 1;
            touch(&mut self.touched, id, peer);
        }
    }

    /// Sets those of these sessions aside, which were to get a message of this QoS, whose clients
    /// take nothing.
    #[inline]
    pub(super) fn set_aside(&mut self, keys: &[SessionKey], qos: QoS, now: Instant) {
        if !keys.is_empty() {
            self.set_each_aside(keys, qos, now);
        }
    }

    #[inline(never)]
    fn set_each_aside(&mut self, keys: &[SessionKey], qos: QoS, now: Instant) {
        for key in keys {
            if !self.subscriptions.idle.contains(*key)
                && let Some(fates) = self.fates_aside(*key, now)
            {
                self.begin_aside(*key, qos, fates);
            }
        }
    }

    /// What becomes of the messages of a session that is set aside; `None` if it cannot be.
    fn fates_aside(&self, key: SessionKey, now: Instant) -> Option<[IdleFate; 2]> {
        let session = self.sessions.get(key)?;
        let changes = self.subscriptions.changes();
        let may_fit = session.filters.len() <= MOST_FILTERS
            && session.rights.is_none()
            && !self.subscriptions.idle.is_unfit(key, changes);
        if !may_fit {
            return None;
        }
        let Some(id) = session.connection else {
            return Some([IdleFate::Ignored, self.fate_of_queue(session, 4)]);
        };
        let peer = self.peers.get(&id)?;
        let reader = &peer.backlog.reader;
        if !reader.is_idle(now) || !reader.is_given_up() || peer.end.is_some() {
            return None;
        }
        // What waits in its queue would not follow.
        if session.outbound.can_send() && !peer.backlog.is_full(self.memory.level) {
            return None;
        }
        let is_left_alone = peer.backlog.is_left_alone();
        let level = backlog_level(session, peer, &self.limits, self.memory.level);
        if level == BacklogLevel::NearlyFull && !is_left_alone {
            return None;
        }
        let queue = self.fate_of_queue(session, if is_left_alone { 4 } else { 3 });
        Some([self.fate_of_connection(session, peer), queue])
    }

    /// The first message that is lost is told of.
    fn fate_of_connection(&self, session: &ClientSession, peer: &Peer) -> IdleFate {
        if peer.backlog.is_full(self.memory.level) && session.lost.dropped > 0 {
            return IdleFate::Lost(DeliveryOutcome::Dropped);
        }
        let weight = peer.backlog.room(self.memory.level);
        IdleFate::Waiting(Amount { messages: usize::MAX, weight })
    }

    fn fate_of_queue(&self, session: &ClientSession, quarters: usize) -> IdleFate {
        if session.outbound.is_full(&self.limits) && session.lost.overflowed > 0 {
            return IdleFate::Lost(DeliveryOutcome::Overflowed);
        }
        if !is_behind(session) {
            return IdleFate::Waiting(Amount::default());
        }
        IdleFate::Waiting(session.outbound.room(&self.limits, quarters))
    }

    /// From now on a session is set aside, if no message matches two of its subscriptions.
    fn begin_aside(&mut self, key: SessionKey, qos: QoS, fates: [IdleFate; 2]) {
        let Some(session) = self.sessions.get(key) else { return };
        let peer = session.connection.and_then(|id| self.peers.get(&id));
        // What waits in a session may be for a client of any version.
        let terms = |peer: &Peer| (peer.version, peer.terms.maximum_packet);
        let terms = peer.map_or((Version::V5, usize::MAX), terms);
        let filters: Vec<_> = session.filters.iter().collect();
        let subscriptions = &mut self.subscriptions;
        let found: Vec<_> =
            filters.iter().filter_map(|filter| subscriptions.get(key, filter)).collect();
        // A shared subscription may choose it for any message.
        let is_fit = found.len() == filters.len()
            && !filters.iter().any(|filter| filter.share().is_some())
            && !any_overlap(&filters)
            && !found.iter().any(SubscribedSession::is_deaf_to_itself);
        if !is_fit {
            let changes = subscriptions.changes();
            return subscriptions.idle.set_unfit(key, changes);
        }
        // As long as more may be under way, it is: see `fate_of_queue`.
        let most = found.iter().map(|one| one.qos).max();
        let is_queued = qos.min(most.unwrap_or(QoS::AtMostOnce));
        if is_queued > QoS::AtMostOnce && !is_behind(session) {
            return;
        }
        let places = filters.iter().filter_map(|filter| subscriptions.set_idle(key, filter));
        let places: Vec<_> = places.zip(found).collect();
        subscriptions.idle.insert(key, &places, terms, fates);
    }

    /// From now on a session is looked at for each message.
    #[inline]
    pub(super) fn readmit(&mut self, key: SessionKey) {
        if self.subscriptions.idle.contains(key) {
            self.end_aside(key);
        }
    }

    #[inline(never)]
    fn end_aside(&mut self, key: SessionKey) {
        if self.subscriptions.idle.has_waiting(key) {
            self.distribute_part();
        }
        let Some(LeftBehind { dropped, overflowed, last }) = self.subscriptions.idle.remove(key)
        else {
            return;
        };
        let Some(session) = self.sessions.get_mut(key) else { return };
        session.lost.dropped += dropped;
        session.lost.overflowed += overflowed;
        if let Some(peer) = session.connection.and_then(|id| self.peers.get_mut(&id)) {
            let level = backlog_level(session, peer, &self.limits, self.memory.level);
            // As if the last message had been looked at for it.
            last.inspect(|at| peer.backlog.reader.review(level, *at));
        }
        for filter in &session.filters {
            self.subscriptions.set_active(key, filter);
        }
    }

    /// From now on the session of a connection is looked at for each message: nothing can follow
    /// what it is sent next.
    pub(super) fn readmit_client(&mut self, id: ConnectionId) {
        if let Some(key) = self.peers.get(&id).and_then(|peer| peer.session) {
            self.readmit(key);
        }
    }

    /// From now on all sessions are looked at for each message.
    #[cold]
    pub(super) fn readmit_all(&mut self) {
        for key in self.subscriptions.idle.keys() {
            self.readmit(key);
        }
    }
}

/// Whether a message for a session has to wait in its queue.
fn is_behind(session: &ClientSession) -> bool {
    session.connection.is_none() || session.outbound.queued() > 0
}

/// Whether a message may match two of these filters.
fn any_overlap(filters: &[&TopicFilter]) -> bool {
    let pairs = filters.iter().enumerate();
    let mut pairs = pairs.flat_map(|(at, one)| filters[at + 1..].iter().map(move |two| (one, two)));
    pairs.any(|(one, two)| overlap(one.as_str(), two.as_str()))
}

fn overlap(one: &str, two: &str) -> bool {
    let (mut one, mut two) = (one.split('/'), two.split('/'));
    loop {
        match (one.next(), two.next()) {
            (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
            (Some(a), Some(b)) if a == b || a == "+" || b == "+" => {}
            _ => return false,
        }
    }
}

#[test]
fn overlapping_filters() {
    for (one, two, expected) in [
        ("a", "a", true),
        ("a", "b", false),
        ("a/b", "a", false),
        ("a/#", "a", true),
        ("#", "a/b", true),
        ("a/+/c", "+/b/c", true),
        ("a/+/c", "+/b/d", false),
        ("+", "a/b", false),
    ] {
        assert_eq!([overlap(one, two), overlap(two, one)], [expected; 2], "{one} {two}");
    }
}
