//! The fifteen control packets (MQTT 5 §3) as values, and how MQTT 3.1, 3.1.1 and 5 encode them.

mod ack;
mod auth;
mod connack;
mod connect;
pub(in crate::mqtt) mod data;
mod decoder;
mod describe;
mod disconnect;
mod error;
mod header;
mod publish;
mod publish_template;
mod run;
mod subscribe;
#[cfg(test)]
mod tests;
mod topicless_template;

use bytes::BytesMut;

use crate::mqtt::version::Version;

pub use ack::Ack;
pub use auth::Auth;
pub use connack::ConnAck;
pub use connect::{Connect, Credentials, Will};
use data::{all_or_nothing, variable_byte_integer_len};
pub use decoder::{Decoded, Decoder, FoundPublish};
pub use disconnect::Disconnect;
pub use error::{EncodeError, Malformed, PropertyError};
pub use header::PacketType;
use header::put_fixed_header;
pub use publish::Publish;
pub use publish_template::PublishTemplate;
pub use run::PublishRun;
pub use subscribe::{RetainHandling, SubAck, Subscribe, Subscription, UnsubAck, Unsubscribe};
pub use topicless_template::TopiclessTemplate;

/// A packet identifier: 1 to 65,535, never 0 `[MQTT-2.2.1-3]`.
pub type PacketId = std::num::NonZeroU16;

/// The largest value of a variable byte integer, and so of a remaining length (§1.5.5).
pub const MAXIMUM_REMAINING_LENGTH: usize = 268_435_455;

/// How many properties, or topic filters, one packet may hold. MQTT has no such limit. This one
/// bounds memory: a property of two bytes on the wire takes about seventy in memory, and a packet
/// can have 256 MiB.
pub const MAXIMUM_ITEMS: usize = 65_536;

/// One MQTT control packet. Large packets are boxed, so that the frequent ones stay small.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// A client asks for a session (§3.1).
    Connect(Box<Connect>),
    /// The server's answer to CONNECT (§3.2).
    ConnAck(Box<ConnAck>),
    /// A message, in either direction (§3.3).
    Publish(Publish),
    /// Ends a `QoS` 1 exchange (§3.4).
    PubAck(Ack),
    /// The receiver of a `QoS` 2 message has it (§3.5).
    PubRec(Ack),
    /// The sender of a `QoS` 2 message releases its identifier (§3.6).
    PubRel(Ack),
    /// Ends a `QoS` 2 exchange (§3.7).
    PubComp(Ack),
    /// A client asks for subscriptions (§3.8).
    Subscribe(Subscribe),
    /// The answer to SUBSCRIBE (§3.9).
    SubAck(SubAck),
    /// A client unsubscribes (§3.10).
    Unsubscribe(Unsubscribe),
    /// The answer to UNSUBSCRIBE (§3.11).
    UnsubAck(UnsubAck),
    /// A client asks whether the server is there (§3.12).
    PingReq,
    /// The answer to PINGREQ (§3.13).
    PingResp,
    /// The last packet of a connection (§3.14); only clients send it before MQTT 5.
    Disconnect(Disconnect),
    /// A step of enhanced authentication, MQTT 5 only (§3.15).
    Auth(Auth),
}

impl Packet {
    /// The type of this packet.
    pub fn packet_type(&self) -> PacketType {
        match self {
            Self::Connect(_) => PacketType::Connect,
            Self::ConnAck(_) => PacketType::ConnAck,
            Self::Publish(_) => PacketType::Publish,
            Self::PubAck(_) => PacketType::PubAck,
            Self::PubRec(_) => PacketType::PubRec,
            Self::PubRel(_) => PacketType::PubRel,
            Self::PubComp(_) => PacketType::PubComp,
            Self::Subscribe(_) => PacketType::Subscribe,
            Self::SubAck(_) => PacketType::SubAck,
            Self::Unsubscribe(_) => PacketType::Unsubscribe,
            Self::UnsubAck(_) => PacketType::UnsubAck,
            Self::PingReq => PacketType::PingReq,
            Self::PingResp => PacketType::PingResp,
            Self::Disconnect(_) => PacketType::Disconnect,
            Self::Auth(_) => PacketType::Auth,
        }
    }

    /// Appends the whole packet in this version (a CONNECT in its own). After an error nothing is
    /// appended. Fields that the version does not have (properties, reason codes, subscription
    /// options before MQTT 5) are left out.
    pub fn encode(&self, version: Version, out: &mut BytesMut) -> Result<(), EncodeError> {
        all_or_nothing(out, |out| {
            let remaining = self.remaining_length(version);
            put_fixed_header(self.first_byte(), remaining, out)?;
            out.reserve(remaining);
            self.encode_body(version, out)
        })
    }

    /// The length of the whole packet in this version (of a CONNECT in its own), in bytes.
    pub fn encoded_len(&self, version: Version) -> usize {
        let remaining = self.remaining_length(version);
        1 + variable_byte_integer_len(remaining) + remaining
    }

    fn first_byte(&self) -> u8 {
        match self {
            Self::Publish(packet) => packet.first_byte(),
            other => other.packet_type().first_byte(),
        }
    }

    fn encode_body(&self, version: Version, out: &mut BytesMut) -> Result<(), EncodeError> {
        match self {
            Self::Connect(packet) => packet.encode_body(out),
            Self::ConnAck(packet) => packet.encode_body(version, out),
            Self::Publish(packet) => packet.encode_body(version, out),
            Self::PubAck(ack) | Self::PubRec(ack) | Self::PubRel(ack) | Self::PubComp(ack) => {
                ack.encode_body(version, out)
            }
            Self::Subscribe(packet) => packet.encode_body(version, out),
            Self::SubAck(packet) => packet.encode_body(version, out),
            Self::Unsubscribe(packet) => packet.encode_body(version, out),
            Self::UnsubAck(packet) => packet.encode_body(version, out),
            Self::PingReq | Self::PingResp => Ok(()),
            Self::Disconnect(packet) => packet.encode_body(version, out),
            Self::Auth(packet) => packet.encode_body(version, out),
        }
    }

    fn remaining_length(&self, version: Version) -> usize {
        match self {
            Self::Connect(packet) => packet.body_len(),
            Self::ConnAck(packet) => packet.body_len(version),
            Self::Publish(packet) => packet.body_len(version),
            Self::PubAck(ack) | Self::PubRec(ack) | Self::PubRel(ack) | Self::PubComp(ack) => {
                ack.body_len(version)
            }
            Self::Subscribe(packet) => packet.body_len(version),
            Self::SubAck(packet) => packet.body_len(version),
            Self::Unsubscribe(packet) => packet.body_len(version),
            Self::UnsubAck(packet) => packet.body_len(version),
            Self::PingReq | Self::PingResp => 0,
            Self::Disconnect(packet) => packet.body_len(version),
            Self::Auth(packet) => packet.body_len(),
        }
    }
}
