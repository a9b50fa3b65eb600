//! The properties of MQTT 5 (Table 2-4), one row each: identifier, name, kind of value, the packets
//! that may carry it, and the packets that may carry it more than once.

use std::fmt;

use NumberWidth::{Byte, FourByte, TwoByte, Variable};
use Place::{
    Auth, ConnAck, Connect, Disconnect, PubAck, PubComp, PubRec, PubRel, Publish, SubAck,
    Subscribe, UnsubAck, Unsubscribe, Will,
};
use ValueKind::{Binary, Number, Pair, Text, Topic};

/// The largest Variable Byte Integer (§1.5.5).
const MAXIMUM_VARIABLE: u32 = 268_435_455;

/// A packet that carries properties, or the will inside CONNECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// CONNECT (§3.1.2.11).
    Connect,
    /// The will of a CONNECT (§3.1.3.2).
    Will,
    /// CONNACK (§3.2.2.3).
    ConnAck,
    /// PUBLISH (§3.3.2.3).
    Publish,
    /// PUBACK (§3.4.2.2).
    PubAck,
    /// PUBREC (§3.5.2.2).
    PubRec,
    /// PUBREL (§3.6.2.2).
    PubRel,
    /// PUBCOMP (§3.7.2.2).
    PubComp,
    /// SUBSCRIBE (§3.8.2.1).
    Subscribe,
    /// SUBACK (§3.9.2.1).
    SubAck,
    /// UNSUBSCRIBE (§3.10.2.1).
    Unsubscribe,
    /// UNSUBACK (§3.11.2.1).
    UnsubAck,
    /// DISCONNECT (§3.14.2.2).
    Disconnect,
    /// AUTH (§3.15.2.2).
    Auth,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Connect => "CONNECT",
            Will => "WILL",
            ConnAck => "CONNACK",
            Publish => "PUBLISH",
            PubAck => "PUBACK",
            PubRec => "PUBREC",
            PubRel => "PUBREL",
            PubComp => "PUBCOMP",
            Subscribe => "SUBSCRIBE",
            SubAck => "SUBACK",
            Unsubscribe => "UNSUBSCRIBE",
            UnsubAck => "UNSUBACK",
            Disconnect => "DISCONNECT",
            Auth => "AUTH",
        })
    }
}

/// The kind of value that a property has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// A number of this width, from the first of these values to the second.
    Number(NumberWidth, u32, u32),
    /// UTF-8 Encoded String (§1.5.4).
    Text,
    /// UTF-8 Encoded String that is a topic name.
    Topic,
    /// Binary Data (§1.5.6).
    Binary,
    /// UTF-8 String Pair (§1.5.7).
    Pair,
}

/// How a number is written on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberWidth {
    /// One byte (§1.5.1).
    Byte,
    /// Two Byte Integer (§1.5.2).
    TwoByte,
    /// Four Byte Integer (§1.5.3).
    FourByte,
    /// Variable Byte Integer (§1.5.5).
    Variable,
}

/// 0 or 1.
const FLAG: ValueKind = Number(Byte, 0, 1);
const TWO_BYTE: ValueKind = Number(TwoByte, 0, 0xFFFF);
const TWO_BYTE_NOT_0: ValueKind = Number(TwoByte, 1, 0xFFFF);
const FOUR_BYTE: ValueKind = Number(FourByte, 0, u32::MAX);
const FOUR_BYTE_NOT_0: ValueKind = Number(FourByte, 1, u32::MAX);
const VARIABLE_NOT_0: ValueKind = Number(Variable, 1, MAXIMUM_VARIABLE);

/// Every place that may carry a reason string.
static ANSWERS: &[Place] =
    &[ConnAck, PubAck, PubRec, PubRel, PubComp, SubAck, UnsubAck, Disconnect, Auth];

/// Every place.
static EVERYWHERE: &[Place] = &[
    Connect,
    Will,
    ConnAck,
    Publish,
    PubAck,
    PubRec,
    PubRel,
    PubComp,
    Subscribe,
    SubAck,
    Unsubscribe,
    UnsubAck,
    Disconnect,
    Auth,
];

/// A row of the table.
#[derive(Debug)]
struct PropertyRow {
    id: PropertyId,
    name: &'static str,
    kind: ValueKind,
    /// The places that may carry the property.
    places: &'static [Place],
    /// The places that may carry the property more than once.
    repeated: &'static [Place],
}

/// Defines [`PropertyId`] and [`TABLE`]. A list of places is `[A, B]`, or the name of a static
/// list.
macro_rules! properties {
    (@places [$($place:ident),*]) => { &[$($place),*] };
    (@places $list:ident) => { $list };
    ($($byte:literal $id:ident $name:literal $kind:ident $places:tt $repeated:tt;)*) => {
        /// The identifier of a property; its number is the byte on the wire.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum PropertyId {
            $(#[doc = concat!("`", $name, "`, ", $byte)] $id = $byte,)*
        }

        /// Table 2-4, in the order of the identifiers. The names are mosquitto's.
        static TABLE: &[PropertyRow] = &[$(PropertyRow {
            id: PropertyId::$id,
            name: $name,
            kind: $kind,
            places: properties!(@places $places),
            repeated: properties!(@places $repeated),
        }),*];
    };
}

properties! {
    0x01 PayloadFormatIndicator "payload-format-indicator" FLAG [Publish, Will] [];
    0x02 MessageExpiryInterval "message-expiry-interval" FOUR_BYTE [Publish, Will] [];
    0x03 ContentType "content-type" Text [Publish, Will] [];
    0x08 ResponseTopic "response-topic" Topic [Publish, Will] [];
    0x09 CorrelationData "correlation-data" Binary [Publish, Will] [];
    0x0B SubscriptionIdentifier "subscription-identifier" VARIABLE_NOT_0
        [Publish, Subscribe] [Publish];
    0x11 SessionExpiryInterval "session-expiry-interval" FOUR_BYTE
        [Connect, ConnAck, Disconnect] [];
    0x12 AssignedClientIdentifier "assigned-client-identifier" Text [ConnAck] [];
    0x13 ServerKeepAlive "server-keep-alive" TWO_BYTE [ConnAck] [];
    0x15 AuthenticationMethod "authentication-method" Text [Connect, ConnAck, Auth] [];
    0x16 AuthenticationData "authentication-data" Binary [Connect, ConnAck, Auth] [];
    0x17 RequestProblemInformation "request-problem-information" FLAG [Connect] [];
    0x18 WillDelayInterval "will-delay-interval" FOUR_BYTE [Will] [];
    0x19 RequestResponseInformation "request-response-information" FLAG [Connect] [];
    0x1A ResponseInformation "response-information" Text [ConnAck] [];
    0x1C ServerReference "server-reference" Text [ConnAck, Disconnect] [];
    0x1F ReasonString "reason-string" Text ANSWERS [];
    0x21 ReceiveMaximum "receive-maximum" TWO_BYTE_NOT_0 [Connect, ConnAck] [];
    0x22 TopicAliasMaximum "topic-alias-maximum" TWO_BYTE [Connect, ConnAck] [];
    0x23 TopicAlias "topic-alias" TWO_BYTE_NOT_0 [Publish] [];
    0x24 MaximumQoS "maximum-qos" FLAG [ConnAck] [];
    0x25 RetainAvailable "retain-available" FLAG [ConnAck] [];
    0x26 UserProperty "user-property" Pair EVERYWHERE EVERYWHERE;
    0x27 MaximumPacketSize "maximum-packet-size" FOUR_BYTE_NOT_0 [Connect, ConnAck] [];
    0x28 WildcardSubscriptionAvailable "wildcard-subscription-available" FLAG [ConnAck] [];
    0x29 SubscriptionIdentifierAvailable "subscription-identifier-available" FLAG [ConnAck] [];
    0x2A SharedSubscriptionAvailable "shared-subscription-available" FLAG [ConnAck] [];
}

impl PropertyId {
    /// The property with this identifier byte (Table 2-4).
    pub fn from_byte(byte: u8) -> Option<Self> {
        row(byte).map(|row| row.id)
    }

    /// The property with this name, spelt as mosquitto does: `message-expiry-interval`.
    pub fn from_name(name: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.name == name).map(|row| row.id)
    }

    /// All identifiers, in ascending order.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.id)
    }

    /// The identifier byte.
    pub fn byte(self) -> u8 {
        self as u8
    }

    /// The name, as mosquitto spells it.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The kind of the property's value.
    pub fn kind(self) -> ValueKind {
        self.row().kind
    }

    /// The places that may carry the property.
    pub fn places(self) -> &'static [Place] {
        self.row().places
    }

    /// Whether this place may carry the property.
    pub fn is_allowed_in(self, place: Place) -> bool {
        self.places().contains(&place)
    }

    /// Whether this place may carry the property more than once. User properties may be repeated
    /// everywhere, and a PUBLISH carries the identifier of each subscription that it matches
    /// (§3.3.2.3.8).
    pub fn is_repeatable_in(self, place: Place) -> bool {
        self.row().repeated.contains(&place)
    }

    fn row(self) -> &'static PropertyRow {
        row(self.byte()).expect("the same macro makes the identifier and its row")
    }
}

/// The row with this identifier byte. The rows are sorted by it.
fn row(byte: u8) -> Option<&'static PropertyRow> {
    TABLE.binary_search_by_key(&byte, |row| row.id.byte()).ok().map(|index| &TABLE[index])
}

impl fmt::Display for PropertyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
