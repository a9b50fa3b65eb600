//! Connects to several addresses of a name at once (RFC 8305): the first that answers wins.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use std::vec;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionbio};
use socket2::{Domain, Protocol, Socket, Type};

use super::{AddressSource, DialError, FailedAttempt};
use crate::transport::text::io_words;
use crate::transport::wire::WRITE_TURN;

/// How long to wait for an answer before the next address is tried as well (RFC 8305 §5).
const HEAD_START: Duration = Duration::from_millis(250);

/// The time until the deadline, never zero.
pub fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

fn all_failed(attempts: Vec<FailedAttempt>) -> DialError {
    let timed_out = attempts.iter().any(|attempt| attempt.error.kind() == io::ErrorKind::TimedOut);
    DialError::Connect { attempts, timed_out, source: AddressSource::LookedUp }
}

/// A socket for a connection to `address`.
fn prepare(address: SocketAddr, bind: Option<IpAddr>) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Without it, small packets wait 40 ms for the peer's delayed acknowledgement.
    socket.set_tcp_nodelay(true)?;
    socket.set_write_timeout(Some(WRITE_TURN))?;
    if let Some(ip) = bind {
        socket.bind(&SocketAddr::new(ip, 0).into()).map_err(|error| {
            io::Error::other(format!("cannot connect from {ip}: {}", io_words(&error)))
        })?;
    }
    Ok(socket)
}

/// A socket that is connecting to `address`.
fn begin(address: SocketAddr, bind: Option<IpAddr>) -> io::Result<Socket> {
    let socket = prepare(address, bind)?;
    ioctl_fionbio(&socket, true)?;
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() != Some(Errno::INPROGRESS.raw_os_error()) => Err(error),
        // Linux returns "in progress" even if a server on the same machine has already answered.
        _ => Ok(socket),
    }
}

/// The result of a connection attempt for which `poll` has reported an event.
fn judge(socket: &Socket, heard: PollFlags) -> io::Result<()> {
    if heard.intersects(PollFlags::ERR | PollFlags::HUP) {
        return Err(socket.take_error()?.unwrap_or_else(|| io::ErrorKind::NotConnected.into()));
    }
    Ok(ioctl_fionbio(socket, false)?)
}

/// The result of a race.
pub type Outcome = Result<Winner, DialError>;

/// The connection that was made first.
#[derive(Debug)]
pub struct Winner {
    pub socket: Socket,
    pub address: SocketAddr,
    /// How many of the other addresses did not refuse.
    pub others: usize,
}

/// Connections that are being made. Only [`Race::run`] waits.
#[derive(Debug)]
pub struct Race {
    bind: Option<IpAddr>,
    deadline: Instant,
    /// The addresses that were not tried yet.
    waiting: vec::IntoIter<SocketAddr>,
    next_start: Instant,
    /// The attempts without a result.
    running: Vec<(SocketAddr, Socket)>,
    failed: Vec<FailedAttempt>,
}

impl Race {
    /// A race between `addresses`. With `bind`, the connections are made from that address.
    pub fn new(addresses: Vec<SocketAddr>, bind: Option<IpAddr>, deadline: Instant) -> Self {
        let (waiting, next_start) = (addresses.into_iter(), Instant::now());
        Self { bind, deadline, waiting, next_start, running: Vec::new(), failed: Vec::new() }
    }

    /// Waits for the end of the race.
    pub fn run(mut self) -> Outcome {
        loop {
            if let Some(outcome) = self.advance() {
                return outcome;
            }
            let is_last = self.waiting.as_slice().is_empty();
            let until = if is_last { self.deadline } else { self.next_start.min(self.deadline) };
            self.poll_running(until.saturating_duration_since(Instant::now()));
        }
    }

    /// Goes as far as possible without waiting. Returns `None` while no address has answered and
    /// one still can.
    pub fn advance(&mut self) -> Option<Outcome> {
        loop {
            if let Some(winner) = self.winner() {
                return Some(Ok(winner));
            }
            if self.running.is_empty() && self.waiting.as_slice().is_empty() {
                return Some(Err(all_failed(std::mem::take(&mut self.failed))));
            }
            let now = Instant::now();
            if self.deadline <= now {
                return Some(Err(self.timed_out()));
            }
            if !self.running.is_empty() && now < self.next_start {
                return None;
            }
            let next = self.waiting.next()?;
            self.start(next, now);
        }
    }

    fn start(&mut self, address: SocketAddr, now: Instant) {
        match begin(address, self.bind) {
            Ok(socket) => {
                self.running.push((address, socket));
                self.next_start = now + HEAD_START;
            }
            Err(error) => self.failed.push(FailedAttempt { address, error }),
        }
    }

    /// Waits until `poll` reports an event on a running attempt. Returns the events of each
    /// attempt, or none if a signal interrupted the wait.
    fn poll_running(&self, timeout: Duration) -> Vec<PollFlags> {
        let ends = self.running.iter().map(|(_, socket)| PollFd::new(socket, PollFlags::OUT));
        let mut ends: Vec<PollFd<'_>> = ends.collect();
        // A timeout that is too long for the call means no limit.
        match poll(&mut ends, Timespec::try_from(timeout).ok().as_ref()) {
            Ok(_) => ends.iter().map(PollFd::revents).collect(),
            Err(_) => vec![PollFlags::empty(); ends.len()],
        }
    }

    /// The first attempt that has connected. An attempt that failed lets the next address start.
    fn winner(&mut self) -> Option<Winner> {
        if self.running.is_empty() {
            return None;
        }
        let heard = self.poll_running(Duration::ZERO);
        let mut others = self.waiting.len() + self.running.len() - 1;
        for ((address, socket), heard) in std::mem::take(&mut self.running).into_iter().zip(heard) {
            if heard.is_empty() {
                self.running.push((address, socket));
                continue;
            }
            match judge(&socket, heard) {
                // The other sockets are closed.
                Ok(()) => return Some(Winner { socket, address, others }),
                Err(error) => {
                    self.failed.push(FailedAttempt { address, error });
                    self.next_start = Instant::now();
                    others = others.saturating_sub(1);
                }
            }
        }
        None
    }

    /// The error of a race whose deadline has passed.
    fn timed_out(&mut self) -> DialError {
        let timed_out =
            |(address, _)| FailedAttempt { address, error: io::ErrorKind::TimedOut.into() };
        self.failed.extend(self.running.drain(..).map(timed_out));
        let (attempts, source) = (std::mem::take(&mut self.failed), AddressSource::LookedUp);
        DialError::Connect { attempts, timed_out: true, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn connect(addresses: &[SocketAddr], bind: Option<IpAddr>, deadline: Instant) -> Outcome {
        Race::new(addresses.to_vec(), bind, deadline).run()
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    fn closed_address() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
    }

    #[test]
    fn every_address_is_tried_and_told() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let open = listener.local_addr().unwrap();
        let (one, other) = (closed_address(), closed_address());
        assert_eq!(connect(&[one, open], None, soon()).unwrap().address, open);
        let error = connect(&[one, other], None, soon()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("{one}: connection refused; {other}: connection refused")
        );
        assert!(!error.timed_out());
    }

    /// A listener with a full queue, so that no connection is answered. All returned values must
    /// stay alive.
    fn deaf() -> (Socket, Vec<Socket>, SocketAddr) {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let mut queued = Vec::new();
        loop {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            if socket.connect_timeout(&address.into(), Duration::from_millis(100)).is_err() {
                return (listener, queued, address);
            }
            queued.push(socket);
        }
    }

    #[test]
    fn one_that_does_not_answer_gives_the_next_one_a_chance() {
        let (_listener, _queued, deaf) = deaf();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let open = listener.local_addr().unwrap();
        let began = Instant::now();
        assert_eq!(connect(&[deaf, open], None, soon()).unwrap().address, open);
        assert!(began.elapsed() >= HEAD_START);

        let deadline = Instant::now() + Duration::from_millis(400);
        let error = connect(&[deaf, closed_address()], None, deadline).unwrap_err();
        assert!(error.timed_out());
        let text = error.to_string();
        assert!(
            text.contains("connection refused; ") && text.ends_with(&format!("{deaf}: timed out")),
            "{text}"
        );
        let error = connect(&[deaf], None, Instant::now() + Duration::from_millis(50)).unwrap_err();
        assert!(error.timed_out());
    }

    #[test]
    fn the_own_address_can_be_chosen() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let open = listener.local_addr().unwrap();
        let own = "127.0.0.2".parse().unwrap();
        let Winner { socket, .. } = connect(&[open], Some(own), soon()).unwrap();
        assert_eq!(socket.local_addr().unwrap().as_socket().unwrap().ip(), own);
        let foreign = "192.0.2.1".parse().unwrap();
        let error = connect(&[open], Some(foreign), soon()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("{open}: cannot connect from 192.0.2.1: address not available")
        );
    }

    #[test]
    fn what_is_decided_at_once_needs_no_wait() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let open = listener.local_addr().unwrap();
        let decided =
            |addresses: &[SocketAddr]| Race::new(addresses.to_vec(), None, soon()).advance();
        let Winner { socket, address, .. } = decided(&[closed_address(), open]).unwrap().unwrap();
        assert_eq!((address, socket.peer_addr().unwrap().as_socket()), (open, Some(open)));
        assert!(decided(&[closed_address(), closed_address()]).unwrap().is_err());

        let (_listener, _queued, deaf) = deaf();
        let mut race = Race::new(vec![closed_address(), deaf, open], None, soon());
        assert!(race.advance().is_none());
        assert_eq!(race.run().unwrap().address, open);
    }

    #[test]
    fn a_connection_that_was_made_blocks_as_before() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let Winner { mut socket, .. } =
            connect(&[listener.local_addr().unwrap()], None, soon()).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(30))).unwrap();
        let began = Instant::now();
        assert!(io::Read::read(&mut socket, &mut [0]).is_err());
        assert!(began.elapsed() >= Duration::from_millis(20));
    }
}
