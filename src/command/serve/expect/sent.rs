//! A packet of a client as expectations see it.

use std::fmt;

use super::{ExpectedField, ExpectedPacket};
use crate::command::serve::traffic::ClientPacket;
use crate::mqtt::packet::Packet;
use crate::mqtt::qos::QoS;
use crate::mqtt::topic::{TopicFilter, TopicName};

/// The longest payload that is shown, in characters.
const SHOWN: usize = 60;

/// Where a packet is about.
#[derive(Debug, Clone, Copy)]
enum PacketPlace<'a> {
    /// A PUBLISH; an alias that was never set has no topic.
    Name(Option<&'a TopicName>),
    Filter(&'a TopicFilter),
    None,
}

/// A packet, or one topic filter of it.
#[derive(Debug, Clone, Copy)]
pub struct Sent<'a> {
    packet: ExpectedPacket,
    client: &'a str,
    place: PacketPlace<'a>,
    qos: Option<QoS>,
    retain: Option<bool>,
    payload: Option<&'a [u8]>,
}

impl<'a> Sent<'a> {
    /// What a packet is, if it is of this kind; of a SUBSCRIBE one for each topic filter.
    pub fn all(seen: ClientPacket<'a>, packet: ExpectedPacket) -> Vec<Self> {
        let ClientPacket { client, packet: content } = seen;
        let plain = Self {
            packet,
            client,
            place: PacketPlace::None,
            qos: None,
            retain: None,
            payload: None,
        };
        match (packet, content) {
            (ExpectedPacket::Connect, Packet::Connect(_))
            | (ExpectedPacket::Disconnect, Packet::Disconnect(_)) => vec![plain],
            (ExpectedPacket::Publish, Packet::Publish(publish)) => vec![Self {
                place: PacketPlace::Name(publish.topic.as_ref()),
                qos: Some(publish.qos),
                retain: Some(publish.retain),
                payload: Some(&publish.payload),
                ..plain
            }],
            (ExpectedPacket::Subscribe, Packet::Subscribe(subscribe)) => {
                let one = subscribe.subscriptions.iter().map(|one| Self {
                    place: PacketPlace::Filter(&one.filter),
                    qos: Some(one.qos),
                    ..plain
                });
                one.collect()
            }
            (ExpectedPacket::Unsubscribe, Packet::Unsubscribe(unsubscribe)) => {
                let filters = unsubscribe.filters.iter();
                filters.map(|filter| Self { place: PacketPlace::Filter(filter), ..plain }).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether a condition holds.
    pub fn meets(&self, field: &ExpectedField) -> bool {
        match field {
            ExpectedField::Client(client) => self.client == client,
            ExpectedField::Topic(filter) => match self.place {
                PacketPlace::Name(topic) => topic.is_some_and(|topic| filter.matches(topic)),
                PacketPlace::Filter(sent) => sent == filter,
                PacketPlace::None => false,
            },
            ExpectedField::QoS(qos) => self.qos == Some(*qos),
            ExpectedField::Retain(retain) => self.retain == Some(*retain),
            ExpectedField::Payload(payload) => self.payload == Some(payload.as_bytes()),
            ExpectedField::PayloadMatch(pattern) => {
                self.payload.is_some_and(|payload| pattern.is_match(payload))
            }
        }
    }
}

impl fmt::Display for Sent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} client={}", self.packet.word(), self.client)?;
        match self.place {
            PacketPlace::Name(topic) => write!(f, " t={}", topic.map_or("", TopicName::as_str))?,
            PacketPlace::Filter(filter) => write!(f, " t={}", filter.as_str())?,
            PacketPlace::None => {}
        }
        if let Some(qos) = self.qos {
            write!(f, " q={qos}")?;
        }
        if let Some(retain) = self.retain {
            write!(f, " r={}", u8::from(retain))?;
        }
        let Some(payload) = self.payload else { return Ok(()) };
        // Four bytes a character at most.
        let text = String::from_utf8_lossy(&payload[..payload.len().min(4 * SHOWN)]);
        let shown: String = text.chars().take(SHOWN).collect();
        let is_whole = shown.len() == payload.len();
        write!(f, " payload={shown}{}", if is_whole { "" } else { "..." })
    }
}
