//! `mqttws ping`.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::connection::Connection;
use super::value;
use crate::mqtt::qos::QoS;

/// What `ping` sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Via {
    /// PINGREQ and PINGRESP.
    Mqtt,
    /// A Ping and a Pong of the WebSocket.
    Websocket,
    /// A message through the broker and back.
    Publish,
}

/// Measure how fast a broker answers, and each step of the way to it.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct Ping {
    /// Address and session.
    #[command(flatten)]
    pub connection: Connection,

    /// Leave after so many probes [default: when interrupted]
    #[arg(short, long, value_name = "N", help_heading = "Probes",
          value_parser = value::count)]
    pub count: Option<u64>,

    /// Time from one probe to the next
    #[arg(long, value_name = "SECS", default_value = "1", value_parser = value::duration,
          help_heading = "Probes")]
    pub interval: Duration,

    /// What travels: a PINGREQ, a WebSocket Ping, or a message to a topic of our own and back
    #[arg(long, value_name = "WHAT", value_enum, default_value = "mqtt", help_heading = "Probes")]
    pub via: Via,

    /// QoS of `--via publish`
    #[arg(short, long, value_name = "QOS", default_value = "0", value_parser = value::qos,
          help_heading = "Probes")]
    pub qos: QoS,

    /// Size of the message of `--via publish`, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 64, help_heading = "Probes",
          value_parser = clap::value_parser!(u32).range(8..=16_777_216))]
    pub size: u32,

    /// How long to wait for each answer
    #[arg(short = 'W', long, value_name = "SECS", default_value = "10", value_parser = value::duration,
          help_heading = "Probes")]
    pub timeout: Duration,
}
