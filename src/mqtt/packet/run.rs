//! The headers of messages that are alike but for identifier and payload: encoded once, and then
//! only touched up. It must never know where the payloads come from.

use bytes::{BufMut, BytesMut};

use super::fixed_header::LONGEST_FIXED_HEADER;
use super::writer::put_variable_byte_integer;
use super::{EncodeError, MAXIMUM_REMAINING_LENGTH, PacketId, Publish};
use crate::mqtt::qos::QoS;
use crate::mqtt::version::Version;

/// See the module.
#[derive(Debug)]
pub struct RunHeader {
    /// Room for the longest fixed header, and then the variable header.
    bytes: BytesMut,
    /// Where the fixed header begins.
    start: usize,
    first: u8,
    /// The payload that the fixed header counts in, in bytes.
    payload: Option<usize>,
    /// Where the identifier stands.
    id: Option<usize>,
}

impl RunHeader {
    /// The header of messages like `publish`, each with a payload of at most `longest` bytes.
    pub fn new(publish: &Publish, longest: usize, version: Version) -> Result<Self, EncodeError> {
        let has_id = publish.qos > QoS::AtMostOnce;
        let mut bytes = BytesMut::zeroed(LONGEST_FIXED_HEADER);
        publish.put_variable_header(has_id.then_some(PacketId::MIN), version, &mut bytes)?;
        let length = bytes.len() - LONGEST_FIXED_HEADER + longest;
        if length > MAXIMUM_REMAINING_LENGTH {
            return Err(EncodeError::TooLarge { length });
        }
        let topic = publish.topic.as_ref().map_or(0, |topic| topic.as_str().len());
        let id = has_id.then_some(LONGEST_FIXED_HEADER + 2 + topic);
        Ok(Self { bytes, start: 0, first: publish.first_byte(), payload: None, id })
    }

    /// Appends a whole message to `out`.
    #[inline]
    pub fn put(&mut self, packet_id: PacketId, payload: &[u8], out: &mut BytesMut) {
        if self.payload != Some(payload.len()) {
            self.count_in(payload.len());
        }
        if let Some(id) = self.id {
            self.bytes[id..id + 2].copy_from_slice(&packet_id.get().to_be_bytes());
        }
        let header = &self.bytes[self.start..];
        out.reserve(header.len() + payload.len());
        out.extend_from_slice(header);
        out.extend_from_slice(payload);
    }

    /// Writes the fixed header of messages with so long a payload (§2.1).
    fn count_in(&mut self, payload: usize) {
        let remaining = self.bytes.len() - LONGEST_FIXED_HEADER + payload;
        let mut fixed = BytesMut::with_capacity(LONGEST_FIXED_HEADER);
        fixed.put_u8(self.first);
        put_variable_byte_integer(remaining, &mut fixed)
            .expect("the longest payload has been counted in");
        self.start = LONGEST_FIXED_HEADER - fixed.len();
        self.bytes[self.start..LONGEST_FIXED_HEADER].copy_from_slice(&fixed);
        self.payload = Some(payload);
    }
}
