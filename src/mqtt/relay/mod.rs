//! Passes QoS 1 and 2 messages from one server, the source, to another, the target: which packet
//! may go to which side, and when.
//!
//! The source learns of each step only what the target has answered, and a message has the same
//! packet identifier on both sides:
//!
//! ```text
//!   source                relay                target
//!          -- PUBLISH p -->     -- PUBLISH p -->
//!          <-- PUBREC p ---     <-- PUBREC p ---
//!          -- PUBREL p --->     -- PUBREL p --->
//!          <-- PUBCOMP p --     <-- PUBCOMP p --
//! ```
//!
//! So everything that has to outlive the relay is in the sessions of the two servers: what the
//! source sends again after a relay was killed has the identifier under which the target already
//! knows it, and is delivered once. QoS 1 ends with PUBACK.

mod bound;
mod entry;
mod later;
mod queues;
mod size;
mod target;
#[cfg(test)]
mod tests;

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use crate::mqtt::id_map::{IdMap, IdSet};
use crate::mqtt::packet::{PacketId, PacketType, Publish};
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::session::Continuity;
use crate::mqtt::version::Version;
use bound::HELD;
use entry::{Owner, RelayAnswer, RelayAsked, RelayEntry, RelaySending, RelayStage};
use later::{Later, NewMessage, RelayFate};
use queues::{SourceSide, TargetSide};
use size::message_size;

/// A packet for the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceAnswer {
    /// PUBACK, PUBREC or PUBCOMP.
    pub packet: PacketType,
    /// The message.
    pub packet_id: PacketId,
    /// The result; it is one that PUBACK and PUBREC may have.
    pub code: ReasonCode,
}

/// A packet for the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetPacket {
    /// A message; its identifier is the same at the target, unless it is lowered to QoS 0.
    Publish {
        /// The identifier at the source.
        packet_id: PacketId,
        /// The QoS at the source.
        asked: QoS,
        /// The message as it is sent.
        publish: Publish,
    },
    /// PUBREL.
    Release(PacketId),
}

/// Tells a message that the source sends again from another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelayMark(u64);

/// What a message of the source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayArrival {
    /// It is new: pass it to [`Relay::add`] or [`Relay::skip`], with this mark.
    New(RelayMark),
    /// It is on its way already.
    Repeated,
    /// It is left to the next connection to the source, or to the next run.
    Left,
}

/// What has become of a message at the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayOutcome {
    /// The message as the target has got it.
    pub message: Publish,
    /// The target's answer.
    pub code: ReasonCode,
}

/// Whether there is a connection to the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayReach {
    /// There is one.
    Connected,
    /// There is none.
    Away,
}

/// The messages that are on their way, by their identifiers.
#[derive(Debug)]
pub struct Relay {
    entries: IdMap<PacketId, RelayEntry>,
    /// Counts the messages.
    number: u64,
    source: SourceSide,
    target: TargetSide,
    later: Later,
    outcomes: Vec<RelayOutcome>,
    /// The bytes of messages that the target has not acknowledged.
    held: usize,
    /// The most of them.
    bound: usize,
    /// How many messages the source has not named on the connection that it has now.
    lost: usize,
    /// How many messages wait for a step of the target.
    awaited: usize,
    /// Counts what has moved a message on.
    steps: u64,
}

impl Relay {
    /// Nothing is on its way.
    pub fn new() -> Self {
        Self::with_bound(HELD)
    }

    fn with_bound(bound: usize) -> Self {
        Self {
            bound,
            entries: IdMap::default(),
            number: 0,
            source: SourceSide::default(),
            target: TargetSide::default(),
            later: Later::default(),
            outcomes: Vec::new(),
            held: 0,
            lost: 0,
            awaited: 0,
            steps: 0,
        }
    }

    /// The source has accepted a connection. What it sends again is answered; if it has lost its
    /// session, what is on its way ends at the target alone. Returns how many messages were taken
    /// that have to come again.
    pub fn source_connected(&mut self, continuity: Continuity, version: Version) -> u64 {
        self.source.connected(version);
        let (dropped, bytes) = self.later.clear();
        self.held -= bytes;
        self.lost = self.entries.len();
        for entry in self.entries.values_mut() {
            entry.answer = RelayAnswer::Lost;
            if entry.stage == RelayStage::Released(RelayAsked::Here) {
                entry.stage = RelayStage::Released(RelayAsked::Before);
            }
        }
        if continuity == Continuity::New {
            let ids: Vec<PacketId> = self.entries.keys().copied().collect();
            for packet_id in ids {
                self.disown(packet_id);
            }
        }
        dropped
    }

    /// What this message of the source, which has an identifier, is. One that is on its way is
    /// answered once more when it is its turn.
    pub fn arrival(&mut self, publish: &Publish) -> RelayArrival {
        let Some(packet_id) = publish.packet_id else { return RelayArrival::Left };
        let mark = mark(publish);
        if self.is_repeated(packet_id, mark, publish.dup) {
            self.answer_again(packet_id);
            return RelayArrival::Repeated;
        }
        if self.takes_new() { RelayArrival::New(mark) } else { RelayArrival::Left }
    }

    fn is_repeated(&mut self, packet_id: PacketId, mark: RelayMark, dup: bool) -> bool {
        let Some(entry) = self.entries.get(&packet_id) else { return false };
        if entry.owner == Owner::Nobody {
            return false;
        }
        let is_lost = entry.answer == RelayAnswer::Lost;
        if entry.mark.is_none_or(|known| known == mark) {
            return is_lost || dup;
        }
        if is_lost {
            // The source has given up the message that had the identifier.
            self.disown(packet_id);
        }
        false
    }

    fn answer_again(&mut self, packet_id: PacketId) {
        let Some(entry) = self.entries.get_mut(&packet_id) else { return };
        if entry.answer != RelayAnswer::Due {
            self.lost -= usize::from(entry.answer == RelayAnswer::Lost);
            entry.answer = RelayAnswer::Due;
            let qos = entry.qos;
            self.source.awaiting(qos).push_back(packet_id);
            self.answer(qos);
        }
    }

    /// Takes a new message for the target; it has an identifier.
    pub fn add(&mut self, mark: RelayMark, message: Publish) {
        let Some(packet_id) = message.packet_id else { return };
        self.source.news += usize::from(!message.dup);
        let fate = RelayFate::Passed(self.kept(message));
        self.enter(packet_id, NewMessage { mark, fate });
    }

    /// Takes a new message that is not for the target: it is answered with this code in its turn.
    pub fn skip(&mut self, mark: RelayMark, packet_id: PacketId, qos: QoS, code: ReasonCode) {
        self.enter(packet_id, NewMessage { mark, fate: RelayFate::Skipped(qos, code) });
    }

    /// Some brokers send another message under an identifier that is in use (mosquitto 2.0, when
    /// more than 65,535 wait): it has to wait until that is free.
    fn enter(&mut self, packet_id: PacketId, new: NewMessage) {
        self.steps += 1;
        self.source.arrived(packet_id);
        if self.entries.contains_key(&packet_id) {
            self.held += new.fate.size();
            return self.later.push(packet_id, new);
        }
        match new.fate {
            RelayFate::Passed(message) => {
                self.held += message_size(&message);
                let qos = message.qos;
                let stage = self.first_stage(packet_id, &message);
                self.target.publishes.push_back(packet_id);
                self.insert(packet_id, new.mark, qos, stage, Some(message));
            }
            RelayFate::Skipped(qos, code) => {
                self.insert(packet_id, new.mark, qos, RelayStage::Finished(code), None);
                self.answer(qos);
            }
        }
    }

    fn first_stage(&mut self, packet_id: PacketId, message: &Publish) -> RelayStage {
        let is_exact = message.qos == QoS::ExactlyOnce;
        if message.dup {
            RelayStage::Waiting(self.target.repetition())
        } else if is_exact && self.target.may_know(packet_id) {
            self.target.release(packet_id);
            RelayStage::Clearing
        } else {
            RelayStage::Waiting(RelaySending::First)
        }
    }

    fn insert(
        &mut self,
        packet_id: PacketId,
        mark: RelayMark,
        qos: QoS,
        stage: RelayStage,
        message: Option<Publish>,
    ) {
        self.number += 1;
        let (number, answer, owner) = (self.number, RelayAnswer::Due, Owner::Source);
        let mark = Some(mark);
        let entry = RelayEntry { number, mark, qos, message, stage, answer, owner, sent_on: None };
        self.put(packet_id, entry);
        self.source.awaiting(qos).push_back(packet_id);
    }

    /// A message is finished at both sides: its identifier is free.
    fn remove(&mut self, packet_id: PacketId) {
        if let Some(entry) = self.entries.remove(&packet_id) {
            self.lost -= usize::from(entry.answer == RelayAnswer::Lost);
            self.awaited -= usize::from(entry.stage.waits_for_target());
        }
        if let Some(next) = self.later.take(packet_id) {
            self.held -= next.fate.size();
            self.enter(packet_id, next);
        }
    }

    /// The source has sent PUBREL.
    pub fn released(&mut self, packet_id: PacketId) {
        self.steps += 1;
        let entry = self.entries.get_mut(&packet_id);
        let stage = entry.map(|entry| {
            // It answers a PUBREC: another message under this identifier is none that comes again.
            if entry.answer == RelayAnswer::Lost && entry.verdict().is_some() {
                entry.answer = RelayAnswer::Given;
                self.lost -= 1;
            }
            if entry.owner == Owner::Nobody {
                entry.owner = Owner::Source;
                self.source.orphans -= 1;
            }
            entry.stage
        });
        match stage {
            // A run before this one may have begun it.
            None if self.target.maximum_qos == QoS::ExactlyOnce => {
                self.insert_released(packet_id);
                self.target.release(packet_id);
            }
            None => self.source.complete(packet_id),
            Some(RelayStage::Received) => {
                self.set_stage(packet_id, RelayStage::Released(RelayAsked::Here));
                self.target.release(packet_id);
            }
            Some(RelayStage::Released(_)) => {
                self.set_stage(packet_id, RelayStage::Released(RelayAsked::Here));
            }
            Some(RelayStage::Finished(_)) => {
                self.source.complete(packet_id);
                self.remove(packet_id);
            }
            // It had no PUBREC, so this is against the protocol: the source has done with it.
            Some(RelayStage::Clearing | RelayStage::Waiting(_) | RelayStage::Published) => {
                self.source.complete(packet_id);
                self.disown(packet_id);
            }
        }
    }

    fn insert_released(&mut self, packet_id: PacketId) {
        self.number += 1;
        let stage = RelayStage::Released(RelayAsked::Here);
        let (number, qos, answer) = (self.number, QoS::ExactlyOnce, RelayAnswer::Given);
        let (mark, message, owner, sent_on) = (None, None, Owner::Source, None);
        let entry = RelayEntry { number, mark, qos, message, stage, answer, owner, sent_on };
        self.put(packet_id, entry);
    }

    /// Enters a message whose identifier is free.
    fn put(&mut self, packet_id: PacketId, entry: RelayEntry) {
        self.awaited += usize::from(entry.stage.waits_for_target());
        self.entries.insert(packet_id, entry);
    }

    /// The source knows nothing of this message any more.
    fn disown(&mut self, packet_id: PacketId) {
        let Some(entry) = self.entries.get_mut(&packet_id) else { return };
        if entry.owner == Owner::Nobody {
            return;
        }
        entry.owner = Owner::Nobody;
        self.source.orphans += 1;
        match entry.stage {
            RelayStage::Received => {
                self.set_stage(packet_id, RelayStage::Released(RelayAsked::Before));
                self.target.release(packet_id);
            }
            RelayStage::Finished(_) => self.forget(packet_id),
            RelayStage::Clearing
            | RelayStage::Waiting(_)
            | RelayStage::Published
            | RelayStage::Released(_) => {}
        }
    }

    /// Removes a message of which the source knows nothing.
    fn forget(&mut self, packet_id: PacketId) {
        self.source.orphans -= 1;
        self.remove(packet_id);
    }

    /// The target has no room, and all that occupies it are messages that the source has not named
    /// on this connection, although it has sent new ones, before which it would have sent them
    /// again: it has forgotten them, as a broker does that restores an older state of a session.
    fn give_up_forgotten(&mut self) {
        let is_possible = self.source.news > 0 && self.lost > 0 && self.awaited == 0;
        let is_lost = |entry: &RelayEntry| entry.answer == RelayAnswer::Lost;
        let occupies = |entry: &RelayEntry| entry.stage == RelayStage::Received;
        if !is_possible || self.entries.values().any(|entry| occupies(entry) && !is_lost(entry)) {
            return;
        }
        let lost = self.entries.iter().filter(|(_, entry)| is_lost(entry));
        let ids: Vec<PacketId> = lost.map(|(packet_id, _)| *packet_id).collect();
        for packet_id in ids {
            self.disown(packet_id);
        }
    }

    fn set_stage(&mut self, packet_id: PacketId, stage: RelayStage) {
        if let Some(entry) = self.entries.get_mut(&packet_id) {
            let earlier = std::mem::replace(&mut entry.stage, stage);
            self.awaited += usize::from(stage.waits_for_target());
            self.awaited -= usize::from(earlier.waits_for_target());
        }
    }

    /// Answers the messages of this QoS whose turn it is: in the order in which they came
    /// `[MQTT-4.6.0-2]` `[MQTT-4.6.0-3]`.
    fn answer(&mut self, qos: QoS) {
        while let Some(&packet_id) = self.source.awaiting(qos).front() {
            let entry = self.entries.get_mut(&packet_id);
            let Some(entry) = entry.filter(|entry| entry.answer == RelayAnswer::Due) else {
                self.source.awaiting(qos).pop_front();
                continue;
            };
            let Some(code) = entry.verdict() else { return };
            entry.answer = RelayAnswer::Given;
            let is_over = self.source.answer(qos, packet_id, code);
            if is_over {
                self.remove(packet_id);
            }
        }
    }

    /// The next packet for the source; drop it if there is no connection to the source. `window` is
    /// how many messages the target takes at once.
    pub fn next_for_source(&mut self, window: usize) -> Option<SourceAnswer> {
        self.source.next_answer(self.unfinished() - self.lost, window)
    }

    /// What has become of messages at the target since the last call.
    pub fn take_outcomes(&mut self) -> Vec<RelayOutcome> {
        std::mem::take(&mut self.outcomes)
    }

    /// From now on only messages that are on their way are finished.
    pub fn stop_taking(&mut self) {
        self.source.stop();
    }

    /// How many messages are on their way.
    pub fn unfinished(&self) -> usize {
        self.entries.len() + self.later.len()
    }

    /// Counts what has moved a message on.
    pub fn steps(&self) -> u64 {
        self.steps
    }
}

fn mark(message: &Publish) -> RelayMark {
    let mut hasher = DefaultHasher::new();
    (message.topic_or_empty(), &message.payload, message.retain).hash(&mut hasher);
    RelayMark(hasher.finish())
}

impl Default for Relay {
    fn default() -> Self {
        Self::new()
    }
}

/// The identifiers of which the target may know from a run before this one.
type Cleared = IdSet<PacketId>;
