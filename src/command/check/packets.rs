//! MQTT packets in what the server sends: each is decoded alone, so that a malformed one is noted
//! and reading goes on.

use std::fmt::Write;

use bytes::{Bytes, BytesMut};

use crate::mqtt::packet::{Decoder, Malformed, Packet};
use crate::mqtt::version::Version;

/// The largest packet that is read, in bytes.
const LARGEST: usize = 32 * 1024 * 1024;

/// Packets up to this size should come within one message, in bytes.
const SMALL: usize = 4096;

/// A packet of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedPacket {
    /// Its bytes.
    pub raw: Bytes,
    /// It, or what is wrong with it.
    pub packet: Result<Packet, Malformed>,
    /// Whether it is small and came in several messages.
    pub spread: Spread,
}

/// How many messages a packet came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// In one, or it is large.
    OneMessage,
    /// In several.
    Messages,
}

/// Whether what follows can be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Legibility {
    /// It can.
    #[default]
    Legible,
    /// It cannot: where the next packet or frame begins is not known.
    Spoilt,
}

impl ReceivedPacket {
    /// The packet in words.
    pub fn words(&self) -> String {
        match &self.packet {
            Ok(packet) => packet.describe(),
            Err(error) => format!("malformed packet: {error}"),
        }
    }
}

/// Takes payloads of messages apart.
#[derive(Debug)]
pub struct PayloadReader {
    version: Version,
    bytes: BytesMut,
    /// Whether the packet that has begun came partly in an earlier message.
    spread: Spread,
    /// How many packets began in the message.
    begun: u64,
    legibility: Legibility,
}

impl PayloadReader {
    /// A reader of packets of this version.
    pub fn new(version: Version) -> Self {
        Self {
            version,
            bytes: BytesMut::new(),
            spread: Spread::OneMessage,
            begun: 0,
            legibility: Legibility::Legible,
        }
    }

    /// Takes a piece of a message, and gives the packets that it completes.
    pub fn feed(&mut self, piece: &[u8]) -> Vec<ReceivedPacket> {
        let mut received = Vec::new();
        if self.legibility == Legibility::Spoilt {
            return received;
        }
        self.bytes.extend_from_slice(piece);
        while let Some(size) = size(&self.bytes) {
            let Ok(size) = size else {
                let raw = self.bytes.split().freeze();
                self.legibility = Legibility::Spoilt;
                let packet = Err(Malformed::VariableByteInteger);
                received.push(ReceivedPacket { raw, packet, spread: Spread::OneMessage });
                break;
            };
            if self.bytes.len() < size {
                break;
            }
            let raw = self.bytes.split_to(size).freeze();
            let spread = std::mem::replace(&mut self.spread, Spread::OneMessage);
            let spread = if size > SMALL { Spread::OneMessage } else { spread };
            received.push(ReceivedPacket { packet: self.decode(&raw), raw, spread });
            self.begun += 1;
        }
        received
    }

    /// The message has ended. Returns how many packets it completed.
    pub fn end_message(&mut self) -> u64 {
        let is_whole = self.bytes.is_empty();
        self.spread = if is_whole { Spread::OneMessage } else { Spread::Messages };
        std::mem::take(&mut self.begun)
    }

    fn decode(&self, raw: &Bytes) -> Result<Packet, Malformed> {
        let mut decoder = Decoder::new(self.version, LARGEST);
        decoder.feed(raw.clone());
        // The bytes are those of one packet: nothing can be missing.
        decoder.next()?.ok_or(Malformed::VariableByteInteger)
    }
}

/// The size of the packet that begins here, once its fixed header is there (MQTT 5 §2.1).
fn size(bytes: &[u8]) -> Option<Result<usize, ()>> {
    let (mut length, mut shift) = (0_usize, 0);
    for (at, byte) in bytes.iter().enumerate().skip(1) {
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            let size = 1 + at + length;
            return Some(if size <= LARGEST { Ok(size) } else { Err(()) });
        }
        shift += 7;
        if shift == 28 {
            return Some(Err(()));
        }
    }
    None
}

/// The packets in these bytes, and whether the bytes hold nothing else.
pub fn read(bytes: &[u8], version: Version) -> (Vec<ReceivedPacket>, bool) {
    let mut reader = PayloadReader::new(version);
    let received = reader.feed(bytes);
    let is_whole = reader.bytes.is_empty() && received.iter().all(|one| one.packet.is_ok());
    (received, is_whole)
}

/// What is sent, in words: the packets in it, or that it is none.
pub fn words(received: &[ReceivedPacket], length: usize) -> String {
    let mut text = String::new();
    for received in received.iter().take(4) {
        let separator = if text.is_empty() { "" } else { ", " };
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{separator}{}", received.words());
    }
    if text.is_empty() { format!("{length} bytes") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_packet_does_not_stop_the_next() {
        let mut reader = PayloadReader::new(Version::V5);
        // PINGRESP with flags, PUBACK 0, PINGRESP.
        let received = reader.feed(b"\xd1\0\x40\x02\0\0\xd0\0");
        let ok: Vec<bool> = received.iter().map(|one| one.packet.is_ok()).collect();
        assert_eq!(ok, [false, false, true]);
        assert_eq!(reader.end_message(), 3);
        assert_eq!(received[2].words(), "PINGRESP");
    }

    #[test]
    fn a_packet_over_messages_is_noted() {
        let mut reader = PayloadReader::new(Version::V3_1_1);
        assert_eq!(reader.feed(b"\xd0").len() + reader.feed(b"").len(), 0);
        assert_eq!(reader.end_message(), 0);
        let received = reader.feed(b"\0\xd0\0");
        let spread: Vec<Spread> = received.iter().map(|one| one.spread).collect();
        assert_eq!(spread, [Spread::Messages, Spread::OneMessage]);
        assert_eq!(reader.end_message(), 2);
        // A fragment is no message: nothing is split by it.
        reader.feed(b"\xd0");
        assert_eq!(reader.feed(b"\0")[0].spread, Spread::OneMessage);
    }

    #[test]
    fn an_endless_length_spoils_the_stream() {
        let mut reader = PayloadReader::new(Version::V5);
        assert!(reader.feed(b"\x30\xff\xff\xff\xff\x01")[0].packet.is_err());
        assert_eq!(reader.feed(b"\xd0\0"), []);
        let (received, is_whole) = read(b"\xc0\0\xe0\0", Version::V5);
        assert_eq!((&*words(&received, 4), is_whole), ("PINGREQ, DISCONNECT (0)", true));
        let (received, is_whole) = read(b"\xc0", Version::V5);
        assert_eq!((&*words(&received, 1), is_whole), ("1 bytes", false));
    }
}
