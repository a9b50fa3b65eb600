//! From packets to bytes. On an error the buffer is as it was. It must never know where the bytes
//! go.

use bytes::BytesMut;

use super::writer::{all_or_nothing, put_fixed_header, variable_byte_integer_len};
use super::{EncodeError, Packet};
use crate::mqtt::version::Version;

impl Packet {
    /// Appends the whole packet in this version (a CONNECT in its own). What the version cannot say
    /// (properties, reason codes, subscription options before MQTT 5) is left out.
    pub fn encode(&self, version: Version, out: &mut BytesMut) -> Result<(), EncodeError> {
        all_or_nothing(out, |out| {
            let remaining = self.remaining_length(version);
            put_fixed_header(self.first_byte(), remaining, out)?;
            out.reserve(remaining);
            self.encode_body(version, out)
        })
    }

    /// The length of the whole packet in this version (of a CONNECT in its own), in bytes.
    pub fn encoded_len(&self, version: Version) -> usize {
        let remaining = self.remaining_length(version);
        1 + variable_byte_integer_len(remaining) + remaining
    }

    fn first_byte(&self) -> u8 {
        match self {
            Self::Publish(packet) => packet.first_byte(),
            other => other.packet_type().first_byte(),
        }
    }

    fn encode_body(&self, version: Version, out: &mut BytesMut) -> Result<(), EncodeError> {
        match self {
            Self::Connect(packet) => packet.encode_body(out),
            Self::ConnAck(packet) => packet.encode_body(version, out),
            Self::Publish(packet) => packet.encode_body(version, out),
            Self::PubAck(ack) | Self::PubRec(ack) | Self::PubRel(ack) | Self::PubComp(ack) => {
                ack.encode_body(version, out)
            }
            Self::Subscribe(packet) => packet.encode_body(version, out),
            Self::SubAck(packet) => packet.encode_body(version, out),
            Self::Unsubscribe(packet) => packet.encode_body(version, out),
            Self::UnsubAck(packet) => packet.encode_body(version, out),
            Self::PingReq | Self::PingResp => Ok(()),
            Self::Disconnect(packet) => packet.encode_body(version, out),
            Self::Auth(packet) => packet.encode_body(version, out),
        }
    }

    fn remaining_length(&self, version: Version) -> usize {
        match self {
            Self::Connect(packet) => packet.body_len(),
            Self::ConnAck(packet) => packet.body_len(version),
            Self::Publish(packet) => packet.body_len(version),
            Self::PubAck(ack) | Self::PubRec(ack) | Self::PubRel(ack) | Self::PubComp(ack) => {
                ack.body_len(version)
            }
            Self::Subscribe(packet) => packet.body_len(version),
            Self::SubAck(packet) => packet.body_len(version),
            Self::Unsubscribe(packet) => packet.body_len(version),
            Self::UnsubAck(packet) => packet.body_len(version),
            Self::PingReq | Self::PingResp => 0,
            Self::Disconnect(packet) => packet.body_len(version),
            Self::Auth(packet) => packet.body_len(),
        }
    }
}
