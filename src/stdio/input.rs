//! Where messages to publish come from: blocks of whole records, read in a thread of their own.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Stdin};
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use memchr::{memchr, memrchr};
use rustix::buffer::spare_capacity;
use rustix::io::Errno;

/// How much is read at once, in bytes.
pub const BLOCK: usize = 64 * 1024;

/// The same from a file, which fills it: each block costs two switches between threads.
pub const FILE_BLOCK: usize = 4 * BLOCK;

/// The most that is read at once for a long record, in bytes. What a pipe does not fill is zeroed
/// in vain.
const LONGEST_READ: usize = 4 * BLOCK;

/// How many blocks are remembered, to use their memory again: as many as hold 65,535 short records.
const GIVEN: usize = 24;

/// What blocks are read from.
pub trait Blocks {
    /// Appends what one read gives, as much as fits into the capacity of `buffer`; 0 is the end.
    fn read_more(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize>;
}

impl Blocks for Stdin {
    /// Past the buffer of the standard library, and into memory that nobody has zeroed: that would
    /// cost a tenth of a stream of short lines.
    fn read_more(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        match rustix::io::retry_on_intr(|| rustix::io::read(&*self, spare_capacity(buffer))) {
            // Nothing can be read from where `nohup` leads it; the standard library takes that for
            // its end.
            Err(Errno::BADF) => Ok(0),
            result => Ok(result?),
        }
    }
}

/// Reads blocks that end with a delimiter (but for the last one), so that no record is cut.
#[derive(Debug)]
pub struct Records<R> {
    reader: R,
    delimiter: u8,
    maximum: usize,
    /// How much is read at once.
    block: usize,
    rest: Vec<u8>,
    /// The latest blocks, the oldest first: when nobody else holds them, their memory is used
    /// again. Fresh memory costs a page fault for every 4 KiB.
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

/// How many bytes stdin still has, if it is a file.
pub fn length_of_stdin() -> Option<u64> {
    use std::io::Seek;
    use std::os::fd::AsFd;
    let mut file = File::from(io::stdin().as_fd().try_clone_to_owned().ok()?);
    let metadata = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    Some(metadata.len().saturating_sub(file.stream_position().ok()?))
}

/// Everything up to the end, as one message of at most `maximum` bytes.
pub fn read_whole(mut reader: impl Read, maximum: usize) -> io::Result<Bytes> {
    let mut whole = BytesMut::new();
    while read_more(&mut reader, &mut whole)? > 0 {
        if whole.len() > maximum {
            return Err(too_large("the message", maximum));
        }
    }
    Ok(whole.freeze())
}

/// The records of one block, without their delimiters; a last record without one counts, too.
#[derive(Debug, Default)]
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
}

impl Iterator for Block {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        self.next_within(usize::MAX).map(|record| self.bytes.slice(record))
    }
}

/// Appends what one read gives; blocks grow with what they hold, so that a long message is read in
/// few steps.
fn read_more(reader: &mut impl Read, buffer: &mut BytesMut) -> io::Result<usize> {
    let known = buffer.len();
    buffer.resize(known + (known / 2).clamp(BLOCK, LONGEST_READ), 0);
    let read = loop {
        match reader.read(&mut buffer[known..]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => break result,
        }
    };
    buffer.truncate(known + read.as_ref().copied().unwrap_or(0));
    read
}

fn too_large(what: &str, maximum: usize) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what} has more than {maximum} bytes"))
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn the_whole_input_is_one_message_up_to_the_maximum() {
        assert_eq!(read_whole(Pieces(b"a\nb\n", 3), 4).expect("fits"), "a\nb\n");
        let error = read_whole(Pieces(b"a\nb\nc", 3), 4).expect_err("too long");
        assert_eq!(error.to_string(), "the message has more than 4 bytes");
    }
}
