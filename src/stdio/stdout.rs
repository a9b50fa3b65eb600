//! stdout, or a folder of files, written by a thread of its own: a reader that stalls does not
//! stall the connection.
//!
//! Messages are gathered in batches; a batch is written and flushed as a whole, and then its last
//! message's number is reported, so that it can be acknowledged. At most [`BATCHES`] batches wait;
//! the caller stops reading from the broker while [`MessageWriter::is_full`]. A message that comes
//! in parts is spread over batches, which have the number of the message before it until it ends.

use std::collections::VecDeque;
use std::io::{self, IoSlice, IsTerminal, Write};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};

use super::folder::{self, Folder};
use super::local_time;
use super::written::{Counts, Written};
use crate::format::escape;
use crate::format::layout::Layout;
use crate::format::template::FormatError;
use crate::mqtt::packet::Publish;
use crate::mqtt::topic::TopicName;

/// How many batches may wait to be written: enough for the thread to find the next one when it has
/// written one, and few enough to bound what a reader that stalls costs (512 KiB).
const BATCHES: usize = 4;

/// A batch is handed over when it has this many bytes (two times what a pipe holds), or before the
/// next wait.
const BATCH: usize = 128 * 1024;

/// Payloads, and pieces of them, from this size in bytes on are not copied into the batch: a copy
/// of a smaller one costs less than a piece of its own in the write.
const OWN_PIECE: usize = 16 * 1024;

/// How long [`MessageWriter::stop`] waits for a file that is being written.
const LAST_FILE: Duration = Duration::from_millis(500);

/// The reports of the thread that writes.
#[derive(Debug)]
pub enum OutputProgress {
    /// Everything up to this message is written and flushed.
    Written(u64),
    /// Nothing more can be written.
    Failed(io::Error),
}

/// Messages that are written and flushed together.
#[derive(Debug)]
struct Batch {
    pieces: Vec<Bytes>,
    /// The files that the pieces belong to; none on stdout.
    files: Vec<BatchFile>,
    number: u64,
    /// The messages that end in it.
    counts: Counts,
}

/// A file of a batch.
#[derive(Debug)]
struct BatchFile {
    /// The name without its number.
    stem: String,
    /// Where its pieces end.
    end: usize,
    /// The length of its payload, in bytes.
    bytes: u64,
}

/// Where the output goes.
pub enum OutputTarget {
    /// Into a stream, one message after the other.
    Stream(Box<dyn Write + Send>),
    /// Into a folder, a file for each message.
    Folder(Folder),
}

/// What was put in since the last batch.
#[derive(Debug)]
struct BatchBuffer {
    pieces: Vec<Bytes>,
    /// The files that the pieces belong to; `None` on a stream.
    files: Option<Vec<BatchFile>>,
    /// What follows the pieces.
    tail: BytesMut,
    /// How many bytes there are in pieces and tail.
    gathered: usize,
    /// The messages that have ended.
    counts: Counts,
    /// The bytes of the message that comes in parts.
    partial: u64,
}

impl BatchBuffer {
    fn new(target: &OutputTarget) -> Self {
        let files = match target {
            OutputTarget::Stream(_) => None,
            OutputTarget::Folder(_) => Some(Vec::new()),
        };
        let (pieces, tail, counts) = (Vec::new(), BytesMut::new(), Counts::default());
        Self { pieces, files, tail, gathered: 0, counts, partial: 0 }
    }

    #[inline(always)]
    fn count_message(&mut self, bytes: u64) {
        self.counts.add(Counts { messages: 1, bytes });
    }

    /// Adds bytes that are not copied after those in the tail.
    fn push(&mut self, piece: Bytes) {
        self.pieces.push(self.tail.split().freeze());
        self.pieces.push(piece);
    }

    /// Ends the file of a message, whose payload has this many bytes.
    fn end_file(&mut self, topic: Option<&TopicName>, bytes: u64) {
        if let Some(files) = &mut self.files {
            self.pieces.push(self.tail.split().freeze());
            files.push(BatchFile { stem: folder::stem(topic), end: self.pieces.len(), bytes });
        }
    }

    /// Everything, up to the message of this number.
    fn take(&mut self, number: u64) -> Batch {
        let mut pieces = std::mem::take(&mut self.pieces);
        pieces.push(self.tail.split().freeze());
        self.gathered = 0;
        let files = self.files.as_mut().map(std::mem::take).unwrap_or_default();
        Batch { pieces, files, number, counts: std::mem::take(&mut self.counts) }
    }
}

/// The output of `sub` and of requests.
#[derive(Debug)]
pub struct MessageWriter {
    layout: Layout,
    batch: BatchBuffer,
    /// The number of the latest message that was put in.
    latest: u64,
    /// The number of the latest message that was handed over.
    handed_over: u64,
    /// The number of the latest message of each batch that is with the thread.
    waiting: VecDeque<u64>,
    written: Arc<Written>,
    thread: Sender<Batch>,
}

impl MessageWriter {
    /// Begins to write to `target`; `report` is called by the thread that writes.
    pub fn start(
        layout: Layout,
        target: OutputTarget,
        report: impl Fn(OutputProgress) + Send + 'static,
    ) -> io::Result<Self> {
        let (thread, batches) = mpsc::channel();
        let written = Arc::new(Written::default());
        let batch = BatchBuffer::new(&target);
        start_thread(target, batches, Arc::clone(&written), report)?;
        let waiting = VecDeque::new();
        Ok(Self { layout, batch, latest: 0, handed_over: 0, waiting, written, thread })
    }

    /// Adds a message by copying its topic and payload; false if it is too large for that, or if
    /// the layout needs more of it: then [`MessageWriter::put`] takes it.
    #[inline(always)]
    pub fn put_copy(&mut self, number: u64, topic: Option<&TopicName>, payload: &[u8]) -> bool {
        let is_short = payload.len() < OWN_PIECE || !self.layout.keeps_payloads();
        if !is_short || self.batch.files.is_some() {
            return false;
        }
        let before = self.batch.tail.len();
        if !self.layout.write_text(topic, payload, &mut self.batch.tail) {
            return false;
        }
        self.latest = number;
        self.batch.count_message(payload.len() as u64);
        self.batch.gathered += self.batch.tail.len() - before;
        self.flush_if_full();
        true
    }

    /// Adds a message. A field that the layout cannot show is left out; the error says which.
    pub fn put(&mut self, number: u64, publish: &Publish) -> Result<(), FormatError> {
        self.latest = number;
        let bytes = publish.payload.len() as u64;
        let batch = &mut self.batch;
        batch.count_message(bytes);
        let before = batch.tail.len();
        let mut result = Ok(());
        if publish.payload.len() < OWN_PIECE || !self.layout.keeps_payloads() {
            let now = self.layout.needs_time().then(local_time);
            result = self.layout.write(publish, now.as_ref(), &mut batch.tail);
        } else {
            self.layout.head(publish.topic.as_ref(), &publish.payload, &mut batch.tail);
            batch.push(publish.payload.clone());
            batch.gathered += publish.payload.len();
            self.layout.tail(&mut batch.tail);
        }
        batch.gathered += batch.tail.len().saturating_sub(before);
        batch.end_file(publish.topic.as_ref(), bytes);
        self.flush_if_full();
        result
    }

    /// Begins a message that comes in parts, none of them empty; only for a stream, and a layout
    /// that keeps payloads as they are.
    pub fn begin(&mut self, publish: &Publish) {
        let before = self.batch.tail.len();
        self.layout.title(publish.topic.as_ref(), &mut self.batch.tail);
        self.batch.gathered += self.batch.tail.len() - before;
    }

    /// The next piece of its payload; small ones are copied.
    pub fn piece(&mut self, piece: Bytes) {
        self.batch.gathered += piece.len();
        self.batch.partial += piece.len() as u64;
        if piece.len() < OWN_PIECE {
            self.batch.tail.put_slice(&piece);
        } else {
            self.batch.push(piece);
        }
        self.flush_if_full();
    }

    /// Ends the message that comes in parts, and gives it this number.
    pub fn end(&mut self, number: u64) {
        self.latest = number;
        let bytes = std::mem::take(&mut self.batch.partial);
        self.batch.count_message(bytes);
        self.layout.tail(&mut self.batch.tail);
    }

    /// Counts a message of which nothing is written: it is acknowledged in its turn.
    pub fn skip(&mut self, number: u64) {
        self.latest = number;
    }

    #[inline(always)]
    fn flush_if_full(&mut self) {
        if self.batch.gathered >= BATCH {
            self.flush();
        }
    }

    /// Hands what was gathered to the thread.
    pub fn flush(&mut self) {
        // Parts that were added under the number of the previous message are handed over, too.
        if self.handed_over == self.latest && self.batch.gathered == 0 {
            return;
        }
        self.handed_over = self.latest;
        self.waiting.push_back(self.latest);
        // It fails only after a failure that the thread has reported.
        let _ = self.thread.send(self.batch.take(self.latest));
    }

    /// Nothing more is wanted: no other file is begun. What was written until now.
    pub fn stop(&self) -> Counts {
        self.written.stop(LAST_FILE)
    }

    /// The thread has reported this message as written.
    pub fn written(&mut self, number: u64) {
        if self.waiting.front().is_some_and(|&waiting| waiting <= number) {
            self.waiting.pop_front();
        }
    }

    /// Whether everything that was put in is written, or never will be.
    pub fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.handed_over == self.latest
    }

    /// Drops what was not written: the thread has failed.
    pub fn abandon(&mut self) {
        self.waiting.clear();
        self.handed_over = self.latest;
    }

    /// Whether the reader of our output is slower than the broker.
    pub fn is_full(&self) -> bool {
        self.waiting.len() >= BATCHES
    }
}

/// stdout without the buffer of `io::stdout`, which searches everything for line feeds and holds
/// back what follows the last one: two writes for each large message.
pub fn unbuffered_stdout() -> io::Result<impl Write + Send + 'static> {
    use std::os::fd::AsFd;
    io::stdout().as_fd().try_clone_to_owned().map(std::fs::File::from)
}

/// Whether stdout may have been closed when we were started: Rust opens `/dev/null` in place of it,
/// for reading and writing. A shell's `>/dev/null` is only for writing, but Python's and Node's are
/// like Rust's, so that nobody can tell for sure.
pub fn stdout_may_be_closed() -> bool {
    let stdout = io::stdout();
    let is_for_both = rustix::fs::fcntl_getfl(&stdout)
        .is_ok_and(|flags| flags & rustix::fs::OFlags::ACCMODE == rustix::fs::OFlags::RDWR);
    let device = rustix::fs::fstat(&stdout).map(|stat| stat.st_rdev);
    let null = rustix::fs::stat("/dev/null").map(|stat| stat.st_rdev);
    is_for_both && matches!((device, null), (Ok(device), Ok(null)) if device == null)
}

/// Prints one line, or several, on stdout; whether anybody still reads it. What a server has to say
/// in it does not drive the terminal.
pub fn print_line(line: &str) -> io::Result<bool> {
    print_styled(line, str::to_owned)
}

/// The same; on a terminal what is harmless gets its colours.
pub fn print_styled(line: &str, style: fn(&str) -> String) -> io::Result<bool> {
    let mut text = BytesMut::new();
    if io::stdout().is_terminal() {
        let mut harmless = BytesMut::new();
        escape::escape(line.as_bytes(), &mut harmless);
        text.put_slice(style(&String::from_utf8_lossy(&harmless)).as_bytes());
    } else {
        text.put_slice(line.as_bytes());
    }
    text.put_u8(b'\n');
    let mut stdout = io::stdout().lock();
    match stdout.write_all(&text).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        result => result.map(|()| true),
    }
}

/// Starts the thread that writes.
fn start_thread(
    target: OutputTarget,
    batches: Receiver<Batch>,
    written: Arc<Written>,
    report: impl Fn(OutputProgress) + Send + 'static,
) -> io::Result<()> {
    let thread = thread::Builder::new().name("output".to_owned());
    let thread = match target {
        OutputTarget::Stream(mut sink) => thread.spawn(move || {
            write_batches(&batches, |batch| to_stream(batch, &mut *sink, &written), &report);
        }),
        OutputTarget::Folder(mut folder) => thread.spawn(move || {
            write_batches(&batches, |batch| to_folder(batch, &mut folder, &written), &report);
        }),
    };
    thread.map(drop)
}

/// Writes batches until there are no more, or one is not written to its end.
fn write_batches(
    batches: &Receiver<Batch>,
    mut write: impl FnMut(&Batch) -> io::Result<bool>,
    report: &impl Fn(OutputProgress),
) {
    for batch in batches {
        match write(&batch) {
            Ok(true) => report(OutputProgress::Written(batch.number)),
            Ok(false) => return,
            Err(error) => return report(OutputProgress::Failed(error)),
        }
    }
}

fn to_stream(batch: &Batch, sink: &mut dyn Write, written: &Written) -> io::Result<bool> {
    write_pieces(&batch.pieces, sink)?;
    sink.flush()?;
    written.add(batch.counts);
    Ok(true)
}

/// Writes the files of a batch; false if it was stopped before the last.
fn to_folder(batch: &Batch, folder: &mut Folder, written: &Written) -> io::Result<bool> {
    let mut begin = 0;
    for file in &batch.files {
        if !written.begin_file() {
            return Ok(false);
        }
        let stored = folder.store(&file.stem, &batch.pieces[begin..file.end]);
        let messages = u64::from(stored.is_ok());
        written.end_file(Counts { messages, bytes: messages * file.bytes });
        stored?;
        begin = file.end;
    }
    if !batch.files.is_empty() {
        folder.sync()?;
    }
    Ok(true)
}

/// Writes all pieces in as few calls as the system allows.
fn write_pieces(pieces: &[Bytes], sink: &mut dyn Write) -> io::Result<()> {
    let mut slices: Vec<IoSlice> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
    let mut rest = &mut slices[..];
    // Empty ones at the front would make a write of nothing.
    IoSlice::advance_slices(&mut rest, 0);
    while !rest.is_empty() {
        match sink.write_vectored(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => IoSlice::advance_slices(&mut rest, count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
