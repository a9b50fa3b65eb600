//! The data types of §1.5 as bytes, appended to a buffer. It must never know what a packet means.

use bytes::{BufMut, BytesMut};

use super::{EncodeError, MAXIMUM_REMAINING_LENGTH};

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

/// Appends the fixed header (§2.1): type and flags, then the remaining length.
pub fn put_fixed_header(
    first: u8,
    remaining: usize,
    out: &mut BytesMut,
) -> Result<(), EncodeError> {
    out.put_u8(first);
    put_variable_byte_integer(remaining, out)
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
