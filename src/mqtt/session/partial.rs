//! A message that arrives in parts: how much of it was reported to the caller, on this connection
//! or an earlier one.

use bytes::{Buf, Bytes};

use super::Delivery;
use crate::mqtt::packet::{PacketId, Publish};
use crate::mqtt::property::{Property, PropertyId};

/// The message that arrives in parts, if there is one.
#[derive(Debug, Default)]
pub struct PartialMessage {
    /// The message whose beginning was reported and whose end was not. It outlives its connection.
    begun: Option<BegunMessage>,
    arriving: Arriving,
}

#[derive(Debug)]
struct BegunMessage {
    /// The message without its payload.
    delivery: Delivery,
    /// The length of the payload in bytes.
    length: usize,
    /// The number of payload bytes that were reported.
    reported: usize,
    /// The number of payload bytes that have arrived on this connection.
    received: usize,
    /// The caller does not need the rest.
    ignored: bool,
}

/// The message that arrives in parts on this connection.
#[derive(Debug, Default)]
enum Arriving {
    #[default]
    Nothing,
    /// The message whose beginning was reported.
    Begun,
    /// A message that was delivered before and is not delivered again.
    Repeated(Publish),
}

/// The message that has become complete.
#[derive(Debug, PartialEq, Eq)]
pub enum CompletedMessage {
    /// The message whose beginning was reported.
    Begun,
    /// A message that was delivered before.
    Repeated(Publish),
}

impl PartialMessage {
    /// Begins a new message.
    pub fn begin(&mut self, delivery: Delivery, length: usize) {
        self.begun =
            Some(BegunMessage { delivery, length, reported: 0, received: 0, ignored: false });
        self.arriving = Arriving::Begun;
    }

    /// Begins a message that is not delivered again.
    pub fn begin_repeated(&mut self, publish: Publish) {
        self.arriving = Arriving::Repeated(publish);
    }

    /// Whether a message was begun and has not ended.
    pub fn is_open(&self) -> bool {
        self.begun.is_some()
    }

    /// Ignores the rest of the message that was begun, which the caller does not need.
    pub fn ignore(&mut self) {
        if let Some(begun) = &mut self.begun {
            begun.ignored = true;
        }
    }

    /// Whether a message was begun, has not ended, and is not ignored.
    pub fn is_needed(&self) -> bool {
        self.begun.as_ref().is_some_and(|begun| !begun.ignored)
    }

    /// Whether a QoS 0 message was begun, which the server never sends again.
    pub fn is_at_most_once(&self) -> bool {
        self.begun.as_ref().is_some_and(|begun| begun.delivery.publish.packet_id.is_none())
    }

    /// Whether the message that was begun has this identifier.
    pub fn is_under(&self, packet_id: Option<PacketId>) -> bool {
        self.begun.as_ref().is_some_and(|begun| begun.delivery.publish.packet_id == packet_id)
    }

    /// Gives up the message that was begun: it will not be sent again. Returns its number, if there
    /// was one.
    pub fn give_up(&mut self) -> Option<u64> {
        self.begun.take().map(|begun| begun.delivery.number)
    }

    /// The number of the message that was begun on an earlier connection, if `publish` is that
    /// message sent again: its parts then continue it.
    pub fn resume(&mut self, publish: &Publish, length: usize) -> Option<u64> {
        let begun = self.begun.as_mut().filter(|begun| begun.length == length)?;
        if !publish.dup || !is_same(&begun.delivery.publish, publish) {
            return None;
        }
        begun.received = 0;
        self.arriving = Arriving::Begun;
        Some(begun.delivery.number)
    }

    /// The part of this piece that was not reported yet, if there is any.
    pub fn piece(&mut self, mut piece: Bytes) -> Option<Bytes> {
        let Arriving::Begun = self.arriving else { return None };
        let begun = self.begun.as_mut()?;
        let known = (begun.reported - begun.received.min(begun.reported)).min(piece.len());
        begun.received += piece.len();
        begun.reported = begun.reported.max(begun.received);
        piece.advance(known);
        (!piece.is_empty()).then_some(piece)
    }

    /// Ends the message that is arriving.
    pub fn end(&mut self) -> Option<CompletedMessage> {
        match std::mem::take(&mut self.arriving) {
            Arriving::Nothing => None,
            Arriving::Begun => self.begun.take().map(|_| CompletedMessage::Begun),
            Arriving::Repeated(publish) => Some(CompletedMessage::Repeated(publish)),
        }
    }

    /// The connection is lost. The message that was begun may continue on the next one.
    pub fn connection_lost(&mut self) {
        self.arriving = Arriving::Nothing;
    }
}

/// Whether `other` may be the same message, sent again. Properties that a server changes meanwhile
/// are ignored: the expiry (MQTT 5 §3.3.2.3.3), and the alias, which belongs to one connection.
fn is_same(one: &Publish, other: &Publish) -> bool {
    let lasting = |publish: &Publish| {
        let lasts = |property: &&Property| {
            !matches!(property.id(), PropertyId::MessageExpiryInterval | PropertyId::TopicAlias)
        };
        publish.properties.iter().filter(lasts).cloned().collect::<Vec<_>>()
    };
    one.packet_id.is_some()
        && one.packet_id == other.packet_id
        && one.qos == other.qos
        && one.topic == other.topic
        && lasting(one) == lasting(other)
}
