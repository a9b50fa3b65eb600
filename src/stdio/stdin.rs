//! stdin and other input that is read from its beginning to its end.

use std::fs::File;
use std::io::{self, Read, Stdin};

use bytes::{Bytes, BytesMut};
use rustix::buffer::spare_capacity;
use rustix::io::Errno;

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
    io::Error::new(io::ErrorKind::InvalidData, format!("{what} has more than {maximum} bytes"))
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
    }
}
