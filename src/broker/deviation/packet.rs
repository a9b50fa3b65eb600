//! A packet on its way: its bytes, and what they mean if they mean something.

use bytes::{Bytes, BytesMut};

use super::{RewriteStep, Side};
use crate::mqtt::packet::{
    ConnAck, Connect, Decoder, MAXIMUM_REMAINING_LENGTH, Malformed, Packet, Publish, Subscribe,
};
use crate::mqtt::version::Version;

/// A packet, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawPacket {
    /// The version of its connection; before CONNECT has come, 3.1.1.
    pub version: Version,
    /// The side that has sent it.
    pub(super) side: Side,
    /// All its bytes.
    pub bytes: Vec<u8>,
}

impl RawPacket {
    /// What it means, or what is wrong with it.
    pub fn read(&self) -> Result<Packet, Malformed> {
        let mut decoder = Decoder::new(self.version, MAXIMUM_REMAINING_LENGTH + 5);
        decoder.feed(Bytes::copy_from_slice(&self.bytes));
        let truncated = Malformed::VariableByteInteger;
        decoder.next().and_then(|packet| packet.ok_or(truncated))
    }

    /// Its type: 1 is CONNECT.
    pub fn kind(&self) -> u8 {
        self.bytes.first().map_or(0, |byte| byte >> 4)
    }

    /// What follows its length.
    pub fn body(&self) -> &[u8] {
        let length = self.bytes.iter().skip(1).take_while(|byte| **byte >= 0x80).count();
        self.bytes.get(2 + length..).unwrap_or_default()
    }

    /// If it is a PUBLISH, its content.
    pub fn publish(&self) -> Option<Publish> {
        match self.read() {
            Ok(Packet::Publish(publish)) => Some(publish),
            _ => None,
        }
    }

    /// If it is a CONNECT, its content.
    pub fn connect(&self) -> Option<Connect> {
        match self.read() {
            Ok(Packet::Connect(connect)) => Some(*connect),
            _ => None,
        }
    }

    /// If it is a SUBSCRIBE, its content.
    pub fn subscribe(&self) -> Option<Subscribe> {
        match self.read() {
            Ok(Packet::Subscribe(subscribe)) => Some(subscribe),
            _ => None,
        }
    }

    /// The packet, with its content changed if it is a CONNECT.
    pub(super) fn changed_connect(&self, change: impl FnOnce(&mut Connect)) -> Vec<RewriteStep> {
        self.changed(|packet| {
            if let Packet::Connect(connect) = packet {
                change(connect);
            }
        })
    }

    /// The packet, with its content changed if it is a CONNACK.
    pub(super) fn changed_connack(&self, change: impl FnOnce(&mut ConnAck)) -> Vec<RewriteStep> {
        self.changed(|packet| {
            if let Packet::ConnAck(connack) = packet {
                change(connack);
            }
        })
    }

    /// A packet with the same first byte and this body in its place.
    pub(super) fn with_body(&self, body: &[u8]) -> Vec<RewriteStep> {
        let mut bytes: Vec<u8> = self.bytes.first().copied().into_iter().collect();
        let mut length = body.len();
        while length >= 0x80 {
            bytes.push(length.to_le_bytes()[0] | 0x80);
            length /= 0x80;
        }
        bytes.push(length.to_le_bytes()[0]);
        bytes.extend(body);
        vec![RewriteStep::Onward(bytes)]
    }

    /// Another packet in its place.
    pub(super) fn instead(&self, packet: &Packet) -> Vec<RewriteStep> {
        vec![RewriteStep::Onward(encoded(packet, self.version))]
    }

    /// An answer in its place.
    pub(super) fn answered(&self, packet: &Packet) -> Vec<RewriteStep> {
        vec![RewriteStep::Back(encoded(packet, self.version))]
    }

    /// The packet, changed; one that is not what `change` is about goes on as it came.
    pub(super) fn changed(&self, change: impl FnOnce(&mut Packet)) -> Vec<RewriteStep> {
        let Ok(mut packet) = self.read() else { return super::pass() };
        let before = packet.clone();
        change(&mut packet);
        if packet == before { super::pass() } else { self.instead(&packet) }
    }
}

/// The bytes of a packet; none if it cannot be encoded.
pub fn encoded(packet: &Packet, version: Version) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    match packet.encode(version, &mut bytes) {
        Ok(()) => bytes.to_vec(),
        Err(_) => Vec::new(),
    }
}
