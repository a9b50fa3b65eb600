//! stdin and other input that is read from its beginning to its end.

use std::fs::File;
use std::io::{self, Read, Stdin};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use bytes::{Bytes, BytesMut};
use rustix::buffer::spare_capacity;
use rustix::io::Errno;

use crate::format::count::count;

/// How much is read at once, in bytes: what a pipe holds on Linux.
pub const BLOCK: usize = 64 * 1024;

/// The same from a file, which fills it: each block costs two switches between threads.
pub const FILE_BLOCK: usize = 4 * BLOCK;

/// The most that is read at once for a long record, in bytes. What a pipe does not fill is zeroed
/// in vain.
pub const LONGEST_READ: usize = 4 * BLOCK;

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

/// How many bytes stdin still has, if it is a file.
pub fn length_of_stdin() -> Option<u64> {
    use std::io::Seek;
    let mut file = File::from(io::stdin().as_fd().try_clone_to_owned().ok()?);
    let metadata = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    Some(metadata.len().saturating_sub(file.stream_position().ok()?))
}

/// The last record of stdin that is not empty, if stdin is a file and that record is not long.
/// Nothing is taken of what is still to be read.
pub fn last_record(delimiter: u8) -> Option<Vec<u8>> {
    let file = File::from(io::stdin().as_fd().try_clone_to_owned().ok()?);
    let length = file.metadata().ok().filter(std::fs::Metadata::is_file)?.len();
    let from = length.saturating_sub(BLOCK as u64);
    let mut end = vec![0; usize::try_from(length - from).ok()?];
    file.read_exact_at(&mut end, from).ok()?;
    last_of(&end, delimiter, from == 0).map(<[u8]>::to_vec)
}

/// The last record of these bytes that is not empty; it must begin in them, unless they are
/// `everything`.
fn last_of(bytes: &[u8], delimiter: u8, everything: bool) -> Option<&[u8]> {
    let is_content = |byte: &u8| *byte != delimiter && !byte.is_ascii_whitespace();
    let end = bytes.iter().rposition(is_content)? + 1;
    match memchr::memrchr(delimiter, &bytes[..end]) {
        Some(before) => Some(&bytes[before + 1..end]),
        None => everything.then_some(&bytes[..end]),
    }
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

/// The error for input that is too long for one message.
pub fn too_large(what: &str, maximum: usize) -> io::Error {
    let maximum = count(maximum as u64, "byte");
    io::Error::new(io::ErrorKind::InvalidData, format!("{what} has more than {maximum}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_input_is_one_message_up_to_the_maximum() {
        let pieces = |end: &'static [u8]| b"a\nb".chain(end);
        assert_eq!(read_whole(pieces(b"\n"), 4).expect("fits"), "a\nb\n");
        let error = read_whole(pieces(b"\nc"), 4).expect_err("too long");
        assert_eq!(error.to_string(), "the message has more than 4 bytes");
        let error = read_whole(&b"ab"[..], 1).expect_err("too long");
        assert_eq!(error.to_string(), "the message has more than 1 byte");
    }

    #[test]
    fn the_last_record_is_found_from_the_end() {
        for (bytes, everything, expected) in [
            (&b"a\nb\n"[..], true, Some(&b"b"[..])),
            (b"a\nb", false, Some(b"b")),
            (b"a\nb \n\n\n", false, Some(b"b")),
            (b"ab", true, Some(b"ab")),
            (b"ab", false, None),
            (b"\n\n", true, None),
            (b"", true, None),
        ] {
            assert_eq!(last_of(bytes, b'\n', everything), expected, "{bytes:?} {everything}");
        }
    }
}
