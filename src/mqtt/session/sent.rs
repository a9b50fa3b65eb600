//! A QoS 1 or 2 message of the client that may have to be sent again.

use std::ops::Range;
use std::rc::Rc;

use bytes::Bytes;

use crate::mqtt::packet::Publish;
use crate::mqtt::qos::QoS;

/// The value of `start` for a payload that the caller streams and that is not in memory.
const STREAMED: u32 = u32::MAX;

/// A message that was sent. Thousands of them are in flight at once, so it is small: the messages
/// of one block of input share the block and their header, in `head`.
#[derive(Debug, Clone)]
pub struct SentMessage {
    /// The message without its identifier and DUP. The payload is part of this payload.
    pub head: Rc<Publish>,
    start: u32,
    length: u32,
    /// The caller's token for it.
    pub token: u64,
}

impl SentMessage {
    /// A message that shares nothing.
    pub fn whole(publish: Publish, token: u64) -> Self {
        let length = short(publish.payload.len());
        Self { head: Rc::new(publish), start: 0, length, token }
    }

    /// One of several messages with the same header. Its payload is the range `payload` of the
    /// payload of `head`.
    #[inline]
    pub fn part(head: &Rc<Publish>, payload: &Range<usize>, token: u64) -> Self {
        Self {
            head: Rc::clone(head),
            start: short(payload.start),
            length: short(payload.len()),
            token,
        }
    }

    /// A message whose payload of `length` bytes the caller streams.
    pub fn streamed(publish: Publish, length: usize, token: u64) -> Self {
        let head = Publish { payload: Bytes::new(), ..publish };
        Self { head: Rc::new(head), start: STREAMED, length: short(length), token }
    }

    /// Whether its QoS is 2.
    pub fn is_exactly_once(&self) -> bool {
        self.head.qos == QoS::ExactlyOnce
    }

    /// The length of the payload in bytes, wherever it comes from.
    pub fn length(&self) -> usize {
        self.length as usize
    }

    /// Whether the caller streams the payload.
    pub fn is_streamed(&self) -> bool {
        self.start == STREAMED
    }

    /// The payload, unless the caller streams it.
    pub fn payload(&self) -> Bytes {
        let start = self.start as usize;
        if self.is_streamed() {
            Bytes::new()
        } else {
            self.head.payload.slice(start..start + self.length())
        }
    }

    /// The number of payload bytes held in memory so that they can be sent again.
    pub fn remembered(&self) -> usize {
        if self.is_streamed() { 0 } else { self.length() }
    }
}

/// Converts a length. One that no packet can have is refused when the message is encoded.
fn short(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(STREAMED - 1)
}
