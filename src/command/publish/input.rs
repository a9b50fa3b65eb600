//! Where the records come from: the command line, a file, or stdin.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;

use super::coming::ComingRecords;
use super::config::{self, InputOptions};
use super::large_file::{LargeFile, are_streamed, check_files, is_pipe, length_of, open};
use crate::client::{LARGE_MESSAGE, Source};
use crate::format::encoding::Encoding;
use crate::stdio::decoded::DecodedReader;
use crate::stdio::records::{Block, Records};
use crate::stdio::stdin;
use crate::terminal::screen;

/// The opened input: a large file is streamed, everything else is read into memory.
pub enum Opened {
    /// A file, streamed.
    Large(LargeFile),
    /// Records.
    Input(RecordInput),
}

impl Opened {
    /// What the command line names; a message may have `maximum` bytes.
    pub fn new(input: InputOptions, maximum: usize) -> Result<Self> {
        if input.encoding.is_some() {
            return RecordInput::new(input, maximum).map(Self::Input);
        }
        let path = match &input.source {
            config::InputSource::File(path) => path,
            config::InputSource::Files(paths) if are_streamed(paths) => {
                check_files(paths, maximum)?;
                return LargeFile::first_of(paths.clone(), &input, maximum).map(Self::Large);
            }
            _ => return RecordInput::new(input, maximum).map(Self::Input),
        };
        if is_pipe(path) {
            return RecordInput::new(input, maximum).map(Self::Input);
        }
        let (file, name) = open(path)?;
        if length_of(&file, &name, maximum)? < LARGE_MESSAGE {
            let reading = ContentReading { encoding: None, maximum };
            return Ok(Self::Input(RecordInput::of_file(file, name, input.repeat, reading)));
        }
        LargeFile::new(file, name, &input, maximum).map(Self::Large)
    }
}

/// How the content of a file becomes a record.
#[derive(Debug, Clone, Copy)]
struct ContentReading {
    encoding: Option<Encoding>,
    /// The longest record, in bytes.
    maximum: usize,
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
    /// How many records there are in all, where that is known.
    pub total: Option<u64>,
    /// How long it is, where that is known, in bytes.
    pub length: Option<u64>,
    /// How much was read, in bytes.
    read: u64,
    /// Its name in messages to the user.
    pub what: String,
}

impl RecordInput {
    /// What the command line names, all of it in memory; a message may have `maximum` bytes.
    pub fn new(input: InputOptions, maximum: usize) -> Result<Self> {
        let InputOptions { source, repeat, encoding } = input;
        let reading = ContentReading { encoding, maximum };
        Ok(match source {
            config::InputSource::File(path) if is_pipe(&path) => {
                Self::of_pipe(path, repeat, reading)
            }
            config::InputSource::File(path) => {
                let (file, what) = open(&path)?;
                Self::of_file(file, what, repeat, reading)
            }
            config::InputSource::Files(paths) => Self::of_files(paths, repeat, reading)?,
            config::InputSource::Text(text) => {
                let what = "the template".to_owned();
                Self { whole: Some(text), state: ReadState::Ended, what, ..Self::repeated(repeat) }
            }
            config::InputSource::Stdin => {
                let source = Some(not_empty(whole(io::stdin(), reading)));
                Self { source, ..Self::repeated(repeat) }
            }
            config::InputSource::Records(delimiter) => Self::of_records(delimiter, maximum),
        })
    }

    /// A named pipe is opened by the thread that reads it: that waits for a writer.
    fn of_pipe(path: PathBuf, repeat: u64, reading: ContentReading) -> Self {
        let what = path.display().to_string();
        let mut path = Some(path);
        let source: Source =
            Box::new(move || path.take().map(|path| reading.read(File::open(path)?)).transpose());
        Self { source: Some(not_empty(source)), what, ..Self::repeated(repeat) }
    }

    fn of_file(file: File, what: String, repeat: u64, reading: ContentReading) -> Self {
        Self { source: Some(whole(file, reading)), what, ..Self::repeated(repeat) }
    }

    /// Several files, each of which is read when its turn comes.
    fn of_files(paths: Vec<PathBuf>, repeat: u64, reading: ContentReading) -> Result<Self> {
        // What is encoded is longer than its message.
        let longest = if reading.encoding.is_some() { usize::MAX } else { reading.maximum };
        check_files(&paths, longest)?;
        let total = repeat.saturating_mul(paths.len() as u64);
        let paths: Arc<[PathBuf]> = paths.into();
        let mut turns = paths.len();
        let mut rounds = repeat;
        let source: Source = Box::new(move || {
            if turns == 0 {
                (turns, rounds) = (paths.len(), rounds - 1);
            }
            if rounds == 0 {
                return Ok(None);
            }
            let path = &paths[paths.len() - turns];
            turns -= 1;
            reading.read_named(path).map(Some)
        });
        let what = "the files of -f".to_owned();
        Ok(Self { source: Some(source), what, total: Some(total), ..Self::empty() })
    }

    /// A record that is published so often.
    fn repeated(repeat: u64) -> Self {
        Self { repeat, total: Some(repeat), ..Self::empty() }
    }

    fn of_records(delimiter: u8, maximum: usize) -> Self {
        let length = stdin::length_of_stdin();
        let block = if length.is_some() { stdin::FILE_BLOCK } else { stdin::BLOCK };
        let mut records = Records::new(io::stdin(), delimiter, maximum, block);
        let source: Source = Box::new(move || records.next_block());
        Self { source: Some(source), delimiter: Some(delimiter), length, ..Self::empty() }
    }

    /// Stands for a file whose content is streamed: a record without a payload.
    pub fn placeholder(file: &LargeFile) -> Self {
        let (state, what) = (ReadState::Ended, file.name.clone());
        Self { whole: Some(Bytes::new()), state, what, ..Self::repeated(file.messages()) }
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
            total: None,
            length: None,
            read: 0,
            what: "stdin".to_owned(),
        }
    }

    /// Whether its progress may be of interest; where somebody types it, a bar would tear what they
    /// type.
    pub fn may_last(&self) -> bool {
        self.total.is_some_and(|total| total > 1)
            || (self.source.is_some() && !screen::stdin_is_terminal())
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
        self.total != Some(1)
    }

    /// Whether a block should be asked for now; from then on it counts as asked for.
    pub fn wants_more(&mut self) -> bool {
        let wants = self.state == ReadState::Open && self.ahead.is_none();
        if wants {
            self.state = ReadState::Requested;
        }
        wants
    }

    /// The next records after the `current` one, none of which is taken by this.
    pub fn coming(&mut self, current: Option<Bytes>) -> ComingRecords {
        self.turn_over();
        ComingRecords {
            current,
            latest: Bytes::new(),
            times: if self.whole.is_some() { self.repeat.max(1) } else { 0 },
            whole: self.whole.clone().unwrap_or_default(),
            block: self.block.clone(),
        }
    }

    /// So many of the next records, which are there, are taken.
    pub fn took(&mut self, count: u64) {
        if self.whole.is_none() {
            for _ in 0..count {
                self.block.next_within(usize::MAX);
            }
            return;
        }
        match self.repeat.checked_sub(count).filter(|left| *left > 0) {
            Some(left) => self.repeat = left,
            None => self.whole = None,
        }
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

impl ContentReading {
    /// The content of a file, which is one record.
    fn read(self, reader: impl Read) -> io::Result<Bytes> {
        match self.encoding {
            None => stdin::read_whole(reader, self.maximum),
            Some(encoding) => stdin::read_whole(DecodedReader::new(reader, encoding), self.maximum),
        }
    }

    /// The same of one of several files: errors name it, and a pipe must not be empty.
    fn read_named(self, path: &Path) -> io::Result<Bytes> {
        let content = File::open(path).and_then(|file| self.read(file)).and_then(|content| {
            if content.is_empty() && is_pipe(path) { Err(empty()) } else { Ok(content) }
        });
        content
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
    }
}

/// A source of one block: everything.
fn whole(reader: impl Read + Send + 'static, reading: ContentReading) -> Source {
    let mut reader = Some(reader);
    Box::new(move || reader.take().map(|reader| reading.read(reader)).transpose())
}

/// The error about a record that is empty and was not to be.
fn empty() -> io::Error {
    io::Error::other("it is empty; -n publishes an empty message")
}

/// An empty block is an error: a command that has failed writes nothing, and an empty message
/// would remove a retained one.
fn not_empty(mut source: Source) -> Source {
    Box::new(move || match source()? {
        Some(block) if block.is_empty() => Err(empty()),
        block => Ok(block),
    })
}
