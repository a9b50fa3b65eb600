//! The one place that waits: for the socket, for signals, and for what threads that may block
//! (dialling, input, output) post here. The main thread takes one piece of mail at a time and never
//! waits for anything else.
//!
//! Everything in it is bounded: the socket is read into a fixed number of chunks that come back
//! only when they were understood, input is read a block at a time on request, and output is
//! counted.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::bell::Bell;
use super::line::Line;
use super::signals::Signals;
use crate::transport;
use crate::transport::dial::{DialError, Dialled, Dialling, Route};
use crate::transport::wire::Chunk;

/// Who has lived for so long is not brief, whatever it meant to be: a thread more does not matter
/// then.
const BRIEF: Duration = Duration::from_millis(50);

/// What there is to know.
#[derive(Debug)]
pub enum Mail {
    /// From the current connection.
    Socket(SocketMail),
    /// The block that was asked for; `None` is the end of the input.
    Input(io::Result<Option<Bytes>>),
    /// The output has written, and flushed, everything up to this message.
    Written(u64),
    /// The output cannot be written; nothing more is.
    OutputFailed(io::Error),
    /// A thread of the caller's has something to tell.
    Woken,
    /// SIGINT or SIGTERM came.
    Signal(i32),
}

/// The life of one TCP connection.
#[derive(Debug)]
pub enum SocketMail {
    /// Something happened on the way that is worth a line of the log.
    Note(String),
    /// It stands, or it does not.
    Dialled(Result<Dialled, DialError>),
    /// Bytes came.
    Bytes(Chunk),
    /// Nothing more will come.
    End(Option<io::Error>),
    /// What waits to be written may be tried.
    Writable,
}

/// Where a block of input comes from: blocks until it is there, `None` at the end.
pub type Source = Box<dyn FnMut() -> io::Result<Option<Bytes>> + Send>;

/// Mail as it travels: what dialling says counts only while nobody has dialled again.
#[derive(Debug)]
enum Envelope {
    Socket(u64, SocketMail),
    Other(Mail),
}

/// What other threads tell us with.
#[derive(Debug, Clone)]
pub struct Postbox {
    sender: Sender<Envelope>,
    bell: Arc<Bell>,
}

impl Postbox {
    /// Everything up to message `number` is written and flushed.
    pub fn written(&self, number: u64) {
        self.post(Envelope::Other(Mail::Written(number)));
    }

    /// Nothing more can be written.
    pub fn output_failed(&self, error: io::Error) {
        self.post(Envelope::Other(Mail::OutputFailed(error)));
    }

    /// The caller has something to look at.
    pub fn wake(&self) {
        self.post(Envelope::Other(Mail::Woken));
    }

    fn post(&self, envelope: Envelope) {
        // Without a receiver the main thread is gone, and so is everything that could be done about
        // it.
        let _ = self.sender.send(envelope);
        self.bell.ring();
    }
}

/// Who dials tells us with it how that goes.
struct Teller {
    connection: u64,
    postbox: Postbox,
    /// Notes are wanted.
    log: bool,
}

impl Teller {
    fn tell(&self, mail: SocketMail) {
        self.postbox.post(Envelope::Socket(self.connection, mail));
    }

    fn note(&self, line: fmt::Arguments<'_>) {
        if self.log {
            self.tell(SocketMail::Note(line.to_string()));
        }
    }
}

/// What ended a wait.
enum Wake {
    /// The socket has something, or its end.
    Line,
    /// The socket takes something.
    Writable,
    /// Something was posted, or it was a false alarm.
    Post,
    /// The deadline has passed.
    Late,
}

/// See the module.
#[derive(Debug)]
pub struct Mailbox {
    postbox: Postbox,
    receiver: Receiver<Envelope>,
    signals: Signals,
    made: Instant,
    connection: u64,
    /// The socket of the current connection.
    line: Option<Line>,
    /// What the socket was last ready for was writing: then reading has its turn.
    wrote: bool,
    permits: Option<Sender<()>>,
    /// What was found when we were about to sleep.
    found: Option<Envelope>,
}

impl Mailbox {
    /// A mailbox in which signals arrive from now on. Who is `brief` tells by [`Mailbox::guard`]
    /// when it is about to do something that may not end.
    pub fn new(brief: bool) -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel();
        let bell = Arc::new(Bell::new()?);
        let signals = Signals::new(bell.rope())?;
        if !brief {
            signals.guard();
        }
        let postbox = Postbox { sender, bell };
        let (made, found) = (Instant::now(), None);
        Ok(Self {
            postbox,
            receiver,
            signals,
            made,
            connection: 0,
            line: None,
            wrote: false,
            permits: None,
            found,
        })
    }

    /// From now on a signal ends the process even when this thread hangs.
    pub fn guard(&self) {
        self.signals.guard();
    }

    /// Where an output thread posts.
    pub fn postbox(&self) -> Postbox {
        self.postbox.clone()
    }

    /// Begins a new connection; a thread of its own dials as soon as there is anything to wait for.
    /// What is left of earlier ones is dropped.
    pub fn dial(
        &mut self,
        options: &transport::Options,
        route: Arc<Route>,
        deadline: Instant,
    ) -> io::Result<()> {
        self.connection += 1;
        self.line = None;
        let teller =
            Teller { connection: self.connection, postbox: self.postbox(), log: options.log };
        let mut dialling =
            Dialling::new(options.endpoint.clone(), route, options.tls.clone(), deadline);
        if let Some(dialled) = dialling.begin(&|line| teller.note(line)) {
            teller.tell(SocketMail::Dialled(dialled));
            return Ok(());
        }
        spawn("dial", move || {
            let dialled = dialling.finish(&|line| teller.note(line));
            teller.tell(SocketMail::Dialled(dialled));
        })
    }

    /// Gives a chunk back: as long as all are in use, the socket is not read.
    pub fn recycle(&mut self, chunk: Chunk) {
        if let Some(line) = &mut self.line {
            line.recycle(chunk);
        }
    }

    /// Starts a thread that reads from `source`, a block for each [`Mailbox::request_input`].
    pub fn attach_input(&mut self, mut source: Source) -> io::Result<()> {
        let (permits, granted) = mpsc::channel();
        self.permits = Some(permits);
        let postbox = self.postbox();
        spawn("input", move || {
            for () in granted {
                let block = source();
                let failed = block.is_err();
                postbox.post(Envelope::Other(Mail::Input(block)));
                if failed {
                    return;
                }
            }
        })
    }

    /// Asks for one more block of input.
    pub fn request_input(&self) {
        if let Some(permits) = &self.permits {
            // After a failure the thread is gone, and its last mail said so.
            let _ = permits.send(());
        }
    }

    /// Waits for the next piece of mail, until `deadline` at the most; when `writing` also for the
    /// moment when the socket takes something.
    pub fn wait(&mut self, deadline: Option<Instant>, writing: bool) -> Option<Mail> {
        if self.made.elapsed() >= BRIEF {
            self.guard();
        }
        loop {
            if let Some(mail) = self.posted() {
                return Some(mail);
            }
            let woken = self.watch(deadline, writing);
            self.wrote = matches!(woken, Wake::Writable);
            match woken {
                Wake::Line => return Some(Mail::Socket(self.line.as_mut()?.read())),
                Wake::Writable => return Some(Mail::Socket(SocketMail::Writable)),
                Wake::Post => {}
                Wake::Late => return None,
            }
        }
    }

    /// What was posted, if anything was.
    fn posted(&mut self) -> Option<Mail> {
        if let Some(signal) = self.signals.take() {
            return Some(Mail::Signal(signal));
        }
        loop {
            match self.found.take().or_else(|| self.receiver.try_recv().ok())? {
                Envelope::Other(mail) => return Some(mail),
                Envelope::Socket(connection, mail) if connection == self.connection => {
                    return Some(Mail::Socket(self.connected(mail)));
                }
                Envelope::Socket(..) => {}
            }
        }
    }

    /// From now on a connection that stands is read.
    fn connected(&mut self, mut mail: SocketMail) -> SocketMail {
        if let SocketMail::Dialled(Ok(dialled)) = &mut mail {
            self.line = Some(Line::new(dialled));
        }
        mail
    }

    /// Sleeps until the socket has something for us, the bell rings, or the time is up.
    fn watch(&mut self, deadline: Option<Instant>, writing: bool) -> Wake {
        let readable = self.line.as_ref().filter(|line| line.has_room());
        if readable.is_some_and(Line::is_ready) {
            return Wake::Line;
        }
        let mut interest = PollFlags::empty();
        interest.set(PollFlags::IN, readable.is_some());
        interest.set(PollFlags::OUT, writing);
        let socket = self.line.as_ref().filter(|_| !interest.is_empty()).map(Line::socket);
        let bell = &self.postbox.bell;
        bell.listen();
        // What was posted until now did not ring.
        self.found = self.receiver.try_recv().ok();
        let woken = match &self.found {
            Some(_) => Wake::Post,
            None => sleep(bell, socket, interest, deadline, !self.wrote),
        };
        bell.rest();
        woken
    }
}

/// One `poll`; an interrupted one is a false alarm. A socket that can be read and written is
/// written when `write_first`.
fn sleep(
    bell: &Bell,
    socket: Option<BorrowedFd<'_>>,
    interest: PollFlags,
    deadline: Option<Instant>,
    write_first: bool,
) -> Wake {
    let timeout = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    // A time that is too long to be told is no limit.
    let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
    let other = socket.unwrap_or(bell.as_fd());
    let mut ends = [PollFd::new(bell, PollFlags::IN), PollFd::from_borrowed_fd(other, interest)];
    let count = 1 + usize::from(socket.is_some());
    match poll(&mut ends[..count], timeout.as_ref()) {
        Ok(0) => Wake::Late,
        Ok(_) if ends[0].revents().is_empty() => {
            let writable =
                ends[1].revents().contains(PollFlags::OUT) || !interest.contains(PollFlags::IN);
            let readable = interest.contains(PollFlags::IN) && ends[1].revents() != PollFlags::OUT;
            if writable && (write_first || !readable) { Wake::Writable } else { Wake::Line }
        }
        Ok(_) => {
            bell.silence();
            Wake::Post
        }
        // EINTR; with good descriptors there is nothing else.
        Err(_) => Wake::Post,
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(body).map(drop)
}
