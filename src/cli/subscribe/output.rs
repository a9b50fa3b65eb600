//! The flags of how `sub` writes messages.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::choices::{MessageEnd, PayloadEncoding};
use crate::cli::choice::Chosen;
use crate::cli::layout;
use crate::cli::value::{self, Colour};
use crate::format::annotated::{Annotations, Heading, PayloadForm};
use crate::format::layout::TopicColour;
use crate::format::summary::SummaryForm;
use crate::terminal::screen;

/// What stands before each payload.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct HeadingFlags {
    /// Write the topic and a space before each payload
    #[arg(short, long)]
    pub verbose: bool,

    /// Write the local time before each message, to the millisecond
    #[arg(long, conflicts_with_all = ["format", "json"])]
    pub time: bool,
}

/// Where and how messages are written.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputFlags {
    /// `-v` and `--time`.
    #[command(flatten)]
    pub heading: HeadingFlags,

    /// Write payloads as lines of hexadecimal digits and characters, as `hexdump -C` does
    #[arg(long, conflicts_with_all = ["format", "json", "hex", "base64"])]
    pub hexdump: bool,

    /// Write each message in this format; see FORMATS in the manual
    #[arg(short = 'F', long, value_name = "FORMAT",
          conflicts_with_all = ["json", "hex", "base64"], allow_hyphen_values = true)]
    pub format: Option<String>,

    /// Write each message as a line of JSON; with =parse also the payload as JSON, where it is
    #[arg(long, value_name = "parse", num_args = 0..=1, require_equals = true,
          default_missing_value = "text",
          hide_possible_values = true,
          conflicts_with_all = ["hex", "base64", "verbose"])]
    pub json: Option<JsonMode>,

    /// Spread JSON over several lines
    #[arg(long)]
    pub pretty: bool,

    /// `--hex` or `--base64`.
    #[command(flatten)]
    pub encoding: Chosen<PayloadEncoding>,

    /// The byte after each message.
    #[command(flatten)]
    pub end: Chosen<MessageEnd>,

    /// Write each message to a file of its own in this folder, named by its topic and a number; if
    /// it is a file, read flags from it: one per line, its value after a blank, as mosquitto does
    #[arg(short, long, value_name = "DIR", conflicts_with = "null", allow_hyphen_values = true)]
    pub output_dir: Option<PathBuf>,
}

/// Output in addition to the messages, or instead of them.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct Display {
    /// Draw one line per topic and keep it up to date; needs a terminal
    #[arg(short, long, conflicts_with_all = ["runs", "format", "json", "no_newline",
          "null", "output_dir", "pretty", "time", "hexdump"])]
    pub watch: bool,

    /// Colour topics: auto (on a terminal, unless `$NO_COLOR` is set), always or never
    #[arg(long, value_name = "WHEN", default_value = "auto", value_parser = value::colour,
          allow_hyphen_values = true)]
    pub color: Colour,

    /// Print at the end how long messages took from `pub --latency`, on stderr (MQTT 5)
    #[arg(long)]
    pub latency: bool,

    /// Print at the end how much was received, on stderr
    #[arg(long, value_name = "json", num_args = 0..=1, require_equals = true,
          default_missing_value = "text",
          value_parser = value::summary)]
    pub summary: Option<SummaryForm>,
}

/// The form of payloads with `--json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum JsonMode {
    /// Text, or base64.
    Text,
    /// And JSON, where they are.
    Parse,
}

impl OutputFlags {
    /// What `--time` and `--hexdump` add.
    fn annotations(&self) -> Annotations {
        Annotations {
            heading: Heading { time: self.heading.time.into(), topic: self.heading.verbose.into() },
            payload: match self.encoding.0 {
                _ if self.hexdump => PayloadForm::Dump,
                Some(encoding) => PayloadForm::Encoded(encoding),
                None => PayloadForm::Plain,
            },
        }
    }

    /// The form that the flags ask for.
    pub fn form(&self) -> layout::Form<'_> {
        match (&self.format, self.json) {
            (Some(format), _) => layout::Form::Format(format),
            (None, Some(mode)) => layout::Form::Json { parsed: mode == JsonMode::Parse },
            (None, None) if self.heading.time || self.hexdump => {
                layout::Form::Annotated(self.annotations())
            }
            (None, None) => {
                layout::Form::Payload { verbose: self.heading.verbose, encoding: self.encoding.0 }
            }
        }
    }
}

impl Display {
    /// The colour of topics.
    pub fn topic_colour(&self) -> TopicColour {
        match self.color {
            Colour::Auto => screen::stdout_colour(),
            Colour::Always => TopicColour::Cyan,
            Colour::Never => TopicColour::Plain,
        }
    }
}
