//! The one place that waits. Threads that may block (socket, input, output, signals) post here; the main
//! thread takes one piece of mail at a time and never waits for anything else.
//!
//! Everything in it is bounded: the socket thread reads into a fixed number of chunks that come back to it
//! only when they were understood, input is read a block at a time on request, and output is counted.

use std::io::{self, Cursor, Read};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::transport;
use crate::transport::dial::{self, DialError, Dialled, Route};
use crate::transport::wire::Chunk;

/// How many chunks the socket thread may fill before the main thread has understood one.
const CHUNKS: usize = 4;

/// How large a chunk is, in bytes.
const CHUNK: usize = 64 * 1024;

/// How long it may take to obey a signal. Only a socket that takes nothing any more needs longer, and then
/// there is nothing left that waiting could save.
const OBEDIENCE: Duration = Duration::from_secs(5);

/// What the threads have to say.
#[derive(Debug)]
pub enum Mail {
    /// From the socket thread of the current connection.
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
    /// It stands, or it does not.
    Dialled(Result<Dialled, DialError>),
    /// Bytes came.
    Bytes(Chunk),
    /// Nothing more will come.
    End(Option<io::Error>),
}

/// Where a block of input comes from: blocks until it is there, `None` at the end.
pub type Source = Box<dyn FnMut() -> io::Result<Option<Bytes>> + Send>;

/// Mail as it travels: what a socket says counts only while its connection is the current one.
#[derive(Debug)]
enum Envelope {
    Socket(u64, SocketMail),
    Other(Mail),
}

/// What an output thread tells us with.
#[derive(Debug, Clone)]
pub struct Postbox(Sender<Envelope>);

impl Postbox {
    /// Everything up to message `number` is written and flushed.
    pub fn written(&self, number: u64) {
        self.post(Mail::Written(number));
    }

    /// Nothing more can be written.
    pub fn output_failed(&self, error: io::Error) {
        self.post(Mail::OutputFailed(error));
    }

    /// The caller has something to look at.
    pub fn wake(&self) {
        self.post(Mail::Woken);
    }

    fn post(&self, mail: Mail) {
        // Without a receiver the main thread is gone, and so is everything that could be done about it.
        let _ = self.0.send(Envelope::Other(mail));
    }
}

/// See the module.
#[derive(Debug)]
pub struct Mailbox {
    sender: Sender<Envelope>,
    receiver: Receiver<Envelope>,
    connection: u64,
    spent: Option<Sender<Chunk>>,
    permits: Option<Sender<()>>,
}

impl Mailbox {
    /// A mailbox in which signals arrive from now on.
    pub fn new() -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel();
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let postbox = Postbox(sender.clone());
        spawn("signals", move || {
            for (count, signal) in signals.forever().enumerate() {
                if count > 0 {
                    // The first one is being dealt with, too slowly for the user.
                    signal_hook::low_level::exit(128 + signal);
                }
                postbox.post(Mail::Signal(signal));
                // Without this thread it takes a second signal; that is no reason to fail.
                let _ = spawn("obedience", move || {
                    thread::sleep(OBEDIENCE);
                    signal_hook::low_level::exit(128 + signal);
                });
            }
        })?;
        Ok(Self { sender, receiver, connection: 0, spent: None, permits: None })
    }

    /// Where an output thread posts.
    pub fn postbox(&self) -> Postbox {
        Postbox(self.sender.clone())
    }

    /// Begins a new connection in a thread of its own, which dials and then reads. What the threads of
    /// earlier connections still say is dropped.
    pub fn dial(
        &mut self,
        options: &transport::Options,
        route: Arc<Route>,
        deadline: Instant,
    ) -> io::Result<()> {
        self.connection += 1;
        let (spent, chunks) = mpsc::channel();
        self.spent = Some(spent);
        let (connection, sender) = (self.connection, self.sender.clone());
        let (endpoint, tls) = (options.endpoint.clone(), options.tls.clone());
        spawn("socket", move || {
            let tell = |mail| sender.send(Envelope::Socket(connection, mail)).is_ok();
            let mut dialled = dial::dial(&endpoint, &route, tls.as_ref(), deadline);
            let reader = dialled.as_mut().ok().map(|dialled| {
                let early = Cursor::new(std::mem::take(&mut dialled.early));
                dialled.socket.try_clone().map(|socket| early.chain(socket))
            });
            if tell(SocketMail::Dialled(dialled))
                && let Some(reader) = reader
            {
                tell(SocketMail::End(reader.and_then(|reader| read(reader, &chunks, tell)).err()));
            }
        })
    }

    /// Gives a chunk back to the socket thread.
    pub fn recycle(&self, chunk: Chunk) {
        if let Some(spent) = &self.spent {
            // The thread ends with its connection; then nobody needs the chunk.
            let _ = spent.send(chunk);
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
                postbox.post(Mail::Input(block));
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

    /// Waits for the next piece of mail, until `deadline` at the most.
    pub fn wait(&self, deadline: Option<Instant>) -> Option<Mail> {
        loop {
            let envelope = match deadline {
                None => self.receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(deadline) => {
                    self.receiver.recv_timeout(deadline.saturating_duration_since(Instant::now()))
                }
            };
            match envelope {
                Ok(Envelope::Other(mail)) => return Some(mail),
                Ok(Envelope::Socket(connection, mail)) if connection == self.connection => {
                    return Some(Mail::Socket(mail));
                }
                Ok(Envelope::Socket(..)) => {}
                Err(_) => return None,
            }
        }
    }
}

/// Reads until the end, as long as there are chunks to read into.
fn read(
    mut stream: impl Read,
    chunks: &Receiver<Chunk>,
    tell: impl Fn(SocketMail) -> bool,
) -> io::Result<()> {
    let mut made = 0;
    loop {
        let mut chunk = match chunks.try_recv() {
            Ok(chunk) => chunk,
            // Most connections never need more than one or two.
            Err(TryRecvError::Empty) if made < CHUNKS => {
                made += 1;
                Chunk::with_capacity(CHUNK)
            }
            Err(_) => match chunks.recv() {
                Ok(chunk) => chunk,
                Err(_) => return Ok(()),
            },
        };
        if chunk.fill_from(&mut stream)? == 0 || !tell(SocketMail::Bytes(chunk)) {
            return Ok(());
        }
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(body).map(drop)
}
