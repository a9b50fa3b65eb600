//! Proxies: which one is used for a server, and the conversation with it until bytes flow. No
//! password gets into an error or a debug print.

mod error;
mod http;
mod rules;
mod socks;

use std::fmt;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use socket2::Socket;

use super::dial::{self, DialError, Dialled, Reached, Route};
use super::endpoint::{
    Endpoint, EndpointError, check_host, parse_user, refuse_forbidden, split_port,
};
use super::log::Note;
use super::tls::{self, TlsConfig};
pub use error::{ProxyError, SocksFault};
pub use rules::{Exempt, Proxies};
use socks::Target;

/// How a proxy is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// CONNECT (RFC 9110 §9.3.6).
    Http,
    /// CONNECT, over TLS to the proxy.
    Https,
    /// SOCKS 5 (RFC 1928); names are looked up here.
    Socks5,
    /// SOCKS 5; names are looked up by the proxy.
    Socks5h,
}

/// A proxy. A debug print shows no password.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    kind: Kind,
    host: String,
    port: u16,
    user: Option<(String, String)>,
}

/// Why a text names no proxy of ours. Never holds any part of user name or password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyUrlError {
    /// A scheme that is none of ours.
    UnknownScheme(String),
    /// The rest is no address.
    Address(EndpointError),
    /// SOCKS 5 takes user name and password of 1 to 255 bytes (RFC 1929 §2).
    Credentials,
}

impl fmt::Display for ProxyUrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownScheme(scheme) => {
                write!(
                    f,
                    "unknown scheme {scheme}://: write http://, https://, socks5:// or socks5h://"
                )
            }
            Self::Address(EndpointError::NoHost) => f.write_str("it names no host"),
            Self::Address(error) => error.fmt(f),
            Self::Credentials => {
                f.write_str("SOCKS 5 takes a user name and a password of 1 to 255 bytes")
            }
        }
    }
}

impl std::error::Error for ProxyUrlError {}

impl Proxy {
    /// Reads `[scheme://][user[:password]@]host[:port]`; without a scheme it is `http`, without a
    /// port 443 for `https` and 1080 for the others, as in curl.
    pub fn parse(url: &str) -> Result<Self, ProxyUrlError> {
        refuse_forbidden(url).map_err(ProxyUrlError::Address)?;
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let kind = match scheme.to_ascii_lowercase().as_str() {
            "http" => Kind::Http,
            "https" => Kind::Https,
            "socks5" => Kind::Socks5,
            "socks5h" => Kind::Socks5h,
            other => return Err(ProxyUrlError::UnknownScheme(other.to_owned())),
        };
        let authority = rest.split('/').next().unwrap_or_default();
        let (user, host, port) = split_authority(authority).map_err(ProxyUrlError::Address)?;
        let port = port.unwrap_or(if kind == Kind::Https { 443 } else { 1080 });
        if port == 0 {
            return Err(ProxyUrlError::Address(EndpointError::BadPort));
        }
        let is_socks = matches!(kind, Kind::Socks5 | Kind::Socks5h);
        let fits = |text: &str| (1..=255).contains(&text.len());
        if is_socks && user.as_ref().is_some_and(|(name, password)| !fits(name) || !fits(password))
        {
            return Err(ProxyUrlError::Credentials);
        }
        Ok(Self { kind, host, port, user })
    }

    /// Whether it is spoken to over TLS.
    pub fn is_secure(&self) -> bool {
        self.kind == Kind::Https
    }
}

type Authority = (Option<(String, String)>, String, Option<u16>);

fn split_authority(authority: &str) -> Result<Authority, EndpointError> {
    let (user, place) = match authority.rsplit_once('@') {
        Some((user, place)) => (parse_user(user)?, place),
        None => (None, authority),
    };
    let (host, port) = split_port(place)?;
    let user = user.map(|(name, password)| (name, password.unwrap_or_default()));
    Ok((user, check_host(host)?, port))
}

impl fmt::Display for Proxy {
    /// The URL without user information.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.kind {
            Kind::Http => "http",
            Kind::Https => "https",
            Kind::Socks5 => "socks5",
            Kind::Socks5h => "socks5h",
        };
        write!(f, "{scheme}://{}", place(&self.host, self.port))
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

/// `host:port`, an IPv6 address in brackets and without its zone, which means nothing elsewhere.
fn place(host: &str, port: u16) -> String {
    let host = host.split('%').next().unwrap_or_default();
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// A connection to a server through a proxy, before it is made.
pub struct Way<'a> {
    /// Which proxy.
    pub proxy: &'a Proxy,
    /// The server that it connects us to.
    pub endpoint: &'a Endpoint,
    /// How to get to the proxy, and from there to the server.
    pub route: &'a Route,
    /// For a proxy that is spoken to over TLS.
    pub tls: Option<&'a TlsConfig>,
    /// Until when.
    pub deadline: Instant,
    /// Where what happens is noted.
    pub note: Note<'a>,
}

impl Way<'_> {
    /// Connects to the server.
    pub fn dial(&self) -> Result<Dialled, DialError> {
        let Self { proxy, endpoint, route, deadline, note, .. } = *self;
        let failed = |error| DialError::Proxy { proxy: proxy.to_string(), error: Box::new(error) };
        let mut targets = self.targets()?.into_iter().peekable();
        loop {
            let mut dialled = dial::reach(&proxy.host, proxy.port, route, deadline)
                .map_err(|error| failed(ProxyError::Unreached(error)))?;
            note(format_args!("* connected to {}, the proxy {proxy}", dialled.reached));
            let began = Instant::now();
            let target = targets.next().unwrap_or_else(|| Target::Name(endpoint.host.clone()));
            match self.converse(&target, &mut dialled) {
                Ok(()) => {
                    dialled.proxy = Some(began.elapsed());
                    let server = place(&endpoint.host, endpoint.port);
                    dialled.reached = Reached::Proxied { server, proxy: proxy.to_string() };
                    return Ok(dialled);
                }
                // The next address of the same name may do.
                Err(error) if error.concerns_address() && targets.peek().is_some() => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }

    /// What the proxy is asked for, in the order in which it is tried: a name, or the addresses
    /// that we found.
    fn targets(&self) -> Result<Vec<Target>, DialError> {
        let Self { proxy, endpoint, route, .. } = *self;
        if proxy.kind != Kind::Socks5 {
            return Ok(vec![Target::of(&endpoint.host)]);
        }
        let lookup = |error| DialError::Lookup { host: endpoint.host.clone(), error };
        let addresses = dial::look_up(&endpoint.host, endpoint.port, route).map_err(lookup)?;
        Ok(addresses.iter().map(|address| Target::Address(address.ip())).collect())
    }

    /// Asks the proxy for `target`, and leaves the socket as it was.
    fn converse(&self, target: &Target, dialled: &mut Dialled) -> Result<(), ProxyError> {
        let Self { proxy, endpoint, deadline, note, .. } = *self;
        let mut timed = Timed { socket: &dialled.socket, deadline };
        match proxy.kind {
            Kind::Http => dialled.early = http::connect(&mut timed, proxy, endpoint, note)?,
            Kind::Https => {
                let mut tunnel = secured(proxy, self.tls)?;
                let mut stream = rustls::Stream::new(&mut tunnel.session, &mut timed);
                dialled.early = http::connect(&mut stream, proxy, endpoint, note)?;
                dialled.tunnel = Some(Box::new(tunnel));
            }
            Kind::Socks5 | Kind::Socks5h => {
                let user =
                    proxy.user.as_ref().map(|(name, password)| (name.as_str(), password.as_str()));
                socks::connect(&mut timed, user, target, endpoint.port, note)?;
            }
        }
        dialled.socket.set_read_timeout(None).map_err(ProxyError::from)
    }
}

fn secured(proxy: &Proxy, tls: Option<&TlsConfig>) -> Result<tls::TlsConnection, ProxyError> {
    let unconfigured = || io::Error::new(io::ErrorKind::InvalidInput, "TLS is not configured");
    let config = tls.ok_or_else(|| ProxyError::from(unconfigured()))?;
    config.for_proxy().connection(&proxy.host).map_err(ProxyError::Tls)
}

/// The kernel is late by up to an eighth of the time-out of a socket.
const STEP: Duration = Duration::from_millis(250);

/// A socket that is read until a deadline.
struct Timed<'a> {
    socket: &'a Socket,
    deadline: Instant,
}

impl Read for Timed<'_> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.socket.set_read_timeout(Some(left.min(STEP)))?;
            let mut socket = self.socket;
            match socket.read(target) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut socket = self.socket;
        socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
