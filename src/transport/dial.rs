//! From an address to a connection within a deadline: directly, through a proxy, or over a Unix
//! socket.

mod lookup;
mod race;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, Socket, Type};

use super::Phase;
use super::endpoint::Endpoint;
use super::log::Note;
use super::proxy::{self, Proxies, ProxyError};
use super::text::io_words;
use super::tls::{self, TlsConfig};
use super::wire::{Shared, WRITE_TURN};
pub use lookup::{Families, Pin};
use race::Race;

/// How to get to servers; the default is the straight way.
#[derive(Clone, Debug, Default)]
pub struct Route {
    /// `-4`, `-6`: which addresses of a name count.
    pub families: Families,
    /// `--bind`: the address of ours to connect from.
    pub bind: Option<IpAddr>,
    /// `--resolve`: addresses that replace those of a name.
    pub pins: Vec<Pin>,
    /// `--unix`: this socket is connected to, whatever the address says.
    pub unix: Option<PathBuf>,
    /// The proxies, and which servers need none.
    pub proxies: Proxies,
}

/// What a connection leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reached {
    /// This address answered.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
    /// The server, as the proxy was asked for it.
    Proxied {
        /// `host:port`.
        server: String,
        /// The proxy, without its credentials.
        proxy: String,
    },
}

impl fmt::Display for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
            Self::Proxied { server, proxy } => write!(f, "{server} through {proxy}"),
        }
    }
}

/// A fresh connection: `TCP_NODELAY` is set, reads block for ever, writes at most [`WRITE_TURN`].
#[derive(Debug)]
pub struct Dialled {
    /// The connected socket, shared by its reader and its writer.
    pub socket: Shared,
    /// What it leads to.
    pub reached: Reached,
    /// Time spent on the name; zero for a literal address.
    pub lookup: Duration,
    /// Time spent on connecting, including addresses that failed.
    pub connect: Duration,
    /// Time spent with the proxy; none without one.
    pub proxy: Option<Duration>,
    /// TLS to the proxy, through which everything must go.
    pub tunnel: Option<Box<tls::TlsConnection>>,
    /// What the server has sent already, after the answer of the proxy.
    pub early: Vec<u8>,
}

/// One address that did not answer.
#[derive(Debug)]
pub struct Attempt {
    /// Where we tried to connect.
    pub address: SocketAddr,
    /// What went wrong.
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
    /// No address of the name could be connected to. `attempts` is empty when the deadline passed
    /// before the first.
    Connect {
        /// Every address tried, with its own error, in the order in which they failed.
        attempts: Vec<Attempt>,
        /// The time was up: more time may help.
        timed_out: bool,
    },
    /// The Unix socket could not be connected to.
    Unix {
        /// The socket.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// The proxy did not connect us to the server.
    Proxy {
        /// The proxy, without its credentials.
        proxy: String,
        /// Why not.
        error: Box<ProxyError>,
    },
}

impl DialError {
    /// Whether more time might have helped.
    pub fn timed_out(&self) -> bool {
        match self {
            Self::Lookup { error, .. } | Self::Unix { error, .. } => {
                error.kind() == io::ErrorKind::TimedOut
            }
            Self::Connect { timed_out, .. } => *timed_out,
            Self::Proxy { error, .. } => error.timed_out(),
        }
    }

    /// Whether its words say more than that the time was up.
    pub fn tells_more(&self) -> bool {
        match self {
            Self::Lookup { .. } => false,
            Self::Connect { attempts, .. } => !attempts.is_empty(),
            Self::Unix { .. } | Self::Proxy { .. } => true,
        }
    }

    /// Whether a proxy wants other credentials, or forbids what we want.
    pub fn is_proxy_refusal(&self) -> bool {
        matches!(self, Self::Proxy { error, .. } if error.is_refusal())
    }

    /// What we were doing.
    pub fn phase(&self) -> Phase {
        match self {
            Self::Lookup { .. } => Phase::Name,
            Self::Connect { .. } | Self::Unix { .. } => Phase::Tcp,
            Self::Proxy { error, .. } => error.phase(),
        }
    }
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lookup { host, error } => {
                write!(f, "no address for {host}: {}", lookup::words(error))
            }
            Self::Connect { attempts, .. } if attempts.is_empty() => f.write_str("timed out"),
            Self::Connect { attempts, .. } => {
                for (number, attempt) in attempts.iter().enumerate() {
                    let separator = if number == 0 { "" } else { "; " };
                    write!(f, "{separator}{}: {}", attempt.address, io_words(&attempt.error))?;
                }
                Ok(())
            }
            Self::Unix { path, error } => write!(f, "{}: {}", path.display(), io_words(error)),
            Self::Proxy { proxy, error } => f.write_str(&error.told_of(proxy)),
        }
    }
}

impl std::error::Error for DialError {}

/// A connection that is to be made.
#[derive(Debug)]
pub struct Dialling {
    endpoint: Endpoint,
    route: Arc<Route>,
    /// For a proxy that is spoken to over TLS.
    tls: Option<TlsConfig>,
    deadline: Instant,
    /// What was begun, and is not decided.
    begun: Option<Reach>,
}

impl Dialling {
    /// To `endpoint`, as `route` says, until `deadline`.
    pub fn new(
        endpoint: Endpoint,
        route: Arc<Route>,
        tls: Option<TlsConfig>,
        deadline: Instant,
    ) -> Self {
        Self { endpoint, route, tls, deadline, begun: None }
    }

    /// As far as it goes without waiting: to its end where the addresses are known and answer at
    /// once, as those of this machine do. None if [`Dialling::finish`] has to go on.
    pub fn begin(&mut self, note: Note<'_>) -> Option<Result<Dialled, DialError>> {
        let Self { endpoint, route, deadline, .. } = self;
        if route.unix.is_some() || route.proxies.towards(endpoint).is_some() {
            return None;
        }
        let mut reach = match Reach::of_known(&endpoint.host, endpoint.port, route, *deadline)? {
            Ok(reach) => reach,
            Err(error) => return Some(Err(error)),
        };
        let decided = reach.advance();
        self.begun = Some(reach);
        decided.map(|dialled| told(dialled, note))
    }

    /// To its end; this waits.
    pub fn finish(self, note: Note<'_>) -> Result<Dialled, DialError> {
        match self.begun {
            Some(reach) => told(reach.finish(), note),
            None => dial(&self.endpoint, &self.route, self.tls.as_ref(), self.deadline, note),
        }
    }
}

/// Connects to `endpoint` as `route` says; `tls` is for a proxy that is spoken to over TLS, and
/// what happens is noted. The look-up of a name cannot be bounded: a caller who must not wait runs
/// this on a thread of its own.
pub fn dial(
    endpoint: &Endpoint,
    route: &Route,
    tls: Option<&TlsConfig>,
    deadline: Instant,
    note: Note<'_>,
) -> Result<Dialled, DialError> {
    let dialled = match (&route.unix, route.proxies.towards(endpoint)) {
        (Some(path), _) => dial_unix(path, deadline),
        (None, Some(proxy)) => {
            return proxy::Way { proxy, endpoint, route, tls, deadline, note }.dial();
        }
        (None, None) => reach(&endpoint.host, endpoint.port, route, deadline),
    };
    told(dialled, note)
}

fn told(dialled: Result<Dialled, DialError>, note: Note<'_>) -> Result<Dialled, DialError> {
    if let Ok(dialled) = &dialled {
        note(format_args!("* connected to {}", dialled.reached));
    }
    dialled
}

/// The way to one of the addresses of a host.
#[derive(Debug)]
struct Reach {
    race: Race,
    lookup: Duration,
    since: Instant,
}

impl Reach {
    fn new(addresses: Vec<SocketAddr>, started: Instant, route: &Route, deadline: Instant) -> Self {
        let since = Instant::now();
        Self { race: Race::new(addresses, route.bind, deadline), lookup: since - started, since }
    }

    /// None if a resolver has to be asked.
    fn of_known(
        host: &str,
        port: u16,
        route: &Route,
        deadline: Instant,
    ) -> Option<Result<Self, DialError>> {
        let started = Instant::now();
        let addresses = lookup::known(host, port, route)?.map_err(|error| unknown(host, error));
        Some(addresses.map(|addresses| Self::new(addresses, started, route, deadline)))
    }

    /// As far as it goes without waiting; none while it is not decided.
    fn advance(&mut self) -> Option<Result<Dialled, DialError>> {
        let outcome = self.race.advance()?;
        Some(
            outcome
                .map(|(socket, address)| Self::dialled(socket, address, self.lookup, self.since)),
        )
    }

    fn finish(self) -> Result<Dialled, DialError> {
        let (lookup, since) = (self.lookup, self.since);
        self.race.run().map(|(socket, address)| Self::dialled(socket, address, lookup, since))
    }

    fn dialled(socket: Socket, address: SocketAddr, lookup: Duration, since: Instant) -> Dialled {
        Dialled {
            lookup,
            connect: since.elapsed(),
            ..Dialled::fresh(socket, Reached::Tcp(address))
        }
    }
}

/// Connects to `host` itself, all its addresses raced (RFC 8305).
pub(super) fn reach(
    host: &str,
    port: u16,
    route: &Route,
    deadline: Instant,
) -> Result<Dialled, DialError> {
    let started = Instant::now();
    let addresses = look_up(host, port, route).map_err(|error| unknown(host, error))?;
    Reach::new(addresses, started, route, deadline).finish()
}

fn unknown(host: &str, error: io::Error) -> DialError {
    DialError::Lookup { host: host.to_owned(), error }
}

/// The addresses of `host` that may be used, in the order in which they are to be tried; never
/// empty.
pub(super) fn look_up(host: &str, port: u16, route: &Route) -> io::Result<Vec<SocketAddr>> {
    lookup::addresses(host, port, route)
}

fn dial_unix(path: &Path, deadline: Instant) -> Result<Dialled, DialError> {
    let started = Instant::now();
    let connected = || {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.connect_timeout(&SockAddr::unix(path)?, race::left(deadline)?)?;
        socket.set_write_timeout(Some(WRITE_TURN))?;
        Ok(socket)
    };
    let socket = connected().map_err(|error| DialError::Unix { path: path.to_owned(), error })?;
    Ok(Dialled {
        connect: started.elapsed(),
        ..Dialled::fresh(socket, Reached::Unix(path.to_owned()))
    })
}

impl Dialled {
    fn fresh(socket: Socket, reached: Reached) -> Self {
        let (lookup, connect) = (Duration::ZERO, Duration::ZERO);
        let socket = socket.into();
        Self { socket, reached, lookup, connect, proxy: None, tunnel: None, early: Vec::new() }
    }
}

#[cfg(test)]
mod tests;
