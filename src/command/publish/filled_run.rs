//! Messages that are made ahead, so that they are sent in one run.

use std::ops::Range;
use std::rc::Rc;

use bytes::Bytes;

use crate::mqtt::packet::Publish;
use crate::mqtt::topic::TopicSlice;

/// No other record is made into messages ahead once there are so many of them.
pub const MOST_AHEAD: usize = 256;

/// No other record is made into messages ahead once they have so many bytes.
pub const BYTES_AHEAD: usize = 32 * 1024;

/// Where a message stands in the text of its run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilledPlace {
    /// Its topic; empty where all messages have one topic.
    pub topic: Range<usize>,
    /// Its payload.
    pub payload: Range<usize>,
}

/// Messages with numbers in a row.
#[derive(Debug, Default)]
pub struct FilledRun {
    /// What the messages have in common, their text being its payload.
    pub head: Rc<Publish>,
    places: Vec<FilledPlace>,
    /// How many were taken.
    taken: usize,
    /// The number of the first message.
    first: u64,
}

impl FilledRun {
    /// The messages at these places, from this number on.
    pub fn new(head: Publish, places: Vec<FilledPlace>, first: u64) -> Self {
        Self { head: Rc::new(head), places, taken: 0, first }
    }

    /// Whether the next message is the one with this number.
    pub fn is_at(&self, number: u64) -> bool {
        self.taken < self.places.len() && self.first + self.taken as u64 == number
    }

    /// Takes the next message of a run with one topic, if its payload is no longer than this: where
    /// that stands.
    #[inline]
    pub fn next_within(&mut self, longest: usize) -> Option<Range<usize>> {
        let place = self.places.get(self.taken)?;
        if place.payload.len() > longest {
            return None;
        }
        self.taken += 1;
        Some(place.payload.clone())
    }

    /// Takes the next message of a run with several topics, if it is no longer than this and its
    /// topic is one without a character that a server may not accept. `text` is that of the run.
    #[inline]
    pub fn next_topic_within<'a>(
        &mut self,
        longest: usize,
        text: &'a [u8],
    ) -> Option<(TopicSlice<'a>, Range<usize>)> {
        let place = self.places.get(self.taken)?;
        if place.topic.len() + place.payload.len() > longest {
            return None;
        }
        let topic = TopicSlice::plain(text, place.topic.clone())?;
        self.taken += 1;
        Some((topic, place.payload.clone()))
    }

    /// Takes topic and payload of the message with this number, if it is the next.
    pub fn take(&mut self, number: u64) -> Option<(Bytes, Bytes)> {
        let place = self.places.get(self.taken).filter(|_| self.is_at(number))?;
        let text = &self.head.payload;
        let taken = (text.slice(place.topic.clone()), text.slice(place.payload.clone()));
        self.taken += 1;
        Some(taken)
    }

    /// Drops all messages, and gives back the memory of their places.
    pub fn clear(&mut self) -> Vec<FilledPlace> {
        let mut places = std::mem::take(self).places;
        places.clear();
        places
    }

    /// Drops all messages but the next ones, so many of them.
    pub fn keep(&mut self, count: usize) {
        self.places.truncate(self.taken + count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &'static str, places: &[(Range<usize>, Range<usize>)], first: u64) -> FilledRun {
        let head = Publish { payload: Bytes::from_static(text.as_bytes()), ..Publish::default() };
        let place = |(topic, payload): &(Range<usize>, Range<usize>)| FilledPlace {
            topic: topic.clone(),
            payload: payload.clone(),
        };
        FilledRun::new(head, places.iter().map(place).collect(), first)
    }

    #[test]
    fn payloads_are_taken_in_order() {
        let mut run = run("abbc", &[(0..0, 0..1), (0..0, 1..3), (0..0, 3..3), (0..0, 3..4)], 7);
        assert!(run.is_at(7) && !run.is_at(8));
        assert_eq!(run.next_within(1), Some(0..1));
        assert_eq!(run.next_within(1), None, "it is longer");
        assert_eq!(run.take(9), None, "it is that of another message");
        assert_eq!(run.take(8), Some((Bytes::new(), Bytes::from_static(b"bb"))));
        assert_eq!(run.next_within(0), Some(3..3));
        run.keep(0);
        assert_eq!((run.next_within(9), run.is_at(10)), (None, false));
    }

    #[test]
    fn topics_are_taken_that_no_server_refuses() {
        let places = [(0..1, 1..2), (2..3, 3..4), (4..5, 5..6), (6..6, 6..7)];
        let mut run = run("t1+2\u{1}34", &places, 1);
        let text = run.head.payload.clone();
        let next = |run: &mut FilledRun| {
            run.next_topic_within(2, &text).map(|(topic, place)| (topic.as_bytes(), place))
        };
        assert_eq!(run.next_topic_within(1, &text), None, "both are longer");
        assert_eq!(next(&mut run), Some((&b"t"[..], 1..2)));
        for (number, why) in [(2, "a wildcard"), (3, "a control character"), (4, "no topic")] {
            assert_eq!(next(&mut run), None, "{why}");
            assert!(run.take(number).is_some(), "{why}");
        }
        assert_eq!(next(&mut run), None, "there is no other");
    }
}
