//! The wire form of properties (§2.2.2): strict in what it reads, exact in what it writes.
//! It must never know what a session makes of them.

use bytes::{BufMut, Bytes, BytesMut};
use bytestring::ByteString;

use super::{Place, Properties, Property, PropertyId};
use crate::mqtt::packet::data::{
    PacketReader, put_binary, put_string, put_variable_byte_integer, variable_byte_integer_len,
};
use crate::mqtt::packet::{EncodeError, Malformed};
use crate::mqtt::version::Version;

/// The value of a property as one of the seven data types of §1.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// Byte.
    Byte(u8),
    /// Two Byte Integer.
    TwoByte(u16),
    /// Four Byte Integer.
    FourByte(u32),
    /// Variable Byte Integer.
    Variable(u32),
    /// UTF-8 Encoded String.
    Text(&'a ByteString),
    /// Binary Data.
    Binary(&'a Bytes),
    /// UTF-8 String Pair.
    Pair(&'a ByteString, &'a ByteString),
}

impl Value<'_> {
    /// Its length on the wire, in bytes.
    fn encoded_len(self) -> usize {
        match self {
            Self::Byte(_) => 1,
            Self::TwoByte(_) => 2,
            Self::FourByte(_) => 4,
            Self::Variable(value) => variable_byte_integer_len(value as usize),
            Self::Text(text) => 2 + text.len(),
            Self::Binary(data) => 2 + data.len(),
            Self::Pair(name, value) => 4 + name.len() + value.len(),
        }
    }

    /// Appends it.
    fn encode(self, out: &mut BytesMut) -> Result<(), EncodeError> {
        match self {
            Self::Byte(value) => out.put_u8(value),
            Self::TwoByte(value) => out.put_u16(value),
            Self::FourByte(value) => out.put_u32(value),
            Self::Variable(value) => put_variable_byte_integer(value as usize, out)?,
            Self::Text(text) => put_string(text, out)?,
            Self::Binary(data) => put_binary(data, out)?,
            Self::Pair(name, value) => {
                put_string(name, out)?;
                put_string(value, out)?;
            }
        }
        Ok(())
    }
}

impl Property {
    /// The identifier and the value: Table 2-4, written once for everything that is written.
    pub(super) fn parts(&self) -> (PropertyId, Value<'_>) {
        use PropertyId as Id;
        match self {
            Self::PayloadFormatIndicator(value) => {
                (Id::PayloadFormatIndicator, Value::Byte(*value))
            }
            Self::MessageExpiryInterval(value) => {
                (Id::MessageExpiryInterval, Value::FourByte(*value))
            }
            Self::ContentType(value) => (Id::ContentType, Value::Text(value)),
            Self::ResponseTopic(value) => (Id::ResponseTopic, Value::Text(value)),
            Self::CorrelationData(value) => (Id::CorrelationData, Value::Binary(value)),
            Self::SubscriptionIdentifier(value) => {
                (Id::SubscriptionIdentifier, Value::Variable(*value))
            }
            Self::SessionExpiryInterval(value) => {
                (Id::SessionExpiryInterval, Value::FourByte(*value))
            }
            Self::AssignedClientIdentifier(value) => {
                (Id::AssignedClientIdentifier, Value::Text(value))
            }
            Self::ServerKeepAlive(value) => (Id::ServerKeepAlive, Value::TwoByte(*value)),
            Self::AuthenticationMethod(value) => (Id::AuthenticationMethod, Value::Text(value)),
            Self::AuthenticationData(value) => (Id::AuthenticationData, Value::Binary(value)),
            Self::RequestProblemInformation(value) => {
                (Id::RequestProblemInformation, Value::Byte(*value))
            }
            Self::WillDelayInterval(value) => (Id::WillDelayInterval, Value::FourByte(*value)),
            Self::RequestResponseInformation(value) => {
                (Id::RequestResponseInformation, Value::Byte(*value))
            }
            Self::ResponseInformation(value) => (Id::ResponseInformation, Value::Text(value)),
            Self::ServerReference(value) => (Id::ServerReference, Value::Text(value)),
            Self::ReasonString(value) => (Id::ReasonString, Value::Text(value)),
            Self::ReceiveMaximum(value) => (Id::ReceiveMaximum, Value::TwoByte(*value)),
            Self::TopicAliasMaximum(value) => (Id::TopicAliasMaximum, Value::TwoByte(*value)),
            Self::TopicAlias(value) => (Id::TopicAlias, Value::TwoByte(*value)),
            Self::MaximumQoS(value) => (Id::MaximumQoS, Value::Byte(*value)),
            Self::RetainAvailable(value) => (Id::RetainAvailable, Value::Byte(*value)),
            Self::UserProperty(name, value) => (Id::UserProperty, Value::Pair(name, value)),
            Self::MaximumPacketSize(value) => (Id::MaximumPacketSize, Value::FourByte(*value)),
            Self::WildcardSubscriptionAvailable(value) => {
                (Id::WildcardSubscriptionAvailable, Value::Byte(*value))
            }
            Self::SubscriptionIdentifierAvailable(value) => {
                (Id::SubscriptionIdentifierAvailable, Value::Byte(*value))
            }
            Self::SharedSubscriptionAvailable(value) => {
                (Id::SharedSubscriptionAvailable, Value::Byte(*value))
            }
        }
    }

    /// Reads the value that follows this identifier.
    fn decode(id: PropertyId, reader: &mut PacketReader) -> Result<Self, Malformed> {
        use PropertyId as Id;
        Ok(match id {
            Id::PayloadFormatIndicator => Self::PayloadFormatIndicator(reader.byte()?),
            Id::MessageExpiryInterval => Self::MessageExpiryInterval(reader.four_byte_integer()?),
            Id::ContentType => Self::ContentType(reader.string()?),
            Id::ResponseTopic => Self::ResponseTopic(reader.string()?),
            Id::CorrelationData => Self::CorrelationData(reader.binary()?),
            Id::SubscriptionIdentifier => {
                Self::SubscriptionIdentifier(reader.variable_byte_integer()?)
            }
            Id::SessionExpiryInterval => Self::SessionExpiryInterval(reader.four_byte_integer()?),
            Id::AssignedClientIdentifier => Self::AssignedClientIdentifier(reader.string()?),
            Id::ServerKeepAlive => Self::ServerKeepAlive(reader.two_byte_integer()?),
            Id::AuthenticationMethod => Self::AuthenticationMethod(reader.string()?),
            Id::AuthenticationData => Self::AuthenticationData(reader.binary()?),
            Id::RequestProblemInformation => Self::RequestProblemInformation(reader.byte()?),
            Id::WillDelayInterval => Self::WillDelayInterval(reader.four_byte_integer()?),
            Id::RequestResponseInformation => Self::RequestResponseInformation(reader.byte()?),
            Id::ResponseInformation => Self::ResponseInformation(reader.string()?),
            Id::ServerReference => Self::ServerReference(reader.string()?),
            Id::ReasonString => Self::ReasonString(reader.string()?),
            Id::ReceiveMaximum => Self::ReceiveMaximum(reader.two_byte_integer()?),
            Id::TopicAliasMaximum => Self::TopicAliasMaximum(reader.two_byte_integer()?),
            Id::TopicAlias => Self::TopicAlias(reader.two_byte_integer()?),
            Id::MaximumQoS => Self::MaximumQoS(reader.byte()?),
            Id::RetainAvailable => Self::RetainAvailable(reader.byte()?),
            Id::UserProperty => Self::UserProperty(reader.string()?, reader.string()?),
            Id::MaximumPacketSize => Self::MaximumPacketSize(reader.four_byte_integer()?),
            Id::WildcardSubscriptionAvailable => {
                Self::WildcardSubscriptionAvailable(reader.byte()?)
            }
            Id::SubscriptionIdentifierAvailable => {
                Self::SubscriptionIdentifierAvailable(reader.byte()?)
            }
            Id::SharedSubscriptionAvailable => Self::SharedSubscriptionAvailable(reader.byte()?),
        })
    }

    /// Whether the value is one that its property may have: bytes are all 0 or 1, and some numbers
    /// are not 0.
    pub(super) fn is_in_range(&self) -> bool {
        match (self, self.parts().1) {
            (_, Value::Byte(value)) => value <= 1,
            (Self::ReceiveMaximum(value) | Self::TopicAlias(value), _) => *value != 0,
            (Self::MaximumPacketSize(value) | Self::SubscriptionIdentifier(value), _) => {
                *value != 0
            }
            _ => true,
        }
    }
}

impl Properties {
    /// The length of the whole section, the property length included, in bytes; there is none
    /// before MQTT 5.
    pub(in crate::mqtt) fn encoded_len(&self, version: Version) -> usize {
        if !version.has_properties() {
            return 0;
        }
        let length = self.values_len();
        variable_byte_integer_len(length) + length
    }

    /// Appends the property length and the properties; nothing before MQTT 5.
    pub(in crate::mqtt) fn encode(
        &self,
        version: Version,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        if !version.has_properties() {
            return Ok(());
        }
        put_variable_byte_integer(self.values_len(), out)?;
        for property in &self.0 {
            let (id, value) = property.parts();
            out.put_u8(id.byte());
            value.encode(out)?;
        }
        Ok(())
    }

    /// Reads the property length and the properties, which must be allowed at this place; nothing
    /// before MQTT 5.
    pub(in crate::mqtt) fn decode(
        place: Place,
        version: Version,
        reader: &mut PacketReader,
    ) -> Result<Self, Malformed> {
        let mut properties = Self::default();
        if !version.has_properties() {
            return Ok(properties);
        }
        let length = reader.variable_byte_integer()? as usize;
        if length == 0 {
            return Ok(properties);
        }
        let mut section = reader.section(length)?;
        // One bit for each identifier that was seen; the largest is 0x2A.
        let mut seen = 0_u64;
        while !section.is_empty() {
            let byte = section.byte()?;
            let property =
                PropertyId::from_byte(byte).ok_or(Malformed::UnknownProperty { byte })?;
            if !property.is_allowed_in(place) {
                return Err(Malformed::PropertyNotAllowed { property, place });
            }
            let bit = 1 << property.byte();
            if seen & bit != 0 && !property.is_repeatable_in(place) {
                return Err(Malformed::DuplicateProperty { property });
            }
            seen |= bit;
            let value = Property::decode(property, &mut section)?;
            if !value.is_in_range() {
                return Err(Malformed::PropertyValue { property });
            }
            section.collect(&mut properties.0, value)?;
        }
        Ok(properties)
    }

    /// The property length: everything but itself.
    fn values_len(&self) -> usize {
        self.0.iter().map(|property| 1 + property.parts().1.encoded_len()).sum()
    }
}
