//! `mqttws sub`.

mod choices;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, ensure};
use bytestring::ByteString;
use clap::builder::ArgPredicate;
use clap::{Args, ValueEnum};

use self::choices::{MessageEnd, PayloadEncoding, RetainedMessages};
use super::apart::Apart;
use super::choice::Chosen;
use super::connection::Conversation;
use super::exec::CommandFlags;
use super::layout;
use super::mirror::{self, MirrorFlags};
use super::mqtt::{ClientNeeds, NeedsVersion5};
use super::property::GivenProperties;
use super::testing::{TestCommandFlags, TestFlags};
use super::value::{self, Colour, latency_needs_version_5};
use super::watching::WatchingFlags;
use crate::client::{self, LARGE_MESSAGE};
use crate::command::mirror::config::{MirrorConfig, Passage};
use crate::command::mirror::source::subscription;
use crate::command::subscribe::config::{
    CommandOptions, Config, Destination, EndConditions, Expectation, Filter, MessageOptions,
    OnFailure, OutputOptions, RetainedFilter, StartOptions, SubscribeRequest, UnchangedPayloads,
    WatchOptions,
};
use crate::exit::Usage;
use crate::format::annotated::{Annotations, Heading, PayloadForm};
use crate::format::escape::ControlCharacters;
use crate::format::layout::{Content, Layout, TopicColour};
use crate::format::summary::SummaryForm;
use crate::mqtt::packet::{RetainHandling, Subscription};
use crate::mqtt::property::Place;
use crate::mqtt::qos::QoS;
use crate::mqtt::session::Lifetime;
use crate::mqtt::topic::TopicFilter;
use crate::terminal::screen;

/// Subscribe, and write the messages that come to stdout.
#[derive(Debug, Args)]
#[command(
    disable_help_flag = true,
    override_usage = "mqttws sub [URL] -t FILTER [FLAG...] [-- COMMAND...]"
)]
pub struct SubscribeFlags {
    /// Which messages.
    #[command(flatten)]
    messages: SubscriptionFlags,

    /// Where and how messages are written.
    #[command(flatten)]
    output: OutputFlags,

    /// Output other than the messages.
    #[command(flatten)]
    display: Display,

    /// Rates, reports and changes.
    #[command(flatten)]
    watching: Apart<WatchingFlags>,

    /// The commands.
    #[command(flatten)]
    commands: CommandFlags,

    /// Another broker.
    #[command(flatten)]
    mirror: Apart<MirrorFlags>,

    /// Tests in scripts.
    #[command(flatten)]
    tests: Apart<TestFlags>,

    /// When to stop.
    #[command(flatten)]
    limits: SubscribeLimits,

    /// How messages are received.
    #[command(flatten)]
    delivery: ReceptionFlags,

    /// Address, session and properties.
    #[command(flatten)]
    pub conversation: Conversation,

    /// The command of a test.
    #[command(flatten)]
    test_command: Apart<TestCommandFlags>,
}

/// Which messages.
#[derive(Debug, Args)]
#[command(next_help_heading = "Messages")]
struct SubscriptionFlags {
    /// Topic filter to subscribe to; + and # are wildcards (repeatable)
    #[arg(
        short,
        long,
        value_name = "FILTER",
        required_unless_present_any = ["unsubscribe", "print_config"], allow_hyphen_values = true)]
    topic: Vec<TopicFilter>,

    /// Leave out messages whose topic matches this filter (repeatable)
    #[arg(short = 'T', long, value_name = "FILTER", allow_hyphen_values = true)]
    filter_out: Vec<TopicFilter>,

    /// Unsubscribe from this filter, in the session of an earlier run (repeatable)
    #[arg(short = 'U', long, value_name = "FILTER", allow_hyphen_values = true)]
    unsubscribe: Vec<TopicFilter>,

    /// `-R` or `--retained-only`.
    #[command(flatten)]
    retained: Chosen<RetainedMessages>,

    /// Remove each retained message from the broker after it was written; those that -T leaves out
    /// stay
    #[arg(long)]
    remove_retained: bool,

    /// Write a message only with this probability, in percent; with -C only written ones count
    #[arg(long, value_name = "PERCENT", value_parser = value::percent, allow_hyphen_values = true)]
    random_filter: Option<f64>,

    /// Keep the retain flag as it was published (MQTT 5)
    #[arg(long)]
    retain_as_published: bool,

    /// Retained messages: always, only for a new subscription, or never (MQTT 5) [default: always]
    #[arg(long, value_name = "WHEN", value_parser = value::retain_handling,
          allow_hyphen_values = true)]
    retain_handling: Option<RetainHandling>,

    /// Do not receive messages that this connection itself publishes (MQTT 5)
    #[arg(long)]
    no_local: bool,
}

/// When to stop.
#[derive(Debug, Args)]
#[command(next_help_heading = "When to stop")]
struct SubscribeLimits {
    /// Exit after this many messages
    #[arg(short = 'C', long, value_name = "N",
          value_parser = value::count, allow_hyphen_values = true)]
    count: Option<u64>,

    /// Exit with code 27 after this time, unless the messages of -C came before; --for exits with 0
    #[arg(short = 'W', long, value_name = "SECS", value_parser = value::timeout,
          allow_hyphen_values = true)]
    timeout: Option<Duration>,

    /// Exit with code 0 this long after the broker has answered the subscriptions
    #[arg(long = "for", value_name = "SECS", value_parser = value::timeout,
          allow_hyphen_values = true)]
    after: Option<Duration>,

    /// Exit after this time without a message, with exit code 0
    #[arg(long, value_name = "SECS", value_parser = value::duration, allow_hyphen_values = true)]
    idle: Option<Duration>,

    /// Exit as soon as the broker has answered the subscriptions
    #[arg(short = 'E', long)]
    exit_after_subscribe: bool,
}

/// How messages are received.
#[derive(Debug, Args)]
#[command(next_help_heading = "Delivery")]
struct ReceptionFlags {
    /// Highest quality of service to receive: 0, 1 or 2
    #[arg(short, long, value_name = "QOS", default_value = "0",
          default_value_if("to", ArgPredicate::IsPresent, "2"), value_parser = value::qos,
          allow_hyphen_values = true)]
    qos: QoS,

    /// Share the subscriptions with the other members of this group: each message goes to one of
    /// them
    #[arg(long, value_name = "GROUP", allow_hyphen_values = true)]
    share: Option<String>,
}

/// What stands before each payload.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
struct HeadingFlags {
    /// Write the topic and a space before each payload
    #[arg(short, long)]
    verbose: bool,

    /// Write the local time before each message, to the millisecond
    #[arg(long, conflicts_with_all = ["format", "json"])]
    time: bool,
}

/// Where and how messages are written.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
struct OutputFlags {
    /// `-v` and `--time`.
    #[command(flatten)]
    heading: HeadingFlags,

    /// Write payloads as lines of hexadecimal digits and characters, as `hexdump -C` does
    #[arg(long, conflicts_with_all = ["format", "json", "hex", "base64"])]
    hexdump: bool,

    /// Write each message in this format; see FORMATS in the manual
    #[arg(short = 'F', long, value_name = "FORMAT",
          conflicts_with_all = ["json", "hex", "base64"], allow_hyphen_values = true)]
    format: Option<String>,

    /// Write each message as a line of JSON; with =parse also the payload as JSON, where it is
    #[arg(long, value_name = "parse", num_args = 0..=1, require_equals = true,
          default_missing_value = "text",
          hide_possible_values = true,
          conflicts_with_all = ["hex", "base64", "verbose"])]
    json: Option<JsonMode>,

    /// Spread JSON over several lines
    #[arg(long)]
    pretty: bool,

    /// `--hex` or `--base64`.
    #[command(flatten)]
    encoding: Chosen<PayloadEncoding>,

    /// The byte after each message.
    #[command(flatten)]
    end: Chosen<MessageEnd>,

    /// Write each message to a file of its own in this folder, named by its topic and a number; if
    /// it is a file, read flags from it: one per line, its value after a blank, as mosquitto does
    #[arg(short, long, value_name = "DIR", conflicts_with = "null", allow_hyphen_values = true)]
    output_dir: Option<PathBuf>,
}

/// Output in addition to the messages, or instead of them.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
struct Display {
    /// Draw one line per topic and keep it up to date; needs a terminal
    #[arg(short, long, conflicts_with_all = ["runs", "format", "json", "no_newline",
          "null", "output_dir", "pretty", "time", "hexdump"])]
    watch: bool,

    /// Colour topics: auto (on a terminal, unless `$NO_COLOR` is set), always or never
    #[arg(long, value_name = "WHEN", default_value = "auto", value_parser = value::colour,
          allow_hyphen_values = true)]
    color: Colour,

    /// Print at the end how long messages took from `pub --latency`, on stderr (MQTT 5)
    #[arg(long)]
    latency: bool,

    /// Print at the end how much was received, on stderr
    #[arg(long, value_name = "json", num_args = 0..=1, require_equals = true,
          default_missing_value = "text",
          value_parser = value::summary)]
    summary: Option<SummaryForm>,
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
    /// The `Config` that the flags mean, and warnings to print.
    pub fn resolve(self) -> Result<(Config, Vec<String>)> {
        self.check_topics()?;
        let properties = self.conversation.properties()?;
        let layout = self.layout()?;
        let (mut client, mut warnings) =
            self.conversation.resolve(&self.needs(&layout), &properties)?;
        warnings.extend(self.unquoted_variable());
        let start = self.start(&client)?;
        if self.tests.criteria().expectation == Expectation::Nothing {
            // What came while the connection was away is not known.
            client.limits.reconnect.tries = Some(0);
        }
        let config = Config {
            client,
            subscriptions: self.subscriptions(&properties)?,
            start,
            summary: self.display.summary.or(self.display.latency.then_some(SummaryForm::Text)),
            verbosity: self.conversation.connection.verbosity(),
            messages: self.message_options(layout)?,
        };
        Ok((config, warnings))
    }

    /// Whether messages go to another broker.
    pub fn is_mirror(&self) -> bool {
        self.mirror.are_given()
    }

    /// The same as [`SubscribeFlags::resolve`] where messages go to another broker.
    pub fn resolve_mirror(self) -> Result<(MirrorConfig, Vec<String>)> {
        self.check_topics()?;
        let properties = self.conversation.properties()?;
        let needs =
            ClientNeeds { version_5: self.needs_version_5(), ..ClientNeeds::new(Lifetime::Client) };
        let (mut source, mut warnings) = self.conversation.resolve(&needs, &properties)?;
        let (target, more) = self.mirror.target(&self.conversation.connection, &mut source)?;
        warnings.extend(more);
        warnings.extend(self.unquoted_variable());
        let (filters, map) = (self.messages.topic.clone(), self.mirror.map());
        let brokers = mirror::brokers(&source.endpoint, &target.endpoint, &map, filters)?;
        let handling = self.messages.retain_handling.or_else(|| {
            let leaves_out = self.messages.retained.0 == RetainedFilter::LeftOut;
            leaves_out.then_some(RetainHandling::Never)
        });
        let subscription = |filter: &TopicFilter| {
            Ok(subscription(self.shared(filter)?, self.delivery.qos, handling))
        };
        let config = MirrorConfig {
            start: self.start(&source)?,
            subscribe: self.messages.topic.iter().map(subscription).collect::<Result<_>>()?,
            subscribe_properties: properties.of(Place::Subscribe),
            end: self.end(),
            summary: self.display.summary,
            verbosity: self.conversation.connection.verbosity(),
            passage: Passage { filter: self.filter(), map, brokers },
            source,
            target,
        };
        Ok((config, warnings))
    }

    /// What is done with messages.
    fn message_options(self, layout: Layout) -> Result<MessageOptions> {
        Ok(MessageOptions {
            end: self.end(),
            output: OutputOptions { destination: self.destination()?, layout },
            remove_retained: self.messages.remove_retained,
            latency: self.display.latency,
            unchanged: self.watching.unchanged(),
            rate_interval: self.watching.message_rate,
            criteria: self.tests.criteria(),
            filter: self.filter(),
        })
    }

    /// What begins when the subscriptions are granted.
    fn start(&self, client: &client::Options) -> Result<StartOptions> {
        let start = StartOptions {
            ready_fd: self.tests.ready_fd,
            command: self.test_command.words()?,
            url: client.endpoint.secret_url(),
        };
        let criteria = self.tests.criteria();
        let is_test = criteria.are_given() || !start.command.is_empty();
        ensure!(
            !is_test || !self.messages.topic.is_empty(),
            Usage::new("-t is missing: a test needs a topic filter to subscribe to")
        );
        let limits = &self.limits;
        ensure!(
            !is_test || !limits.exit_after_subscribe,
            Usage::new("-E exits before a message comes: it cannot be used in a test")
        );
        ensure!(
            start.command.is_empty() || !self.display.watch,
            Usage::new("--watch draws over what a command writes: it cannot be used with one")
        );
        let ends = limits.timeout.is_some() || limits.after.is_some() || limits.idle.is_some();
        ensure!(
            criteria.expectation == Expectation::Messages || ends,
            Usage::new("--expect-none needs an end: -W, --for or --idle")
        );
        Ok(start)
    }

    /// Refuses filters with characters that no topic should hold.
    fn check_topics(&self) -> Result<(), Usage> {
        let SubscriptionFlags { topic, filter_out, unsubscribe, .. } = &self.messages;
        let share = &self.delivery.share;
        let session = &self.conversation.connection.session;
        for (flag, filters) in [("-t", topic), ("-T", filter_out), ("-U", unsubscribe)] {
            filters.iter().try_for_each(|filter| session.check_topic(flag, filter.as_str()))?;
        }
        session.check_topic("--share", share.as_deref().unwrap_or_default())
    }

    /// A warning where the shell has probably taken `$SYS` for a variable without a value.
    fn unquoted_variable(&self) -> Option<String> {
        let is_rest = |filter: &&TopicFilter| {
            filter.as_str() == "/#" || filter.as_str().starts_with("/broker/")
        };
        let filter = self.messages.topic.iter().find(is_rest)?;
        let is_quiet = self.conversation.connection.is_quiet();
        (!is_quiet).then(|| {
            format!(
                "-t {filter} is about topics that begin with a slash; the broker's own are \
                 '$SYS{filter}', where only single quotes keep the shell from the $"
            )
        })
    }

    fn end(&self) -> EndConditions {
        EndConditions {
            count: self.limits.count,
            timeout: self.limits.timeout,
            after: self.limits.after,
            idle: self.limits.idle,
            after_answer: self.limits.exit_after_subscribe || self.messages.topic.is_empty(),
        }
    }

    fn needs(&self, layout: &Layout) -> ClientNeeds {
        // A removal that is on its way must not be lost with the connection.
        let least = if self.messages.remove_retained { QoS::AtLeastOnce } else { QoS::AtMostOnce };
        let lifetime = Lifetime::for_subscribing(self.delivery.qos.max(least));
        // Large messages are written as they come where the output is their payload and nothing
        // else needs it as a whole.
        let streams = self.output.output_dir.is_none()
            && !self.tests.criteria().are_given()
            && !self.commands.are_given()
            && !self.display.watch
            && !self.watching.counts()
            && self.watching.unchanged() == UnchangedPayloads::Written
            && layout.keeps_payloads();
        ClientNeeds {
            version_5: self.needs_version_5(),
            parts_above: streams.then_some(LARGE_MESSAGE),
            ..ClientNeeds::new(lifetime)
        }
    }

    /// The flags that were given and need MQTT 5.
    fn needs_version_5(&self) -> Vec<NeedsVersion5> {
        let mut needs: Vec<NeedsVersion5> =
            self.conversation.end_needs_version_5().into_iter().collect();
        let flags = [
            (self.messages.retain_as_published, "--retain-as-published"),
            (self.messages.retain_handling.is_some(), "--retain-handling"),
            (self.messages.no_local, "--no-local"),
            (self.commands.reply, "--reply"),
        ];
        if let Some((_, flag)) = flags.into_iter().find(|(is_given, _)| *is_given) {
            needs.push((flag, |_| {
                "--retain-as-published, --retain-handling, --no-local and --reply: only MQTT 5 has \
                 these"
                    .to_owned()
            }));
        }
        if self.display.latency {
            needs.push(("--latency", latency_needs_version_5));
        }
        needs
    }

    fn subscriptions(&self, properties: &GivenProperties) -> Result<SubscribeRequest> {
        let retain_handling = match self.messages.retain_handling {
            Some(handling) => handling,
            None if self.messages.retained.0 == RetainedFilter::LeftOut => RetainHandling::Never,
            None => RetainHandling::Always,
        };
        let subscription = |filter: &TopicFilter| {
            Ok(Subscription {
                no_local: self.messages.no_local,
                retain_as_published: self.messages.retain_as_published,
                retain_handling,
                ..Subscription::new(self.shared(filter)?, self.delivery.qos)
            })
        };
        Ok(SubscribeRequest {
            subscribe: self.messages.topic.iter().map(subscription).collect::<Result<_>>()?,
            subscribe_properties: properties.of(Place::Subscribe),
            unsubscribe: self.messages.unsubscribe.clone(),
            unsubscribe_properties: properties.of(Place::Unsubscribe),
        })
    }

    /// The filter as it is sent: that of a group begins with `$share/GROUP/` (MQTT 5 §4.8.2).
    fn shared(&self, filter: &TopicFilter) -> Result<TopicFilter, Usage> {
        let Some(group) = &self.delivery.share else { return Ok(filter.clone()) };
        if group.is_empty() {
            return Err(Usage::new("--share: the name of the group is empty"));
        }
        if let Some(wrong) = group.chars().find(|c| "/+#\0".contains(*c)) {
            return Err(Usage::new(format!(
                "--share {}: the name of a group has no {} in it; the topic filter goes to -t",
                value::elided(group),
                wrong.escape_default()
            )));
        }
        if filter.share().is_some() {
            return Err(Usage::new(format!(
                "--share: {} is a shared subscription already: leave --share out",
                value::elided(filter.as_str())
            )));
        }
        let shared = TopicFilter::new(ByteString::from(format!("$share/{group}/{filter}")));
        shared.map_err(|error| Usage::new(format!("--share: {error}")))
    }

    fn filter(self) -> Filter {
        let OutputFlags { heading, format, json, .. } = &self.output;
        let shows_topics =
            heading.verbose || self.display.watch || format.is_some() || json.is_some();
        let shows_topics = shows_topics || self.watching.counts();
        Filter {
            skips_removals: self.messages.remove_retained && !shows_topics,
            retained: self.messages.retained.0,
            probability: self.messages.random_filter.map(|percent| percent / 100.0),
            except: self.messages.filter_out,
        }
    }

    fn destination(&self) -> Result<Destination> {
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
            return Ok(Destination::Report(reports));
        }
        if self.display.watch {
            let (colour, encoding) = (self.display.topic_colour(), self.output.encoding.0);
            return Ok(Destination::Watch(WatchOptions { colour, encoding }));
        }
        match &self.output.output_dir {
            Some(path) => folder(path),
            None => Ok(Destination::Stdout),
        }
    }

    /// How a message is written.
    fn layout(&self) -> Result<Layout> {
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
