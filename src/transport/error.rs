//! The failures of a connection, from TLS to the last frame, with a message for each.

use std::error;
use std::fmt;
use std::io;

use super::Phase;
use super::redirect::RedirectError;
use super::text::io_words;
use super::tls::TlsError;
use crate::websocket::WebSocketError;
use crate::websocket::upgrade::UpgradeError;

/// The failure of a transport. The message is one line in lower case, without a hint.
#[derive(Debug)]
pub enum Error {
    /// The TLS handshake failed, or the server refused the client after it.
    Tls(TlsError),
    /// TLS failed after its handshake by no fault of the client or the server: bytes were changed
    /// on the way, or an alert says so. The connection is lost.
    BrokenTls {
        /// The phase in which it failed.
        phase: Phase,
        /// The error of TLS.
        error: TlsError,
    },
    /// The server did not upgrade to WebSocket.
    Upgrade(UpgradeError),
    /// The server redirected to an address that is not followed.
    Redirect(RedirectError),
    /// The server ended the WebSocket with a Close frame, or violated its protocol.
    WebSocket(WebSocketError),
    /// The connection ended without a Close frame.
    Ended {
        /// Reset, time-out and the like; `None` if the stream ended in order.
        cause: Option<io::Error>,
    },
    /// The socket failed. In [`Phase::Open`] a *write* failed, so some bytes were not delivered.
    Io {
        /// The phase in which it failed.
        phase: Phase,
        /// The error of the operating system; `TimedOut` if the peer does not read.
        source: io::Error,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tls(error) | Self::BrokenTls { error, .. } => error.fmt(f),
            Self::Upgrade(error) => error.fmt(f),
            Self::Redirect(error) => error.fmt(f),
            Self::WebSocket(error) => error.fmt(f),
            Self::Ended { cause: None } => f.write_str("the server closed the connection"),
            Self::Ended { cause: Some(error) } => f.write_str(&io_words(error)),
            Self::Io { phase: Phase::Open, source } if source.kind() == io::ErrorKind::TimedOut => {
                f.write_str("the server no longer reads what it is sent")
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

impl From<RedirectError> for Error {
    fn from(error: RedirectError) -> Self {
        Self::Redirect(error)
    }
}

impl From<WebSocketError> for Error {
    fn from(error: WebSocketError) -> Self {
        Self::WebSocket(error)
    }
}

impl Error {
    /// Whether the connection ended, and no side has violated a protocol.
    pub fn is_end(&self) -> bool {
        matches!(
            self,
            Self::WebSocket(WebSocketError::Closed { .. })
                | Self::Ended { .. }
                | Self::BrokenTls { phase: Phase::Open, .. }
                | Self::Io { phase: Phase::Open, .. }
        )
    }

    /// Whether a server may end a connection in this way because it does not support the MQTT
    /// version: an end without a Close frame, or Close 1002, 1007 or 1011.
    pub fn may_refuse_the_version(&self) -> bool {
        match self {
            Self::WebSocket(WebSocketError::Closed { code, .. }) => {
                matches!(code, Some(1002 | 1007 | 1011))
            }
            Self::Ended { .. } => true,
            _ => false,
        }
    }

    /// Whether the server said in words why it ended the connection.
    pub fn has_words(&self) -> bool {
        matches!(self, Self::WebSocket(WebSocketError::Closed { reason, .. }) if !reason.is_empty())
    }

    /// Whether a message was too large for the server (Close 1009). Sending it again would fail
    /// again.
    pub fn says_too_big(&self) -> bool {
        matches!(self, Self::WebSocket(WebSocketError::Closed { code: Some(1009), .. }))
    }

    /// The failure of the stream in `phase`. TLS passes its own errors through `io::Error`, and
    /// only after its handshake.
    pub(super) fn from_stream(phase: Phase, source: io::Error) -> Self {
        match source.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()) {
            Some(error) if error.is_refusal() => error.clone().into(),
            Some(error) => Self::BrokenTls { phase, error: error.clone() },
            None => Self::Io { phase, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tls::{Alert, CertificateFault, OtherProtocol};
    use super::*;
    use rustls::{InvalidMessage, PeerIncompatible, PeerMisbehaved};

    /// An error of TLS after its handshake, as the stream returns it.
    fn told(phase: Phase, error: TlsError) -> Error {
        Error::from_stream(phase, io::Error::new(io::ErrorKind::InvalidData, error))
    }

    #[test]
    fn damage_to_tls_is_a_lost_connection_and_a_refusal_is_not() {
        let alert = |code: u8| TlsError::Alert(Alert::from(code));
        let damage = [
            // Alerts by their registered numbers (RFC 8446 §6).
            alert(10), // unexpected_message
            alert(20), // bad_record_mac
            alert(22), // record_overflow
            alert(47), // illegal_parameter
            alert(50), // decode_error
            alert(51), // decrypt_error
            alert(80), // internal_error
            alert(90), // user_canceled
            alert(200),
            TlsError::Closed,
            TlsError::Reset,
            TlsError::HandshakeTooLong,
            TlsError::NotTls(OtherProtocol::Http),
            TlsError::Incompatible(PeerIncompatible::NoCipherSuitesInCommon),
            TlsError::Protocol(rustls::Error::DecryptError),
            TlsError::Protocol(rustls::Error::PeerSentOversizedRecord),
            TlsError::Protocol(InvalidMessage::InvalidContentType.into()),
            TlsError::Protocol(PeerMisbehaved::TooManyEmptyFragments.into()),
        ];
        for error in damage {
            for phase in [Phase::Upgrade, Phase::Open] {
                let told = told(phase, error.clone());
                assert!(matches!(told, Error::BrokenTls { .. }), "{told:?}");
                assert_eq!(told.is_end(), phase == Phase::Open, "{told:?}");
            }
        }
        let mut refusals = vec![
            TlsError::Name("x".into()),
            TlsError::Certificate(CertificateFault::Revoked),
            TlsError::ClientCertificateRequired,
            TlsError::ClientCertificateMissed,
            TlsError::ClientCertificateRefused(Alert::UnknownCA),
        ];
        refusals.extend(
            [40, 41, 42, 43, 44, 45, 46, 48, 49, 70, 71, 111, 112, 115, 116, 120].map(alert),
        );
        for error in refusals {
            let told = told(Phase::Open, error);
            assert!(matches!(told, Error::Tls(_)) && !told.is_end(), "{told:?}");
        }
    }

    #[test]
    fn only_what_ends_an_open_connection_is_an_end() {
        let socket = |phase| Error::Io { phase, source: io::ErrorKind::ConnectionReset.into() };
        let closed = |code| WebSocketError::Closed { code, reason: String::new() };
        let ends = [
            Error::Ended { cause: None },
            closed(None).into(),
            closed(Some(1009)).into(),
            closed(Some(1014)).into(),
            socket(Phase::Open),
        ];
        assert!(ends.iter().all(Error::is_end), "{ends:?}");
        let others = [
            WebSocketError::TextFrame(String::new()).into(),
            WebSocketError::TooLarge { size: 2, limit: 1 }.into(),
            WebSocketError::Protocol(String::new()).into(),
            UpgradeError::Closed.into(),
            TlsError::Closed.into(),
            socket(Phase::Tls),
            socket(Phase::Upgrade),
        ];
        assert!(!others.iter().any(Error::is_end), "{others:?}");
    }
}
