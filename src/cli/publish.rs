//! `mqttws pub`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args};

use super::conversation::Conversation;
use super::request::RequestFlags;
use super::value::{self, Summary};
use crate::exit::Usage;
use crate::mqtt::qos::QoS;
use crate::mqtt::topic::TopicName;

/// Publish messages: one, a file, or a stream of lines or records.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[command(group = ArgGroup::new("input").required(true).multiple(true), disable_help_flag = true)]
pub struct Publish {
    /// Address, session and properties.
    #[command(flatten)]
    pub conversation: Conversation,

    /// Answers.
    #[command(flatten)]
    pub answers: RequestFlags,

    /// Topic to publish to; with --json that of records without one
    #[arg(short, long, value_name = "TOPIC", help_heading = "Messages",
          required_unless_present_any = ["json", "split", "print_config"])]
    pub topic: Option<TopicName>,

    /// Put this before every topic
    #[arg(long, value_name = "PREFIX", help_heading = "Messages")]
    pub topic_prefix: Option<String>,

    /// Read flags from this file, too: one a line, its value behind a blank, as with mosquitto
    #[arg(short = 'o', value_name = "FILE", help_heading = "Output")]
    pub options: Option<PathBuf>,

    /// Publish this text
    #[arg(short, long, value_name = "TEXT", group = "input", help_heading = "Messages",
          conflicts_with_all = ["file", "stdin_file", "stdin_line", "null_message"])]
    pub message: Option<OsString>,

    /// Publish the content of a file as one message
    #[arg(short, long, value_name = "FILE", group = "input", help_heading = "Messages",
          conflicts_with_all = ["stdin_file", "stdin_line", "null_message"])]
    pub file: Option<PathBuf>,

    /// Publish all of stdin as one message
    #[arg(short = 's', long = "stdin-file", group = "input", help_heading = "Messages",
          conflicts_with_all = ["stdin_line", "null_message"])]
    pub stdin_file: bool,

    /// Publish each line of stdin as a message
    #[arg(short = 'l', long = "stdin-line", group = "input", help_heading = "Messages",
          conflicts_with_all = ["null_message"])]
    pub stdin_line: bool,

    /// Publish an empty message
    #[arg(short, long = "null-message", group = "input", help_heading = "Messages")]
    pub null_message: bool,

    /// Publish each line of stdin as the message that it describes, as `sub --json` writes it; with
    /// --request write the answers so, too (or only them, beside -m, -f, -s, -l or -n)
    #[arg(long, group = "input", help_heading = "Messages")]
    pub json: bool,

    /// With -l or --json: each record ends in NUL, not in a line feed
    #[arg(short = '0', long, help_heading = "Messages", conflicts_with_all = ["delimiter", "message", "file",
          "stdin_file", "null_message"])]
    pub null: bool,

    /// With -l or --json: each record ends in this character (\t, \xHH)
    #[arg(long, value_name = "C", value_parser = value::byte, help_heading = "Messages",
          conflicts_with_all = ["message", "file", "stdin_file", "null_message"])]
    pub delimiter: Option<u8>,

    /// With -l: the topic is what stands before the first such character, the message what stands
    /// behind it
    #[arg(long, value_name = "C", value_parser = value::byte, help_heading = "Messages",
          conflicts_with_all = ["topic", "json", "message", "file", "stdin_file", "null_message"])]
    pub split: Option<u8>,

    /// Stop at the first record that makes no sense; without this the others go on
    #[arg(long, help_heading = "Messages")]
    pub strict_input: bool,

    /// Publish the message so many times
    #[arg(long, value_name = "N", default_value = "1", hide_default_value = true, help_heading = "Messages",
          value_parser = value::count, conflicts_with_all = ["stdin_line", "json"])]
    pub repeat: u64,

    /// Time from one to the next with --repeat
    #[arg(long, value_name = "SECS", value_parser = value::duration, help_heading = "Messages")]
    pub repeat_delay: Option<Duration>,

    /// Publish at most so many messages a second
    #[arg(long, value_name = "N", value_parser = value::rate, help_heading = "Messages",
          conflicts_with = "repeat_delay")]
    pub rate: Option<f64>,

    /// With --json: keep the distances in time that the records have, or be so many times as fast
    #[arg(long, value_name = "SPEED", num_args = 0..=1, default_missing_value = "1",
          value_parser = value::rate,
          help_heading = "Messages", conflicts_with_all = ["rate", "repeat_delay", "message", "file",
          "stdin_file", "stdin_line", "null_message"])]
    pub replay: Option<f64>,

    /// Quality of service: 0, 1 or 2; with --json that of records that do not say
    #[arg(short, long, value_name = "QOS", default_value = "0", value_parser = value::qos,
          help_heading = "Messages")]
    pub qos: QoS,

    /// Ask the broker to keep the message for later subscribers
    #[arg(short, long, help_heading = "Messages")]
    pub retain: bool,

    /// Send the topic once and then an alias for it, as far as the broker allows (MQTT 5)
    #[arg(long, help_heading = "Messages")]
    pub topic_alias: bool,

    /// Send the time with each message, as user property `time`, for `sub --latency` (MQTT 5); with
    /// --request say at the end how long the answers took
    #[arg(long, help_heading = "Messages")]
    pub latency: bool,

    /// Say at the end how much was published, and how fast it was acknowledged, on stderr
    #[arg(long, value_name = "json", num_args = 0..=1, require_equals = true, default_missing_value = "text",
          value_parser = value::summary, help_heading = "Output")]
    pub summary: Option<Summary>,
}

impl Publish {
    /// What clap cannot say: `--json` is an input, and with `--request` the form of the answers.
    pub fn check(&self) -> Result<(), Usage> {
        if self.options.is_some() {
            return Err(Usage::new("-o: expected two words of their own, -o FILE"));
        }
        if self.json && self.has_plain_input() && !self.answers.request {
            return Err(Usage::new(
                "--json: its records are the input, and -m, -f, -s, -l and -n are another one",
            ));
        }
        if self.topic.is_none() && !self.reads_records() && self.split.is_none() {
            return Err(Usage::new("a topic is missing: give one with -t"));
        }
        Ok(())
    }

    /// Whether there is another input than records.
    pub fn has_plain_input(&self) -> bool {
        let has_text = self.message.is_some() || self.file.is_some();
        has_text || self.stdin_file || self.stdin_line || self.null_message
    }

    /// Whether the input is records.
    pub fn reads_records(&self) -> bool {
        self.json && !self.has_plain_input()
    }

    /// Whether the input may be more than one message.
    pub fn is_many(&self) -> bool {
        self.stdin_line || self.reads_records()
    }
}
