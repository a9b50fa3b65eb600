//! Every way in which a proxy does not connect us to the server, as data and as one line.

use std::io;

use crate::transport::Phase;
use crate::transport::dial::DialError;
use crate::transport::text::io_words;
use crate::transport::tls::TlsError;
use crate::websocket::upgrade::UpgradeError;

/// Why a proxy does not connect us to the server.
#[derive(Debug)]
pub enum ProxyError {
    /// The proxy itself was not reached.
    Unreached(DialError),
    /// TLS with the proxy failed.
    Tls(TlsError),
    /// It did not answer CONNECT with a success.
    Http(UpgradeError),
    /// It did not take our SOCKS request.
    Socks(SocksFault),
    /// The connection to it failed; `TimedOut` when it was silent for too long.
    Io(io::Error),
}

/// What a SOCKS 5 proxy said, or did not say (RFC 1928, RFC 1929).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocksFault {
    /// It answered with another version: this is no SOCKS 5 proxy. Holds its first byte.
    NotSocks(u8),
    /// It takes none of our methods: it wants credentials and there are none, or others than these.
    NoMethod {
        /// Whether we offered user name and password.
        offered_credentials: bool,
    },
    /// It refused user name and password.
    BadCredentials,
    /// It cannot, or will not, connect to the server: the code of RFC 1928 §6.
    Refused(u8),
    /// The host name is longer than SOCKS 5 can say.
    LongName,
}

impl SocksFault {
    fn words(self) -> String {
        let refused = match self {
            Self::NotSocks(first) => {
                return format!("does not speak SOCKS 5 (it sent 0x{first:02x})");
            }
            Self::NoMethod { offered_credentials: false } => {
                return "wants a user name and a password".into();
            }
            Self::NoMethod { offered_credentials: true } => {
                return "takes neither a user name with a password nor a connection without".into();
            }
            Self::BadCredentials => return "refused the user name or the password".into(),
            Self::LongName => {
                return "cannot be asked for a host name of more than 255 bytes".into();
            }
            Self::Refused(code) => code,
        };
        let words = match refused {
            1 => "general failure",
            2 => "not allowed by its rules",
            3 => "network unreachable",
            4 => "host unreachable",
            5 => "connection refused",
            6 => "TTL expired",
            7 => "it does not know CONNECT",
            8 => "it does not know this type of address",
            code => return format!("refused with code {code}"),
        };
        format!("could not connect to the server: {words}")
    }
}

impl ProxyError {
    /// Whether the time was up.
    pub fn timed_out(&self) -> bool {
        match self {
            Self::Unreached(error) => error.timed_out(),
            Self::Io(error) => error.kind() == io::ErrorKind::TimedOut,
            _ => false,
        }
    }

    /// What we were doing.
    pub fn phase(&self) -> Phase {
        match self {
            Self::Unreached(error) => error.phase(),
            _ => Phase::Proxy,
        }
    }

    /// Whether it wants other credentials, or forbids what we want: the same request would fail
    /// again.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Http(UpgradeError::Status(refusal)) => (400..500).contains(&refusal.status),
            Self::Socks(fault) => !matches!(fault, SocksFault::Refused(code) if *code != 2),
            _ => false,
        }
    }

    /// Whether another address of the same server may fare better.
    pub(super) fn concerns_address(&self) -> bool {
        matches!(self, Self::Socks(SocksFault::Refused(3..=6 | 8)))
    }

    /// The error in one line; `proxy` is its URL.
    pub fn told_of(&self, proxy: &str) -> String {
        let name = format!("the proxy {proxy}");
        match self {
            Self::Unreached(error) => format!("{name} was not reached: {error}"),
            Self::Tls(error) if error.names_peer() => error.told_of(&name).to_string(),
            Self::Tls(error) => format!("{name}: {error}"),
            Self::Http(error) => error.told_of(&name).to_string(),
            Self::Socks(fault) => format!("{name} {}", fault.words()),
            Self::Io(error) => match error.kind() {
                io::ErrorKind::TimedOut => format!("{name} did not answer"),
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe => format!("{name} closed the connection"),
                _ => format!("{name}: {}", io_words(error)),
            },
        }
    }
}

impl From<UpgradeError> for ProxyError {
    fn from(error: UpgradeError) -> Self {
        Self::Http(error)
    }
}

impl From<SocksFault> for ProxyError {
    fn from(fault: SocksFault) -> Self {
        Self::Socks(fault)
    }
}

impl From<io::Error> for ProxyError {
    /// TLS passes its own errors through `io::Error`.
    fn from(error: io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(tls) => Self::Tls(tls.clone().into()),
            None => Self::Io(error),
        }
    }
}
