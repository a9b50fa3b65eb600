//! A QoS 1 or 2 message of the client that may have to be sent again.

use std::borrow::Cow;
use std::ops::Range;
use std::rc::Rc;

use bytes::Bytes;

use crate::mqtt::packet::Publish;
use crate::mqtt::qos::QoS;
use crate::mqtt::topic::{TopicName, TopicSlice};

/// The value of `start` for a payload that the caller streams and that is not in memory.
const STREAMED: u32 = u32::MAX;

/// A message that was sent. Thousands of them are in flight at once, so it is small: the messages
/// of one block of input share the block and their header, in `head`.
#[derive(Debug, Clone)]
pub struct SentMessage {
    /// The message without its identifier and DUP. The payload is part of this payload; so is the
    /// topic, if it has a length.
    head: Rc<Publish>,
    start: u32,
    length: u32,
    topic_start: u32,
    topic_length: u16,
    /// The caller's token for it.
    pub token: u64,
}

impl SentMessage {
    /// A message that shares nothing.
    pub fn whole(publish: Publish, token: u64) -> Self {
        let length = short(publish.payload.len());
        Self { length, ..Self::new(Rc::new(publish), token) }
    }

    /// One of several messages with the same header. Its payload is the range `payload` of the
    /// payload of `head`.
    #[inline]
    pub fn part(head: &Rc<Publish>, payload: &Range<usize>, token: u64) -> Self {
        let (start, length) = (short(payload.start), short(payload.len()));
        Self { start, length, ..Self::new(Rc::clone(head), token) }
    }

    /// The same with a topic of its own, which is a part of the payload of `head`, too.
    #[inline]
    pub fn with_topic(self, topic: TopicSlice<'_>) -> Self {
        let place = topic.place();
        let topic_length = u16::try_from(place.len()).unwrap_or(u16::MAX);
        Self { topic_start: short(place.start), topic_length, ..self }
    }

    #[inline]
    fn new(head: Rc<Publish>, token: u64) -> Self {
        Self { head, start: 0, length: 0, topic_start: 0, topic_length: 0, token }
    }

    /// A message whose payload of `length` bytes the caller streams.
    pub fn streamed(publish: Publish, length: usize, token: u64) -> Self {
        let head = Publish { payload: Bytes::new(), ..publish };
        Self { start: STREAMED, length: short(length), ..Self::new(Rc::new(head), token) }
    }

    /// The message without its identifier and DUP; its payload is that of [`Self::payload`].
    pub fn head(&self) -> Cow<'_, Publish> {
        if self.topic_length == 0 {
            return Cow::Borrowed(&self.head);
        }
        let start = self.topic_start as usize;
        let text = self.head.payload.slice(start..start + usize::from(self.topic_length));
        let topic = TopicName::from_bytes(text).ok();
        Cow::Owned(Publish { topic, ..Publish::clone(&self.head) })
    }

    /// Its QoS.
    pub fn qos(&self) -> QoS {
        self.head.qos
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
