//! A cursor over the body of one packet: the data types of §1.5, each checked against what is left.
//! It must never know what a packet means.

use bytes::{Buf, Bytes};
use bytestring::ByteString;
use memchr::memchr;

use super::{MAXIMUM_ITEMS, Malformed, PacketId, PacketType};

/// The rest of one packet. Strings and binary data that are taken from it are slices, not copies.
#[derive(Debug)]
pub struct Reader {
    rest: Bytes,
    packet: PacketType,
}

impl Reader {
    /// Reads this body; the packet's type is for the errors.
    pub fn new(body: Bytes, packet: PacketType) -> Self {
        Self { rest: body, packet }
    }

    /// Whether all was read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many bytes are left.
    pub fn len(&self) -> usize {
        self.rest.len()
    }

    /// All that is left: the payload of a PUBLISH.
    pub fn take_rest(&mut self) -> Bytes {
        std::mem::take(&mut self.rest)
    }

    /// Appends to a list what was read from here, unless the list is long enough to be an attack.
    pub fn collect<T>(&self, list: &mut Vec<T>, item: T) -> Result<(), Malformed> {
        if list.len() == MAXIMUM_ITEMS {
            return Err(Malformed::TooManyItems { packet: self.packet });
        }
        list.push(item);
        Ok(())
    }

    /// The end of the packet: nothing may be left.
    pub fn finish(self) -> Result<(), Malformed> {
        match self.rest.len() {
            0 => Ok(()),
            count => Err(Malformed::TrailingBytes { packet: self.packet, count }),
        }
    }

    /// The next bytes as a reader of their own.
    pub fn section(&mut self, length: usize) -> Result<Self, Malformed> {
        Ok(Self { rest: self.take(length)?, packet: self.packet })
    }

    /// One byte (§1.5.1).
    pub fn byte(&mut self) -> Result<u8, Malformed> {
        self.rest.try_get_u8().map_err(|_| self.truncated())
    }

    /// Two Byte Integer (§1.5.2).
    pub fn two_byte_integer(&mut self) -> Result<u16, Malformed> {
        self.rest.try_get_u16().map_err(|_| self.truncated())
    }

    /// Four Byte Integer (§1.5.3).
    pub fn four_byte_integer(&mut self) -> Result<u32, Malformed> {
        self.rest.try_get_u32().map_err(|_| self.truncated())
    }

    /// Variable Byte Integer (§1.5.5).
    pub fn variable_byte_integer(&mut self) -> Result<u32, Malformed> {
        let (value, length) = variable_byte_integer(&self.rest)?.ok_or_else(|| self.truncated())?;
        self.rest.advance(length);
        Ok(value)
    }

    /// A packet identifier: a Two Byte Integer that is not 0 `[MQTT-2.2.1-3]`.
    pub fn packet_id(&mut self) -> Result<PacketId, Malformed> {
        PacketId::new(self.two_byte_integer()?).ok_or(Malformed::PacketIdZero)
    }

    /// Binary Data (§1.5.6).
    pub fn binary(&mut self) -> Result<Bytes, Malformed> {
        let length = self.two_byte_integer()?;
        self.take(usize::from(length))
    }

    /// UTF-8 Encoded String (§1.5.4), without U+0000 `[MQTT-1.5.4-2]`.
    pub fn string(&mut self) -> Result<ByteString, Malformed> {
        let text = ByteString::try_from(self.binary()?).map_err(|_| Malformed::NotUtf8)?;
        if memchr(0, text.as_bytes()).is_some() {
            return Err(Malformed::NulInString);
        }
        Ok(text)
    }

    fn take(&mut self, length: usize) -> Result<Bytes, Malformed> {
        if length > self.rest.len() {
            return Err(self.truncated());
        }
        Ok(self.rest.split_to(length))
    }

    fn truncated(&self) -> Malformed {
        Malformed::Truncated { packet: self.packet }
    }
}

/// The Variable Byte Integer at the beginning of these bytes and its length, or `None` if it goes
/// on past their end. It has at most four bytes, and no more than it needs `[MQTT-1.5.5-1]`.
pub fn variable_byte_integer(bytes: &[u8]) -> Result<Option<(u32, usize)>, Malformed> {
    let mut value = 0;
    for (index, &byte) in bytes.iter().take(4).enumerate() {
        value |= u32::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            if byte == 0 && index > 0 {
                return Err(Malformed::VariableByteInteger);
            }
            return Ok(Some((value, index + 1)));
        }
    }
    if bytes.len() < 4 { Ok(None) } else { Err(Malformed::VariableByteInteger) }
}
