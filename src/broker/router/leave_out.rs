//! Which sessions are left out of the delivery of messages, because they lose each, or get each
//! through a common queue.

use std::time::Instant;

use super::message::DeliveryOutcome;
use super::subscriptions::Matches;
use super::{ConnectionId, Router, SessionKey};
use crate::broker::limits::COMMON_BYTES;
use crate::mqtt::qos::QoS;
use crate::mqtt::topic::TopicName;

impl Router {
    /// What was found for the last message is not used for one of another topic or QoS if it lacks
    /// sessions; nor for one of a weight in bytes for which a common queue has no room.
    #[inline]
    pub(super) fn prepare_matches(
        &mut self,
        topic: &TopicName,
        qos: QoS,
        weight: impl FnOnce() -> usize,
    ) {
        if self.buffers.matches.lacks_some() {
            self.check_matches(topic, qos, weight());
        }
    }

    #[inline(never)]
    fn check_matches(&mut self, topic: &TopicName, qos: QoS, weight: usize) {
        let matches = &self.buffers.matches;
        let has_room =
            matches.common.is_empty() || weight < COMMON_BYTES && matches.common.have_room(weight);
        if !has_room || !self.subscriptions.knows(matches, topic, qos) {
            self.readmit_all();
        }
    }

    /// Counts messages for the sessions that lose each: what becomes of a message for them.
    #[inline]
    pub(super) fn count_losing(&mut self, matches: &mut Matches, count: u64) -> DeliveryOutcome {
        if matches.losing.is_empty() {
            return DeliveryOutcome::None;
        }
        let (outcome, lost) = matches.losing.count(count);
        self.statistics.dropped += lost;
        outcome
    }

    /// Leaves out those of these sessions that will lose all messages that follow, and those that
    /// can get them through a common queue.
    #[inline]
    pub(super) fn set_aside(
        &self,
        matches: &mut Matches,
        outcomes: &[(SessionKey, DeliveryOutcome)],
        now: Instant,
    ) {
        if !outcomes.is_empty() {
            self.leave_out(matches, outcomes, now);
        }
    }

    #[inline(never)]
    fn leave_out(
        &self,
        matches: &mut Matches,
        outcomes: &[(SessionKey, DeliveryOutcome)],
        now: Instant,
    ) {
        let mut are_some = false;
        for (key, outcome) in outcomes {
            if !matches.can_leave_out(*key) {
                continue;
            }
            are_some |= match outcome {
                DeliveryOutcome::None | DeliveryOutcome::Done => false,
                DeliveryOutcome::Idle => self.follow(matches, *key, now),
                DeliveryOutcome::Dropped | DeliveryOutcome::Overflowed => {
                    let loses_all = self.loses_all(*key, *outcome);
                    if loses_all {
                        matches.losing.insert(*key, *outcome);
                    }
                    loses_all
                }
            };
        }
        if are_some {
            matches.drop_left_out();
        }
    }

    /// Whether a session that has lost a message will lose all others, whatever their size, until
    /// its client reads.
    fn loses_all(&self, key: SessionKey, outcome: DeliveryOutcome) -> bool {
        let Some(session) = self.sessions.get(key) else { return false };
        let peer = session.connection.and_then(|id| self.peers.get(&id));
        let is_waited_for = peer.is_some_and(|peer| !peer.backlog.reader.is_given_up());
        !is_waited_for
            && match outcome {
                DeliveryOutcome::None | DeliveryOutcome::Done | DeliveryOutcome::Idle => false,
                DeliveryOutcome::Dropped => {
                    peer.is_some_and(|peer| peer.backlog.is_full(self.memory.level))
                }
                DeliveryOutcome::Overflowed => session.outbound.is_full(&self.limits),
            }
    }

    /// From now on a session is looked at again: it may have room.
    #[inline]
    pub(super) fn readmit(&mut self, key: SessionKey) {
        let matches = &self.buffers.matches;
        if matches.lacks_some() && matches.lacks(key) {
            self.readmit_all();
        }
    }

    /// From now on the session of a connection is looked at again: nothing can follow what it is
    /// sent next.
    pub(super) fn readmit_client(&mut self, id: ConnectionId) {
        if let Some(key) = self.peers.get(&id).and_then(|peer| peer.session) {
            self.readmit(key);
        }
    }

    /// From now on all sessions are looked at again.
    #[cold]
    pub(super) fn readmit_all(&mut self) {
        let losing = std::mem::take(&mut self.buffers.matches.losing);
        let common = std::mem::take(&mut self.buffers.matches.common);
        self.buffers.matches.forget();
        self.dissolve(common);
        for (key, outcome, count) in losing.losses() {
            let Some(session) = self.sessions.get_mut(key) else { continue };
            match outcome {
                DeliveryOutcome::None | DeliveryOutcome::Done | DeliveryOutcome::Idle => {}
                DeliveryOutcome::Dropped => session.lost.dropped += count,
                DeliveryOutcome::Overflowed => session.lost.overflowed += count,
            }
        }
    }
}
