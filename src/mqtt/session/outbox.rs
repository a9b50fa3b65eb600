//! What waits to be sent: small packets gathered in one buffer, large payloads as they are.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// Payloads from this size on are sent from where they lie; smaller ones are copied behind their header.
const OWN_PIECE: usize = 16 * 1024;

/// Above this many waiting bytes nothing more is published, until they were taken.
const ROOM: usize = 256 * 1024;

/// An ordered queue of bytes.
#[derive(Debug, Default)]
pub struct Outbox {
    pieces: VecDeque<Bytes>,
    tail: BytesMut,
    waiting: usize,
    /// How many bytes of a streamed payload are still to come; nothing else may be sent before.
    stream: usize,
}

impl Outbox {
    /// Where small packets are written.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.tail
    }

    /// The payload of the PUBLISH whose header was just written.
    pub fn push(&mut self, payload: &Bytes) {
        if payload.len() < OWN_PIECE {
            self.tail.extend_from_slice(payload);
        } else {
            let head = self.tail.split().freeze();
            self.waiting += head.len() + payload.len();
            self.pieces.push_back(head);
            self.pieces.push_back(payload.clone());
        }
    }

    /// The payload of the PUBLISH whose header was just written will come in pieces, `length` bytes in all.
    pub fn begin_stream(&mut self, length: usize) {
        let head = self.tail.split().freeze();
        self.waiting += head.len();
        self.pieces.push_back(head);
        self.stream = length;
    }

    /// How many more bytes of the streamed payload are wanted now.
    pub fn stream_wants(&self) -> usize {
        self.stream.min(ROOM.saturating_sub(self.waiting))
    }

    /// The next piece of the streamed payload, at most as long as [`Outbox::stream_wants`].
    pub fn stream(&mut self, piece: Bytes) {
        self.stream -= piece.len();
        self.waiting += piece.len();
        self.pieces.push_back(piece);
    }

    /// Whether a streamed payload is incomplete.
    pub fn is_streaming(&self) -> bool {
        self.stream > 0
    }

    /// Whether more may be published.
    pub fn has_room(&self) -> bool {
        !self.is_streaming() && self.waiting + self.tail.len() < ROOM
    }

    /// The next piece to send.
    pub fn take(&mut self) -> Option<Bytes> {
        if let Some(piece) = self.pieces.pop_front() {
            self.waiting -= piece.len();
            return Some(piece);
        }
        (!self.tail.is_empty() && !self.is_streaming()).then(|| self.tail.split().freeze())
    }

    /// Forgets everything: the connection it was for is gone.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}
