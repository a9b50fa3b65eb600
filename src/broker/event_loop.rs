//! The broker's thread: it waits for all sockets at once, and serves those that are ready.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};
use rustix::io::Errno;

use super::connection::{ServerConnection, Service};
use super::connections::{ConnectionTable, HoldBackStep};
use super::handshake;
use super::limits::{LINGER, Limit, Limits, PATIENCE, SLOW_BYTES};
use super::memory::MemoryLevel;
use super::router::{ConnectionId, NOBODY, Outgoing};
use super::socket::ClientSocket;
use crate::mqtt::packet::Publish;

/// The token of [`StopHandle`].
const STOP: Token = Token(0);
/// The token of the first listener; the others follow.
const LISTENER: usize = 1;
/// The number of the first connection, and its token.
const FIRST: ConnectionId = 8;

/// How many connections are read from, or accepted, before what was received is handed over.
const BURST: usize = 64;

/// How often connections are looked for that hold memory, while there is little.
const RELIEF: Duration = Duration::from_secs(1);

/// Bytes of an incomplete packet that are worth the look.
const INCOMPLETE_BYTES: usize = 4096;

/// How long the loop waits before it accepts again when that has failed.
const PAUSE: Duration = Duration::from_millis(20);

/// Stops the loop from another thread.
#[derive(Debug, Clone)]
pub struct StopHandle {
    waker: Arc<Waker>,
    is_stopping: Arc<AtomicBool>,
}

impl StopHandle {
    /// Stops the loop within two seconds.
    pub fn stop(&self) {
        self.is_stopping.store(true, SeqCst);
        // It fails only when the loop is gone already.
        let _ = self.waker.wake();
    }
}

/// What is known of the connections that wait to be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Accepting {
    /// There are none.
    Idle,
    /// There may be some.
    Due,
    /// The last attempt failed; the next is made at this time.
    Failed(Instant),
    /// None is accepted any more.
    Stopped,
}

/// The loop.
pub struct EventLoop {
    poll: Poll,
    stop: StopHandle,
    /// When the loop ends, whatever waits.
    ends_at: Option<Instant>,
    listeners: Vec<TcpListener>,
    accepting: Accepting,
    next_id: ConnectionId,
    limits: Limits,
    /// When connections that hold memory are looked for, while there is little.
    relief_at: Option<Instant>,
    service: Service,
    connections: ConnectionTable,
}

impl EventLoop {
    /// A loop that accepts the connections of a few listeners, within these limits.
    pub fn new(
        mut listeners: Vec<TcpListener>,
        limits: Limits,
        service: Service,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), STOP)?);
        for (index, listener) in listeners.iter_mut().enumerate() {
            poll.registry().register(listener, Token(LISTENER + index), Interest::READABLE)?;
        }
        Ok(Self {
            poll,
            stop: StopHandle { waker, is_stopping: Arc::default() },
            ends_at: None,
            listeners,
            accepting: Accepting::Idle,
            next_id: FIRST,
            limits,
            relief_at: None,
            service,
            connections: ConnectionTable::default(),
        })
    }

    /// What stops it.
    pub fn stop_handle(&self) -> StopHandle {
        self.stop.clone()
    }

    /// Serves until it is stopped; returns the retained messages.
    pub fn run(mut self) -> Vec<Publish> {
        self.serve();
        self.service.router.retained_messages(Instant::now())
    }

    fn serve(&mut self) {
        let mut events = Events::with_capacity(1024);
        self.service.router.start(Instant::now());
        loop {
            let now = Instant::now();
            if self.is_over(now) {
                return self.summarise_refusals(None);
            }
            match self.poll.poll(&mut events, self.longest_wait(now)) {
                Ok(()) => self.turn(&events, Instant::now()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    return self.service.log.warn(&format!("waiting for clients: {error}"));
                }
            }
        }
    }

    /// Tells of the refusals that got no line, if that is due at `now`; with `None` it is due.
    fn summarise_refusals(&mut self, now: Option<Instant>) {
        if let Some(line) = self.service.refusals.summary(now) {
            self.service.log.warn(&line);
        }
    }

    /// Whether nothing is left to do after the stop.
    fn is_over(&self, now: Instant) -> bool {
        self.ends_at.is_some_and(|at| at <= now || self.connections.is_empty())
    }

    /// How long nothing is due, if nothing comes.
    fn longest_wait(&self, now: Instant) -> Option<Duration> {
        if self.connections.has_work() || self.service.router.has_work() {
            return Some(Duration::ZERO);
        }
        let accept_at = match self.accepting {
            Accepting::Due => Some(now),
            Accepting::Failed(until) => Some(until),
            Accepting::Idle | Accepting::Stopped => None,
        };
        let (alarm, deadline) = (self.connections.next_alarm(), self.service.router.deadline());
        let refusals = self.service.refusals.deadline();
        let due = [alarm, deadline, accept_at, refusals, self.relief_at, self.ends_at];
        due.into_iter().flatten().min().map(|at| at.saturating_duration_since(now))
    }

    /// Does everything that can be done without waiting, but not too much of one thing.
    fn turn(&mut self, events: &Events, now: Instant) {
        for event in events {
            self.note(event, now);
        }
        self.accept(now);
        for _ in 0..self.connections.line().min(BURST) {
            if let Some(id) = self.connections.next_to_read() {
                self.read(id, now);
            }
        }
        self.relieve(now);
        self.service.router.tick(now);
        self.summarise_refusals(Some(now));
        while let Some(id) = self.connections.due(now) {
            self.look_after(id, now);
        }
        self.hand_over(now);
        for id in self.connections.take_to_write() {
            self.write(id, now);
        }
    }

    /// Notes what the system reports.
    fn note(&mut self, event: &mio::event::Event, now: Instant) {
        let id = match event.token() {
            STOP => return self.begin_to_stop(now),
            Token(id) if (id as ConnectionId) < FIRST => {
                if self.accepting != Accepting::Stopped {
                    self.accepting = Accepting::Due;
                }
                return;
            }
            Token(id) => id as ConnectionId,
        };
        let Some(connection) = self.connections.get_mut(id) else { return };
        let is_writable = event.is_writable() && connection.is_blocked();
        let has_end = event.is_read_closed() || event.is_error();
        if event.is_readable() || has_end {
            connection.set_readable(has_end);
            self.connections.queue_read(id);
        }
        if is_writable {
            self.connections.queue_write(id);
        }
    }

    /// Ends every connection; those that have not been upgraded are not told.
    fn begin_to_stop(&mut self, now: Instant) {
        if !self.stop.is_stopping.load(SeqCst) || self.ends_at.is_some() {
            return;
        }
        self.ends_at = Some(now + LINGER + LINGER / 4);
        self.accepting = Accepting::Stopped;
        self.service.router.stop(now);
        for id in self.connections.before_upgrade() {
            self.close(id, now);
        }
    }

    /// Reads once from a connection.
    fn read(&mut self, id: ConnectionId, now: Instant) {
        let memory = self.measure_memory();
        let Some(connection) = self.connections.get_mut(id) else { return };
        connection.read(&mut self.service, now);
        if memory == MemoryLevel::Out && connection.incomplete() >= INCOMPLETE_BYTES {
            self.service.router.out_of_memory(id, now);
        }
        if connection.has_to_write() {
            self.connections.queue_write(id);
        }
        self.connections.queue_read(id);
    }

    fn measure_memory(&mut self) -> MemoryLevel {
        let level = MemoryLevel::now(self.limits.get(Limit::Memory));
        self.connections.memory = level;
        self.service.router.set_memory(level);
        level
    }

    /// While there is little memory, ends the connections that hold some for a packet and have
    /// stopped sending it.
    fn relieve(&mut self, now: Instant) {
        if self.measure_memory() < MemoryLevel::Low {
            self.relief_at = None;
        } else if self.relief_at.is_none_or(|at| at <= now) {
            self.relief_at = Some(now + RELIEF);
            for id in self.connections.with_incomplete(INCOMPLETE_BYTES) {
                self.service.router.end_if_silent(id, PATIENCE, now);
            }
        }
    }

    /// Hands the packets and ends that the router has to the connections.
    fn hand_over(&mut self, now: Instant) {
        let Self { service, connections, .. } = self;
        let mut slow = Vec::new();
        service.router.drain(|outgoing| {
            let Outgoing { connection: id, packets, unsent, end, hold_back_for } = outgoing;
            let Some(connection) = connections.get_mut(id) else { return packets.clear() };
            connection.post(packets, unsent);
            if let Some(reason) = end {
                connection.end(reason, now);
            }
            connections.queue_write(id);
            slow.extend(hold_back_for.map(|subscriber| (id, subscriber)));
        });
        for (publisher, subscriber) in slow {
            if subscriber == NOBODY {
                self.connections.pause(publisher, now);
                continue;
            }
            let step = self.connections.hold_back(publisher, subscriber, now);
            self.obey(step);
        }
        for warning in self.service.router.warnings() {
            self.service.log.warn(&warning);
        }
        for note in self.service.router.notes() {
            self.service.log.note(|| note);
        }
    }

    /// Writes what waits for a connection, and closes it when nothing is left to do.
    fn write(&mut self, id: ConnectionId, now: Instant) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        connection.write(&mut self.service, now);
        if connection.is_over() {
            return self.close(id, now);
        }
        self.connections.watch_closing(id);
        self.connections.queue_read(id);
        if self.connections.has_publishers(id) && self.service.router.backlog(id) <= SLOW_BYTES / 2
        {
            self.connections.release_publishers(id);
        }
    }

    /// Closes the socket of a connection.
    fn close(&mut self, id: ConnectionId, now: Instant) {
        self.service.router.lost(id, now);
        if let Some(mut connection) = self.connections.remove(id) {
            connection.tell_end(&self.service.log);
        }
    }

    /// Does what is due for one connection.
    fn look_after(&mut self, id: ConnectionId, now: Instant) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        if connection.closes_at().is_some_and(|at| at <= now) {
            return self.close(id, now);
        }
        if connection.is_before_upgrade() {
            connection.refuse(&handshake::too_late(), &mut self.service, now);
            return self.connections.queue_write(id);
        }
        let step = self.connections.review(id, now);
        self.obey(step);
    }

    fn obey(&mut self, step: HoldBackStep) {
        if let HoldBackStep::GoOn(stuck) = step {
            self.service.router.set_stuck(stuck);
        }
    }
}

/// Connections that come.
impl EventLoop {
    /// Accepts the connections that wait, a burst of them.
    fn accept(&mut self, now: Instant) {
        match self.accepting {
            Accepting::Due => {}
            Accepting::Failed(until) if until <= now => {}
            _ => return,
        }
        let mut accepting = Accepting::Idle;
        for index in 0..self.listeners.len() {
            match self.accept_at(index, now) {
                Ok(Accepting::Idle) => {}
                Ok(due) => accepting = due,
                Err(error) => return self.fail_to_accept(&error, now),
            }
        }
        self.accepting = accepting;
    }

    /// Accepts a burst of those that wait at one listener; returns whether more may wait.
    fn accept_at(&mut self, index: usize, now: Instant) -> io::Result<Accepting> {
        for _ in 0..BURST {
            match self.listeners[index].accept() {
                Ok((socket, address)) => self.begin(socket, address, now),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Accepting::Idle),
                Err(error) if is_of_one(&error) => {}
                Err(error) if is_lack_of_descriptors(&error) && self.make_room(now) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Accepting::Due)
    }

    fn fail_to_accept(&mut self, error: &io::Error, now: Instant) {
        if !matches!(self.accepting, Accepting::Failed(_)) {
            let count = self.connections.len();
            let advice = if is_lack_of_descriptors(error) { "; raise `ulimit -n`" } else { "" };
            self.service.log.warn(&format!(
                "no more clients can connect, {count} are connected: {error}{advice}"
            ));
        }
        self.accepting = Accepting::Failed(now + PAUSE);
    }

    /// Begins to serve a connection.
    fn begin(&mut self, mut socket: TcpStream, address: SocketAddr, now: Instant) {
        let id = self.next_id;
        self.next_id += 1;
        if let Err(error) = self.register(id, &mut socket) {
            return self.service.log.note(|| format!("{address} failed at once: {error}"));
        }
        let is_full =
            self.connections.len() >= self.limits.get(Limit::Connections) && !self.make_room(now);
        let max_packet = self.limits.get(Limit::Packet);
        let socket = match self.protect(socket) {
            Ok(socket) => socket,
            Err(error) => {
                return self.service.log.note(|| format!("{address} failed at once: {error}"));
            }
        };
        let mut connection = ServerConnection::new(id, socket, address, max_packet)
            .deviating(&self.service.deviations);
        if is_full {
            connection.refuse(&handshake::busy(), &mut self.service, now);
            self.connections.queue_write(id);
        }
        self.connections.insert(id, connection, now + PATIENCE);
    }

    /// The socket of a new connection, with TLS if it is spoken.
    fn protect(&self, socket: TcpStream) -> io::Result<ClientSocket> {
        let Some(tls) = &self.service.tls else { return Ok(ClientSocket::plain(socket)) };
        let state = tls.connection().map_err(io::Error::other)?;
        Ok(ClientSocket::secure(socket, state))
    }

    fn register(&self, id: ConnectionId, socket: &mut TcpStream) -> io::Result<()> {
        socket.set_nodelay(true)?;
        let token = Token(usize::try_from(id).map_err(io::Error::other)?);
        self.poll.registry().register(socket, token, Interest::READABLE | Interest::WRITABLE)
    }

    /// Closes the oldest connection whose client has not sent CONNECT, so that connections that say
    /// nothing do not lock clients out. False if there is none.
    fn make_room(&mut self, now: Instant) -> bool {
        let oldest = self.connections.oldest_newcomer();
        if let Some(id) = oldest {
            self.close(id, now);
        }
        oldest.is_some()
    }
}

/// Whether accepting failed because of the connection that waited first.
fn is_of_one(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted)
}

/// Whether accepting failed because the process, or the system, has no descriptors left.
fn is_lack_of_descriptors(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE))
}
