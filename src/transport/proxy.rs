//! Proxies: the choice of a proxy for a server, and the exchange that asks it for a connection to
//! the server. Errors and debug output never show a password.

mod error;
mod http;
mod rules;
mod socks;

use std::fmt;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use socket2::Socket;

use super::endpoint::{
    Endpoint, EndpointError, check_host, parse_user, refuse_forbidden, split_port,
};
use super::log::Note;
use super::tls::{TlsConfig, TlsConnection};
pub use error::{ProxyError, SocksFault};
pub use rules::{Exempt, Proxies};
pub use socks::Target;

/// The protocol of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyKind {
    /// CONNECT (RFC 9110 §9.3.6).
    Http,
    /// CONNECT, over TLS to the proxy.
    Https,
    /// SOCKS 5 (RFC 1928); the client looks names up.
    Socks5,
    /// SOCKS 5; the proxy looks names up.
    Socks5h,
}

/// A proxy. Debug output shows no password.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    kind: ProxyKind,
    host: String,
    port: u16,
    user: Option<(String, String)>,
}

/// The reason why a text is not the URL of a proxy. Never holds any part of a user name or
/// password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyUrlError {
    /// A scheme that is not supported.
    UnknownScheme(String),
    /// The rest is not an address.
    Address(EndpointError),
    /// SOCKS 5 allows a user name and a password of 1 to 255 bytes (RFC 1929 §2).
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

/// The invalid URL of a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadProxy {
    /// The flag or variable that holds it.
    pub place: String,
    /// The error in it.
    pub error: ProxyUrlError,
}

impl fmt::Display for BadProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.error)
    }
}

impl Proxy {
    /// The host name or address of the proxy.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port of the proxy.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Parses `[scheme://][user[:password]@]host[:port]`. As in curl, the default scheme is `http`,
    /// and the default port is 443 for `https` and 1080 for the others.
    pub fn parse(url: &str) -> Result<Self, ProxyUrlError> {
        refuse_forbidden(url).map_err(ProxyUrlError::Address)?;
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let kind = match scheme.to_ascii_lowercase().as_str() {
            "http" => ProxyKind::Http,
            "https" => ProxyKind::Https,
            "socks5" => ProxyKind::Socks5,
            // Desktops write socks:// for SOCKS of any version.
            "socks5h" | "socks" => ProxyKind::Socks5h,
            other => return Err(ProxyUrlError::UnknownScheme(other.to_owned())),
        };
        let authority = rest.split('/').next().unwrap_or_default();
        let (user, host, port) = split_authority(authority).map_err(ProxyUrlError::Address)?;
        let port = port.unwrap_or(if kind == ProxyKind::Https { 443 } else { 1080 });
        if port == 0 {
            return Err(ProxyUrlError::Address(EndpointError::BadPort));
        }
        let is_socks = matches!(kind, ProxyKind::Socks5 | ProxyKind::Socks5h);
        let fits = |text: &str| (1..=255).contains(&text.len());
        if is_socks && user.as_ref().is_some_and(|(name, password)| !fits(name) || !fits(password))
        {
            return Err(ProxyUrlError::Credentials);
        }
        Ok(Self { kind, host, port, user })
    }

    /// Whether the proxy is given host names, which the client does not look up.
    pub fn looks_up_names(&self) -> bool {
        self.kind != ProxyKind::Socks5
    }

    /// Whether the proxy speaks TLS.
    pub fn is_secure(&self) -> bool {
        self.kind == ProxyKind::Https
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
            ProxyKind::Http => "http",
            ProxyKind::Https => "https",
            ProxyKind::Socks5 => "socks5",
            ProxyKind::Socks5h => "socks5h",
        };
        write!(f, "{scheme}://{}", place(&self.host, self.port))
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

/// `host:port`, with an IPv6 address in brackets and without its zone, which only has a meaning on
/// this machine.
pub fn place(host: &str, port: u16) -> String {
    let host = host.split('%').next().unwrap_or_default();
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// A request to a proxy for a connection to a server.
pub struct TunnelRequest<'a> {
    /// The proxy.
    pub proxy: &'a Proxy,
    /// The server that the proxy should connect to.
    pub endpoint: &'a Endpoint,
    /// The TLS configuration for a proxy that speaks TLS.
    pub tls: Option<&'a TlsConfig>,
    /// The deadline of the answer.
    pub deadline: Instant,
    /// Logs the steps.
    pub note: Note<'a>,
}

/// A connection to a server through a proxy, after the proxy's answer.
pub struct Tunnel {
    /// TLS to the proxy; everything must be sent through it.
    pub tls: Option<Box<TlsConnection>>,
    /// Bytes that the server has already sent.
    pub early: Vec<u8>,
}

impl TunnelRequest<'_> {
    /// Asks the proxy at the other end of `socket` for `target`, and restores the settings of the
    /// socket.
    pub fn open(&self, target: &Target, socket: &Socket) -> Result<Tunnel, ProxyError> {
        let Self { proxy, endpoint, deadline, note, .. } = *self;
        let mut timed = Timed { socket, deadline };
        let tunnel = match proxy.kind {
            ProxyKind::Http => {
                Tunnel { tls: None, early: http::connect(&mut timed, proxy, endpoint, note)? }
            }
            ProxyKind::Https => {
                let mut tls = secured(proxy, self.tls)?;
                let mut stream = rustls::Stream::new(&mut tls.session, &mut timed);
                let connected = http::connect(&mut stream, proxy, endpoint, note);
                if let Some(certificate) = tls.presented() {
                    note(format_args!("* certificate of the proxy: {certificate}"));
                }
                let early = connected.map_err(|error| error.about_certificate(&tls))?;
                Tunnel { tls: Some(Box::new(tls)), early }
            }
            ProxyKind::Socks5 | ProxyKind::Socks5h => {
                let user =
                    proxy.user.as_ref().map(|(name, password)| (name.as_str(), password.as_str()));
                socks::connect(&mut timed, user, target, endpoint.port, note)?;
                Tunnel { tls: None, early: Vec::new() }
            }
        };
        socket.set_read_timeout(None).map_err(ProxyError::from)?;
        Ok(tunnel)
    }
}

fn secured(proxy: &Proxy, tls: Option<&TlsConfig>) -> Result<TlsConnection, ProxyError> {
    let unconfigured = || io::Error::new(io::ErrorKind::InvalidInput, "TLS is not configured");
    let config = tls.ok_or_else(|| ProxyError::from(unconfigured()))?;
    config.for_proxy().connection(&proxy.host).map_err(ProxyError::Tls)
}

/// The longest time-out of one read. The kernel may be late by an eighth of it.
const STEP: Duration = Duration::from_millis(250);

/// A socket with a deadline for reads.
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
