//! The wait of a loop: for a socket that can be read or written, for other threads, and for a
//! deadline.
//!
//! The socket is read into a fixed number of chunks that are used again when their bytes were
//! taken: a loop that does not take them does not read.

mod socket_reader;
mod waker;

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::dial::Dialled;
use super::wire::Chunk;
use socket_reader::SocketReader;
pub use waker::Waker;

/// What a socket that was read or can be written to has for its owner.
#[derive(Debug)]
pub enum SocketEvent {
    /// Bytes came.
    Bytes(Chunk),
    /// Nothing more will come.
    End(Option<io::Error>),
    /// The socket takes more of what waits to be written.
    Writable,
}

/// What ended a wait.
#[derive(Debug)]
pub enum Ready {
    /// The socket.
    Socket(SocketEvent),
    /// Another thread may have posted something.
    Posted,
    /// The deadline has passed.
    Late,
}

/// Why `poll` returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Woken {
    Readable,
    Writable,
    Posted,
    Late,
}

/// Waits for one socket and for other threads.
#[derive(Debug)]
pub struct Poller {
    waker: Arc<Waker>,
    /// The socket, as far as it is read.
    reader: Option<SocketReader>,
    /// A socket that can be read and written is read and written in turn.
    latest: Woken,
}

impl Poller {
    /// A poller without a socket.
    pub fn new() -> io::Result<Self> {
        Ok(Self { waker: Arc::new(Waker::new()?), reader: None, latest: Woken::Late })
    }

    /// A poller without a socket, woken by the same waker as others of its thread: one connection
    /// each, waited for in turn.
    pub fn sharing(waker: &Arc<Waker>) -> Self {
        Self { waker: Arc::clone(waker), reader: None, latest: Woken::Late }
    }

    /// What other threads wake this one with.
    pub fn waker(&self) -> &Arc<Waker> {
        &self.waker
    }

    /// From now on this socket is read; what was read of it already comes first.
    pub fn attach(&mut self, dialled: &mut Dialled) {
        self.reader = Some(SocketReader::new(dialled));
    }

    /// From now on there is no socket.
    pub fn detach(&mut self) {
        self.reader = None;
    }

    /// Takes a chunk to fill it again: as long as all are in use, the socket is not read.
    pub fn recycle(&mut self, chunk: Chunk) {
        if let Some(reader) = &mut self.reader {
            reader.recycle(chunk);
        }
    }

    /// Waits until something happens, until `deadline` at the most; when `writing` also until the
    /// socket takes something. Nothing is waited for where `is_posted` finds that another thread
    /// has posted something before it could wake this one.
    pub fn wait(
        &mut self,
        deadline: Option<Instant>,
        writing: bool,
        is_posted: impl FnOnce() -> bool,
    ) -> Ready {
        self.latest = self.sleep(deadline, writing, is_posted);
        match (self.latest, &mut self.reader) {
            (Woken::Readable, Some(reader)) => Ready::Socket(reader.read()),
            (Woken::Writable, _) => Ready::Socket(SocketEvent::Writable),
            (Woken::Posted | Woken::Readable, _) => Ready::Posted,
            (Woken::Late, _) => Ready::Late,
        }
    }

    fn sleep(
        &self,
        deadline: Option<Instant>,
        writing: bool,
        is_posted: impl FnOnce() -> bool,
    ) -> Woken {
        let readable = self.reader.as_ref().filter(|reader| reader.has_room());
        if readable.is_some_and(SocketReader::is_ready) {
            return Woken::Readable;
        }
        let mut interest = PollFlags::empty();
        interest.set(PollFlags::IN, readable.is_some());
        interest.set(PollFlags::OUT, writing);
        let socket =
            self.reader.as_ref().filter(|_| !interest.is_empty()).map(SocketReader::socket);
        self.waker.before_sleep();
        // What was posted until now has not written to the waker.
        let woken = if is_posted() {
            Woken::Posted
        } else {
            poll_both(&self.waker, socket, interest, deadline, self.latest != Woken::Writable)
        };
        self.waker.after_sleep();
        woken
    }
}

/// One `poll`; an interrupted one counts as a post. A socket that can be read and written is
/// written to when `write_first`.
fn poll_both(
    waker: &Waker,
    socket: Option<BorrowedFd<'_>>,
    interest: PollFlags,
    deadline: Option<Instant>,
    write_first: bool,
) -> Woken {
    let timeout = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    // A time that is too long for the system is no limit.
    let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
    let other = socket.unwrap_or(waker.fd());
    let mut ends = [
        PollFd::from_borrowed_fd(waker.fd(), PollFlags::IN),
        PollFd::from_borrowed_fd(other, interest),
    ];
    let count = 1 + usize::from(socket.is_some());
    match poll(&mut ends[..count], timeout.as_ref()) {
        Ok(0) => Woken::Late,
        Ok(_) if ends[0].revents().is_empty() => choose(interest, ends[1].revents(), write_first),
        Ok(_) => {
            waker.drain();
            Woken::Posted
        }
        // EINTR; with good descriptors there is no other error.
        Err(_) => Woken::Posted,
    }
}

/// What to do with a socket that is ready; an error counts as ready for whatever is wanted.
fn choose(interest: PollFlags, ready: PollFlags, write_first: bool) -> Woken {
    let writable = ready.contains(PollFlags::OUT) || !interest.contains(PollFlags::IN);
    let readable = interest.contains(PollFlags::IN) && ready != PollFlags::OUT;
    if writable && (write_first || !readable) { Woken::Writable } else { Woken::Readable }
}
