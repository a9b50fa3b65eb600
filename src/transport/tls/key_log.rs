//! Writes the secrets of TLS connections to a file, so that Wireshark can decrypt them
//! (`SSLKEYLOGFILE`).

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Mutex;

use data_encoding::HEXLOWER;

/// A file in the format of NSS, with one secret on each line.
#[derive(Debug)]
pub struct KeyLog(Mutex<File>);

impl KeyLog {
    /// Opens the file to append to it. Only the owner can read a new file.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.create(true).append(true).mode(0o600);
        Ok(Self(Mutex::new(options.open(path)?)))
    }
}

impl rustls::KeyLog for KeyLog {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let [client_random, secret] = [client_random, secret].map(|bytes| HEXLOWER.encode(bytes));
        let line = format!("{label} {client_random} {secret}\n");
        // A full disk must not end the connection, and the interface of rustls has no way to report
        // it.
        if let Ok(mut file) = self.0.lock() {
            let _ = file.write_all(line.as_bytes());
        }
    }
}
