//! What is in flight: QoS 1 and 2 messages, SUBSCRIBE and UNSUBSCRIBE without their answers.
//!
//! Packet identifiers are used in order, so the exchanges stand in a queue without gaps and
//! an identifier *is* a position in it: no search, whatever the window. A finished exchange stays
//! as a tombstone until all before it are finished; so an identifier is never reused in flight.

use std::collections::VecDeque;
use std::fmt;

use crate::mqtt::packet::{PacketId, Publish};
use crate::mqtt::property::Properties;
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::topic::TopicFilter;

use super::Violation;
use super::sent::SentMessage;

/// How many identifiers there are: 1 to 65,535.
const IDENTIFIERS: usize = 65_535;

/// Above this many payload bytes that may have to be sent again, nothing more is begun: a server
/// that takes 65,535 messages at once must not make us remember 65,535 large ones.
const REMEMBERED: usize = 64 * 1024 * 1024;

/// PUBREC where it cannot be.
const NOT_EXACTLY_ONCE: Violation =
    Violation::Unexpected("PUBREC for something that is not a QoS 2 message");

/// A packet that is sent again.
#[derive(Debug)]
pub enum Again {
    /// A message; if its payload is streamed, the caller must do it again.
    Publish {
        /// The message.
        sent: SentMessage,
        /// Its identifier.
        packet_id: PacketId,
        /// The server may have it already `[MQTT-3.3.1-1]`.
        dup: bool,
    },
    /// PUBREL.
    Release(PacketId),
}

/// A SUBSCRIBE or UNSUBSCRIBE that the server has not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PendingSubscribe<'a> {
    /// SUBSCRIBE to these filters.
    Subscribe(&'a [TopicFilter]),
    /// UNSUBSCRIBE from these filters.
    Unsubscribe(&'a [TopicFilter]),
}

/// What the client is doing meanwhile: "subscribing to a and 2 more".
impl fmt::Display for PendingSubscribe<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verb, filters) = match self {
            Self::Subscribe(filters) => ("subscribing to", filters),
            Self::Unsubscribe(filters) => ("unsubscribing from", filters),
        };
        let first = filters.first().map_or("nothing", TopicFilter::as_str);
        write!(f, "{verb} {first}")?;
        match filters.len() {
            0 | 1 => Ok(()),
            count => write!(f, " and {} more", count - 1),
        }
    }
}

/// One unfinished exchange.
#[derive(Debug)]
pub enum Exchange {
    /// PUBLISH awaits PUBACK, or with QoS 2 PUBREC.
    Published(SentMessage),
    /// PUBREL awaits PUBCOMP; the payload is no longer needed.
    Released { token: u64 },
    /// SUBSCRIBE to these topic filters awaits SUBACK.
    Subscribe(Box<[TopicFilter]>),
    /// UNSUBSCRIBE awaits UNSUBACK.
    Unsubscribe(Box<(Vec<TopicFilter>, Properties)>),
    /// Finished.
    Done,
}

impl Exchange {
    fn is_subscribing(&self) -> bool {
        matches!(self, Self::Subscribe(_) | Self::Unsubscribe(_))
    }

    fn is_publishing(&self) -> bool {
        matches!(self, Self::Published(_) | Self::Released { .. })
    }

    /// Whether it is of a message with QoS 2.
    fn is_exactly_once(&self) -> bool {
        match self {
            Self::Published(sent) => sent.is_exactly_once(),
            Self::Released { .. } => true,
            _ => false,
        }
    }

    /// How many payload bytes are held in memory to be sent again.
    fn remembered(&self) -> usize {
        match self {
            Self::Published(sent) => sent.remembered(),
            _ => 0,
        }
    }
}

/// What a new connection leaves unfinished: the caller or the session must act on it.
#[derive(Debug, Default)]
pub struct Unfinished {
    /// QoS 2 messages that the server may or may not have: sending them again could duplicate them.
    pub in_doubt: Vec<u64>,
    /// A SUBSCRIBE was never answered.
    pub unanswered_subscribe: bool,
    /// UNSUBSCRIBEs that were never answered.
    pub unsubscribe: Vec<(Vec<TopicFilter>, Properties)>,
}

/// The queue of exchanges. `publishing`, `outstanding`, `subscribing` and `remembered` follow from
/// it; they are counted so that each question takes constant time.
#[derive(Debug, Default)]
pub struct Exchanges {
    queue: VecDeque<Exchange>,
    /// The identifier of the first of the queue, less 1; those of the others follow from it.
    first: usize,
    /// The position of the first that was not yet sent on this connection.
    unsent: usize,
    /// How many messages were not finished.
    publishing: usize,
    /// How many of them were sent on this connection.
    outstanding: usize,
    /// How many SUBSCRIBE and UNSUBSCRIBE were not answered.
    subscribing: usize,
    /// The payload bytes that may have to be sent again.
    remembered: usize,
    /// The position of the first that was never sent in the server's session: those before it carry
    /// DUP.
    fresh: usize,
}

impl Exchanges {
    /// How many messages are unfinished.
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

    /// The oldest unfinished message, as long as it may have to be sent again.
    pub fn first_message(&self) -> Option<&Publish> {
        self.queue.iter().find(|exchange| exchange.is_publishing()).and_then(|first| match first {
            Exchange::Published(sent) => Some(&*sent.head),
            Exchange::Released { .. }
            | Exchange::Subscribe(_)
            | Exchange::Unsubscribe(_)
            | Exchange::Done => None,
        })
    }

    /// How many of them were sent on this connection: what the Receive Maximum counts (§4.9).
    pub fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// Whether one more may be begun: its identifier is free, nothing old waits to be sent first,
    /// and there is memory for it.
    pub fn has_room(&self) -> bool {
        self.unsent == self.queue.len()
            && self.queue.len() < IDENTIFIERS - 1
            && self.remembered < REMEMBERED
    }

    /// The identifier that the next [`Exchanges::begin`] takes.
    pub fn next_id(&self) -> PacketId {
        self.identifier(self.queue.len())
    }

    /// A QoS 1 or 2 message that has been sent.
    #[inline]
    pub fn begin_message(&mut self, sent: SentMessage) {
        self.publishing += 1;
        self.outstanding += 1;
        self.remembered += sent.remembered();
        self.begin(Exchange::Published(sent));
    }

    /// A SUBSCRIBE or UNSUBSCRIBE that has been sent.
    pub fn begin_subscribe(&mut self, exchange: Exchange) {
        self.subscribing += 1;
        self.begin(exchange);
    }

    #[inline]
    fn begin(&mut self, exchange: Exchange) {
        // What is begun while older ones wait to be sent again (a SUBSCRIBE) is skipped by
        // `resend`.
        if self.unsent == self.queue.len() {
            self.unsent += 1;
            self.fresh = self.unsent;
        }
        self.queue.push_back(exchange);
    }

    /// PUBACK ends a QoS 1 message: the caller's token for it, if it is one that was not ended
    /// before.
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

    /// PUBREC with success: the message is no longer needed, and PUBREL is the answer. Also to a
    /// repeated PUBREC, and to one of a session that we no longer know: PUBREL ends it for the
    /// server.
    pub fn pubrec(&mut self, packet_id: PacketId) -> Result<(), Violation> {
        match self.find(packet_id) {
            Some((at, Exchange::Published(sent))) if sent.is_exactly_once() => {
                let (token, remembered) = (sent.token, sent.remembered());
                self.queue[at] = Exchange::Released { token };
                self.remembered -= remembered;
                Ok(())
            }
            Some((_, Exchange::Released { .. } | Exchange::Done)) | None => Ok(()),
            Some(_) => Err(NOT_EXACTLY_ONCE),
        }
    }

    /// PUBREC with an error ends a QoS 2 message: the identifier is free, and no PUBREL follows
    /// (§4.3.3). The caller's token for it, if it is one whose fate was not known.
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

    /// PUBCOMP ends a QoS 2 message: the caller's token for it, if it is one that was not ended
    /// before.
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

    /// SUBACK with so many codes; whether it was awaited.
    pub fn suback(&mut self, packet_id: PacketId, codes: usize) -> Result<bool, Violation> {
        match self.find(packet_id) {
            Some((at, Exchange::Subscribe(filters))) if filters.len() == codes => {
                self.end_at(at);
                Ok(true)
            }
            Some((_, Exchange::Subscribe(filters))) => {
                Err(Violation::SubAckCodes { asked: filters.len(), codes })
            }
            _ => Ok(false),
        }
    }

    /// Whether a SUBSCRIBE or an UNSUBSCRIBE awaits its answer.
    pub fn has_pending_subscribe(&self) -> bool {
        self.subscribing > 0
    }

    /// The oldest SUBSCRIBE or UNSUBSCRIBE that awaits its answer.
    pub fn pending_subscribe(&self) -> Option<PendingSubscribe<'_>> {
        self.queue.iter().find_map(|exchange| match exchange {
            Exchange::Subscribe(filters) => Some(PendingSubscribe::Subscribe(filters)),
            Exchange::Unsubscribe(pending) => Some(PendingSubscribe::Unsubscribe(&pending.0)),
            _ => None,
        })
    }

    /// UNSUBACK; whether it was awaited.
    pub fn unsuback(&mut self, packet_id: PacketId) -> bool {
        let Some((at, Exchange::Unsubscribe(_))) = self.find(packet_id) else { return false };
        self.end_at(at);
        true
    }

    /// Gives up the messages that the server of a new connection would not take; `verdict` has the
    /// reason. Call before anything is sent again.
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
        self.bury();
        given_up
    }

    /// A new connection begins. With `session_present` everything is sent again with DUP; without,
    /// the server knows nothing: QoS 1 messages are published anew, and QoS 2 messages are in
    /// doubt.
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
        self.bury();
        self.unsent = 0;
        (self.outstanding, self.subscribing) = (0, 0);
        if !session_present {
            self.fresh = 0;
        }
        resumed
    }

    /// The next packet to be sent again on this connection, in the original order `[MQTT-4.6.0-1]`;
    /// `window` tells how many messages of a QoS may be outstanding (messages sent again count,
    /// §4.9).
    pub fn resend(&mut self, window: impl Fn(QoS) -> usize) -> Option<Again> {
        while let Some(exchange) = self.queue.get(self.unsent) {
            let packet_id = self.identifier(self.unsent);
            let packet = match exchange {
                Exchange::Published(sent) => {
                    if self.outstanding >= window(sent.head.qos).max(1) {
                        return None;
                    }
                    let dup = self.unsent < self.fresh;
                    Some(Again::Publish { sent: sent.clone(), packet_id, dup })
                }
                Exchange::Released { .. } => Some(Again::Release(packet_id)),
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

    /// How many payload bytes are held in memory to be sent again.
    #[cfg(test)]
    pub fn remembered(&self) -> usize {
        self.remembered
    }

    /// As if so many exchanges had been finished.
    #[cfg(test)]
    pub fn skip(&mut self, count: usize) {
        self.first = (self.first + count) % IDENTIFIERS;
    }

    /// The identifier at a position of the queue, or after its end: 1, 2, ... 65,535, 1, ...
    #[inline]
    fn identifier(&self, position: usize) -> PacketId {
        let id = self.first + position + 1;
        let id = if id > IDENTIFIERS { id - IDENTIFIERS } else { id };
        u16::try_from(id)
            .ok()
            .and_then(PacketId::new)
            .expect("both are below 65,535, and so is what is left")
    }

    /// The exchange that an identifier has now, and its position in the queue.
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
            // As almost always: without a tombstone.
            self.pop_front()
        } else {
            self.queue.get_mut(position).map(|exchange| std::mem::replace(exchange, Exchange::Done))
        };
        let Some(finished) = finished else { return };
        self.subscribing -= usize::from(finished.is_subscribing());
        if finished.is_publishing() {
            self.publishing -= 1;
            self.remembered -= finished.remembered();
            if was_sent {
                self.outstanding = self.outstanding.saturating_sub(1);
            }
        }
        self.bury();
    }

    /// Drops the tombstones at the front.
    #[inline]
    fn bury(&mut self) {
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
