//! `--record`: every PUBLISH of every client as a record, in a file.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use bytes::{BufMut, BytesMut};

use super::traffic::ClientPacket;
use crate::format::record;
use crate::mqtt::packet::Packet;
use crate::report;
use crate::stdio;

/// Writes the records, each as soon as it is known.
#[derive(Debug)]
pub struct Recorder {
    path: PathBuf,
    /// `None` after it could not be written.
    file: Option<File>,
    line: BytesMut,
}

impl Recorder {
    /// Begins the file anew.
    pub fn start(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| recording(path))?;
        Ok(Self { path: path.to_owned(), file: Some(file), line: BytesMut::new() })
    }

    /// Writes a packet if it is a PUBLISH. After the first failure, of which it warns, nothing more
    /// is written.
    pub fn record(&mut self, seen: ClientPacket<'_>) {
        let Packet::Publish(publish) = seen.packet else { return };
        let Some(file) = &mut self.file else { return };
        self.line.clear();
        record::write_from(seen.client, publish, &stdio::local_time(), &mut self.line);
        self.line.put_u8(b'\n');
        if let Err(error) = file.write_all(&self.line) {
            self.fail(&error);
        }
    }

    fn fail(&mut self, error: &io::Error) {
        self.file = None;
        let recording = recording(&self.path);
        report::warn(&format!("{recording}: {error}; the broker goes on without recording"));
    }

    /// Whether all records were written.
    pub fn is_complete(&self) -> bool {
        self.file.is_some()
    }
}

fn recording(path: &Path) -> String {
    format!("recording in {}", path.display())
}
