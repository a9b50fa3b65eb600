//! The lowest layer of a connection: the bytes that were read from the socket, and the socket to
//! write to. A read never blocks, a write only for a moment.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, BufRead, IoSlice, Read, Write};
use std::net::Shutdown;
use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use socket2::Socket;

/// A reusable buffer. The reader of the socket fills it, [`Wire`] empties it.
pub struct Chunk {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Chunk {
    /// An empty chunk of up to `capacity` bytes. They are zeroed once, here.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { buffer: vec![0; capacity].into_boxed_slice(), start: 0, end: 0 }
    }

    /// Replaces the content by the result of one read; 0 is the end of the stream. An interrupted
    /// read is repeated.
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

    /// The size of the chunk in bytes.
    pub fn capacity(&self) -> usize {
        self.buffer.len()
    }

    /// The bytes that were not taken yet.
    pub fn unread(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chunk({} of {})", self.end - self.start, self.buffer.len())
    }
}

/// The target of a [`Wire`]: a socket in the program, a vector in the tests.
pub trait Outlet: Write + Send {
    /// Closes one or both directions.
    fn shut(&mut self, how: Shutdown);

    /// From now on the end of the socket is a reset.
    fn end_by_reset(&mut self) {}
}

/// Nothing is written any more.
impl Outlet for io::Sink {
    fn shut(&mut self, _: Shutdown) {}
}

/// A socket that its reader and its writer share.
#[derive(Clone, Debug)]
pub struct SharedSocket(Arc<Socket>);

impl From<Socket> for SharedSocket {
    fn from(socket: Socket) -> Self {
        Self(Arc::new(socket))
    }
}

impl Deref for SharedSocket {
    type Target = Socket;

    fn deref(&self) -> &Socket {
        &self.0
    }
}

impl Read for SharedSocket {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        (&*self.0).read(target)
    }
}

impl Write for SharedSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self.0).write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self.0).write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Outlet for SharedSocket {
    fn shut(&mut self, how: Shutdown) {
        // It fails only if the connection has already ended.
        let _ = self.0.shutdown(how);
    }

    fn end_by_reset(&mut self) {
        // A Unix socket has no reset: there the other side sees an end.
        let _ = self.0.set_linger(Some(Duration::ZERO));
    }
}

/// How many emptied chunks are kept, to be filled again.
const SPENT_LIMIT: usize = 64;

/// How long one write may wait for a peer that does not read. The rest is then kept for later.
pub const WRITE_TURN: Duration = Duration::from_millis(20);

/// Nothing is read while this many bytes wait to be written, because the answers would have to
/// wait, too.
const BACKLOG_LIMIT: usize = 64 * 1024;

/// The delivered bytes and the socket.
///
/// A write takes all bytes. Those that the socket does not take within [`WRITE_TURN`] wait in a
/// backlog, which [`Wire::push`] writes. Callers should not write while there is a backlog
/// ([`Wire::is_congested`]).
///
/// A write never returns an error to the layers above. The first failure is stored
/// ([`Wire::write_error`]) and later bytes are discarded, so that those layers continue to read.
/// The last bytes of a peer that has closed the connection (an HTTP 400, a TLS alert, a DISCONNECT)
/// explain more than "broken pipe".
pub struct Wire {
    inbox: VecDeque<Chunk>,
    spent: Vec<Chunk>,
    stream_state: StreamState,
    outlet: Box<dyn Outlet>,
    write_error: Option<io::Error>,
    /// The bytes to write before any others.
    backlog: BytesMut,
    /// The time since which the socket has taken none of the backlog.
    stuck_since: Option<Instant>,
}

/// The state of the bytes that are read from the socket.
#[derive(Debug)]
enum StreamState {
    /// More may be delivered.
    Open,
    /// The stream has ended.
    Ended,
    /// The last read failed with this error, which is not reported yet.
    Failed(io::Error),
}

impl StreamState {
    /// The result of a read without delivered bytes. An error is returned once.
    fn read_at_end(&mut self) -> io::Result<&'static [u8]> {
        if let Self::Open = self {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        match std::mem::replace(self, Self::Ended) {
            Self::Failed(error) => Err(error),
            Self::Open | Self::Ended => Ok(&[]),
        }
    }
}

impl Wire {
    /// A wire without delivered bytes.
    pub fn new(outlet: impl Outlet + 'static) -> Self {
        Self {
            inbox: VecDeque::new(),
            spent: Vec::new(),
            stream_state: StreamState::Open,
            outlet: Box::new(outlet),
            write_error: None,
            backlog: BytesMut::new(),
            stuck_since: None,
        }
    }

    /// Gives the socket up: it is reset as soon as its reader has given it up, too.
    pub fn reset(&mut self) {
        self.outlet.end_by_reset();
        // A shutdown would end the connection in order.
        self.outlet = Box::new(io::sink());
    }

    /// Delivers bytes that were read from the socket.
    pub fn deliver(&mut self, chunk: Chunk) {
        if chunk.unread().is_empty() {
            self.recycle(chunk);
        } else {
            self.inbox.push_back(chunk);
        }
    }

    /// Delivers the end of the stream, with the error of the last read if there was one.
    pub fn end(&mut self, error: Option<io::Error>) {
        self.stream_state = error.map_or(StreamState::Ended, StreamState::Failed);
    }

    /// An emptied chunk, to be filled again.
    pub fn take_spent(&mut self) -> Option<Chunk> {
        self.spent.pop()
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

    fn recycle(&mut self, chunk: Chunk) {
        if self.spent.len() < SPENT_LIMIT {
            self.spent.push(chunk);
        }
    }

    /// Whether bytes wait to be written.
    pub fn is_congested(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// The time since which the socket has taken nothing, while bytes wait.
    pub fn stuck_since(&self) -> Option<Instant> {
        self.stuck_since
    }

    /// Writes as much of the backlog as the socket takes within [`WRITE_TURN`].
    pub fn push(&mut self) {
        let mut backlog = std::mem::take(&mut self.backlog);
        let taken = self.write_once(|outlet| outlet.write(&backlog));
        backlog.advance(taken);
        if self.write_error.is_some() || backlog.is_empty() {
            self.stuck_since = None;
            return;
        }
        self.backlog = backlog;
        if taken > 0 {
            self.stuck_since = Some(Instant::now());
        }
    }

    /// Discards the backlog, as if a write had timed out.
    pub fn give_up(&mut self) {
        self.write_error.get_or_insert_with(|| io::ErrorKind::TimedOut.into());
        self.backlog.clear();
        self.stuck_since = None;
    }

    /// Adds bytes to the backlog.
    fn add_to_backlog(&mut self, bytes: &[u8]) {
        if self.write_error.is_none() && !bytes.is_empty() {
            self.stuck_since.get_or_insert_with(Instant::now);
            self.backlog.extend_from_slice(bytes);
        }
    }

    /// Runs one write and returns how many bytes it took. An error is stored.
    fn write_once(&mut self, mut write: impl FnMut(&mut dyn Outlet) -> io::Result<usize>) -> usize {
        while self.write_error.is_none() {
            match write(&mut *self.outlet) {
                Ok(0) => self.write_error = Some(io::ErrorKind::WriteZero.into()),
                Ok(count) => return count,
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    // On Unix, EAGAIN means the write time-out of the socket.
                    io::ErrorKind::WouldBlock => return 0,
                    _ => self.write_error = Some(error),
                },
            }
        }
        0
    }
}

impl BufRead for Wire {
    /// The next delivered bytes. `WouldBlock` if there are none, or if the backlog is too long. At
    /// the end zero bytes, or the error of the last read.
    #[inline]
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.backlog.len() >= BACKLOG_LIMIT {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        match self.inbox.front() {
            Some(chunk) => Ok(chunk.unread()),
            None => self.stream_state.read_at_end(),
        }
    }

    #[inline]
    fn consume(&mut self, count: usize) {
        let Some(chunk) = self.inbox.front_mut() else { return };
        chunk.start += count;
        if chunk.unread().is_empty()
            && let Some(chunk) = self.inbox.pop_front()
        {
            self.recycle(chunk);
        }
    }
}

impl Read for Wire {
    /// The same bytes, copied.
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(target)?;
        self.consume(count);
        Ok(count)
    }
}

impl Write for Wire {
    /// Takes all bytes: the layers above would otherwise move the rest of their buffer each time.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        let mut until = None;
        while self.backlog.is_empty() && !rest.is_empty() {
            let taken = self.write_once(|outlet| outlet.write(rest));
            rest = &rest[taken..];
            // A write that took only part of the bytes has waited. Many of them must not wait for
            // long.
            if taken == 0 || (!rest.is_empty() && is_over(&mut until)) {
                break;
            }
        }
        self.add_to_backlog(rest);
        Ok(bytes.len())
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let all = slices.iter().map(|slice| slice.len()).sum();
        let may_write = self.backlog.is_empty() && all > 0;
        let mut taken =
            if may_write { self.write_once(|outlet| outlet.write_vectored(slices)) } else { 0 };
        for slice in slices {
            let of_this = taken.min(slice.len());
            taken -= of_this;
            self.add_to_backlog(&slice[of_this..]);
        }
        Ok(all)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.write_error.is_none()
            && let Err(error) = self.outlet.flush()
        {
            self.write_error = Some(error);
        }
        Ok(())
    }
}

/// Whether the turn that began with the first call is over.
fn is_over(until: &mut Option<Instant>) -> bool {
    let now = Instant::now();
    now >= *until.get_or_insert(now + WRITE_TURN)
}

impl Drop for Wire {
    /// The reader holds the socket, too: only a shutdown ends the connection at once.
    fn drop(&mut self) {
        self.outlet.shut(Shutdown::Both);
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire")
            .field("inbox", &self.inbox)
            .field("stream_state", &self.stream_state)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub mod tests;
