//! The reports of a session: events, violations by the server, and refusals by the session itself.

use bytes::Bytes;
use bytestring::ByteString;

use crate::mqtt::packet::{
    ConnAck, Disconnect, EncodeError, Malformed, PacketId, PacketType, Publish, SubAck, UnsubAck,
};
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::scram::ScramError;
use crate::mqtt::topic::TopicFilter;

/// An event on a connection. Events are reported in the order in which they happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The server accepted the connection.
    Connected(Box<ConnAck>),
    /// The server refused the connection. No other event follows.
    Refused(Box<ConnAck>),
    /// A message from the server. To acknowledge it, pass its number to
    /// [`Session::acknowledge_up_to`].
    Message(Delivery),
    /// The beginning of a large message from the server (see [`ReceiveOptions::parts_above`]). The
    /// pieces of its payload follow, and then its end; in between there are only acknowledgements.
    ///
    /// If the connection is lost in between and the server sends the message again, the events
    /// continue with the missing pieces.
    ///
    /// [`ReceiveOptions::parts_above`]: super::ReceiveOptions::parts_above
    MessageBegins {
        /// The message without its payload. It must not be acknowledged before
        /// [`Event::MessageEnds`].
        delivery: Delivery,
        /// The length of the payload in bytes.
        length: usize,
    },
    /// The next piece of the large message.
    Piece(Bytes),
    /// The large message is complete.
    MessageEnds,
    /// The large message will never be complete: the server does not send it again.
    MessageCut,
    /// No message that was delivered waits for its PUBREL any more, and no new one is taken; see
    /// [`Session::stop_taking`].
    ///
    /// [`Session::stop_taking`]: super::Session::stop_taking
    AllReleased,
    /// A QoS 1 or 2 message of the client is finished: delivered, or refused with a code of 0x80 or
    /// above.
    Acknowledged {
        /// The token given to [`Session::publish`].
        token: u64,
        /// The code of PUBACK, PUBREC or PUBCOMP, or one chosen by the session for a message that
        /// the server of a new connection does not accept.
        code: ReasonCode,
        /// The Reason String of the server (MQTT 5).
        reason: Option<ByteString>,
    },
    /// Several messages of the client were delivered, and [`SuccessReports::Together`] asks for
    /// no event for each.
    ///
    /// [`SuccessReports::Together`]: super::SuccessReports::Together
    SomeAcknowledged,
    /// A PUBACK, PUBREC, PUBREL or PUBCOMP that the caller answers or passes on, see
    /// [`Answering::Caller`].
    ///
    /// [`Answering::Caller`]: super::Answering::Caller
    Answered {
        /// Which of the packets it is.
        packet: PacketType,
        /// The message.
        packet_id: PacketId,
        /// The result.
        code: ReasonCode,
        /// The Reason String of the server (MQTT 5).
        reason: Option<ByteString>,
    },
    /// The server has lost the session and may or may not have received this QoS 2 message of the
    /// client. It is not sent again, because that could duplicate it.
    InDoubt {
        /// The token given to [`Session::publish`].
        token: u64,
    },
    /// The answer to a SUBSCRIBE: one code for each filter.
    Subscribed(SubAck),
    /// The server does not accept this subscription, so it was not sent.
    NotSubscribed {
        /// The topic filter.
        filter: TopicFilter,
        /// The reason.
        why: Unsubscribable,
    },
    /// The answer to an UNSUBSCRIBE.
    Unsubscribed(UnsubAck),
    /// The answer to a PINGREQ.
    Pong,
    /// The server ended the connection with DISCONNECT (MQTT 5 only).
    Disconnected(Box<Disconnect>),
}

impl Event {
    /// Replaces the texts for people in which the server explains itself.
    pub fn replace_reasons(&mut self, replace: impl Fn(&str) -> String) {
        match self {
            Self::Acknowledged { reason: Some(reason), .. }
            | Self::Answered { reason: Some(reason), .. } => *reason = replace(reason).into(),
            Self::Connected(connack) | Self::Refused(connack) => {
                connack.properties.replace_reasons(replace);
            }
            Self::Subscribed(answer) => answer.properties.replace_reasons(replace),
            Self::Unsubscribed(answer) => answer.properties.replace_reasons(replace),
            Self::Disconnected(disconnect) => disconnect.properties.replace_reasons(replace),
            Self::Acknowledged { reason: None, .. }
            | Self::Answered { reason: None, .. }
            | Self::SomeAcknowledged
            | Self::Message(_)
            | Self::MessageBegins { .. }
            | Self::Piece(_)
            | Self::MessageEnds
            | Self::MessageCut
            | Self::AllReleased
            | Self::InDoubt { .. }
            | Self::NotSubscribed { .. }
            | Self::Pong => {}
        }
    }
}

/// A message from the server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delivery {
    /// The position of the message in this session, from 1; for [`Session::acknowledge_up_to`].
    pub number: u64,
    /// The message. Aliases are resolved, so it always has its topic.
    pub publish: Publish,
}

/// The server broke the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// A packet that cannot be decoded.
    Malformed(Malformed),
    /// A packet that a server never sends, or must not send now.
    Unexpected(&'static str),
    /// More QoS 1 and 2 messages in flight than the client's Receive Maximum `[MQTT-3.3.4-9]`.
    ReceiveMaximumExceeded,
    /// Enhanced authentication failed because of the server.
    Authentication(ScramError),
    /// A SUBACK, or in MQTT 5 an UNSUBACK, whose number of codes is not the number of filters
    /// `[MQTT-3.9.3-1]` `[MQTT-3.11.3-1]`.
    CodeCount {
        /// SUBACK or UNSUBACK.
        packet: PacketType,
        /// The number of filters in the SUBSCRIBE or UNSUBSCRIBE.
        asked: usize,
        /// The number of codes in the answer.
        codes: usize,
    },
    /// A code below 0x80 that the packet does not define (§2.4).
    UndefinedCode {
        /// The packet.
        packet: PacketType,
        /// Its code.
        code: ReasonCode,
    },
    /// A topic alias that was never defined, or is above the client's Topic Alias Maximum
    /// `[MQTT-3.3.2-9]`.
    TopicAliasInvalid,
    /// A response topic that is no topic name `[MQTT-3.3.2-14]`.
    ResponseTopic,
    /// A Maximum Packet Size of so many bytes, in which no acknowledgement fits.
    MaximumPacketSize(u32),
}

impl Violation {
    /// Replaces the text for people in which the server explains itself.
    pub fn replace_words(&mut self, replace: impl Fn(&str) -> String) {
        if let Self::Authentication(ScramError::Refused(words)) = self {
            *words = replace(words);
        }
    }
}

/// What the server did against the protocol, and the session takes all the same, unless
/// [`Strictness::Strict`] makes it a violation. Each is reported once.
///
/// [`Strictness::Strict`]: super::Strictness::Strict
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deviation {
    /// Up to twice as many QoS 1 and 2 messages in flight as the client's Receive Maximum allows;
    /// mosquitto 2.0 sends one more.
    ReceiveMaximumExceeded,
    /// A QoS 2 message, sent for the first time, under the identifier of one that the server has
    /// not released: mosquitto 2.0 sends such where more than 65,535 wait.
    IdentifierInUse,
    /// Before MQTT 5, PUBACK for a QoS 2 message, as `RabbitMQ` 3.10 sends it. It ends the message.
    QoSLowered,
    /// A response topic that is no topic name. The property is removed.
    ResponseTopic,
}

impl std::fmt::Display for Deviation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ReceiveMaximumExceeded => {
                "the broker sent more messages at a time than the receive maximum allows"
            }
            Self::IdentifierInUse => {
                "the broker sent a message under a packet identifier that is in use; it is taken \
                 as a new one if it differs, as the same one if not: messages may be lost or \
                 doubled at this broker"
            }
            Self::QoSLowered => "the broker took QoS 2 as QoS 1",
            Self::ResponseTopic => {
                "the broker sent a response topic that is no topic name; it is left out"
            }
        })
    }
}

impl Deviation {
    /// What it is under [`Strictness::Strict`].
    ///
    /// [`Strictness::Strict`]: super::Strictness::Strict
    pub(super) fn violation(self) -> Violation {
        match self {
            Self::ReceiveMaximumExceeded => Violation::ReceiveMaximumExceeded,
            Self::IdentifierInUse => {
                Violation::Unexpected("PUBLISH under a packet identifier that is in use")
            }
            Self::QoSLowered => Violation::Unexpected("PUBACK for a QoS 2 message"),
            Self::ResponseTopic => Violation::ResponseTopic,
        }
    }
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed(malformed) => write!(f, "malformed packet: {malformed}"),
            Self::Unexpected(packet) => write!(f, "an unexpected {packet}"),
            Self::ReceiveMaximumExceeded => {
                f.write_str("more messages in flight than the client's receive maximum")
            }
            Self::Authentication(error) => error.fmt(f),
            Self::CodeCount { packet, asked, codes } => {
                let plural = if *codes == 1 { "" } else { "s" };
                let clause = if *packet == PacketType::SubAck { 9 } else { 11 };
                write!(
                    f,
                    "{} with {codes} reason code{plural} instead of {asked} [MQTT-3.{clause}.3-1]",
                    packet.name()
                )
            }
            Self::UndefinedCode { packet, code } => {
                write!(f, "{} with the reason code {:#04x}", packet.name(), code.0)?;
                clause_of_codes(*packet).map_or(Ok(()), |clause| write!(f, " [{clause}]"))
            }
            Self::TopicAliasInvalid => f.write_str("a topic alias that was not defined"),
            Self::ResponseTopic => {
                f.write_str("a response topic that is no topic name [MQTT-3.3.2-14]")
            }
            Self::MaximumPacketSize(size) => fmt_tiny(f, *size),
        }
    }
}

fn fmt_tiny(f: &mut std::fmt::Formatter<'_>, size: u32) -> std::fmt::Result {
    let bytes = if size == 1 { "byte" } else { "bytes" };
    write!(f, "a Maximum Packet Size of {size} {bytes}, in which no acknowledgement fits")
}

impl Violation {
    /// The reason code of the DISCONNECT that answers the violation (§4.13).
    pub(super) fn code(&self) -> ReasonCode {
        match self {
            Self::Malformed(malformed) => malformed.reason_code(),
            Self::Unexpected(_) | Self::CodeCount { .. } | Self::UndefinedCode { .. } => {
                ReasonCode::PROTOCOL_ERROR
            }
            Self::ReceiveMaximumExceeded => ReasonCode::RECEIVE_MAXIMUM_EXCEEDED,
            Self::Authentication(_) => ReasonCode::NOT_AUTHORIZED,
            Self::TopicAliasInvalid => ReasonCode::TOPIC_ALIAS_INVALID,
            Self::ResponseTopic => ReasonCode::PROTOCOL_ERROR,
            Self::MaximumPacketSize(_) => ReasonCode::PACKET_TOO_LARGE,
        }
    }
}

/// The clause by which a packet holds one of its own reason codes.
fn clause_of_codes(packet: PacketType) -> Option<&'static str> {
    Some(match packet {
        PacketType::ConnAck => "MQTT-3.2.2-8",
        PacketType::PubAck => "MQTT-3.4.2-1",
        PacketType::PubRec => "MQTT-3.5.2-1",
        PacketType::PubRel => "MQTT-3.6.2-1",
        PacketType::PubComp => "MQTT-3.7.2-1",
        PacketType::SubAck => "MQTT-3.9.3-2",
        PacketType::UnsubAck => "MQTT-3.11.3-2",
        PacketType::Disconnect => "MQTT-3.14.2-1",
        PacketType::Auth => "MQTT-3.15.2-1",
        _ => return None,
    })
}

/// The reason why this server cannot be sent a message.
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
    /// Above the server's Topic Alias Maximum, which is given here `[MQTT-3.3.2-9]`.
    TopicAliasTooHigh(u16),
    /// The message cannot be encoded.
    Encode(EncodeError),
}

impl Unsendable {
    /// The code with which a server would refuse the message.
    pub fn code(&self) -> ReasonCode {
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
                write!(f, "the packet has {size} bytes, but the broker accepts at most {limit}")
            }
            Self::QoSNotSupported(maximum) => write!(f, "the broker accepts QoS {maximum} at most"),
            Self::RetainNotSupported => {
                f.write_str("the broker does not support retained messages")
            }
            Self::TopicAliasTooHigh(0) => f.write_str("the broker does not support topic aliases"),
            Self::TopicAliasTooHigh(maximum) => {
                write!(f, "the broker accepts topic aliases up to {maximum}")
            }
            Self::Encode(error) => error.fmt(f),
        }
    }
}

/// The reason why a subscription cannot be made at this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsubscribable {
    /// The filter has a wildcard (MQTT 5 §3.2.2.3.11).
    Wildcard,
    /// The subscription has a Subscription Identifier (§3.2.2.3.12).
    Identifier,
    /// The subscription is shared (§3.2.2.3.13).
    Shared,
}

impl std::fmt::Display for Unsubscribable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Wildcard => "the broker does not support wildcards in subscriptions",
            Self::Identifier => "the broker does not support subscription identifiers",
            Self::Shared => "the broker does not support shared subscriptions",
        })
    }
}

impl std::error::Error for Unsubscribable {}

/// The server did not answer a PINGREQ in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    /// How long nothing was received.
    pub waited: std::time::Duration,
}
