//! The flags of `pub --request`: those of `mosquitto_rr`, and how `sub` writes messages.

use std::num::NonZeroU16;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{Arg, ArgAction, Args};

use super::choice::{Choice, Chosen, Flag};
use super::layout::{self, Form};
use super::mqtt::NeedsVersion5;
use super::property::GivenProperties;
use super::value;
use crate::command::publish::config::RequestOptions;
use crate::exit::Usage;
use crate::format::encoding::Encoding;
use crate::format::escape::ControlCharacters;
use crate::format::layout::Layout;
use crate::mqtt::packet::RetainHandling;
use crate::mqtt::property::Place;
use crate::mqtt::topic::TopicName;
use crate::terminal::screen;

/// How many requests wait for their answers at once, unless `-M` says otherwise: as many as with
/// mosquitto.
const IN_FLIGHT: u16 = 20;

/// Waiting for answers.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[command(next_help_heading = "Requests")]
pub struct RequestFlags {
    /// Wait for the answer to each message and write it to stdout (MQTT 5, or with -e)
    ///
    /// The response topic is subscribed to first; the correlation data of an answer shows which
    /// message it answers.
    #[arg(long,
          conflicts_with_all = ["retain", "repeat", "repeat_delay", "replay"])]
    pub request: bool,

    /// Response topic, on which the answers arrive [default: a topic for this client alone]
    ///
    /// A single request with this flag has no correlation data, as with `mosquitto_rr`, unless -D
    /// gives it some: the first message on the topic is its answer.
    #[arg(
        short = 'e',
        long,
        value_name = "TOPIC",
        requires = "request",
        allow_hyphen_values = true
    )]
    pub response_topic: Option<TopicName>,

    /// Write the topic and a space before each answer
    #[arg(short, long, requires = "request")]
    pub verbose: bool,

    /// Write each answer in this format, as `sub` does
    #[arg(short = 'F', long, value_name = "FORMAT", requires = "request",
          conflicts_with_all = ["json", "hex", "base64"], allow_hyphen_values = true)]
    pub format: Option<String>,

    /// Spread JSON over several lines
    #[arg(long, requires = "request")]
    pub pretty: bool,

    /// `--hex` or `--base64`.
    #[command(flatten)]
    encoding: Chosen<AnswerEncoding>,

    /// The byte after each answer.
    #[command(flatten)]
    end: Chosen<AnswerEnd>,

    /// Retained messages are never answers
    #[arg(short = 'R', hide = true, requires = "request", action = ArgAction::SetTrue)]
    no_stale: (),

    /// Keep the retain flag of answers as it was published (MQTT 5)
    #[arg(long, hide = true, requires = "request")]
    pub retain_as_published: bool,

    /// Retained messages are never answers, whenever the broker sends them (MQTT 5)
    #[arg(long, hide = true, value_name = "WHEN", value_parser = value::retain_handling,
          requires = "request", allow_hyphen_values = true)]
    pub retain_handling: Option<RetainHandling>,
}

/// How the payloads of answers are written.
#[derive(Debug)]
enum AnswerEncoding {}

impl Choice for AnswerEncoding {
    type Value = Option<Encoding>;
    const DEFAULT: Option<Encoding> = None;
    const FLAGS: &'static [Flag<Option<Encoding>>] = &[
        layout::hex("Write answers as hexadecimal digits", &["json", "base64"]),
        layout::base64("Write answers as base64", &["json"]),
    ];

    fn refine(flag: Arg) -> Arg {
        flag.requires("request")
    }
}

/// The byte after each answer.
#[derive(Debug)]
enum AnswerEnd {}

impl Choice for AnswerEnd {
    type Value = Option<u8>;
    const DEFAULT: Option<u8> = Some(b'\n');
    const FLAGS: &'static [Flag<Option<u8>>] =
        &[layout::no_newline("Write no line feed after each answer")];

    fn refine(flag: Arg) -> Arg {
        flag.requires("request")
    }
}

impl RequestFlags {
    /// Why MQTT 5 is needed, if it is: without `-e` the request itself has to name its response
    /// topic.
    pub fn needs_version_5(&self) -> Option<NeedsVersion5> {
        let is_needed = self.response_topic.is_none()
            || self.retain_as_published
            || self.retain_handling.is_some();
        is_needed.then_some(("--request", |version| {
            format!(
                "--request: in MQTT {version} a message has no response topic: choose one, and \
                 give it with -e"
            )
        }))
    }

    /// The first flag that is only for answers, if there is one.
    pub fn for_answers(&self) -> Option<&'static str> {
        let flags = [
            (self.response_topic.is_some(), "-e"),
            (self.verbose, "-v"),
            (self.format.is_some(), "-F"),
            (self.pretty, "--pretty"),
            (self.encoding.0 == Some(Encoding::Hex), "--hex"),
            (self.encoding.0.is_some(), "--base64"),
            (self.end.0.is_none(), "-N"),
            (self.retain_as_published, "--retain-as-published"),
            (self.retain_handling.is_some(), "--retain-handling"),
        ];
        flags.into_iter().find(|(is_given, _)| *is_given).map(|(_, flag)| flag)
    }

    /// What is to be asked; answers are written as `sub --json` does it where `json` says so,
    /// `most_waiting` is `-M`, `timeout` is `-W`, and `properties` are those that `-D` gives.
    pub fn resolve(
        &self,
        json: bool,
        most_waiting: Option<NonZeroU16>,
        timeout: Option<Duration>,
        properties: &GivenProperties,
    ) -> Result<RequestOptions> {
        let of_publish = properties.of(Place::Publish);
        ensure!(
            of_publish.response_topic().is_none(),
            Usage::new("-D publish response-topic: with --request it is -e")
        );
        Ok(RequestOptions {
            response_topic: self.response_topic.clone(),
            correlation: of_publish.correlation_data().cloned(),
            timeout,
            layout: self.layout(json)?,
            most_waiting: most_waiting.map_or(IN_FLIGHT, NonZeroU16::get),
            retain_as_published: self.retain_as_published,
            retain_handling: self.retain_handling.unwrap_or(RetainHandling::Always),
            subscribe_properties: properties.of(Place::Subscribe),
        })
    }

    /// How answers are written.
    fn layout(&self, json: bool) -> Result<Layout> {
        let control_characters = ControlCharacters::on_terminal(screen::stdout_is_terminal());
        let form = match &self.format {
            Some(format) => Form::Format(format),
            None if json => Form::Json { parsed: false },
            None => Form::Payload { verbose: self.verbose, encoding: self.encoding.0 },
        };
        Ok(Layout {
            content: form.content(self.pretty, control_characters)?,
            end: self.end.0,
            control_characters,
            colour: screen::stdout_colour(),
        })
    }
}
