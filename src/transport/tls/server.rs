//! What a server shows and trusts, read from files as a client's is.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;

use super::pem::PemFile;
use super::{FilePurpose, TlsOptions, TlsSetupError, identity};

/// The certificate of these options with those of the authorities between, and its key.
///
/// # Errors
/// When a file cannot be read or used, or the two do not belong together.
pub fn certificate(options: &TlsOptions) -> Result<Arc<CertifiedKey>, TlsSetupError> {
    let certificate = identity::read(options, &ring::default_provider())?;
    Ok(certificate.expect("the options name a certificate"))
}

/// The authorities in a file, at least one.
///
/// # Errors
/// When the file cannot be read, or has none.
pub fn authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsSetupError> {
    PemFile::read(FilePurpose::Authorities, path)?.certificates()
}
