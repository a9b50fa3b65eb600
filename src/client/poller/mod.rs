//! The one place that waits: for the socket, for signals, and for what threads that may block
//! (dialling, input, output, commands) post.
//!
//! Everything in it is bounded: the socket is read into a fixed number of chunks that come back
//! only when they were understood, input is read a block at a time on request, and output is
//! counted.

mod socket_reader;
mod waker;

use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::Event;
use crate::signals::Signals;
use crate::transport;
use crate::transport::dial::{DialError, Dialled, Dialling, Route};
use crate::transport::wire::Chunk;
use socket_reader::SocketReader;
use waker::Waker;

/// After this time a run no longer counts as short: the guard thread is cheap by comparison.
const SHORT_RUN: Duration = Duration::from_millis(50);

/// What ended a wait.
#[derive(Debug)]
pub enum Wake {
    /// Something of the current connection.
    Socket(SocketEvent),
    /// Something that has nothing to do with a connection.
    Local(Event),
    /// SIGINT, SIGTERM or SIGHUP came.
    Signal(i32),
}

/// The life of one TCP connection.
#[derive(Debug)]
pub enum SocketEvent {
    /// A line for the log about dialling.
    Note(String),
    /// It stands, or it does not.
    Dialled(Result<Dialled, DialError>),
    /// Bytes came.
    Bytes(Chunk),
    /// Nothing more will come.
    End(Option<io::Error>),
    /// The socket takes more of what waits to be written.
    Writable,
}

/// Where a block of input comes from: blocks until it is there, `None` at the end.
pub type Source = Box<dyn FnMut() -> io::Result<Option<Bytes>> + Send>;

/// What another thread has posted. News of dialling counts only for the latest connection.
#[derive(Debug)]
enum Notice {
    Socket(u64, SocketEvent),
    Local(Event),
}

/// With this other threads tell the client what they did.
#[derive(Debug, Clone)]
pub struct Remote {
    sender: Sender<Notice>,
    waker: Arc<Waker>,
}

impl Remote {
    /// Everything up to message `number` is written and flushed.
    pub fn written(&self, number: u64) {
        self.post(Notice::Local(Event::Written(number)));
    }

    /// Nothing more can be written.
    pub fn output_failed(&self, error: io::Error) {
        self.post(Notice::Local(Event::OutputFailed(error)));
    }

    /// The caller has something to look at.
    pub fn wake(&self) {
        self.post(Notice::Local(Event::Woken));
    }

    fn post(&self, notice: Notice) {
        // Without a receiver the main thread has ended, and nothing could be done about it.
        let _ = self.sender.send(notice);
        self.waker.wake();
    }
}

/// With this the dialling thread tells how it goes.
struct DialReport {
    connection: u64,
    remote: Remote,
    /// Notes are wanted.
    log: bool,
}

impl DialReport {
    fn tell(&self, event: SocketEvent) {
        self.remote.post(Notice::Socket(self.connection, event));
    }

    fn note(&self, line: fmt::Arguments<'_>) {
        if self.log {
            self.tell(SocketEvent::Note(line.to_string()));
        }
    }
}

/// Why `poll` returned.
enum Ready {
    /// The socket can be read, or has ended.
    Readable,
    /// The socket can be written to.
    Writable,
    /// Something may have been posted.
    Posted,
    /// The deadline has passed.
    Late,
}

/// Waits for the socket, for signals and for other threads.
#[derive(Debug)]
pub struct Poller {
    remote: Remote,
    receiver: Receiver<Notice>,
    signals: Signals,
    since: Instant,
    connection: u64,
    /// The socket of the current connection.
    reader: Option<SocketReader>,
    /// What the socket was last ready for was writing: then reading has its turn.
    was_writing: bool,
    permits: Option<Sender<()>>,
    /// What was found when we were about to sleep.
    found: Option<Notice>,
}

impl Poller {
    /// From now on signals are noticed. A `brief` caller tells by [`Poller::guard`] when it is
    /// about to do something that may not end.
    pub fn new(brief: bool) -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel();
        let waker = Arc::new(Waker::new()?);
        let signals = Signals::new(waker.writer())?;
        if !brief {
            signals.guard();
        }
        let remote = Remote { sender, waker };
        let (since, found) = (Instant::now(), None);
        Ok(Self {
            remote,
            receiver,
            signals,
            since,
            connection: 0,
            reader: None,
            was_writing: false,
            permits: None,
            found,
        })
    }

    /// From now on a signal ends the process even when this thread hangs.
    pub fn guard(&self) {
        self.signals.guard();
    }

    /// For threads that write or run commands.
    pub fn remote(&self) -> Remote {
        self.remote.clone()
    }

    /// Begins a new connection; a thread of its own dials as soon as there is anything to wait for.
    /// News of earlier ones is dropped.
    pub fn dial(
        &mut self,
        options: &transport::Options,
        route: Arc<Route>,
        deadline: Instant,
    ) -> io::Result<()> {
        self.connection += 1;
        self.reader = None;
        let report =
            DialReport { connection: self.connection, remote: self.remote(), log: options.log };
        let mut dialling =
            Dialling::new(options.endpoint.clone(), route, options.tls.clone(), deadline);
        if let Some(dialled) = dialling.begin(&|line| report.note(line)) {
            report.tell(SocketEvent::Dialled(dialled));
            return Ok(());
        }
        spawn("dial", move || {
            let dialled = dialling.finish(&|line| report.note(line));
            report.tell(SocketEvent::Dialled(dialled));
        })
    }

    /// Gives a chunk back: as long as all are in use, the socket is not read.
    pub fn recycle(&mut self, chunk: Chunk) {
        if let Some(line) = &mut self.reader {
            line.recycle(chunk);
        }
    }

    /// Starts a thread that reads from `source`, a block for each [`Poller::request_input`].
    pub fn attach_input(&mut self, mut source: Source) -> io::Result<()> {
        let (permits, granted) = mpsc::channel();
        self.permits = Some(permits);
        let remote = self.remote();
        spawn("input", move || {
            for () in granted {
                let block = source();
                let failed = block.is_err();
                remote.post(Notice::Local(Event::Input(block)));
                if failed {
                    return;
                }
            }
        })
    }

    /// Asks for one more block of input.
    pub fn request_input(&self) {
        if let Some(permits) = &self.permits {
            // After a failure the thread is gone, and its last notice said so.
            let _ = permits.send(());
        }
    }

    /// Waits until something happens, until `deadline` at the most; when `writing` also for the
    /// moment when the socket takes something.
    pub fn wait(&mut self, deadline: Option<Instant>, writing: bool) -> Option<Wake> {
        if self.since.elapsed() >= SHORT_RUN {
            self.guard();
        }
        loop {
            if let Some(wake) = self.posted() {
                return Some(wake);
            }
            let woken = self.watch(deadline, writing);
            self.was_writing = matches!(woken, Ready::Writable);
            match woken {
                Ready::Readable => return Some(Wake::Socket(self.reader.as_mut()?.read())),
                Ready::Writable => return Some(Wake::Socket(SocketEvent::Writable)),
                Ready::Posted => {}
                Ready::Late => return None,
            }
        }
    }

    /// What was posted, if anything was.
    fn posted(&mut self) -> Option<Wake> {
        if let Some(signal) = self.signals.take() {
            return Some(Wake::Signal(signal));
        }
        loop {
            match self.found.take().or_else(|| self.receiver.try_recv().ok())? {
                Notice::Local(event) => return Some(Wake::Local(event)),
                Notice::Socket(connection, event) if connection == self.connection => {
                    return Some(Wake::Socket(self.connected(event)));
                }
                Notice::Socket(..) => {}
            }
        }
    }

    /// From now on a connection that stands is read.
    fn connected(&mut self, mut event: SocketEvent) -> SocketEvent {
        if let SocketEvent::Dialled(Ok(dialled)) = &mut event {
            self.reader = Some(SocketReader::new(dialled));
        }
        event
    }

    /// The connection is given up: nothing of it counts any more.
    pub fn hang_up(&mut self) {
        self.connection += 1;
        self.reader = None;
    }

    /// Sleeps until the socket has something for us, something was posted, or the time is up.
    fn watch(&mut self, deadline: Option<Instant>, writing: bool) -> Ready {
        let readable = self.reader.as_ref().filter(|line| line.has_room());
        if readable.is_some_and(SocketReader::is_ready) {
            return Ready::Readable;
        }
        let mut interest = PollFlags::empty();
        interest.set(PollFlags::IN, readable.is_some());
        interest.set(PollFlags::OUT, writing);
        let socket =
            self.reader.as_ref().filter(|_| !interest.is_empty()).map(SocketReader::socket);
        let waker = &self.remote.waker;
        waker.before_sleep();
        // What was posted until now did not ring.
        self.found = self.receiver.try_recv().ok();
        let woken = match &self.found {
            Some(_) => Ready::Posted,
            None => sleep(waker, socket, interest, deadline, !self.was_writing),
        };
        waker.after_sleep();
        woken
    }
}

/// One `poll`; an interrupted one is a false alarm. A socket that can be read and written is
/// written when `write_first`.
fn sleep(
    waker: &Waker,
    socket: Option<BorrowedFd<'_>>,
    interest: PollFlags,
    deadline: Option<Instant>,
    write_first: bool,
) -> Ready {
    let timeout = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    // A time that is too long to be told is no limit.
    let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
    let other = socket.unwrap_or(waker.fd());
    let mut ends = [
        PollFd::from_borrowed_fd(waker.fd(), PollFlags::IN),
        PollFd::from_borrowed_fd(other, interest),
    ];
    let count = 1 + usize::from(socket.is_some());
    match poll(&mut ends[..count], timeout.as_ref()) {
        Ok(0) => Ready::Late,
        Ok(_) if ends[0].revents().is_empty() => {
            let writable =
                ends[1].revents().contains(PollFlags::OUT) || !interest.contains(PollFlags::IN);
            let readable = interest.contains(PollFlags::IN) && ends[1].revents() != PollFlags::OUT;
            if writable && (write_first || !readable) { Ready::Writable } else { Ready::Readable }
        }
        Ok(_) => {
            waker.drain();
            Ready::Posted
        }
        // EINTR; with good descriptors there is nothing else.
        Err(_) => Ready::Posted,
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(body).map(drop)
}
