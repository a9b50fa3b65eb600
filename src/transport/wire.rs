//! The lowest layer: bytes that another thread has read, and the socket that we write to. A read never
//! blocks, a write does. It must never know whether TLS or plain WebSocket is spoken above it.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;

use socket2::Socket;

/// A reusable buffer: filled by the thread that reads the socket, emptied by [`Wire`], then filled again.
pub struct Chunk {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Chunk {
    /// An empty chunk that holds up to `capacity` bytes. They are zeroed once, here.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { buffer: vec![0; capacity].into_boxed_slice(), start: 0, end: 0 }
    }

    /// Replaces the content by the result of one read; 0 is the end of the stream. An interrupted read is
    /// repeated.
    pub fn fill_from(&mut self, source: &mut impl Read) -> io::Result<usize> {
        (self.start, self.end) = (0, 0);
        loop {
            match source.read(&mut self.buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => {
                    self.end = result?;
                    return Ok(self.end);
                }
            }
        }
    }

    /// The bytes not yet taken.
    pub fn unread(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Moves as many bytes as fit into `target`.
    fn take(&mut self, target: &mut [u8]) -> usize {
        let count = target.len().min(self.end - self.start);
        target[..count].copy_from_slice(&self.buffer[self.start..self.start + count]);
        self.start += count;
        count
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chunk({} of {})", self.end - self.start, self.buffer.len())
    }
}

/// Where a [`Wire`] writes: a socket in the program, a vector in the tests.
pub trait Outlet: Write + Send {
    /// Closes one or both directions; both wakes the thread that reads.
    fn shut(&mut self, how: Shutdown);
}

impl Outlet for Socket {
    fn shut(&mut self, how: Shutdown) {
        // It fails only when the connection is already gone.
        let _ = self.shutdown(how);
    }
}

/// How many emptied chunks are kept for the reading thread.
const SPENT_LIMIT: usize = 64;

/// The inbox and the socket.
///
/// Writing never reports an error to the layers above: a failed write is remembered ([`Wire::write_error`])
/// and everything after it is discarded, so that those layers go on reading. What the peer said before it
/// hung up (an HTTP 400, a TLS alert, a DISCONNECT) tells more than "broken pipe".
pub struct Wire {
    inbox: VecDeque<Chunk>,
    spent: Vec<Chunk>,
    ended: bool,
    end_error: Option<io::Error>,
    outlet: Box<dyn Outlet>,
    write_error: Option<io::Error>,
}

impl Wire {
    /// A wire with an empty inbox.
    pub fn new(outlet: impl Outlet + 'static) -> Self {
        Self {
            inbox: VecDeque::new(),
            spent: Vec::new(),
            ended: false,
            end_error: None,
            outlet: Box::new(outlet),
            write_error: None,
        }
    }

    /// Appends bytes that arrived.
    pub fn deliver(&mut self, chunk: Chunk) {
        if chunk.unread().is_empty() {
            self.keep(chunk);
        } else {
            self.inbox.push_back(chunk);
        }
    }

    /// Marks the end of what arrives: an orderly one, or the error of the last read.
    pub fn end(&mut self, error: Option<io::Error>) {
        self.ended = true;
        self.end_error = error;
    }

    /// An emptied chunk, to be filled again.
    pub fn take_spent(&mut self) -> Option<Chunk> {
        self.spent.pop()
    }

    /// Everything that was delivered and will not be read, so that the reading thread can go on.
    pub fn abandon(&mut self) -> impl Iterator<Item = Chunk> + '_ {
        self.inbox.drain(..).chain(self.spent.drain(..))
    }

    /// The first write that failed; a time-out has kind `TimedOut`.
    pub fn write_error(&self) -> Option<&io::Error> {
        self.write_error.as_ref()
    }

    /// The next bytes that a read would return.
    pub fn peek(&self) -> &[u8] {
        self.inbox.front().map_or(&[], Chunk::unread)
    }

    /// Tells the peer that nothing more will be written.
    pub fn finish(&mut self) {
        self.outlet.shut(Shutdown::Write);
    }

    fn keep(&mut self, chunk: Chunk) {
        if self.spent.len() < SPENT_LIMIT {
            self.spent.push(chunk);
        }
    }

    /// Runs one write; an error is remembered and turned into success with `all` bytes.
    fn attempt(&mut self, all: usize, mut write: impl FnMut(&mut dyn Outlet) -> io::Result<usize>) -> usize {
        while self.write_error.is_none() {
            match write(&mut *self.outlet) {
                Ok(0) if all > 0 => self.write_error = Some(io::ErrorKind::WriteZero.into()),
                Ok(count) => return count,
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    // On Unix the write time-out of a socket is EAGAIN; above us that would mean "later".
                    io::ErrorKind::WouldBlock => self.write_error = Some(io::ErrorKind::TimedOut.into()),
                    _ => self.write_error = Some(error),
                },
            }
        }
        all
    }
}

impl Read for Wire {
    /// Bytes of the inbox; `WouldBlock` when it is empty, 0 or the error at the end.
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let Some(chunk) = self.inbox.front_mut() else {
            return match self.end_error.take() {
                Some(error) => Err(error),
                None if self.ended => Ok(0),
                None => Err(io::ErrorKind::WouldBlock.into()),
            };
        };
        let count = chunk.take(target);
        if chunk.unread().is_empty()
            && let Some(chunk) = self.inbox.pop_front()
        {
            self.keep(chunk);
        }
        Ok(count)
    }
}

impl Write for Wire {
    /// Writes everything, blocking: the layers above would otherwise move the rest of their buffer each time.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = 0;
        while written < bytes.len() {
            let rest = &bytes[written..];
            written += self.attempt(rest.len(), |outlet| outlet.write(rest));
        }
        Ok(written)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let all = slices.iter().map(|slice| slice.len()).sum();
        Ok(self.attempt(all, |outlet| outlet.write_vectored(slices)))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.attempt(0, |outlet| outlet.flush().map(|()| 0));
        Ok(())
    }
}

impl Drop for Wire {
    /// The reading thread holds a clone of the socket: only a shutdown wakes it.
    fn drop(&mut self) {
        self.outlet.shut(Shutdown::Both);
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("inbox", &self.inbox).field("ended", &self.ended).finish_non_exhaustive()
    }
}

#[cfg(test)]
pub mod tests;
