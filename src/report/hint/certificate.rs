//! Hints for a refused server certificate.

use crate::transport::tls::{CertificateFault, GivenPlaces, Untrusted};

/// The hint of a certificate that nobody vouches for.
pub(super) fn trust_hint(fault: &CertificateFault) -> Option<String> {
    let (untrusted, otherwise) = match fault {
        CertificateFault::UnknownIssuer(Some(untrusted)) => {
            (untrusted, "give that authority's certificate with --cafile")
        }
        CertificateFault::SelfSigned(untrusted) => {
            (untrusted, "if it is the right certificate, give it with --cafile")
        }
        CertificateFault::CaAsServer(untrusted) => (
            untrusted,
            "let this authority sign a certificate for the server, or give this certificate with \
             --cafile",
        ),
        _ => return None,
    };
    let Untrusted { issuer, fingerprint, places } = untrusted;
    let missing = match places {
        GivenPlaces::None => None,
        GivenPlaces::File => Some("the file you gave with --cafile does not hold"),
        GivenPlaces::Folder => Some("the folder you gave with --capath does not hold"),
        GivenPlaces::Both => {
            Some("the file and the folder you gave with --cafile and --capath do not hold")
        }
    };
    let advice = match missing {
        Some(missing) => format!("{missing} its issuer {issuer}: {otherwise}"),
        None => otherwise.to_owned(),
    };
    Some(format!("{advice}, or trust it with --pin-sha256 {fingerprint}"))
}

/// The hint of a fault in a certificate.
pub(super) fn hint(fault: &CertificateFault) -> Option<&'static str> {
    match fault {
        CertificateFault::UnknownIssuer(None) => {
            Some("give that authority's certificate with --cafile")
        }
        CertificateFault::Expired { .. } => Some("the server needs a new certificate"),
        CertificateFault::NotYetValid { .. } => Some("check the clock of this machine"),
        CertificateFault::WrongName { .. } => {
            Some("connect to a name in the certificate, or give one with --sni")
        }
        CertificateFault::NotPinned(_) => {
            Some("if you trust the server's new certificate, pin that one")
        }
        CertificateFault::BadSignature { .. } => Some("is the --cafile up to date?"),
        fault => replacement_hint(fault),
    }
}

/// The hint where the server needs another certificate.
fn replacement_hint(fault: &CertificateFault) -> Option<&'static str> {
    match fault {
        CertificateFault::NoNames { .. } => Some(
            "issue a new certificate with a subjectAltName (the common name does not count), or \
             use --pin-sha256",
        ),
        CertificateFault::Version1 { .. } => Some(
            "issue a new certificate with extensions (openssl x509 -req -extfile), or trust it \
             with --pin-sha256 over TLS 1.3 (in TLS 1.2 rustls checks no signature of such a \
             certificate)",
        ),
        CertificateFault::WeakKey { .. } => {
            Some("issue a new certificate with a key of 2048 to 8192 bits")
        }
        CertificateFault::WeakSignature { .. } => Some(
            "issue a new certificate with SHA-256 and an RSA or P-256 key, or trust it with \
             --pin-sha256",
        ),
        CertificateFault::UnsupportedKey { authority: None, .. } => {
            Some("give the server a certificate with an RSA, P-256, P-384 or Ed25519 key")
        }
        CertificateFault::UnsupportedKey { authority: Some(_), .. } => Some(
            "let an authority with an RSA, P-256, P-384, P-521 or Ed25519 key sign it, or trust it \
             with --pin-sha256",
        ),
        CertificateFault::WrongPurpose => {
            Some("issue a new certificate with extendedKeyUsage serverAuth")
        }
        _ => None,
    }
}
