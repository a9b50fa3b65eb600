//! Writes the secrets of TLS connections to a file, so that Wireshark can decrypt them
//! (`SSLKEYLOGFILE`).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use data_encoding::HEXLOWER;
use rustix::fs::OFlags;

use super::super::text::io_words;

/// A file in the format of NSS, with one secret on each line.
#[derive(Debug)]
pub struct KeyLog {
    path: PathBuf,
    written: Mutex<io::Result<File>>,
}

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
        let written = Mutex::new(Ok(options.open(path)?));
        Ok(Self { path: path.to_owned(), written })
    }

    /// Why it does not have every secret, if one could not be written.
    pub fn failure(&self) -> Option<String> {
        let written = self.written.lock().ok()?;
        let error = written.as_ref().err()?;
        let (path, error) = (self.path.display(), io_words(error));
        Some(format!("cannot write key log {path}: {error}: it lacks secrets"))
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
        // A full disk or pipe must not end the connection. What came after a line that is not whole
        // could not be read.
        if let Ok(mut written) = self.written.lock()
            && let Ok(file) = &mut *written
            && let Err(error) = file.write_all(line.as_bytes())
        {
            *written = Err(error);
        }
    }
}
