//! MQTT 5 properties (§2.2.2): what they are, where they may stand, how they are read and written.
//! It must never know what a session makes of them.

mod accessors;
mod codec;
mod id;
mod make;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use bytestring::ByteString;

pub use id::{Place, PropertyId};
pub use make::{Kind, Misfit};

/// The properties of one packet, in the order in which they stand on the wire. Empty costs nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Properties(pub Vec<Property>);

/// One property: its identifier is the variant (Table 2-4).
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::enum_variant_names, reason = "the names are the specification's")]
pub enum Property {
    /// 0x01
    PayloadFormatIndicator(u8),
    /// 0x02, seconds
    MessageExpiryInterval(u32),
    /// 0x03
    ContentType(ByteString),
    /// 0x08
    ResponseTopic(ByteString),
    /// 0x09
    CorrelationData(Bytes),
    /// 0x0B, 1 to 268,435,455
    SubscriptionIdentifier(u32),
    /// 0x11, seconds
    SessionExpiryInterval(u32),
    /// 0x12
    AssignedClientIdentifier(ByteString),
    /// 0x13, seconds
    ServerKeepAlive(u16),
    /// 0x15
    AuthenticationMethod(ByteString),
    /// 0x16
    AuthenticationData(Bytes),
    /// 0x17
    RequestProblemInformation(u8),
    /// 0x18, seconds
    WillDelayInterval(u32),
    /// 0x19
    RequestResponseInformation(u8),
    /// 0x1A
    ResponseInformation(ByteString),
    /// 0x1C
    ServerReference(ByteString),
    /// 0x1F
    ReasonString(ByteString),
    /// 0x21
    ReceiveMaximum(u16),
    /// 0x22
    TopicAliasMaximum(u16),
    /// 0x23
    TopicAlias(u16),
    /// 0x24, 0 or 1
    MaximumQoS(u8),
    /// 0x25
    RetainAvailable(u8),
    /// 0x26, name and value
    UserProperty(ByteString, ByteString),
    /// 0x27, bytes
    MaximumPacketSize(u32),
    /// 0x28
    WildcardSubscriptionAvailable(u8),
    /// 0x29
    SubscriptionIdentifierAvailable(u8),
    /// 0x2A
    SharedSubscriptionAvailable(u8),
}
