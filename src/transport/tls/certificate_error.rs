//! Explains in one line why a server's certificate was refused, from the error of the TLS library
//! and the fields of the certificates.

use std::fmt;

use rustls::pki_types::CertificateDer;
use rustls::{CertificateError, RootCertStore};

use super::certificate::{Certificate, Date, Fingerprint, anchor_rsa_bits};

/// The reason why a certificate was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateFault {
    /// No trusted authority has signed it. Holds the name of the one that has, if known.
    UnknownIssuer(Option<String>),
    /// It is self-signed and not trusted. Holds its subject.
    SelfSigned(String),
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
    /// The server uses the certificate of an authority (`CA:TRUE`) as its own.
    CaAsServer,
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
            Error::NotValidForNameContext { expected, .. } => {
                Self::WrongName { expected: expected.to_str().into_owned(), presented: Vec::new() }
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
        matches!(self, Self::CaAsServer | Self::Missing)
    }
}

impl fmt::Display for CertificateMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fault, peer } = self;
        match fault {
            CertificateFault::UnknownIssuer(None) => {
                f.write_str("certificate signed by an unknown authority")
            }
            CertificateFault::UnknownIssuer(Some(issuer)) => {
                write!(f, "certificate signed by an unknown authority ({issuer})")
            }
            CertificateFault::SelfSigned(subject) => {
                write!(f, "certificate is self-signed ({subject})")
            }
            CertificateFault::Expired { on, authority } => {
                fmt_time(f, authority.as_deref(), "expired on", "expired", *on)
            }
            CertificateFault::NotYetValid { on, authority } => {
                fmt_time(f, authority.as_deref(), "not valid before", "not yet valid", *on)
            }
            CertificateFault::WrongName { expected, presented } => {
                fmt_names(f, expected, presented)
            }
            CertificateFault::NoNames { expected, common_name } => {
                fmt_no_names(f, expected, common_name.as_deref())
            }
            CertificateFault::CaAsServer => {
                write!(f, "{peer} uses a certificate authority's certificate as its own")
            }
            CertificateFault::Version1 { authority } => {
                write!(
                    f,
                    "{} is X.509 version 1, which has no extensions",
                    Whose(authority.as_deref())
                )
            }
            CertificateFault::WeakKey { bits, authority } => {
                write!(f, "{} has an RSA key of {bits} bits", Whose(authority.as_deref()))
            }
            CertificateFault::BadSignature { namesake } => {
                fmt_bad_signature(f, namesake.as_deref())
            }
            CertificateFault::WeakSignature { algorithm } => {
                fmt_weak_signature(f, algorithm.as_deref())
            }
            CertificateFault::WrongPurpose => f.write_str("certificate was not made for servers"),
            CertificateFault::Revoked => f.write_str("certificate revoked"),
            CertificateFault::Malformed => f.write_str("certificate malformed"),
            CertificateFault::Missing => write!(f, "{peer} sent no certificate"),
            CertificateFault::NotPinned(fingerprint) => {
                write!(f, "certificate does not match --pin-sha256; its SHA-256 is {fingerprint}")
            }
            CertificateFault::Other(words) => write!(f, "certificate not acceptable: {words}"),
        }
    }
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

/// The sizes of RSA keys that are accepted, in bits.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The certificates of a server, and the authorities that they were checked against. Certificates
/// that cannot be parsed are left out.
pub struct ServerCertificates<'a> {
    leaf: Option<Certificate>,
    others: Vec<Certificate>,
    roots: Option<&'a RootCertStore>,
}

impl<'a> ServerCertificates<'a> {
    /// Parses the certificates of a server.
    pub fn new(
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        roots: Option<&'a RootCertStore>,
    ) -> Self {
        let others = others.iter().filter_map(|der| Certificate::read(der)).collect();
        Self { leaf: Certificate::read(leaf), others, roots }
    }

    /// The explanation of the library's `error`.
    pub fn fault(&self, error: CertificateError) -> CertificateFault {
        let fault = CertificateFault::from(error);
        let Some(leaf) = &self.leaf else { return fault };
        match fault {
            CertificateFault::UnknownIssuer(_) => self.unknown_issuer(leaf),
            CertificateFault::Expired { on, .. } => CertificateFault::Expired {
                on,
                authority: self.authority(leaf, |certificate| Some(certificate.not_after()) == on),
            },
            CertificateFault::NotYetValid { on, .. } => CertificateFault::NotYetValid {
                on,
                authority: self.authority(leaf, |certificate| Some(certificate.not_before()) == on),
            },
            CertificateFault::WrongName { expected, .. } => wrong_name(leaf, expected),
            CertificateFault::BadSignature { .. } => self.bad_signature(leaf),
            CertificateFault::WeakSignature { .. } => {
                CertificateFault::WeakSignature { algorithm: Some(self.odd_signature(leaf)) }
            }
            // rustls has no names for these two errors and passes on those of webpki.
            CertificateFault::Other(_) if !self.chain(leaf).all(Certificate::is_version_3) => {
                CertificateFault::Version1 {
                    authority: self.authority(leaf, |certificate| !certificate.is_version_3()),
                }
            }
            CertificateFault::Other(_) if leaf.is_authority() => CertificateFault::CaAsServer,
            fault => fault,
        }
    }

    /// All certificates of the server.
    fn chain<'b>(&'b self, leaf: &'b Certificate) -> impl Iterator<Item = &'b Certificate> {
        [leaf].into_iter().chain(&self.others)
    }

    /// Follows the issuers as far as certificates were sent: the last issuer is the missing one.
    fn unknown_issuer(&self, leaf: &Certificate) -> CertificateFault {
        let mut last = leaf;
        for _ in &self.others {
            match self.others.iter().find(|other| last.names_as_issuer(other)) {
                Some(next) if !last.is_self_signed() => last = next,
                _ => break,
            }
        }
        if leaf.is_self_signed() {
            CertificateFault::SelfSigned(leaf.subject())
        } else {
            CertificateFault::UnknownIssuer(Some(last.issuer()))
        }
    }

    /// The subject of the certificate for which `is_bad` holds, unless it is the server's own.
    fn authority(
        &self,
        leaf: &Certificate,
        is_bad: impl Fn(&Certificate) -> bool,
    ) -> Option<String> {
        let others = self.others.iter().filter(|other| !is_bad(leaf) && is_bad(other));
        others.map(Certificate::subject).next()
    }

    /// Explains an invalid signature. The library reports the same error for a forged signature,
    /// for one made by another authority of the same name, and for keys that are too short.
    fn bad_signature(&self, leaf: &Certificate) -> CertificateFault {
        let is_bad = |bits: &usize| !RSA_BITS.contains(bits);
        if let Some(bits) = leaf.rsa_bits().filter(is_bad) {
            return CertificateFault::WeakKey { bits, authority: None };
        }
        let weak =
            self.others.iter().find_map(|other| Some((other.rsa_bits().filter(is_bad)?, other)));
        if let Some((bits, other)) = weak {
            return CertificateFault::WeakKey { bits, authority: Some(other.subject()) };
        }
        let roots = self.roots.map_or(&[][..], |roots| &roots.roots);
        let chain = || self.others.iter().chain([leaf]);
        let signer = chain().find_map(|certificate| {
            let anchor = roots.iter().find(|anchor| certificate.names_anchor(anchor))?;
            Some((certificate.issuer(), anchor_rsa_bits(anchor).filter(is_bad)))
        });
        match signer {
            Some((name, Some(bits))) => CertificateFault::WeakKey { bits, authority: Some(name) },
            signer => CertificateFault::BadSignature { namesake: signer.map(|(name, _)| name) },
        }
    }

    /// The algorithm of the signature that is not in general use.
    fn odd_signature(&self, leaf: &Certificate) -> String {
        let odd = self.chain(leaf).find(|certificate| !certificate.is_signed_as_usual());
        odd.unwrap_or(leaf).signature_algorithm()
    }
}

/// The error for a certificate with other names, or without any.
fn wrong_name(leaf: &Certificate, expected: String) -> CertificateFault {
    let presented = leaf.server_names();
    if presented.is_empty() {
        CertificateFault::NoNames { expected, common_name: leaf.common_name() }
    } else {
        CertificateFault::WrongName { expected, presented }
    }
}
