//! `mqttws ping`.

use std::time::Duration;

use anyhow::Result;
use clap::{Args, ValueEnum};

use super::connection::ConnectionFlags;
use super::mqtt::ClientNeeds;
use super::property::PropertyFlags;
use super::value;
use crate::client::LARGE_MESSAGE;
use crate::command::ping::{self, Config, ProbePlan};
use crate::mqtt::qos::QoS;
use crate::mqtt::session::Lifetime;

/// The kinds of probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Via {
    /// PINGREQ and PINGRESP.
    Mqtt,
    /// A Ping and a Pong of the WebSocket.
    Websocket,
    /// A message through the broker and back.
    Publish,
}

/// Measure how fast a broker answers, and each step of the way to it.
#[derive(Debug, Args)]
#[command(disable_help_flag = true, mut_arg("max_inflight", |arg| arg.hide(true)))]
pub struct PingFlags {
    /// The probes.
    #[command(flatten)]
    probes: Probes,

    /// Address and session.
    #[command(flatten)]
    pub connection: ConnectionFlags,

    /// Properties.
    #[command(flatten)]
    properties: PropertyFlags,
}

/// The probes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Probes")]
struct Probes {
    /// Exit after this many probes [default: when interrupted]
    #[arg(short, long, value_name = "N",
          value_parser = value::count, allow_hyphen_values = true)]
    count: Option<u64>,

    /// Time from one probe to the next
    #[arg(long, value_name = "SECS", default_value = "1", value_parser = value::duration,
          allow_hyphen_values = true)]
    interval: Duration,

    /// Kind of probe: a PINGREQ, a WebSocket Ping, or a message to a topic for this client alone
    /// and back
    #[arg(
        long,
        value_name = "WHAT",
        value_enum,
        default_value = "mqtt",
        allow_hyphen_values = true
    )]
    via: Via,

    /// QoS of `--via publish`
    #[arg(short, long, value_name = "QOS", default_value = "0", value_parser = value::qos,
          allow_hyphen_values = true)]
    qos: QoS,

    /// Size of the message of `--via publish`, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 64,
          value_parser = value::probe_size,
          allow_hyphen_values = true)]
    size: u32,

    /// Time limit for each answer
    #[arg(short = 'W', long, value_name = "SECS", default_value = "10",
          value_parser = value::timeout, allow_hyphen_values = true)]
    timeout: Duration,
}

impl PingFlags {
    /// A warning where `-i` is probably meant as ping(8) understands it.
    fn interval_for_id(&self) -> Option<String> {
        let id = self.connection.session.given_id()?;
        (value::duration(id).is_ok() && !self.connection.is_quiet()).then(|| {
            format!("-i is the client id, here {id}; --interval is the time between probes")
        })
    }

    /// The `Config` that the flags mean, and warnings to print.
    pub fn resolve(self) -> Result<(Config, Vec<String>)> {
        let size = self.probes.size as usize;
        let needs = ClientNeeds {
            // Only messages of our own are expected.
            parts_above: Some(LARGE_MESSAGE.saturating_add(size)),
            ..ClientNeeds::new(Lifetime::Connection)
        };
        let (client, mut warnings) = self.connection.resolve(&needs, &self.properties.parsed()?)?;
        warnings.extend(self.interval_for_id());
        let config = Config {
            client,
            plan: ProbePlan {
                count: self.probes.count,
                interval: self.probes.interval,
                probe: match self.probes.via {
                    Via::Mqtt => ping::ProbeKind::Mqtt,
                    Via::Websocket => ping::ProbeKind::WebSocket,
                    Via::Publish => ping::ProbeKind::Publish { qos: self.probes.qos, size },
                },
                timeout: self.probes.timeout,
            },
            verbosity: self.connection.verbosity(),
        };
        Ok((config, warnings))
    }
}
