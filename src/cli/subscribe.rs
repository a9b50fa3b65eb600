//! `mqttws sub`.

mod choices;
mod destination;
mod flags;
mod output;
mod request;

use anyhow::{Result, ensure};
use clap::Args;

use self::flags::{ReceptionFlags, SubscribeLimits, SubscriptionFlags};
use self::output::{Display, OutputFlags};
use super::apart::Apart;
use super::connection::Conversation;
use super::exec::CommandFlags;
use super::mirror::{self, MirrorFlags};
use super::mqtt::{ClientNeeds, NeedsVersion5};
use super::testing::{TestCommandFlags, TestFlags};
use super::value::latency_needs_version_5;
use super::watching::WatchingFlags;
use crate::client::{self, LARGE_MESSAGE};
use crate::command::mirror::config::{MirrorConfig, Passage};
use crate::command::mirror::source::subscription;
use crate::command::subscribe::config::{
    Config, EndConditions, Expectation, MessageOptions, OutputOptions, RetainedFilter,
    StartOptions, UnchangedPayloads,
};
use crate::exit::Usage;
use crate::format::layout::Layout;
use crate::format::summary::SummaryForm;
use crate::mqtt::packet::RetainHandling;
use crate::mqtt::property::Place;
use crate::mqtt::qos::QoS;
use crate::mqtt::session::Lifetime;
use crate::mqtt::topic::TopicFilter;

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
        let brokers = mirror::brokers(&source, &target, &map, filters, self.mirror.allows_loops())?;
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
}
