//! Connections that come.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Token};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::{Accepting, BURST, EventLoop, FIRST};
use crate::broker::connection::ServerConnection;
use crate::broker::event::BrokerEvent;
use crate::broker::fault::{FaultEvent, FaultyTraffic};
use crate::broker::handshake;
use crate::broker::limits::{Limit, MESSAGE_BYTES, PATIENCE};
use crate::broker::router::ConnectionId;
use crate::broker::socket::ClientSocket;

/// How long the loop waits before it accepts again when that has failed.
const PAUSE: Duration = Duration::from_millis(20);

/// How often the user is told that it fails, at most.
const TELL_EVERY: Duration = Duration::from_secs(60);

impl EventLoop {
    /// Accepts the connections that wait, a burst of them.
    pub(super) fn accept(&mut self, now: Instant) {
        match self.listening.accepting {
            Accepting::Due => {}
            Accepting::Failed(until) if until <= now => {}
            _ => return,
        }
        let mut accepting = Accepting::Idle;
        for index in 0..self.listening.listeners.len() {
            match self.accept_at(index, now) {
                Ok(Accepting::Idle) => {}
                Ok(due) => accepting = due,
                Err(error) => return self.fail_to_accept(&error, now),
            }
        }
        self.listening.accepting = accepting;
    }

    /// Accepts a burst of those that wait at one listener; returns whether more may wait.
    fn accept_at(&mut self, index: usize, now: Instant) -> io::Result<Accepting> {
        for _ in 0..BURST {
            match self.listening.listeners[index].accept() {
                Ok((socket, address)) => self.begin(socket, address, now),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Accepting::Idle),
                Err(error) if is_of_one(&error) => {}
                Err(error) if is_lack_of_descriptors(&error) => {
                    // The system says so even where nobody waits.
                    if !is_awaited(&self.listening.listeners[index]) {
                        return Ok(Accepting::Idle);
                    }
                    self.tell(&error, now);
                    if !self.make_room(now) {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Accepting::Due)
    }

    fn fail_to_accept(&mut self, error: &io::Error, now: Instant) {
        self.tell(error, now);
        self.listening.accepting = Accepting::Failed(now + PAUSE);
    }

    /// Tells the user that clients cannot connect, but not again and again.
    fn tell(&mut self, error: &io::Error, now: Instant) {
        let was_told = |at: Instant| now.saturating_duration_since(at) < TELL_EVERY;
        if self.listening.told_at.is_some_and(was_told) {
            return;
        }
        self.listening.told_at = Some(now);
        let count = self.connections.len();
        let advice = if is_lack_of_descriptors(error) { "; raise `ulimit -n`" } else { "" };
        self.service
            .log
            .warn(&format!("no more clients can connect, {count} are connected: {error}{advice}"));
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
        let faults = self.service.faults.as_ref();
        let traffic = faults.and_then(|plan| plan.of_connection(id - FIRST));
        let traffic = traffic.map(FaultyTraffic::new);
        let is_refused = faults.is_some_and(|plan| plan.refuses(id - FIRST));
        let max_packet = self.limits.get(Limit::Packet);
        let socket = match self.protect(socket) {
            Ok(socket) => socket,
            Err(error) => {
                return self.service.log.note(|| format!("{address} failed at once: {error}"));
            }
        };
        let mut connection = ServerConnection::new(id, socket, address, max_packet)
            .deviating(&self.service.deviations)
            .faulty(traffic);
        if self.service.log.observer.is_none() {
            connection = connection.joining_messages(MESSAGE_BYTES);
        }
        if is_full {
            connection.refuse(&handshake::busy(), &mut self.service, now);
        } else if is_refused {
            self.service.log.tell(&BrokerEvent::Fault(address, FaultEvent::Refused));
            connection.refuse_untold(&handshake::refused_on_purpose(), now);
        }
        if is_full || is_refused {
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

/// Whether a connection waits to be accepted.
fn is_awaited(listener: &TcpListener) -> bool {
    let mut waiting = [PollFd::new(listener, PollFlags::IN)];
    poll(&mut waiting, Some(&Timespec::default())) != Ok(0)
}

/// Whether accepting failed because the process, or the system, has no descriptors left.
fn is_lack_of_descriptors(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE))
}
