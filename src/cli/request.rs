//! The flags of `pub --request`: those of `mosquitto_rr`, and how `sub` writes messages.

use std::time::Duration;

use clap::Args;

use super::value;
use crate::mqtt::packet::RetainHandling;
use crate::mqtt::topic::TopicName;

/// Waiting for answers.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct RequestFlags {
    /// Wait for the answer to each message and write it to stdout (MQTT 5, or with -e)
    ///
    /// The message has a response topic that is subscribed to before, and correlation data by which
    /// its answer is known.
    #[arg(long, help_heading = "Requests",
          conflicts_with_all = ["retain", "repeat", "repeat_delay", "replay"])]
    pub request: bool,

    /// Where the answers come: agreed on with who answers, or given along [default: a topic of our
    /// own]
    ///
    /// A single request to such a topic has no correlation data, as that of `mosquitto_rr`, unless
    /// -D gives it some: the first message that comes is its answer.
    #[arg(
        short = 'e',
        long,
        value_name = "TOPIC",
        help_heading = "Requests",
        requires = "request"
    )]
    pub response_topic: Option<TopicName>,

    /// Leave with exit code 27 when an answer takes longer
    #[arg(short = 'W', long, value_name = "SECS", value_parser = value::timeout, help_heading = "Requests",
          requires = "request")]
    pub timeout: Option<Duration>,

    /// Write the topic and a space before each answer
    #[arg(short, long, help_heading = "Requests", requires = "request")]
    pub verbose: bool,

    /// Write each answer in this format, as `sub` does
    #[arg(short = 'F', long, value_name = "FORMAT", help_heading = "Requests", requires = "request",
          conflicts_with_all = ["json", "hex", "base64"])]
    pub format: Option<String>,

    /// Spread JSON over several lines
    #[arg(long, help_heading = "Requests", requires = "request")]
    pub pretty: bool,

    /// Write answers as hexadecimal digits
    #[arg(long, help_heading = "Requests", requires = "request", conflicts_with_all = ["json", "base64"])]
    pub hex: bool,

    /// Write answers as base64
    #[arg(long, help_heading = "Requests", requires = "request", conflicts_with = "json")]
    pub base64: bool,

    /// Write no line feed behind each answer
    #[arg(short = 'N', help_heading = "Requests", requires = "request")]
    pub no_newline: bool,

    /// Messages that the broker had kept are never answers
    #[arg(short = 'R', hide = true, requires = "request")]
    no_stale: bool,

    /// Keep the retain flag of answers as it was published (MQTT 5)
    #[arg(long, hide = true, requires = "request")]
    pub retain_as_published: bool,

    /// Kept messages are never answers, whenever the broker sends them (MQTT 5)
    #[arg(long, hide = true, value_name = "WHEN", value_parser = value::retain_handling,
          requires = "request")]
    pub retain_handling: Option<RetainHandling>,
}

impl RequestFlags {
    /// Whether something is asked for that only MQTT 5 has: without a topic that was agreed on, the
    /// request itself has to name it.
    pub fn needs_version_5(&self) -> bool {
        self.response_topic.is_none() || self.retain_as_published || self.retain_handling.is_some()
    }
}
