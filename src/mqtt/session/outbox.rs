//! The bytes that wait to be sent: small packets are collected in one buffer, large payloads are
//! sent without a copy.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::PacketGrouping;

/// Payloads of up to this size are copied after their header; larger ones are sent without a copy.
/// Below this size the copy costs less than a piece of its own.
pub const LONGEST_COPIED: usize = 16 * 1024 - 1;

/// Nothing more is published while more bytes than this wait. It is enough for several writes, so
/// that a transport that is ready never waits for the session.
const ROOM: usize = 256 * 1024;

/// Nothing more should be read from the server while more bytes of acknowledgements than this wait.
/// It is 32,768 acknowledgements of the usual four bytes: as many as the client's Receive Maximum,
/// and so more than ever wait for a server that reads.
const MOST_ANSWERS: usize = 128 * 1024;

/// Bytes that are sent without a copy, and how many of them are acknowledgements.
#[derive(Debug)]
struct Piece {
    bytes: Bytes,
    answers: usize,
}

/// An ordered queue of bytes.
#[derive(Debug, Default)]
pub struct Outbox {
    pieces: VecDeque<Piece>,
    tail: BytesMut,
    /// The number of bytes in the tail that are acknowledgements.
    tail_answers: usize,
    /// The number of bytes in the pieces and the tail that are acknowledgements.
    answers: usize,
    waiting: usize,
    grouping: PacketGrouping,
    /// The missing part of a streamed payload, in bytes from its beginning. Nothing else may be
    /// sent before it.
    stream: Range<usize>,
}

impl Outbox {
    /// An empty queue.
    pub fn new(grouping: PacketGrouping) -> Self {
        Self { grouping, ..Self::default() }
    }

    /// The buffer for small packets.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.tail
    }

    /// Counts the last `length` bytes of the buffer as an acknowledgement.
    #[inline]
    pub fn count_answer(&mut self, length: usize) {
        self.tail_answers += length;
        self.answers += length;
    }

    /// Gives back the buffer for small packets, if none waits.
    pub fn release_memory(&mut self) {
        if self.tail.is_empty() {
            self.tail = BytesMut::new();
        }
    }

    /// Whether more acknowledgements wait than a server that reads can have caused.
    pub fn has_too_many_answers(&self) -> bool {
        self.answers > MOST_ANSWERS
    }

    /// Appends the payload of the PUBLISH whose header was just written.
    pub fn push(&mut self, payload: &Bytes) {
        if payload.len() <= LONGEST_COPIED || self.grouping == PacketGrouping::Single {
            self.tail.extend_from_slice(payload);
        } else {
            self.split_tail();
            self.push_piece(payload.clone(), 0);
        }
    }

    fn split_tail(&mut self) {
        let (head, answers) = (self.tail.split().freeze(), std::mem::take(&mut self.tail_answers));
        self.push_piece(head, answers);
    }

    fn push_piece(&mut self, bytes: Bytes, answers: usize) {
        self.waiting += bytes.len();
        self.pieces.push_back(Piece { bytes, answers });
    }

    /// Announces that the payload of the PUBLISH whose header was just written is streamed,
    /// `length` bytes in all.
    pub fn begin_stream(&mut self, length: usize) {
        self.stream = 0..length;
        if self.grouping == PacketGrouping::Gathered {
            self.split_tail();
        }
    }

    /// The part of the streamed payload that is wanted now, in bytes from its beginning. It is
    /// empty if nothing is missing or there is no room.
    pub fn stream_wants(&self) -> Range<usize> {
        let length = self.stream.len().min(ROOM.saturating_sub(self.waiting));
        self.stream.start..self.stream.start + length
    }

    /// Takes the part that [`Outbox::stream_wants`] from a block that begins `at` this byte of the
    /// payload. A block that does not hold that part is ignored.
    pub fn stream(&mut self, at: usize, block: &Bytes) {
        let wanted = self.stream_wants();
        let end = wanted.end.min(at + block.len());
        if wanted.start < at || end <= wanted.start {
            return;
        }
        let piece = block.slice(wanted.start - at..end - at);
        self.stream.start = end;
        if self.grouping == PacketGrouping::Single {
            self.tail.extend_from_slice(&piece);
        } else {
            self.push_piece(piece, 0);
        }
    }

    /// Whether a streamed payload is incomplete.
    pub fn is_streaming(&self) -> bool {
        !self.stream.is_empty()
    }

    /// Whether nothing waits to be sent, and no part of a payload is missing.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.tail.is_empty() && !self.is_streaming()
    }

    /// How many bytes wait to be sent.
    pub fn waiting(&self) -> usize {
        self.waiting + self.tail.len()
    }

    /// Whether more may be published.
    pub fn has_room(&self) -> bool {
        !self.is_streaming() && self.waiting() < ROOM
    }

    /// The next piece to send.
    pub fn take(&mut self) -> Option<Bytes> {
        if let Some(Piece { bytes, answers }) = self.pieces.pop_front() {
            self.waiting -= bytes.len();
            self.answers -= answers;
            return Some(bytes);
        }
        if self.tail.is_empty() || self.is_streaming() {
            return None;
        }
        let length = if self.grouping == PacketGrouping::Single {
            first_packet(&self.tail)
        } else {
            self.tail.len()
        };
        let bytes = self.tail.split_to(length).freeze();
        let answers = if self.grouping == PacketGrouping::Gathered || is_answer(&bytes) {
            length.min(self.tail_answers)
        } else {
            0
        };
        self.tail_answers -= answers;
        self.answers -= answers;
        Some(bytes)
    }

    /// Discards everything, because the connection is lost.
    pub fn clear(&mut self) {
        *self = Self::new(self.grouping);
    }
}

/// The length of the packet at the beginning of `bytes` (§2.1.4: up to four bytes of Remaining
/// Length).
fn first_packet(bytes: &[u8]) -> usize {
    let mut length = 0;
    for (at, byte) in bytes.iter().enumerate().skip(1).take(4) {
        length |= usize::from(byte & 0x7f) << (7 * (at - 1));
        if byte & 0x80 == 0 {
            return bytes.len().min(at + 1 + length);
        }
    }
    bytes.len()
}

/// Whether this packet is a PUBACK, PUBREC, PUBREL or PUBCOMP (§2.1.2).
fn is_answer(packet: &[u8]) -> bool {
    packet.first().is_some_and(|first| matches!(first >> 4, 4..=7))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_packets_are_handed_out_one_by_one() {
        let payload = Bytes::from(vec![b'x'; 300_000]);
        let mut outbox = Outbox::new(PacketGrouping::Single);
        outbox.buffer().extend_from_slice(&[0xc0, 0, 0xd0, 0]);
        outbox.buffer().extend_from_slice(&[0x30, 0xe3, 0xa7, 0x12, 0, 1, b't']);
        outbox.push(&payload);
        outbox.buffer().extend_from_slice(&[0xe0, 0]);
        let lengths: Vec<usize> =
            std::iter::from_fn(|| outbox.take()).map(|piece| piece.len()).collect();
        assert_eq!(lengths, [2, 2, 300_007, 2]);
        outbox.buffer().extend_from_slice(&[0x30, 5, 0, 1, b't']);
        outbox.begin_stream(2);
        for (at, byte) in [b"a", b"b"].into_iter().enumerate() {
            assert!(outbox.take().is_none() && outbox.stream_wants() == (at..2));
            outbox.stream(at, &Bytes::from_static(byte));
        }
        assert_eq!(outbox.take().unwrap().len(), 7);
        outbox.clear();
        assert!(outbox.grouping == PacketGrouping::Single && outbox.take().is_none());
    }

    #[test]
    fn acknowledgements_are_counted_until_they_are_taken() {
        for grouping in [PacketGrouping::Gathered, PacketGrouping::Single] {
            let mut outbox = Outbox::new(grouping);
            let answer = |outbox: &mut Outbox, times: usize| {
                for _ in 0..times {
                    outbox.buffer().extend_from_slice(&[0x40, 2, 0, 1]);
                    outbox.count_answer(4);
                }
            };
            let most = MOST_ANSWERS / 4;
            answer(&mut outbox, most / 2);
            outbox.buffer().extend_from_slice(&[0x30, 0x83, 0x80, 0x02, 0, 1, b't']);
            outbox.push(&Bytes::from(vec![b'x'; 32 * 1024]));
            answer(&mut outbox, most - most / 2);
            assert!(!outbox.has_too_many_answers());
            answer(&mut outbox, 1);
            assert!(outbox.has_too_many_answers());
            assert!(outbox.take().is_some());
            assert!(!outbox.has_too_many_answers(), "one packet, or a piece of many");
            while outbox.take().is_some() {}
            assert_eq!((outbox.answers, outbox.tail_answers), (0, 0));
        }
    }

    #[test]
    fn only_what_is_wanted_is_taken_of_a_block() {
        let mut outbox = Outbox::new(PacketGrouping::Gathered);
        outbox.stream(0, &Bytes::from_static(b"nobody asked"));
        outbox.begin_stream(6);
        for (at, block) in
            [(1, "x"), (6, "x"), (0, ""), (0, "ab"), (0, "ab"), (3, "x"), (1, "xcd"), (2, "xxefx")]
        {
            outbox.stream(at, &Bytes::from_static(block.as_bytes()));
        }
        assert!(!outbox.is_streaming() && outbox.stream_wants().is_empty());
        outbox.stream(6, &Bytes::from_static(b"x"));
        let bytes: Vec<u8> = std::iter::from_fn(|| outbox.take()).flatten().collect();
        assert_eq!(bytes, b"abcdef");
    }
}
