//! Large files: each is published as one message, whose payload is read as it is sent.

use std::fs::{self, File, Metadata};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use bytes::BytesMut;
use rustix::io::Errno;

use super::config::{FOR_EVER, InputOptions};
use crate::client::LARGE_MESSAGE;
use crate::mqtt::packet::{PacketId, Publish};
use crate::mqtt::qos::QoS;
use crate::mqtt::version::Version;
use crate::stdio::file::FileBlocks;

/// A file that is published as one message, once or several times; or several files, one after the
/// other.
pub struct LargeFile {
    /// Its name, in the words of a line.
    pub name: String,
    /// Its content.
    pub blocks: FileBlocks,
    /// Its length when it was opened, in bytes.
    pub length: usize,
    /// All of them, where there are several, and the place of this one.
    files: Vec<PathBuf>,
    place: usize,
    /// How often it, or all of them, are published.
    repeat: u64,
    /// The longest message, in bytes.
    maximum: usize,
}

impl LargeFile {
    /// A file for the first message.
    pub fn new(file: File, name: String, options: &InputOptions, maximum: usize) -> Result<Self> {
        let length = length_of(&file, &name, maximum)?;
        let (files, place, repeat) = (Vec::new(), 0, options.repeat);
        Ok(Self { name, blocks: FileBlocks::new(file), length, files, place, repeat, maximum })
    }

    /// The first of several files.
    pub fn first_of(files: Vec<PathBuf>, options: &InputOptions, maximum: usize) -> Result<Self> {
        let (file, name) = open(&files[0])?;
        let first = Self::new(file, name, options, maximum)?;
        Ok(Self { files, ..first })
    }

    /// How many messages it makes, for each topic.
    pub fn messages(&self) -> u64 {
        self.repeat.saturating_mul(self.files.len().max(1) as u64)
    }

    /// Whether there are several.
    pub fn has_several(&self) -> bool {
        self.files.len() > 1
    }

    /// Whether another file is to be read for the message of this record than before.
    pub fn turns_to(&self, record: u64) -> bool {
        self.has_several() && self.place_of(record) != self.place
    }

    fn place_of(&self, record: u64) -> usize {
        let place = record.saturating_sub(1) % self.files.len() as u64;
        usize::try_from(place).unwrap_or_default()
    }

    /// Opens the file for the message of this record. No block of the one before may be on its way.
    pub fn turn_to(&mut self, record: u64) -> Result<()> {
        self.place = self.place_of(record);
        let (file, name) = open(&self.files[self.place])?;
        self.length = length_of(&file, &name, self.maximum)?;
        self.name = name;
        self.blocks.replace(file);
        Ok(())
    }

    /// The length of all messages together, in bytes, where that is known and has an end.
    pub fn length_of_all(&self) -> Option<u64> {
        let length = |path: &PathBuf| fs::metadata(path).map_or(0, |metadata| metadata.len());
        let each = match self.files.len() {
            0 => self.length as u64,
            _ => self.files.iter().map(length).sum(),
        };
        (self.repeat != FOR_EVER).then(|| each.saturating_mul(self.repeat))
    }

    /// Whether it fits into a packet like `template`.
    pub fn check(&self, template: &Publish, version: Version) -> Result<()> {
        let packet_id = (template.qos > QoS::AtMostOnce).then_some(PacketId::MIN);
        template
            .encode_header_for(packet_id, self.length, version, &mut BytesMut::new())
            .with_context(|| format!("reading {}", self.name))
    }
}

/// Opens a file; its name for errors, too. A folder can be opened, and not read: it is an error.
pub fn open(path: &Path) -> Result<(File, String)> {
    let name = path.display().to_string();
    let opened = File::open(path).and_then(|file| match file.metadata() {
        Ok(metadata) if metadata.is_dir() => Err(Errno::ISDIR.into()),
        _ => Ok(file),
    });
    let file = opened.with_context(|| format!("reading {name}"))?;
    Ok((file, name))
}

/// Whether all of these can be opened, and none is longer than a message may be: what is wrong with
/// one of them is known before the first message is sent. A named pipe is left alone: only one
/// reader is to open it.
pub fn check_files(paths: &[PathBuf], maximum: usize) -> Result<()> {
    for path in paths.iter().filter(|path| !is_pipe(path)) {
        let (file, name) = open(path)?;
        length_of(&file, &name, maximum)?;
    }
    Ok(())
}

/// Whether this is a named pipe.
pub fn is_pipe(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo())
}

/// The length of a file, in bytes; 0 if it has none. It is an error if that is above `maximum`.
pub fn length_of(file: &File, name: &str, maximum: usize) -> Result<usize> {
    let metadata = file.metadata().ok().filter(Metadata::is_file);
    let length = metadata.map_or(0, |metadata| metadata.len());
    let known = usize::try_from(length).ok().filter(|length| *length <= maximum);
    ensure!(
        known.is_some(),
        "reading {name}: it has {length} bytes, and a message can have at most {maximum}"
    );
    Ok(known.unwrap_or_default())
}

/// Whether one of these files is large, and all have a length: then each is read as it is sent.
pub fn are_streamed(paths: &[PathBuf]) -> bool {
    let length = |path: &PathBuf| {
        let metadata = fs::metadata(path).ok().filter(Metadata::is_file)?;
        Some(metadata.len())
    };
    let lengths: Option<Vec<u64>> = paths.iter().map(length).collect();
    lengths.is_some_and(|lengths| lengths.iter().any(|length| *length >= LARGE_MESSAGE as u64))
}
