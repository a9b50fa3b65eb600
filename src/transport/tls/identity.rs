//! The client certificate and its key: read from files, compared, and sent to a server that asks
//! for it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pkcs8::{EncryptedPrivateKeyInfoRef, pkcs5};
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;

use super::super::file;
use super::TlsOptions;
use super::certificate::public_key_of;
use super::pem::{BYTE_ORDER_MARK, PemFile};
use super::setup_error::{FilePurpose, TlsSetupError};

/// What the server did about a client certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateRequest {
    /// The server did not ask for one.
    NotMade,
    /// The server asked, and the client has none.
    Unanswered,
    /// The server asked, and the client sent its certificate.
    Answered,
}

/// The certificate for one connection, and whether the server has asked for it.
#[derive(Debug, Default)]
pub struct Identity {
    certificate: Option<Arc<CertifiedKey>>,
    asked: AtomicBool,
}

impl Identity {
    /// The certificate for one connection.
    pub fn new(certificate: Option<Arc<CertifiedKey>>) -> Self {
        Self { certificate, asked: AtomicBool::new(false) }
    }

    /// What the server has done about a client certificate so far.
    pub fn certificate_request(&self) -> CertificateRequest {
        match (self.asked.load(Ordering::Relaxed), &self.certificate) {
            (false, _) => CertificateRequest::NotMade,
            (true, None) => CertificateRequest::Unanswered,
            (true, Some(_)) => CertificateRequest::Answered,
        }
    }
}

impl ResolvesClientCert for Identity {
    fn resolve(
        &self,
        _authorities: &[&[u8]],
        _schemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        self.certificate.clone()
    }

    fn has_certs(&self) -> bool {
        self.certificate.is_some()
    }
}

/// Reads the certificate and the key of the options. Without `--key` the key is in the file of the
/// certificate.
pub fn read(
    options: &TlsOptions,
    provider: &CryptoProvider,
) -> Result<Option<Arc<CertifiedKey>>, TlsSetupError> {
    let Some(path) = &options.certificate else { return Ok(None) };
    let file = PemFile::read(FilePurpose::Certificate, path)?;
    let chain = file.certificates().map_err(|error| match error {
        TlsSetupError::Nothing(..) | TlsSetupError::OtherSection(..) if file.has_key() => {
            TlsSetupError::Swapped(path.clone())
        }
        error => error,
    })?;
    let key_path = options.key.as_ref().unwrap_or(path);
    let key = private_key(key_path, options.key_password_file.as_deref())?;
    let key = provider.key_provider.load_private_key(key);
    let key = key.map_err(|_| TlsSetupError::UnsupportedKey(key_path.clone()))?;
    let certified = CertifiedKey::new(chain, key);
    if is_foreign(&certified) {
        return Err(TlsSetupError::ForeignKey { key: key_path.clone(), certificate: path.clone() });
    }
    Ok(Some(Arc::new(certified)))
}

/// Whether the key is known to belong to another certificate.
fn is_foreign(certified: &CertifiedKey) -> bool {
    // `CertifiedKey::keys_match` would refuse X.509 version 1, which servers accept from clients.
    let of_key = certified.key.public_key();
    let of_certificate = certified.cert.first().and_then(|certificate| public_key_of(certificate));
    of_key.zip(of_certificate).is_some_and(|(key, certificate)| key.as_ref() != certificate)
}

fn private_key(
    path: &Path,
    password_file: Option<&Path>,
) -> Result<PrivateKeyDer<'static>, TlsSetupError> {
    let file = PemFile::read(FilePurpose::Key, path)?;
    if let Some(encrypted) = file.encrypted_key()? {
        let password_file =
            password_file.ok_or_else(|| TlsSetupError::Encrypted(path.to_owned()))?;
        let password = password(password_file)?;
        return decrypted(&encrypted, path, &password).map_err(|error| match error {
            TlsSetupError::WrongPassword(_) if password.starts_with(BYTE_ORDER_MARK) => {
                TlsSetupError::MarkedPassword(password_file.to_owned())
            }
            error => error,
        });
    }
    if file.content.windows(20).any(|bytes| bytes == b"Proc-Type: 4,ENCRYPT") {
        return Err(TlsSetupError::EncryptedTheOldWay(path.to_owned()));
    }
    file.key()
}

/// The first line of the file.
fn password(path: &Path) -> Result<Vec<u8>, TlsSetupError> {
    let content = file::read(path).map_err(|error| {
        TlsSetupError::Unreadable(FilePurpose::Password, path.to_owned(), error)
    })?;
    let line = content.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(line.strip_suffix(b"\r").unwrap_or(line).to_vec())
}

fn decrypted(
    encrypted: &[u8],
    path: &Path,
    password: &[u8],
) -> Result<PrivateKeyDer<'static>, TlsSetupError> {
    let encrypted = EncryptedPrivateKeyInfoRef::try_from(encrypted)
        .map_err(|_| TlsSetupError::UnsupportedEncryption(path.to_owned()))?;
    let key = encrypted.decrypt(password).map_err(|error| match error {
        // A wrong password mostly shows in the padding, and otherwise in the decrypted bytes.
        pkcs8::Error::EncryptedPrivateKey(pkcs5::Error::DecryptFailed) | pkcs8::Error::Asn1(_) => {
            TlsSetupError::WrongPassword(path.to_owned())
        }
        _ => TlsSetupError::UnsupportedEncryption(path.to_owned()),
    })?;
    Ok(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()).into())
}
