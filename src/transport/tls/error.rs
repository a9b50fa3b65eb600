//! Explains the errors of rustls to a user to whom openssl says "ok".

use std::fmt;

use rustls::{AlertDescription, HandshakeType, InvalidMessage, PeerIncompatible};

use super::certificate_error::CertificateFault;
use super::identity::CertificateRequest;
use crate::websocket::upgrade::is_connack;

/// The reason why TLS failed.
#[derive(Clone, Debug, PartialEq)]
pub enum TlsError {
    /// The host cannot be a TLS server name.
    Name(String),
    /// The server's certificate is not acceptable.
    Certificate(CertificateFault),
    /// The server does not speak TLS.
    NotTls(OtherProtocol),
    /// The server demands a client certificate.
    ClientCertificateRequired,
    /// The server asked for a client certificate, got none, and closed the connection without an
    /// alert.
    ClientCertificateMissed,
    /// The server refused the client certificate.
    ClientCertificateRefused(AlertDescription),
    /// The server ended the handshake, or the connection, with an alert.
    Alert(AlertDescription),
    /// Client and server have no TLS version, cipher suite or group in common.
    Incompatible(PeerIncompatible),
    /// The server closed the connection during the handshake.
    Closed,
    /// The connection was reset during the handshake.
    Reset,
    /// A message of more than 64 KiB, which is probably a long chain of certificates.
    HandshakeTooLong,
    /// The server violated the TLS protocol, or another error of rustls.
    Protocol(rustls::Error),
}

/// The protocol of a server that does not speak TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OtherProtocol {
    /// HTTP.
    Http,
    /// MQTT over plain TCP.
    Mqtt,
    /// Another protocol. Holds its first bytes, escaped.
    Other(String),
}

impl OtherProtocol {
    /// The protocol that begins with these bytes; `None` if it may be TLS.
    pub fn recognise(first: &[u8]) -> Option<Self> {
        match first {
            // A handshake record or an alert of any version (RFC 8446 §5.1).
            [] | [0x15 | 0x16] | [0x15 | 0x16, 0x03, ..] => None,
            http if http.starts_with(b"HTTP/") => Some(Self::Http),
            mqtt if is_connack(mqtt) => Some(Self::Mqtt),
            other => Some(Self::Other(other[..other.len().min(32)].escape_ascii().to_string())),
        }
    }
}

impl TlsError {
    /// The meaning of `error` on a connection that began with the bytes `first`. `asked` says what
    /// the server did about a client certificate.
    pub fn explained(error: rustls::Error, first: &[u8], asked: CertificateRequest) -> Self {
        if let (rustls::Error::InvalidMessage(_), Some(plain)) =
            (&error, OtherProtocol::recognise(first))
        {
            return Self::NotTls(plain);
        }
        match (error, asked) {
            (rustls::Error::AlertReceived(AlertDescription::CertificateRequired), _) => {
                Self::ClientCertificateRequired
            }
            (rustls::Error::AlertReceived(alert), CertificateRequest::Unanswered)
                if may_mean_a_certificate(alert) =>
            {
                Self::ClientCertificateRequired
            }
            (rustls::Error::AlertReceived(alert), CertificateRequest::Answered)
                if may_mean_a_certificate(alert) =>
            {
                Self::ClientCertificateRefused(alert)
            }
            (error, _) => error.into(),
        }
    }
}

impl TlsError {
    /// Whether this error, after the handshake, is the server's decision about the client, which
    /// another connection does not change. With TLS 1.3 a server refuses a client certificate only
    /// then (RFC 8446 §4.4.2.4). Every other error means damage to the bytes or to the state of one
    /// connection.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Name(_)
            | Self::Certificate(_)
            | Self::ClientCertificateRequired
            | Self::ClientCertificateMissed
            | Self::ClientCertificateRefused(_) => true,
            Self::Alert(alert) => REFUSALS.contains(alert),
            Self::NotTls(_)
            | Self::Incompatible(_)
            | Self::Closed
            | Self::Reset
            | Self::HandshakeTooLong
            | Self::Protocol(_) => false,
        }
    }
}

/// The alerts with which a server refuses the client, so that another connection would end in the
/// same way.
const REFUSALS: &[AlertDescription] = &[
    AlertDescription::NoCertificate,
    AlertDescription::BadCertificate,
    AlertDescription::UnsupportedCertificate,
    AlertDescription::CertificateRevoked,
    AlertDescription::CertificateExpired,
    AlertDescription::CertificateUnknown,
    AlertDescription::CertificateUnobtainable,
    AlertDescription::CertificateRequired,
    AlertDescription::UnknownCA,
    AlertDescription::AccessDenied,
    AlertDescription::HandshakeFailure,
    AlertDescription::ProtocolVersion,
    AlertDescription::InsufficientSecurity,
    AlertDescription::UnrecognisedName,
    AlertDescription::UnknownPSKIdentity,
    AlertDescription::NoApplicationProtocol,
];

/// Whether servers send this alert because of a client certificate (RFC 8446 §6.2).
fn may_mean_a_certificate(alert: AlertDescription) -> bool {
    use AlertDescription as Alert;
    matches!(
        alert,
        Alert::HandshakeFailure
            | Alert::NoCertificate
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::DecryptError
    )
}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(error) => Self::Certificate(error.into()),
            rustls::Error::NoCertificatesPresented => Self::Certificate(CertificateFault::Missing),
            rustls::Error::AlertReceived(AlertDescription::CloseNotify) => Self::Closed,
            rustls::Error::AlertReceived(alert) => Self::Alert(alert),
            rustls::Error::InvalidMessage(InvalidMessage::HandshakePayloadTooLarge) => {
                Self::HandshakeTooLong
            }
            rustls::Error::PeerIncompatible(reason) => Self::Incompatible(reason),
            other => Self::Protocol(other),
        }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.message_about("the server").fmt(f)
    }
}

/// The message, with the name of the peer in it.
pub struct TlsMessage<'a> {
    error: &'a TlsError,
    peer: &'a str,
}

impl TlsError {
    /// The message about `peer`, because a proxy can cause these errors, too.
    pub fn message_about<'a>(&'a self, peer: &'a str) -> TlsMessage<'a> {
        TlsMessage { error: self, peer }
    }

    /// Whether the message names the peer. Most of those about certificates do not.
    pub fn names_peer(&self) -> bool {
        match self {
            Self::Name(_) => false,
            Self::Certificate(fault) => fault.names_peer(),
            Self::Protocol(error) => matches!(
                error,
                rustls::Error::InvalidMessage(_)
                    | rustls::Error::PeerMisbehaved(_)
                    | rustls::Error::InappropriateMessage { .. }
                    | rustls::Error::InappropriateHandshakeMessage { .. }
                    | rustls::Error::DecryptError
            ),
            _ => true,
        }
    }
}

impl fmt::Display for TlsMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { error, peer } = self;
        match error {
            TlsError::Name(host) => write!(f, "{host} cannot be the name of a TLS server"),
            TlsError::Certificate(fault) => fault.message_about(peer).fmt(f),
            TlsError::NotTls(plain) => plain.fmt_of(peer, f),
            TlsError::ClientCertificateRequired => write!(f, "{peer} demands a client certificate"),
            TlsError::ClientCertificateMissed => {
                write!(
                    f,
                    "{peer} asked for a client certificate and closed the connection without one"
                )
            }
            TlsError::ClientCertificateRefused(alert) => {
                write!(f, "{peer} refused the client certificate{}", refusal_words(*alert))
            }
            TlsError::Alert(alert) => fmt_alert(*alert, peer, f),
            TlsError::Incompatible(reason) => fmt_incompatible(reason, peer, f),
            TlsError::Closed => write!(f, "{peer} closed the connection during the TLS handshake"),
            TlsError::Reset => write!(f, "{peer} reset the connection during the TLS handshake"),
            TlsError::HandshakeTooLong => write!(
                f,
                "{peer} sent more than 64 KiB of TLS handshake at once (too many certificates?)"
            ),
            TlsError::Protocol(error) => fmt_broken(error, peer, f),
        }
    }
}

impl std::error::Error for TlsError {}

impl OtherProtocol {
    fn fmt_of(&self, peer: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http => write!(f, "{peer} answered in plain HTTP, not TLS"),
            Self::Mqtt => {
                write!(f, "{peer} speaks MQTT without TLS and WebSockets on this port")
            }
            Self::Other(bytes) => {
                write!(f, "{peer} does not speak TLS on this port (it sent \"{bytes}\")")
            }
        }
    }
}

/// The reason why a server refused the client certificate. The two most general alerts add nothing.
fn refusal_words(alert: AlertDescription) -> &'static str {
    use AlertDescription as Alert;
    match alert {
        Alert::UnknownCA => ": it does not trust the authority that signed it",
        Alert::CertificateExpired => ": it has expired, or is not valid yet",
        Alert::CertificateRevoked => ": it is revoked",
        Alert::UnsupportedCertificate => ": it is of a kind that it does not support",
        Alert::AccessDenied => ": access denied",
        Alert::DecryptError => ": its signature is not valid",
        Alert::HandshakeFailure => ", or the TLS handshake (handshake failure)",
        _ => "",
    }
}

fn fmt_alert(alert: AlertDescription, peer: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use AlertDescription as Alert;
    let words = match alert {
        Alert::HandshakeFailure => "refused the TLS handshake (handshake failure)",
        Alert::InsufficientSecurity => {
            "wants stronger TLS than the client offers (insufficient security)"
        }
        Alert::UnrecognisedName => "does not know the host name (unrecognized name)",
        Alert::ProtocolVersion => "does not accept the client's TLS version",
        Alert::NoApplicationProtocol => {
            "accepts none of the offered TLS application protocols (ALPN)"
        }
        Alert::UnknownPSKIdentity => "wants a pre-shared key, which is not supported",
        Alert::AccessDenied => "refused access",
        Alert::InternalError => "reports an internal error in TLS",
        Alert::UserCanceled => "cancelled the TLS handshake",
        other => {
            let code = u8::from(other);
            return match ALERTS.iter().find(|(known, _)| *known == code) {
                Some((_, name)) => write!(f, "{peer} sent TLS alert {code} ({name})"),
                None => write!(f, "{peer} sent TLS alert {code}"),
            };
        }
    };
    write!(f, "{peer} {words}")
}

/// The registered alerts that have no message of their own (RFC 8446 §6, RFC 5246 §7.2).
const ALERTS: &[(u8, &str)] = &[
    (10, "unexpected message"),
    (20, "bad record MAC"),
    (21, "decryption failed"),
    (22, "record overflow"),
    (30, "decompression failure"),
    (41, "no certificate"),
    (42, "bad certificate"),
    (43, "unsupported certificate"),
    (44, "certificate revoked"),
    (45, "certificate expired"),
    (46, "certificate unknown"),
    (47, "illegal parameter"),
    (48, "unknown CA"),
    (50, "decode error"),
    (51, "decrypt error"),
    (60, "export restriction"),
    (86, "inappropriate fallback"),
    (100, "no renegotiation"),
    (109, "missing extension"),
    (110, "unsupported extension"),
    (111, "certificate unobtainable"),
    (113, "bad certificate status response"),
    (114, "bad certificate hash value"),
    (121, "encrypted client hello required"),
];

/// The message for a violation of TLS, with the name that rustls has for it.
fn fmt_broken(error: &rustls::Error, peer: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match error {
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            write!(f, "{peer} sent data that is not TLS")
        }
        rustls::Error::InvalidMessage(reason) => {
            write!(f, "{peer} sent a TLS message that is malformed ({reason:?})")
        }
        rustls::Error::PeerMisbehaved(reason) => write!(f, "{peer} broke TLS ({reason:?})"),
        rustls::Error::InappropriateMessage { got_type: got, .. } => {
            write!(f, "{peer} broke TLS (an unexpected {got:?} message)")
        }
        rustls::Error::InappropriateHandshakeMessage {
            got_type: HandshakeType::ClientHello,
            ..
        } => write!(f, "{peer} sends back what it is sent: it is an echo server"),
        rustls::Error::InappropriateHandshakeMessage { got_type: got, .. } => {
            write!(f, "{peer} broke TLS (an unexpected {got:?} message)")
        }
        rustls::Error::DecryptError => {
            write!(f, "data from {peer} cannot be decrypted: it was changed on the way, or forged")
        }
        error => write!(f, "TLS failed: {error}"),
    }
}

fn fmt_incompatible(
    reason: &PeerIncompatible,
    peer: &str,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    match reason {
        PeerIncompatible::ServerDoesNotSupportTls12Or13 => {
            write!(f, "{peer} speaks neither TLS 1.2 nor TLS 1.3")
        }
        PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig => {
            write!(f, "{peer} does not speak the TLS version of --tls-version")
        }
        PeerIncompatible::NoCipherSuitesInCommon => {
            write!(f, "no TLS cipher suite in common with {peer}")
        }
        other => {
            write!(f, "{peer}'s TLS is too old or too different ({other:?})")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_tls_is_recognised_by_its_first_bytes() {
        let other = |text: &str| Some(OtherProtocol::Other(text.to_owned()));
        let rows: [(&[u8], Option<OtherProtocol>); 12] = [
            (b"", None),
            (b"\x16", None),
            (b"\x16\x03\x03", None),
            (b"\x15\x03\x01\0\x02", None),
            (b"H", other("H")),
            (b"HTTP/1.0 200 OK", Some(OtherProtocol::Http)),
            (b"HELO", other("HELO")),
            (b"\x20\x02\0\x05", Some(OtherProtocol::Mqtt)),
            (b"\x20\x20hi", other("  hi")),
            (b"\xe0\x01\x82", other("\\xe0\\x01\\x82")),
            (b"\x16\x16", other("\\x16\\x16")),
            (b"220 mail\r\n", other("220 mail\\r\\n")),
        ];
        for (first, expected) in rows {
            assert_eq!(OtherProtocol::recognise(first), expected, "{}", first.escape_ascii());
        }
    }

    #[test]
    fn an_alert_is_about_our_certificate_only_when_one_was_asked_for() {
        use AlertDescription as Alert;
        let explained =
            |alert, asked| TlsError::explained(rustls::Error::AlertReceived(alert), b"", asked);
        for alert in
            [Alert::HandshakeFailure, Alert::BadCertificate, Alert::UnknownCA, Alert::AccessDenied]
        {
            assert_eq!(explained(alert, CertificateRequest::NotMade), TlsError::Alert(alert));
            assert_eq!(
                explained(alert, CertificateRequest::Unanswered),
                TlsError::ClientCertificateRequired
            );
            assert_eq!(
                explained(alert, CertificateRequest::Answered),
                TlsError::ClientCertificateRefused(alert)
            );
        }
        assert_eq!(
            explained(Alert::CertificateRequired, CertificateRequest::NotMade),
            TlsError::ClientCertificateRequired
        );
        assert_eq!(
            explained(Alert::ProtocolVersion, CertificateRequest::Answered),
            TlsError::Alert(Alert::ProtocolVersion)
        );
    }
}
