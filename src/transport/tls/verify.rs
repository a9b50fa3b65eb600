//! Decides which servers are trusted: by their chain, by their fingerprint, or all. Each must own
//! the key of its certificate.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
    verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};
use x509_cert::der::Encode;

use super::certificate::{Certificate, Fingerprint};
use super::certificate_error::{CertificateFault, ServerCertificates};

/// The rule by which a certificate is accepted.
#[derive(Debug)]
pub enum Trust {
    /// Every certificate is accepted.
    Anything,
    /// One of these certificates is accepted, whatever its name, age or issuer.
    Pinned(Vec<Fingerprint>),
    /// A chain to one of these authorities, and the right name (RFC 5280, RFC 6125).
    Chain {
        /// The verifier of the library.
        verifier: Arc<WebPkiServerVerifier>,
        /// The authorities, to explain a refusal.
        roots: Arc<RootCertStore>,
    },
}

impl Trust {
    /// Trust in these authorities.
    pub fn chain(roots: RootCertStore, provider: &Arc<CryptoProvider>) -> Result<Self, Error> {
        let roots = Arc::new(roots);
        let builder =
            WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(provider));
        let verifier = builder.build().map_err(|error| Error::General(error.to_string()))?;
        Ok(Self::Chain { verifier, roots })
    }
}

/// Verifies a server's certificate, and explains what is wrong with it.
#[derive(Debug)]
pub struct Verifier {
    trust: Trust,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    /// A verifier that checks signatures as `provider` does.
    pub fn new(trust: Trust, provider: &CryptoProvider) -> Self {
        Self { trust, algorithms: provider.signature_verification_algorithms }
    }

    fn roots(&self) -> Option<&RootCertStore> {
        match &self.trust {
            Trust::Chain { roots, .. } => Some(roots),
            _ => None,
        }
    }

    fn explained(
        &self,
        error: Error,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
    ) -> Error {
        match error {
            Error::InvalidCertificate(error) => {
                refused(ServerCertificates::new(leaf, others, self.roots()).fault(error))
            }
            error => error,
        }
    }

    /// The certificate, if the library cannot read it (X.509 version 1) and no chain is required.
    /// In TLS 1.2 the library does not accept a key alone.
    fn old_key(&self, certificate: &CertificateDer<'_>) -> Option<Certificate> {
        let is_lenient = !matches!(self.trust, Trust::Chain { .. });
        Certificate::read(certificate)
            .filter(|certificate| is_lenient && !certificate.is_version_3())
    }
}

fn refused(fault: CertificateFault) -> Error {
    CertificateError::Other(OtherError(Arc::new(fault))).into()
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match &self.trust {
            Trust::Anything => Ok(ServerCertVerified::assertion()),
            Trust::Pinned(pins) => {
                let fingerprint = Fingerprint::of(end_entity);
                if pins.contains(&fingerprint) {
                    Ok(ServerCertVerified::assertion())
                } else {
                    Err(refused(CertificateFault::NotPinned(fingerprint)))
                }
            }
            Trust::Chain { verifier, .. } => verifier
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
                .map_err(|error| self.explained(error, end_entity, intermediates)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
            .map_err(|error| self.explained(error, cert, &[]))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self.old_key(cert).and_then(|old| old.public_key().to_der().ok()) {
            Some(key) => {
                let key = SubjectPublicKeyInfoDer::from(key);
                verify_tls13_signature_with_raw_key(message, &key, dss, &self.algorithms)
            }
            None => verify_tls13_signature(message, cert, dss, &self.algorithms),
        }
        .map_err(|error| self.explained(error, cert, &[]))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
