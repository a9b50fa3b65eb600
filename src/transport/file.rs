//! Files of settings, which are read whole: profiles, secrets, certificates.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// The longest file that is read, in bytes. A device or a pipe may have no end.
const LONGEST: u64 = 16 * 1024 * 1024;

/// The content of a file of at most 16 MiB.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    // One byte more shows that it is too long.
    File::open(path)?.take(LONGEST + 1).read_to_end(&mut content)?;
    if content.len() as u64 > LONGEST {
        let reason = format!("it has more than {LONGEST} bytes");
        return Err(io::Error::new(ErrorKind::FileTooLarge, reason));
    }
    Ok(content)
}

/// The content of a text file of at most 16 MiB.
pub fn read_text(path: &Path) -> io::Result<String> {
    String::from_utf8(read(path)?)
        .map_err(|_| io::Error::new(ErrorKind::InvalidData, "expected text in UTF-8"))
}
