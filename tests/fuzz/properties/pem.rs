//! PEM files of authorities, certificates and keys: each is taken, or refused in a line that names
//! it.

use super::file::InputFile;
use super::upgrade::assert_harmless;
use crate::transport::tls::{TlsConfig, TlsOptions};

thread_local! {
    static FILE: InputFile = InputFile::new();
}

pub fn check(data: &[u8]) {
    // Deriving a key from a password takes as long as the file says.
    if data.windows(9).any(|part| part == b"ENCRYPTED") {
        return;
    }
    FILE.with(|file| {
        let path = file.fill(data).to_owned();
        let shown = path.display().to_string();
        let files = [
            TlsOptions { ca_files: vec![path.clone()], ..TlsOptions::default() },
            TlsOptions { certificate: Some(path), insecure: true, ..TlsOptions::default() },
        ];
        for options in files {
            if let Err(error) = TlsConfig::new(&options) {
                assert_harmless(&error.to_string());
                assert!(error.to_string().contains(&shown), "{error}");
            }
        }
    });
}
