//! What a client waits for beside its socket: signals, and what its threads (dialling, input,
//! output, commands) post.
//!
//! Everything in it is bounded: input is read a block at a time on request, and the other threads
//! post one event for each thing that they were given to do.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::Event;
use super::credentials::{CommandGuard, CredentialSource, FreshCredentials};
use super::lifecycle::AddressOrder;
use crate::signals::{QuitWatch, Signals};
use crate::transport;
use crate::transport::dial::{DialError, Dialled, Dialling, Route, Turn};
use crate::transport::endpoint::Endpoint;
use crate::transport::poll::{Poller, Ready, SocketEvent, Waker};
use crate::transport::wire::Chunk;

/// After this time a run no longer counts as short: the thread that ends a process that hangs is
/// cheap by comparison.
const SHORT_RUN: Duration = Duration::from_millis(50);

/// What ended a wait.
#[derive(Debug)]
pub enum Wake {
    /// The dialling of the current connection.
    Dial(DialEvent),
    /// The socket of the current connection.
    Socket(SocketEvent),
    /// Something that has nothing to do with a connection.
    Local(Event),
    /// SIGINT, SIGTERM or SIGHUP came.
    Signal(i32),
}

/// How the dialling of a connection goes.
#[derive(Debug)]
pub enum DialEvent {
    /// A line for the log.
    Note(String),
    /// The credentials that were asked for, or why there are none.
    Fetched(Box<Result<FreshCredentials, String>>),
    /// There is a TCP connection, or why there is none.
    Dialled(Result<Dialled, DialError>),
}

/// Where a block of input comes from: blocks until it is there, `None` at the end.
pub type Source = Box<dyn FnMut() -> io::Result<Option<Bytes>> + Send>;

/// What another thread has posted. Events of dialling count only for the latest connection.
#[derive(Debug)]
enum Posted {
    Dial(u64, DialEvent),
    Local(Event),
}

/// What other threads report to the client with.
#[derive(Debug, Clone)]
pub struct Remote {
    sender: Sender<Posted>,
    waker: Arc<Waker>,
}

impl Remote {
    /// Everything up to message `number` is written and flushed.
    pub fn written(&self, number: u64) {
        self.post(Posted::Local(Event::Written(number)));
    }

    /// Nothing more can be written.
    pub fn output_failed(&self, error: io::Error) {
        self.post(Posted::Local(Event::OutputFailed(error)));
    }

    /// The caller has something to look at.
    pub fn wake(&self) {
        self.post(Posted::Local(Event::Woken));
    }

    fn post(&self, posted: Posted) {
        // Without a receiver the main thread has ended, and nothing could be done about it.
        let _ = self.sender.send(posted);
        self.waker.wake();
    }
}

/// What the dialling thread reports with.
struct DialReporter {
    connection: u64,
    remote: Remote,
    /// Whether the log wants to know how the dialling goes.
    log: bool,
}

impl DialReporter {
    fn report(&self, event: DialEvent) {
        self.remote.post(Posted::Dial(self.connection, event));
    }

    fn note(&self, line: fmt::Arguments<'_>) {
        if self.log {
            self.report(DialEvent::Note(line.to_string()));
        }
    }
}

/// Waits for the socket, for signals and for other threads.
#[derive(Debug)]
pub struct EventQueue {
    poller: Poller,
    remote: Remote,
    receiver: Receiver<Posted>,
    signals: Signals,
    quit: Option<QuitWatch>,
    since: Instant,
    /// Counts the connections that were dialled or given up.
    connection: u64,
    /// Where the latest connection led to.
    latest: Option<SocketAddr>,
    /// Where those of the latest try led to.
    tried: Vec<SocketAddr>,
    permits: Option<Sender<()>>,
    /// Ends the commands that are asked for credentials.
    commands: Option<CommandGuard>,
    /// What was found immediately before a wait.
    found: Option<Posted>,
}

impl EventQueue {
    /// From now on signals are noticed. A `brief` caller calls [`EventQueue::guard`] when it is
    /// about to do something that may not end.
    pub fn new(brief: bool) -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel();
        let poller = Poller::new()?;
        let signals = Signals::new(poller.waker().writer())?;
        if !brief {
            signals.guard();
        }
        let remote = Remote { sender, waker: Arc::clone(poller.waker()) };
        let (since, quit, permits, found) = (Instant::now(), None, None, None);
        let (connection, commands, latest) = (0, None, None);
        Ok(Self {
            poller,
            remote,
            receiver,
            signals,
            quit,
            since,
            connection,
            latest,
            tried: Vec::new(),
            permits,
            commands,
            found,
        })
    }

    /// From now on SIGQUIT is reported as [`Event::Woken`].
    pub fn watch_quit(&mut self) -> io::Result<()> {
        self.quit = Some(QuitWatch::begin(self.poller.waker().writer())?);
        Ok(())
    }

    /// From now on a signal ends the process even when this thread hangs.
    pub fn guard(&self) {
        self.signals.guard();
    }

    /// See [`Signals::leave`].
    pub fn leave_signals(&mut self) {
        self.signals.leave();
    }

    /// See [`Signals::extend`].
    pub fn extend_end(&self, more: Duration) {
        self.signals.extend(more);
    }

    /// For threads that write or run commands.
    pub fn remote(&self) -> Remote {
        self.remote.clone()
    }

    /// Begins a new connection; a thread of its own dials as soon as there is anything to wait for.
    /// Events of earlier connections are dropped.
    pub fn dial(
        &mut self,
        options: &transport::Options,
        route: Arc<Route>,
        deadline: Instant,
        order: AddressOrder,
    ) -> io::Result<()> {
        self.end_connection();
        let turn = self.turn(order);
        let reporter =
            DialReporter { connection: self.connection, remote: self.remote(), log: options.log };
        let mut dialling =
            Dialling::new(options.endpoint.clone(), route, options.tls.clone(), deadline)
                .in_turn(turn);
        if let Some(dialled) = dialling.begin(&|line| reporter.note(line)) {
            reporter.report(DialEvent::Dialled(dialled));
            return Ok(());
        }
        spawn("dial", move || {
            let dialled = dialling.finish(&|line| reporter.note(line));
            reporter.report(DialEvent::Dialled(dialled));
        })
    }

    fn turn(&mut self, order: AddressOrder) -> Turn {
        match order {
            AddressOrder::First | AddressOrder::NextInTurn => self.tried.clear(),
            AddressOrder::Same | AddressOrder::Untried => {}
        }
        match (order, self.latest) {
            (AddressOrder::First, _) | (_, None) => Turn::AsResolved,
            (AddressOrder::NextInTurn, Some(latest)) => Turn::After(latest),
            (AddressOrder::Same, Some(latest)) => Turn::From(latest),
            (AddressOrder::Untried, Some(_)) => Turn::Without(self.tried.clone()),
        }
    }

    /// Asks for the credentials of this server in a thread of its own.
    #[cold]
    #[inline(never)]
    pub fn fetch(&mut self, source: &CredentialSource, endpoint: Endpoint) -> io::Result<()> {
        let (request, guard) = source.request(endpoint);
        self.commands = Some(guard);
        let (connection, remote) = (self.connection, self.remote());
        spawn("credentials", move || {
            let fetched = DialEvent::Fetched(Box::new(request.run()));
            remote.post(Posted::Dial(connection, fetched));
        })
    }

    /// The connection is given up: nothing of it counts any more.
    pub fn end_connection(&mut self) {
        self.connection += 1;
        self.commands = None;
        self.poller.detach();
    }

    /// Takes a chunk to fill it again: as long as all are in use, the socket is not read.
    pub fn recycle(&mut self, chunk: Chunk) {
        self.poller.recycle(chunk);
    }

    /// Starts a thread that reads from `source`, a block for each [`EventQueue::request_input`].
    pub fn attach_input(&mut self, mut source: Source) -> io::Result<()> {
        let (permits, granted) = mpsc::channel();
        self.permits = Some(permits);
        let remote = self.remote();
        spawn("input", move || {
            for () in granted {
                let block = source();
                let failed = block.is_err();
                remote.post(Posted::Local(Event::Input(block)));
                if failed {
                    return;
                }
            }
        })
    }

    /// Asks for one more block of input.
    pub fn request_input(&self) {
        if let Some(permits) = &self.permits {
            // After a failure the thread has ended, and its last event has reported that.
            let _ = permits.send(());
        }
    }

    /// Waits until something happens, until `deadline` at the most; when `writing` also until the
    /// socket takes something.
    pub fn wait(&mut self, deadline: Option<Instant>, writing: bool) -> Option<Wake> {
        if self.since.elapsed() >= SHORT_RUN {
            self.guard();
        }
        loop {
            if let Some(wake) = self.posted() {
                return Some(wake);
            }
            let (receiver, found) = (&self.receiver, &mut self.found);
            let is_posted = || {
                *found = receiver.try_recv().ok();
                found.is_some()
            };
            match self.poller.wait(deadline, writing, is_posted) {
                Ready::Socket(event) => return Some(Wake::Socket(event)),
                Ready::Posted => {}
                Ready::Late => return None,
            }
        }
    }

    /// Waits for two clients of one thread: what each of them has to do, which is nothing when
    /// `deadline` has passed.
    pub fn wait_for_two(
        queues: [&mut Self; 2],
        deadline: Option<Instant>,
        writing: [bool; 2],
    ) -> [Option<Wake>; 2] {
        let [first, second] = queues;
        first.guard();
        second.guard();
        loop {
            let posted = [first.posted(), second.posted()];
            if posted.iter().any(Option::is_some) {
                return posted;
            }
            let (one, two) = (&first.receiver, &second.receiver);
            let (found_one, found_two) = (&mut first.found, &mut second.found);
            let is_posted = || {
                *found_one = one.try_recv().ok();
                *found_two = two.try_recv().ok();
                found_one.is_some() || found_two.is_some()
            };
            let pollers = [&mut first.poller, &mut second.poller];
            let ready = Poller::wait_for_two(pollers, deadline, writing, is_posted);
            let is_posted = ready.iter().any(|ready| matches!(ready, Ready::Posted));
            let wakes = ready.map(|ready| match ready {
                Ready::Socket(event) => Some(Wake::Socket(event)),
                Ready::Posted | Ready::Late => None,
            });
            if !is_posted || wakes.iter().any(Option::is_some) {
                return wakes;
            }
        }
    }

    /// What was posted, if anything was.
    fn posted(&mut self) -> Option<Wake> {
        if let Some(signal) = self.signals.take() {
            return Some(Wake::Signal(signal));
        }
        if self.quit.as_ref().is_some_and(QuitWatch::take) {
            return Some(Wake::Local(Event::Woken));
        }
        loop {
            match self.found.take().or_else(|| self.receiver.try_recv().ok())? {
                Posted::Local(event) => return Some(Wake::Local(event)),
                Posted::Dial(connection, mut event) if connection == self.connection => {
                    if let DialEvent::Dialled(Ok(dialled)) = &mut event {
                        self.latest = dialled.reached.address();
                        self.tried.extend(self.latest);
                        self.poller.attach(dialled);
                    }
                    return Some(Wake::Dial(event));
                }
                Posted::Dial(..) => {}
            }
        }
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(body).map(drop)
}
