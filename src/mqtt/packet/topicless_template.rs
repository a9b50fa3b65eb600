//! Encodes many PUBLISH packets that differ in topic, identifier and payload: what they have in
//! common is encoded once.

use bytes::{BufMut, BytesMut};

use super::PacketId;
use super::error::EncodeError;
use super::header::LONGEST_FIXED_HEADER;
use super::publish::Publish;
use crate::mqtt::qos::QoS;
use crate::mqtt::topic::TopicSlice;
use crate::mqtt::version::Version;

/// What PUBLISH packets with topics of their own have in common.
#[derive(Debug)]
pub struct TopiclessTemplate {
    first: u8,
    /// What stands between topic and payload: the identifier, from QoS 1 on, and the properties.
    after_topic: BytesMut,
    qos: QoS,
}

/// The first byte, the remaining length and the length of the topic.
const LONGEST_HEAD: usize = LONGEST_FIXED_HEADER + 2;

impl TopiclessTemplate {
    /// Messages like `publish`, whose topic, identifier and payload are ignored.
    pub fn new(publish: &Publish, version: Version) -> Result<Self, EncodeError> {
        let (first, qos) = (publish.first_byte(), publish.qos);
        let mut after_topic = BytesMut::new();
        if qos > QoS::AtMostOnce {
            after_topic.put_u16(0);
        }
        publish.properties.encode(version, &mut after_topic)?;
        Ok(Self { first, after_topic, qos })
    }

    /// Appends a whole message to `out`. Topic, payload and properties must fit into a packet.
    #[inline(always)]
    pub fn put(
        &mut self,
        topic: TopicSlice<'_>,
        packet_id: PacketId,
        payload: &[u8],
        out: &mut BytesMut,
    ) {
        if self.qos > QoS::AtMostOnce {
            self.after_topic[..2].copy_from_slice(&packet_id.get().to_be_bytes());
        }
        let topic = topic.as_bytes();
        let remaining = 2 + topic.len() + self.after_topic.len() + payload.len();
        out.reserve(LONGEST_FIXED_HEADER + remaining);
        let mut head = [0; LONGEST_HEAD];
        head[0] = self.first;
        let (mut length, mut rest) = (1, remaining);
        // Four bytes hold what the caller keeps to (§1.5.5).
        while rest > 0x7f && length < LONGEST_FIXED_HEADER - 1 {
            head[length] = rest.to_le_bytes()[0] | 0x80;
            (length, rest) = (length + 1, rest >> 7);
        }
        head[length] = rest.to_le_bytes()[0];
        let [.., upper, lower] = topic.len().to_be_bytes();
        (head[length + 1], head[length + 2]) = (upper, lower);
        out.extend_from_slice(&head[..length + 3]);
        out.extend_from_slice(topic);
        out.extend_from_slice(&self.after_topic);
        out.extend_from_slice(payload);
    }
}
