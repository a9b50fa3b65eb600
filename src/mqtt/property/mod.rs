//! The properties of MQTT 5 (§2.2.2): identifiers with values, and the list of them in a packet.

mod accessors;
mod codec;
mod parse;
mod table;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use bytestring::ByteString;

pub use parse::InvalidValue;
pub use table::{NumberWidth, Place, PropertyId, ValueKind};

/// The properties of one packet, in their order on the wire. An empty list allocates nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Properties(pub Vec<Property>);

/// One property: its identifier, and a value of the kind that the table gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    id: PropertyId,
    value: Value,
}

/// The value of a property. The table gives the width of a number on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A byte, or a two byte, four byte or variable byte integer.
    Number(u32),
    /// UTF-8 Encoded String.
    Text(ByteString),
    /// Binary Data.
    Binary(Bytes),
    /// UTF-8 String Pair: name and value.
    Pair(ByteString, ByteString),
}

/// Constructors for properties that the program sets itself. [`Property::from_number`] and the like
/// check values from a user.
impl Property {
    /// A property whose value is a number (a flag is 0 or 1).
    pub fn number(id: PropertyId, value: u32) -> Self {
        debug_assert!(matches!(id.kind(), ValueKind::Number(..)), "{id} is no number");
        Self { id, value: Value::Number(value) }
    }

    /// A property whose value is text or a topic name.
    pub fn text(id: PropertyId, value: ByteString) -> Self {
        debug_assert!(matches!(id.kind(), ValueKind::Text | ValueKind::Topic), "{id} is no text");
        Self { id, value: Value::Text(value) }
    }

    /// A property whose value is binary data.
    pub fn binary(id: PropertyId, value: Bytes) -> Self {
        debug_assert_eq!(id.kind(), ValueKind::Binary, "{id}");
        Self { id, value: Value::Binary(value) }
    }

    /// A user property.
    pub fn user(name: ByteString, value: ByteString) -> Self {
        Self { id: PropertyId::UserProperty, value: Value::Pair(name, value) }
    }

    /// The identifier.
    pub fn id(&self) -> PropertyId {
        self.id
    }

    /// The value.
    pub fn value(&self) -> &Value {
        &self.value
    }
}
