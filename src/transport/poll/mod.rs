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
        let woken = self.sleep(deadline, writing, is_posted);
        self.found(woken)
    }

    /// Reads the socket, if that can be read.
    #[inline]
    fn found(&mut self, woken: Woken) -> Ready {
        self.latest = woken;
        match (woken, &mut self.reader) {
            (Woken::Readable, Some(reader)) => Ready::Socket(reader.read()),
            (Woken::Writable, _) => Ready::Socket(SocketEvent::Writable),
            (Woken::Posted | Woken::Readable, _) => Ready::Posted,
            (Woken::Late, _) => Ready::Late,
        }
    }

    /// Waits for two pollers of one thread, until `deadline` at the most: what each has found. The
    /// rest is that of [`Poller::wait`].
    pub fn wait_for_two(
        pollers: [&mut Self; 2],
        deadline: Option<Instant>,
        writing: [bool; 2],
        is_posted: impl FnOnce() -> bool,
    ) -> [Ready; 2] {
        let [first, second] = pollers;
        let woken = sleep_in_two([&*first, &*second], deadline, writing, is_posted);
        let [first_woken, second_woken] = woken;
        [first.found(first_woken), second.found(second_woken)]
    }

    fn sleep(
        &self,
        deadline: Option<Instant>,
        writing: bool,
        is_posted: impl FnOnce() -> bool,
    ) -> Woken {
        if self.has_read_ahead() {
            return Woken::Readable;
        }
        let (interest, socket) = self.interest(writing);
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

    /// The reading end, if there is room for what it reads.
    fn readable(&self) -> Option<&SocketReader> {
        self.reader.as_ref().filter(|reader| reader.has_room())
    }

    /// Whether something can be read without waiting.
    #[inline]
    fn has_read_ahead(&self) -> bool {
        self.readable().is_some_and(SocketReader::is_ready)
    }

    /// What the socket is waited for, and the socket, if it is.
    #[inline]
    fn interest(&self, writing: bool) -> (PollFlags, Option<BorrowedFd<'_>>) {
        let mut interest = PollFlags::empty();
        interest.set(PollFlags::IN, self.readable().is_some());
        interest.set(PollFlags::OUT, writing);
        let reader = self.reader.as_ref().filter(|_| !interest.is_empty());
        (interest, reader.map(SocketReader::socket))
    }

    /// What a `poll` has found: at the waker, and at the socket.
    fn judge(&self, interest: PollFlags, ends: [PollFlags; 2]) -> Woken {
        let [posted, ready] = ends;
        if !posted.is_empty() {
            self.waker.drain();
            Woken::Posted
        } else if ready.is_empty() {
            Woken::Late
        } else {
            choose(interest, ready, self.latest != Woken::Writable)
        }
    }
}

/// One `poll` for two pollers.
fn sleep_in_two(
    pollers: [&Poller; 2],
    deadline: Option<Instant>,
    writing: [bool; 2],
    is_posted: impl FnOnce() -> bool,
) -> [Woken; 2] {
    let read_ahead = pollers.map(Poller::has_read_ahead);
    if read_ahead.contains(&true) {
        return read_ahead.map(|is_ready| if is_ready { Woken::Readable } else { Woken::Late });
    }
    let [first, second] = pollers;
    let wanted = [first.interest(writing[0]), second.interest(writing[1])];
    for poller in pollers {
        poller.waker.before_sleep();
    }
    let woken = if is_posted() {
        [Woken::Posted; 2]
    } else {
        poll_all([first, second], wanted, timeout_until(deadline).as_ref())
    };
    for poller in pollers {
        poller.waker.after_sleep();
    }
    woken
}

fn poll_all(
    pollers: [&Poller; 2],
    wanted: [(PollFlags, Option<BorrowedFd<'_>>); 2],
    timeout: Option<&Timespec>,
) -> [Woken; 2] {
    let ends = |at: usize| {
        let waker = pollers[at].waker.fd();
        let (interest, socket) = wanted[at];
        let interest = if socket.is_some() { interest } else { PollFlags::empty() };
        [
            PollFd::from_borrowed_fd(waker, PollFlags::IN),
            PollFd::from_borrowed_fd(socket.unwrap_or(waker), interest),
        ]
    };
    let ([one, two], [three, four]) = (ends(0), ends(1));
    let mut all = [one, two, three, four];
    match poll(&mut all, timeout) {
        Ok(0) => [Woken::Late; 2],
        Ok(_) => {
            let [one, two, three, four] = all.map(|end| end.revents());
            let [first, second] = pollers;
            [first.judge(wanted[0].0, [one, two]), second.judge(wanted[1].0, [three, four])]
        }
        Err(_) => [Woken::Posted; 2],
    }
}

/// A time that is too long for the system is no limit.
#[inline]
fn timeout_until(deadline: Option<Instant>) -> Option<Timespec> {
    let timeout = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    timeout.and_then(|timeout| Timespec::try_from(timeout).ok())
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
    let timeout = timeout_until(deadline);
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
