//! What rustls reports, in the words of a user whose openssl says "ok". It must never see a socket.

use std::fmt;

use rustls::{AlertDescription, CertificateError, InvalidMessage, PeerIncompatible};

use super::super::words::{printable, uncapitalised};

/// Why TLS failed; the server is to blame, or its certificate, or whoever stands between.
#[derive(Clone, Debug, PartialEq)]
pub enum TlsError {
    /// The host can be no TLS server name.
    Name(String),
    /// The server's certificate is not acceptable.
    Certificate(CertificateFault),
    /// What answered does not speak TLS; `http` when it answered in plain HTTP.
    NotTls {
        /// The answer began with `HTTP/`.
        http: bool,
    },
    /// The server ended the handshake, or the connection, with an alert.
    Alert(AlertDescription),
    /// No version, cipher or group in common.
    Incompatible(PeerIncompatible),
    /// The server hung up during the handshake.
    Closed,
    /// The peer broke the TLS protocol, or something we have no better words for.
    Protocol(rustls::Error),
}

/// What is wrong with a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateFault {
    /// No trusted authority has signed it.
    UnknownIssuer,
    /// Its time is over. Seconds since 1970, when known.
    Expired(Option<u64>),
    /// Its time has not begun (or our clock is wrong). Seconds since 1970, when known.
    NotYetValid(Option<u64>),
    /// It is for other names.
    WrongName {
        /// The name or address we asked for.
        expected: String,
        /// The names it holds.
        presented: Vec<String>,
    },
    /// It holds no names at all: no subjectAltName (a common name does not count).
    NoNames {
        /// The name or address we asked for.
        expected: String,
    },
    /// A certificate authority's certificate (`CA:TRUE`) is used as the server's own.
    CaAsServer,
    /// X.509 version 1: made without extensions.
    Version1,
    /// A signature does not fit, or the key is too weak (RSA of fewer than 2048 bits looks the same).
    BadSignature,
    /// Signed with an algorithm that is no longer accepted (SHA-1).
    WeakSignature,
    /// Not made for servers.
    WrongPurpose,
    /// Revoked by its authority.
    Revoked,
    /// Not a proper certificate.
    Malformed,
    /// The server showed none.
    Missing,
    /// Anything else, in the library's words.
    Other(String),
}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(error) => Self::Certificate(error.into()),
            rustls::Error::NoCertificatesPresented => Self::Certificate(CertificateFault::Missing),
            rustls::Error::AlertReceived(alert) => Self::Alert(alert),
            rustls::Error::PeerIncompatible(reason) => Self::Incompatible(reason),
            rustls::Error::InvalidMessage(
                InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
            ) => Self::NotTls { http: false },
            other => Self::Protocol(other),
        }
    }
}

impl From<CertificateError> for CertificateFault {
    fn from(error: CertificateError) -> Self {
        use CertificateError as Error;
        match error {
            Error::UnknownIssuer => Self::UnknownIssuer,
            Error::Expired => Self::Expired(None),
            Error::ExpiredContext { not_after, .. } => Self::Expired(Some(not_after.as_secs())),
            Error::NotValidYet => Self::NotYetValid(None),
            Error::NotValidYetContext { not_before, .. } => Self::NotYetValid(Some(not_before.as_secs())),
            Error::NotValidForName => Self::WrongName { expected: String::new(), presented: Vec::new() },
            Error::NotValidForNameContext { expected, presented } => {
                name_fault(expected.to_str().into_owned(), &presented)
            }
            Error::BadSignature => Self::BadSignature,
            Error::UnsupportedSignatureAlgorithmContext { .. }
            | Error::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => Self::WeakSignature,
            Error::InvalidPurpose | Error::InvalidPurposeContext { .. } => Self::WrongPurpose,
            Error::Revoked => Self::Revoked,
            Error::BadEncoding => Self::Malformed,
            Error::Other(other) => Self::from_words(&other.to_string()),
            other => Self::Other(uncapitalised(&other.to_string())),
        }
    }
}

fn name_fault(expected: String, presented: &[String]) -> CertificateFault {
    if presented.is_empty() {
        return CertificateFault::NoNames { expected };
    }
    let presented = presented.iter().map(|name| plain_name(name)).collect();
    CertificateFault::WrongName { expected, presented }
}

/// `DnsName("a.example")` and `IpAddress(127.0.0.1)`, the library's own print of a name, without its
/// wrapping.
fn plain_name(name: &str) -> String {
    let inner = name.split_once('(').map_or(name, |(_, rest)| rest.trim_end_matches(')'));
    printable(inner.trim_matches('"'), 255)
}

impl CertificateFault {
    /// rustls hands on what webpki says behind a `dyn Error` whose only public face is its name.
    fn from_words(words: &str) -> Self {
        match words {
            "CaUsedAsEndEntity" => Self::CaAsServer,
            "UnsupportedCertVersion" => Self::Version1,
            _ => Self::Other(printable(words, 200)),
        }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(host) => write!(f, "{host} cannot be the name of a TLS server"),
            Self::Certificate(fault) => fault.fmt(f),
            Self::NotTls { http: true } => f.write_str("the server answered in plain HTTP, not TLS"),
            Self::NotTls { http: false } => f.write_str("the server does not speak TLS on this port"),
            Self::Alert(alert) => fmt_alert(*alert, f),
            Self::Incompatible(reason) => fmt_incompatible(reason, f),
            Self::Closed => f.write_str("the server closed the connection during the TLS handshake"),
            Self::Protocol(error) => write!(f, "TLS failed: {}", uncapitalised(&error.to_string())),
        }
    }
}

impl std::error::Error for TlsError {}

fn fmt_alert(alert: AlertDescription, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use AlertDescription as Alert;
    f.write_str(match alert {
        Alert::CertificateRequired => "the server demands a client certificate",
        Alert::HandshakeFailure => "the server refused the TLS handshake (handshake failure)",
        Alert::UnrecognisedName => "the server does not know the host name (unrecognized name)",
        Alert::ProtocolVersion => "the server does not accept our TLS version",
        Alert::BadCertificate | Alert::UnsupportedCertificate | Alert::CertificateUnknown => {
            "the server refused our certificate"
        }
        Alert::AccessDenied => "the server refused access",
        Alert::InternalError => "the server reports an internal error in TLS",
        other => return write!(f, "the server sent TLS alert {} ({other:?})", u8::from(other)),
    })
}

fn fmt_incompatible(reason: &PeerIncompatible, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match reason {
        PeerIncompatible::ServerDoesNotSupportTls12Or13
        | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig => {
            f.write_str("the server speaks neither TLS 1.2 nor TLS 1.3")
        }
        PeerIncompatible::NoCipherSuitesInCommon => {
            f.write_str("no TLS cipher suite in common with the server")
        }
        other => write!(f, "the server's TLS is too old or too different ({other:?})"),
    }
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownIssuer => f.write_str("certificate signed by an unknown authority"),
            Self::Expired(None) => f.write_str("certificate expired"),
            Self::Expired(Some(time)) => write!(f, "certificate expired on {}", Date(*time)),
            Self::NotYetValid(None) => f.write_str("certificate not yet valid"),
            Self::NotYetValid(Some(time)) => write!(f, "certificate not valid before {}", Date(*time)),
            Self::WrongName { expected, presented } if presented.is_empty() => {
                write!(f, "certificate not valid for {expected}")
            }
            Self::WrongName { expected, presented } => {
                write!(f, "certificate not valid for {expected}, only for {}", presented.join(", "))
            }
            Self::NoNames { expected } => {
                write!(f, "certificate not valid for {expected}: it holds no name (no subjectAltName)")
            }
            Self::CaAsServer => {
                f.write_str("the server uses a certificate authority's certificate as its own")
            }
            Self::Version1 => f.write_str("certificate is X.509 version 1, made without extensions"),
            Self::BadSignature => f.write_str("certificate has a bad signature or too weak a key"),
            Self::WeakSignature => {
                f.write_str("certificate is signed with an algorithm that is not accepted")
            }
            Self::WrongPurpose => f.write_str("certificate was not made for servers"),
            Self::Revoked => f.write_str("certificate revoked"),
            Self::Malformed => f.write_str("certificate malformed"),
            Self::Missing => f.write_str("the server showed no certificate"),
            Self::Other(words) => write!(f, "certificate not acceptable: {words}"),
        }
    }
}

/// Seconds since 1970 as a date, `2026-01-31`.
struct Date(u64);

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Howard Hinnant's civil_from_days: eras of 400 years that begin in March.
        let days = self.0 / 86_400 + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = era * 400 + year_of_era + u64::from(month <= 2);
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}
