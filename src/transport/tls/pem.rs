//! Reads certificates and keys from PEM files.

use std::path::Path;

use rustls::pki_types::pem::{self, PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::super::file;
use super::super::text::uncapitalised;
use super::setup_error::{FilePurpose, TlsSetupError};

/// The beginning of an encrypted private key (RFC 7468 §11).
const ENCRYPTED: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";

/// U+FEFF in UTF-8.
pub const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A file that was read, and its purpose.
pub struct PemFile<'a> {
    purpose: FilePurpose,
    path: &'a Path,
    /// The bytes of the file.
    pub content: Vec<u8>,
}

impl<'a> PemFile<'a> {
    /// Reads the file.
    pub fn read(purpose: FilePurpose, path: &'a Path) -> Result<Self, TlsSetupError> {
        let mut content = file::read(path)
            .map_err(|error| TlsSetupError::Unreadable(purpose, path.to_owned(), error))?;
        // Files of Windows may begin with a mark that would hide the first line.
        if content.starts_with(BYTE_ORDER_MARK) {
            content.drain(..BYTE_ORDER_MARK.len());
        }
        Ok(Self { purpose, path, content })
    }

    /// All certificates, at least one.
    pub fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsSetupError> {
        let certificates: Result<Vec<_>, _> =
            CertificateDer::pem_slice_iter(&self.content).collect();
        let certificates = certificates.map_err(|error| self.bad(&error))?;
        if certificates.is_empty() { Err(self.nothing()) } else { Ok(certificates) }
    }

    /// The first private key that is not encrypted.
    pub fn key(&self) -> Result<PrivateKeyDer<'static>, TlsSetupError> {
        PrivateKeyDer::from_pem_slice(&self.content).map_err(|error| match error {
            pem::Error::NoItemsFound => self.nothing(),
            error => self.bad(&error),
        })
    }

    /// Whether the file has a private key, encrypted or not.
    pub fn has_key(&self) -> bool {
        let mut sections =
            <(SectionKind, Vec<u8>)>::pem_slice_iter(&self.content).filter_map(Result::ok);
        let is_key = |kind| {
            matches!(
                kind,
                SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey
            )
        };
        self.is_encrypted() || sections.any(|(kind, _)| is_key(kind))
    }

    fn is_encrypted(&self) -> bool {
        String::from_utf8_lossy(&self.content).contains(ENCRYPTED)
    }

    /// The first encrypted private key: an `EncryptedPrivateKeyInfo` in DER (RFC 5958 §3).
    pub fn encrypted_key(&self) -> Result<Option<Vec<u8>>, TlsSetupError> {
        // The PEM reader skips sections that it does not know. With another label it reads this
        // one.
        let text = String::from_utf8_lossy(&self.content);
        let Some(at) = text.find(ENCRYPTED) else { return Ok(None) };
        let section = text[at..].replace("ENCRYPTED PRIVATE KEY", "PRIVATE KEY");
        let key = PrivatePkcs8KeyDer::from_pem_slice(section.as_bytes())
            .map_err(|error| self.bad(&error))?;
        Ok(Some(key.secret_pkcs8_der().to_vec()))
    }

    fn nothing(&self) -> TlsSetupError {
        let is_binary =
            self.content.first() == Some(&0x30) && std::str::from_utf8(&self.content).is_err();
        let (purpose, path) = (self.purpose, self.path.to_owned());
        match self.first_label() {
            _ if is_binary => TlsSetupError::Binary(purpose, path),
            Some(label) if purpose != FilePurpose::Key => {
                TlsSetupError::OtherSection(purpose, path, label)
            }
            _ => TlsSetupError::Nothing(purpose, path),
        }
    }

    /// The label of the first section (RFC 7468 §2).
    fn first_label(&self) -> Option<String> {
        const LONGEST: usize = 40;
        let text = String::from_utf8_lossy(&self.content);
        let (_, after) = text.split_once("-----BEGIN ")?;
        let (label, _) = after.split_once("-----")?;
        let is_label = label.len() <= LONGEST
            && label.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        is_label.then(|| label.to_owned())
    }

    fn bad(&self, error: &pem::Error) -> TlsSetupError {
        TlsSetupError::BadPem(self.purpose, self.path.to_owned(), pem_words(error))
    }
}

fn pem_words(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a section has no END line".into(),
        pem::Error::IllegalSectionStart { .. } => "a BEGIN line is damaged".into(),
        pem::Error::Base64Decode(_) => "a section is not base64".into(),
        other => uncapitalised(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_hides_nothing() {
        let path = std::env::temp_dir().join(format!("mqttws-pem-{}", std::process::id()));
        let pem = concat!(
            "\u{feff}-----BEGIN CERTIFICATE-----\r\n",
            "AQID\r\n",
            "-----END CERTIFICATE-----\r\n"
        );
        std::fs::write(&path, pem).expect("a file");
        let Ok(file) = PemFile::read(FilePurpose::Authorities, &path) else { panic!("a file") };
        let Ok(certificates) = file.certificates() else { panic!("a certificate") };
        assert_eq!(certificates, [CertificateDer::from(vec![1, 2, 3])]);
        std::fs::remove_file(path).expect("ours to remove");
    }
}
