//! The last bytes that were read: tungstenite hides which code a Close frame had when that is none. It must
//! never take part in anything else.

use std::io::{self, Read, Write};

use crate::transport::stream::Stream;

/// A Close frame of a server has so many bytes at most (RFC 6455 §5.5).
const LONGEST: usize = 2 + 125;

/// See the module.
#[derive(Debug, Default)]
pub struct Last(Vec<u8>);

impl Last {
    /// `stream`, watched.
    pub fn of<'a>(&'a mut self, stream: &'a mut Stream) -> Watched<'a> {
        Watched { last: self, stream }
    }

    /// The code of the Close frame that was read last.
    pub fn close_code(&self) -> Option<u16> {
        let bytes = &self.0;
        (0..bytes.len()).find_map(|at| match bytes[at..] {
            [0x88, length, high, low, ..] if usize::from(length) + 2 == bytes.len() - at => {
                Some(u16::from_be_bytes([high, low]))
            }
            _ => None,
        })
    }

    fn note(&mut self, bytes: &[u8]) {
        let new = &bytes[bytes.len().saturating_sub(LONGEST)..];
        let old = self.0.len().saturating_sub(LONGEST - new.len());
        self.0.drain(..old);
        self.0.extend_from_slice(new);
    }
}

/// A stream whose last bytes are noted.
pub struct Watched<'a> {
    last: &'a mut Last,
    stream: &'a mut Stream,
}

impl Read for Watched<'_> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(target)?;
        self.last.note(&target[..count]);
        Ok(count)
    }
}

impl Write for Watched<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
