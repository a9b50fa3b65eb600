//! The fifteen control packets (MQTT 5 §3) as values, and their wire form in all three versions.
//! It must never know in which order packets are exchanged.

mod connect;
mod connect_codec;
mod decoder;
mod describe;
mod encode;
mod error;
mod fixed_header;
mod packet_type;
mod publish;
mod publish_codec;
pub(in crate::mqtt) mod reader;
mod run;
mod subscribe;
mod subscribe_codec;
#[cfg(test)]
mod tests;
pub(in crate::mqtt) mod writer;

pub use connect::{Auth, ConnAck, Connect, Credentials, Disconnect, Will};
pub use decoder::{Decoder, Found, Part};
pub use error::{EncodeError, Malformed};
pub use packet_type::PacketType;
pub use publish::{Ack, Publish};
pub use run::RunHeader;
pub use subscribe::{RetainHandling, SubAck, Subscribe, Subscription, UnsubAck, Unsubscribe};

/// A packet identifier: 1 to 65,535, never 0 `[MQTT-2.2.1-3]`.
pub type PacketId = std::num::NonZeroU16;

/// The largest value of a variable byte integer, and so of a remaining length (§1.5.5).
pub const MAXIMUM_REMAINING_LENGTH: usize = 268_435_455;

/// How many properties, or topic filters, one packet may hold. MQTT has no such limit, but two
/// bytes on the wire can become seventy in memory, and the largest packet is 256 MiB.
pub const MAXIMUM_ITEMS: usize = 65_536;

/// One MQTT control packet. Large ones are boxed, so that the common ones stay small.
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
    /// A client gives subscriptions back (§3.10).
    Unsubscribe(Unsubscribe),
    /// The answer to UNSUBSCRIBE (§3.11).
    UnsubAck(UnsubAck),
    /// "Are you there?" (§3.12)
    PingReq,
    /// "I am." (§3.13)
    PingResp,
    /// The last packet of a connection (§3.14); only clients send it before MQTT 5.
    Disconnect(Disconnect),
    /// A step of enhanced authentication, MQTT 5 only (§3.15).
    Auth(Auth),
}

impl Packet {
    /// Which of the fifteen it is.
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
}
