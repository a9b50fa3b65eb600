//! Reads and writes the data types of MQTT (§1.5): integers, strings and binary data. Every length
//! is checked.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use bytestring::ByteString;
use memchr::memchr;

use super::error::{EncodeError, Malformed};
use super::{MAXIMUM_ITEMS, MAXIMUM_REMAINING_LENGTH, PacketId, PacketType};

/// The part of a packet that has not been read yet. The strings and binary data read from it are
/// slices, not copies.
#[derive(Debug)]
pub struct PacketReader {
    rest: Bytes,
    packet: PacketType,
}

impl PacketReader {
    /// A reader of `body`, the part of a packet after its fixed header. Errors name `packet`.
    pub fn new(body: Bytes, packet: PacketType) -> Self {
        Self { rest: body, packet }
    }

    /// Whether everything has been read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many bytes are left.
    pub fn len(&self) -> usize {
        self.rest.len()
    }

    /// Takes everything that is left, which is the payload of a PUBLISH.
    pub fn take_rest(&mut self) -> Bytes {
        std::mem::take(&mut self.rest)
    }

    /// Appends an item to a list that may hold [`MAXIMUM_ITEMS`].
    pub fn collect<T>(&self, list: &mut Vec<T>, item: T) -> Result<(), Malformed> {
        if list.len() == MAXIMUM_ITEMS {
            return Err(Malformed::TooManyItems { packet: self.packet });
        }
        list.push(item);
        Ok(())
    }

    /// Checks that the packet ends here.
    pub fn finish(self) -> Result<(), Malformed> {
        match self.rest.len() {
            0 => Ok(()),
            count => Err(Malformed::TrailingBytes { packet: self.packet, count }),
        }
    }

    /// A reader of the next `length` bytes.
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

/// How many bytes a Variable Byte Integer may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntegerLength {
    /// No more than its value needs `[MQTT-1.5.5-1]`.
    Shortest,
    /// Up to four: before MQTT 5 nothing else is said (3.1.1 §2.2.3).
    Any,
}

/// Reads the Variable Byte Integer at the beginning of these bytes. Returns its value and its
/// length, or `None` if it continues after their end. It must have at most four bytes, and no more
/// than its value needs `[MQTT-1.5.5-1]`.
#[inline(always)]
pub fn variable_byte_integer(bytes: &[u8]) -> Result<Option<(u32, usize)>, Malformed> {
    integer_of_length(bytes, IntegerLength::Shortest)
}

/// The same for one that may take so many bytes.
#[inline(always)]
pub fn integer_of_length(
    bytes: &[u8],
    taken: IntegerLength,
) -> Result<Option<(u32, usize)>, Malformed> {
    let mut value = 0;
    for (index, &byte) in bytes.iter().take(4).enumerate() {
        value |= u32::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            if byte == 0 && index > 0 && taken == IntegerLength::Shortest {
                return Err(Malformed::VariableByteInteger);
            }
            return Ok(Some((value, index + 1)));
        }
    }
    if bytes.len() < 4 { Ok(None) } else { Err(Malformed::VariableByteInteger) }
}

/// How many bytes a Variable Byte Integer takes (§1.5.5, Table 1-1).
pub fn variable_byte_integer_len(value: usize) -> usize {
    match value {
        0..=127 => 1,
        128..=16_383 => 2,
        16_384..=2_097_151 => 3,
        _ => 4,
    }
}

/// Appends a Variable Byte Integer (§1.5.5); more than 268,435,455 is an error.
pub fn put_variable_byte_integer(value: usize, out: &mut BytesMut) -> Result<(), EncodeError> {
    if value > MAXIMUM_REMAINING_LENGTH {
        return Err(EncodeError::TooLarge { length: value });
    }
    let mut rest = value;
    while rest > 0x7F {
        out.put_u8(rest.to_le_bytes()[0] | 0x80);
        rest >>= 7;
    }
    out.put_u8(rest.to_le_bytes()[0]);
    Ok(())
}

/// Appends what `write` appends, or nothing if it fails.
pub fn all_or_nothing(
    out: &mut BytesMut,
    write: impl FnOnce(&mut BytesMut) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    let start = out.len();
    let result = write(out);
    if result.is_err() {
        out.truncate(start);
    }
    result
}

/// Appends Binary Data (§1.5.6); more than 65,535 bytes is an error.
pub fn put_binary(data: &[u8], out: &mut BytesMut) -> Result<(), EncodeError> {
    let length =
        u16::try_from(data.len()).map_err(|_| EncodeError::StringTooLong { length: data.len() })?;
    out.put_u16(length);
    out.extend_from_slice(data);
    Ok(())
}

/// Appends a UTF-8 Encoded String (§1.5.4); more than 65,535 bytes is an error.
pub fn put_string(text: &str, out: &mut BytesMut) -> Result<(), EncodeError> {
    put_binary(text.as_bytes(), out)
}
