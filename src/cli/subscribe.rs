//! `mqttws sub`.

use std::time::Duration;

use clap::Args;

use super::connection::Connection;
use super::session::Persistence;
use super::value;
use crate::mqtt::qos::QoS;
use crate::mqtt::topic::TopicFilter;

/// Subscribe, and write the messages that come to stdout.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct Subscribe {
    /// Address and session.
    #[command(flatten)]
    pub connection: Connection,

    /// Session.
    #[command(flatten)]
    pub persistence: Persistence,

    /// Topic filter to subscribe to; + and # are wildcards (repeatable)
    #[arg(
        short,
        long,
        value_name = "FILTER",
        required_unless_present = "give_back",
        help_heading = "Messages"
    )]
    pub topic: Vec<TopicFilter>,

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
          value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,

    /// Leave after so long, with exit code 27 if -C was not met
    #[arg(short = 'W', long, value_name = "SECS", value_parser = value::duration, help_heading = "Messages")]
    pub timeout: Option<Duration>,

    /// Write the topic and a space before each payload
    #[arg(short, long, help_heading = "Output")]
    pub verbose: bool,

    /// Write no line feed behind each payload
    #[arg(short = 'N', help_heading = "Output")]
    pub no_newline: bool,
}
