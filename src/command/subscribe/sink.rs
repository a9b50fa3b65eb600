//! Where messages go: to the thread that writes, or to commands. It must never know which messages
//! are wanted.

use bytes::Bytes;

use super::exec::Exec;
use crate::format::template::FormatError;
use crate::mqtt::packet::Publish;
use crate::mqtt::topic::TopicName;
use crate::stdio::stdout::Output;

/// See the module; what both can do under the same names.
pub enum Sink {
    /// stdout, or a folder.
    Output(Output),
    /// `--exec`
    Commands(Box<Exec>),
}

impl Sink {
    /// Adds a message; what of it does not fit the layout is left out, and told.
    pub fn put(&mut self, number: u64, publish: &Publish) -> Result<(), FormatError> {
        match self {
            Self::Output(output) => output.put(number, publish),
            Self::Commands(exec) => exec.commands.put(number, publish),
        }
    }

    /// Adds a message whose payload is not to be kept; false if that cannot be.
    #[inline]
    pub fn put_copy(&mut self, number: u64, topic: Option<&TopicName>, payload: &[u8]) -> bool {
        match self {
            Self::Output(output) => output.put_copy(number, topic, payload),
            Self::Commands(_) => false,
        }
    }

    /// A message comes in parts, see [`Output::begin`]; commands are never given one.
    pub fn begin(&mut self, publish: &Publish) {
        if let Self::Output(output) = self {
            output.begin(publish);
        }
    }

    /// The next piece of it.
    pub fn piece(&mut self, piece: Bytes) {
        if let Self::Output(output) = self {
            output.piece(piece);
        }
    }

    /// Its end.
    pub fn end(&mut self, number: u64) {
        if let Self::Output(output) = self {
            output.end(number);
        }
    }

    /// A message that is only acknowledged, in its turn.
    pub fn skip(&mut self, number: u64) {
        match self {
            Self::Output(output) => output.skip(number),
            Self::Commands(exec) => exec.commands.skip(number),
        }
    }

    /// A burst is over.
    pub fn flush(&mut self) {
        if let Self::Output(output) = self {
            output.flush();
        }
    }

    /// Everything up to this message is written.
    pub fn written(&mut self, number: u64) {
        if let Self::Output(output) = self {
            output.written(number);
        }
    }

    /// Nothing more can be written.
    pub fn abandon(&mut self) {
        if let Self::Output(output) = self {
            output.abandon();
        }
    }

    /// Whether the broker should wait.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Output(output) => output.is_full(),
            Self::Commands(exec) => exec.is_full(),
        }
    }

    /// Whether nothing is on its way any more.
    pub fn is_done(&self) -> bool {
        match self {
            Self::Output(output) => output.is_done(),
            Self::Commands(exec) => exec.is_done(),
        }
    }

    /// Whether a command has failed.
    pub fn has_failed(&self) -> bool {
        matches!(self, Self::Commands(exec) if exec.has_failed())
    }
}
