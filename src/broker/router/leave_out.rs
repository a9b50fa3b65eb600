//! Which sessions are left out of the delivery of messages, because they lose each.

use super::message::DeliveryOutcome;
use super::subscriptions::Matches;
use super::{Router, SessionKey};
use crate::mqtt::qos::QoS;
use crate::mqtt::topic::TopicName;

impl Router {
    /// What was found for the last message is not used for one of another topic or QoS if it lacks
    /// the sessions that lose every message.
    #[inline]
    pub(super) fn prepare_matches(&mut self, topic: &TopicName, qos: QoS) {
        let matches = &self.buffers.matches;
        if !matches.losing.is_empty() && !self.subscriptions.knows(matches, topic, qos) {
            self.readmit_all();
        }
    }

    /// Counts messages for the sessions that lose each: what becomes of a message for them.
    #[inline]
    pub(super) fn count_losing(&mut self, matches: &mut Matches, count: u64) -> DeliveryOutcome {
        if matches.losing.is_empty() {
            return DeliveryOutcome::Done;
        }
        let (outcome, lost) = matches.losing.count(count);
        self.statistics.dropped += lost;
        outcome
    }

    /// Leaves out those of these sessions, which have lost a message, that will lose all that
    /// follow.
    #[inline]
    pub(super) fn leave_out(&self, matches: &mut Matches, lost: &[(SessionKey, DeliveryOutcome)]) {
        let mut are_some = false;
        for (key, outcome) in lost {
            if self.loses_all(*key, *outcome) && matches.can_leave_out(*key) {
                matches.losing.insert(*key, *outcome);
                are_some = true;
            }
        }
        if are_some {
            matches.drop_losing();
        }
    }

    /// Whether a session that has lost a message will lose all others, whatever their size, until
    /// its client reads.
    fn loses_all(&self, key: SessionKey, outcome: DeliveryOutcome) -> bool {
        let Some(session) = self.sessions.get(key) else { return false };
        let peer = session.connection.and_then(|id| self.peers.get(&id));
        let is_waited_for = peer.is_some_and(|peer| !peer.backlog.reader.is_stuck());
        !is_waited_for
            && match outcome {
                DeliveryOutcome::Done => false,
                DeliveryOutcome::Dropped => {
                    peer.is_some_and(|peer| peer.backlog.is_full(self.memory.level))
                }
                DeliveryOutcome::Overflowed => session.outbound.is_full(&self.limits),
            }
    }

    /// From now on a session is looked at again: it may have room.
    #[inline]
    pub(super) fn readmit(&mut self, key: SessionKey) {
        let losing = &self.buffers.matches.losing;
        if !losing.is_empty() && losing.contains(key) {
            self.readmit_all();
        }
    }

    /// From now on all sessions are looked at again.
    #[cold]
    pub(super) fn readmit_all(&mut self) {
        let losing = std::mem::take(&mut self.buffers.matches.losing);
        self.buffers.matches.forget();
        for (key, outcome, count) in losing.losses() {
            let Some(session) = self.sessions.get_mut(key) else { continue };
            match outcome {
                DeliveryOutcome::Done => {}
                DeliveryOutcome::Dropped => session.lost.dropped += count,
                DeliveryOutcome::Overflowed => session.lost.overflowed += count,
            }
        }
    }
}
