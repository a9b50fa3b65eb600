//! Why a certificate was refused: what the library reports, together with what stands in the
//! certificates. It must never make a refused certificate acceptable.

use rustls::pki_types::CertificateDer;
use rustls::{CertificateError, RootCertStore};

use super::certificate_fault::CertificateFault;
use super::x509::{self, Certificate};

/// The sizes of RSA keys that are accepted, in bits.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// What a server has shown, and what it was held against. Certificates that cannot be read are left
/// out.
pub struct Evidence<'a> {
    leaf: Option<Certificate>,
    others: Vec<Certificate>,
    roots: Option<&'a RootCertStore>,
}

impl<'a> Evidence<'a> {
    /// Reads what was shown.
    pub fn new(
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        roots: Option<&'a RootCertStore>,
    ) -> Self {
        let others = others.iter().filter_map(|der| Certificate::read(der)).collect();
        Self { leaf: Certificate::read(leaf), others, roots }
    }

    /// What was wrong when the library reported `error`.
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
            CertificateFault::NoNames { expected, .. } => {
                CertificateFault::NoNames { expected, common_name: leaf.common_name() }
            }
            CertificateFault::BadSignature { .. } => self.bad_signature(leaf),
            CertificateFault::WeakSignature { .. } => {
                CertificateFault::WeakSignature { algorithm: Some(self.odd_signature(leaf)) }
            }
            CertificateFault::Version1 { .. } => CertificateFault::Version1 {
                authority: self.authority(leaf, |certificate| !certificate.is_version_3()),
            },
            fault => fault,
        }
    }

    /// Follows the signatures as far as certificates were sent: the last signer is the one that is
    /// missing.
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

    /// The name of the certificate for which `is_bad` holds, unless it is the server's own.
    fn authority(
        &self,
        leaf: &Certificate,
        is_bad: impl Fn(&Certificate) -> bool,
    ) -> Option<String> {
        let others = self.others.iter().filter(|other| !is_bad(leaf) && is_bad(other));
        others.map(Certificate::subject).next()
    }

    /// The library says the same of a signature that was forged, of one that was made by somebody
    /// else of the same name, and of keys that are too short.
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
            Some((certificate.issuer(), x509::anchor_rsa_bits(anchor).filter(is_bad)))
        });
        match signer {
            Some((name, Some(bits))) => CertificateFault::WeakKey { bits, authority: Some(name) },
            signer => CertificateFault::BadSignature { namesake: signer.map(|(name, _)| name) },
        }
    }

    /// How the certificate was signed that was not signed as usual.
    fn odd_signature(&self, leaf: &Certificate) -> String {
        let all = || [leaf].into_iter().chain(&self.others);
        let odd = all().find(|certificate| !certificate.is_signed_as_usual());
        odd.unwrap_or(leaf).signature_algorithm()
    }
}
