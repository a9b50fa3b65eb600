//! The failures of a connection through a proxy, with a message for each.

use std::io;

use crate::transport::text::io_words;
use crate::transport::tls::{TlsConnection, TlsError};
use crate::websocket::upgrade::UpgradeError;

/// The reason why a proxy did not connect to the server.
#[derive(Debug)]
pub enum ProxyError {
    /// TLS with the proxy failed.
    Tls(TlsError),
    /// The proxy did not answer CONNECT with success.
    Http(UpgradeError),
    /// The proxy did not accept the SOCKS request.
    Socks(SocksFault),
    /// The connection to the proxy failed; `TimedOut` if the proxy was silent for too long.
    Io(io::Error),
}

/// The failures of SOCKS 5 (RFC 1928, RFC 1929).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocksFault {
    /// The proxy answered with another version, so it does not speak SOCKS 5. Holds its first byte.
    NotSocks(u8),
    /// The proxy accepts none of the offered methods: it demands credentials and there are none, or
    /// it demands others.
    NoMethod {
        /// Whether a user name and a password were offered.
        offered_credentials: bool,
    },
    /// The proxy refused user name and password.
    BadCredentials,
    /// The proxy cannot connect to the server, or must not: the code of RFC 1928 §6.
    Refused(u8),
    /// The host name is longer than SOCKS 5 allows.
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
                return "accepts neither a user name and a password nor a connection without them"
                    .into();
            }
            Self::BadCredentials => return "refused the user name or the password".into(),
            Self::LongName => {
                return "cannot be asked for a host name of more than 255 bytes".into();
            }
            Self::Refused(code) => code,
        };
        refusal_words(refused)
    }
}

/// The words of a code of RFC 1928 §6.
fn refusal_words(code: u8) -> String {
    let words = match code {
        1 => "general failure",
        2 => "not allowed by its rules",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "TTL expired",
        7 => "CONNECT is not supported",
        8 => "this type of address is not supported",
        code => return format!("refused with code {code}"),
    };
    format!("could not connect to the server: {words}")
}

impl ProxyError {
    /// Whether the time was up.
    pub fn timed_out(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::TimedOut)
    }

    /// Whether the proxy demands other credentials or forbids the request, so that it would fail
    /// again.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Http(UpgradeError::Status(refusal)) => (400..500).contains(&refusal.status),
            Self::Socks(fault) => !matches!(fault, SocksFault::Refused(code) if *code != 2),
            _ => false,
        }
    }

    /// The same error, where it is an alert that demands a client certificate in this connection.
    pub fn about_certificate(self, tls: &TlsConnection) -> Self {
        match self {
            Self::Tls(TlsError::Alert(alert)) => {
                let alert = rustls::Error::AlertReceived(alert);
                Self::Tls(TlsError::explained(alert, b"", tls.certificate_request()))
            }
            error => error,
        }
    }

    /// Whether another address of the same server may work.
    pub fn concerns_address(&self) -> bool {
        matches!(self, Self::Socks(SocksFault::Refused(3..=6 | 8)))
    }

    /// The message in one line; `proxy` is the URL of the proxy.
    pub fn message_about(&self, proxy: &str) -> String {
        let name = format!("the proxy {proxy}");
        match self {
            Self::Tls(error) if error.names_peer() => error.message_about(&name).to_string(),
            Self::Tls(error) => format!("{name}: {error}"),
            Self::Http(error) => error.message_about(&name).to_string(),
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
