//! The flags of `sub --exec`: a command for each message.

use clap::Args;

use super::value;

/// A command for each message.
#[derive(Debug, Args)]
#[command(next_help_heading = "Commands")]
pub struct CommandFlags {
    /// Run this command for each message, with its payload on stdin and `$MQTT_TOPIC`,
    /// `$MQTT_QOS`... set
    ///
    /// The message is acknowledged when the command has ended with exit code 0. With any other the
    /// program ends, with exit code 1, and the message stays with the broker.
    #[arg(long, value_name = "CMD", conflicts_with_all = ["output_dir", "null"],
          allow_hyphen_values = true)]
    pub exec: Option<String>,

    /// Run up to this many commands at once; messages are still acknowledged in order
    #[arg(long, value_name = "N", default_value = "1", hide_default_value = true,
          value_parser = value::jobs, requires = "exec",
          allow_hyphen_values = true)]
    pub jobs: u16,

    /// Go on after a command has failed; its message is acknowledged, and the exit code at the end
    /// is 1
    #[arg(long, requires = "exec")]
    pub keep_going: bool,

    /// Publish what the command writes to stdout to the response topic of its message, with the
    /// same correlation data (MQTT 5)
    #[arg(long, requires = "exec")]
    pub reply: bool,
}
