//! Errors in packets: in one that the peer sent ([`Malformed`]), and in one that cannot be encoded
//! ([`EncodeError`]).

use std::fmt;

use bytestring::ByteString;

use super::{MAXIMUM_ITEMS, MAXIMUM_REMAINING_LENGTH, PacketType};
use crate::mqtt::property::{Place, PropertyId};
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::topic::TopicError;

/// The peer sent bytes that are not a packet of the negotiated version. The connection cannot
/// continue (§4.13).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Malformed {
    /// A packet type that the version does not have: 0, and 15 before MQTT 5 (§2.1.2).
    UnknownPacketType {
        /// The upper half of the first byte.
        value: u8,
    },
    /// Flags that the packet must not have `[MQTT-2.1.3-1]`.
    FixedHeaderFlags {
        /// The packet.
        packet: PacketType,
        /// The lower half of the first byte.
        flags: u8,
    },
    /// A Variable Byte Integer of more than four bytes, or, in MQTT 5, of more bytes than its value
    /// needs `[MQTT-1.5.5-1]`.
    VariableByteInteger,
    /// The whole packet is larger than the limit that the receiver has set `[MQTT-3.1.2-24]`.
    PacketTooLarge {
        /// Its size in bytes.
        size: usize,
        /// The limit, in bytes.
        maximum: usize,
    },
    /// A field continues after the end of its packet or of its property section.
    Truncated {
        /// The packet.
        packet: PacketType,
    },
    /// The packet continues after its last field.
    TrailingBytes {
        /// The packet.
        packet: PacketType,
        /// The number of bytes after the last field.
        count: usize,
    },
    /// Packet identifier 0 `[MQTT-2.2.1-3]`.
    PacketIdZero,
    /// `QoS` 3, in a PUBLISH, a will or a subscription `[MQTT-3.3.1-4]`.
    QoS3,
    /// DUP in a PUBLISH of `QoS` 0 `[MQTT-3.3.1-2]`.
    DupWithQoS0,
    /// A string that is not UTF-8 `[MQTT-1.5.4-1]`.
    NotUtf8,
    /// A string with U+0000 in it `[MQTT-1.5.4-2]`.
    NulInString,
    /// A topic name or a topic filter that is not valid (§4.7).
    Topic(TopicError),
    /// A PUBLISH with neither a topic name nor a topic alias (§3.3.2.1).
    NoTopic,
    /// A CONNECT of an unknown protocol `[MQTT-3.1.2-1]` `[MQTT-3.1.2-2]`.
    UnsupportedVersion {
        /// The protocol name.
        name: ByteString,
        /// The protocol level.
        level: u8,
    },
    /// The reserved bit of the connect flags is set `[MQTT-3.1.2-3]`.
    ConnectFlags,
    /// Will `QoS` or Will Retain without a will `[MQTT-3.1.2-11]` `[MQTT-3.1.2-13]`.
    WillFlags,
    /// A password without a user name before MQTT 5 (3.1.1 `[MQTT-3.1.2-22]`).
    PasswordWithoutUserName,
    /// A reserved bit of the connect acknowledge flags is set `[MQTT-3.2.2-1]`.
    ConnAckFlags,
    /// A SUBSCRIBE or an UNSUBSCRIBE without a topic filter `[MQTT-3.8.3-2]` `[MQTT-3.10.3-2]`.
    NoTopicFilter {
        /// The packet.
        packet: PacketType,
    },
    /// A SUBACK, or an UNSUBACK of MQTT 5, without a reason code (§3.9.3, §3.11.3).
    NoReasonCode {
        /// The packet.
        packet: PacketType,
    },
    /// More properties or topic filters than [`MAXIMUM_ITEMS`].
    TooManyItems {
        /// The packet.
        packet: PacketType,
    },
    /// A reserved bit of the subscription options is set `[MQTT-3.8.3-5]`.
    SubscriptionOptions,
    /// Retain Handling 3 (§3.8.3.1).
    RetainHandling3,
    /// No Local on a shared subscription `[MQTT-3.8.3-4]`.
    NoLocalShared,
    /// A property that is not valid (§2.2.2.2).
    Property(PropertyError),
}

/// A property that is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PropertyError {
    /// An identifier that no property has (§2.2.2.2).
    Unknown {
        /// The identifier.
        byte: u8,
    },
    /// A property that this packet must not carry (Table 2-4).
    NotAllowed {
        /// The property.
        property: PropertyId,
        /// The packet that carried it.
        place: Place,
    },
    /// A property that occurs twice (§2.2.2.2).
    Duplicate {
        /// The property.
        property: PropertyId,
    },
    /// A value that the property must not have: 0, or more than 1.
    Value {
        /// The property.
        property: PropertyId,
    },
}

impl Malformed {
    /// The reason code that answers this error in DISCONNECT or CONNACK of MQTT 5 (§4.13.1).
    pub fn reason_code(&self) -> ReasonCode {
        match self {
            Self::PacketTooLarge { .. } => ReasonCode::PACKET_TOO_LARGE,
            Self::UnsupportedVersion { .. } => ReasonCode::UNSUPPORTED_PROTOCOL_VERSION,
            Self::TooManyItems { .. } => ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR,
            Self::NoTopic
            | Self::NoTopicFilter { .. }
            | Self::RetainHandling3
            | Self::NoLocalShared
            | Self::Property(PropertyError::Duplicate { .. } | PropertyError::Value { .. }) => {
                ReasonCode::PROTOCOL_ERROR
            }
            _ => ReasonCode::MALFORMED_PACKET,
        }
    }
}

impl From<PropertyError> for Malformed {
    fn from(error: PropertyError) -> Self {
        Self::Property(error)
    }
}

impl From<TopicError> for Malformed {
    fn from(error: TopicError) -> Self {
        Self::Topic(error)
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sentence = match self {
            Self::UnknownPacketType { value } => {
                return write!(f, "there is no packet type {value} (§2.1.2)");
            }
            Self::FixedHeaderFlags { packet, flags } => {
                return write!(f, "{packet} with the flags {flags:#06b} [MQTT-2.1.3-1]");
            }
            Self::VariableByteInteger => "an invalid variable byte integer [MQTT-1.5.5-1]",
            Self::PacketTooLarge { size, maximum } => return fmt_too_large(f, *size, *maximum),
            Self::Truncated { packet } => {
                return write!(f, "{packet} with a field that goes past its end (§2.1.4)");
            }
            Self::TrailingBytes { packet, count } => {
                let bytes = if *count == 1 { "byte" } else { "bytes" };
                return write!(f, "{packet} with {count} {bytes} after its last field (§2.1.4)");
            }
            Self::PacketIdZero => "packet identifier 0 [MQTT-2.2.1-3]",
            Self::QoS3 => "QoS 3 [MQTT-3.3.1-4]",
            Self::DupWithQoS0 => "PUBLISH with DUP and QoS 0 [MQTT-3.3.1-2]",
            Self::NotUtf8 => "a string that is not UTF-8 [MQTT-1.5.4-1]",
            Self::NulInString => "a string with a NUL character [MQTT-1.5.4-2]",
            Self::Topic(error) => return write!(f, "{error} (§4.7)"),
            Self::NoTopic => "PUBLISH with neither topic name nor topic alias (§3.3.2.1)",
            Self::UnsupportedVersion { name, level } => return fmt_version(f, name, *level),
            Self::ConnectFlags => "CONNECT with the reserved flag [MQTT-3.1.2-3]",
            Self::WillFlags => "CONNECT with will QoS or will retain, but no will [MQTT-3.1.2-11]",
            Self::PasswordWithoutUserName => {
                "CONNECT with a password, but no user name (3.1.1 [MQTT-3.1.2-22])"
            }
            Self::ConnAckFlags => "CONNACK with reserved flags [MQTT-3.2.2-1]",
            Self::NoTopicFilter { packet } => {
                return write!(f, "{packet} without a topic filter [MQTT-3.8.3-2]");
            }
            Self::NoReasonCode { packet } => {
                return write!(f, "{packet} without a reason code (§3.9.3)");
            }
            Self::TooManyItems { packet } => return fmt_too_many(f, *packet),
            Self::SubscriptionOptions => "SUBSCRIBE with reserved options [MQTT-3.8.3-5]",
            Self::RetainHandling3 => "SUBSCRIBE with retain handling 3 (§3.8.3.1)",
            Self::NoLocalShared => "no local on a shared subscription [MQTT-3.8.3-4]",
            Self::Property(error) => return error.fmt(f),
        };
        f.write_str(sentence)
    }
}

fn fmt_too_large(f: &mut fmt::Formatter<'_>, size: usize, maximum: usize) -> fmt::Result {
    write!(f, "a packet of {size} bytes, at most {maximum} are accepted [MQTT-3.1.2-24]")
}

/// The peer has chosen the name, so it is escaped and shortened: it may have 65,535 bytes.
fn fmt_version(f: &mut fmt::Formatter<'_>, name: &str, level: u8) -> fmt::Result {
    let name: String = name.chars().take(20).collect();
    write!(f, "CONNECT with protocol {name:?} level {level} [MQTT-3.1.2-2]")
}

fn fmt_too_many(f: &mut fmt::Formatter<'_>, packet: PacketType) -> fmt::Result {
    write!(f, "{packet} with more than {MAXIMUM_ITEMS} properties or topic filters")
}

impl fmt::Display for PropertyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { byte } => write!(f, "there is no property {byte:#04X} (§2.2.2.2)"),
            Self::NotAllowed { property, place } => {
                write!(f, "{property} is not a property of {place} (§2.2.2.2)")
            }
            Self::Duplicate { property } => {
                write!(f, "{property} occurs twice (§2.2.2.2)")
            }
            Self::Value { property } => {
                write!(f, "{property} has an invalid value (§2.2.2.2)")
            }
        }
    }
}

impl std::error::Error for Malformed {}

/// A packet that cannot be encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncodeError {
    /// A string or binary data of more than 65,535 bytes (§1.5.4, §1.5.6).
    StringTooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// A remaining length, a property length or a subscription identifier above 268,435,455
    /// (§1.5.5).
    TooLarge {
        /// The length that was to be encoded, in bytes.
        length: usize,
    },
    /// A PUBLISH with neither a topic name nor (in MQTT 5) a topic alias (§3.3.2.1).
    NoTopic,
    /// A PUBLISH of `QoS` 0 with a packet identifier, or one of `QoS` 1 or 2 without
    /// `[MQTT-2.2.1-2]`.
    PacketId,
    /// DUP in a PUBLISH of `QoS` 0 `[MQTT-3.3.1-2]`.
    DupWithQoS0,
    /// A password without a user name before MQTT 5 (3.1.1 `[MQTT-3.1.2-22]`).
    PasswordWithoutUserName,
    /// A SUBSCRIBE or UNSUBSCRIBE without a topic filter, or a SUBACK or UNSUBACK without a reason
    /// code `[MQTT-3.8.3-2]`.
    NothingInside,
    /// AUTH before MQTT 5 (§3.15).
    AuthBeforeMqtt5,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StringTooLong { length } => {
                write!(f, "a field has {length} bytes, MQTT allows 65535 (§1.5.4)")
            }
            Self::TooLarge { length } => {
                write!(f, "the packet would have {length} bytes, MQTT allows ")?;
                write!(f, "{MAXIMUM_REMAINING_LENGTH} (§1.5.5)")
            }
            Self::NoTopic => f.write_str("a message needs a topic (§3.3.2.1)"),
            Self::PacketId => f.write_str(
                "a packet identifier belongs to QoS 1 and 2, and only to them [MQTT-2.2.1-2]",
            ),
            Self::DupWithQoS0 => {
                f.write_str("a message of QoS 0 is never sent twice [MQTT-3.3.1-2]")
            }
            Self::PasswordWithoutUserName => {
                f.write_str("before MQTT 5 a password needs a user name (3.1.1 [MQTT-3.1.2-22])")
            }
            Self::NothingInside => {
                f.write_str("at least one topic filter is needed [MQTT-3.8.3-2]")
            }
            Self::AuthBeforeMqtt5 => f.write_str("enhanced authentication needs MQTT 5 (§3.15)"),
        }
    }
}

impl std::error::Error for EncodeError {}
