//! Properties from what a user or a file says: an identifier and a value of any type, checked for
//! type and range. It must never know where the value stood.

use std::fmt;

use bytes::Bytes;
use bytestring::ByteString;

use super::codec::Value;
use super::{Properties, Property, PropertyId};
use crate::mqtt::topic::TopicName;

/// The longest string or binary datum of MQTT, in bytes (§1.5.4, §1.5.6).
const MAXIMUM_LENGTH: usize = 65_535;

/// The largest Variable Byte Integer (§1.5.5).
const MAXIMUM_VARIABLE: u32 = 268_435_455;

/// What kind of value a property has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number from the first to the second.
    Number(u32, u32),
    /// UTF-8 without U+0000.
    Text,
    /// The name of a topic.
    Topic,
    /// Any bytes.
    Binary,
    /// A name and a value, both UTF-8 without U+0000.
    Pair,
}

/// A value that its property cannot have; says which it can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit(pub PropertyId);

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.kind() {
            Kind::Number(least, most) => {
                write!(f, "{} takes a number from {least} to {most}", self.0)
            }
            Kind::Text => write!(f, "{} takes text of at most 65535 bytes, without U+0000", self.0),
            Kind::Topic => write!(f, "{} takes a topic name, without wildcards", self.0),
            Kind::Binary => write!(f, "{} takes at most 65535 bytes", self.0),
            Kind::Pair => {
                write!(
                    f,
                    "{} takes a name and a value of at most 65535 bytes, without U+0000",
                    self.0
                )
            }
        }
    }
}

impl PropertyId {
    /// What kind of value it has (Table 2-4).
    pub fn kind(self) -> Kind {
        match self {
            Self::PayloadFormatIndicator
            | Self::RequestProblemInformation
            | Self::RequestResponseInformation
            | Self::MaximumQoS
            | Self::RetainAvailable
            | Self::WildcardSubscriptionAvailable
            | Self::SubscriptionIdentifierAvailable
            | Self::SharedSubscriptionAvailable => Kind::Number(0, 1),
            Self::ServerKeepAlive | Self::TopicAliasMaximum => Kind::Number(0, u16::MAX.into()),
            Self::ReceiveMaximum | Self::TopicAlias => Kind::Number(1, u16::MAX.into()),
            Self::MessageExpiryInterval | Self::SessionExpiryInterval | Self::WillDelayInterval => {
                Kind::Number(0, u32::MAX)
            }
            Self::MaximumPacketSize => Kind::Number(1, u32::MAX),
            Self::SubscriptionIdentifier => Kind::Number(1, MAXIMUM_VARIABLE),
            Self::ResponseTopic => Kind::Topic,
            Self::CorrelationData | Self::AuthenticationData => Kind::Binary,
            Self::UserProperty => Kind::Pair,
            Self::ContentType
            | Self::AssignedClientIdentifier
            | Self::AuthenticationMethod
            | Self::ResponseInformation
            | Self::ServerReference
            | Self::ReasonString => Kind::Text,
        }
    }
}

impl Property {
    /// Its value, where that is a number.
    pub fn number(&self) -> Option<u32> {
        match self.parts().1 {
            Value::Byte(value) => Some(value.into()),
            Value::TwoByte(value) => Some(value.into()),
            Value::FourByte(value) | Value::Variable(value) => Some(value),
            Value::Text(_) | Value::Binary(_) | Value::Pair(..) => None,
        }
    }

    /// Its value, where that is text.
    pub fn text(&self) -> Option<&ByteString> {
        match self.parts().1 {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The property of this identifier with a number.
    pub fn from_number(id: PropertyId, value: u32) -> Result<Self, Misfit> {
        let byte = || u8::try_from(value).map_err(|_| Misfit(id));
        let two = || u16::try_from(value).map_err(|_| Misfit(id));
        let property = match id {
            PropertyId::PayloadFormatIndicator => Self::PayloadFormatIndicator(byte()?),
            PropertyId::MessageExpiryInterval => Self::MessageExpiryInterval(value),
            PropertyId::SubscriptionIdentifier if value > MAXIMUM_VARIABLE => {
                return Err(Misfit(id));
            }
            PropertyId::SubscriptionIdentifier => Self::SubscriptionIdentifier(value),
            PropertyId::SessionExpiryInterval => Self::SessionExpiryInterval(value),
            PropertyId::ServerKeepAlive => Self::ServerKeepAlive(two()?),
            PropertyId::RequestProblemInformation => Self::RequestProblemInformation(byte()?),
            PropertyId::WillDelayInterval => Self::WillDelayInterval(value),
            PropertyId::RequestResponseInformation => Self::RequestResponseInformation(byte()?),
            PropertyId::ReceiveMaximum => Self::ReceiveMaximum(two()?),
            PropertyId::TopicAliasMaximum => Self::TopicAliasMaximum(two()?),
            PropertyId::TopicAlias => Self::TopicAlias(two()?),
            PropertyId::MaximumQoS => Self::MaximumQoS(byte()?),
            PropertyId::RetainAvailable => Self::RetainAvailable(byte()?),
            PropertyId::MaximumPacketSize => Self::MaximumPacketSize(value),
            PropertyId::WildcardSubscriptionAvailable => {
                Self::WildcardSubscriptionAvailable(byte()?)
            }
            PropertyId::SubscriptionIdentifierAvailable => {
                Self::SubscriptionIdentifierAvailable(byte()?)
            }
            PropertyId::SharedSubscriptionAvailable => Self::SharedSubscriptionAvailable(byte()?),
            _ => return Err(Misfit(id)),
        };
        if property.is_in_range() { Ok(property) } else { Err(Misfit(id)) }
    }

    /// The property of this identifier with text.
    pub fn from_text(id: PropertyId, value: ByteString) -> Result<Self, Misfit> {
        if !fits(&value) || (id.kind() == Kind::Topic && TopicName::new(value.clone()).is_err()) {
            return Err(Misfit(id));
        }
        Ok(match id {
            PropertyId::ContentType => Self::ContentType(value),
            PropertyId::ResponseTopic => Self::ResponseTopic(value),
            PropertyId::AssignedClientIdentifier => Self::AssignedClientIdentifier(value),
            PropertyId::AuthenticationMethod => Self::AuthenticationMethod(value),
            PropertyId::ResponseInformation => Self::ResponseInformation(value),
            PropertyId::ServerReference => Self::ServerReference(value),
            PropertyId::ReasonString => Self::ReasonString(value),
            _ => return Err(Misfit(id)),
        })
    }

    /// The property of this identifier with bytes.
    pub fn from_binary(id: PropertyId, value: Bytes) -> Result<Self, Misfit> {
        match id {
            _ if value.len() > MAXIMUM_LENGTH => Err(Misfit(id)),
            PropertyId::CorrelationData => Ok(Self::CorrelationData(value)),
            PropertyId::AuthenticationData => Ok(Self::AuthenticationData(value)),
            _ => Err(Misfit(id)),
        }
    }

    /// A user property.
    pub fn from_pair(name: ByteString, value: ByteString) -> Result<Self, Misfit> {
        if fits(&name) && fits(&value) {
            Ok(Self::UserProperty(name, value))
        } else {
            Err(Misfit(PropertyId::UserProperty))
        }
    }
}

impl Properties {
    /// Adds a property in the place of the one of its kind; user properties stand side by side.
    pub fn set(&mut self, property: Property) {
        let id = property.id();
        let known =
            self.0.iter_mut().find(|known| id != PropertyId::UserProperty && known.id() == id);
        match known {
            Some(known) => *known = property,
            None => self.0.push(property),
        }
    }
}

fn fits(text: &ByteString) -> bool {
    text.len() <= MAXIMUM_LENGTH && !text.contains('\0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_the_range_of_its_kind() {
        for id in PropertyId::all() {
            let Kind::Number(least, most) = id.kind() else {
                assert_eq!(Property::from_number(id, 1), Err(Misfit(id)));
                continue;
            };
            for value in [least, most, least.midpoint(most)] {
                let property = Property::from_number(id, value).expect("in range");
                assert_eq!((property.id(), property.number()), (id, Some(value)));
            }
            assert!(least == 0 || Property::from_number(id, least - 1).is_err(), "{id}");
            assert!(most == u32::MAX || Property::from_number(id, most + 1).is_err(), "{id}");
        }
    }

    #[test]
    fn every_other_value_has_its_constructor() {
        for id in PropertyId::all() {
            let text = Property::from_text(id, "a/b".into());
            let binary = Property::from_binary(id, Bytes::from_static(b"\0\xff"));
            assert_eq!(text.is_ok(), matches!(id.kind(), Kind::Text | Kind::Topic), "{id}");
            assert_eq!(binary.is_ok(), id.kind() == Kind::Binary, "{id}");
            text.into_iter().chain(binary).for_each(|property| assert_eq!(property.id(), id));
        }
        assert!(Property::from_pair("".into(), "x".into()).is_ok());
        assert!(Property::from_pair("a\0".into(), "x".into()).is_err());
        assert!(Property::from_text(PropertyId::ContentType, "x".repeat(65_536).into()).is_err());
        assert!(Property::from_text(PropertyId::ResponseTopic, "a/#".into()).is_err());
        assert!(
            Property::from_binary(PropertyId::CorrelationData, vec![0; 65_536].into()).is_err()
        );
    }
}
