//! Finds out why a server's certificate was refused, from the error of the TLS library and the
//! fields of the certificates.

use rustls::pki_types::CertificateDer;
use rustls::{CertificateError, RootCertStore};

use super::certificate::{Certificate, Fingerprint, anchor_rsa_bits};
use super::certificate_error::{CertificateFault, Untrusted};
use super::given_places::GivenPlaces;
use super::key_kind::{anchor_key_algorithm, unsupported_key};

/// The sizes of RSA keys that are accepted, in bits.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The certificates of a server, and the authorities that they were checked against. Certificates
/// that cannot be parsed are left out.
pub struct ServerCertificates<'a> {
    leaf: Option<Certificate>,
    others: Vec<Certificate>,
    roots: Option<&'a RootCertStore>,
    fingerprint: Fingerprint,
    places: GivenPlaces,
}

impl<'a> ServerCertificates<'a> {
    /// Parses the certificates of a server.
    pub fn new(
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        roots: Option<&'a RootCertStore>,
        places: GivenPlaces,
    ) -> Self {
        let others = others.iter().filter_map(|der| Certificate::read(der)).collect();
        let fingerprint = Fingerprint::of(leaf);
        Self { leaf: Certificate::read(leaf), others, roots, fingerprint, places }
    }

    /// The explanation of the library's `error`.
    pub fn fault(&self, error: CertificateError) -> CertificateFault {
        if let Some(fault) = self.unsupported_key(&error) {
            return fault;
        }
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
            CertificateFault::Other(words) => self.unnamed(leaf, words),
            fault => fault,
        }
    }

    /// rustls has no names for these errors, and passes on those of webpki.
    fn unnamed(&self, leaf: &Certificate, words: String) -> CertificateFault {
        if !self.chain(leaf).all(Certificate::is_version_3) {
            let authority = self.authority(leaf, |certificate| !certificate.is_version_3());
            CertificateFault::Version1 { authority }
        } else if leaf.is_authority() && leaf.is_self_signed() {
            CertificateFault::SelfSigned(self.untrusted(leaf.issuer()))
        } else if leaf.is_authority() {
            CertificateFault::CaAsServer(self.untrusted(leaf.issuer()))
        } else {
            CertificateFault::Other(words)
        }
    }

    fn unsupported_key(&self, error: &CertificateError) -> Option<CertificateFault> {
        let CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext {
            public_key_algorithm_id: id,
            ..
        } = error
        else {
            return None;
        };
        let kind = unsupported_key(id)?;
        Some(CertificateFault::UnsupportedKey { kind, authority: self.owner(id) })
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
            CertificateFault::SelfSigned(self.untrusted(leaf.issuer()))
        } else {
            CertificateFault::UnknownIssuer(Some(self.untrusted(last.issuer())))
        }
    }

    fn untrusted(&self, issuer: String) -> Untrusted {
        Untrusted { issuer, fingerprint: self.fingerprint, places: self.places }
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

    /// The authority with a key of this kind, unless it is the server's own key.
    fn owner(&self, algorithm: &[u8]) -> Option<String> {
        let has = |certificate: &&Certificate| certificate.key_algorithm() == algorithm;
        let leaf = self.leaf.as_ref()?;
        if has(&leaf) {
            return None;
        }
        let sent = self.others.iter().find(has).map(Certificate::subject);
        sent.or_else(|| {
            let roots = self.roots.map_or(&[][..], |roots| &roots.roots);
            let signer = |certificate: &&Certificate| {
                roots.iter().any(|anchor| {
                    certificate.names_anchor(anchor) && anchor_key_algorithm(anchor) == algorithm
                })
            };
            self.chain(leaf).find(signer).map(Certificate::issuer)
        })
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
