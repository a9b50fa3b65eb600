//! What is wrong with a server's certificate, in one line that says more than the library does. It
//! must never see the certificate itself.

use std::fmt;

use rustls::CertificateError;

use super::super::words::{printable, spaced, uncapitalised};
use super::certificate_facts::Date;
use super::fingerprint::Fingerprint;

/// What is wrong with a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateFault {
    /// No trusted authority has signed it; who has, if that is known.
    UnknownIssuer(Option<String>),
    /// It is its own authority, and not trusted; whose it is.
    SelfSigned(String),
    /// Its time is over.
    Expired {
        /// Seconds since 1970, when known.
        on: Option<u64>,
        /// The authority whose certificate it is; none for the server's own.
        authority: Option<String>,
    },
    /// Its time has not begun (or our clock is wrong).
    NotYetValid {
        /// Seconds since 1970, when known.
        on: Option<u64>,
        /// The authority whose certificate it is; none for the server's own.
        authority: Option<String>,
    },
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
        /// The common name, which does not count.
        common_name: Option<String>,
    },
    /// A certificate authority's certificate (`CA:TRUE`) is used as the server's own.
    CaAsServer,
    /// X.509 version 1: made without extensions.
    Version1 {
        /// The authority whose certificate it is; none for the server's own.
        authority: Option<String>,
    },
    /// An RSA key that is too short, or too long.
    WeakKey {
        /// Its size.
        bits: usize,
        /// The authority whose key it is; none for the server's own.
        authority: Option<String>,
    },
    /// A signature does not fit.
    BadSignature {
        /// An authority that is trusted has the name of the one that signed it.
        namesake: Option<String>,
    },
    /// Signed with an algorithm that is not accepted (SHA-1).
    WeakSignature {
        /// Its name, if known.
        algorithm: Option<String>,
    },
    /// Not made for servers.
    WrongPurpose,
    /// Revoked by its authority.
    Revoked,
    /// Not a proper certificate.
    Malformed,
    /// The server showed none.
    Missing,
    /// It is not the one that we were told to trust; this is it.
    NotPinned(Fingerprint),
    /// Anything else, in the library's words.
    Other(String),
}

impl std::error::Error for CertificateFault {}

impl From<CertificateError> for CertificateFault {
    fn from(error: CertificateError) -> Self {
        use CertificateError as Error;
        match error {
            Error::UnknownIssuer => Self::UnknownIssuer(None),
            Error::Expired => Self::Expired { on: None, authority: None },
            Error::ExpiredContext { not_after, .. } => {
                Self::Expired { on: Some(not_after.as_secs()), authority: None }
            }
            Error::NotValidYet => Self::NotYetValid { on: None, authority: None },
            Error::NotValidYetContext { not_before, .. } => {
                Self::NotYetValid { on: Some(not_before.as_secs()), authority: None }
            }
            Error::NotValidForName => {
                Self::WrongName { expected: String::new(), presented: Vec::new() }
            }
            Error::NotValidForNameContext { expected, presented } => {
                name_fault(expected.to_str().into_owned(), &presented)
            }
            Error::BadSignature => Self::BadSignature { namesake: None },
            Error::UnsupportedSignatureAlgorithmContext { .. }
            | Error::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
                Self::WeakSignature { algorithm: None }
            }
            Error::InvalidPurpose | Error::InvalidPurposeContext { .. } => Self::WrongPurpose,
            Error::Revoked => Self::Revoked,
            Error::BadEncoding => Self::Malformed,
            Error::Other(other) => match other.0.downcast_ref::<Self>() {
                Some(fault) => fault.clone(),
                None => Self::from_words(&other.to_string()),
            },
            other => Self::Other(uncapitalised(&other.to_string())),
        }
    }
}

fn name_fault(expected: String, presented: &[String]) -> CertificateFault {
    if presented.is_empty() {
        return CertificateFault::NoNames { expected, common_name: None };
    }
    // A mail address or a URI is no name of a server.
    let is_name = |name: &&String| name.starts_with("DnsName(") || name.starts_with("IpAddress(");
    let presented: Vec<String> =
        presented.iter().filter(is_name).map(|name| plain_name(name)).collect();
    if presented.is_empty() {
        return CertificateFault::NoNames { expected, common_name: None };
    }
    CertificateFault::WrongName { expected, presented }
}

/// `DnsName("a.example")` and `IpAddress(127.0.0.1)`, the library's own print of a name, without
/// its wrapping.
fn plain_name(name: &str) -> String {
    let inner = name.split_once('(').map_or(name, |(_, rest)| rest.trim_end_matches(')'));
    printable(inner.trim_matches('"'), 255)
}

impl CertificateFault {
    /// rustls hands on what webpki says behind a `dyn Error` whose only public face is its name.
    fn from_words(words: &str) -> Self {
        match words {
            "CaUsedAsEndEntity" => Self::CaAsServer,
            "UnsupportedCertVersion" => Self::Version1 { authority: None },
            _ => Self::Other(printable(&spaced(words), 200)),
        }
    }
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownIssuer(None) => f.write_str("certificate signed by an unknown authority"),
            Self::UnknownIssuer(Some(issuer)) => {
                write!(f, "certificate signed by an unknown authority ({issuer})")
            }
            Self::SelfSigned(subject) => write!(f, "certificate is self-signed ({subject})"),
            Self::Expired { on, authority } => {
                fmt_time(f, authority.as_deref(), "expired on", "expired", *on)
            }
            Self::NotYetValid { on, authority } => {
                fmt_time(f, authority.as_deref(), "not valid before", "not yet valid", *on)
            }
            Self::WrongName { expected, presented } => fmt_names(f, expected, presented),
            Self::NoNames { expected, common_name } => {
                write!(
                    f,
                    "certificate not valid for {expected}: it holds no name (no subjectAltName"
                )?;
                match common_name {
                    Some(name) => write!(f, ", only the common name {name})"),
                    None => f.write_str(")"),
                }
            }
            Self::CaAsServer => {
                f.write_str("the server uses a certificate authority's certificate as its own")
            }
            Self::Version1 { authority } => {
                write!(
                    f,
                    "{} is X.509 version 1, made without extensions",
                    Whose(authority.as_deref())
                )
            }
            Self::WeakKey { bits, authority } => {
                write!(f, "{} has an RSA key of {bits} bits", Whose(authority.as_deref()))
            }
            Self::BadSignature { namesake: None } => f.write_str("certificate has a bad signature"),
            Self::BadSignature { namesake: Some(name) } => {
                write!(
                    f,
                    "certificate signed by another authority of the name {name} than the trusted one"
                )
            }
            Self::WeakSignature { algorithm: None } => {
                f.write_str("certificate is signed with an algorithm that is not accepted")
            }
            Self::WeakSignature { algorithm: Some(algorithm) } => {
                write!(f, "certificate is signed with {algorithm}, which is not accepted")
            }
            Self::WrongPurpose => f.write_str("certificate was not made for servers"),
            Self::Revoked => f.write_str("certificate revoked"),
            Self::Malformed => f.write_str("certificate malformed"),
            Self::Missing => f.write_str("the server showed no certificate"),
            Self::NotPinned(fingerprint) => {
                write!(
                    f,
                    "certificate is not the one of --pin-sha256, its SHA-256 is {fingerprint}"
                )
            }
            Self::Other(words) => write!(f, "certificate not acceptable: {words}"),
        }
    }
}

/// The server's certificate, or that of an authority.
struct Whose<'a>(Option<&'a str>);

impl fmt::Display for Whose<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("certificate"),
            Some(authority) => write!(f, "certificate of the authority {authority}"),
        }
    }
}

fn fmt_time(
    f: &mut fmt::Formatter<'_>,
    authority: Option<&str>,
    dated: &str,
    undated: &str,
    on: Option<u64>,
) -> fmt::Result {
    match on {
        Some(time) => write!(f, "{} {dated} {}", Whose(authority), Date(time)),
        None => write!(f, "{} {undated}", Whose(authority)),
    }
}

/// Some certificates hold hundreds of names: a few say enough.
fn fmt_names(f: &mut fmt::Formatter<'_>, expected: &str, presented: &[String]) -> fmt::Result {
    const SHOWN: usize = 8;
    write!(f, "certificate not valid for {expected}")?;
    if presented.is_empty() {
        return Ok(());
    }
    if presented.iter().any(|name| name == expected) {
        return f.write_str(": it holds this address as a DNS name, not as an address");
    }
    write!(f, ", only for {}", presented[..presented.len().min(SHOWN)].join(", "))?;
    match presented.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        left => write!(f, " and {left} more"),
    }
}
