//! The reasons why a server's certificate is refused, with a message for each.

use std::fmt;

use rustls::CertificateError;
use rustls::pki_types::UnixTime;

use super::certificate::{Date, Fingerprint};
use super::given_places::GivenPlaces;
use super::key_kind::unsupported_key;

/// The reason why a certificate was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateFault {
    /// No trusted authority has signed it.
    UnknownIssuer(Option<Untrusted>),
    /// It is self-signed and not trusted.
    SelfSigned(Untrusted),
    /// Its validity is over.
    Expired {
        /// The last second of the validity since 1970, if known.
        on: Option<u64>,
        /// The authority whose certificate has expired; `None` for the server's own.
        authority: Option<String>,
    },
    /// Its validity has not begun (or the local clock is wrong).
    NotYetValid {
        /// The first second of the validity since 1970, if known.
        on: Option<u64>,
        /// The authority whose certificate is not yet valid; `None` for the server's own.
        authority: Option<String>,
    },
    /// It is for other names.
    WrongName {
        /// The name or address of the server.
        expected: String,
        /// The names in the certificate.
        presented: Vec<String>,
    },
    /// It has no server names: no subjectAltName (a common name does not count).
    NoNames {
        /// The name or address of the server.
        expected: String,
        /// The common name, which does not count.
        common_name: Option<String>,
    },
    /// The server uses the certificate of an authority (`CA:TRUE`), signed by another one, as its
    /// own.
    CaAsServer(Untrusted),
    /// It is of X.509 version 1, which has no extensions.
    Version1 {
        /// The authority whose certificate it is; `None` for the server's own.
        authority: Option<String>,
    },
    /// The RSA key is too short or too long.
    WeakKey {
        /// The size of the key.
        bits: usize,
        /// The authority whose key it is; `None` for the server's own.
        authority: Option<String>,
    },
    /// The signature is not valid.
    BadSignature {
        /// The name of a trusted authority that has the same name as the signer.
        namesake: Option<String>,
    },
    /// It is signed with an algorithm that is not accepted (SHA-1).
    WeakSignature {
        /// The name of the algorithm, if known.
        algorithm: Option<String>,
    },
    /// A key is of a kind that is not supported.
    UnsupportedKey {
        /// The kind of the key.
        kind: String,
        /// The authority whose key it is; `None` for the server's own.
        authority: Option<String>,
    },
    /// It was not made for servers.
    WrongPurpose,
    /// Its authority has revoked it.
    Revoked,
    /// It is not a well-formed certificate.
    Malformed,
    /// The server sent no certificate.
    Missing,
    /// It is not the pinned one. Holds its fingerprint.
    NotPinned(Fingerprint),
    /// Another error, in the words of the library.
    Other(String),
}

/// A certificate that nobody vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untrusted {
    /// The name of its issuer, or of the last one whose certificate was sent.
    pub issuer: String,
    /// The value for `--pin-sha256`.
    pub fingerprint: Fingerprint,
    /// Where the user gave authorities.
    pub places: GivenPlaces,
}

impl std::error::Error for CertificateFault {}

impl CertificateFault {
    /// Whether a file or folder of authorities that the user gave does not vouch for the
    /// certificate, but a newer one may.
    pub fn is_about_given_file(&self) -> bool {
        match self {
            Self::UnknownIssuer(Some(found))
            | Self::SelfSigned(found)
            | Self::CaAsServer(found) => found.places != GivenPlaces::None,
            // The new authority of a name that the old one had, too.
            Self::BadSignature { namesake } => namesake.is_some(),
            Self::Expired { authority, .. } => authority.is_some(),
            _ => false,
        }
    }
}

/// Faults of which rustls knows no more than this.
impl CertificateFault {
    fn expired(on: Option<UnixTime>) -> Self {
        Self::Expired { on: on.map(|time| time.as_secs()), authority: None }
    }

    fn not_yet_valid(on: Option<UnixTime>) -> Self {
        Self::NotYetValid { on: on.map(|time| time.as_secs()), authority: None }
    }

    fn wrong_name(expected: String) -> Self {
        Self::WrongName { expected, presented: Vec::new() }
    }

    fn unsupported(algorithm: &[u8]) -> Self {
        match unsupported_key(algorithm) {
            Some(kind) => Self::UnsupportedKey { kind, authority: None },
            None => Self::WeakSignature { algorithm: None },
        }
    }
}

impl From<CertificateError> for CertificateFault {
    fn from(error: CertificateError) -> Self {
        use CertificateError as Error;
        match error {
            Error::UnknownIssuer => Self::UnknownIssuer(None),
            Error::Expired => Self::expired(None),
            Error::ExpiredContext { not_after, .. } => Self::expired(Some(not_after)),
            Error::NotValidYet => Self::not_yet_valid(None),
            Error::NotValidYetContext { not_before, .. } => Self::not_yet_valid(Some(not_before)),
            Error::NotValidForName => Self::wrong_name(String::new()),
            Error::NotValidForNameContext { expected, .. } => {
                Self::wrong_name(expected.to_str().into_owned())
            }
            Error::BadSignature => Self::BadSignature { namesake: None },
            Error::UnsupportedSignatureAlgorithmContext { .. } => {
                Self::WeakSignature { algorithm: None }
            }
            Error::UnsupportedSignatureAlgorithmForPublicKeyContext {
                public_key_algorithm_id: id,
                ..
            } => Self::unsupported(&id),
            Error::InvalidPurpose | Error::InvalidPurposeContext { .. } => Self::WrongPurpose,
            Error::Revoked => Self::Revoked,
            Error::BadEncoding => Self::Malformed,
            Error::Other(other) => match other.0.downcast_ref::<Self>() {
                Some(fault) => fault.clone(),
                None => Self::Other(other.to_string()),
            },
            other => Self::Other(other.to_string()),
        }
    }
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.message_about("the server").fmt(f)
    }
}

/// The message, with the name of the peer where the message is about the peer.
pub struct CertificateMessage<'a> {
    fault: &'a CertificateFault,
    peer: &'a str,
}

impl CertificateFault {
    /// The message about a certificate of `peer`.
    pub fn message_about<'a>(&'a self, peer: &'a str) -> CertificateMessage<'a> {
        CertificateMessage { fault: self, peer }
    }

    /// Whether the message names the peer.
    pub fn names_peer(&self) -> bool {
        matches!(self, Self::CaAsServer(_) | Self::Missing)
    }
}

impl fmt::Display for CertificateMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use CertificateFault as Fault;
        let Self { fault, peer } = self;
        match fault {
            Fault::UnknownIssuer(found) => fmt_unknown_issuer(f, found.as_ref()),
            Fault::SelfSigned(Untrusted { issuer, .. }) => {
                write!(f, "certificate is self-signed ({issuer})")
            }
            Fault::Expired { on, authority } => {
                fmt_time(f, authority.as_deref(), "expired on", "expired", *on)
            }
            Fault::NotYetValid { on, authority } => {
                fmt_time(f, authority.as_deref(), "not valid before", "not yet valid", *on)
            }
            Fault::WrongName { expected, presented } => fmt_names(f, expected, presented),
            Fault::NoNames { expected, common_name } => {
                fmt_no_names(f, expected, common_name.as_deref())
            }
            Fault::CaAsServer(_) => {
                write!(f, "{peer} uses a certificate authority's certificate as its own")
            }
            Fault::Version1 { authority } => {
                let whose = Whose(authority.as_deref());
                write!(f, "{whose} is X.509 version 1, which has no extensions")
            }
            Fault::WeakKey { bits, authority } => {
                write!(f, "{} has an RSA key of {bits} bits", Whose(authority.as_deref()))
            }
            Fault::BadSignature { namesake } => fmt_bad_signature(f, namesake.as_deref()),
            Fault::WeakSignature { algorithm } => fmt_weak_signature(f, algorithm.as_deref()),
            Fault::UnsupportedKey { kind, authority } => {
                let whose = Whose(authority.as_deref());
                write!(f, "{whose} has a key of the kind {kind}, which is not supported")
            }
            Fault::WrongPurpose => f.write_str("certificate was not made for servers"),
            Fault::Revoked => f.write_str("certificate revoked"),
            Fault::Malformed => f.write_str("certificate malformed"),
            Fault::Missing => write!(f, "{peer} sent no certificate"),
            Fault::NotPinned(fingerprint) => {
                write!(f, "certificate does not match --pin-sha256; its SHA-256 is {fingerprint}")
            }
            Fault::Other(words) => write!(f, "certificate not acceptable: {words}"),
        }
    }
}

fn fmt_unknown_issuer(f: &mut fmt::Formatter<'_>, found: Option<&Untrusted>) -> fmt::Result {
    f.write_str("certificate signed by an unknown authority")?;
    found.map_or(Ok(()), |Untrusted { issuer, .. }| write!(f, " ({issuer})"))
}

/// The certificate of the server or of an authority.
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

fn fmt_no_names(
    f: &mut fmt::Formatter<'_>,
    expected: &str,
    common_name: Option<&str>,
) -> fmt::Result {
    write!(f, "certificate not valid for {expected}: it holds no name (no subjectAltName")?;
    match common_name {
        Some(name) => write!(f, ", only the common name {name})"),
        None => f.write_str(")"),
    }
}

fn fmt_bad_signature(f: &mut fmt::Formatter<'_>, namesake: Option<&str>) -> fmt::Result {
    match namesake {
        None => f.write_str("certificate has a bad signature"),
        Some(name) => write!(
            f,
            "certificate signed by another authority with the name {name} of a trusted one"
        ),
    }
}

fn fmt_weak_signature(f: &mut fmt::Formatter<'_>, algorithm: Option<&str>) -> fmt::Result {
    match algorithm {
        None => f.write_str("certificate is signed with an algorithm that is not accepted"),
        Some(algorithm) => {
            write!(f, "certificate is signed with {algorithm}, which is not accepted")
        }
    }
}

/// Some certificates have hundreds of names; a few are enough for the message.
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
