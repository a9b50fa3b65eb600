//! TLS: what is trusted, and what went wrong in words. It never opens a connection and must never know what
//! is spoken inside.

mod fault;
mod verify;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

pub use fault::{CertificateFault, TlsError};

use super::words::io_words;

/// What a connection trusts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// PEM files whose certificates replace Mozilla's authorities; none means those.
    pub ca_files: Vec<PathBuf>,
    /// Accept any certificate. The peer must still own the key of the one it shows.
    pub insecure: bool,
}

/// Why TLS could not be set up: a mistake on this machine, not the server's.
#[derive(Debug)]
pub enum TlsSetupError {
    /// The file cannot be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// The file holds no `BEGIN CERTIFICATE`.
    NoCertificate(PathBuf),
    /// The file is not proper PEM.
    BadPem {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        words: String,
    },
    /// A certificate in the file cannot be used as an authority.
    BadCertificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        words: String,
    },
    /// The TLS library refused the configuration.
    Config(rustls::Error),
}

impl fmt::Display for TlsSetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, error } => {
                write!(f, "cannot read CA file {}: {}", path.display(), io_words(error))
            }
            Self::NoCertificate(path) => write!(f, "no certificate in CA file {}", path.display()),
            Self::BadPem { path, words } => {
                write!(f, "CA file {} is not proper PEM: {words}", path.display())
            }
            Self::BadCertificate { path, words } => {
                write!(f, "unusable certificate in CA file {}: {words}", path.display())
            }
            Self::Config(error) => write!(f, "cannot set up TLS: {error}"),
        }
    }
}

impl std::error::Error for TlsSetupError {}

/// What all connections of a run share: TLS 1.2 and 1.3, no ALPN (a server that picks `h2` speaks no
/// WebSocket).
pub fn client_config(options: &TlsOptions) -> Result<Arc<ClientConfig>, TlsSetupError> {
    let provider = Arc::new(ring::default_provider());
    // A wrong --cafile is an error even where --insecure makes it useless.
    let roots = roots(&options.ca_files)?;
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .map_err(TlsSetupError::Config)?;
    let config = if options.insecure {
        builder
            .dangerous()
            .with_custom_certificate_verifier(insecure_verifier(&provider))
            .with_no_client_auth()
    } else {
        builder.with_root_certificates(roots).with_no_client_auth()
    };
    Ok(Arc::new(config))
}

fn insecure_verifier(provider: &CryptoProvider) -> Arc<dyn ServerCertVerifier> {
    Arc::new(verify::AcceptAny::new(provider.signature_verification_algorithms))
}

fn roots(ca_files: &[PathBuf]) -> Result<RootCertStore, TlsSetupError> {
    let mut roots = RootCertStore::empty();
    if ca_files.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for path in ca_files {
        for certificate in certificates(path)? {
            roots.add(certificate).map_err(|error| TlsSetupError::BadCertificate {
                path: path.clone(),
                words: TlsError::from(error).to_string(),
            })?;
        }
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsSetupError> {
    let text = fs::read(path).map_err(|error| TlsSetupError::Unreadable { path: path.to_owned(), error })?;
    let certificates = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| TlsSetupError::BadPem { path: path.to_owned(), words: pem_words(&error) })?;
    if certificates.is_empty() {
        return Err(TlsSetupError::NoCertificate(path.to_owned()));
    }
    Ok(certificates)
}

fn pem_words(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a section has no END line".into(),
        pem::Error::IllegalSectionStart { .. } => "a BEGIN line is damaged".into(),
        pem::Error::Base64Decode(_) => "a section is not base64".into(),
        other => super::words::uncapitalised(&other.to_string()),
    }
}

/// One client connection to `host`; its name is sent as SNI, an address is not (RFC 6066 §3).
pub fn connection(config: &Arc<ClientConfig>, host: &str) -> Result<ClientConnection, TlsError> {
    let address = host.split('%').next().unwrap_or(host);
    let name = ServerName::try_from(address.to_owned()).map_err(|_| TlsError::Name(host.to_owned()))?;
    let mut connection = ClientConnection::new(Arc::clone(config), name)?;
    // What we write is one buffer of the WebSocket layer and leaves at once: the limit would only cut it.
    connection.set_buffer_limit(None);
    Ok(connection)
}

#[cfg(test)]
mod tests;
