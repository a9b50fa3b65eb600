//! Where and how `sub` writes messages.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};

use super::SubscribeFlags;
use super::choices::{MessageEnd, PayloadEncoding};
use crate::cli::choice::Chosen;
use crate::cli::layout;
use crate::cli::value::{self, Colour};
use crate::command::subscribe::config::{CommandOptions, Destination, OnFailure, WatchOptions};
use crate::exit::Usage;
use crate::format::annotated::{Annotations, Heading, PayloadForm};
use crate::format::escape::ControlCharacters;
use crate::format::layout::{Content, Layout, TopicColour};
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

impl SubscribeFlags {
    pub(super) fn destination(&self) -> Result<Destination> {
        if let Some(words) = self.commands.words()? {
            return Ok(Destination::Commands(CommandOptions {
                words,
                jobs: usize::from(self.commands.jobs),
                on_failure: if self.commands.keep_going {
                    OnFailure::KeepGoing
                } else {
                    OnFailure::Stop
                },
                reply: self.commands.reply,
            }));
        }
        if let Some(reports) = self.watching.reports(self.output.json.is_some())? {
            // What a command writes would be drawn over.
            let is_live = self.test_command.words()?.is_empty()
                && reports.is_drawn_over()
                && screen::stdout_is_terminal()
                && screen::can_redraw();
            return Ok(if is_live {
                Destination::Watch(WatchOptions::Tree { depth: reports.depth })
            } else {
                Destination::Report(reports)
            });
        }
        if self.display.watch {
            let (colour, encoding) = (self.display.topic_colour(), self.output.encoding.0);
            return Ok(Destination::Watch(WatchOptions::Topics { colour, encoding }));
        }
        match &self.output.output_dir {
            Some(path) => folder(path),
            None => Ok(Destination::Stdout),
        }
    }

    /// How a message is written.
    pub(super) fn layout(&self) -> Result<Layout> {
        if self.display.watch {
            return watch_layout();
        }
        if self.watching.counts() {
            return Ok(layout_of_frames());
        }
        let output = &self.output;
        let into_files = output.output_dir.is_some() || self.commands.are_given();
        let control_characters =
            ControlCharacters::on_terminal(!into_files && screen::stdout_is_terminal());
        let content = output.form().content(output.pretty, control_characters)?;
        // Files and the stdin of commands hold payloads, byte for byte.
        let is_bare = into_files && matches!(content, Content::Payload { .. });
        let end = if is_bare { None } else { output.end.0 };
        let colour = if into_files { TopicColour::Plain } else { self.display.topic_colour() };
        Ok(Layout { content, end, control_characters, colour })
    }
}

/// A folder for messages.
fn folder(path: &Path) -> Result<Destination> {
    ensure!(
        !path.is_file(),
        Usage::new(format!(
            "--output-dir {}: expected a folder for the messages; flags come from a file with -o",
            path.display()
        ))
    );
    Ok(Destination::Folder(path.to_owned()))
}

/// The layout of `--watch`, which writes frames as they are.
fn watch_layout() -> Result<Layout> {
    ensure!(
        screen::stdout_is_terminal() && screen::can_redraw(),
        Usage::new("--watch needs a terminal on stdout that can be redrawn; use -v")
    );
    Ok(layout_of_frames())
}

/// The layout of what is written as it is.
fn layout_of_frames() -> Layout {
    Layout {
        content: Content::Payload { verbose: false, encoding: None },
        end: None,
        control_characters: ControlCharacters::Unchanged,
        colour: TopicColour::Plain,
    }
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

    fn form(&self) -> layout::Form<'_> {
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
    fn topic_colour(&self) -> TopicColour {
        match self.color {
            Colour::Auto => screen::stdout_colour(),
            Colour::Always => TopicColour::Cyan,
            Colour::Never => TopicColour::Plain,
        }
    }
}
