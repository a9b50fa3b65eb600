//! The flags of `sub` that tell of messages rather than write them all: rates, reports, trees, and
//! only what has changed.

use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;

use super::choice::{Choice, Chosen, Flag};
use super::value;
use crate::command::subscribe::config::{ReportForm, TopicReportOptions, UnchangedPayloads};
use crate::exit::Usage;

/// A topic has as many levels in a tree: its lines would be indented without end.
const DEEPEST_TREE: usize = 32;

/// Rates, reports and changes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct WatchingFlags {
    /// Write, instead of messages, every SECS a table of the topics: messages, bytes, rates,
    /// retained messages and the time of the last one; with --json a line for each topic
    ///
    /// At most 10,000 topics with 16 MiB of names are told apart, here and by --tree, however many
    /// come: the messages of the others are counted together, in the last line.
    #[arg(long, value_name = "SECS", value_parser = value::timeout, conflicts_with_all = ["watch",
          "runs", "format", "no_newline", "null", "output_dir", "pretty", "time", "hexdump", "hex",
          "base64", "verbose"], allow_hyphen_values = true)]
    pub report: Option<Duration>,

    /// With --report and --tree: count topics that have the same first N levels together
    #[arg(long, value_name = "N", value_parser = value::depth, allow_hyphen_values = true)]
    depth: Option<usize>,

    /// `--tree`
    #[command(flatten)]
    shape: Chosen<ReportShape>,

    /// `--changed`
    #[command(flatten)]
    unchanged: Chosen<ChangedFlag>,

    /// Print messages and bytes a second on stderr, every second or every SECS
    #[arg(long, value_name = "SECS", num_args = 0..=1, require_equals = true,
          default_missing_value = "1", value_parser = value::timeout)]
    pub message_rate: Option<Duration>,
}

/// How counts are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CountShape {
    /// A line for each topic.
    Table,
    /// A line for each level.
    Tree,
}

/// `--tree`
#[derive(Debug)]
enum ReportShape {}

impl Choice for ReportShape {
    type Value = CountShape;
    const DEFAULT: CountShape = CountShape::Table;
    const FLAGS: &'static [Flag<CountShape>] = &[Flag {
        id: "tree",
        short: None,
        long: Some("tree"),
        help: "Show, instead of messages, the topics as a tree that grows in place on a terminal, \
               and is written at the end elsewhere; with --report every SECS; with --json as an \
               object",
        conflicts: &[
            "watch",
            "runs",
            "format",
            "no_newline",
            "null",
            "output_dir",
            "pretty",
            "time",
            "hexdump",
            "hex",
            "base64",
            "verbose",
        ],
        value: CountShape::Tree,
    }];
}

/// `--changed`
#[derive(Debug)]
enum ChangedFlag {}

impl Choice for ChangedFlag {
    type Value = UnchangedPayloads;
    const DEFAULT: UnchangedPayloads = UnchangedPayloads::Written;
    const FLAGS: &'static [Flag<UnchangedPayloads>] = &[Flag {
        id: "changed",
        short: None,
        long: Some("changed"),
        help: "Leave out messages whose payload is the same as that of the message before on their \
               topic (a million topics are remembered)",
        conflicts: &[],
        value: UnchangedPayloads::LeftOut,
    }];
}

impl WatchingFlags {
    /// What becomes of messages that bring nothing new.
    pub fn unchanged(&self) -> UnchangedPayloads {
        self.unchanged.0
    }

    /// Whether counts are written instead of messages.
    pub fn counts(&self) -> bool {
        self.report.is_some() || self.shape.0 == CountShape::Tree
    }

    /// The reports that are written instead of messages, if they are; `json` is `--json`.
    pub fn reports(&self, json: bool) -> Result<Option<TopicReportOptions>> {
        ensure!(
            self.counts() || self.depth.is_none(),
            Usage::new("--depth is for counts: it needs --report or --tree")
        );
        let form = match (self.shape.0, json) {
            (CountShape::Table, false) => ReportForm::Table,
            (CountShape::Table, true) => ReportForm::TableJson,
            (CountShape::Tree, false) => ReportForm::Tree,
            (CountShape::Tree, true) => ReportForm::TreeJson,
        };
        let deepest = if self.shape.0 == CountShape::Tree { DEEPEST_TREE } else { usize::MAX };
        let depth = self.depth.unwrap_or(deepest).min(deepest);
        Ok(self.counts().then_some(TopicReportOptions { interval: self.report, depth, form }))
    }
}
