//! Packs packets into binary WebSocket messages: many small packets share one, a large one is cut.

use std::io::{self, Write};

use bytes::{BufMut, BytesMut};

use super::limits::{MESSAGE_BYTES, WRITE_BYTES};
use crate::mqtt::packet::Packet;
use crate::mqtt::version::Version;
use crate::websocket::outbound::ServerOutbound;

/// Gathers frames, and writes them to `sink` in large pieces.
#[derive(Debug)]
pub struct Frames<W: Write> {
    sink: W,
    outbound: ServerOutbound,
    /// The head of a large packet; it keeps its memory.
    head: BytesMut,
}

impl<W: Write> Frames<W> {
    /// Nothing gathered yet.
    pub fn new(sink: W) -> Self {
        Self { sink, outbound: ServerOutbound::new(MESSAGE_BYTES), head: BytesMut::new() }
    }

    /// Adds a packet. One that cannot be encoded is left out: the error is the peer's (a message
    /// from an MQTT 5 publisher that does not fit into a packet together with our additions).
    pub fn packet(&mut self, packet: &Packet, version: Version) -> io::Result<()> {
        let length = packet.encoded_len(version);
        if length <= MESSAGE_BYTES {
            if length > self.outbound.room() {
                self.outbound.finish_message();
            }
            // An error leaves nothing in the message, and an empty one is never sent.
            let _ = packet.encode(version, self.outbound.message());
        } else {
            self.large_packet(packet, version)?;
        }
        if self.outbound.len() >= WRITE_BYTES { self.flush() } else { Ok(()) }
    }

    /// Adds a packet that needs several messages, without a copy of its payload as a whole.
    fn large_packet(&mut self, packet: &Packet, version: Version) -> io::Result<()> {
        let mut head = std::mem::take(&mut self.head);
        head.clear();
        let (encoded, payload) = match packet {
            Packet::Publish(publish) => {
                (publish.encode_header(version, &mut head), &publish.payload[..])
            }
            _ => (packet.encode(version, &mut head), &[][..]),
        };
        if encoded.is_ok() {
            self.bytes(&head)?;
            self.bytes(payload)?;
        }
        self.head = head;
        Ok(())
    }

    /// Adds bytes of the MQTT stream.
    fn bytes(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.outbound.room() == 0 {
                self.outbound.finish_message();
                if self.outbound.len() >= WRITE_BYTES {
                    self.flush()?;
                }
            }
            let (now, later) = bytes.split_at(bytes.len().min(self.outbound.room()));
            self.outbound.message().put_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// Adds whole control frames between two messages.
    pub fn control(&mut self, frames: &[u8]) {
        self.outbound.put_frames(frames);
    }

    /// Adds a Close frame with a code (RFC 6455 §5.5.1).
    pub fn close(&mut self, code: u16) {
        self.outbound.put_close(code);
    }

    /// Writes everything.
    pub fn flush(&mut self) -> io::Result<()> {
        let written = self.sink.write_all(self.outbound.waiting());
        self.outbound.clear();
        written
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    /// FIN and the opcode of a binary message, and of Close.
    const BINARY: u8 = 0x82;
    const CLOSE: u8 = 0x88;
    use crate::mqtt::packet::Publish;

    use crate::mqtt::topic::TopicName;

    fn publish(size: usize) -> Packet {
        Packet::Publish(Publish::new(TopicName::new("t").unwrap(), Bytes::from(vec![b'x'; size])))
    }

    fn written(packets: &[Packet]) -> Vec<u8> {
        let mut sink = Vec::new();
        let mut frames = Frames::new(&mut sink);
        for packet in packets {
            frames.packet(packet, Version::V3_1_1).unwrap();
        }
        frames.flush().unwrap();
        sink
    }

    /// The payloads of binary frames, and that there is nothing else.
    fn messages(mut bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        while let [BINARY, short, rest @ ..] = bytes {
            let (length, rest) = match short {
                126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
                _ => (usize::from(*short), rest),
            };
            messages.push(rest[..length].to_vec());
            bytes = &rest[length..];
        }
        assert_eq!(bytes, b"");
        messages
    }

    #[test]
    fn small_packets_share_a_message() {
        assert_eq!(written(&[Packet::PingResp, Packet::PingResp]), [BINARY, 4, 0xd0, 0, 0xd0, 0]);
        let many: Vec<_> = (0..10_000).map(|_| publish(10)).collect();
        let messages = messages(&written(&many));
        assert!(messages.iter().all(|message| message.len() <= MESSAGE_BYTES));
        assert_eq!(
            messages.concat(),
            [b"\x30\x0d\x00\x01t".as_slice(), &[b'x'; 10]].concat().repeat(10_000)
        );
        // The fourth ends early, with the write that it is part of.
        assert_eq!(messages.len(), 6);
    }

    #[test]
    fn large_packets_are_cut() {
        for size in [121, 122, 123, 32_758, 32_759, 32_760, 32_761, 32_768, 65_536, 1_000_000] {
            let mut expected = BytesMut::new();
            publish(size).encode(Version::V3_1_1, &mut expected).unwrap();
            let messages = messages(&written(&[publish(size)]));
            assert_eq!(messages.concat(), expected, "{size}");
            assert_eq!(messages.len(), expected.len().div_ceil(MESSAGE_BYTES), "{size}");
        }
    }

    #[test]
    fn control_frames_stand_between_messages() {
        let mut sink = Vec::new();
        let mut frames = Frames::new(&mut sink);
        frames.packet(&Packet::PingResp, Version::V5).unwrap();
        frames.control(&[0x8a, 0]);
        frames.packet(&Packet::PingResp, Version::V5).unwrap();
        frames.close(1000);
        frames.flush().unwrap();
        assert_eq!(sink, [BINARY, 2, 0xd0, 0, 0x8a, 0, BINARY, 2, 0xd0, 0, CLOSE, 2, 3, 232]);
    }
}
