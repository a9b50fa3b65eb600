//! The file of TLS secrets with which Wireshark reads what was encrypted (`SSLKEYLOGFILE`). It must
//! never be written unless the user asked for it.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Mutex;

/// A file in the format of NSS, a line a secret.
#[derive(Debug)]
pub struct KeyLog(Mutex<File>);

impl KeyLog {
    /// Opens the file to add to it; one that is new is readable for its owner alone.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.create(true).append(true).mode(0o600);
        Ok(Self(Mutex::new(options.open(path)?)))
    }
}

impl rustls::KeyLog for KeyLog {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let mut line = format!("{label} ");
        let hex = |line: &mut String, bytes: &[u8]| {
            bytes.iter().try_for_each(|byte| write!(line, "{byte:02x}")).is_ok()
        };
        let _ =
            hex(&mut line, client_random) && write!(line, " ").is_ok() && hex(&mut line, secret);
        line.push('\n');
        // A full disk must not end the connection: the log is for looking on, and has no way to
        // complain.
        if let Ok(mut file) = self.0.lock() {
            let _ = file.write_all(line.as_bytes());
        }
    }
}
