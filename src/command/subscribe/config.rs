//! What `sub` is asked to do.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::client;
use crate::format::encoding::Encoding;
use crate::format::json_path::JsonCondition;
use crate::format::layout::{Layout, TopicColour};
use crate::format::pattern::Pattern;
use crate::format::summary::SummaryForm;
use crate::mqtt::packet::Subscription;
use crate::mqtt::property::Properties;
use crate::mqtt::topic::TopicFilter;
use crate::report::Verbosity;
pub use crate::stdio::exec::OnFailure;

/// What `sub` is asked to do.
pub struct Config {
    /// Where to connect, and how.
    pub client: client::Options,
    /// What the broker is asked for.
    pub subscriptions: SubscribeRequest,
    /// What is done with messages.
    pub messages: MessageOptions,
    /// The form of the summary, if there is to be one.
    pub summary: Option<SummaryForm>,
    /// What begins when the broker has granted the subscriptions.
    pub start: StartOptions,
    /// Which lines go to stderr.
    pub verbosity: Verbosity,
}

/// What begins when the broker has granted the subscriptions.
#[derive(Debug)]
pub struct StartOptions {
    /// `--ready-fd`: this file descriptor is told.
    pub ready_fd: Option<u32>,
    /// The command to run, with its arguments; empty is none.
    pub command: Vec<OsString>,
    /// What the command finds in `$MQTTWS_URL`.
    pub url: String,
}

/// What is done with messages.
#[derive(Debug, Clone)]
pub struct MessageOptions {
    /// When there are enough.
    pub end: EndConditions,
    /// Which are written.
    pub filter: Filter,
    /// Which of them count, and which end the run.
    pub criteria: Criteria,
    /// Where they are written, and how.
    pub output: OutputOptions,
    /// Retained ones that were written are removed from the broker.
    pub remove_retained: bool,
    /// How long each took is measured (`--latency`).
    pub latency: bool,
    /// What becomes of those that bring nothing new.
    pub unchanged: UnchangedPayloads,
    /// `--message-rate`: how often their rate is told.
    pub rate_interval: Option<Duration>,
}

/// What becomes of a message whose payload is that of the message before on its topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnchangedPayloads {
    /// It is written as any other.
    Written,
    /// `--changed`: it is left out.
    LeftOut,
}

/// What the broker is asked for.
#[derive(Debug, Clone)]
pub struct SubscribeRequest {
    /// The subscriptions.
    pub subscribe: Vec<Subscription>,
    /// The properties of SUBSCRIBE.
    pub subscribe_properties: Properties,
    /// The topic filters to unsubscribe from.
    pub unsubscribe: Vec<TopicFilter>,
    /// The properties of UNSUBSCRIBE.
    pub unsubscribe_properties: Properties,
}

/// When `sub` ends, other than by a signal.
#[derive(Debug, Clone, Copy)]
pub struct EndConditions {
    /// `-C`: after this many messages.
    pub count: Option<u64>,
    /// `-W`: after this time.
    pub timeout: Option<Duration>,
    /// `--for`: after this time, from the broker's answer on.
    pub after: Option<Duration>,
    /// `--idle`: after this time without a message.
    pub idle: Option<Duration>,
    /// `-E`: when the broker has answered.
    pub after_answer: bool,
}

impl EndConditions {
    /// Whether the run goes on until it is interrupted.
    pub fn is_never(&self) -> bool {
        let Self { count, timeout, after, idle, after_answer } = self;
        let ends_by_time = timeout.is_some() || after.is_some() || idle.is_some();
        count.is_none() && !ends_by_time && !after_answer
    }
}

/// Which messages are written.
#[derive(Debug, Clone)]
pub struct Filter {
    /// `-T`: not those whose topic matches one of these.
    pub except: Vec<TopicFilter>,
    /// Whether retained messages are.
    pub retained: RetainedFilter,
    /// `--random-filter`: only with this probability, from 0 to 1.
    pub probability: Option<f64>,
    /// Empty messages that are not retained are left out. They are the echo of our own removals, of
    /// which nothing would be seen but an empty line.
    pub skips_removals: bool,
}

/// Whether retained messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetainedFilter {
    /// As all others.
    Included,
    /// `-R`: not.
    LeftOut,
    /// `--retained-only`: only they; the first other message is the end.
    Only,
}

/// Which messages count, and which end the run.
#[derive(Debug, Clone)]
pub struct Criteria {
    /// A message counts if all of these hold.
    pub matching: Vec<Criterion>,
    /// `--fail-on`: the first message whose payload matches one of these is the end.
    pub fail_on: Vec<Pattern>,
    /// Whether messages are expected.
    pub expectation: Expectation,
    /// What becomes of messages that do not count.
    pub others: OtherMessages,
}

/// What a message must be to count.
#[derive(Debug, Clone)]
pub enum Criterion {
    /// `--match`: its payload matches.
    Payload(Pattern),
    /// `--match-topic`: its topic matches.
    Topic(Pattern),
    /// `--match-json`: its payload is JSON with this value.
    Json(JsonCondition),
}

/// Whether messages are expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expectation {
    /// They are.
    Messages,
    /// `--expect-none`: the first that counts is the end.
    Nothing,
}

/// What becomes of messages that do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtherMessages {
    /// Only the last one is told, at the end.
    LeftOut,
    /// `--show-others`: they are shown on stderr.
    Shown,
}

impl Criteria {
    /// Whether the run is a test, which a refused subscription ends.
    pub fn are_given(&self) -> bool {
        !self.matching.is_empty()
            || !self.fail_on.is_empty()
            || self.expectation == Expectation::Nothing
    }
}

/// Where messages are written, and how.
#[derive(Debug, Clone)]
pub struct OutputOptions {
    /// Where to.
    pub destination: Destination,
    /// How a message is written.
    pub layout: Layout,
}

/// Where messages are written.
#[derive(Debug, Clone)]
pub enum Destination {
    /// stdout.
    Stdout,
    /// A file for each message in this folder.
    Folder(PathBuf),
    /// The stdin of a command for each message.
    Commands(CommandOptions),
    /// The terminal: a line for each topic, or for each level of one.
    Watch(WatchOptions),
    /// Nowhere: they are counted by topic, and the counts are written to stdout.
    Report(TopicReportOptions),
}

/// `--report`, `--tree`
#[derive(Debug, Clone, Copy)]
pub struct TopicReportOptions {
    /// How often the counts are written; at the end they always are.
    pub interval: Option<Duration>,
    /// Topics with more levels are counted together by so many of them.
    pub depth: usize,
    /// How they are written.
    pub form: ReportForm,
}

impl TopicReportOptions {
    /// Whether a terminal shows them while messages come.
    pub fn is_drawn_over(&self) -> bool {
        self.form == ReportForm::Tree && self.interval.is_none()
    }
}

/// How counts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportForm {
    /// A line for each topic.
    Table,
    /// A line of JSON for each topic.
    TableJson,
    /// A line for each level of a topic.
    Tree,
    /// All of it as one line of JSON.
    TreeJson,
}

/// `--exec`
#[derive(Debug, Clone)]
pub struct CommandOptions {
    /// The program and its arguments: a shell and the command for it, or the command itself.
    pub words: Vec<OsString>,
    /// How many run at once.
    pub jobs: usize,
    /// What follows a command that failed.
    pub on_failure: OnFailure,
    /// What a command writes is published as the answer to its message.
    pub reply: bool,
}

/// What is drawn over in place.
#[derive(Debug, Clone, Copy)]
pub enum WatchOptions {
    /// `--watch`
    Topics {
        /// Topics are coloured.
        colour: TopicColour,
        /// How payloads are shown.
        encoding: Option<Encoding>,
    },
    /// `--tree`
    Tree {
        /// Topics with more levels are counted together by so many of them.
        depth: usize,
    },
}

impl MessageOptions {
    /// Whether messages on stdout are what it is for.
    pub fn prints(&self) -> bool {
        let destination = &self.output.destination;
        matches!(destination, Destination::Stdout | Destination::Watch(_) | Destination::Report(_))
            && !self.end.after_answer
            && !self.remove_retained
    }
}
