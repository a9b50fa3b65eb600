//! Makes properties from the values of a user or a file, checked against the kind of the property.

use std::fmt;

use bytes::Bytes;
use bytestring::ByteString;

use super::{Property, PropertyId, ValueKind};
use crate::mqtt::topic::TopicName;

/// The longest string or binary data of MQTT, in bytes (§1.5.4, §1.5.6).
const MAXIMUM_LENGTH: usize = 65_535;

/// A value that this property cannot have. Its message says which values it can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidValue(pub PropertyId);

impl fmt::Display for InvalidValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.kind() {
            ValueKind::Number(_, least, most) => {
                write!(f, "{} takes a number from {least} to {most}", self.0)
            }
            ValueKind::Text => {
                write!(f, "{} takes text of at most 65535 bytes, without U+0000", self.0)
            }
            ValueKind::Topic => write!(f, "{} takes a topic name, without wildcards", self.0),
            ValueKind::Binary => write!(f, "{} takes at most 65535 bytes", self.0),
            ValueKind::Pair => {
                write!(
                    f,
                    "{} takes a name and a value of at most 65535 bytes, without U+0000",
                    self.0
                )
            }
        }
    }
}

impl Property {
    /// A property with a number, which must be in the range of the property.
    pub fn from_number(id: PropertyId, value: u32) -> Result<Self, InvalidValue> {
        match id.kind() {
            ValueKind::Number(_, least, most) if (least..=most).contains(&value) => {
                Ok(Self::number(id, value))
            }
            _ => Err(InvalidValue(id)),
        }
    }

    /// A property with text, which must be a topic name if the property takes one.
    pub fn from_text(id: PropertyId, value: ByteString) -> Result<Self, InvalidValue> {
        let is_valid = match id.kind() {
            ValueKind::Text => fits(&value),
            ValueKind::Topic => TopicName::new(value.clone()).is_ok(),
            ValueKind::Number(..) | ValueKind::Binary | ValueKind::Pair => false,
        };
        if is_valid { Ok(Self::text(id, value)) } else { Err(InvalidValue(id)) }
    }

    /// A property with bytes.
    pub fn from_binary(id: PropertyId, value: Bytes) -> Result<Self, InvalidValue> {
        if id.kind() == ValueKind::Binary && value.len() <= MAXIMUM_LENGTH {
            Ok(Self::binary(id, value))
        } else {
            Err(InvalidValue(id))
        }
    }

    /// A user property.
    pub fn from_pair(name: ByteString, value: ByteString) -> Result<Self, InvalidValue> {
        if fits(&name) && fits(&value) {
            Ok(Self::user(name, value))
        } else {
            Err(InvalidValue(PropertyId::UserProperty))
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
            let ValueKind::Number(_, least, most) = id.kind() else {
                assert_eq!(Property::from_number(id, 1), Err(InvalidValue(id)));
                continue;
            };
            for value in [least, most, least.midpoint(most)] {
                let property = Property::from_number(id, value).expect("in range");
                assert_eq!((property.id(), property.value().as_number()), (id, Some(value)));
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
            assert_eq!(
                text.is_ok(),
                matches!(id.kind(), ValueKind::Text | ValueKind::Topic),
                "{id}"
            );
            assert_eq!(binary.is_ok(), id.kind() == ValueKind::Binary, "{id}");
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
