//! Encodes many PUBLISH packets that differ only in identifier and payload, such as lines from
//! stdin: the header is encoded once and then patched for each message.

use bytes::{BufMut, BytesMut};

use super::data::put_variable_byte_integer;
use super::error::EncodeError;
use super::header::LONGEST_FIXED_HEADER;
use super::publish::Publish;
use super::{MAXIMUM_REMAINING_LENGTH, PacketId};
use crate::mqtt::qos::QoS;
use crate::mqtt::version::Version;

/// The encoded header of PUBLISH packets that differ only in identifier and payload.
#[derive(Debug)]
pub struct PublishTemplate {
    /// Room for the longest fixed header, and then the variable header.
    bytes: BytesMut,
    /// Where the fixed header begins.
    start: usize,
    first: u8,
    /// The length of the payload that the remaining length stands for, in bytes.
    payload: Option<usize>,
    /// The position of the identifier.
    id: Option<usize>,
}

impl PublishTemplate {
    /// The header of messages like `publish`, each with a payload of at most `longest` bytes. The
    /// identifier and the payload of `publish` itself are ignored.
    pub fn new(publish: &Publish, longest: usize, version: Version) -> Result<Self, EncodeError> {
        let has_id = publish.qos > QoS::AtMostOnce;
        let mut bytes = BytesMut::zeroed(LONGEST_FIXED_HEADER);
        publish.put_variable_header(has_id.then_some(PacketId::MIN), version, &mut bytes)?;
        let length = bytes.len() - LONGEST_FIXED_HEADER + longest;
        if length > MAXIMUM_REMAINING_LENGTH {
            return Err(EncodeError::TooLarge { length });
        }
        let topic = publish.topic_or_empty().len();
        let id = has_id.then_some(LONGEST_FIXED_HEADER + 2 + topic);
        Ok(Self { bytes, start: 0, first: publish.first_byte(), payload: None, id })
    }

    /// Appends a whole message to `out`.
    #[inline(always)]
    pub fn put(&mut self, packet_id: PacketId, payload: &[u8], out: &mut BytesMut) {
        if self.payload != Some(payload.len()) {
            self.set_payload_length(payload.len());
        }
        if let Some(id) = self.id {
            self.bytes[id..id + 2].copy_from_slice(&packet_id.get().to_be_bytes());
        }
        let header = &self.bytes[self.start..];
        out.reserve(header.len() + payload.len());
        out.extend_from_slice(header);
        out.extend_from_slice(payload);
    }

    /// Writes the fixed header for payloads of this length in bytes (§2.1).
    #[inline(never)]
    fn set_payload_length(&mut self, payload: usize) {
        let remaining = self.bytes.len() - LONGEST_FIXED_HEADER + payload;
        let mut fixed = BytesMut::with_capacity(LONGEST_FIXED_HEADER);
        fixed.put_u8(self.first);
        put_variable_byte_integer(remaining, &mut fixed)
            .expect("`new` has checked the longest payload");
        self.start = LONGEST_FIXED_HEADER - fixed.len();
        self.bytes[self.start..LONGEST_FIXED_HEADER].copy_from_slice(&fixed);
        self.payload = Some(payload);
    }
}
