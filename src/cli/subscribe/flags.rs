//! The flags of `sub` that say which messages are wanted, how they are received, and for how long.

use std::time::Duration;

use clap::Args;
use clap::builder::ArgPredicate;

use super::choices::RetainedMessages;
use crate::cli::choice::Chosen;
use crate::cli::value;
use crate::mqtt::packet::RetainHandling;
use crate::mqtt::qos::QoS;
use crate::mqtt::topic::TopicFilter;

/// Which messages.
#[derive(Debug, Args)]
#[command(next_help_heading = "Messages")]
pub struct SubscriptionFlags {
    /// Topic filter to subscribe to; + and # are wildcards (repeatable)
    #[arg(
        short,
        long,
        value_name = "FILTER",
        required_unless_present_any = ["unsubscribe", "print_config"], allow_hyphen_values = true)]
    pub topic: Vec<TopicFilter>,

    /// Leave out messages whose topic matches this filter (repeatable)
    #[arg(short = 'T', long, value_name = "FILTER", allow_hyphen_values = true)]
    pub filter_out: Vec<TopicFilter>,

    /// Unsubscribe from this filter, in the session of an earlier run (repeatable)
    #[arg(short = 'U', long, value_name = "FILTER", allow_hyphen_values = true)]
    pub unsubscribe: Vec<TopicFilter>,

    /// `-R` or `--retained-only`.
    #[command(flatten)]
    pub retained: Chosen<RetainedMessages>,

    /// Remove each retained message from the broker after it was written; those that -T leaves out
    /// stay
    #[arg(long)]
    pub remove_retained: bool,

    /// Write a message only with this probability, in percent; with -C only written ones count
    #[arg(long, value_name = "PERCENT", value_parser = value::percent, allow_hyphen_values = true)]
    pub random_filter: Option<f64>,

    /// Keep the retain flag as it was published (MQTT 5)
    #[arg(long)]
    pub retain_as_published: bool,

    /// Retained messages: always, only for a new subscription, or never (MQTT 5) [default: always]
    #[arg(long, value_name = "WHEN", value_parser = value::retain_handling,
          allow_hyphen_values = true)]
    pub retain_handling: Option<RetainHandling>,

    /// Do not receive messages that this connection itself publishes (MQTT 5)
    #[arg(long)]
    pub no_local: bool,
}

/// When to stop.
#[derive(Debug, Args)]
#[command(next_help_heading = "When to stop")]
pub struct SubscribeLimits {
    /// Exit after this many messages
    #[arg(short = 'C', long, value_name = "N",
          value_parser = value::count, allow_hyphen_values = true)]
    pub count: Option<u64>,

    /// Exit with code 27 after this time, unless the messages of -C came before; --for exits with 0
    #[arg(short = 'W', long, value_name = "SECS", value_parser = value::timeout,
          allow_hyphen_values = true)]
    pub timeout: Option<Duration>,

    /// Exit with code 0 this long after the broker has answered the subscriptions
    #[arg(long = "for", value_name = "SECS", value_parser = value::timeout,
          allow_hyphen_values = true)]
    pub after: Option<Duration>,

    /// Exit after this time without a message, with exit code 0
    #[arg(long, value_name = "SECS", value_parser = value::duration, allow_hyphen_values = true)]
    pub idle: Option<Duration>,

    /// Exit as soon as the broker has answered the subscriptions
    #[arg(short = 'E', long)]
    pub exit_after_subscribe: bool,
}

/// How messages are received.
#[derive(Debug, Args)]
#[command(next_help_heading = "Delivery")]
pub struct ReceptionFlags {
    /// Highest quality of service to receive: 0, 1 or 2
    #[arg(short, long, value_name = "QOS", default_value = "0",
          default_value_if("to", ArgPredicate::IsPresent, "2"), value_parser = value::qos,
          allow_hyphen_values = true)]
    pub qos: QoS,

    /// Share the subscriptions with the other members of this group: each message goes to one of
    /// them
    #[arg(long, value_name = "GROUP", allow_hyphen_values = true)]
    pub share: Option<String>,
}
