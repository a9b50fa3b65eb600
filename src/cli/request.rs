//! The flags of `pub --request`: those of `mosquitto_rr`, and how `sub` writes messages.

use std::num::NonZeroU16;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;

use super::layout::{self, Form};
use super::mqtt::NeedsVersion5;
use super::property::GivenProperties;
use super::value;
use crate::command::publish::config::RequestOptions;
use crate::exit::Usage;
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
    /// The message has a response topic that is subscribed to before, and correlation data by which
    /// its answer is known.
    #[arg(long,
          conflicts_with_all = ["retain", "repeat", "repeat_delay", "replay"])]
    pub request: bool,

    /// Where the answers come: agreed on with who answers, or given along [default: a topic of our
    /// own]
    ///
    /// A single request to such a topic has no correlation data, as that of `mosquitto_rr`, unless
    /// -D gives it some: the first message that comes is its answer.
    #[arg(short = 'e', long, value_name = "TOPIC", requires = "request")]
    pub response_topic: Option<TopicName>,

    /// Exit with code 27 when an answer takes longer
    #[arg(short = 'W', long, value_name = "SECS", value_parser = value::timeout,
          requires = "request")]
    pub timeout: Option<Duration>,

    /// Write the topic and a space before each answer
    #[arg(short, long, requires = "request")]
    pub verbose: bool,

    /// Write each answer in this format, as `sub` does
    #[arg(short = 'F', long, value_name = "FORMAT", requires = "request",
          conflicts_with_all = ["json", "hex", "base64"])]
    pub format: Option<String>,

    /// Spread JSON over several lines
    #[arg(long, requires = "request")]
    pub pretty: bool,

    /// Write answers as hexadecimal digits
    #[arg(long, requires = "request", conflicts_with_all = ["json", "base64"])]
    pub hex: bool,

    /// Write answers as base64
    #[arg(long, requires = "request", conflicts_with = "json")]
    pub base64: bool,

    /// Write no line feed after each answer
    #[arg(short = 'N', requires = "request")]
    pub no_newline: bool,

    /// Retained messages are never answers
    #[arg(short = 'R', hide = true, requires = "request")]
    no_stale: bool,

    /// Keep the retain flag of answers as it was published (MQTT 5)
    #[arg(long, hide = true, requires = "request")]
    pub retain_as_published: bool,

    /// Retained messages are never answers, whenever the broker sends them (MQTT 5)
    #[arg(long, hide = true, value_name = "WHEN", value_parser = value::retain_handling,
          requires = "request")]
    pub retain_handling: Option<RetainHandling>,
}

/// The flags about messages that concern requests, too.
#[derive(Debug, Clone, Copy)]
pub struct AnswerForm {
    /// There may be more than one request.
    pub is_many: bool,
    /// Answers are written as `sub --json` does it.
    pub json: bool,
}

impl RequestFlags {
    /// Why MQTT 5 is needed, if it is: without a topic that was agreed on, the request itself has
    /// to name it.
    pub fn needs_version_5(&self) -> Option<NeedsVersion5> {
        let is_needed = self.response_topic.is_none()
            || self.retain_as_published
            || self.retain_handling.is_some();
        is_needed.then_some(("--request", |version| {
            format!(
                "--request: in MQTT {version} a message cannot say where its answer is awaited: \
                 agree on a topic, and give it with -e"
            )
        }))
    }

    /// What is to be asked; `most_waiting` is `-M`, and `properties` are those that `-D` gives.
    pub fn resolve(
        &self,
        form: AnswerForm,
        most_waiting: Option<NonZeroU16>,
        properties: &GivenProperties,
    ) -> Result<RequestOptions> {
        let of_publish = properties.of(Place::Publish);
        ensure!(
            of_publish.response_topic().is_none(),
            Usage::new("-D publish response-topic: with --request it is -e")
        );
        let correlation = of_publish.correlation_data().cloned();
        ensure!(
            correlation.is_none() || !form.is_many,
            Usage::new(
                "-D publish correlation-data: it is for one request; each of several gets its own"
            )
        );
        Ok(RequestOptions {
            response_topic: self.response_topic.clone(),
            correlation,
            timeout: self.timeout,
            layout: self.layout(form.json)?,
            most_waiting: most_waiting.map_or(IN_FLIGHT, NonZeroU16::get),
            retain_as_published: self.retain_as_published,
            retain_handling: self.retain_handling.unwrap_or(RetainHandling::Always),
            subscribe_properties: properties.of(Place::Subscribe),
        })
    }

    /// How answers are written.
    fn layout(&self, json: bool) -> Result<Layout> {
        let control_characters = ControlCharacters::on_terminal(screen::stdout_is_terminal());
        let form = Form {
            format: self.format.as_deref(),
            json: json.then_some(false),
            pretty: self.pretty,
            verbose: self.verbose,
            encoding: layout::encoding(self.hex, self.base64),
        };
        Ok(Layout {
            content: form.content(control_characters)?,
            end: (!self.no_newline).then_some(b'\n'),
            control_characters,
            colour: screen::stdout_colour(),
        })
    }
}
