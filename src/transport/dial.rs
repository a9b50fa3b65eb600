//! Connects to an address before a deadline: directly, through a proxy, or over a Unix socket.

mod lookup;
mod proxied;
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
use super::proxy::{BadProxy, Proxies, ProxyError, TunnelRequest};
use super::text::io_words;
use super::tls::{self, TlsConfig};
use super::wire::{SharedSocket, WRITE_TURN};
pub use lookup::{Families, Pin, Turn};
use race::{Race, Winner};

/// How servers are reached. The default is a direct connection.
#[derive(Clone, Debug, Default)]
pub struct Route {
    /// `-4`, `-6`: which addresses of a name are used.
    pub families: Families,
    /// `--bind`: the local address to connect from.
    pub bind: Option<IpAddr>,
    /// `--resolve`: addresses that replace those of a name.
    pub pins: Vec<Pin>,
    /// `--unix`: the socket to connect to, instead of the host and port of the address.
    pub unix: Option<PathBuf>,
    /// The proxies, and the servers that need none.
    pub proxies: Proxies,
}

/// The other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reached {
    /// The address that answered.
    Tcp(SocketAddr),
    /// The path of a Unix socket.
    Unix(PathBuf),
    /// The server, as it was named to the proxy.
    Proxied {
        /// `host:port`.
        server: String,
        /// The proxy, without its credentials.
        proxy: String,
    },
}

impl Reached {
    /// The address of the server itself, if it is known.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix(_) | Self::Proxied { .. } => None,
        }
    }
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

/// A new connection. `TCP_NODELAY` is set; reads block for ever, writes for at most [`WRITE_TURN`].
#[derive(Debug)]
pub struct Dialled {
    /// The connected socket, shared by its reader and its writer.
    pub socket: SharedSocket,
    /// The other end.
    pub reached: Reached,
    /// How many other addresses of the name there are that were not tried, and did not refuse.
    pub untried: usize,
    /// How long the name look-up took; zero for a literal address.
    pub lookup: Duration,
    /// How long connecting took, including addresses that failed.
    pub connect: Duration,
    /// How long the exchange with the proxy took; `None` without a proxy.
    pub proxy: Option<Duration>,
    /// TLS to the proxy; everything must be sent through it.
    pub tunnel: Option<Box<tls::TlsConnection>>,
    /// Bytes that the server has already sent, which came after the proxy's answer.
    pub early: Vec<u8>,
}

/// An address that could not be connected to.
#[derive(Debug)]
pub struct FailedAttempt {
    /// The address.
    pub address: SocketAddr,
    /// The error.
    pub error: io::Error,
}

/// Where the addresses of a host come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressSource {
    /// The host is the address: a message that names the host need not repeat it.
    Typed,
    /// They were looked up, or given by `--resolve`.
    LookedUp,
}

/// The reason why there is no connection.
#[derive(Debug)]
pub enum DialError {
    /// The name has no address.
    Lookup {
        /// The name.
        host: String,
        /// The error of the resolver.
        error: io::Error,
    },
    /// No address of the name could be connected to. `attempts` is empty when the deadline passed
    /// before the first.
    Connect {
        /// Every address tried, with its own error, in the order in which they failed.
        attempts: Vec<FailedAttempt>,
        /// The deadline passed. With more time an address might have answered.
        timed_out: bool,
        /// Where the addresses come from.
        source: AddressSource,
    },
    /// The Unix socket could not be connected to.
    Unix {
        /// The socket.
        path: PathBuf,
        /// The error of the operating system.
        error: io::Error,
    },
    /// The URL of the proxy is invalid.
    BadProxy(BadProxy),
    /// The proxy could not be reached.
    ProxyUnreached {
        /// The proxy, without its credentials.
        proxy: String,
        /// The reason.
        error: Box<DialError>,
    },
    /// The proxy did not connect to the server.
    Proxy {
        /// The proxy, without its credentials.
        proxy: String,
        /// The reason.
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
            Self::BadProxy(_) => false,
            Self::ProxyUnreached { error, .. } => error.timed_out(),
            Self::Proxy { error, .. } => error.timed_out(),
        }
    }

    /// Whether a connection that was made was reset at once.
    pub fn is_reset(&self) -> bool {
        match self {
            Self::Connect { attempts, .. } => attempts
                .iter()
                .any(|attempt| attempt.error.kind() == io::ErrorKind::ConnectionReset),
            Self::Unix { error, .. } => error.kind() == io::ErrorKind::ConnectionReset,
            Self::Lookup { .. }
            | Self::BadProxy(_)
            | Self::ProxyUnreached { .. }
            | Self::Proxy { .. } => false,
        }
    }

    /// Whether the message says more than that the time is up.
    pub fn tells_more(&self) -> bool {
        match self {
            Self::Lookup { .. } | Self::Connect { source: AddressSource::Typed, .. } => false,
            Self::Connect { attempts, .. } => !attempts.is_empty(),
            Self::Unix { .. }
            | Self::BadProxy(_)
            | Self::ProxyUnreached { .. }
            | Self::Proxy { .. } => true,
        }
    }

    /// Whether the proxy demands other credentials or forbids the request, or cannot even be asked.
    pub fn is_proxy_refusal(&self) -> bool {
        match self {
            Self::Proxy { error, .. } => error.is_refusal(),
            error => matches!(error, Self::BadProxy(_)),
        }
    }

    /// The phase in which the connection failed.
    pub fn phase(&self) -> Phase {
        match self {
            Self::Lookup { .. } => Phase::Name,
            Self::Connect { .. } | Self::Unix { .. } => Phase::Tcp,
            Self::ProxyUnreached { error, .. } => error.phase(),
            Self::BadProxy(_) | Self::Proxy { .. } => Phase::Proxy,
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
            Self::Connect { attempts, source: AddressSource::Typed, .. } => {
                attempts.iter().try_for_each(|attempt| f.write_str(&io_words(&attempt.error)))
            }
            Self::Connect { attempts, .. } => {
                for (number, attempt) in attempts.iter().enumerate() {
                    let separator = if number == 0 { "" } else { "; " };
                    write!(f, "{separator}{}: {}", attempt.address, io_words(&attempt.error))?;
                }
                Ok(())
            }
            Self::Unix { path, error } => write!(f, "{}: {}", path.display(), io_words(error)),
            Self::BadProxy(error) => error.fmt(f),
            Self::ProxyUnreached { proxy, error } => {
                write!(f, "the proxy {proxy} could not be reached: {error}")
            }
            Self::Proxy { proxy, error } => f.write_str(&error.message_about(proxy)),
        }
    }
}

impl std::error::Error for DialError {}

/// A connection that is being made.
#[derive(Debug)]
pub struct Dialling {
    endpoint: Endpoint,
    route: Arc<Route>,
    /// The TLS configuration for a proxy that speaks TLS.
    tls: Option<TlsConfig>,
    deadline: Instant,
    turn: Turn,
    /// The race that was begun and is not decided.
    begun: Option<DirectDial>,
}

impl Dialling {
    /// A connection to `endpoint`, made as `route` says before `deadline`.
    pub fn new(
        endpoint: Endpoint,
        route: Arc<Route>,
        tls: Option<TlsConfig>,
        deadline: Instant,
    ) -> Self {
        Self { endpoint, route, tls, deadline, turn: Turn::default(), begun: None }
    }

    /// The same with these addresses of the name.
    pub fn in_turn(mut self, turn: Turn) -> Self {
        self.turn = turn;
        self
    }

    /// Goes as far as possible without waiting: to the end if the addresses are known and answer at
    /// once, as those of this machine do. If it returns `None`, [`Dialling::finish`] must do the
    /// rest.
    pub fn begin(&mut self, note: Note<'_>) -> Option<Result<Dialled, DialError>> {
        let Self { endpoint, route, deadline, turn, .. } = self;
        if route.unix.is_some() || route.proxies.towards(endpoint).is_some() {
            return None;
        }
        let (host, port) = (&endpoint.host, endpoint.port);
        let mut reach = match DirectDial::of_known(host, port, turn, route, *deadline)? {
            Ok(reach) => reach,
            Err(error) => return Some(Err(error)),
        };
        let decided = reach.advance();
        self.begun = Some(reach);
        decided.map(|dialled| log_result(dialled, note))
    }

    fn dial(&self, note: Note<'_>) -> Result<Dialled, DialError> {
        let Self { endpoint, route, tls, deadline, turn, .. } = self;
        dial_in_turn(endpoint, route, tls.as_ref(), *deadline, turn, note)
    }

    /// Waits for the connection.
    pub fn finish(self, note: Note<'_>) -> Result<Dialled, DialError> {
        match self.begun {
            Some(reach) => log_result(reach.finish(), note),
            None => self.dial(note),
        }
    }
}

/// Connects to `endpoint` as `route` says. `tls` is for a proxy that speaks TLS, and `note` logs
/// the steps. The look-up of a name cannot be interrupted: a caller that must not wait calls this
/// on a thread of its own.
pub fn dial(
    endpoint: &Endpoint,
    route: &Route,
    tls: Option<&TlsConfig>,
    deadline: Instant,
    note: Note<'_>,
) -> Result<Dialled, DialError> {
    dial_in_turn(endpoint, route, tls, deadline, &Turn::AsResolved, note)
}

fn dial_in_turn(
    endpoint: &Endpoint,
    route: &Route,
    tls: Option<&TlsConfig>,
    deadline: Instant,
    turn: &Turn,
    note: Note<'_>,
) -> Result<Dialled, DialError> {
    let dialled = match (&route.unix, route.proxies.towards(endpoint)) {
        (Some(path), _) => dial_unix(path, deadline),
        (None, Some(Err(error))) => Err(DialError::BadProxy(error.clone())),
        (None, Some(Ok(proxy))) => {
            let request = TunnelRequest { proxy, endpoint, tls, deadline, note };
            return proxied::dial(&request, route);
        }
        (None, None) => dial_directly(&endpoint.host, endpoint.port, turn, route, deadline),
    };
    log_result(dialled, note)
}

fn log_result(dialled: Result<Dialled, DialError>, note: Note<'_>) -> Result<Dialled, DialError> {
    if let Ok(dialled) = &dialled {
        note(format_args!("* connected to {}", dialled.reached));
    }
    dialled
}

/// A race for the addresses of one host.
#[derive(Debug)]
struct DirectDial {
    race: Race,
    source: AddressSource,
    lookup: Duration,
    since: Instant,
}

impl DirectDial {
    // With its caller, not on a page of its own.
    #[inline(always)]
    fn new(
        host: &str,
        addresses: Vec<SocketAddr>,
        started: Instant,
        route: &Route,
        deadline: Instant,
    ) -> Self {
        let since = Instant::now();
        let is_typed = matches!(addresses[..], [address] if host.parse() == Ok(address.ip()));
        let source = if is_typed { AddressSource::Typed } else { AddressSource::LookedUp };
        let race = Race::new(addresses, route.bind, deadline);
        Self { race, source, lookup: since - started, since }
    }

    /// `None` if a resolver must be asked.
    fn of_known(
        host: &str,
        port: u16,
        turn: &Turn,
        route: &Route,
        deadline: Instant,
    ) -> Option<Result<Self, DialError>> {
        let started = Instant::now();
        let addresses =
            lookup::known(host, port, route)?.map_err(|error| lookup_error(host, error));
        Some(addresses.map(|addresses| {
            let addresses = lookup::in_turn(addresses, turn);
            Self::new(host, addresses, started, route, deadline)
        }))
    }

    /// Goes as far as possible without waiting; `None` while the race is not decided.
    fn advance(&mut self) -> Option<Result<Dialled, DialError>> {
        let outcome = self.race.advance()?;
        Some(Self::ended(outcome, self.source, self.lookup, self.since))
    }

    fn finish(self) -> Result<Dialled, DialError> {
        Self::ended(self.race.run(), self.source, self.lookup, self.since)
    }

    #[inline(always)]
    fn ended(
        outcome: race::Outcome,
        source: AddressSource,
        lookup: Duration,
        since: Instant,
    ) -> Result<Dialled, DialError> {
        match outcome {
            Ok(Winner { socket, address, others }) => Ok(Dialled {
                untried: others,
                lookup,
                connect: since.elapsed(),
                ..Dialled::fresh(socket, Reached::Tcp(address))
            }),
            Err(DialError::Connect { attempts, timed_out, .. }) => {
                Err(DialError::Connect { attempts, timed_out, source })
            }
            Err(error) => Err(error),
        }
    }
}

/// Connects to `host` directly, racing all its addresses (RFC 8305).
pub(super) fn dial_directly(
    host: &str,
    port: u16,
    turn: &Turn,
    route: &Route,
    deadline: Instant,
) -> Result<Dialled, DialError> {
    let started = Instant::now();
    let addresses = look_up(host, port, route).map_err(|error| lookup_error(host, error))?;
    let addresses = lookup::in_turn(addresses, turn);
    DirectDial::new(host, addresses, started, route, deadline).finish()
}

fn lookup_error(host: &str, error: io::Error) -> DialError {
    DialError::Lookup { host: host.to_owned(), error }
}

/// The addresses of the server, in the order in which they are tried and never empty; `None` where
/// they are not dialled, but a proxy or a Unix socket.
pub fn addresses(endpoint: &Endpoint, route: &Route) -> Option<io::Result<Vec<SocketAddr>>> {
    let is_direct = route.unix.is_none() && route.proxies.towards(endpoint).is_none();
    is_direct.then(|| look_up(&endpoint.host, endpoint.port, route))
}

/// The addresses of `host` that may be used, in the order in which they are tried; never empty.
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
        Self {
            socket: socket.into(),
            reached,
            untried: 0,
            lookup: Duration::ZERO,
            connect: Duration::ZERO,
            proxy: None,
            tunnel: None,
            early: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
