//! Packets into unmasked binary WebSocket messages, many small ones gathered, large ones cut
//! (RFC 6455 §5.2). It does not know what becomes of them.

use std::io::{self, Write};

use bytes::{BufMut, BytesMut};

use super::limits::{MESSAGE_BYTES, WRITE_BYTES};
use crate::mqtt::packet::Packet;
use crate::mqtt::version::Version;

/// FIN and the opcode of a binary message.
const BINARY: u8 = 0x82;
/// FIN and the opcode of Close.
pub const CLOSE: u8 = 0x88;
/// Room for the longest header that a message of `MESSAGE_BYTES` needs.
const HEADER: usize = 4;
/// Payloads up to this size have their length in the second byte.
const SHORT: usize = 125;

/// Gathers frames, and writes them to `sink` in large pieces.
#[derive(Debug)]
pub struct Frames<W: Write> {
    sink: W,
    out: BytesMut,
    /// Where the message that is still growing begins, header included.
    open: Option<usize>,
    scratch: BytesMut,
}

impl<W: Write> Frames<W> {
    /// Nothing gathered yet.
    pub fn new(sink: W) -> Self {
        Self { sink, out: BytesMut::new(), open: None, scratch: BytesMut::new() }
    }

    /// Adds a packet. One that cannot be encoded is left out: the error is the peer's (a message
    /// from an MQTT 5 publisher that does not fit into a packet together with our additions).
    pub fn packet(&mut self, packet: &Packet, version: Version) -> io::Result<()> {
        let length = packet.encoded_len(version);
        if length <= MESSAGE_BYTES {
            if length > self.room() {
                self.finish_message();
            }
            self.begin_message();
            // An error leaves nothing behind, and an empty message is never sent.
            let _ = packet.encode(version, &mut self.out);
        } else {
            self.large_packet(packet, version)?;
        }
        if self.out.len() >= WRITE_BYTES { self.flush() } else { Ok(()) }
    }

    /// Adds a packet that needs several messages, without a copy of its payload as a whole.
    fn large_packet(&mut self, packet: &Packet, version: Version) -> io::Result<()> {
        let mut head = std::mem::take(&mut self.scratch);
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
        self.scratch = head;
        Ok(())
    }

    /// Adds bytes of the MQTT stream.
    fn bytes(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.room() == 0 {
                self.finish_message();
                if self.out.len() >= WRITE_BYTES {
                    self.flush()?;
                }
            }
            self.begin_message();
            let (now, later) = bytes.split_at(bytes.len().min(self.room()));
            self.out.put_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// Adds whole control frames between two messages.
    pub fn control(&mut self, frames: &[u8]) {
        self.finish_message();
        self.out.put_slice(frames);
    }

    /// Adds a Close frame with a code (RFC 6455 §5.5.1).
    pub fn close(&mut self, code: u16) {
        let [high, low] = code.to_be_bytes();
        self.control(&[CLOSE, 2, high, low]);
    }

    /// Writes everything.
    pub fn flush(&mut self) -> io::Result<()> {
        self.finish_message();
        let written = self.sink.write_all(&self.out);
        self.out.clear();
        written
    }

    /// How much fits into the message that is open, or into the next if none is.
    fn room(&self) -> usize {
        self.open.map_or(MESSAGE_BYTES, |start| MESSAGE_BYTES - (self.out.len() - start - HEADER))
    }

    fn begin_message(&mut self) {
        if self.open.is_none() {
            self.open = Some(self.out.len());
            self.out.put_bytes(0, HEADER);
        }
    }

    fn finish_message(&mut self) {
        let Some(start) = self.open.take() else { return };
        let length = self.out.len() - start - HEADER;
        if length == 0 {
            self.out.truncate(start);
        } else if length <= SHORT {
            self.out[start] = BINARY;
            self.out[start + 1] = u8::try_from(length).expect("at most 125");
            self.out.copy_within(start + HEADER.., start + 2);
            self.out.truncate(start + 2 + length);
        } else {
            let length = u16::try_from(length).expect("a message has at most 32 KiB").to_be_bytes();
            self.out[start..start + HEADER].copy_from_slice(&[BINARY, 126, length[0], length[1]]);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
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
