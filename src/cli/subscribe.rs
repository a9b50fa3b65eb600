//! `mqttws sub`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::command::CommandFlags;
use super::conversation::Conversation;
use super::value::{self, Colour, Summary};
use crate::mqtt::packet::RetainHandling;
use crate::mqtt::qos::QoS;
use crate::mqtt::topic::TopicFilter;

/// Subscribe, and write the messages that come to stdout.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[command(disable_help_flag = true)]
pub struct Subscribe {
    /// Address, session and properties.
    #[command(flatten)]
    pub conversation: Conversation,

    /// Topic filter to subscribe to; + and # are wildcards (repeatable)
    #[arg(
        short,
        long,
        value_name = "FILTER",
        required_unless_present_any = ["give_back", "print_config"],
        help_heading = "Messages"
    )]
    pub topic: Vec<TopicFilter>,

    /// Leave out messages whose topic matches this filter (repeatable)
    #[arg(short = 'T', long, value_name = "FILTER", help_heading = "Messages")]
    pub filter_out: Vec<TopicFilter>,

    /// Give a subscription of a kept session back (repeatable)
    #[arg(short = 'U', long = "unsubscribe", value_name = "FILTER", help_heading = "Messages")]
    pub give_back: Vec<TopicFilter>,

    /// Leave as soon as the broker has answered the subscriptions
    #[arg(short = 'E', long = "exit-after-subscribe", help_heading = "Messages")]
    pub exit_after_answer: bool,

    /// Highest quality of service to receive: 0, 1 or 2
    #[arg(short, long, value_name = "QOS", default_value = "0", value_parser = value::qos,
          help_heading = "Messages")]
    pub qos: QoS,

    /// Leave after so many messages
    #[arg(short = 'C', long, value_name = "N", help_heading = "Messages",
          value_parser = value::count)]
    pub count: Option<u64>,

    /// Leave after so long, with exit code 27 if -C was not met
    #[arg(short = 'W', long, value_name = "SECS", value_parser = value::timeout, help_heading = "Messages")]
    pub timeout: Option<Duration>,

    /// Leave after so long without a message, with exit code 0
    #[arg(long, value_name = "SECS", value_parser = value::duration, help_heading = "Messages")]
    pub idle: Option<Duration>,

    /// Leave out messages that the broker had kept
    #[arg(short = 'R', help_heading = "Messages", conflicts_with = "retained_only")]
    pub no_stale: bool,

    /// Take only messages that the broker had kept, and leave when the first other one comes
    #[arg(long, help_heading = "Messages")]
    pub retained_only: bool,

    /// Let the broker forget each kept message that was written; -T spares some
    #[arg(long, help_heading = "Messages")]
    pub remove_retained: bool,

    /// Write a message only with this probability, in percent; with -C only those count
    #[arg(long, value_name = "PERCENT", value_parser = value::percent, help_heading = "Messages")]
    pub random_filter: Option<f64>,

    /// Keep the retain flag as it was published (MQTT 5)
    #[arg(long, help_heading = "Messages")]
    pub retain_as_published: bool,

    /// Kept messages: always, only for a new subscription, or never (MQTT 5) [default: always]
    #[arg(long, value_name = "WHEN", value_parser = value::retain_handling, help_heading = "Messages")]
    pub retain_handling: Option<RetainHandling>,

    /// Nothing that this connection itself publishes (MQTT 5)
    #[arg(long, help_heading = "Messages")]
    pub no_local: bool,

    /// Share the subscriptions with the others of this group: each message goes to one of them
    #[arg(long, value_name = "GROUP", help_heading = "Messages")]
    pub share: Option<String>,

    /// Write the topic and a space before each payload
    #[arg(short, long, help_heading = "Output")]
    pub verbose: bool,

    /// Write each message in this format; see FORMATS in the manual
    #[arg(short = 'F', long, value_name = "FORMAT", help_heading = "Output",
          conflicts_with_all = ["json", "hex", "base64"])]
    pub format: Option<String>,

    /// Write each message as a line of JSON; with =parse also the payload as JSON, where it is
    #[arg(long, value_name = "parse", num_args = 0..=1, require_equals = true, default_missing_value = "text",
          hide_possible_values = true, help_heading = "Output",
          conflicts_with_all = ["hex", "base64", "verbose"])]
    pub json: Option<JsonMode>,

    /// Spread JSON over several lines
    #[arg(long, help_heading = "Output")]
    pub pretty: bool,

    /// Write payloads as hexadecimal digits
    #[arg(long, help_heading = "Output", conflicts_with = "base64")]
    pub hex: bool,

    /// Write payloads as base64
    #[arg(long, help_heading = "Output")]
    pub base64: bool,

    /// Write no line feed behind each message
    #[arg(short = 'N', help_heading = "Output")]
    pub no_newline: bool,

    /// Write NUL instead of a line feed behind each message
    #[arg(short = '0', long, help_heading = "Output", conflicts_with = "no_newline")]
    pub null: bool,

    /// Write each message to a file of its own in this folder, named by its topic and a number; if
    /// it is a file, read flags from it, one a line, its value behind a blank, as with mosquitto
    #[arg(short, long, value_name = "DIR", help_heading = "Output", conflicts_with = "null")]
    pub output_dir: Option<PathBuf>,

    /// The commands.
    #[command(flatten)]
    pub commands: CommandFlags,

    /// Draw one line per topic and keep it up to date; needs a terminal
    #[arg(short, long, help_heading = "Output", conflicts_with_all = ["exec", "format", "json", "no_newline",
          "null", "output_dir", "pretty"])]
    pub watch: bool,

    /// Colour topics: auto (on a terminal, unless `$NO_COLOR` is set), always or never
    #[arg(long, value_name = "WHEN", default_value = "auto", value_parser = value::colour,
          help_heading = "Output")]
    pub color: Colour,

    /// Say at the end how long messages took from `pub --latency`, on stderr (MQTT 5)
    #[arg(long, help_heading = "Output")]
    pub latency: bool,

    /// Say at the end how much came, on stderr
    #[arg(long, value_name = "json", num_args = 0..=1, require_equals = true, default_missing_value = "text",
          value_parser = value::summary, help_heading = "Output")]
    pub summary: Option<Summary>,
}

/// What `--json` makes of payloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum JsonMode {
    /// Text, or base64.
    Text,
    /// And JSON, where they are.
    Parse,
}

impl Subscribe {
    /// The first flag that only MQTT 5 can obey.
    pub fn version_5_flag(&self) -> Option<&'static str> {
        let flags = [
            (self.retain_as_published, "--retain-as-published"),
            (self.retain_handling.is_some(), "--retain-handling"),
            (self.no_local, "--no-local"),
            (self.commands.reply, "--reply"),
        ];
        flags.into_iter().find(|(given, _)| *given).map(|(_, flag)| flag)
    }
}
