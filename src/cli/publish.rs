//! `mqttws pub`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

use super::connection::Connection;
use super::session::Persistence;
use super::value;
use crate::mqtt::qos::QoS;
use crate::mqtt::topic::TopicName;

/// Publish messages: one, a file, or a stream of lines.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[command(group = ArgGroup::new("input").required(true), disable_help_flag = true)]
pub struct Publish {
    /// Address and session.
    #[command(flatten)]
    pub connection: Connection,

    /// Session.
    #[command(flatten)]
    pub persistence: Persistence,

    /// Topic to publish to
    #[arg(short, long, value_name = "TOPIC", help_heading = "Messages")]
    pub topic: TopicName,

    /// Publish this text
    #[arg(short, long, value_name = "TEXT", group = "input", help_heading = "Messages")]
    pub message: Option<String>,

    /// Publish the content of a file as one message
    #[arg(short, long, value_name = "FILE", group = "input", help_heading = "Messages")]
    pub file: Option<PathBuf>,

    /// Publish all of stdin as one message
    #[arg(short = 's', long = "stdin-file", group = "input", help_heading = "Messages")]
    pub stdin_file: bool,

    /// Publish each line of stdin as a message
    #[arg(short = 'l', long = "stdin-line", group = "input", help_heading = "Messages")]
    pub stdin_line: bool,

    /// Publish an empty message
    #[arg(short, long = "null-message", group = "input", help_heading = "Messages")]
    pub null_message: bool,

    /// Quality of service: 0, 1 or 2
    #[arg(short, long, value_name = "QOS", default_value = "0", value_parser = value::qos,
          help_heading = "Messages")]
    pub qos: QoS,

    /// Ask the broker to keep the message for later subscribers
    #[arg(short, long, help_heading = "Messages")]
    pub retain: bool,

    /// Send the topic once and then an alias for it, as far as the broker allows (MQTT 5)
    #[arg(long, help_heading = "Messages")]
    pub topic_alias: bool,
}
