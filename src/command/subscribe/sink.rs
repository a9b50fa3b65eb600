//! Where messages are written: stdout or a folder, the screen of `--watch` and `--tree`, or the
//! commands of `--exec`; or where they are counted.

use std::time::Instant;

use anyhow::{Context, Result};
use bytes::Bytes;

use super::config::{self, Destination};
use super::exec::Exec;
use super::reporting::ReportSink;
use super::watch::WatchSink;
use crate::client::Client;
use crate::command::start_output;
use crate::format::template::FormatError;
use crate::mqtt::packet::Publish;
use crate::mqtt::topic::TopicName;
use crate::report::Verbosity;
use crate::stdio::folder::Folder;
use crate::stdio::stdout::{self, MessageWriter, OutputTarget};
use crate::stdio::written::Counts;

/// A destination of messages.
pub enum Sink {
    /// stdout, or a folder.
    Output(Box<MessageWriter>),
    /// `--watch`, and `--tree` on a terminal
    Watch(Box<WatchSink>),
    /// `--report`, `--tree`
    Report(Box<ReportSink>),
    /// `--exec`
    Commands(Box<Exec>),
}

impl Sink {
    /// Starts what writes messages.
    pub fn start(
        client: &Client,
        output: &config::OutputOptions,
        target: OutputTarget,
        verbosity: Verbosity,
    ) -> Result<Self> {
        let layout = output.layout.clone();
        Ok(match &output.destination {
            Destination::Commands(commands) => {
                Self::Commands(Box::new(Exec::start(commands, layout, verbosity, client)?))
            }
            Destination::Watch(watch) => {
                let output = start_output(client, layout, target)?;
                let watch = WatchSink::new(*watch, output, Instant::now());
                Self::Watch(Box::new(watch.context("watching signals")?))
            }
            Destination::Report(report) => {
                let output = start_output(client, layout, target)?;
                Self::Report(Box::new(ReportSink::new(*report, output, Instant::now())))
            }
            Destination::Stdout | Destination::Folder(_) => {
                Self::Output(Box::new(start_output(client, layout, target)?))
            }
        })
    }

    /// The thread that writes, if there is one.
    fn output(&mut self) -> Option<&mut MessageWriter> {
        match self {
            Self::Output(output) => Some(output),
            Self::Watch(watch) => Some(&mut watch.output),
            Self::Report(report) => Some(&mut report.output),
            Self::Commands(_) => None,
        }
    }

    /// Adds a message. Fields that do not fit the layout are left out; the error names them.
    pub fn put(&mut self, number: u64, publish: &Publish) -> Result<(), FormatError> {
        match self {
            Self::Output(output) => output.put(number, publish),
            Self::Watch(watch) => {
                watch.put(number, publish);
                Ok(())
            }
            Self::Report(report) => {
                report.put(number, publish);
                Ok(())
            }
            Self::Commands(exec) => exec.commands.put(number, publish),
        }
    }

    /// Adds a message by copying its payload; false if that cannot be, and it is still to be put.
    #[inline(always)]
    pub fn put_copy(&mut self, number: u64, topic: Option<&TopicName>, payload: &[u8]) -> bool {
        match self {
            Self::Output(output) => output.put_copy(number, topic, payload),
            Self::Watch(_) | Self::Report(_) | Self::Commands(_) => false,
        }
    }

    /// A message comes in parts, see [`MessageWriter::begin`]; only an output is given one.
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
            Self::Watch(watch) => watch.skip(number),
            Self::Report(report) => report.skip(number),
            Self::Commands(exec) => exec.commands.skip(number),
        }
    }

    /// A burst is over.
    pub fn flush(&mut self) {
        if let Some(output) = self.output() {
            output.flush();
        }
    }

    /// Nothing more will be put in.
    pub fn finish(&mut self) {
        match self {
            Self::Watch(watch) => watch.finish(),
            Self::Report(report) => report.finish(),
            Self::Output(_) | Self::Commands(_) => {}
        }
        self.flush();
    }

    /// Everything up to this message is written.
    pub fn written(&mut self, number: u64) {
        if let Some(output) = self.output() {
            output.written(number);
        }
    }

    /// Nothing more is wanted; what was written until now, where an output knows it.
    pub fn stop(&self) -> Option<Counts> {
        match self {
            Self::Output(output) => Some(output.stop()),
            Self::Commands(exec) => Some(exec.commands.counts()),
            Self::Watch(_) | Self::Report(_) => None,
        }
    }

    /// Nothing more can be written.
    pub fn abandon(&mut self) {
        if let Some(output) = self.output() {
            output.abandon();
        }
    }

    /// Whether the broker should wait.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Output(output) => output.is_full(),
            Self::Watch(watch) => watch.output.is_full(),
            Self::Report(report) => report.output.is_full(),
            Self::Commands(exec) => exec.is_full(),
        }
    }

    /// Whether nothing is on its way any more.
    pub fn is_done(&self) -> bool {
        match self {
            Self::Output(output) => output.is_done(),
            Self::Watch(watch) => watch.output.is_done(),
            Self::Report(report) => report.output.is_done(),
            Self::Commands(exec) => exec.is_done(),
        }
    }

    /// The commands of `--exec`.
    pub fn commands(&mut self) -> Option<&mut Exec> {
        match self {
            Self::Commands(exec) => Some(exec),
            Self::Output(_) | Self::Watch(_) | Self::Report(_) => None,
        }
    }
}

/// Where the messages go; a folder is made if it is not there.
pub fn target(destination: &Destination) -> Result<OutputTarget> {
    let Destination::Folder(path) = destination else {
        let stdout = stdout::unbuffered_stdout().context("opening stdout")?;
        return Ok(OutputTarget::Stream(Box::new(stdout)));
    };
    let context = || format!("the folder {}", path.display());
    Folder::open(path.clone()).with_context(context).map(OutputTarget::Folder)
}
