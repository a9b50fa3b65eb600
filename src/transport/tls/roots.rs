//! Reads the certificates of trusted authorities.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

use super::super::text::uncapitalised;
use super::TlsOptions;
use super::error::TlsError;
use super::given_places::GivenPlaces;
use super::pem::PemFile;
use super::setup_error::{FilePurpose, TlsSetupError};

/// What is trusted.
#[derive(Debug)]
pub struct Authorities {
    /// The authorities.
    pub store: RootCertStore,
    /// The certificates that the user, or the operating system, gave: a server that shows one of
    /// them is trusted, whoever has signed it.
    pub given: Vec<CertificateDer<'static>>,
    /// Where the user gave them.
    pub places: GivenPlaces,
}

/// The authorities of the options, or Mozilla's if there are none.
pub fn roots(options: &TlsOptions) -> Result<Authorities, TlsSetupError> {
    let mut roots = RootCertStore::empty();
    let mut given = Vec::new();
    for path in &options.ca_files {
        add_file(&mut roots, &mut given, path)?;
    }
    for path in &options.ca_folders {
        add_folder(&mut roots, &mut given, path)?;
    }
    if options.system_roots {
        add_system(&mut roots, &mut given)?;
    }
    if options.ca_files.is_empty() && options.ca_folders.is_empty() && !options.system_roots {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    Ok(Authorities { store: roots, given, places: GivenPlaces::of(options) })
}

/// Reads a file completely; an unusable certificate in it is an error.
fn add_file(
    roots: &mut RootCertStore,
    given: &mut Vec<CertificateDer<'static>>,
    path: &Path,
) -> Result<(), TlsSetupError> {
    for certificate in PemFile::read(FilePurpose::Authorities, path)?.certificates()? {
        given.push(certificate.clone());
        roots.add(certificate).map_err(|error| {
            TlsSetupError::BadAuthority(path.to_owned(), TlsError::from(error).to_string())
        })?;
    }
    Ok(())
}

/// Reads every file of the folder that holds certificates. Keys and revocation lists may be beside
/// them. The links of `openssl rehash` lead to files that are in the folder already.
fn add_folder(
    roots: &mut RootCertStore,
    given: &mut Vec<CertificateDer<'static>>,
    folder: &Path,
) -> Result<(), TlsSetupError> {
    let unreadable =
        |path: &Path, error| TlsSetupError::Unreadable(FilePurpose::Folder, path.to_owned(), error);
    let entries = fs::read_dir(folder).map_err(|error| unreadable(folder, error))?;
    let paths: Result<Vec<PathBuf>, _> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut certificates: Vec<CertificateDer<'static>> = Vec::new();
    for path in
        paths.map_err(|error| unreadable(folder, error))?.iter().filter(|path| path.is_file())
    {
        match PemFile::read(FilePurpose::Authorities, path)?.certificates() {
            Ok(found) => certificates.extend(found),
            Err(
                TlsSetupError::Nothing(..)
                | TlsSetupError::OtherSection(..)
                | TlsSetupError::Binary(..),
            ) => {}
            Err(error) => return Err(error),
        }
    }
    certificates.sort_unstable_by(|one, other| one.as_ref().cmp(other.as_ref()));
    certificates.dedup();
    given.extend(certificates.iter().cloned());
    let (added, _) = roots.add_parsable_certificates(certificates);
    if added == 0 { Err(TlsSetupError::EmptyFolder(folder.to_owned())) } else { Ok(()) }
}

/// Adds the authorities of the operating system. A part that cannot be read is not an error, unless
/// the user named it.
fn add_system(
    roots: &mut RootCertStore,
    given: &mut Vec<CertificateDer<'static>>,
) -> Result<(), TlsSetupError> {
    let found = rustls_native_certs::load_native_certs();
    given.extend(found.certs.iter().cloned());
    let (added, _) = roots.add_parsable_certificates(found.certs);
    let is_named = env::var_os("SSL_CERT_FILE").is_some_and(|path| !path.is_empty());
    match found.errors.first() {
        Some(error) if added == 0 || is_named => {
            Err(TlsSetupError::NoSystemRoots(uncapitalised(&error.to_string())))
        }
        None if added == 0 => {
            Err(TlsSetupError::NoSystemRoots("its store is empty or missing".into()))
        }
        _ => Ok(()),
    }
}
