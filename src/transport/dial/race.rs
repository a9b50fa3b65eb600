//! Several addresses of one name, raced (RFC 8305): the first that connects wins. It must never know names.

use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use super::{Attempt, DialError};
use crate::transport::wire::WRITE_TURN;
use crate::transport::words::io_words;

/// From one start to the next, while nothing is heard (RFC 8305 §5).
const HEAD_START: Duration = Duration::from_millis(250);

/// Connects to the first of `addresses` that answers, from the address `bind` if one is given.
pub fn connect(
    addresses: &[SocketAddr],
    bind: Option<IpAddr>,
    deadline: Instant,
) -> Result<(Socket, SocketAddr), DialError> {
    if left(deadline).is_err() {
        return Err(DialError::Connect { attempts: Vec::new(), timed_out: true });
    }
    if let [address] = *addresses {
        let socket = prepare(address, bind).and_then(|socket| finish(socket, address, deadline));
        return socket
            .map(|socket| (socket, address))
            .map_err(|error| lost(vec![Attempt { address, error }]));
    }
    let (report, reports) = mpsc::channel();
    Race { bind, deadline, running: Vec::new(), failed: Vec::new(), report, reports }.run(addresses)
}

/// The time that is left, never zero.
pub fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

fn lost(attempts: Vec<Attempt>) -> DialError {
    let timed_out = attempts.iter().any(|attempt| attempt.error.kind() == io::ErrorKind::TimedOut);
    DialError::Connect { attempts, timed_out }
}

/// A socket that is yet to be connected to `address`.
fn prepare(address: SocketAddr, bind: Option<IpAddr>) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Without it a small packet waits 40 ms for the peer's delayed acknowledgement.
    socket.set_tcp_nodelay(true)?;
    socket.set_write_timeout(Some(WRITE_TURN))?;
    if let Some(ip) = bind {
        socket
            .bind(&SocketAddr::new(ip, 0).into())
            .map_err(|error| io::Error::other(format!("cannot connect from {ip}: {}", io_words(&error))))?;
    }
    Ok(socket)
}

fn finish(socket: Socket, address: SocketAddr, deadline: Instant) -> io::Result<Socket> {
    socket.connect_timeout(&address.into(), left(deadline)?)?;
    Ok(socket)
}

type Report = (SocketAddr, io::Result<Socket>);

struct Race {
    bind: Option<IpAddr>,
    deadline: Instant,
    /// Those whose result is not known yet; a second handle on each socket ends its attempt.
    running: Vec<(SocketAddr, Socket)>,
    failed: Vec<Attempt>,
    report: Sender<Report>,
    reports: Receiver<Report>,
}

impl Race {
    fn run(mut self, addresses: &[SocketAddr]) -> Result<(Socket, SocketAddr), DialError> {
        let mut waiting = addresses.iter().copied().peekable();
        let mut next_start = Instant::now();
        loop {
            if (self.running.is_empty() || next_start <= Instant::now())
                && let Some(address) = waiting.next()
            {
                self.start(address);
                next_start = Instant::now() + HEAD_START;
                continue;
            }
            if self.running.is_empty() {
                return Err(lost(self.failed));
            }
            let until = if waiting.peek().is_some() { next_start.min(self.deadline) } else { self.deadline };
            match self.reports.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok((address, Ok(socket))) => {
                    self.abandon(address);
                    return Ok((socket, address));
                }
                Ok((address, Err(error))) => {
                    self.running.retain(|(running, _)| *running != address);
                    self.failed.push(Attempt { address, error });
                    next_start = Instant::now();
                }
                Err(_) if self.deadline <= Instant::now() => return Err(self.late()),
                Err(_) => {}
            }
        }
    }

    fn start(&mut self, address: SocketAddr) {
        let (report, deadline) = (self.report.clone(), self.deadline);
        let started = prepare(address, self.bind).and_then(|socket| {
            let handle = socket.try_clone()?;
            thread::Builder::new().name("dial".to_owned()).spawn(move || {
                // A race that is over hears no more: the socket is closed with this result.
                let _ = report.send((address, finish(socket, address, deadline)));
            })?;
            Ok(handle)
        });
        match started {
            Ok(handle) => self.running.push((address, handle)),
            Err(error) => self.failed.push(Attempt { address, error }),
        }
    }

    /// Ends all attempts but that of the winner.
    fn abandon(&mut self, winner: SocketAddr) {
        for (_, socket) in self.running.drain(..).filter(|(address, _)| *address != winner) {
            // One that is not even connecting yet ends by itself.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// The time is up.
    fn late(mut self) -> DialError {
        let late: Vec<SocketAddr> = self.running.iter().map(|(address, _)| *address).collect();
        for (_, socket) in self.running.drain(..) {
            let _ = socket.shutdown(Shutdown::Both);
        }
        let timed_out = |address| Attempt { address, error: io::ErrorKind::TimedOut.into() };
        self.failed.extend(late.into_iter().map(timed_out));
        DialError::Connect { attempts: self.failed, timed_out: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

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
        assert_eq!(connect(&[one, open], None, soon()).unwrap().1, open);
        let error = connect(&[one, other], None, soon()).unwrap_err();
        assert_eq!(error.to_string(), format!("{one}: connection refused; {other}: connection refused"));
        assert!(!error.timed_out());
    }

    /// A listener whose queue is full, so that nobody who connects is answered. Everything returned must
    /// live.
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
        assert_eq!(connect(&[deaf, open], None, soon()).unwrap().1, open);
        assert!(began.elapsed() >= HEAD_START && began.elapsed() < Duration::from_secs(2));

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
        let (socket, _) = connect(&[open], Some(own), soon()).unwrap();
        assert_eq!(socket.local_addr().unwrap().as_socket().unwrap().ip(), own);
        let foreign = "192.0.2.1".parse().unwrap();
        let error = connect(&[open], Some(foreign), soon()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("{open}: cannot connect from 192.0.2.1: address not available")
        );
    }
}
