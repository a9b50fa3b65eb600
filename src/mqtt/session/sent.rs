//! A message of ours that may have to be sent again. It must never know how far it has come.

use std::ops::Range;
use std::rc::Rc;

use bytes::Bytes;

use crate::mqtt::packet::Publish;
use crate::mqtt::qos::QoS;

/// Where the payload begins that the caller streams: nowhere in memory.
const STREAMED: u32 = u32::MAX;

/// What was sent of a message. Thousands of them are in flight at once, so it is small: messages
/// that came in one block have the block in common, and all that MQTT says of them.
#[derive(Debug, Clone)]
pub struct Sent {
    /// All of the message but its identifier and DUP. The payload is part of the payload that
    /// stands there.
    pub head: Rc<Publish>,
    start: u32,
    length: u32,
    /// The caller's number for it.
    pub record: u64,
}

impl Sent {
    /// A message of its own.
    pub fn whole(publish: Publish, record: u64) -> Self {
        let length = short(publish.payload.len());
        Self { head: Rc::new(publish), start: 0, length, record }
    }

    /// One of several messages that are alike: `payload` tells where its payload stands in that of
    /// `head`.
    #[inline]
    pub fn part(head: &Rc<Publish>, payload: &Range<usize>, record: u64) -> Self {
        Self {
            head: Rc::clone(head),
            start: short(payload.start),
            length: short(payload.len()),
            record,
        }
    }

    /// A message whose payload of `length` bytes the caller streams.
    pub fn streamed(publish: Publish, length: usize, record: u64) -> Self {
        let head = Publish { payload: Bytes::new(), ..publish };
        Self { head: Rc::new(head), start: STREAMED, length: short(length), record }
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

    /// The payload, unless that is streamed.
    pub fn payload(&self) -> Bytes {
        let start = self.start as usize;
        if self.is_streamed() {
            Bytes::new()
        } else {
            self.head.payload.slice(start..start + self.length())
        }
    }

    /// How many payload bytes are kept to be sent again.
    pub fn remembered(&self) -> usize {
        if self.is_streamed() { 0 } else { self.length() }
    }
}

/// What is longer than this has no place in any packet, and is refused as what it is then.
fn short(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(STREAMED - 1)
}
