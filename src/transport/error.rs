//! What can go wrong between the TCP connection and the last frame, sorted by who is to blame. It
//! gives one line in the user's words; hints and exit codes are made elsewhere.

use std::error;
use std::fmt;
use std::io;

use super::Phase;
use super::tls::TlsError;
use super::upgrade::UpgradeError;
use super::websocket::WebSocketError;
use super::words::io_words;

/// The failure of a transport. One line, lower case, without hint.
#[derive(Debug)]
pub enum Error {
    /// TLS failed, during the handshake or later.
    Tls(TlsError),
    /// The server did not upgrade to WebSocket.
    Upgrade(UpgradeError),
    /// The WebSocket connection ended, or was broken.
    WebSocket(WebSocketError),
    /// The socket failed. In [`Phase::Open`] it is a *write* that failed: what we sent is not
    /// delivered.
    Io {
        /// What we were doing.
        phase: Phase,
        /// What the operating system said; `TimedOut` for a peer that does not read.
        source: io::Error,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tls(error) => error.fmt(f),
            Self::Upgrade(error) => error.fmt(f),
            Self::WebSocket(error) => error.fmt(f),
            Self::Io { phase: Phase::Open, source } if source.kind() == io::ErrorKind::TimedOut => {
                f.write_str("the server does not read what we send")
            }
            Self::Io { phase: Phase::Open, source } => {
                write!(f, "sending failed: {}", io_words(source))
            }
            Self::Io { source, .. } => f.write_str(&io_words(source)),
        }
    }
}

impl error::Error for Error {}

impl From<TlsError> for Error {
    fn from(error: TlsError) -> Self {
        Self::Tls(error)
    }
}

impl From<UpgradeError> for Error {
    fn from(error: UpgradeError) -> Self {
        Self::Upgrade(error)
    }
}

impl From<WebSocketError> for Error {
    fn from(error: WebSocketError) -> Self {
        Self::WebSocket(error)
    }
}

impl Error {
    /// Whether the connection ended, rather than that anybody broke a protocol.
    pub fn is_end(&self) -> bool {
        matches!(
            self,
            Self::WebSocket(WebSocketError::Closed { .. } | WebSocketError::Ended { .. })
                | Self::Io { phase: Phase::Open, .. }
        )
    }

    /// Whether servers end a connection in this way that speak no such version of the protocol
    /// inside: an end without a word, or Close 1002, 1007 or 1011.
    pub fn may_refuse_the_version(&self) -> bool {
        match self {
            Self::WebSocket(WebSocketError::Closed { code, .. }) => {
                matches!(code, Some(1002 | 1007 | 1011))
            }
            Self::WebSocket(WebSocketError::Ended { .. }) => true,
            _ => false,
        }
    }

    /// Whether a message of ours was too large for the server (Close 1009): it will not get
    /// smaller.
    pub fn says_too_big(&self) -> bool {
        matches!(self, Self::WebSocket(WebSocketError::Closed { code: Some(1009), .. }))
    }

    /// An error of the stream during `phase`; TLS passes its own through `io::Error`.
    pub(super) fn from_stream(phase: Phase, source: io::Error) -> Self {
        match source.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()) {
            Some(error) => error.clone().into(),
            None => Self::Io { phase, source },
        }
    }
}
