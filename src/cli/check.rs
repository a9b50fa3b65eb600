//! `mqttws check`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{Arg, Args};

use super::connection::ConnectionFlags;
use super::mqtt::{ClientNeeds, Persistence};
use super::property::{GivenProperties, PropertyFlags};
use super::value;
use crate::command::check::points::Set;
use crate::command::check::select::{self, PointSelection};
use crate::command::check::{
    CheckConfig, Detail, Output, RemoteServers, ReportFormat, ServerConfig,
};
use crate::exit::Usage;
use crate::mqtt::session::Lifetime;
use crate::mqtt::topic::TopicName;
use crate::mqtt::version::Version;
use crate::report::Verbosity;

/// Say point by point whether a server, and the proxies before it, is interoperable over
/// WebSockets, and what to change.
///
/// The default set of points takes about 10 s and sends legal traffic only, but for one text frame.
/// A FAIL is a broken must of RFC 6455 or MQTT, a WARN a broken should or a habit that hurts common
/// clients.
#[derive(Debug, Args)]
#[command(
    disable_help_flag = true,
    mut_arg("protocol_version", |arg| hidden(arg.short(None::<char>))),
    mut_arg("strict", hidden),
    mut_arg("frame_per_packet", hidden),
    mut_arg("subprotocol", hidden),
    mut_arg("follow", hidden),
    mut_arg("max_message_size", hidden),
    mut_arg("id_prefix", hidden),
    mut_arg("allow_control_characters", hidden),
    mut_arg("keepalive", hidden),
    mut_arg("max_inflight", hidden),
    mut_arg("will_topic", hidden),
    mut_arg("will_payload", hidden),
    mut_arg("will_file", hidden),
    mut_arg("will_qos", hidden),
    mut_arg("will_retain", hidden),
    mut_arg("will_delay", hidden),
    mut_arg("no_reconnect", hidden),
    mut_arg("reconnect_delay", hidden),
    mut_arg("reconnect_tries", hidden),
    mut_arg("wait", hidden),
    mut_arg("disable_clean_session", hidden),
    mut_arg("session_expiry_interval", hidden),
    mut_arg("property", hidden)
)]
pub struct CheckFlags {
    /// Which points.
    #[command(flatten)]
    choice: PointFlags,

    /// How they are asked.
    #[command(flatten)]
    manner: ProbeFlags,

    /// The reports.
    #[command(flatten)]
    reports: ReportFlags,

    /// Address and session.
    #[command(flatten)]
    pub connection: ConnectionFlags,

    /// Flags of `sub` that have no meaning here.
    #[command(flatten)]
    persistence: Persistence,

    /// The same.
    #[command(flatten)]
    properties: PropertyFlags,
}

/// Shared flags that have no meaning here.
fn hidden(arg: Arg) -> Arg {
    arg.hide(true)
}

/// Which points are asked.
#[derive(Debug, Args)]
#[command(next_help_heading = "Points")]
struct PointFlags {
    /// Ask all points: broken bytes, second connections, retained messages, sessions, load and long
    /// waits, too; about 3 minutes
    #[arg(long)]
    full: bool,

    /// Allow the points of `--full` beyond this machine and private networks: they can bring a
    /// faulty server down
    #[arg(long)]
    allow_remote: bool,

    /// Ask only these points, in this order: names, groups or marks (F1 to F4, O1 to O4), separated
    /// by commas, `*` for any characters (repeatable)
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = select::check,
          allow_hyphen_values = true)]
    only: Vec<String>,

    /// Do not ask these points (repeatable)
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = select::check,
          allow_hyphen_values = true)]
    skip: Vec<String>,

    /// List all points and connect to nothing; with `--json` as an array
    #[arg(long)]
    list: bool,

    /// MQTT versions to check, separated by commas: 5, 311, 31 [default: all that the server takes]
    #[arg(
        short = 'V',
        long,
        value_name = "VERSIONS",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
    versions: Vec<Version>,
}

/// How points are asked.
#[derive(Debug, Args)]
#[command(next_help_heading = "Points")]
struct ProbeFlags {
    /// What every topic begins with
    #[arg(long, value_name = "PREFIX", default_value = "mqttws/check", allow_hyphen_values = true)]
    topic_prefix: TopicName,

    /// Time between two connections
    #[arg(long, value_name = "SECS", default_value = "0", hide_default_value = true,
          value_parser = value::duration, allow_hyphen_values = true)]
    pause: Duration,

    /// Time limit for a point, beside its own length
    ///
    /// The default set as a whole has six times as long; with --full or --only the run has 5
    /// minutes and 30 times as long. What is not asked then is unknown.
    #[arg(long, value_name = "SECS", default_value = "10", value_parser = value::timeout,
          allow_hyphen_values = true)]
    timeout: Duration,

    /// How long idle-survives is silent
    #[arg(long, value_name = "SECS", default_value = "75", value_parser = value::duration,
          allow_hyphen_values = true)]
    idle_time: Duration,
}

/// The reports.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
struct ReportFlags {
    /// Print a JSON object instead of the text, or write it into this file
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    json: Option<Vec<PathBuf>>,

    /// Print TAP (version 14) instead of the text
    #[arg(long)]
    tap: bool,

    /// Write JUnit XML into this file
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    junit: Option<PathBuf>,

    /// A former report of `--json`: what failed there is known and does not count
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    baseline: Option<PathBuf>,

    /// Show the points that hold, too, and the evidence of all
    #[arg(short, long)]
    verbose: bool,
}

impl PointFlags {
    fn selection(self) -> PointSelection {
        let set = if self.full { Set::Full } else { Set::Default };
        PointSelection { set, only: self.only, skip: self.skip }
    }

    fn remote(&self) -> RemoteServers {
        if self.allow_remote { RemoteServers::Allowed } else { RemoteServers::Spared }
    }
}

impl ProbeFlags {
    /// What every topic begins with, without `/` at its end.
    fn prefix(&self) -> Result<String> {
        let prefix = self.topic_prefix.as_str().trim_end_matches('/').to_owned();
        ensure!(
            !prefix.starts_with('$') && !prefix.is_empty(),
            Usage::new("--topic-prefix: expected a topic that does not begin with $")
        );
        Ok(prefix)
    }
}

impl ReportFlags {
    fn form(&self) -> Result<ReportFormat> {
        let is_json = self.json.as_ref().is_some_and(Vec::is_empty);
        ensure!(
            !is_json || !self.tap,
            Usage::new("--json and --tap both want stdout: give --json=FILE")
        );
        Ok(match (is_json, self.tap) {
            (true, _) => ReportFormat::Json,
            (false, true) => ReportFormat::Tap,
            (false, false) => ReportFormat::Text,
        })
    }

    fn output(&self, verbosity: Verbosity) -> Result<Output> {
        Ok(Output {
            form: self.form()?,
            json: self.json.iter().flatten().next().cloned(),
            junit: self.junit.clone(),
            detail: match (self.verbose, verbosity) {
                (true, _) => Detail::Much,
                (false, Verbosity::Quiet) => Detail::Little,
                (false, _) => Detail::Usual,
            },
            baseline: self.baseline.clone(),
        })
    }
}

impl CheckFlags {
    /// The `Config` that the flags mean, and warnings to print.
    pub fn resolve(self) -> Result<(CheckConfig, Vec<String>)> {
        let output = self.reports.output(self.connection.verbosity())?;
        if self.choice.list {
            return Ok((CheckConfig::List(output.form), Vec::new()));
        }
        let given = self.connection.given_against_check();
        let given = given.or_else(|| self.persistence.given_against_check());
        if let Some(flag) = given.or_else(|| self.properties.given_against_check()) {
            return Err(Usage::new(format!("{flag}: check decides this itself")).into());
        }
        let prefix = self.manner.prefix()?;
        let (client, warnings) = self
            .connection
            .resolve(&ClientNeeds::new(Lifetime::Connection), &GivenProperties::default())?;
        let config = ServerConfig {
            client,
            debug: self.connection.debug(),
            client_id: self.connection.session.given_id().map(str::to_owned),
            prefix,
            remote: self.choice.remote(),
            versions: self.choice.versions.clone(),
            selection: self.choice.selection(),
            pause: self.manner.pause,
            timeout: self.manner.timeout,
            idle_time: self.manner.idle_time,
            output,
            verbosity: self.connection.verbosity(),
        };
        Ok((CheckConfig::Server(Box::new(config)), warnings))
    }
}
