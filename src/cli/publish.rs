//! `mqttws pub`.

mod choices;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{ArgGroup, Args};

use self::choices::{RecordEnd, Unnamed, UnnamedInput};
use super::apart::Apart;
use super::choice::Chosen;
use super::composition::CompositionFlags;
use super::connection::Conversation;
use super::mqtt::{AckReports, ClientNeeds, NeedsVersion5};
use super::property::GivenProperties;
use super::request::RequestFlags;
use super::value::{self, MostInFlight, latency_needs_version_5};
use crate::client::LARGE_MESSAGE;
use crate::command::publish::config::{
    self, AfterBadRecord, Config, DiscouragedTopics, InputOptions, InputSource, MessageFormat,
    Pace, RecordForm, RequestOptions, prefixed,
};
use crate::exit::Usage;
use crate::format::summary::SummaryForm;
use crate::mqtt::packet;
use crate::mqtt::property::{Place, Properties};
use crate::mqtt::qos::QoS;
use crate::mqtt::session::{Lifetime, TopicAliasUse};
use crate::mqtt::topic::TopicName;

/// Publish messages: one, a file, or a stream of lines or records.
#[derive(Debug, Args)]
#[command(
    disable_help_flag = true,
    override_usage = "mqttws pub [URL] -t TOPIC -m TEXT|-f FILE|-s|-l|-n|--json [FLAG...]"
)]
pub struct PublishFlags {
    /// The messages.
    #[command(flatten)]
    pub messages: Apart<MessageFlags>,

    /// Parts of messages.
    #[command(flatten)]
    composition: Apart<CompositionFlags>,

    /// Answers.
    #[command(flatten)]
    pub answers: Apart<RequestFlags>,

    /// When to stop.
    #[command(flatten)]
    limits: Apart<PublishLimits>,

    /// How messages are sent.
    #[command(flatten)]
    delivery: Apart<DeliveryFlags>,

    /// Address, session and properties.
    #[command(flatten)]
    pub conversation: Conversation,

    /// A file of flags, and the summary.
    #[command(flatten)]
    extras: Apart<PublishExtras>,
}

/// The messages.
#[derive(Debug, Args)]
#[command(next_help_heading = "Messages")]
#[command(group = ArgGroup::new("input").required(true).multiple(true))]
pub struct MessageFlags {
    /// Topic to publish to (repeatable: each message goes to each topic); with --json the topic of
    /// records without one
    #[arg(short, long, value_name = "TOPIC",
          required_unless_present_any = ["json", "split", "print_config"],
          allow_hyphen_values = true)]
    topic: Vec<TopicName>,

    /// Put this before every topic
    #[arg(long, value_name = "PREFIX", allow_hyphen_values = true)]
    topic_prefix: Option<String>,

    /// Publish this text
    #[arg(short, long, value_name = "TEXT", group = "input",
          conflicts_with_all = ["file", "stdin_file", "stdin_line", "null_message"],
          allow_hyphen_values = true)]
    message: Option<OsString>,

    /// Publish the content of a file as one message (repeatable: a message for each, in order)
    #[arg(short, long, value_name = "FILE", group = "input",
          conflicts_with_all = ["stdin_file", "stdin_line", "null_message"],
          value_parser = value::file_instead_of("stdin is published with -s"),
          allow_hyphen_values = true)]
    file: Vec<PathBuf>,

    /// `-s`, `-l` or `-n`.
    #[command(flatten)]
    unnamed: Chosen<UnnamedInput>,

    /// Publish each line of stdin as the message that it describes, as `sub --json` writes it; with
    /// --request also write the answers so (or only them, together with -m, -f, -s, -l or -n)
    #[arg(long, group = "input")]
    pub json: bool,

    /// The byte in which a record ends without --delimiter.
    #[command(flatten)]
    end: Chosen<RecordEnd>,

    /// With -l or --json: each record ends in this character (\t, \xHH)
    #[arg(long, value_name = "C", value_parser = value::byte,
          conflicts_with_all = ["message", "file", "stdin_file", "null_message"],
          allow_hyphen_values = true)]
    delimiter: Option<u8>,

    /// With -l: the topic is the part of the line before the first such character, the message the
    /// part after it
    #[arg(long, value_name = "C", value_parser = value::byte,
          conflicts_with_all = ["topic", "json", "message", "file", "stdin_file", "null_message"],
          allow_hyphen_values = true)]
    split: Option<u8>,

    /// Stop at the first invalid record; without this flag it is skipped
    #[arg(long)]
    strict_input: bool,
}

/// When to stop.
#[derive(Debug, Args)]
#[command(next_help_heading = "When to stop")]
struct PublishLimits {
    /// Exit with code 27 if not everything was handed over after this time; with --request, if an
    /// answer takes longer
    #[arg(short = 'W', long, value_name = "SECS", value_parser = value::timeout,
          allow_hyphen_values = true)]
    timeout: Option<Duration>,

    /// Publish the message (or that of each file) this many times; 0: until it is interrupted
    #[arg(long, value_name = "N", default_value = "1", hide_default_value = true,
          value_parser = value::repetitions, conflicts_with_all = ["stdin_line", "json"],
          allow_hyphen_values = true)]
    repeat: u64,
}

/// How messages are sent.
#[derive(Debug, Args)]
#[command(next_help_heading = "Delivery")]
struct DeliveryFlags {
    /// Quality of service: 0, 1 or 2; with --json the one of records that name none
    #[arg(short, long, value_name = "QOS", default_value = "0", value_parser = value::qos,
          allow_hyphen_values = true)]
    qos: QoS,

    /// Ask the broker to retain the message for later subscribers
    #[arg(short, long)]
    retain: bool,

    /// Send the topic once and then an alias for it, as far as the broker allows (MQTT 5)
    #[arg(long)]
    topic_alias: bool,

    /// Send the time with each message, as user property `time`, for `sub --latency` (MQTT 5); with
    /// --request print at the end how long the answers took
    #[arg(long)]
    latency: bool,

    /// Time from one message to the next with --repeat
    #[arg(long, value_name = "SECS", value_parser = value::duration, allow_hyphen_values = true)]
    repeat_delay: Option<Duration>,

    /// Publish at most this many messages a second
    #[arg(long, value_name = "N", value_parser = value::rate,
          conflicts_with = "repeat_delay", allow_hyphen_values = true)]
    rate: Option<f64>,

    /// With --json: keep the time between the records, or publish this many times as fast
    #[arg(long, value_name = "SPEED", num_args = 0..=1, default_missing_value = "1",
          value_parser = value::rate,
          conflicts_with_all = ["rate", "repeat_delay", "message", "file",
          "stdin_file", "stdin_line", "null_message"])]
    replay: Option<f64>,
}

/// A file of flags, and the summary.
#[derive(Debug, Args)]
#[command(next_help_heading = "General")]
struct PublishExtras {
    /// Also read flags from this file: one per line, its value after a blank, as mosquitto does
    #[arg(short = 'o', value_name = "FILE", allow_hyphen_values = true)]
    options: Option<PathBuf>,

    /// Print at the end how much was published, and how fast it was acknowledged, on stderr
    #[arg(long, value_name = "json", num_args = 0..=1, require_equals = true,
          default_missing_value = "text",
          value_parser = value::summary)]
    summary: Option<SummaryForm>,
}

impl DeliveryFlags {
    fn topic_aliases(&self) -> TopicAliasUse {
        if self.topic_alias { TopicAliasUse::AsAllowed } else { TopicAliasUse::Never }
    }
}

impl PublishFlags {
    /// The `Config` that the flags mean, and warnings to print.
    pub fn resolve(self) -> Result<(Config, Vec<String>)> {
        self.check()?;
        let properties = self.conversation.properties()?;
        self.check_topics(&properties)?;
        let (client, warnings) = self.conversation.resolve(&self.needs(), &properties)?;
        let format = self.message_format(properties.of(Place::Publish))?;
        let request = self.request(&properties)?;
        // With --request it is the answers that are measured.
        let measured = (request.is_some() && self.delivery.latency).then_some(SummaryForm::Text);
        let config = Config {
            client,
            messages: config::FeedOptions {
                format,
                pace: self.pace(),
                after_bad: if self.messages.strict_input {
                    AfterBadRecord::Stop
                } else {
                    AfterBadRecord::GoOn
                },
            },
            summary: self.extras.summary.or(measured),
            timeout: self.limits.timeout,
            verbosity: self.conversation.connection.verbosity(),
            request,
            input: self.input()?,
        };
        Ok((config, warnings))
    }

    /// What is to be asked with `--request`.
    fn request(&self, properties: &GivenProperties) -> Result<Option<RequestOptions>> {
        if !self.answers.request {
            return Ok(None);
        }
        ensure!(
            !self.is_many() || properties.of(Place::Publish).correlation_data().is_none(),
            Usage::new(
                "-D publish correlation-data: it is for one request; each of several gets its own"
            )
        );
        let most_waiting = self.conversation.connection.max_inflight();
        let most_waiting = most_waiting.map(MostInFlight::of_identifiers);
        let (json, timeout) = (self.messages.json, self.limits.timeout);
        self.answers.resolve(json, most_waiting, timeout, properties).map(Some)
    }

    /// Checks what clap cannot: `--json` is an input, and with `--request` the form of the answers.
    fn check(&self) -> Result<(), Usage> {
        if self.extras.options.is_some() {
            return Err(Usage::new("-o: expected two words of their own, -o FILE"));
        }
        if self.messages.json && self.has_plain_input() && !self.answers.request {
            return Err(Usage::new(
                "--json: its records are the input, and -m, -f, -s, -l and -n would be a \
                 second one",
            ));
        }
        // clap does not ask for a flag that another one excludes, such as -r.
        if let Some(flag) = self.answers.for_answers().filter(|_| !self.answers.request) {
            return Err(Usage::new(format!("{flag} is for answers: it needs --request")));
        }
        let topics = self.messages.topic.len();
        if topics == 0 && !self.reads_records() && self.messages.split.is_none() {
            return Err(Usage::new("a topic is missing: give one with -t"));
        }
        if topics > 1 && self.reads_records() {
            return Err(Usage::new("-t: each record of --json goes to one topic; give one -t"));
        }
        if topics > 1 && self.answers.request {
            return Err(Usage::new("-t: with --request a message goes to one topic; give one -t"));
        }
        Ok(())
    }

    /// Refuses topics with characters that no topic should hold.
    fn check_topics(&self, properties: &GivenProperties) -> Result<(), Usage> {
        let response_topic = properties.of(Place::Publish).response_topic().cloned();
        let given = [
            ("--topic-prefix", self.messages.topic_prefix.as_deref()),
            ("-e", self.answers.response_topic.as_ref().map(TopicName::as_str)),
            ("-D publish response-topic", response_topic.as_deref()),
        ];
        let session = &self.conversation.connection.session;
        let topics = self.messages.topic.iter().map(|topic| ("-t", Some(topic.as_str())));
        topics
            .chain(given)
            .try_for_each(|(flag, topic)| session.check_topic(flag, topic.unwrap_or_default()))
    }

    /// What becomes of records whose topic has characters that no topic should hold.
    fn characters(&self, form: RecordForm) -> DiscouragedTopics {
        let connection = &self.conversation.connection;
        let is_mirror = form == RecordForm::Json && !self.messages.strict_input;
        match () {
            () if connection.session.allow_control_characters => DiscouragedTopics::Taken,
            () if is_mirror && connection.verbosity().warns() => DiscouragedTopics::Warned,
            () if is_mirror => DiscouragedTopics::Taken,
            () => DiscouragedTopics::Refused,
        }
    }

    fn needs(&self) -> ClientNeeds {
        let is_request = self.answers.request;
        let mut version_5: Vec<NeedsVersion5> =
            self.conversation.end_needs_version_5().into_iter().collect();
        if is_request {
            version_5.extend(self.answers.needs_version_5());
        } else if self.delivery.latency {
            version_5.push(("--latency", latency_needs_version_5));
        }
        // Records may ask for exactly once; those of requests are subject to -q.
        let qos =
            if self.messages.json && !is_request { QoS::ExactlyOnce } else { self.delivery.qos };
        let is_text =
            self.messages.message.is_some() || self.messages.unnamed.0 == Some(Unnamed::Empty);
        let reports = match () {
            () if self.extras.summary.is_some() || is_request => AckReports::All,
            () if is_text => AckReports::FailuresOfShortRun,
            () => AckReports::Failures,
        };
        ClientNeeds {
            version_5,
            lifetime: Lifetime::for_publishing(qos),
            topic_aliases: self.delivery.topic_aliases(),
            reports,
            // No messages are expected: a large one that comes all the same is not kept.
            parts_above: (!is_request).then_some(LARGE_MESSAGE),
        }
    }

    fn form(&self) -> RecordForm {
        match self.messages.split {
            _ if self.reads_records() => RecordForm::Json,
            Some(separator) => RecordForm::Split(separator),
            None => RecordForm::Payload,
        }
    }

    /// `properties` are those of PUBLISH.
    fn message_format(&self, properties: Properties) -> Result<MessageFormat> {
        let form = self.form();
        let topic_prefix = self.messages.topic_prefix.clone().unwrap_or_default();
        let (topics, message) = (&self.messages.topic, self.messages.message.as_deref());
        let composition = self.composition.composition(topics, &topic_prefix, message)?;
        let topic = self.messages.topic.first().filter(|_| composition.is_none());
        let topic = topic.map(|topic| with_prefix(&topic_prefix, topic)).transpose()?;
        let has_topics = form != RecordForm::Payload || composition.is_some();
        self.check_alias(&properties, has_topics)?;
        let template = packet::Publish {
            qos: self.delivery.qos,
            retain: self.delivery.retain,
            topic,
            properties,
            ..packet::Publish::default()
        };
        // With --request the time of the answers is measured here.
        let stamps = self.delivery.latency && !self.answers.request;
        let characters = self.characters(form);
        // Files and all of stdin are decoded while they are read, and -m already is.
        let encoding = self.composition.payload_encoding.filter(|_| self.is_many());
        Ok(MessageFormat {
            template,
            topic_prefix,
            form,
            stamps,
            characters,
            encoding,
            composition,
        })
    }

    /// A topic alias that is given is for the one topic that there is.
    fn check_alias(&self, properties: &Properties, has_topics: bool) -> Result<(), Usage> {
        if properties.topic_alias().is_some() && (self.delivery.topic_alias || has_topics) {
            return Err(Usage::new(
                "-D publish topic-alias: it is for one topic, and not beside --topic-alias",
            ));
        }
        Ok(())
    }

    fn pace(&self) -> Pace {
        match (self.delivery.rate, self.delivery.repeat_delay, self.delivery.replay) {
            (Some(rate), ..) => Pace::rate(rate),
            (_, Some(delay), _) => Pace::delay(delay),
            (.., Some(speed)) => Pace::replay(speed),
            _ => Pace::Free,
        }
    }

    fn input(mut self) -> Result<InputOptions> {
        let (repeat, encoding) = (self.limits.repeat, self.composition.payload_encoding);
        let source = self.input_source()?;
        Ok(InputOptions { source, repeat, encoding })
    }

    fn input_source(&mut self) -> Result<InputSource> {
        let mut files = std::mem::take(&mut self.messages.0.file);
        Ok(if files.len() > 1 {
            InputSource::Files(files)
        } else if let Some(file) = files.pop() {
            InputSource::File(file)
        } else if self.messages.unnamed.0 == Some(Unnamed::Stdin) {
            InputSource::Stdin
        } else if self.is_many() {
            InputSource::Records(self.messages.delimiter.unwrap_or(self.messages.end.0))
        } else {
            let text = self.messages.0.message.take().unwrap_or_default();
            InputSource::Text(self.composition.decoded(text.into_encoded_bytes())?.into())
        })
    }

    /// Whether there is another input than records.
    fn has_plain_input(&self) -> bool {
        self.messages.message.is_some()
            || !self.messages.file.is_empty()
            || self.messages.unnamed.0.is_some()
    }

    /// Whether the input is records.
    fn reads_records(&self) -> bool {
        self.messages.json && !self.has_plain_input()
    }

    /// Whether the input may be more than one message.
    fn is_many(&self) -> bool {
        self.messages.unnamed.0 == Some(Unnamed::Lines) || self.reads_records()
    }
}

/// The topic with the prefix of `--topic-prefix` before it.
fn with_prefix(prefix: &str, topic: &TopicName) -> Result<TopicName, Usage> {
    prefixed(prefix, topic).map_err(|error| Usage::new(format!("--topic-prefix: {error}")))
}
