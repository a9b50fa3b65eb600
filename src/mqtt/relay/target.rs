//! The side of the target: what is sent to it, and what its answers mean.

use super::entry::{Owner, RelayAsked, RelaySending, RelayStage};
use super::size::message_size;
use super::{Relay, RelayOutcome, TargetPacket};
use crate::mqtt::packet::{PacketId, PacketType, Publish};
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::session::Continuity;

impl Relay {
    /// The target has accepted a connection: everything that it has not acknowledged is sent again,
    /// in the order of the messages.
    pub fn target_connected(&mut self, continuity: Continuity, maximum_qos: QoS) {
        self.target.connected(continuity, maximum_qos);
        let mut ids: Vec<(u64, PacketId)> =
            self.entries.iter().map(|(packet_id, entry)| (entry.number, *packet_id)).collect();
        ids.sort_unstable();
        for (_, packet_id) in ids {
            let Some(entry) = self.entries.get(&packet_id) else { continue };
            match entry.stage {
                RelayStage::Published | RelayStage::Waiting(_) => {
                    let sending = match (continuity, entry.stage) {
                        (Continuity::New, _) | (_, RelayStage::Waiting(RelaySending::First)) => {
                            RelaySending::First
                        }
                        _ => RelaySending::Again,
                    };
                    self.set_stage(packet_id, RelayStage::Waiting(sending));
                    self.target.publishes.push_back(packet_id);
                }
                RelayStage::Clearing if continuity == Continuity::New => {
                    self.set_stage(packet_id, RelayStage::Waiting(RelaySending::First));
                    self.target.publishes.push_back(packet_id);
                }
                RelayStage::Clearing => {
                    self.target.release(packet_id);
                    self.target.publishes.push_back(packet_id);
                }
                RelayStage::Released(_) if maximum_qos < QoS::ExactlyOnce => {
                    self.completed(packet_id);
                }
                RelayStage::Released(_) => self.target.release(packet_id),
                RelayStage::Received | RelayStage::Finished(_) => {}
            }
        }
    }

    /// The target has sent PUBACK, PUBREC or PUBCOMP.
    pub fn target_answered(&mut self, packet: PacketType, packet_id: PacketId, code: ReasonCode) {
        let Some(stage) = self.entries.get(&packet_id).map(|entry| entry.stage) else { return };
        self.steps += 1;
        match (packet, stage) {
            (PacketType::PubAck, RelayStage::Published) => self.finish(packet_id, code),
            (PacketType::PubRec, RelayStage::Published) if code.is_error() => {
                self.finish(packet_id, code);
            }
            (PacketType::PubRec, RelayStage::Published) => self.received(packet_id, code),
            (PacketType::PubRec, RelayStage::Released(_)) => {
                self.target.release(packet_id);
            }
            (PacketType::PubComp, RelayStage::Released(_)) => self.completed(packet_id),
            (PacketType::PubComp, RelayStage::Clearing) => {
                self.target.cleared(packet_id);
                self.set_stage(packet_id, RelayStage::Waiting(RelaySending::First));
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
        let Some(entry) = self.entries.get(&packet_id) else { return };
        if entry.owner == Owner::Nobody {
            self.set_stage(packet_id, RelayStage::Released(RelayAsked::Before));
            self.target.release(packet_id);
        } else {
            self.set_stage(packet_id, RelayStage::Received);
            self.answer(QoS::ExactlyOnce);
        }
    }

    /// PUBCOMP: the target has finished with the message.
    fn completed(&mut self, packet_id: PacketId) {
        let Some(entry) = self.entries.get_mut(&packet_id) else { return };
        self.target.ended(packet_id, entry.sent_on.take());
        match (entry.owner, entry.stage) {
            (Owner::Nobody, _) => self.forget(packet_id),
            (Owner::Source, RelayStage::Released(RelayAsked::Here)) => {
                self.source.complete(packet_id);
                self.remove(packet_id);
            }
            // The source sends its PUBREL again.
            (Owner::Source, _) => {
                self.set_stage(packet_id, RelayStage::Finished(ReasonCode::SUCCESS));
            }
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
        let qos = entry.qos;
        self.set_stage(packet_id, RelayStage::Finished(code));
        self.answer(qos);
    }

    /// Hands the message to the caller.
    fn report(&mut self, packet_id: PacketId, code: ReasonCode) {
        let message = self.entries.get_mut(&packet_id).and_then(|entry| entry.message.take());
        if let Some(message) = message {
            self.held -= message_size(&message);
            self.outcomes.push(RelayOutcome { message, code });
        }
    }

    /// The next packet for the target, which accepts as many messages of a QoS at once as `window`
    /// says. Call it only while there is a connection to the target.
    pub fn next_for_target(&mut self, window: impl Fn(QoS) -> usize) -> Option<TargetPacket> {
        if let Some(release) = self.next_release() {
            return Some(release);
        }
        while let Some(&packet_id) = self.target.publishes.front() {
            let Some(entry) = self.entries.get_mut(&packet_id) else {
                self.target.publishes.pop_front();
                continue;
            };
            let RelayStage::Waiting(sending) = entry.stage else {
                // Nothing overtakes a message that waits for its identifier to be free.
                return None;
            };
            let message = entry.message.as_ref()?;
            let qos = message.qos.min(self.target.maximum_qos);
            if qos > QoS::AtMostOnce && self.target.outstanding >= window(qos) {
                self.give_up_forgotten();
                return self.next_release();
            }
            let has_id = qos > QoS::AtMostOnce;
            let dup = has_id && sending == RelaySending::Again;
            let id = has_id.then_some(packet_id);
            let asked = message.qos;
            let publish = Publish { dup, qos, packet_id: id, ..message.clone() };
            entry.sent_on = has_id.then(|| self.target.begin());
            self.set_stage(packet_id, RelayStage::Published);
            self.target.publishes.pop_front();
            if !has_id {
                self.target.unconfirmed.push(packet_id);
            }
            return Some(TargetPacket::Publish { packet_id, asked, publish });
        }
        None
    }

    fn next_release(&mut self) -> Option<TargetPacket> {
        while let Some(packet_id) = self.target.next_release() {
            if self.entries.contains_key(&packet_id) {
                return Some(TargetPacket::Release(packet_id));
            }
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
}
