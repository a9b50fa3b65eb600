//! From host and port to a TCP connection, within a deadline. It must never know what is spoken over it.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use super::words::io_words;

/// How long one write may wait for a peer that does not read, before the connection counts as lost.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(20);

/// A fresh connection: `TCP_NODELAY` is set, reads block for ever, writes at most [`WRITE_TIMEOUT`].
#[derive(Debug)]
pub struct Dialled {
    /// The connected socket.
    pub stream: TcpStream,
    /// The address that answered.
    pub address: SocketAddr,
    /// Time spent on the name; zero for a literal address.
    pub lookup: Duration,
    /// Time spent on connecting, including addresses that failed.
    pub connect: Duration,
}

/// One address that did not answer.
#[derive(Debug)]
pub struct Attempt {
    /// Where we knocked.
    pub address: SocketAddr,
    /// What came of it.
    pub error: io::Error,
}

/// Why there is no connection.
#[derive(Debug)]
pub enum DialError {
    /// The name has no address.
    Lookup {
        /// The name.
        host: String,
        /// What the resolver said.
        error: io::Error,
    },
    /// No address of the name could be connected to. `attempts` is empty when the deadline passed before the
    /// first.
    Connect {
        /// Every address tried, in order, with its own error.
        attempts: Vec<Attempt>,
        /// The time was up: more time may help.
        timed_out: bool,
    },
}

impl DialError {
    /// Whether more time might have helped.
    pub fn timed_out(&self) -> bool {
        match self {
            Self::Lookup { error, .. } => error.kind() == io::ErrorKind::TimedOut,
            Self::Connect { timed_out, .. } => *timed_out,
        }
    }

    /// What we were doing.
    pub fn phase(&self) -> super::Phase {
        match self {
            Self::Lookup { .. } => super::Phase::Name,
            Self::Connect { .. } => super::Phase::Tcp,
        }
    }
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lookup { host, error } => write!(f, "no address for {host}: {}", io_words(error)),
            Self::Connect { attempts, .. } if attempts.is_empty() => f.write_str("timed out"),
            Self::Connect { attempts, .. } => {
                for (number, attempt) in attempts.iter().enumerate() {
                    let separator = if number == 0 { "" } else { "; " };
                    write!(f, "{separator}{}: {}", attempt.address, io_words(&attempt.error))?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for DialError {}

/// Connects to `host`, trying its addresses in the resolver's order, each with a fair share of the time that
/// is left. The look-up of a name cannot be bounded: a caller who must not wait runs this on a thread of its
/// own.
pub fn dial(host: &str, port: u16, deadline: Instant) -> Result<Dialled, DialError> {
    let started = Instant::now();
    let addresses =
        look_up(host, port).map_err(|error| DialError::Lookup { host: host.to_owned(), error })?;
    let looked_up = Instant::now();
    let (stream, address) = connect_any(&addresses, deadline)?;
    Ok(Dialled { stream, address, lookup: looked_up - started, connect: looked_up.elapsed() })
}

/// The addresses of `host`, each once; never empty.
fn look_up(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let mut addresses = Vec::new();
    for address in (host, port).to_socket_addrs()? {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() { Err(io::Error::other("the name has no address")) } else { Ok(addresses) }
}

fn connect_any(addresses: &[SocketAddr], deadline: Instant) -> Result<(TcpStream, SocketAddr), DialError> {
    let mut attempts = Vec::new();
    for (address, still_to_try) in addresses.iter().zip((1..=addresses.len()).rev()) {
        let left = deadline.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(still_to_try).unwrap_or(u32::MAX);
        if share.is_zero() {
            return Err(DialError::Connect { attempts, timed_out: true });
        }
        match connect(*address, share) {
            Ok(stream) => return Ok((stream, *address)),
            Err(error) => attempts.push(Attempt { address: *address, error }),
        }
    }
    let timed_out = attempts.iter().any(|attempt| attempt.error.kind() == io::ErrorKind::TimedOut);
    Err(DialError::Connect { attempts, timed_out })
}

fn connect(address: SocketAddr, limit: Duration) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, limit)?;
    // Without it a small packet waits 40 ms for the peer's delayed acknowledgement.
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    #[test]
    fn a_listener_is_reached_by_address_and_by_name() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let dialled = dial("127.0.0.1", port, soon()).unwrap();
        assert_eq!(dialled.address, listener.local_addr().unwrap());
        assert!(dialled.stream.nodelay().unwrap());
        assert_eq!(dialled.stream.write_timeout().unwrap(), Some(WRITE_TIMEOUT));
        // `localhost` may be ::1 first, where nobody listens: the next address is tried.
        assert!(dial("localhost", port, soon()).is_ok());
    }

    #[test]
    fn a_closed_port_names_the_address_and_the_cause() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let error = dial("127.0.0.1", address.port(), soon()).unwrap_err();
        assert_eq!(error.to_string(), format!("{address}: connection refused"));
        assert_eq!(error.phase(), crate::transport::Phase::Tcp);
        assert!(!error.timed_out());
    }

    #[test]
    fn every_address_is_tried_and_told() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let open = listener.local_addr().unwrap();
        let gone = TcpListener::bind("127.0.0.1:0").unwrap();
        let closed = gone.local_addr().unwrap();
        drop(gone);
        assert_eq!(connect_any(&[closed, open], soon()).unwrap().1, open);
        let error = connect_any(&[closed, closed], soon()).unwrap_err();
        assert_eq!(error.to_string(), format!("{closed}: connection refused; {closed}: connection refused"));
    }

    #[test]
    fn a_deadline_that_has_passed_is_a_time_out() {
        let error = dial("127.0.0.1", 9, Instant::now()).unwrap_err();
        assert!(error.timed_out());
        assert_eq!(error.to_string(), "timed out");
    }

    #[test]
    fn a_name_that_cannot_exist_is_told_as_such() {
        // An empty label is refused by the resolver itself: no query leaves this machine.
        let error = dial("a..invalid", 80, soon()).unwrap_err();
        assert_eq!(error.phase(), crate::transport::Phase::Name);
        assert!(error.to_string().starts_with("no address for a..invalid: "), "{error}");
    }
}
