//! What is known of a message that comes in parts: how much of it was handed out, on this
//! connection or on one before. It must never know what becomes of the parts.

use bytes::{Buf, Bytes};

use super::Delivery;
use crate::mqtt::packet::{PacketId, Publish};
use crate::mqtt::property::{Property, PropertyId};

/// See the module.
#[derive(Debug, Default)]
pub struct Parts {
    /// The message whose beginning was handed out and whose end was not. It outlives its
    /// connection.
    begun: Option<Begun>,
    coming: Coming,
}

#[derive(Debug)]
struct Begun {
    /// Without a payload.
    delivery: Delivery,
    /// Of the payload, in bytes.
    length: usize,
    /// How much of it was handed out.
    handed_out: usize,
    /// How much of it has come on this connection.
    received: usize,
    /// Nobody minds if it never ends.
    ignored: bool,
}

/// What comes in parts on this connection.
#[derive(Debug, Default)]
enum Coming {
    #[default]
    Nothing,
    /// The message that was begun.
    Begun,
    /// One that was delivered before and is not delivered again.
    Repeated(Publish),
}

/// What has come to its end.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// The message that was begun.
    Begun,
    /// One that was delivered before.
    Repeated(Publish),
}

impl Parts {
    /// A new message begins.
    pub fn begin(&mut self, delivery: Delivery, length: usize) {
        self.begun = Some(Begun { delivery, length, handed_out: 0, received: 0, ignored: false });
        self.coming = Coming::Begun;
    }

    /// One begins that is not delivered again.
    pub fn begin_repeated(&mut self, publish: Publish) {
        self.coming = Coming::Repeated(publish);
    }

    /// Whether a message was begun and has not ended.
    pub fn is_open(&self) -> bool {
        self.begun.is_some()
    }

    /// Nobody minds if the message that was begun never ends.
    pub fn ignore(&mut self) {
        if let Some(begun) = &mut self.begun {
            begun.ignored = true;
        }
    }

    /// Whether a message was begun, has not ended, and is not ignored.
    pub fn is_minded(&self) -> bool {
        self.begun.as_ref().is_some_and(|begun| !begun.ignored)
    }

    /// Whether a message was begun that no server sends again.
    pub fn is_fleeting(&self) -> bool {
        self.begun.as_ref().is_some_and(|begun| begun.delivery.publish.packet_id.is_none())
    }

    /// Whether a message was begun that has this identifier.
    pub fn is_under(&self, packet_id: Option<PacketId>) -> bool {
        self.begun.as_ref().is_some_and(|begun| begun.delivery.publish.packet_id == packet_id)
    }

    /// The message that was begun will not come again: its number, if there was one.
    pub fn give_up(&mut self) -> Option<u64> {
        self.begun.take().map(|begun| begun.delivery.number)
    }

    /// If this is the message that was begun on an earlier connection: its number. Its parts
    /// continue it.
    pub fn take_up(&mut self, publish: &Publish, length: usize) -> Option<u64> {
        let begun = self.begun.as_mut().filter(|begun| begun.length == length)?;
        if !publish.dup || !is_same(&begun.delivery.publish, publish) {
            return None;
        }
        begun.received = 0;
        self.coming = Coming::Begun;
        Some(begun.delivery.number)
    }

    /// What of this piece was not handed out yet, if anything.
    pub fn piece(&mut self, mut piece: Bytes) -> Option<Bytes> {
        let Coming::Begun = self.coming else { return None };
        let begun = self.begun.as_mut()?;
        let known = (begun.handed_out - begun.received.min(begun.handed_out)).min(piece.len());
        begun.received += piece.len();
        begun.handed_out = begun.handed_out.max(begun.received);
        piece.advance(known);
        (!piece.is_empty()).then_some(piece)
    }

    /// The end of what was coming.
    pub fn end(&mut self) -> Option<Ended> {
        match std::mem::take(&mut self.coming) {
            Coming::Nothing => None,
            Coming::Begun => self.begun.take().map(|_| Ended::Begun),
            Coming::Repeated(publish) => Some(Ended::Repeated(publish)),
        }
    }

    /// Nothing comes any more on this connection.
    pub fn connection_lost(&mut self) {
        self.coming = Coming::Nothing;
    }
}

/// Whether one message may be the other, sent again. What a server changes meanwhile does not
/// count: the expiry (MQTT 5 §3.3.2.3.3), and the alias, which is the connection's.
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
