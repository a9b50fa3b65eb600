//! Errors in the files and settings of TLS on this machine, with a message for each.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::super::text::io_words;

/// The reason why TLS could not be set up: a mistake on this machine, not the server's.
#[derive(Debug)]
pub enum TlsSetupError {
    /// A file or folder cannot be read.
    Unreadable(FilePurpose, PathBuf, io::Error),
    /// The file has no PEM section of the kind that is needed.
    Nothing(FilePurpose, PathBuf),
    /// The file has a PEM section with this label, and no certificate.
    OtherSection(FilePurpose, PathBuf, String),
    /// The file is binary: DER, or PKCS#12.
    Binary(FilePurpose, PathBuf),
    /// The file is not proper PEM. Holds the error.
    BadPem(FilePurpose, PathBuf, String),
    /// A certificate in the file cannot be used as an authority. Holds the reason.
    BadAuthority(PathBuf, String),
    /// No file in the folder holds a certificate.
    EmptyFolder(PathBuf),
    /// No certificates of the operating system were found. Holds the error.
    NoSystemRoots(String),
    /// `--cert` names a file with a private key and no certificate.
    Swapped(PathBuf),
    /// The private key is encrypted, and there is no password.
    Encrypted(PathBuf),
    /// The private key is encrypted in the format that OpenSSL used before PKCS#8.
    EncryptedTheOldWay(PathBuf),
    /// The password does not decrypt the key, or the file is damaged.
    WrongPassword(PathBuf),
    /// The file of the password begins with a byte order mark, and the password is wrong.
    MarkedPassword(PathBuf),
    /// The encryption of the key is not supported.
    UnsupportedEncryption(PathBuf),
    /// The type of the key is not supported.
    UnsupportedKey(PathBuf),
    /// The key does not belong to the certificate.
    ForeignKey {
        /// The file of the key.
        key: PathBuf,
        /// The file of the certificate.
        certificate: PathBuf,
    },
    /// The file of secrets cannot be written.
    KeyLog(PathBuf, io::Error),
    /// The TLS library refused the configuration.
    Config(rustls::Error),
}

/// The purpose of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilePurpose {
    /// `--cafile`.
    Authorities,
    /// `--capath`.
    Folder,
    /// `--cert`.
    Certificate,
    /// `--key`.
    Key,
    /// `--key-password-file`.
    Password,
}

impl fmt::Display for FilePurpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Authorities => "CA file",
            Self::Folder => "CA folder",
            Self::Certificate => "client certificate",
            Self::Key => "private key",
            Self::Password => "key password file",
        })
    }
}

impl fmt::Display for TlsSetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(purpose, path, error) => {
                write!(f, "cannot read {purpose} {}: {}", path.display(), io_words(error))
            }
            Self::Nothing(purpose, path) => fmt_nothing(f, *purpose, path),
            Self::OtherSection(purpose, path, label) => {
                write!(f, "no certificate in {purpose} {}, but a {label}", path.display())
            }
            Self::Binary(purpose, path) => {
                write!(f, "{purpose} {} is binary (DER or PKCS#12), not PEM", path.display())
            }
            Self::BadPem(purpose, path, words) => {
                write!(f, "{purpose} {} is not proper PEM: {words}", path.display())
            }
            Self::BadAuthority(path, words) => {
                write!(f, "unusable certificate in CA file {}: {words}", path.display())
            }
            Self::EmptyFolder(path) => write!(f, "no certificate in CA folder {}", path.display()),
            Self::NoSystemRoots(words) => {
                write!(f, "no certificates of the operating system found: {words}")
            }
            Self::Swapped(path) => {
                let path = path.display();
                write!(f, "client certificate {path} holds a private key and no certificate")
            }
            Self::Encrypted(path)
            | Self::EncryptedTheOldWay(path)
            | Self::UnsupportedEncryption(path)
            | Self::UnsupportedKey(path) => {
                write!(f, "private key {} {}", path.display(), self.key_words())
            }
            Self::WrongPassword(path) => {
                write!(f, "the password does not decrypt private key {}", path.display())
            }
            Self::MarkedPassword(path) => {
                let path = path.display();
                write!(f, "the password in {path} is wrong: it begins with a byte order mark")
            }
            Self::ForeignKey { key, certificate } => write!(
                f,
                "private key {} does not belong to client certificate {}",
                key.display(),
                certificate.display()
            ),
            Self::KeyLog(path, error) => {
                write!(f, "cannot write key log {}: {}", path.display(), io_words(error))
            }
            Self::Config(error) => write!(f, "cannot set up TLS: {error}"),
        }
    }
}

fn fmt_nothing(f: &mut fmt::Formatter<'_>, purpose: FilePurpose, path: &Path) -> fmt::Result {
    let path = path.display();
    match purpose {
        FilePurpose::Key => write!(f, "no private key in {path}"),
        purpose => write!(f, "no certificate in {purpose} {path}"),
    }
}

impl TlsSetupError {
    /// What is wrong with a private key.
    fn key_words(&self) -> &'static str {
        match self {
            Self::Encrypted(_) => "is encrypted",
            Self::EncryptedTheOldWay(_) => "is encrypted in the old format of OpenSSL",
            Self::UnsupportedEncryption(_) => "is encrypted in a way that is not supported",
            _ => "is damaged or of a kind that is not supported",
        }
    }
}

impl std::error::Error for TlsSetupError {}
