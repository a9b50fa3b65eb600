//! What the broker answers to messages, and what is answered to that.

use super::{Deviation, Event, Session, State, SuccessReports, Violation, check_code};
use crate::mqtt::packet::{Ack, Packet, PacketId, PacketType};
use crate::mqtt::property::Properties;
use crate::mqtt::reason::ReasonCode;

impl Session {
    /// Reads acknowledgements of success, which almost all answers are, without building a packet
    /// for each.
    pub(super) fn acknowledgements(&mut self) -> Result<Option<Event>, Violation> {
        let needs_packets = self.config.reports.trace || self.is_relaying();
        if !matches!(self.state, State::Online | State::Closing) || needs_packets {
            return Ok(None);
        }
        let mut some_ended = false;
        while let Some((packet, packet_id)) = self.receiver.decoder.next_acknowledgement() {
            let ended = self.acknowledgement(packet, packet_id)?;
            self.reports.set_useful();
            if let Some(token) =
                ended.filter(|_| self.config.reports.successes == SuccessReports::Each)
            {
                self.resend();
                return Ok(Some(Event::Acknowledged {
                    token,
                    code: ReasonCode::SUCCESS,
                    reason: None,
                }));
            }
            some_ended |= ended.is_some();
            if packet == PacketType::PubRel
                && let Some(event) = self.released()
            {
                self.reports.push(event);
            }
        }
        self.resend();
        Ok(some_ended.then_some(Event::SomeAcknowledged).or_else(|| self.reports.next_event()))
    }

    /// Handles an acknowledgement of success. Returns the token of the message that it ends.
    #[inline]
    fn acknowledgement(
        &mut self,
        packet: PacketType,
        packet_id: PacketId,
    ) -> Result<Option<u64>, Violation> {
        match packet {
            PacketType::PubAck => return self.end_by_puback(packet_id),
            PacketType::PubComp => return self.exchanges.pubcomp(packet_id),
            PacketType::PubRec => {
                self.exchanges.pubrec(packet_id)?;
                self.send_success(PacketType::PubRel, packet_id);
            }
            _ => self.pubrel(packet_id),
        }
        Ok(None)
    }

    pub(super) fn puback(&mut self, ack: &Ack) -> Result<Option<Event>, Violation> {
        check_code(PacketType::PubAck, ack.code)?;
        let ended = self.end_by_puback(ack.packet_id)?;
        Ok(self.acknowledged(ended, ack.code, &ack.properties))
    }

    /// PUBACK ends a QoS 1 message.
    #[inline]
    fn end_by_puback(&mut self, packet_id: PacketId) -> Result<Option<u64>, Violation> {
        self.exchanges
            .puback(packet_id)
            .or_else(|violation| self.end_exactly_once_by_puback(packet_id, violation))
    }

    /// Before MQTT 5 PUBACK ends a QoS 2 message, too, if it is the first answer: `RabbitMQ` 3.10
    /// takes QoS 2 as QoS 1. MQTT 5 has Maximum QoS for that.
    #[cold]
    fn end_exactly_once_by_puback(
        &mut self,
        packet_id: PacketId,
        violation: Violation,
    ) -> Result<Option<u64>, Violation> {
        if self.config.version.has_properties() {
            return Err(violation);
        }
        if !self.exchanges.has_unanswered(packet_id) {
            return Err(violation);
        }
        // Where it is a violation the message is not finished.
        self.take_deviation(Deviation::QoSLowered)?;
        Ok(self.exchanges.puback_of_exactly_once(packet_id))
    }

    /// Handles PUBCOMP. The server has had the message since its PUBREC, so "identifier not found"
    /// is not a failure: it has finished the message in an earlier connection.
    pub(super) fn pubcomp(&mut self, ack: &Ack) -> Result<Option<Event>, Violation> {
        check_code(PacketType::PubComp, ack.code)?;
        let ended = self.exchanges.pubcomp(ack.packet_id)?;
        if ack.code == ReasonCode::PACKET_IDENTIFIER_NOT_FOUND {
            return Ok(self.acknowledged(ended, ReasonCode::SUCCESS, &Properties::default()));
        }
        Ok(self.acknowledged(ended, ack.code, &ack.properties))
    }

    pub(super) fn pubrec(&mut self, ack: &Ack) -> Result<Option<Event>, Violation> {
        check_code(PacketType::PubRec, ack.code)?;
        if ack.code.is_error() {
            let ended = self.exchanges.pubrec_refused(ack.packet_id)?;
            return Ok(self.acknowledged(ended, ack.code, &ack.properties));
        }
        self.exchanges.pubrec(ack.packet_id)?;
        self.send_success(PacketType::PubRel, ack.packet_id);
        self.resend();
        Ok(None)
    }

    /// Reports that a message of the client is finished, if `token` is given. That makes room for
    /// others.
    fn acknowledged(
        &mut self,
        token: Option<u64>,
        code: ReasonCode,
        properties: &Properties,
    ) -> Option<Event> {
        self.reports.set_useful();
        self.resend();
        token.map(|token| Event::Acknowledged {
            token,
            code,
            reason: properties.reason_string().cloned(),
        })
    }

    /// Answers PUBREL with PUBCOMP, even if the identifier is unknown (§3.7.2.1).
    pub(super) fn pubrel(&mut self, packet_id: PacketId) {
        if self.receiver.inbound.release(packet_id) || !self.config.version.has_properties() {
            return self.send_success(PacketType::PubComp, packet_id);
        }
        let code = ReasonCode::PACKET_IDENTIFIER_NOT_FOUND;
        let unknown = Packet::PubComp(Ack { code, ..Ack::success(packet_id) });
        if self.is_too_large(&unknown) {
            self.send_success(PacketType::PubComp, packet_id);
        } else {
            self.send_answer(&unknown);
        }
    }
}
