//! `mqttws ping`.

use std::time::Duration;

use clap::Args;

use super::connection::Connection;
use super::value;

/// Measure how fast a broker answers, and each step of the way to it.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct Ping {
    /// Address and session.
    #[command(flatten)]
    pub connection: Connection,

    /// Leave after so many probes [default: when interrupted]
    #[arg(short, long, value_name = "N", help_heading = "Probes",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,

    /// Time from one probe to the next
    #[arg(long, value_name = "SECS", default_value = "1", value_parser = value::duration,
          help_heading = "Probes")]
    pub interval: Duration,

    /// How long to wait for each answer
    #[arg(short = 'W', long, value_name = "SECS", default_value = "10", value_parser = value::duration,
          help_heading = "Probes")]
    pub timeout: Duration,
}
