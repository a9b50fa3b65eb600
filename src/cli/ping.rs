//! `mqttws ping`.

use std::ffi::OsString;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::builder::ArgPredicate;
use clap::{Args, ValueEnum};

use super::connection::ConnectionFlags;
use super::mqtt::ClientNeeds;
use super::property::PropertyFlags;
use super::value;
use crate::client::LARGE_MESSAGE;
use crate::command::ping::Config;
use crate::command::ping::config::{PingForm, PingReport, ProbeKind, ProbePlan};
use crate::command::ping::threshold::{JudgedFigure, Thresholds};
use crate::exit::{PluginMisuse, Usage};
use crate::format::summary::SummaryForm;
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

    /// What is printed.
    #[command(flatten)]
    output: PingOutputFlags,

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
    /// Exit after this many probes, or, with `-w`, answers [default: when interrupted; 5 with
    /// --warn, --crit or --format]
    #[arg(short, long, value_name = "N",
          value_parser = value::count, allow_hyphen_values = true)]
    count: Option<u64>,

    /// Time from one probe to the next
    #[arg(long, value_name = "SECS", default_value = "1",
          default_value_if("flood", ArgPredicate::Equals("true".into()), Some("0")),
          value_parser = value::duration, allow_hyphen_values = true)]
    interval: Duration,

    /// Send each probe as soon as the one before is answered; a terminal shows a dot for each that
    /// is not
    #[arg(long)]
    flood: bool,

    /// Exit after this time, from the start of the program on, whatever was answered
    #[arg(short = 'w', long, value_name = "SECS",
          value_parser = value::timeout, allow_hyphen_values = true)]
    deadline: Option<Duration>,

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

/// What is printed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
struct PingOutputFlags {
    /// Print an object for each probe and one for the summary
    #[arg(long, conflicts_with = "format")]
    json: bool,

    /// Print the summary on stderr, too, at the end
    #[arg(long, value_name = "json", num_args = 0..=1, require_equals = true,
          default_missing_value = "text", value_parser = value::summary)]
    summary: Option<SummaryForm>,

    /// Print one line, as a monitoring plugin, and exit with 1 if it takes longer than this
    ///
    /// The exit codes are 0 (OK), 1 (warning), 2 (critical, or no connection) and 3 (the command
    /// line, and everything else).
    #[arg(long, value_name = "TIME", value_parser = value::duration,
          allow_hyphen_values = true)]
    warn: Option<Duration>,

    /// The same with exit code 2
    #[arg(long, value_name = "TIME", value_parser = value::duration,
          allow_hyphen_values = true)]
    crit: Option<Duration>,

    /// What is compared with --warn and --crit: min, avg, max, or a percentile [default: p99]
    ///
    /// A probe without an answer counts as one that takes longer than any threshold.
    #[arg(long, value_name = "FIGURE", allow_hyphen_values = true)]
    on: Option<JudgedFigure>,

    /// Print at the end the line of a monitoring plugin, or metrics, and nothing else
    #[arg(long, value_name = "FORM", value_enum, allow_hyphen_values = true)]
    format: Option<MonitoringForm>,
}

/// What a monitoring system reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum MonitoringForm {
    /// The line of a monitoring plugin.
    Nagios,
    /// Metrics in the text format of Prometheus.
    Prometheus,
}

impl PingOutputFlags {
    fn thresholds(&self) -> Result<Option<Thresholds>> {
        let (warn, crit) = (self.warn, self.crit);
        if warn.is_none() && crit.is_none() {
            ensure!(self.on.is_none(), Usage::new("--on needs --warn or --crit"));
            return Ok(None);
        }
        if let (Some(warn), Some(crit)) = (warn, crit)
            && warn > crit
        {
            let (warn, crit) = (warn.as_secs_f64(), crit.as_secs_f64());
            let why =
                format!("--warn {warn} s is above --crit {crit} s: nothing would be a warning");
            return Err(Usage::new(why).into());
        }
        let on = self.on.unwrap_or(JudgedFigure::Percentile(99.0));
        Ok(Some(Thresholds { warn, crit, on }))
    }

    fn form(&self, is_flood: bool, thresholds: Option<Thresholds>) -> PingForm {
        match self.format {
            Some(MonitoringForm::Nagios) => PingForm::Nagios,
            Some(MonitoringForm::Prometheus) => PingForm::Prometheus,
            None if self.json => PingForm::Json,
            None if thresholds.is_some() => PingForm::Nagios,
            None if is_flood => PingForm::Flood,
            None => PingForm::Text,
        }
    }
}

/// How many probes a monitoring system gets that asks for no number.
const PROBES_OF_MONITORING: u64 = 5;

/// The error of a command line that may be one of a monitoring plugin.
pub fn for_plugin(error: anyhow::Error, typed: &[OsString]) -> anyhow::Error {
    let is_threshold = |word: &OsString| {
        let word = word.to_string_lossy();
        let name = word.split_once('=').map_or(&*word, |(name, _)| name);
        ["--warn", "--crit"].contains(&name)
    };
    let is_ping = typed.get(1).is_some_and(|verb| verb == "ping");
    if !is_ping || !typed.iter().any(is_threshold) || error.is::<PluginMisuse>() {
        return error;
    }
    PluginMisuse(error).into()
}

impl PingFlags {
    /// A warning where `-i` is probably meant as ping(8) understands it.
    fn interval_for_id(&self) -> Option<String> {
        let id = self.connection.session.given_id()?;
        (value::duration(id).is_ok() && !self.connection.is_quiet()).then(|| {
            format!("-i is the client id, here {id}; --interval is the time between probes")
        })
    }

    /// The `Config` that the flags mean, and warnings to print. Thresholds may also come from a
    /// profile.
    pub fn resolve(self) -> Result<(Config, Vec<String>)> {
        let is_plugin = self.output.warn.is_some() || self.output.crit.is_some();
        self.config().map_err(|error| if is_plugin { PluginMisuse(error).into() } else { error })
    }

    fn config(self) -> Result<(Config, Vec<String>)> {
        let size = self.probes.size as usize;
        let needs = ClientNeeds {
            // Only messages of our own are expected.
            parts_above: Some(LARGE_MESSAGE.saturating_add(size)),
            ..ClientNeeds::new(Lifetime::Connection)
        };
        let (client, mut warnings) = self.connection.resolve(&needs, &self.properties.parsed()?)?;
        warnings.extend(self.interval_for_id());
        let thresholds = self.output.thresholds()?;
        let report = PingReport {
            form: self.output.form(self.probes.flood, thresholds),
            summary: self.output.summary,
            thresholds,
        };
        let verbosity = self.connection.verbosity();
        Ok((Config { client, plan: self.plan(report.form, size), report, verbosity }, warnings))
    }

    fn plan(&self, form: PingForm, size: usize) -> ProbePlan {
        let Probes { count, interval, deadline, timeout, via, qos, .. } = self.probes;
        let is_monitoring = matches!(form, PingForm::Nagios | PingForm::Prometheus);
        ProbePlan {
            count: count.or(is_monitoring.then_some(PROBES_OF_MONITORING)),
            interval,
            deadline,
            probe: match via {
                Via::Mqtt => ProbeKind::Mqtt,
                Via::Websocket => ProbeKind::WebSocket,
                Via::Publish => ProbeKind::Publish { qos, size },
            },
            timeout,
        }
    }
}
