//! The broker's thread: it waits for all sockets at once, and carries packets between them and the
//! router.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};

use super::connection::{Arrival, Connection, Hold, Settings};
use super::handshake;
use super::limits::{
    CONNECTIONS, HOLD_BACK, LINGER, MESSAGE_BYTES, PATIENCE, READ_BYTES, SLOW_BYTES, STUCK,
};
use super::router::{ConnectionId, EndReason, Outgoing, Router};
use crate::websocket::frame::{GOING_AWAY, NORMAL, PROTOCOL_ERROR};
use crate::websocket::outbound::ServerOutbound;

/// The token of the listener.
const LISTENER: Token = Token(0);
/// The token of [`StopHandle`].
const STOP: Token = Token(1);
/// The number of the first connection, and its token.
const FIRST: ConnectionId = 2;

/// How many connections are read from, or accepted, before what was received is handed over.
const BURST: usize = 64;

/// How long the loop waits before it accepts again when that has failed: most likely there are no
/// descriptors left.
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

/// The loop.
pub struct EventLoop {
    poll: Poll,
    stop: StopHandle,
    /// When the loop ends, whatever waits.
    ends_at: Option<Instant>,
    listener: TcpListener,
    /// When connections are accepted, if some may wait.
    accept_at: Option<Instant>,
    next_id: ConnectionId,
    settings: Settings,
    router: Router,
    connections: HashMap<ConnectionId, Connection>,
    alarms: BTreeSet<(Instant, ConnectionId)>,
    /// Connections that may have something to read.
    to_read: VecDeque<ConnectionId>,
    /// Connections with something to write.
    to_write: Vec<ConnectionId>,
    /// What one read fills.
    buffer: Vec<u8>,
    /// What one write empties.
    frames: ServerOutbound,
}

impl EventLoop {
    /// A loop that accepts the connections of `listener`.
    pub fn new(mut listener: TcpListener, settings: Settings) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), STOP)?);
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let router = Router::new(u32::try_from(settings.max_packet).unwrap_or(u32::MAX));
        Ok(Self {
            poll,
            stop: StopHandle { waker, is_stopping: Arc::default() },
            ends_at: None,
            listener,
            accept_at: None,
            next_id: FIRST,
            settings,
            router,
            connections: HashMap::new(),
            alarms: BTreeSet::new(),
            to_read: VecDeque::new(),
            to_write: Vec::new(),
            buffer: vec![0; READ_BYTES],
            frames: ServerOutbound::new(MESSAGE_BYTES),
        })
    }

    /// What stops it.
    pub fn stop_handle(&self) -> StopHandle {
        self.stop.clone()
    }

    /// Serves until it is stopped.
    pub fn run(mut self) {
        let mut events = Events::with_capacity(1024);
        loop {
            let now = Instant::now();
            if self.is_over(now) {
                return;
            }
            match self.poll.poll(&mut events, self.patience(now)) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => {
                    return self.settings.tell(|| format!("waiting for connections: {error}"));
                }
            }
            self.turn(&events, Instant::now());
        }
    }

    /// Whether nothing is left to do after the stop.
    fn is_over(&self, now: Instant) -> bool {
        self.ends_at.is_some_and(|at| at <= now || self.connections.is_empty())
    }

    /// How long nothing is due, if nothing comes.
    fn patience(&self, now: Instant) -> Option<Duration> {
        if !self.to_read.is_empty() || !self.to_write.is_empty() || self.router.has_output() {
            return Some(Duration::ZERO);
        }
        let alarm = self.alarms.first().map(|(at, _)| *at);
        let due = [alarm, self.router.deadline(), self.accept_at, self.ends_at];
        due.into_iter().flatten().min().map(|at| at.saturating_duration_since(now))
    }

    /// Does everything that can be done without waiting, but not too much of one thing.
    fn turn(&mut self, events: &Events, now: Instant) {
        for event in events {
            self.note(event, now);
        }
        if self.accept_at.is_some_and(|at| at <= now) {
            self.accept(now);
        }
        for _ in 0..self.to_read.len().min(BURST) {
            if let Some(id) = self.to_read.pop_front() {
                self.read(id, now);
            }
        }
        self.router.tick(now);
        self.ring(now);
        self.hand_over(now);
        for id in std::mem::take(&mut self.to_write) {
            self.write(id, now);
        }
    }

    /// Notes what the system reports.
    fn note(&mut self, event: &mio::event::Event, now: Instant) {
        match event.token() {
            LISTENER => self.accept_at = Some(now),
            STOP => self.begin_to_stop(now),
            Token(id) => {
                let id = id as ConnectionId;
                let Some(connection) = self.connections.get_mut(&id) else { return };
                let has_end = event.is_read_closed() || event.is_error();
                if event.is_readable() || has_end {
                    connection.set_readable(has_end);
                    self.to_read.extend(connection.joins_line().then_some(id));
                }
                if event.is_writable() && connection.blocked_since.is_some() {
                    self.to_write.push(id);
                }
            }
        }
    }

    /// Ends every connection; those that have not been upgraded are not told.
    fn begin_to_stop(&mut self, now: Instant) {
        if !self.stop.is_stopping.load(SeqCst) || self.ends_at.is_some() {
            return;
        }
        self.ends_at = Some(now + LINGER + LINGER / 4);
        self.accept_at = None;
        self.router.stop(now);
        self.connections.retain(|_, connection| !connection.is_asking());
    }

    /// Accepts the connections that wait, a burst of them.
    fn accept(&mut self, now: Instant) {
        for _ in 0..BURST {
            match self.listener.accept() {
                Ok((socket, address)) => self.begin(Connection::new(address, socket), now),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.accept_at = None;
                    return;
                }
                Err(error) if is_of_one(&error) => {}
                Err(error) => {
                    self.settings.tell(|| format!("a connection failed at once: {error}"));
                    self.accept_at = Some(now + PAUSE);
                    return;
                }
            }
        }
    }

    /// Begins to serve a connection.
    fn begin(&mut self, mut connection: Connection, now: Instant) {
        let is_busy = self.connections.len() >= CONNECTIONS;
        let id = self.next_id;
        self.next_id += 1;
        if let Err(error) = self.register(id, connection.socket()) {
            return self.settings.tell(|| format!("a connection failed at once: {error}"));
        }
        if is_busy {
            connection.refuse(&handshake::busy(), &self.settings, now);
            self.to_write.push(id);
        }
        self.connections.insert(id, connection);
        self.set_alarm(id, Some(now + PATIENCE));
    }

    fn register(&self, id: ConnectionId, socket: &mut TcpStream) -> io::Result<()> {
        socket.set_nodelay(true)?;
        let token = Token(usize::try_from(id).map_err(io::Error::other)?);
        self.poll.registry().register(socket, token, Interest::READABLE | Interest::WRITABLE)
    }

    /// Reads once from a connection, and gives what arrived to the router.
    fn read(&mut self, id: ConnectionId, now: Instant) {
        let Self { connections, router, settings, buffer, .. } = self;
        let Some(connection) = connections.get_mut(&id) else { return };
        connection.leave_line();
        router.heard(id, now);
        connection.read(buffer, settings, now, &mut |arrival| match arrival {
            Arrival::Opened => router.open(id, now),
            Arrival::Packet(packet) => router.receive(id, packet, now),
            Arrival::Malformed(error) => router.malformed(id, &error, now),
            Arrival::Lost => router.lost(id, now),
        });
        self.to_read.extend(connection.joins_line().then_some(id));
        if connection.has_to_write() {
            self.to_write.push(id);
        }
    }

    /// Hands the packets and ends that the router has to the connections.
    fn hand_over(&mut self, now: Instant) {
        let Self { router, connections, to_write, .. } = self;
        let mut holds = Vec::new();
        router.drain(|outgoing| {
            let Outgoing { connection: id, packets, unsent, end, hold_back_for } = outgoing;
            let Some(connection) = connections.get_mut(&id) else { return packets.clear() };
            connection.post(packets, unsent);
            if let Some(end) = end {
                connection.end(close_code(end), now);
            }
            holds.extend(hold_back_for.map(|subscriber| (id, subscriber)));
            to_write.push(id);
        });
        for (publisher, subscriber) in holds {
            self.hold_back(publisher, subscriber, now);
        }
        let notes = self.router.notes();
        if let Some(log) = &self.settings.log {
            for note in &notes {
                log(note);
            }
        }
    }

    /// Reads nothing from a publisher until a slow subscriber has caught up, or does not.
    fn hold_back(&mut self, publisher: ConnectionId, subscriber: ConnectionId, now: Instant) {
        let Some(slow) = self.connections.get_mut(&subscriber) else { return };
        if slow.blocked_since.is_some_and(|since| now.duration_since(since) >= STUCK) {
            return self.router.set_stuck(subscriber);
        }
        slow.waiting.push(publisher);
        let until = now + HOLD_BACK;
        let Some(connection) = self.connections.get_mut(&publisher) else { return };
        if connection.hold.is_none() && connection.last_moment().is_none() {
            connection.hold = Some(Hold { subscriber, until });
            self.set_alarm(publisher, Some(until.min(now + STUCK)));
        }
    }

    /// Lets a publisher go on.
    fn release(&mut self, publisher: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&publisher) else { return };
        if connection.hold.take().is_some() {
            self.to_read.extend(connection.joins_line().then_some(publisher));
            let at = connection.last_moment();
            self.set_alarm(publisher, at);
        }
    }

    /// Writes what waits for a connection, and closes it when nothing is left to do.
    fn write(&mut self, id: ConnectionId, now: Instant) {
        let Self { connections, frames, settings, router, .. } = self;
        let Some(connection) = connections.get_mut(&id) else { return };
        let written = connection.write(frames, settings, now);
        if written > 0 {
            router.written(id, written, now);
        }
        self.to_read.extend(connection.joins_line().then_some(id));
        if !connection.waiting.is_empty() && router.backlog(id) <= SLOW_BYTES / 2 {
            for publisher in std::mem::take(&mut connection.waiting) {
                self.release(publisher);
            }
        }
        self.look_after(id);
    }

    /// Closes a connection that is over, or sees to it that it is closed in time.
    fn look_after(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get(&id) else { return };
        if connection.is_over() {
            self.close(id);
        } else if let Some(at) = connection.last_moment().filter(|at| Some(*at) != connection.alarm)
        {
            self.set_alarm(id, Some(at));
        }
    }

    /// Closes the socket of a connection.
    fn close(&mut self, id: ConnectionId) {
        self.set_alarm(id, None);
        let Some(connection) = self.connections.remove(&id) else { return };
        for publisher in connection.waiting {
            self.release(publisher);
        }
    }

    fn set_alarm(&mut self, id: ConnectionId, at: Option<Instant>) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if let Some(before) = std::mem::replace(&mut connection.alarm, at) {
            self.alarms.remove(&(before, id));
        }
        self.alarms.extend(at.map(|at| (at, id)));
    }

    /// Does what is due for single connections.
    fn ring(&mut self, now: Instant) {
        while let Some(&(at, id)) = self.alarms.first()
            && at <= now
        {
            self.set_alarm(id, None);
            self.alarm(id, now);
        }
    }

    fn alarm(&mut self, id: ConnectionId, now: Instant) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if connection.last_moment().is_some_and(|at| at <= now) {
            self.router.lost(id, now);
            return self.close(id);
        }
        if connection.is_asking() {
            connection.refuse(&handshake::too_late(), &self.settings, now);
            return self.to_write.push(id);
        }
        let Some(Hold { subscriber, until }) = connection.hold else { return };
        let slow = self.connections.get(&subscriber);
        let is_stuck = slow.is_none_or(|slow| {
            slow.blocked_since.is_some_and(|since| now.duration_since(since) >= STUCK)
        });
        if until > now && !is_stuck {
            return self.set_alarm(id, Some(until.min(now + STUCK)));
        }
        self.router.set_stuck(subscriber);
        self.release(id);
    }
}

/// Whether accepting failed because of the connection that waited first.
fn is_of_one(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted)
}

/// The Close frame that follows the last packet.
fn close_code(end: EndReason) -> Option<u16> {
    match end {
        EndReason::Lost => None,
        EndReason::Done | EndReason::Refused | EndReason::Silent | EndReason::TakenOver => {
            Some(NORMAL)
        }
        EndReason::Misbehaved => Some(PROTOCOL_ERROR),
        EndReason::Stopped => Some(GOING_AWAY),
    }
}
