//! Secrets that are read from files, and what is odd about them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::transport::file;

/// U+FEFF in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads secrets from files.
#[derive(Debug, Default)]
pub struct SecretReader {
    /// Warnings about what was read.
    pub warnings: Vec<String>,
    /// What can be read only once, such as a pipe.
    kept: Vec<(PathBuf, Vec<u8>)>,
}

impl SecretReader {
    /// The content of a file without one line end (LF or CRLF) after it. A byte order mark is a
    /// part of it, and hardly meant to be: there is a warning.
    pub fn read(&mut self, path: &Path) -> Result<Vec<u8>> {
        if let Some((_, secret)) = self.kept.iter().find(|(kept, _)| kept == path) {
            return Ok(secret.clone());
        }
        let mut secret = file::read(path).with_context(|| format!("reading {}", path.display()))?;
        let text = secret.strip_suffix(b"\n").map(|text| text.strip_suffix(b"\r").unwrap_or(text));
        secret.truncate(text.map_or(secret.len(), <[u8]>::len));
        if secret.starts_with(BYTE_ORDER_MARK) {
            self.warnings.push(format!(
                "{} begins with a byte order mark, which is sent as a part of the secret",
                path.display()
            ));
        }
        if !path.is_file() {
            self.kept.push((path.to_owned(), secret.clone()));
        }
        Ok(secret)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn one_line_end_is_no_part_of_a_secret() {
        let path = std::env::temp_dir().join(format!("mqttws-secret-{}", std::process::id()));
        for (content, secret) in [
            (&b"s3cret\r\n"[..], &b"s3cret"[..]),
            (b"s3cret\n", b"s3cret"),
            (b"s3cret", b"s3cret"),
            (b"s3cret\r", b"s3cret\r"),
            (b"s3cret\n\n", b"s3cret\n"),
            (b" s3cret \r\n\r\n", b" s3cret \r\n"),
            (b"\n", b""),
            (b"", b""),
        ] {
            fs::write(&path, content).expect("a file");
            let mut reader = SecretReader::default();
            assert_eq!(reader.read(&path).expect("a secret"), secret, "{content:?}");
            assert!(reader.warnings.is_empty());
        }
        fs::remove_file(path).expect("ours to remove");
    }
}
