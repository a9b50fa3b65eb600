//! Where the records come from: the command line, a file, or stdin.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use bytes::{Bytes, BytesMut};

use super::config;
use crate::client::{LARGE_MESSAGE, Source};
use crate::mqtt::packet::{PacketId, Publish};
use crate::mqtt::qos::QoS;
use crate::mqtt::version::Version;
use crate::stdio::file::FileBlocks;
use crate::stdio::records::{Block, Records};
use crate::stdio::stdin;
use crate::terminal::screen;

/// A file that is published as one message, once or several times.
pub struct LargeFile {
    /// Its name, in the words of a line.
    pub name: String,
    /// Its content.
    pub blocks: FileBlocks,
    /// Its length when it was opened, in bytes.
    pub length: usize,
}

impl LargeFile {
    /// Whether it fits into a packet like `template`.
    pub fn check(&self, template: &Publish, version: Version) -> Result<()> {
        let packet_id = (template.qos > QoS::AtMostOnce).then_some(PacketId::MIN);
        template
            .encode_header_for(packet_id, self.length, version, &mut BytesMut::new())
            .with_context(|| format!("reading {}", self.name))
    }
}

/// The opened input: a large file is streamed, everything else is read into memory.
pub enum Opened {
    /// A file, streamed.
    Large(LargeFile),
    /// Records.
    Input(RecordInput),
}

impl Opened {
    /// What the command line names; a message may have `maximum` bytes.
    pub fn new(from: config::InputSource, repeat: u64, maximum: usize) -> Result<Self> {
        let config::InputSource::File(path) = from else {
            return RecordInput::new(from, repeat, maximum).map(Self::Input);
        };
        let name = path.display().to_string();
        if is_pipe(&path) {
            return Ok(Self::Input(RecordInput::of_pipe(path, name, repeat, maximum)));
        }
        let file = File::open(path).with_context(|| format!("reading {name}"))?;
        let length =
            file.metadata().ok().filter(Metadata::is_file).map_or(0, |metadata| metadata.len());
        match usize::try_from(length) {
            Ok(length) if length < LARGE_MESSAGE => {
                Ok(Self::Input(RecordInput::of_file(file, name, repeat, maximum)))
            }
            Ok(length) if length <= maximum => {
                Ok(Self::Large(LargeFile { name, blocks: FileBlocks::new(file), length }))
            }
            _ => bail!(
                "reading {name}: it has {length} bytes, and a message can have at most {maximum}"
            ),
        }
    }
}

/// How far the input has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReadState {
    /// There may be more.
    Open,
    /// A block was asked for and has not come.
    Requested,
    /// There is no more, or no more is wanted: a block that still comes is dropped.
    Ended,
}

/// Where the records come from.
pub struct RecordInput {
    /// The reader, until the client has it; `None` where there is nothing to read.
    pub source: Option<Source>,
    /// The byte that separates the records of a block; `None` if a block is one record.
    pub delimiter: Option<u8>,
    /// Records that were read and not published.
    block: Block,
    /// A single record: the text of the command line, or a whole block.
    whole: Option<Bytes>,
    /// The block after this one: it is read while this one is published.
    ahead: Option<Bytes>,
    state: ReadState,
    /// How often the one record is still to be published.
    repeat: u64,
    /// How long it is, where that is known, in bytes.
    pub length: Option<u64>,
    /// How much was read, in bytes.
    read: u64,
    /// Its name in messages to the user.
    pub what: String,
}

impl RecordInput {
    /// What the command line names, all of it in memory; a message may have `maximum` bytes.
    pub fn new(from: config::InputSource, repeat: u64, maximum: usize) -> Result<Self> {
        let empty = Self { repeat, ..Self::empty() };
        Ok(match from {
            config::InputSource::File(path) if is_pipe(&path) => {
                let what = path.display().to_string();
                Self::of_pipe(path, what, repeat, maximum)
            }
            config::InputSource::File(path) => {
                let what = path.display().to_string();
                let file = File::open(path).with_context(|| format!("reading {what}"))?;
                Self::of_file(file, what, repeat, maximum)
            }
            config::InputSource::Text(text) => {
                Self { whole: Some(text), state: ReadState::Ended, ..empty }
            }
            config::InputSource::Stdin => {
                Self { source: Some(not_empty(whole(io::stdin(), maximum))), ..empty }
            }
            config::InputSource::Records(delimiter) => Self::of_records(delimiter, maximum),
        })
    }

    /// A named pipe is opened by the thread that reads it: that waits for a writer.
    fn of_pipe(path: PathBuf, what: String, repeat: u64, maximum: usize) -> Self {
        let mut path = Some(path);
        let source: Source = Box::new(move || {
            let path = path.take();
            path.map(|path| stdin::read_whole(File::open(path)?, maximum)).transpose()
        });
        Self { source: Some(not_empty(source)), what, repeat, ..Self::empty() }
    }

    fn of_file(file: File, what: String, repeat: u64, maximum: usize) -> Self {
        Self { source: Some(whole(file, maximum)), what, repeat, ..Self::empty() }
    }

    fn of_records(delimiter: u8, maximum: usize) -> Self {
        let length = stdin::length_of_stdin();
        let block = if length.is_some() { stdin::FILE_BLOCK } else { stdin::BLOCK };
        let mut records = Records::new(io::stdin(), delimiter, maximum, block);
        let source: Source = Box::new(move || records.next_block());
        Self { source: Some(source), delimiter: Some(delimiter), length, ..Self::empty() }
    }

    /// Stands for a file whose content is streamed: a record without a payload.
    pub fn placeholder(what: String, repeat: u64) -> Self {
        Self { whole: Some(Bytes::new()), state: ReadState::Ended, what, repeat, ..Self::empty() }
    }

    fn empty() -> Self {
        Self {
            source: None,
            delimiter: None,
            block: Block::default(),
            whole: None,
            ahead: None,
            state: ReadState::Open,
            repeat: 1,
            length: None,
            read: 0,
            what: "stdin".to_owned(),
        }
    }

    /// How often the one record is still to be published.
    pub fn repeats(&self) -> u64 {
        self.repeat
    }

    /// Whether its progress may be of interest; where somebody types it, a bar would tear what they
    /// type.
    pub fn may_last(&self) -> bool {
        self.repeat > 1 || (self.source.is_some() && !screen::stdin_is_terminal())
    }

    /// How much of it was taken: what was read and is not waiting for its turn, in bytes.
    pub fn taken(&self) -> u64 {
        let waiting = self.block.left() + self.ahead.as_ref().map_or(0, Bytes::len);
        self.read.saturating_sub(waiting as u64)
    }

    /// Ends the input: no more records are wanted.
    pub fn stop(&mut self) {
        self.state = ReadState::Ended;
        self.block = Block::default();
        self.whole = None;
        self.ahead = None;
    }

    /// Takes the block that was asked for; `None` is the end.
    pub fn add(&mut self, block: Option<Bytes>) {
        self.read += block.as_ref().map_or(0, |block| block.len() as u64);
        if self.state != ReadState::Ended {
            self.state = if block.is_some() { ReadState::Open } else { ReadState::Ended };
            self.ahead = block;
        }
    }

    /// Whether there may be more than one record: then each is named by its number.
    pub fn has_several(&self) -> bool {
        self.repeat > 1 || self.delimiter.is_some()
    }

    /// Whether a block should be asked for now; from then on it counts as asked for.
    pub fn wants_more(&mut self) -> bool {
        let wants = self.state == ReadState::Open && self.ahead.is_none();
        if wants {
            self.state = ReadState::Requested;
        }
        wants
    }

    /// The next record, if one is there.
    pub fn next(&mut self) -> Option<Bytes> {
        self.turn_over();
        if self.repeat > 1 && self.whole.is_some() {
            self.repeat -= 1;
            return self.whole.clone();
        }
        self.whole.take().or_else(|| self.block.next())
    }

    /// The block whose records are next, if it has any.
    pub fn block(&mut self) -> Option<&mut Block> {
        self.turn_over();
        Some(&mut self.block).filter(|block| !block.is_empty())
    }

    /// Begins with the next block when the one before is used up.
    fn turn_over(&mut self) {
        if self.whole.is_none()
            && self.block.is_empty()
            && let Some(bytes) = self.ahead.take()
        {
            match self.delimiter {
                Some(delimiter) => self.block = Block::new(bytes, delimiter),
                None => self.whole = Some(bytes),
            }
        }
    }

    /// Whether no record is there.
    pub fn is_empty(&self) -> bool {
        self.whole.is_none() && self.block.is_empty() && self.ahead.is_none()
    }

    /// Whether there is no record, and none will come.
    pub fn is_done(&self) -> bool {
        self.state == ReadState::Ended && self.is_empty()
    }
}

/// Whether this is a named pipe.
fn is_pipe(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo())
}

/// A source of one block: everything.
fn whole(reader: impl Read + Send + 'static, maximum: usize) -> Source {
    let mut reader = Some(reader);
    Box::new(move || reader.take().map(|reader| stdin::read_whole(reader, maximum)).transpose())
}

/// An empty block is an error: a command that has failed writes nothing, and an empty message
/// would remove a retained one.
fn not_empty(mut source: Source) -> Source {
    Box::new(move || match source()? {
        Some(block) if block.is_empty() => {
            Err(io::Error::other("it is empty; -n publishes an empty message"))
        }
        block => Ok(block),
    })
}
