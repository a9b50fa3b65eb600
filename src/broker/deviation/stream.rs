//! Bytes taken apart into frames, and messages into packets.

use crate::websocket::frame::{BINARY, CONTINUATION, FINAL, FrameHeader, HeaderBytes, Key, unmask};

/// The mask of frames that go on to the broker: it changes nothing.
const NO_MASK: Key = [0; 4];

/// The longest message that is written, in bytes.
const LONGEST: usize = 32 * 1024;

/// A whole frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WholeFrame {
    /// FIN, the reserved bits and the opcode.
    pub first: u8,
    /// The mask that it had.
    pub key: Option<Key>,
    /// The payload, without its mask.
    pub payload: Vec<u8>,
    /// All its bytes as they came.
    pub raw: Vec<u8>,
}

impl WholeFrame {
    /// Takes the first frame, if it is whole. One that claims more than `longest` bytes is not
    /// waited for: what has come of it is a frame without a payload.
    pub fn take(bytes: &mut Vec<u8>, longest: usize) -> Option<Self> {
        let FrameHeader { first, key, payload, length } = FrameHeader::read(bytes)?;
        if payload > longest as u64 {
            return Some(Self { first, key, payload: Vec::new(), raw: std::mem::take(bytes) });
        }
        let end = length + usize::try_from(payload).ok()?;
        if bytes.len() < end {
            return None;
        }
        let rest = bytes.split_off(end);
        let raw = std::mem::replace(bytes, rest);
        let mut payload = raw[length..].to_vec();
        if let Some(key) = key {
            unmask(&mut payload, key);
        }
        Some(Self { first, key, payload, raw })
    }

    /// The opcode.
    pub fn opcode(&self) -> u8 {
        self.first & 0xf
    }

    /// Whether it is a whole binary message without reserved bits.
    pub fn is_binary(&self) -> bool {
        self.first == FINAL | BINARY
    }

    /// Whether it holds a part of a binary message.
    pub fn is_data(&self) -> bool {
        self.first & 0x70 == 0 && matches!(self.opcode(), BINARY | CONTINUATION)
    }

    /// The type of the packet that begins in it, if it is data.
    pub fn packet_type(&self) -> Option<u8> {
        let first = self.payload.first().filter(|_| self.opcode() <= BINARY);
        first.map(|byte| byte >> 4)
    }

    /// The bytes of a frame of the same side, with another first byte and another payload.
    pub fn altered(&self, first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = whole(first & 0xf, payload, self.key.is_some());
        bytes[0] = first;
        bytes
    }
}

/// The bytes of a whole message or control frame, from a client or from a server.
pub fn whole(opcode: u8, payload: &[u8], is_from_client: bool) -> Vec<u8> {
    let mut bytes =
        HeaderBytes::new(opcode, payload.len(), is_from_client.then_some(NO_MASK)).to_vec();
    bytes.extend_from_slice(payload);
    bytes
}

/// Packets as binary messages, none of which is too long for a client.
pub fn messages(packets: &[u8], is_from_client: bool) -> Vec<u8> {
    packets.chunks(LONGEST).flat_map(|part| whole(BINARY, part, is_from_client)).collect()
}

/// The length of the packet that these bytes begin with; `None` if they end before it does, and
/// `Some(0)` if its length has too many bytes.
pub fn packet_length(bytes: &[u8]) -> Option<usize> {
    claimed_length(bytes).filter(|length| bytes.len() >= *length)
}

/// The same, also if the packet is not whole; `None` if its length is not.
pub fn claimed_length(bytes: &[u8]) -> Option<usize> {
    let mut length = 0;
    for (at, byte) in bytes.iter().enumerate().skip(1) {
        if at > 4 {
            return Some(0);
        }
        length |= usize::from(byte & 0x7f) << (7 * (at - 1));
        if byte & 0x80 == 0 {
            return Some(at + 1 + length);
        }
    }
    (bytes.len() > 4).then_some(0)
}

/// How many whole packets these bytes begin with, and how many bytes follow them.
pub fn count_packets(mut bytes: &[u8]) -> (usize, usize) {
    let mut count = 0;
    while let Some(length @ 1..) = packet_length(bytes) {
        bytes = &bytes[length..];
        count += 1;
    }
    (count, bytes.len())
}
