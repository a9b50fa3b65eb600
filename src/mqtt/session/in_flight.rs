//! The exchanges in flight: QoS 1 and 2 messages, SUBSCRIBE and UNSUBSCRIBE that the server has not
//! finished.
//!
//! Packet identifiers are used in order, so the exchanges are a queue without gaps, and an
//! identifier gives the position in it: no search, whatever the window. A finished exchange stays
//! in the queue as a tombstone until all exchanges before it are finished, so an identifier in
//! flight is never reused.

use std::borrow::Cow;
use std::collections::VecDeque;

use crate::mqtt::packet::{PacketId, PacketType, Publish};
use crate::mqtt::property::Properties;
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::topic::TopicFilter;

use super::Violation;
use super::exchange::{Exchange, PendingSubscribe, Resend};
use super::sent::SentMessage;

/// The number of packet identifiers: 1 to 65,535.
const IDENTIFIERS: usize = 65_535;

/// No new message is begun while the payloads that may have to be sent again hold more bytes than
/// this. A server that accepts 65,535 messages at once must not make the client hold 65,535 large
/// ones.
const REMEMBERED: usize = 64 * 1024 * 1024;

/// PUBREC for an exchange that has none.
const NOT_EXACTLY_ONCE: Violation =
    Violation::Unexpected("PUBREC for something that is not a QoS 2 message");

/// Exchanges that a new connection cannot continue. The session or the caller must act on them.
#[derive(Debug, Default)]
pub struct Unfinished {
    /// The tokens of QoS 2 messages that the server may or may not have received. Sending them
    /// again could duplicate them.
    pub in_doubt: Vec<u64>,
    /// A SUBSCRIBE was never answered.
    pub unanswered_subscribe: bool,
    /// The UNSUBSCRIBEs that were never answered.
    pub unsubscribe: Vec<(Vec<TopicFilter>, Properties)>,
}

/// The queue of exchanges. `publishing`, `outstanding`, `subscribing` and `remembered` could be
/// computed from it; they are counted so that each query takes constant time.
#[derive(Debug, Default)]
pub struct Exchanges {
    queue: VecDeque<Exchange>,
    /// The identifier of the first exchange in the queue, less 1.
    first: usize,
    /// The position of the first exchange that was not sent on this connection.
    unsent: usize,
    /// The number of unfinished messages.
    publishing: usize,
    /// The number of unfinished messages that were sent on this connection.
    outstanding: usize,
    /// The number of SUBSCRIBE and UNSUBSCRIBE without an answer.
    subscribing: usize,
    /// The number of payload bytes that may have to be sent again.
    remembered: usize,
    /// How many acknowledgements have moved a message on.
    steps: u64,
    /// The position of the first exchange that was never sent in this session of the server.
    /// Messages before it are sent with DUP.
    fresh: usize,
}

impl Exchanges {
    /// The number of unfinished messages.
    pub fn publishing(&self) -> usize {
        self.publishing
    }

    /// The caller's token of the oldest unfinished message.
    pub fn first_unfinished(&self) -> Option<u64> {
        self.queue.iter().find_map(|exchange| match exchange {
            Exchange::Published(SentMessage { token, .. }) | Exchange::Released { token } => {
                Some(*token)
            }
            Exchange::Subscribe(_) | Exchange::Unsubscribe(_) | Exchange::Done => None,
        })
    }

    /// The packet that the server owes for the oldest unfinished message, if a message was sent on
    /// this connection.
    pub fn awaited_acknowledgement(&self) -> Option<PacketType> {
        if self.outstanding == 0 {
            return None;
        }
        self.queue.iter().find_map(|exchange| match exchange {
            Exchange::Published(sent) if sent.is_exactly_once() => Some(PacketType::PubRec),
            Exchange::Published(_) => Some(PacketType::PubAck),
            Exchange::Released { .. } => Some(PacketType::PubComp),
            Exchange::Subscribe(_) | Exchange::Unsubscribe(_) | Exchange::Done => None,
        })
    }

    /// How many acknowledgements have moved a message on, over all connections.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The oldest unfinished message, as long as it may have to be sent again.
    pub fn first_message(&self) -> Option<Cow<'_, Publish>> {
        self.queue.iter().find(|exchange| exchange.is_publishing()).and_then(|first| match first {
            Exchange::Published(sent) => Some(sent.head()),
            Exchange::Released { .. }
            | Exchange::Subscribe(_)
            | Exchange::Unsubscribe(_)
            | Exchange::Done => None,
        })
    }

    /// The number of unfinished messages that were sent on this connection: those that the Receive
    /// Maximum counts (§4.9).
    pub fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// Whether another exchange may begin: its identifier is free, no older exchange waits to be
    /// sent again, and there is memory for it.
    pub fn has_room(&self) -> bool {
        self.unsent == self.queue.len()
            && self.queue.len() < IDENTIFIERS - 1
            && self.remembered < REMEMBERED
    }

    /// The identifier that the next exchange gets.
    pub fn next_id(&self) -> PacketId {
        self.identifier(self.queue.len())
    }

    /// Begins the exchange of a QoS 1 or 2 message that has been sent.
    #[inline]
    pub fn begin_message(&mut self, sent: SentMessage) {
        self.publishing += 1;
        self.outstanding += 1;
        self.remembered += sent.remembered();
        self.begin(Exchange::Published(sent));
    }

    /// Begins the exchange of a SUBSCRIBE or UNSUBSCRIBE that has been sent.
    pub fn begin_subscribe(&mut self, exchange: Exchange) {
        self.subscribing += 1;
        self.begin(exchange);
    }

    #[inline]
    fn begin(&mut self, exchange: Exchange) {
        // A SUBSCRIBE may begin while older exchanges wait to be sent again; `resend` then skips
        // it.
        if self.unsent == self.queue.len() {
            self.unsent += 1;
            self.fresh = self.unsent;
        }
        self.queue.push_back(exchange);
    }

    /// Handles PUBACK, which ends a QoS 1 message. Returns the caller's token, unless the message
    /// was ended before.
    pub fn puback(&mut self, packet_id: PacketId) -> Result<Option<u64>, Violation> {
        match self.find(packet_id) {
            Some((at, Exchange::Published(sent))) if !sent.is_exactly_once() => {
                let token = sent.token;
                self.end_at(at);
                Ok(Some(token))
            }
            None | Some((_, Exchange::Done)) => Ok(None),
            Some(_) => {
                Err(Violation::Unexpected("PUBACK for something that is not a QoS 1 message"))
            }
        }
    }

    /// Whether a message waits for its first answer.
    pub fn has_unanswered(&mut self, packet_id: PacketId) -> bool {
        matches!(self.find(packet_id), Some((_, Exchange::Published(_))))
    }

    /// Ends a QoS 2 message that had no answer before. Returns the caller's token.
    pub fn puback_of_exactly_once(&mut self, packet_id: PacketId) -> Option<u64> {
        let (at, Exchange::Published(sent)) = self.find(packet_id)? else { return None };
        let token = sent.token;
        self.end_at(at);
        Some(token)
    }

    /// Handles PUBREC with success: the payload is no longer needed, and PUBREL is the answer.
    /// PUBREL also answers a repeated PUBREC, and one of a session that the client has lost,
    /// because it ends the exchange for the server.
    pub fn pubrec(&mut self, packet_id: PacketId) -> Result<(), Violation> {
        match self.find(packet_id) {
            Some((at, Exchange::Published(sent))) if sent.is_exactly_once() => {
                let (token, remembered) = (sent.token, sent.remembered());
                self.queue[at] = Exchange::Released { token };
                self.steps += 1;
                self.remembered -= remembered;
                Ok(())
            }
            Some((_, Exchange::Released { .. } | Exchange::Done)) | None => Ok(()),
            Some(_) => Err(NOT_EXACTLY_ONCE),
        }
    }

    /// Handles PUBREC with an error, which ends a QoS 2 message: the identifier is free, and no
    /// PUBREL follows (§4.3.3). Returns the caller's token, unless the message was ended or
    /// received before.
    pub fn pubrec_refused(&mut self, packet_id: PacketId) -> Result<Option<u64>, Violation> {
        match self.find(packet_id) {
            Some((at, Exchange::Published(sent))) if sent.is_exactly_once() => {
                let token = sent.token;
                self.end_at(at);
                Ok(Some(token))
            }
            Some((_, Exchange::Released { .. } | Exchange::Done)) | None => Ok(None),
            Some(_) => Err(NOT_EXACTLY_ONCE),
        }
    }

    /// Handles PUBCOMP, which ends a QoS 2 message. Returns the caller's token, unless the message
    /// was ended before.
    pub fn pubcomp(&mut self, packet_id: PacketId) -> Result<Option<u64>, Violation> {
        match self.find(packet_id) {
            Some((at, Exchange::Released { token })) => {
                let token = *token;
                self.end_at(at);
                Ok(Some(token))
            }
            None | Some((_, Exchange::Done)) => Ok(None),
            Some(_) => Err(Violation::Unexpected("PUBCOMP before PUBREL")),
        }
    }

    /// Handles a SUBACK with this number of codes. Returns whether it was expected.
    pub fn suback(&mut self, packet_id: PacketId, codes: usize) -> Result<bool, Violation> {
        let packet = PacketType::SubAck;
        match self.find(packet_id) {
            Some((at, Exchange::Subscribe(filters))) if filters.len() == codes => {
                self.end_at(at);
                Ok(true)
            }
            Some((_, Exchange::Subscribe(filters))) => {
                Err(Violation::CodeCount { packet, asked: filters.len(), codes })
            }
            _ => Ok(false),
        }
    }

    /// Whether a SUBSCRIBE or UNSUBSCRIBE waits for its answer.
    pub fn has_pending_subscribe(&self) -> bool {
        self.subscribing > 0
    }

    /// The oldest SUBSCRIBE or UNSUBSCRIBE that waits for its answer.
    pub fn pending_subscribe(&self) -> Option<PendingSubscribe<'_>> {
        self.queue.iter().find_map(|exchange| match exchange {
            Exchange::Subscribe(filters) => Some(PendingSubscribe::Subscribe(filters)),
            Exchange::Unsubscribe(pending) => Some(PendingSubscribe::Unsubscribe(&pending.0)),
            _ => None,
        })
    }

    /// Handles UNSUBACK, which has codes only in MQTT 5. Returns whether it was expected.
    pub fn unsuback(
        &mut self,
        packet_id: PacketId,
        codes: Option<usize>,
    ) -> Result<bool, Violation> {
        let Some((at, Exchange::Unsubscribe(pending))) = self.find(packet_id) else {
            return Ok(false);
        };
        let asked = pending.0.len();
        if let Some(codes) = codes.filter(|codes| *codes != asked) {
            return Err(Violation::CodeCount { packet: PacketType::UnsubAck, asked, codes });
        }
        self.end_at(at);
        Ok(true)
    }

    /// Ends the messages that the server of a new connection does not accept; `verdict` returns the
    /// reason. Call it before anything is sent again.
    pub fn give_up(
        &mut self,
        verdict: impl Fn(&SentMessage) -> Option<ReasonCode>,
    ) -> Vec<(u64, ReasonCode)> {
        let mut given_up = Vec::new();
        for exchange in &mut self.queue {
            if let Exchange::Published(sent) = exchange
                && let Some(code) = verdict(sent)
            {
                given_up.push((sent.token, code));
                self.publishing -= 1;
                self.remembered -= sent.remembered();
                *exchange = Exchange::Done;
            }
        }
        self.drop_finished();
        given_up
    }

    /// Begins a new connection. With `session_present` everything is sent again with DUP. Otherwise
    /// the server has lost the session: QoS 1 messages are published anew, and QoS 2 messages are
    /// in doubt.
    pub fn resume(&mut self, session_present: bool) -> Unfinished {
        let mut resumed = Unfinished::default();
        for exchange in &mut self.queue {
            let (remembered, is_exactly_once) = (exchange.remembered(), exchange.is_exactly_once());
            match exchange {
                Exchange::Subscribe(_) => resumed.unanswered_subscribe = true,
                Exchange::Unsubscribe(pending) => {
                    resumed.unsubscribe.push(std::mem::take(pending));
                }
                Exchange::Published(SentMessage { token, .. }) | Exchange::Released { token }
                    if is_exactly_once && !session_present =>
                {
                    resumed.in_doubt.push(*token);
                    self.publishing -= 1;
                    self.remembered -= remembered;
                }
                _ => continue,
            }
            *exchange = Exchange::Done;
        }
        self.drop_finished();
        self.unsent = 0;
        (self.outstanding, self.subscribing) = (0, 0);
        if !session_present {
            self.fresh = 0;
        }
        resumed
    }

    /// The next packet to send again on this connection, in the original order `[MQTT-4.6.0-1]`.
    /// `window` returns how many messages of a QoS may be outstanding; messages that are sent again
    /// count (§4.9).
    pub fn resend(&mut self, window: impl Fn(QoS) -> usize) -> Option<Resend> {
        while let Some(exchange) = self.queue.get(self.unsent) {
            let packet_id = self.identifier(self.unsent);
            let packet = match exchange {
                Exchange::Published(sent) => {
                    if self.outstanding >= window(sent.qos()).max(1) {
                        return None;
                    }
                    let dup = self.unsent < self.fresh;
                    Some(Resend::Publish { sent: sent.clone(), packet_id, dup })
                }
                Exchange::Released { .. } => Some(Resend::Release(packet_id)),
                Exchange::Subscribe(_) | Exchange::Unsubscribe(_) | Exchange::Done => None,
            };
            self.unsent += 1;
            self.fresh = self.fresh.max(self.unsent);
            if packet.is_some() {
                self.outstanding += 1;
                return packet;
            }
        }
        None
    }

    /// The number of payload bytes held in memory so that they can be sent again.
    pub fn remembered(&self) -> usize {
        self.remembered
    }

    /// Advances the identifiers as if this many exchanges had been finished.
    #[cfg(test)]
    pub fn skip(&mut self, count: usize) {
        self.first = (self.first + count) % IDENTIFIERS;
    }

    /// The identifier at a position in the queue or just past its end: 1, 2, ... 65,535, 1, ...
    #[inline]
    fn identifier(&self, position: usize) -> PacketId {
        let id = self.first + position + 1;
        let id = if id > IDENTIFIERS { id - IDENTIFIERS } else { id };
        u16::try_from(id)
            .ok()
            .and_then(PacketId::new)
            .expect("both are below 65,535, and so is what is left")
    }

    /// The exchange that has this identifier now, and its position in the queue.
    #[inline]
    fn find(&mut self, packet_id: PacketId) -> Option<(usize, &mut Exchange)> {
        let id = usize::from(packet_id.get()) - 1;
        let position =
            if id < self.first { id + IDENTIFIERS - self.first } else { id - self.first };
        self.queue.get_mut(position).map(|exchange| (position, exchange))
    }

    fn end_at(&mut self, position: usize) {
        let was_sent = position < self.unsent;
        let finished = if position == 0 {
            // Almost always there is no tombstone.
            self.pop_front()
        } else {
            self.queue.get_mut(position).map(|exchange| std::mem::replace(exchange, Exchange::Done))
        };
        let Some(finished) = finished else { return };
        self.subscribing -= usize::from(finished.is_subscribing());
        if finished.is_publishing() {
            self.publishing -= 1;
            self.steps += 1;
            self.remembered -= finished.remembered();
            if was_sent {
                self.outstanding = self.outstanding.saturating_sub(1);
            }
        }
        self.drop_finished();
    }

    /// Drops the tombstones at the front of the queue.
    #[inline]
    fn drop_finished(&mut self) {
        while matches!(self.queue.front(), Some(Exchange::Done)) {
            self.pop_front();
        }
    }

    #[inline]
    fn pop_front(&mut self) -> Option<Exchange> {
        let exchange = self.queue.pop_front()?;
        self.first = if self.first + 1 == IDENTIFIERS { 0 } else { self.first + 1 };
        self.unsent = self.unsent.saturating_sub(1);
        self.fresh = self.fresh.saturating_sub(1);
        Some(exchange)
    }
}
