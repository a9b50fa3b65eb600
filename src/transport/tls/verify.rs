//! Decides which servers are trusted: by their chain, by their fingerprint, or all. Each must own
//! the key of its certificate.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
    verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};
use x509_cert::der::Encode;

use super::certificate::{Certificate, Fingerprint};
use super::certificate_error::CertificateFault;
use super::given_places::GivenPlaces;
use super::roots::Authorities;
use super::server_certificates::ServerCertificates;

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
        /// The certificates that the user gave.
        given: Vec<CertificateDer<'static>>,
        /// Where the user gave them.
        places: GivenPlaces,
    },
}

impl Trust {
    /// Trust in these authorities.
    pub fn chain(authorities: Authorities, provider: &Arc<CryptoProvider>) -> Result<Self, Error> {
        let Authorities { store, given, places } = authorities;
        let roots = Arc::new(store);
        let builder =
            WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(provider));
        let verifier = builder.build().map_err(|error| Error::General(error.to_string()))?;
        Ok(Self::Chain { verifier, roots, given, places })
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

    /// The authorities that are trusted, if a chain to one is asked for, and where they are from.
    pub fn roots(&self) -> (Option<&RootCertStore>, GivenPlaces) {
        match &self.trust {
            Trust::Chain { roots, places, .. } => (Some(roots), *places),
            _ => (None, GivenPlaces::None),
        }
    }

    /// Checks the name and the dates of a certificate that the user gave: its signature does
    /// not matter then (as in OpenSSL with a partial chain, and in curl).
    fn verify_given(
        &self,
        certificate: &CertificateDer<'_>,
        server_name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = ParsedCertificate::try_from(certificate)
            .and_then(|parsed| verify_server_name(&parsed, server_name))
            .and_then(|()| verify_dates(certificate, now));
        verified
            .map(|()| ServerCertVerified::assertion())
            .map_err(|error| self.explained(error, certificate, &[]))
    }

    /// The error with the reason that the certificates show.
    pub fn explained(
        &self,
        error: Error,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
    ) -> Error {
        match error {
            Error::InvalidCertificate(error) => {
                let (roots, places) = self.roots();
                refused(ServerCertificates::new(leaf, others, roots, places).fault(error))
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

/// Whether the certificate is valid `now`.
fn verify_dates(certificate: &CertificateDer<'_>, time: UnixTime) -> Result<(), Error> {
    let Some(fields) = Certificate::read(certificate) else {
        return Err(CertificateError::BadEncoding.into());
    };
    let (from, until) = (fields.not_before(), fields.not_after());
    if time.as_secs() < from {
        let not_before = UnixTime::since_unix_epoch(Duration::from_secs(from));
        return Err(CertificateError::NotValidYetContext { time, not_before }.into());
    }
    if time.as_secs() > until {
        let not_after = UnixTime::since_unix_epoch(Duration::from_secs(until));
        return Err(CertificateError::ExpiredContext { time, not_after }.into());
    }
    Ok(())
}

/// The verifier of one connection, which keeps the certificates that the server showed.
#[derive(Debug)]
pub struct Witness {
    verifier: Arc<Verifier>,
    presented: OnceLock<Vec<CertificateDer<'static>>>,
}

impl Witness {
    /// A verifier that judges as `verifier` does.
    pub fn new(verifier: Arc<Verifier>) -> Self {
        Self { verifier, presented: OnceLock::new() }
    }

    /// The server's certificate, whatever was decided about it.
    pub fn presented(&self) -> Option<&CertificateDer<'static>> {
        self.presented.get()?.first()
    }

    /// All certificates as the server sent them, its own first; none before it did.
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        self.presented.get().map_or(&[], Vec::as_slice)
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let shown = std::iter::once(end_entity).chain(intermediates);
        self.presented.get_or_init(|| shown.map(|one| one.clone().into_owned()).collect());
        self.verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
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
            Trust::Chain { given, .. } if given.contains(end_entity) => {
                self.verify_given(end_entity, server_name, now)
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
