//! What a session reports: events, violations by the server, and refusals of its own.

use bytes::Bytes;
use bytestring::ByteString;

use crate::mqtt::packet::{ConnAck, Disconnect, EncodeError, Malformed, Publish, SubAck, UnsubAck};
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::scram::ScramError;
use crate::mqtt::topic::TopicFilter;

/// What happened, in the order in which it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The server accepted the connection.
    Connected(Box<ConnAck>),
    /// The server refused it; nothing more will come.
    Refused(Box<ConnAck>),
    /// A message from the server. It is acknowledged when its number is given to
    /// [`Session::acknowledge_up_to`].
    Message(Delivery),
    /// A large message from the server begins (see [`ReceiveOptions::parts_above`]): its payload
    /// comes in pieces, then its end. Only acknowledgements come between them.
    ///
    /// When the connection is lost meanwhile and the server sends the message again, the missing
    /// pieces come then.
    ///
    /// [`ReceiveOptions::parts_above`]: super::ReceiveOptions::parts_above
    MessageBegins {
        /// The message without its payload. It must not be acknowledged before its end.
        delivery: Delivery,
        /// The length of the payload in bytes.
        length: usize,
    },
    /// The next piece of its payload.
    Piece(Bytes),
    /// It is complete.
    MessageEnds,
    /// It will never be complete: the server does not send it again.
    MessageCut,
    /// A QoS 1 or 2 message of ours is finished: delivered or (code 0x80 and above) refused.
    Acknowledged {
        /// The token given to [`Session::publish`].
        token: u64,
        /// From PUBACK, PUBREC or PUBCOMP; or ours, when the server of a new connection takes less
        /// than the one before.
        code: ReasonCode,
        /// The Reason String of the server (MQTT 5).
        reason: Option<ByteString>,
    },
    /// Several messages of ours were delivered, where [`ReportOptions::only_failures`] asks for no
    /// event for each.
    ///
    /// [`ReportOptions::only_failures`]: super::ReportOptions::only_failures
    SomeAcknowledged,
    /// The server has lost the session: it may or may not have this QoS 2 message of ours. It is
    /// not sent again, for that could duplicate it.
    InDoubt {
        /// The token given to [`Session::publish`].
        token: u64,
    },
    /// The answer to a SUBSCRIBE: one code per filter.
    Subscribed(SubAck),
    /// The server does not take this subscription, so it was not sent.
    NotSubscribed {
        /// The topic filter.
        filter: TopicFilter,
        /// Why not.
        why: Unsubscribable,
    },
    /// The answer to an UNSUBSCRIBE.
    Unsubscribed(UnsubAck),
    /// The answer to a PINGREQ.
    Pong,
    /// The server ends the connection and says why (MQTT 5 only).
    Disconnected(Box<Disconnect>),
}

/// A message from the server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Counts the messages of this session, from 1; for [`Session::acknowledge_up_to`].
    pub number: u64,
    /// The message. Its topic is always there: aliases are resolved.
    pub publish: Publish,
}

/// The server broke the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// A packet that cannot be decoded.
    Malformed(Malformed),
    /// A packet that a server never sends, or not now.
    Unexpected(&'static str),
    /// More QoS 1 and 2 messages in flight than our Receive Maximum `[MQTT-3.3.4-9]`.
    ReceiveMaximumExceeded,
    /// Enhanced authentication failed on the server's side.
    Authentication(ScramError),
    /// A SUBACK with more or fewer codes than there were subscriptions `[MQTT-3.9.3-1]`.
    SubAckCodes {
        /// How many subscriptions the SUBSCRIBE had.
        asked: usize,
        /// How many codes came.
        codes: usize,
    },
    /// A SUBACK with a code that neither grants nor refuses `[MQTT-3.9.3-2]`.
    SubAckCode(ReasonCode),
    /// A topic alias that was never defined, or is above our maximum `[MQTT-3.3.2-9]`.
    TopicAliasInvalid,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed(malformed) => write!(f, "malformed packet: {malformed}"),
            Self::Unexpected(packet) => write!(f, "an unexpected {packet}"),
            Self::ReceiveMaximumExceeded => {
                f.write_str("more messages in flight than our receive maximum")
            }
            Self::Authentication(error) => error.fmt(f),
            Self::SubAckCodes { asked, codes } => {
                write!(f, "SUBACK with {codes} reason codes where {asked} were due [MQTT-3.9.3-1]")
            }
            Self::SubAckCode(code) => {
                write!(f, "SUBACK with the reason code {:#04x} [MQTT-3.9.3-2]", code.0)
            }
            Self::TopicAliasInvalid => f.write_str("a topic alias that was not defined"),
        }
    }
}

impl Violation {
    /// The reason code of our DISCONNECT (§4.13).
    pub(super) fn code(&self) -> ReasonCode {
        match self {
            Self::Malformed(malformed) => malformed.reason_code(),
            Self::Unexpected(_) | Self::SubAckCodes { .. } | Self::SubAckCode(_) => {
                ReasonCode::PROTOCOL_ERROR
            }
            Self::ReceiveMaximumExceeded => ReasonCode::RECEIVE_MAXIMUM_EXCEEDED,
            Self::Authentication(_) => ReasonCode::NOT_AUTHORIZED,
            Self::TopicAliasInvalid => ReasonCode::TOPIC_ALIAS_INVALID,
        }
    }
}

/// Why a message cannot be sent to this server at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsendable {
    /// Larger than the server's Maximum Packet Size `[MQTT-3.2.2-15]`.
    TooLarge {
        /// The size of the whole packet, in bytes.
        size: usize,
        /// The server's limit, in bytes.
        limit: usize,
    },
    /// Above the server's Maximum QoS `[MQTT-3.2.2-11]`.
    QoSNotSupported(QoS),
    /// The server stores no retained messages `[MQTT-3.2.2-14]`.
    RetainNotSupported,
    /// Above this Topic Alias Maximum of the server `[MQTT-3.3.2-9]`.
    TopicAliasTooHigh(u16),
    /// It has no wire form.
    Encode(EncodeError),
}

impl Unsendable {
    /// The code with which a server would refuse it.
    pub(super) fn code(&self) -> ReasonCode {
        match self {
            Self::TooLarge { .. } => ReasonCode::PACKET_TOO_LARGE,
            Self::QoSNotSupported(_) => ReasonCode::QOS_NOT_SUPPORTED,
            Self::RetainNotSupported => ReasonCode::RETAIN_NOT_SUPPORTED,
            Self::TopicAliasTooHigh(_) => ReasonCode::TOPIC_ALIAS_INVALID,
            Self::Encode(_) => ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR,
        }
    }
}

impl std::fmt::Display for Unsendable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooLarge { size, limit } => {
                write!(f, "the packet has {size} bytes and the broker takes at most {limit}")
            }
            Self::QoSNotSupported(maximum) => write!(f, "the broker takes QoS {maximum} at most"),
            Self::RetainNotSupported => f.write_str("the broker keeps no retained messages"),
            Self::TopicAliasTooHigh(0) => f.write_str("the broker takes no topic aliases"),
            Self::TopicAliasTooHigh(maximum) => {
                write!(f, "the broker takes topic aliases up to {maximum}")
            }
            Self::Encode(error) => error.fmt(f),
        }
    }
}

/// Why a subscription cannot be made at this server at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsubscribable {
    /// It has a wildcard (MQTT 5 §3.2.2.3.11).
    Wildcard,
    /// It has a Subscription Identifier (§3.2.2.3.12).
    Identifier,
    /// It is shared (§3.2.2.3.13).
    Shared,
}

impl std::fmt::Display for Unsubscribable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Wildcard => "the broker takes no wildcards in subscriptions",
            Self::Identifier => "the broker takes no subscription identifiers",
            Self::Shared => "the broker takes no shared subscriptions",
        })
    }
}

/// The server did not answer a PINGREQ in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    /// For how long nothing came.
    pub waited: std::time::Duration,
}
