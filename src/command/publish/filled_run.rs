//! Payloads that are filled in ahead, so that their messages are sent in one run.

use std::ops::Range;
use std::rc::Rc;

use bytes::Bytes;

use crate::mqtt::packet::Publish;

/// The most payloads that are filled in ahead.
pub const MOST_AHEAD: u64 = 256;

/// No other payload is filled in once they have so many bytes.
pub const BYTES_AHEAD: usize = 32 * 1024;

/// Payloads one after the other, for messages with numbers in a row.
#[derive(Debug, Default)]
pub struct FilledRun {
    /// What the messages have in common, all payloads being its payload.
    pub head: Rc<Publish>,
    /// Where each payload ends.
    ends: Vec<usize>,
    /// How many were taken, and where the next begins.
    taken: usize,
    start: usize,
    /// The number of the first message.
    first: u64,
}

impl FilledRun {
    /// The payloads of the messages from this number on.
    pub fn new(head: Publish, ends: Vec<usize>, first: u64) -> Self {
        Self { head: Rc::new(head), ends, taken: 0, start: 0, first }
    }

    /// Whether the next payload is that of the message with this number.
    pub fn is_at(&self, number: u64) -> bool {
        self.taken < self.ends.len() && self.first + self.taken as u64 == number
    }

    /// Takes the next payload, if it is no longer than this: where it stands.
    #[inline]
    pub fn next_within(&mut self, longest: usize) -> Option<Range<usize>> {
        let end = *self.ends.get(self.taken)?;
        let payload = self.start..end;
        if payload.len() > longest {
            return None;
        }
        self.start = end;
        self.taken += 1;
        Some(payload)
    }

    /// Takes the payload of the message with this number, if it is the next.
    pub fn take(&mut self, number: u64) -> Option<Bytes> {
        let is_next = self.is_at(number);
        let payload = self.next_within(usize::MAX).filter(|_| is_next)?;
        Some(self.head.payload.slice(payload))
    }

    /// Drops all payloads.
    pub fn clear(&mut self) {
        self.ends.clear();
        self.taken = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_taken_in_order() {
        let head = Publish { payload: Bytes::from_static(b"abbc"), ..Publish::default() };
        let mut run = FilledRun::new(head, vec![1, 3, 3, 4], 7);
        assert!(run.is_at(7) && !run.is_at(8));
        assert_eq!(run.next_within(1), Some(0..1));
        assert_eq!(run.next_within(1), None, "it is longer");
        assert_eq!(run.take(8), Some(Bytes::from_static(b"bb")));
        assert_eq!(run.next_within(0), Some(3..3));
        assert_eq!(run.take(11), None, "it is that of another message");
        assert_eq!((run.next_within(9), run.is_at(11)), (None, false));
    }
}
