//! Which property is which, and which packet may carry it (MQTT 5 Table 2-4): one table for the
//! decoder and for the command line. It must never know the values.

use std::fmt;

use Place::{
    Auth, ConnAck, Connect, Disconnect, PubAck, PubComp, PubRec, PubRel, Publish, SubAck,
    Subscribe, UnsubAck, Unsubscribe, Will,
};

/// Where properties stand: in one of thirteen packets, or with the will inside CONNECT.
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

/// A property's identifier; its number is the byte on the wire. The variants of `Property` say
/// more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PropertyId {
    PayloadFormatIndicator = 0x01,
    MessageExpiryInterval = 0x02,
    ContentType = 0x03,
    ResponseTopic = 0x08,
    CorrelationData = 0x09,
    SubscriptionIdentifier = 0x0B,
    SessionExpiryInterval = 0x11,
    AssignedClientIdentifier = 0x12,
    ServerKeepAlive = 0x13,
    AuthenticationMethod = 0x15,
    AuthenticationData = 0x16,
    RequestProblemInformation = 0x17,
    WillDelayInterval = 0x18,
    RequestResponseInformation = 0x19,
    ResponseInformation = 0x1A,
    ServerReference = 0x1C,
    ReasonString = 0x1F,
    ReceiveMaximum = 0x21,
    TopicAliasMaximum = 0x22,
    TopicAlias = 0x23,
    MaximumQoS = 0x24,
    RetainAvailable = 0x25,
    UserProperty = 0x26,
    MaximumPacketSize = 0x27,
    WildcardSubscriptionAvailable = 0x28,
    SubscriptionIdentifierAvailable = 0x29,
    SharedSubscriptionAvailable = 0x2A,
}

/// One row of Table 2-4: the property, its name as the command line spells it, who may carry it.
type Row = (PropertyId, &'static str, &'static [Place]);

/// Every place that has a reason string.
const ANSWERS: &[Place] =
    &[ConnAck, PubAck, PubRec, PubRel, PubComp, SubAck, UnsubAck, Disconnect, Auth];

/// Every place there is.
const EVERYWHERE: &[Place] = &[
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

/// Table 2-4, in the order of the identifiers. The names are mosquitto's.
static TABLE: [Row; 27] = [
    (PropertyId::PayloadFormatIndicator, "payload-format-indicator", &[Publish, Will]),
    (PropertyId::MessageExpiryInterval, "message-expiry-interval", &[Publish, Will]),
    (PropertyId::ContentType, "content-type", &[Publish, Will]),
    (PropertyId::ResponseTopic, "response-topic", &[Publish, Will]),
    (PropertyId::CorrelationData, "correlation-data", &[Publish, Will]),
    (PropertyId::SubscriptionIdentifier, "subscription-identifier", &[Publish, Subscribe]),
    (PropertyId::SessionExpiryInterval, "session-expiry-interval", &[Connect, ConnAck, Disconnect]),
    (PropertyId::AssignedClientIdentifier, "assigned-client-identifier", &[ConnAck]),
    (PropertyId::ServerKeepAlive, "server-keep-alive", &[ConnAck]),
    (PropertyId::AuthenticationMethod, "authentication-method", &[Connect, ConnAck, Auth]),
    (PropertyId::AuthenticationData, "authentication-data", &[Connect, ConnAck, Auth]),
    (PropertyId::RequestProblemInformation, "request-problem-information", &[Connect]),
    (PropertyId::WillDelayInterval, "will-delay-interval", &[Will]),
    (PropertyId::RequestResponseInformation, "request-response-information", &[Connect]),
    (PropertyId::ResponseInformation, "response-information", &[ConnAck]),
    (PropertyId::ServerReference, "server-reference", &[ConnAck, Disconnect]),
    (PropertyId::ReasonString, "reason-string", ANSWERS),
    (PropertyId::ReceiveMaximum, "receive-maximum", &[Connect, ConnAck]),
    (PropertyId::TopicAliasMaximum, "topic-alias-maximum", &[Connect, ConnAck]),
    (PropertyId::TopicAlias, "topic-alias", &[Publish]),
    (PropertyId::MaximumQoS, "maximum-qos", &[ConnAck]),
    (PropertyId::RetainAvailable, "retain-available", &[ConnAck]),
    (PropertyId::UserProperty, "user-property", EVERYWHERE),
    (PropertyId::MaximumPacketSize, "maximum-packet-size", &[Connect, ConnAck]),
    (PropertyId::WildcardSubscriptionAvailable, "wildcard-subscription-available", &[ConnAck]),
    (PropertyId::SubscriptionIdentifierAvailable, "subscription-identifier-available", &[ConnAck]),
    (PropertyId::SharedSubscriptionAvailable, "shared-subscription-available", &[ConnAck]),
];

impl PropertyId {
    /// The property with this identifier byte (Table 2-4).
    pub fn from_byte(byte: u8) -> Option<Self> {
        row(byte).map(|row| row.0)
    }

    /// The property with this name, spelt as mosquitto does: `message-expiry-interval`.
    pub fn from_name(name: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.1 == name).map(|row| row.0)
    }

    /// All of them, in the order of their identifiers.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.0)
    }

    /// The identifier byte.
    pub fn byte(self) -> u8 {
        self as u8
    }

    /// The name, as mosquitto spells it.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// The places that may carry it.
    pub fn places(self) -> &'static [Place] {
        self.row().2
    }

    /// Whether this place may carry it.
    pub fn is_allowed_in(self, place: Place) -> bool {
        self.places().contains(&place)
    }

    /// Whether it may stand there more than once: user properties always, and the subscription
    /// identifiers with which a server says why it sends a message (§3.3.2.3.8).
    pub fn is_repeatable_in(self, place: Place) -> bool {
        matches!((self, place), (Self::UserProperty, _) | (Self::SubscriptionIdentifier, Publish))
    }

    fn row(self) -> &'static Row {
        row(self.byte()).expect("every identifier has a row")
    }
}

/// The row of this identifier byte; the rows stand in the order of the bytes.
fn row(byte: u8) -> Option<&'static Row> {
    TABLE.binary_search_by_key(&byte, |row| row.0.byte()).ok().map(|index| &TABLE[index])
}

impl fmt::Display for PropertyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
