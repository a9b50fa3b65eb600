//! The QoS 1 and 2 messages on their way to one client: those that wait, those in flight, and in
//! which order they are sent again (§4.4, §4.6).

use std::collections::VecDeque;
use std::time::Instant;

use super::common::{Amount, CommonMessages};
use super::message::AddressedMessage;
use crate::broker::limits::{COPIED_FROM, IN_FLIGHT, Limit, Limits, MESSAGE_OVERHEAD};
use crate::mqtt::id_map::IdMap;
use crate::mqtt::packet::{Ack, Packet, PacketId};
use crate::mqtt::qos::QoS;

/// From so many messages on a queue grows by parts of itself, and gives its memory back when it is
/// empty.
const LONG_QUEUE: usize = 1024;

/// The messages that one session has for its client.
#[derive(Debug)]
pub struct OutboundMessages {
    queue: VecDeque<QueuedMessages>,
    /// How many messages are queued.
    queue_len: usize,
    queue_weight: usize,
    in_flight: IdMap<PacketId, InFlight>,
    /// The messages to be sent again on this connection, oldest first.
    resend: VecDeque<PacketId>,
    /// Exchanges begun or resumed on this connection and not ended.
    outstanding: usize,
    /// How many of them the client allows (Receive Maximum, §3.1.2.11.3).
    window: usize,
    last_id: PacketId,
    sequence: u64,
}

/// What is queued in one place.
#[derive(Debug)]
enum QueuedMessages {
    One(AddressedMessage),
    /// Those that others get, too. They are in memory of their own.
    Common(CommonMessages),
}

#[derive(Debug)]
struct InFlight {
    /// Orders what is sent again.
    sequence: u64,
    pending: PendingAck,
    delivery: AddressedMessage,
    /// Whether it was sent, or sent again, on this connection.
    active: bool,
}

/// The acknowledgement that is due, in the order in which messages are sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum PendingAck {
    /// PUBREL was sent: PUBCOMP.
    Released,
    /// PUBLISH was sent: PUBACK or PUBREC.
    Published,
}

/// An acknowledgement of the wrong kind: the client broke the protocol (§4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrongAck;

impl QueuedMessages {
    fn into_messages(self) -> impl Iterator<Item = AddressedMessage> {
        let (one, common) = match self {
            Self::One(delivery) => (Some(delivery), None),
            Self::Common(messages) => (None, Some(messages)),
        };
        let common = common.into_iter().flat_map(|mut messages| {
            std::iter::from_fn(move || messages.next_addressed().map(|(message, _)| message))
        });
        one.into_iter().chain(common)
    }
}

impl Default for OutboundMessages {
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
            queue_len: 0,
            queue_weight: 0,
            in_flight: IdMap::default(),
            resend: VecDeque::new(),
            outstanding: 0,
            window: usize::from(IN_FLIGHT),
            last_id: PacketId::MAX,
            sequence: 0,
        }
    }
}

impl OutboundMessages {
    /// Queues a message; false when the queue is full and the message is lost.
    #[must_use]
    pub fn push(&mut self, delivery: AddressedMessage, limits: &Limits) -> bool {
        let weight = delivery.weight();
        if self.queue_len >= limits.get(Limit::QueueMessages)
            || self.queue_weight + weight > limits.get(Limit::QueueBytes)
        {
            return false;
        }
        self.queue_weight += weight;
        self.queue_len += 1;
        let count = self.queue.len();
        if count == self.queue.capacity() && count >= LONG_QUEUE {
            // Doubling many queues at once would take too much memory.
            self.queue.reserve_exact(count / 8);
        }
        self.queue.push_back(QueuedMessages::One(delivery));
        true
    }

    /// Queues messages that others get, too. There must be room for them.
    pub fn push_common(&mut self, messages: CommonMessages) {
        let amount = messages.left();
        self.queue_len += amount.messages;
        self.queue_weight += amount.weight;
        self.queue.push_back(QueuedMessages::Common(messages));
    }

    /// The client is gone: its messages wait for it in memory of their own.
    pub fn detach(&mut self) {
        let in_flight = self.in_flight.values_mut().map(|entry| &mut entry.delivery);
        let queued = self.queue.iter_mut().filter_map(|queued| match queued {
            QueuedMessages::One(delivery) => Some(delivery),
            QueuedMessages::Common(_) => None,
        });
        in_flight.chain(queued).for_each(AddressedMessage::detach);
    }

    /// How many messages wait or are in flight.
    pub fn len(&self) -> usize {
        self.queue_len + self.in_flight.len()
    }

    /// The session ends: the messages that its client has not got, in order. Those of QoS 2 that it
    /// may have got are not among them `[MQTT-4.8.2-5]`.
    pub fn into_undelivered(self) -> impl Iterator<Item = AddressedMessage> {
        let sent = |entry: &InFlight| entry.delivery.publish.qos == QoS::AtLeastOnce;
        let mut sent: Vec<_> = self.in_flight.into_values().filter(sent).collect();
        sent.sort_unstable_by_key(|entry| entry.sequence);
        let queued = self.queue.into_iter().flat_map(QueuedMessages::into_messages);
        sent.into_iter().map(|entry| entry.delivery).chain(queued)
    }

    /// Whether it holds so much that no message can be queued, however small.
    pub fn is_full(&self, limits: &Limits) -> bool {
        self.queue_len >= limits.get(Limit::QueueMessages)
            || self.queue_weight + MESSAGE_OVERHEAD > limits.get(Limit::QueueBytes)
    }

    /// Whether it is full to three quarters.
    pub fn is_nearly_full(&self, limits: &Limits) -> bool {
        let most = |limit| limits.get(limit) / 4 * 3;
        !self.queue.is_empty()
            && (self.queue_len >= most(Limit::QueueMessages)
                || self.queue_weight >= most(Limit::QueueBytes))
    }

    /// How much can be queued before it is full to so many quarters.
    pub fn room(&self, limits: &Limits, quarters: usize) -> Amount {
        let most = |limit| limits.get(limit) / 4 * quarters + limits.get(limit) % 4 * quarters / 4;
        Amount {
            messages: most(Limit::QueueMessages).saturating_sub(self.queue_len),
            weight: most(Limit::QueueBytes).saturating_sub(self.queue_weight),
        }
    }

    /// The queued bytes.
    pub fn queued(&self) -> usize {
        self.queue_weight
    }

    /// Whether a message pushed now may have to wait for a long time.
    pub fn is_behind(&self) -> bool {
        !self.queue.is_empty() || self.in_flight.len() >= COPIED_FROM.min(self.window)
    }

    /// Whether [`next`](Self::next) may have a packet.
    pub fn can_send(&self) -> bool {
        let is_window_open = self.outstanding < self.window;
        let Some(id) = self.resend.front() else { return is_window_open && !self.queue.is_empty() };
        let is_release = |entry: &InFlight| entry.pending == PendingAck::Released;
        is_window_open || self.in_flight.get(id).is_none_or(is_release)
    }

    /// The client has reconnected: everything in flight is sent again `[MQTT-4.4.0-1]`, releases
    /// first, each in its original order `[MQTT-4.6.0-1]`.
    pub fn resume(&mut self, receive_maximum: u16) {
        self.window = usize::from(receive_maximum.min(IN_FLIGHT));
        self.outstanding = 0;
        let mut order: Vec<_> = self
            .in_flight
            .iter_mut()
            .map(|(id, entry)| {
                entry.active = false;
                entry.delivery.publish.dup = true;
                (entry.pending, entry.sequence, *id)
            })
            .collect();
        order.sort_unstable();
        self.resend = order.into_iter().map(|(_, _, id)| id).collect();
    }

    /// The next packet that may be sent, if any. Expired messages are dropped on the way.
    pub fn next(&mut self, now: Instant) -> Option<Packet> {
        while let Some(id) = self.resend.front().copied() {
            let Some(entry) = self.in_flight.get_mut(&id) else {
                self.resend.pop_front();
                continue;
            };
            if entry.pending == PendingAck::Published && self.outstanding >= self.window {
                return None;
            }
            self.resend.pop_front();
            entry.active = true;
            self.outstanding += 1;
            return Some(match entry.pending {
                PendingAck::Released => Packet::PubRel(Ack::success(id)),
                PendingAck::Published => Packet::Publish(entry.delivery.publish_at(now)),
            });
        }
        self.first(now)
    }

    /// The next message that was never sent.
    fn first(&mut self, now: Instant) -> Option<Packet> {
        while self.outstanding < self.window {
            let (mut delivery, weight) = self.pop()?;
            self.queue_len -= 1;
            self.queue_weight -= weight;
            if self.queue.is_empty() && self.queue.capacity() >= LONG_QUEUE {
                self.queue = VecDeque::new();
            }
            if delivery.is_expired(now) {
                continue;
            }
            let id = self.free_id();
            delivery.publish.packet_id = Some(id);
            let packet = Packet::Publish(delivery.publish_at(now));
            self.sequence += 1;
            self.outstanding += 1;
            let entry = InFlight {
                sequence: self.sequence,
                pending: PendingAck::Published,
                delivery,
                active: true,
            };
            self.in_flight.insert(id, entry);
            return Some(packet);
        }
        None
    }

    /// Takes the first message out of the queue; what it weighed there, in bytes.
    fn pop(&mut self) -> Option<(AddressedMessage, usize)> {
        if let QueuedMessages::Common(messages) = self.queue.front_mut()? {
            let first = messages.next_addressed();
            if messages.left().messages == 0 {
                self.queue.pop_front();
            }
            return first;
        }
        match self.queue.pop_front()? {
            QueuedMessages::One(delivery) => {
                let weight = delivery.weight();
                Some((delivery, weight))
            }
            QueuedMessages::Common(mut messages) => messages.next_addressed(),
        }
    }

    /// PUBACK (§4.3.2). An unknown identifier is ignored: it may be of an exchange that we ended.
    pub fn acknowledged(&mut self, id: PacketId) -> Result<(), WrongAck> {
        match self.in_flight.get(&id) {
            Some(entry) if entry.delivery.publish.qos != QoS::AtLeastOnce => Err(WrongAck),
            Some(_) => {
                self.forget(id);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// PUBREC (§4.3.3): true when PUBREL is the answer to a known identifier. A refusal (0x80 and
    /// above) ends the exchange `[MQTT-4.3.3-4]`; the caller must not answer it.
    pub fn received(&mut self, id: PacketId, refused: bool) -> Result<bool, WrongAck> {
        let Some(entry) = self.in_flight.get_mut(&id) else { return Ok(false) };
        if entry.delivery.publish.qos != QoS::ExactlyOnce {
            return Err(WrongAck);
        }
        if refused {
            self.forget(id);
        } else if entry.pending == PendingAck::Published {
            self.sequence += 1;
            entry.sequence = self.sequence;
            entry.pending = PendingAck::Released;
            // Only the identifier matters from here on `[MQTT-4.3.3-5]`.
            entry.delivery.publish.payload = bytes::Bytes::new();
        }
        Ok(true)
    }

    /// PUBCOMP (§4.3.3).
    pub fn completed(&mut self, id: PacketId) -> Result<(), WrongAck> {
        match self.in_flight.get(&id).map(|entry| entry.pending) {
            Some(PendingAck::Released) => {
                self.forget(id);
                Ok(())
            }
            Some(PendingAck::Published) => Err(WrongAck),
            None => Ok(()),
        }
    }

    /// Ends an exchange, as if the client had acknowledged it.
    pub fn forget(&mut self, id: PacketId) {
        if self.in_flight.remove(&id).is_some_and(|entry| entry.active) {
            self.outstanding -= 1;
        }
    }

    /// An identifier that is not in use. There are 64 times as many as can be in flight.
    fn free_id(&mut self) -> PacketId {
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(PacketId::MIN);
            if !self.in_flight.contains_key(&self.last_id) {
                return self.last_id;
            }
        }
    }
}
