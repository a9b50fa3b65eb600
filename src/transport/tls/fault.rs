//! What rustls reports, in the words of a user whose openssl says "ok". It must never see a socket.

use std::fmt;

use rustls::{AlertDescription, InvalidMessage, PeerIncompatible};

use super::super::words::{spaced, uncapitalised};
use super::certificate_fault::CertificateFault;
use super::identity::Asked;

/// Why TLS failed; the server is to blame, or its certificate, or whoever stands between.
#[derive(Clone, Debug, PartialEq)]
pub enum TlsError {
    /// The host can be no TLS server name.
    Name(String),
    /// The server's certificate is not acceptable.
    Certificate(CertificateFault),
    /// What answered does not speak TLS.
    NotTls(Plain),
    /// The server wants to see a certificate of ours.
    ClientCertificateRequired,
    /// The server asked for a certificate of ours, got none, and hung up without a word.
    ClientCertificateMissed,
    /// The server does not like our certificate.
    ClientCertificateRefused(AlertDescription),
    /// The server ended the handshake, or the connection, with an alert.
    Alert(AlertDescription),
    /// No version, cipher or group in common.
    Incompatible(PeerIncompatible),
    /// The server hung up during the handshake.
    Closed,
    /// A message of more than 64 KiB, which only a chain of certificates can be.
    HandshakeTooLong,
    /// The peer broke the TLS protocol, or something we have no better words for.
    Protocol(rustls::Error),
}

/// What speaks where TLS should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plain {
    /// HTTP.
    Http,
    /// MQTT over plain TCP.
    Mqtt,
    /// Something else: its first bytes, escaped.
    Other(String),
}

impl Plain {
    /// What begins like this; none if it may be TLS.
    pub fn recognise(first: &[u8]) -> Option<Self> {
        match first {
            // A handshake record or an alert of any version (RFC 8446 §5.1).
            [] | [0x15 | 0x16] | [0x15 | 0x16, 0x03, ..] => None,
            [b'H', ..] if b"HTTP/".starts_with(&first[..first.len().min(5)]) => Some(Self::Http),
            // CONNACK, or DISCONNECT of MQTT 5.
            [0x20 | 0xe0, ..] => Some(Self::Mqtt),
            other => Some(Self::Other(other[..other.len().min(32)].escape_ascii().to_string())),
        }
    }
}

impl TlsError {
    /// What `error` means for a connection that began with the bytes `first`, on which a client
    /// certificate was asked for as `asked` says.
    pub fn explained(error: rustls::Error, first: &[u8], asked: Asked) -> Self {
        if let (rustls::Error::InvalidMessage(_), Some(plain)) = (&error, Plain::recognise(first)) {
            return Self::NotTls(plain);
        }
        match (error, asked) {
            (rustls::Error::AlertReceived(AlertDescription::CertificateRequired), _) => {
                Self::ClientCertificateRequired
            }
            (rustls::Error::AlertReceived(alert), Asked::InVain)
                if may_mean_a_certificate(alert) =>
            {
                Self::ClientCertificateRequired
            }
            (rustls::Error::AlertReceived(alert), Asked::Shown)
                if may_mean_a_certificate(alert) =>
            {
                Self::ClientCertificateRefused(alert)
            }
            (error, _) => error.into(),
        }
    }
}

impl TlsError {
    /// Whether this, told after the handshake, is the server's judgement of us, which another
    /// connection does not change. With TLS 1.3 a server refuses a client certificate only then
    /// (RFC 8446 §4.4.2.4). Everything else is damage: of the bytes, or of one connection's state.
    pub fn is_refusal(&self) -> bool {
        use AlertDescription as Alert;
        match self {
            Self::Name(_)
            | Self::Certificate(_)
            | Self::ClientCertificateRequired
            | Self::ClientCertificateMissed
            | Self::ClientCertificateRefused(_) => true,
            Self::Alert(alert) => matches!(
                alert,
                Alert::NoCertificate
                    | Alert::BadCertificate
                    | Alert::UnsupportedCertificate
                    | Alert::CertificateRevoked
                    | Alert::CertificateExpired
                    | Alert::CertificateUnknown
                    | Alert::CertificateUnobtainable
                    | Alert::CertificateRequired
                    | Alert::UnknownCA
                    | Alert::AccessDenied
                    | Alert::HandshakeFailure
                    | Alert::ProtocolVersion
                    | Alert::InsufficientSecurity
                    | Alert::UnrecognisedName
                    | Alert::UnknownPSKIdentity
                    | Alert::NoApplicationProtocol
            ),
            Self::NotTls(_)
            | Self::Incompatible(_)
            | Self::Closed
            | Self::HandshakeTooLong
            | Self::Protocol(_) => false,
        }
    }
}

/// Whether servers say this about the certificate of a client (RFC 8446 §6.2).
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
        match self {
            Self::Name(host) => write!(f, "{host} cannot be the name of a TLS server"),
            Self::Certificate(fault) => fault.fmt(f),
            Self::NotTls(plain) => plain.fmt(f),
            Self::ClientCertificateRequired => f.write_str("the server demands a client certificate"),
            Self::ClientCertificateMissed => {
                f.write_str("the server asked for a client certificate and closed the connection without one")
            }
            Self::ClientCertificateRefused(alert) => {
                write!(f, "the server refused our client certificate{}", refusal_words(*alert))
            }
            Self::Alert(alert) => fmt_alert(*alert, f),
            Self::Incompatible(reason) => fmt_incompatible(reason, f),
            Self::Closed => f.write_str("the server closed the connection during the TLS handshake"),
            Self::HandshakeTooLong => f.write_str(
                "the server sent more than 64 KiB of TLS handshake at once (too many certificates?)",
            ),
            Self::Protocol(error) => fmt_broken(error, f),
        }
    }
}

impl std::error::Error for TlsError {}

impl fmt::Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http => f.write_str("the server answered in plain HTTP, not TLS"),
            Self::Mqtt => {
                f.write_str("the server speaks MQTT without TLS and WebSockets on this port")
            }
            Self::Other(bytes) => {
                write!(f, "the server does not speak TLS on this port (it sent \"{bytes}\")")
            }
        }
    }
}

/// What a server says about our certificate; the two most general alerts add nothing.
fn refusal_words(alert: AlertDescription) -> &'static str {
    use AlertDescription as Alert;
    match alert {
        Alert::UnknownCA => ": it does not trust the authority that signed it",
        Alert::CertificateExpired => ": it has expired",
        Alert::CertificateRevoked => ": it is revoked",
        Alert::UnsupportedCertificate => ": it is of a kind that the server does not support",
        Alert::AccessDenied => ": access denied",
        Alert::DecryptError => ": its signature does not fit",
        Alert::HandshakeFailure => ", or the TLS handshake (handshake failure)",
        _ => "",
    }
}

fn fmt_alert(alert: AlertDescription, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use AlertDescription as Alert;
    f.write_str(match alert {
        Alert::HandshakeFailure => "the server refused the TLS handshake (handshake failure)",
        Alert::InsufficientSecurity => {
            "the server wants stronger TLS than we offer (insufficient security)"
        }
        Alert::UnrecognisedName => "the server does not know the host name (unrecognized name)",
        Alert::ProtocolVersion => "the server does not accept our TLS version",
        Alert::NoApplicationProtocol => {
            "the server accepts none of our TLS application protocols (ALPN)"
        }
        Alert::UnknownPSKIdentity => "the server wants a pre-shared key, which is not supported",
        Alert::AccessDenied => "the server refused access",
        Alert::InternalError => "the server reports an internal error in TLS",
        Alert::UserCanceled => "the server called the TLS handshake off",
        AlertDescription::Unknown(code) => return write!(f, "the server sent TLS alert {code}"),
        other => {
            let name = spaced(&format!("{other:?}"));
            return write!(f, "the server sent TLS alert {} ({name})", u8::from(other));
        }
    })
}

/// What a server did that no TLS server does.
fn fmt_broken(error: &rustls::Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let words = |name: &dyn fmt::Debug| spaced(&format!("{name:?}"));
    match error {
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            f.write_str("the server does not speak TLS on this port")
        }
        rustls::Error::InvalidMessage(reason) => {
            write!(f, "the server sent a TLS message that is malformed ({})", words(reason))
        }
        rustls::Error::PeerMisbehaved(reason) => write!(f, "the server broke TLS ({})", words(reason)),
        rustls::Error::InappropriateMessage { got_type: got, .. } => {
            write!(f, "the server broke TLS (an unexpected {} message)", words(got))
        }
        rustls::Error::InappropriateHandshakeMessage { got_type: got, .. } => {
            write!(f, "the server broke TLS (an unexpected {} message)", words(got))
        }
        rustls::Error::DecryptError => f.write_str(
            "what the server sent cannot be decrypted: it was changed on the way, or is not from it",
        ),
        error => write!(f, "TLS failed: {}", uncapitalised(&error.to_string())),
    }
}

fn fmt_incompatible(reason: &PeerIncompatible, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match reason {
        PeerIncompatible::ServerDoesNotSupportTls12Or13 => {
            f.write_str("the server speaks neither TLS 1.2 nor TLS 1.3")
        }
        PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig => {
            f.write_str("the server does not speak the TLS version of --tls-version")
        }
        PeerIncompatible::NoCipherSuitesInCommon => {
            f.write_str("no TLS cipher suite in common with the server")
        }
        other => {
            write!(
                f,
                "the server's TLS is too old or too different ({})",
                spaced(&format!("{other:?}"))
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_tls_is_recognised_by_its_first_bytes() {
        let other = |text: &str| Some(Plain::Other(text.to_owned()));
        let rows: [(&[u8], Option<Plain>); 11] = [
            (b"", None),
            (b"\x16", None),
            (b"\x16\x03\x03", None),
            (b"\x15\x03\x01\0\x02", None),
            (b"H", Some(Plain::Http)),
            (b"HTTP/1.0 200 OK", Some(Plain::Http)),
            (b"HELO", other("HELO")),
            (b"\x20\x02", Some(Plain::Mqtt)),
            (b"\xe0\x01\x82", Some(Plain::Mqtt)),
            (b"\x16\x16", other("\\x16\\x16")),
            (b"220 mail\r\n", other("220 mail\\r\\n")),
        ];
        for (first, expected) in rows {
            assert_eq!(Plain::recognise(first), expected, "{}", first.escape_ascii());
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
            assert_eq!(explained(alert, Asked::No), TlsError::Alert(alert));
            assert_eq!(explained(alert, Asked::InVain), TlsError::ClientCertificateRequired);
            assert_eq!(explained(alert, Asked::Shown), TlsError::ClientCertificateRefused(alert));
        }
        assert_eq!(
            explained(Alert::CertificateRequired, Asked::No),
            TlsError::ClientCertificateRequired
        );
        assert_eq!(
            explained(Alert::ProtocolVersion, Asked::Shown),
            TlsError::Alert(Alert::ProtocolVersion)
        );
    }
}
