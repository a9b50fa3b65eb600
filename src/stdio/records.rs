//! The records of `pub -l` and `--json`: blocks of whole records, and the records of a block.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;

use bytes::Bytes;
use memchr::{memchr, memrchr};

use super::stdin::{BLOCK, Blocks, LONGEST_READ, too_large};

/// How many blocks are remembered, to use their memory again: with 65,535 messages unacknowledged,
/// the most that MQTT has packet identifiers for, they hold records of 24 bytes.
const GIVEN: usize = 24;

/// Reads blocks that end with a delimiter (but for the last one), so that no record is cut.
#[derive(Debug)]
pub struct Records<R> {
    reader: R,
    delimiter: u8,
    maximum: usize,
    /// The bytes that are read at once.
    block: usize,
    rest: Vec<u8>,
    /// The latest blocks, the oldest first: their memory is used again when no message holds them
    /// any more. Fresh memory costs a page fault for every 4 KiB.
    given: VecDeque<Bytes>,
    ended: bool,
}

impl<R: Blocks> Records<R> {
    /// Records of at most `maximum` bytes from `reader`, which is read in blocks of `block` bytes.
    pub fn new(reader: R, delimiter: u8, maximum: usize, block: usize) -> Self {
        Self {
            reader,
            delimiter,
            maximum,
            block,
            rest: Vec::new(),
            given: VecDeque::new(),
            ended: false,
        }
    }

    /// The next block of whole records; `None` at the end.
    pub fn next_block(&mut self) -> io::Result<Option<Bytes>> {
        while !self.ended {
            let known = self.rest.len();
            if self.rest.capacity() - known < self.block / 2 {
                // Blocks grow with what they hold, so that a long record is read in few steps.
                self.rest.reserve_exact((known / 2).clamp(self.block, LONGEST_READ));
            }
            if self.reader.read_more(&mut self.rest)? == 0 {
                self.ended = true;
            } else if let Some(last) = memrchr(self.delimiter, &self.rest[known..]) {
                return Ok(Some(self.split(known + last + 1)));
            } else if self.rest.len() > self.maximum {
                return Err(too_large("a line", self.maximum));
            }
        }
        let length = self.rest.len();
        Ok((length > 0).then(|| self.split(length)))
    }

    /// The first `length` bytes as a block. A record keeps its whole block alive until it is
    /// acknowledged: a short block must not hold a long buffer.
    fn split(&mut self, length: usize) -> Bytes {
        if length < BLOCK / 4 {
            let block = Bytes::copy_from_slice(&self.rest[..length]);
            self.rest.drain(..length);
            return block;
        }
        let mut rest = self.used_again();
        rest.extend_from_slice(&self.rest[length..]);
        let mut block = std::mem::replace(&mut self.rest, rest);
        block.truncate(length);
        let is_usual = block.capacity() <= 2 * self.block;
        let block = Bytes::from(block);
        if is_usual && self.given.len() < GIVEN {
            self.given.push_back(block.clone());
        }
        block
    }

    /// The memory of the oldest block, if that is no longer in use.
    fn used_again(&mut self) -> Vec<u8> {
        if !self.given.front().is_some_and(Bytes::is_unique) {
            return Vec::new();
        }
        let oldest = self.given.pop_front().and_then(|oldest| oldest.try_into_mut().ok());
        let mut memory = oldest.map_or_else(Vec::new, Vec::from);
        memory.clear();
        memory
    }
}

/// The records of one block, without their delimiters; a last record without one counts, too.
#[derive(Debug, Default, Clone)]
pub struct Block {
    bytes: Bytes,
    delimiter: u8,
    /// Where the next record begins.
    at: usize,
}

impl Block {
    /// The records of `bytes`.
    pub fn new(bytes: Bytes, delimiter: u8) -> Self {
        Self { bytes, delimiter, at: 0 }
    }

    /// Whether no record is left.
    pub fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// How many bytes of it were not taken.
    pub fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// All of it, also the records that were taken.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Takes the next record, if it is no longer than this: where it stands.
    #[inline]
    pub fn next_within(&mut self, longest: usize) -> Option<Range<usize>> {
        let rest = &self.bytes[self.at..];
        let (length, taken) = match memchr(self.delimiter, rest) {
            Some(end) => (end, end + 1),
            None if rest.is_empty() => return None,
            None => (rest.len(), rest.len()),
        };
        if length > longest {
            return None;
        }
        let record = self.at..self.at + length;
        self.at += taken;
        Some(record)
    }

    /// The record that was taken last, which stands there, is the next once more.
    pub fn put_back(&mut self, record: &Range<usize>) {
        self.at = record.start;
    }
}

impl Iterator for Block {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        self.next_within(usize::MAX).map(|record| self.bytes.slice(record))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    /// Gives its bytes in pieces of the given size.
    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let n = self.1.min(self.0.len()).min(buffer.len());
            buffer[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    impl Blocks for Pieces<'_> {
        fn read_more(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
            let mut piece = vec![0; buffer.capacity() - buffer.len()];
            let count = self.read(&mut piece)?;
            buffer.extend_from_slice(&piece[..count]);
            Ok(count)
        }
    }

    fn lines(text: &[u8], piece: usize) -> Vec<Vec<u8>> {
        let mut records = Records::new(Pieces(text, piece), b'\n', 1000, BLOCK);
        let mut lines = Vec::new();
        while let Some(block) = records.next_block().expect("reading from memory") {
            lines.extend(Block::new(block, b'\n').map(|line| line.to_vec()));
        }
        lines
    }

    #[test]
    fn lines_are_the_same_however_they_arrive() {
        let text = b"one\n\ntwo \xff\0\nlast";
        let expected: Vec<Vec<u8>> =
            vec![b"one".into(), b"".into(), b"two \xff\0".into(), b"last".into()];
        for piece in 1..=text.len() {
            assert_eq!(lines(text, piece), expected, "in pieces of {piece}");
        }
    }

    #[test]
    fn an_ending_newline_is_not_another_line() {
        assert_eq!(lines(b"one\n", 2), vec![b"one".to_vec()]);
        assert_eq!(lines(b"\n", 1), vec![b"".to_vec()]);
        assert_eq!(lines(b"", 1), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let endless = vec![b'x'; 200_000];
        let error = Records::new(Pieces(&endless, 1000), b'\n', 100_000, BLOCK)
            .next_block()
            .expect_err("too long");
        assert_eq!(error.to_string(), "a line has more than 100000 bytes");
    }
}
