//! A session whose caller passes messages on between two servers: the caller gives the answers, and
//! chooses the packet identifiers.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use super::sent::SentMessage;
use super::{Answering, Delivery, Event, Session, State, Unsendable, Violation, check_code};
use crate::mqtt::packet::{Ack, Packet, PacketId, PacketType, Publish};
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::topic::TopicName;

/// Whether the server had the session when it accepted the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Continuity {
    /// It is a new one.
    #[default]
    New,
    /// It is the one of an earlier connection.
    Resumed,
}

/// What such a session knows beside the others.
#[derive(Debug, Default)]
pub struct RelayState {
    continuity: Continuity,
    /// Counts the messages that came.
    delivered: u64,
    /// The messages of this connection that wait for the first answer of the server.
    unanswered: VecDeque<(PacketId, TopicName, QoS)>,
}

impl RelayState {
    /// The server has accepted a connection.
    pub fn connected(&mut self, session_present: bool) {
        self.continuity = if session_present { Continuity::Resumed } else { Continuity::New };
        self.unanswered.clear();
    }

    /// The message that has waited longest for its first answer. A server that ends each connection
    /// at the same message will never take it.
    pub fn oldest(&self) -> Option<&(PacketId, TopicName, QoS)> {
        self.unanswered.front()
    }

    fn sent(&mut self, publish: &Publish) {
        if let (Some(packet_id), Some(topic)) = (publish.packet_id, &publish.topic) {
            self.unanswered.push_back((packet_id, topic.clone(), publish.qos));
        }
    }

    fn answered(&mut self, packet_id: PacketId) {
        // Servers answer in order.
        if let Some(at) = self.unanswered.iter().position(|(id, ..)| *id == packet_id) {
            self.unanswered.remove(at);
        }
    }
}

impl Session {
    /// Whether the caller gives the answers.
    #[inline]
    pub(super) fn is_relaying(&self) -> bool {
        self.config.receiving.answering == Answering::Caller
    }

    /// Whether the server had the session when it accepted the connection.
    pub fn continuity(&self) -> Continuity {
        self.receiver.relaying.continuity
    }

    /// The highest QoS that the server accepts.
    pub fn maximum_qos(&self) -> QoS {
        self.limits.maximum_qos
    }

    /// How many messages of this QoS the server accepts at once.
    pub fn window(&self, qos: QoS) -> usize {
        self.limits.window(qos, self.config.sending.max_inflight)
    }

    /// Whether the server is connected, and takes more than waits to be sent.
    pub fn has_room(&self) -> bool {
        self.state == State::Online && self.outbox.has_room()
    }

    /// A packet that is the caller's, or the packet for everybody else.
    pub(super) fn relayed(
        &mut self,
        packet: Packet,
    ) -> Result<ControlFlow<Option<Event>, Packet>, Violation> {
        if !self.is_relaying() {
            return Ok(ControlFlow::Continue(packet));
        }
        let event = match packet {
            Packet::Publish(_) if self.state == State::Closing => None,
            Packet::Publish(mut publish) => {
                self.resolve_properties(&mut publish)?;
                self.receiver.relaying.delivered += 1;
                Some(Event::Message(Delivery { number: self.receiver.relaying.delivered, publish }))
            }
            Packet::PubAck(ack) => {
                self.receiver.relaying.answered(ack.packet_id);
                Some(answered(PacketType::PubAck, &ack)?)
            }
            Packet::PubRec(ack) => {
                self.receiver.relaying.answered(ack.packet_id);
                Some(answered(PacketType::PubRec, &ack)?)
            }
            Packet::PubRel(ack) => Some(answered(PacketType::PubRel, &ack)?),
            Packet::PubComp(ack) => Some(answered(PacketType::PubComp, &ack)?),
            packet => return Ok(ControlFlow::Continue(packet)),
        };
        self.reports.set_useful();
        Ok(ControlFlow::Break(event))
    }

    /// Sends PUBACK, PUBREC, PUBREL or PUBCOMP, if there is a connection.
    pub fn answer(&mut self, packet: PacketType, packet_id: PacketId, code: ReasonCode) {
        if self.state != State::Online {
            return;
        }
        if !code.is_error() || !self.config.version.has_properties() {
            return self.send_success(packet, packet_id);
        }
        let ack = Ack { code, ..Ack::success(packet_id) };
        let refusal = match packet {
            PacketType::PubAck => Packet::PubAck(ack),
            _ => Packet::PubRec(ack),
        };
        if self.is_too_large(&refusal) {
            // Without its code it would say the contrary; the server sends the message again.
            return;
        }
        self.send_answer(&refusal);
    }

    /// Sends a message under the identifier that it has; call it only if [`Session::has_room`].
    pub fn pass_on(&mut self, publish: Publish) -> Result<(), Unsendable> {
        self.limits.check(&publish, publish.payload.len(), self.config.version)?;
        let (packet_id, dup) = (publish.packet_id, publish.dup);
        let sent = SentMessage::whole(publish, 0);
        self.send_publish(&sent, packet_id, dup).map_err(Unsendable::Encode)?;
        self.receiver.relaying.sent(&sent.head());
        Ok(())
    }
}

fn answered(packet: PacketType, ack: &Ack) -> Result<Event, Violation> {
    check_code(packet, ack.code)?;
    let &Ack { packet_id, code, ref properties } = ack;
    Ok(Event::Answered { packet, packet_id, code, reason: properties.reason_string().cloned() })
}
