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

mod entry;
mod queues;
#[cfg(test)]
mod tests;

use crate::mqtt::id_map::{IdMap, IdSet};
use crate::mqtt::packet::{PacketId, PacketType, Publish};
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::session::Continuity;
use crate::mqtt::version::Version;
use entry::{Answer, Asked, Entry, Owner, Sending, Stage};
use queues::{SourceSide, TargetSide};

/// The source is not read while messages that the target has not acknowledged hold more bytes, as
/// long as the target can go on without the source.
const HELD: usize = 64 * 1024 * 1024;

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

/// What a message of the source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It is new: pass it to [`Relay::add`] or [`Relay::skip`].
    New,
    /// It is on its way already.
    Repeated,
    /// It is left to the next run.
    Left,
}

/// What has become of a message at the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The message as the target has got it.
    pub message: Publish,
    /// The target's answer.
    pub code: ReasonCode,
}

/// Whether there is a connection to the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// There is one.
    Connected,
    /// There is none.
    Away,
}

/// The messages that are on their way, by their identifiers.
#[derive(Debug)]
pub struct Relay {
    entries: IdMap<PacketId, Entry>,
    /// Counts the messages.
    number: u64,
    source: SourceSide,
    target: TargetSide,
    outcomes: Vec<Outcome>,
    /// The bytes of messages that the target has not acknowledged.
    held: usize,
    /// Counts what has moved a message on.
    steps: u64,
}

impl Relay {
    /// Nothing is on its way.
    pub fn new() -> Self {
        Self {
            entries: IdMap::default(),
            number: 0,
            source: SourceSide::default(),
            target: TargetSide::default(),
            outcomes: Vec::new(),
            held: 0,
            steps: 0,
        }
    }

    /// The source has accepted a connection. What it sends again is answered; if it has lost its
    /// session, what is on its way ends at the target alone.
    pub fn source_connected(&mut self, continuity: Continuity, version: Version) {
        self.source.connected(version);
        for entry in self.entries.values_mut() {
            entry.answer = Answer::Lost;
            if entry.stage == Stage::Released(Asked::Here) {
                entry.stage = Stage::Released(Asked::Before);
            }
        }
        if continuity == Continuity::New {
            let ids: Vec<PacketId> = self.entries.keys().copied().collect();
            ids.into_iter().for_each(|packet_id| self.disown(packet_id));
        }
    }

    /// The target has accepted a connection: everything that it has not acknowledged is sent again,
    /// in the order of the messages.
    pub fn target_connected(&mut self, continuity: Continuity, maximum_qos: QoS) {
        self.target.connected(continuity, maximum_qos);
        let mut ids: Vec<(u64, PacketId)> =
            self.entries.iter().map(|(packet_id, entry)| (entry.number, *packet_id)).collect();
        ids.sort_unstable();
        for (_, packet_id) in ids {
            let Some(entry) = self.entries.get_mut(&packet_id) else { continue };
            match entry.stage {
                Stage::Published | Stage::Waiting(_) => {
                    entry.stage = Stage::Waiting(match (continuity, entry.stage) {
                        (Continuity::New, _) | (_, Stage::Waiting(Sending::First)) => {
                            Sending::First
                        }
                        _ => Sending::Again,
                    });
                    self.target.publishes.push_back(packet_id);
                }
                Stage::Clearing if continuity == Continuity::New => {
                    entry.stage = Stage::Waiting(Sending::First);
                    self.target.publishes.push_back(packet_id);
                }
                Stage::Clearing => {
                    self.target.releases.push_back(packet_id);
                    self.target.publishes.push_back(packet_id);
                }
                Stage::Released(_) if maximum_qos < QoS::ExactlyOnce => self.completed(packet_id),
                Stage::Released(_) => self.target.releases.push_back(packet_id),
                Stage::Received | Stage::Finished(_) => {}
            }
        }
    }

    /// What this message of the source is. One that is on its way is answered once more when it is
    /// its turn.
    pub fn arrival(&mut self, packet_id: PacketId) -> Arrival {
        match self.entries.get_mut(&packet_id) {
            Some(entry) if entry.owner == Owner::Source => {
                if entry.answer != Answer::Due {
                    entry.answer = Answer::Due;
                    let qos = entry.qos;
                    self.source.awaiting(qos).push_back(packet_id);
                    self.answer(qos);
                }
                Arrival::Repeated
            }
            Some(_) => Arrival::Left,
            None if self.source.takes_new() => Arrival::New,
            None => Arrival::Left,
        }
    }

    /// Takes a new message for the target; it has an identifier.
    pub fn add(&mut self, message: Publish) {
        let Some(packet_id) = message.packet_id else { return };
        let (qos, is_first) = (message.qos, !message.dup);
        let needs_clearing =
            qos == QoS::ExactlyOnce && self.target.may_know(packet_id) && is_first;
        self.held += size(&message);
        let stage = if needs_clearing {
            self.target.releases.push_back(packet_id);
            Stage::Clearing
        } else if is_first {
            Stage::Waiting(Sending::First)
        } else {
            Stage::Waiting(self.target.repetition())
        };
        self.target.publishes.push_back(packet_id);
        self.insert(packet_id, qos, stage, Some(message));
    }

    /// Takes a new message that is not for the target: it is answered with this code in its turn.
    pub fn skip(&mut self, packet_id: PacketId, qos: QoS, code: ReasonCode) {
        self.insert(packet_id, qos, Stage::Finished(code), None);
        self.answer(qos);
    }

    fn insert(
        &mut self,
        packet_id: PacketId,
        qos: QoS,
        stage: Stage,
        message: Option<Publish>,
    ) {
        self.number += 1;
        self.steps += 1;
        let (number, answer, owner) = (self.number, Answer::Due, Owner::Source);
        let entry = Entry { number, qos, message, stage, answer, owner, sent_on: None };
        self.entries.insert(packet_id, entry);
        self.source.awaiting(qos).push_back(packet_id);
    }

    /// The source has sent PUBREL.
    pub fn released(&mut self, packet_id: PacketId) {
        self.steps += 1;
        let stage = self.entries.get(&packet_id).map(|entry| entry.stage);
        match stage {
            // A run before this one may have begun it.
            None if self.target.maximum_qos == QoS::ExactlyOnce => {
                self.insert_released(packet_id);
                self.target.releases.push_back(packet_id);
            }
            None => self.source.complete(packet_id),
            Some(Stage::Received) => {
                self.set_stage(packet_id, Stage::Released(Asked::Here));
                self.target.releases.push_back(packet_id);
            }
            Some(Stage::Released(_)) => self.set_stage(packet_id, Stage::Released(Asked::Here)),
            Some(Stage::Finished(_)) => {
                self.entries.remove(&packet_id);
                self.source.complete(packet_id);
            }
            // It had no PUBREC, so this is against the protocol: the source has done with it.
            Some(Stage::Clearing | Stage::Waiting(_) | Stage::Published) => {
                self.source.complete(packet_id);
                self.disown(packet_id);
            }
        }
    }

    fn insert_released(&mut self, packet_id: PacketId) {
        self.number += 1;
        let stage = Stage::Released(Asked::Here);
        let (number, qos, answer) = (self.number, QoS::ExactlyOnce, Answer::Given);
        let (message, owner, sent_on) = (None, Owner::Source, None);
        let entry = Entry { number, qos, message, stage, answer, owner, sent_on };
        self.entries.insert(packet_id, entry);
    }

    /// The target has sent PUBACK, PUBREC or PUBCOMP.
    pub fn target_answered(&mut self, packet: PacketType, packet_id: PacketId, code: ReasonCode) {
        let Some(stage) = self.entries.get(&packet_id).map(|entry| entry.stage) else { return };
        self.steps += 1;
        match (packet, stage) {
            (PacketType::PubAck, Stage::Published) => self.finish(packet_id, code),
            (PacketType::PubRec, Stage::Published) if code.is_error() => {
                self.finish(packet_id, code);
            }
            (PacketType::PubRec, Stage::Published) => self.received(packet_id, code),
            (PacketType::PubRec, Stage::Released(_)) => self.target.releases.push_back(packet_id),
            (PacketType::PubComp, Stage::Released(_)) => self.completed(packet_id),
            (PacketType::PubComp, Stage::Clearing) => {
                self.target.cleared(packet_id);
                self.set_stage(packet_id, Stage::Waiting(Sending::First));
            }
            // Answers that were given before, or to what was sent before.
            _ => {}
        }
    }

    /// The target cannot be given this message.
    pub fn refused(&mut self, packet_id: PacketId, code: ReasonCode) {
        self.finish(packet_id, code);
    }

    /// PUBREC: the target has the message.
    fn received(&mut self, packet_id: PacketId, code: ReasonCode) {
        self.report(packet_id, code);
        let Some(entry) = self.entries.get_mut(&packet_id) else { return };
        if entry.owner == Owner::Nobody {
            entry.stage = Stage::Released(Asked::Before);
            self.target.releases.push_back(packet_id);
        } else {
            entry.stage = Stage::Received;
            self.answer(QoS::ExactlyOnce);
        }
    }

    /// PUBCOMP: the target has finished with the message.
    fn completed(&mut self, packet_id: PacketId) {
        let Some(entry) = self.entries.get_mut(&packet_id) else { return };
        self.target.ended(packet_id, entry.sent_on.take());
        match (entry.owner, entry.stage) {
            (Owner::Nobody, _) => self.forget(packet_id),
            (Owner::Source, Stage::Released(Asked::Here)) => {
                self.entries.remove(&packet_id);
                self.source.complete(packet_id);
            }
            // The source sends its PUBREL again.
            (Owner::Source, _) => entry.stage = Stage::Finished(ReasonCode::SUCCESS),
        }
    }

    /// The target has finished with the message at its first answer, or refuses it.
    fn finish(&mut self, packet_id: PacketId, code: ReasonCode) {
        self.report(packet_id, code);
        let Some(entry) = self.entries.get_mut(&packet_id) else { return };
        self.target.ended(packet_id, entry.sent_on.take());
        if entry.owner == Owner::Nobody {
            return self.forget(packet_id);
        }
        entry.stage = Stage::Finished(code);
        let qos = entry.qos;
        self.answer(qos);
    }

    /// Hands the message to the caller.
    fn report(&mut self, packet_id: PacketId, code: ReasonCode) {
        let message = self.entries.get_mut(&packet_id).and_then(|entry| entry.message.take());
        if let Some(message) = message {
            self.held -= size(&message);
            self.outcomes.push(Outcome { message, code });
        }
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
            Stage::Received => {
                entry.stage = Stage::Released(Asked::Before);
                self.target.releases.push_back(packet_id);
            }
            Stage::Finished(_) => self.forget(packet_id),
            Stage::Clearing | Stage::Waiting(_) | Stage::Published | Stage::Released(_) => {}
        }
    }

    /// Removes a message of which the source knows nothing.
    fn forget(&mut self, packet_id: PacketId) {
        self.entries.remove(&packet_id);
        self.source.orphans -= 1;
    }

    fn set_stage(&mut self, packet_id: PacketId, stage: Stage) {
        if let Some(entry) = self.entries.get_mut(&packet_id) {
            entry.stage = stage;
        }
    }

    /// Answers the messages of this QoS whose turn it is: in the order in which they came
    /// `[MQTT-4.6.0-2]` `[MQTT-4.6.0-3]`.
    fn answer(&mut self, qos: QoS) {
        while let Some(&packet_id) = self.source.awaiting(qos).front() {
            let entry = self.entries.get_mut(&packet_id);
            let Some(entry) = entry.filter(|entry| entry.answer == Answer::Due) else {
                self.source.awaiting(qos).pop_front();
                continue;
            };
            let Some(code) = entry.verdict() else { return };
            entry.answer = Answer::Given;
            let is_over = self.source.answer(qos, packet_id, code);
            if is_over {
                self.entries.remove(&packet_id);
            }
        }
    }

    /// The next packet for the source; drop it if there is no connection to the source.
    pub fn next_for_source(&mut self) -> Option<SourceAnswer> {
        self.source.answers.pop_front()
    }

    /// The next packet for the target, which accepts as many messages of a QoS at once as `window`
    /// says. Call it only while there is a connection to the target.
    pub fn next_for_target(&mut self, window: impl Fn(QoS) -> usize) -> Option<TargetPacket> {
        while let Some(packet_id) = self.target.releases.pop_front() {
            if self.entries.contains_key(&packet_id) {
                return Some(TargetPacket::Release(packet_id));
            }
        }
        while let Some(&packet_id) = self.target.publishes.front() {
            let Some(entry) = self.entries.get_mut(&packet_id) else {
                self.target.publishes.pop_front();
                continue;
            };
            let Stage::Waiting(sending) = entry.stage else {
                // Nothing overtakes a message that waits for its identifier to be free.
                return None;
            };
            let message = entry.message.as_ref()?;
            let qos = message.qos.min(self.target.maximum_qos);
            if qos > QoS::AtMostOnce && self.target.outstanding >= window(qos) {
                return None;
            }
            let has_id = qos > QoS::AtMostOnce;
            let dup = has_id && sending == Sending::Again;
            let id = has_id.then_some(packet_id);
            let asked = message.qos;
            let publish = Publish { dup, qos, packet_id: id, ..message.clone() };
            entry.stage = Stage::Published;
            entry.sent_on = has_id.then(|| self.target.begin());
            self.target.publishes.pop_front();
            if !has_id {
                self.target.unconfirmed.push(packet_id);
            }
            return Some(TargetPacket::Publish { packet_id, asked, publish });
        }
        None
    }

    /// Whether the target is to be asked for a PINGRESP, which then confirms what was lowered to
    /// QoS 0: call [`Relay::confirmed`] when it comes.
    pub fn asks_for_confirmation(&mut self) -> bool {
        let asks = self.target.confirming.is_empty() && !self.target.unconfirmed.is_empty();
        if asks {
            self.target.confirming = std::mem::take(&mut self.target.unconfirmed);
        }
        asks
    }

    /// The target has answered a PINGREQ: it has got everything before.
    pub fn confirmed(&mut self) {
        for packet_id in std::mem::take(&mut self.target.confirming) {
            self.steps += 1;
            self.finish(packet_id, ReasonCode::SUCCESS);
        }
    }

    /// What has become of messages at the target since the last call.
    pub fn take_outcomes(&mut self) -> Vec<Outcome> {
        std::mem::take(&mut self.outcomes)
    }

    /// Whether the source must not be read: what is left of a session that it has lost occupies
    /// identifiers, or too much waits for a target that can go on without the source.
    pub fn must_pause(&self, target: Reach) -> bool {
        let goes_on = || {
            target == Reach::Away
                || self.entries.values().any(|entry| entry.stage.waits_for_target())
        };
        self.source.orphans > 0 || (self.held > HELD && goes_on())
    }

    /// From now on only messages that are on their way are finished.
    pub fn stop_taking(&mut self) {
        self.source.stop();
    }

    /// How many messages are on their way.
    pub fn unfinished(&self) -> usize {
        self.entries.len()
    }

    /// Counts what has moved a message on.
    pub fn steps(&self) -> u64 {
        self.steps
    }
}

/// What a message takes, about, in bytes.
fn size(message: &Publish) -> usize {
    message.payload.len() + message.topic_or_empty().len()
}

impl Default for Relay {
    fn default() -> Self {
        Self::new()
    }
}

/// The identifiers of which the target may know from a run before this one.
type Cleared = IdSet<PacketId>;
