//! Where messages to publish come from: blocks of whole records, read in a thread of their own.

use std::fs::File;
use std::io::{self, Read};

use bytes::{Bytes, BytesMut};
use memchr::{memchr, memrchr};

/// How much is read at once, in bytes.
const BLOCK: usize = 64 * 1024;

/// The most that is read at once for a long record, in bytes. What a pipe does not fill is zeroed in vain.
const LONGEST_READ: usize = 4 * BLOCK;

/// Reads blocks that end with a delimiter (but for the last one), so that no record is cut.
#[derive(Debug)]
pub struct Records<R> {
    reader: R,
    delimiter: u8,
    maximum: usize,
    rest: BytesMut,
    ended: bool,
}

impl<R: Read> Records<R> {
    /// Records of at most `maximum` bytes from `reader`.
    pub fn new(reader: R, delimiter: u8, maximum: usize) -> Self {
        Self { reader, delimiter, maximum, rest: BytesMut::new(), ended: false }
    }

    /// The next block of whole records; `None` at the end.
    pub fn next_block(&mut self) -> io::Result<Option<Bytes>> {
        while !self.ended {
            let known = self.rest.len();
            if read_more(&mut self.reader, &mut self.rest)? == 0 {
                self.ended = true;
            } else if let Some(last) = memrchr(self.delimiter, &self.rest[known..]) {
                return Ok(Some(compact(self.rest.split_to(known + last + 1))));
            } else if self.rest.len() > self.maximum {
                return Err(too_large("a line", self.maximum));
            }
        }
        let rest = std::mem::take(&mut self.rest);
        Ok((!rest.is_empty()).then(|| compact(rest)))
    }
}

/// How many bytes stdin still has, if it is a file.
#[cfg(unix)]
pub fn length_of_stdin() -> Option<u64> {
    use std::io::Seek;
    use std::os::fd::AsFd;
    let mut file = File::from(io::stdin().as_fd().try_clone_to_owned().ok()?);
    let metadata = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    Some(metadata.len().saturating_sub(file.stream_position().ok()?))
}

/// How many bytes stdin still has: here nobody can tell.
#[cfg(not(unix))]
pub fn length_of_stdin() -> Option<u64> {
    None
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
}

impl Block {
    /// The records of `bytes`.
    pub fn new(bytes: Bytes, delimiter: u8) -> Self {
        Self { bytes, delimiter }
    }

    /// Whether no record is left.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl Iterator for Block {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.bytes.is_empty() {
            return None;
        }
        let Some(end) = memchr(self.delimiter, &self.bytes) else {
            return Some(std::mem::take(&mut self.bytes));
        };
        let mut record = self.bytes.split_to(end + 1);
        record.truncate(end);
        Some(record)
    }
}

/// Appends what one read gives; blocks grow with what they hold, so that a long line is read in few steps.
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

/// A record keeps its whole block alive until it is acknowledged: a short block must not hold a long buffer.
fn compact(block: BytesMut) -> Bytes {
    if block.len() < BLOCK / 4 { Bytes::copy_from_slice(&block) } else { block.freeze() }
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

    fn lines(text: &[u8], piece: usize) -> Vec<Vec<u8>> {
        let mut records = Records::new(Pieces(text, piece), b'\n', 1000);
        let mut lines = Vec::new();
        while let Some(block) = records.next_block().expect("reading from memory") {
            lines.extend(Block::new(block, b'\n').map(|line| line.to_vec()));
        }
        lines
    }

    #[test]
    fn lines_are_the_same_however_they_arrive() {
        let text = b"one\n\ntwo \xff\0\nlast";
        let expected: Vec<Vec<u8>> = vec![b"one".into(), b"".into(), b"two \xff\0".into(), b"last".into()];
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
        let error = Records::new(Pieces(&endless, 1000), b'\n', 100_000).next_block().expect_err("too long");
        assert_eq!(error.to_string(), "a line has more than 100000 bytes");
    }

    #[test]
    fn the_whole_input_is_one_message_up_to_the_maximum() {
        assert_eq!(read_whole(Pieces(b"a\nb\n", 3), 4).expect("fits"), "a\nb\n");
        let error = read_whole(Pieces(b"a\nb\nc", 3), 4).expect_err("too long");
        assert_eq!(error.to_string(), "the message has more than 4 bytes");
    }
}
