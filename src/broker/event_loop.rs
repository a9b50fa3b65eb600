//! The broker's thread: it waits for all sockets at once, and serves those that are ready.

mod accept;
mod faults;
mod lines;
mod relief;

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token, Waker};

use super::alarms::Alarms;
use super::connection::Service;
use super::connections::ConnectionTable;
use super::handshake;
use super::limits::{LINGER, Limit, Limits, READ_BYTES, SLOW_BYTES};
use super::memory::MemoryLevel;
use super::router::{ConnectionId, NOBODY, Outgoing};
use crate::mqtt::packet::Publish;
use relief::INCOMPLETE_BYTES;

/// The token of [`LoopControl`].
const CONTROL: Token = Token(0);
/// The token of the first listener; the others follow.
const LISTENER: usize = 1;
/// The number of the first connection, and its token.
const FIRST: ConnectionId = 8;

/// How many connections are read from, or accepted, before what was received is handed over.
const BURST: usize = 64;

/// No connection is read from after so long, before what came is handed over: packets of a few
/// bytes take a hundred times as long as the same bytes in large ones.
const LONGEST_BURST: Duration = Duration::from_millis(4);

/// What another thread asks the loop for.
#[derive(Debug, Clone)]
pub struct LoopControl {
    waker: Arc<Waker>,
    is_stopping: Arc<AtomicBool>,
    /// How often all connections were to be reset.
    resets: Arc<AtomicU64>,
}

impl LoopControl {
    /// Stops the loop within two seconds.
    pub fn stop(&self) {
        self.is_stopping.store(true, SeqCst);
        self.wake();
    }

    /// Resets every connection that there is.
    pub fn reset_connections(&self) {
        self.resets.fetch_add(1, SeqCst);
        self.wake();
    }

    fn wake(&self) {
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

/// Where clients connect.
struct Listening {
    listeners: Vec<TcpListener>,
    accepting: Accepting,
    /// When the user was last told that clients cannot connect.
    told_at: Option<Instant>,
}

/// The loop.
pub struct EventLoop {
    poll: Poll,
    control: LoopControl,
    /// How many of the resets that were asked for are done.
    resets: u64,
    /// When the loop ends, whatever waits.
    ends_at: Option<Instant>,
    listening: Listening,
    next_id: ConnectionId,
    limits: Limits,
    /// When connections that hold memory are looked for, while there is little.
    relief_at: Option<Instant>,
    service: Service,
    connections: ConnectionTable,
    /// When something that a fault holds arrives.
    arrivals: Alarms,
}

impl EventLoop {
    /// A loop that accepts the connections of a few listeners, within these limits.
    pub fn new(
        mut listeners: Vec<TcpListener>,
        limits: Limits,
        service: Service,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), CONTROL)?);
        for (index, listener) in listeners.iter_mut().enumerate() {
            poll.registry().register(listener, Token(LISTENER + index), Interest::READABLE)?;
        }
        Ok(Self {
            poll,
            control: LoopControl { waker, is_stopping: Arc::default(), resets: Arc::default() },
            resets: 0,
            ends_at: None,
            listening: Listening { listeners, accepting: Accepting::Idle, told_at: None },
            next_id: FIRST,
            limits,
            relief_at: None,
            service,
            connections: ConnectionTable::default(),
            arrivals: Alarms::default(),
        })
    }

    /// What another thread asks it with.
    pub fn control(&self) -> LoopControl {
        self.control.clone()
    }

    /// Serves until it is stopped; returns the retained messages.
    pub fn run(mut self) -> Vec<Publish> {
        self.serve();
        self.service.brokers.retained_messages(Instant::now())
    }

    fn serve(&mut self) {
        let mut events = Events::with_capacity(1024);
        self.service.brokers.start(Instant::now());
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

    /// Whether nothing is left to do after the stop.
    fn is_over(&self, now: Instant) -> bool {
        self.ends_at.is_some_and(|at| at <= now || self.connections.is_empty())
    }

    /// How long nothing is due, if nothing comes.
    fn longest_wait(&self, now: Instant) -> Option<Duration> {
        if self.connections.has_work() || self.service.brokers.has_work() {
            return Some(Duration::ZERO);
        }
        let accept_at = match self.listening.accepting {
            Accepting::Due => Some(now),
            Accepting::Failed(until) => Some(until),
            Accepting::Idle | Accepting::Stopped => None,
        };
        let (alarm, deadline) = (self.connections.next_alarm(), self.service.brokers.deadline());
        let refusals = self.service.refusals.deadline();
        let due = [alarm, deadline, accept_at, refusals, self.relief_at, self.ends_at];
        let due = due.into_iter().chain([self.arrivals.next()]);
        due.flatten().min().map(|at| at.saturating_duration_since(now))
    }

    /// Does everything that can be done without waiting, but not too much of one thing.
    fn turn(&mut self, events: &Events, now: Instant) {
        for event in events {
            self.note(event, now);
        }
        self.accept(now);
        self.read_burst(now);
        while let Some(id) = self.arrivals.due(now) {
            self.release(id, now);
        }
        self.relieve(now);
        self.service.brokers.tick(now);
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
            CONTROL => return self.obey_control(now),
            Token(id) if (id as ConnectionId) < FIRST => {
                if self.listening.accepting != Accepting::Stopped {
                    self.listening.accepting = Accepting::Due;
                }
                return;
            }
            Token(id) => id as ConnectionId,
        };
        let Some(connection) = self.connections.get_mut(id) else { return };
        let is_writable = event.is_writable() && connection.is_blocked();
        let has_end = event.is_read_closed() || event.is_error();
        if event.is_readable() || has_end {
            if connection.set_readable(has_end) {
                self.connections.queue_first_read(id, now);
            } else {
                self.connections.queue_read(id);
            }
        }
        if is_writable {
            self.connections.queue_write(id);
        }
    }

    /// Does what another thread has asked for.
    fn obey_control(&mut self, now: Instant) {
        let resets = self.control.resets.load(SeqCst);
        if std::mem::replace(&mut self.resets, resets) != resets {
            self.reset_connections(now);
        }
        self.begin_to_stop(now);
    }

    /// Resets every connection.
    fn reset_connections(&mut self, now: Instant) {
        let ids = self.connections.ids();
        self.service.log.note(|| format!("{} connections are reset on demand", ids.len()));
        for id in ids {
            if let Some(connection) = self.connections.get_mut(id) {
                connection.reset();
                self.close(id, now);
            }
        }
    }

    /// Ends every connection; those that have not been upgraded are not told.
    fn begin_to_stop(&mut self, now: Instant) {
        if !self.control.is_stopping.load(SeqCst) || self.ends_at.is_some() {
            return;
        }
        self.ends_at = Some(now + LINGER + LINGER / 4);
        self.listening.accepting = Accepting::Stopped;
        self.service.brokers.stop(now);
        for id in self.connections.before_upgrade() {
            self.close(id, now);
        }
    }

    /// Reads once from each of the next connections, but not for long: others come meanwhile.
    fn read_burst(&mut self, now: Instant) {
        let mut begin = now;
        for _ in 0..self.connections.line().min(BURST) {
            let Some((id, bytes)) = self.connections.next_to_read() else { return };
            self.read(id, bytes, now);
            let end = Instant::now();
            self.connections.has_read(id, begin, end);
            self.connections.queue_read(id);
            if end.saturating_duration_since(now) > LONGEST_BURST {
                return;
            }
            begin = end;
        }
    }

    /// Reads once from a connection, at most so many bytes.
    fn read(&mut self, id: ConnectionId, bytes: usize, now: Instant) {
        let memory = self.measure_memory();
        let Some(connection) = self.connections.get_mut(id) else { return };
        connection.read(&mut self.service, bytes, now);
        if memory == MemoryLevel::Out && connection.incomplete() >= INCOMPLETE_BYTES {
            self.service.brokers.out_of_memory(id, now);
        }
        if connection.has_to_write() {
            self.connections.queue_write(id);
        }
        self.watch_arrivals(id);
    }

    fn measure_memory(&mut self) -> MemoryLevel {
        let level = MemoryLevel::now(self.limits.get(Limit::Memory));
        self.connections.memory = level;
        self.service.brokers.set_memory(level);
        level
    }

    /// Hands the packets and ends that the brokers have to the connections.
    fn hand_over(&mut self, now: Instant) {
        let Self { service, connections, .. } = self;
        let mut slow = Vec::new();
        let Service { brokers, log, refusals, .. } = service;
        let hand_over = |outgoing: Outgoing<'_>| {
            let Outgoing { connection: id, items, unsent, end, hold_back_for } = outgoing;
            let Some(connection) = connections.get_mut(id) else { return items.clear() };
            let before = connection.unsent();
            connection.post(items, unsent, log, now);
            if let Some(reason) = end {
                connection.end(reason, now);
            }
            // The system reports that a socket has room when a third of it is free; one that is
            // tried takes something before that, and its client is known to read.
            let is_tried = before / SLOW_BYTES < connection.unsent() / SLOW_BYTES;
            if is_tried || !connection.awaits_room() {
                connections.queue_write(id);
            }
            slow.extend(hold_back_for.map(|subscriber| (id, subscriber)));
        };
        brokers.drain(hand_over, |warnings, notes| {
            lines::tell(log, refusals, warnings, notes, now);
        });
        for (publisher, subscriber) in slow {
            self.connections.hold_back(publisher, subscriber, now);
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
        if self.connections.has_publishers(id) && self.service.brokers.has_caught_up(id) {
            self.connections.release_publishers(id);
        }
        self.watch_arrivals(id);
        self.cut(id, now);
    }

    /// Closes the socket of a connection.
    fn close(&mut self, id: ConnectionId, now: Instant) {
        self.arrivals.set(id, None);
        self.service.brokers.lost(id, now);
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
            // The request may have come in time, and not have been read.
            connection.read(&mut self.service, READ_BYTES, now);
            if connection.is_before_upgrade() {
                connection.refuse(&handshake::too_late(), &mut self.service, now);
            }
            self.connections.queue_read(id);
            return self.connections.queue_write(id);
        }
        self.review_held_back(id, now);
    }

    /// A publisher that is held back goes on if its subscriber is not waited for any more.
    fn review_held_back(&mut self, publisher: ConnectionId, now: Instant) {
        let Some(subscriber) = self.connections.held_back_for(publisher) else { return };
        if subscriber != NOBODY && self.service.brokers.is_waited_for(subscriber, now) {
            self.connections.wait_on(publisher, now);
            self.connections.queue_write(subscriber);
        } else {
            self.connections.release(publisher);
        }
    }
}
