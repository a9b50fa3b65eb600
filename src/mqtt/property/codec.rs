//! The encoding of properties (§2.2.2). The decoder checks place, repetition and range against the
//! table.

use bytes::{BufMut, BytesMut};

use super::{NumberWidth, Place, Properties, Property, PropertyId, Value, ValueKind};
use crate::mqtt::packet::data::{
    PacketReader, put_binary, put_string, put_variable_byte_integer, variable_byte_integer_len,
};
use crate::mqtt::packet::{EncodeError, Malformed, PropertyError};
use crate::mqtt::version::Version;

impl Property {
    /// The width of the property's number on the wire.
    fn width(&self) -> NumberWidth {
        match self.id.kind() {
            ValueKind::Number(width, ..) => width,
            ValueKind::Text | ValueKind::Topic | ValueKind::Binary | ValueKind::Pair => {
                NumberWidth::FourByte
            }
        }
    }

    /// The length of the property's value on the wire, in bytes.
    fn value_len(&self) -> usize {
        match &self.value {
            Value::Number(value) => match self.width() {
                NumberWidth::Byte => 1,
                NumberWidth::TwoByte => 2,
                NumberWidth::FourByte => 4,
                NumberWidth::Variable => variable_byte_integer_len(*value as usize),
            },
            Value::Text(text) => 2 + text.len(),
            Value::Binary(data) => 2 + data.len(),
            Value::Pair(name, value) => 4 + name.len() + value.len(),
        }
    }

    /// Appends identifier and value.
    fn encode(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        out.put_u8(self.id.byte());
        match &self.value {
            Value::Number(value) => match self.width() {
                NumberWidth::Byte => out.put_uint((*value).into(), 1),
                NumberWidth::TwoByte => out.put_uint((*value).into(), 2),
                NumberWidth::FourByte => out.put_u32(*value),
                NumberWidth::Variable => put_variable_byte_integer(*value as usize, out)?,
            },
            Value::Text(text) => put_string(text, out)?,
            Value::Binary(data) => put_binary(data, out)?,
            Value::Pair(name, value) => {
                put_string(name, out)?;
                put_string(value, out)?;
            }
        }
        Ok(())
    }

    /// Reads identifier and value, and checks that this place may carry the property. `seen` has a
    /// bit for each identifier that was read before.
    fn decode_at(
        place: Place,
        seen: &mut u64,
        reader: &mut PacketReader,
    ) -> Result<Self, Malformed> {
        let byte = reader.byte()?;
        let property = PropertyId::from_byte(byte).ok_or(PropertyError::Unknown { byte })?;
        if !property.is_allowed_in(place) {
            return Err(PropertyError::NotAllowed { property, place }.into());
        }
        let bit = 1 << property.byte();
        if *seen & bit != 0 && !property.is_repeatable_in(place) {
            return Err(PropertyError::Duplicate { property }.into());
        }
        *seen |= bit;
        Self::decode(property, reader)
    }

    /// Reads the value that follows this identifier.
    fn decode(id: PropertyId, reader: &mut PacketReader) -> Result<Self, Malformed> {
        let value = match id.kind() {
            ValueKind::Number(width, least, most) => {
                let number = match width {
                    NumberWidth::Byte => reader.byte()?.into(),
                    NumberWidth::TwoByte => reader.two_byte_integer()?.into(),
                    NumberWidth::FourByte => reader.four_byte_integer()?,
                    NumberWidth::Variable => reader.variable_byte_integer()?,
                };
                if !(least..=most).contains(&number) {
                    return Err(PropertyError::Value { property: id }.into());
                }
                Value::Number(number)
            }
            // A response topic that is not a topic name is for the application to refuse
            // (§3.3.2.3.5).
            ValueKind::Text | ValueKind::Topic => Value::Text(reader.string()?),
            ValueKind::Binary => Value::Binary(reader.binary()?),
            ValueKind::Pair => Value::Pair(reader.string()?, reader.string()?),
        };
        Ok(Self { id, value })
    }
}

impl Properties {
    /// The length of the whole section in bytes, property length included; 0 before MQTT 5.
    pub fn encoded_len(&self, version: Version) -> usize {
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
            property.encode(out)?;
        }
        Ok(())
    }

    /// Reads the property length and the properties, and checks that this place may carry them.
    /// Before MQTT 5 it reads nothing.
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
        // One bit for each identifier that was read; the largest is 0x2A.
        let mut seen = 0_u64;
        while !section.is_empty() {
            let property = Property::decode_at(place, &mut seen, &mut section)?;
            section.collect(&mut properties.0, property)?;
        }
        Ok(properties)
    }

    /// The value of the property length: the length of all properties, without its own.
    fn values_len(&self) -> usize {
        self.0.iter().map(|property| 1 + property.value_len()).sum()
    }
}
