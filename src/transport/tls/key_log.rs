//! Writes the secrets of TLS connections to a file, so that Wireshark can decrypt them
//! (`SSLKEYLOGFILE`).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Mutex;

use data_encoding::HEXLOWER;
use rustix::fs::OFlags;

/// A file in the format of NSS, with one secret on each line.
#[derive(Debug)]
pub struct KeyLog(Mutex<File>);

impl KeyLog {
    /// Opens the file to append to it. Only the owner can read a new file. Nothing waits for a
    /// reader: neither this nor what is written later.
    pub fn open(path: &Path) -> io::Result<Self> {
        if is_named_pipe(path) {
            // It is opened for each connection anew, and its reader would see an end each time.
            return Err(io::Error::other("it is a named pipe"));
        }
        let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
        let mut options = OpenOptions::new();
        options.create(true).append(true).mode(0o600).custom_flags(nonblocking);
        Ok(Self(Mutex::new(options.open(path)?)))
    }
}

/// Whether a pipe has this name. The target of `/dev/stderr` may be a pipe, too, but has no path.
fn is_named_pipe(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.file_type().is_fifo()) && path.canonicalize().is_ok()
}

impl rustls::KeyLog for KeyLog {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let [client_random, secret] = [client_random, secret].map(|bytes| HEXLOWER.encode(bytes));
        let line = format!("{label} {client_random} {secret}\n");
        // A full disk or pipe must not end the connection, and the interface of rustls has no way
        // to report it.
        if let Ok(mut file) = self.0.lock() {
            let _ = file.write_all(line.as_bytes());
        }
    }
}
