//! What `ping` is asked to do.

use std::time::Duration;

use super::threshold::Thresholds;
use crate::client;
use crate::format::summary::SummaryForm;
use crate::mqtt::qos::QoS;
use crate::report::Verbosity;

/// What `ping` is asked to do.
pub struct Config {
    /// Where to connect, and how.
    pub client: client::Options,
    /// The probes.
    pub plan: ProbePlan,
    /// What is printed, and what the exit code says.
    pub report: PingReport,
    /// Which lines go to stderr.
    pub verbosity: Verbosity,
}

/// The probes to send.
#[derive(Debug, Clone, Copy)]
pub struct ProbePlan {
    /// How many are sent, or, with a deadline, answered; `None` is without end.
    pub count: Option<u64>,
    /// The time from one probe to the next.
    pub interval: Duration,
    /// How long the whole run may take.
    pub deadline: Option<Duration>,
    /// What a probe is.
    pub probe: ProbeKind,
    /// How long to wait for each answer.
    pub timeout: Duration,
}

/// What a probe is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeKind {
    /// PINGREQ, answered by PINGRESP.
    Mqtt,
    /// A Ping of the WebSocket, answered by a Pong.
    WebSocket,
    /// A message of this QoS and size, in bytes, to a topic of our own and back.
    Publish {
        /// How it is published and subscribed to.
        qos: QoS,
        /// At least 8.
        size: usize,
    },
}

/// What is printed, and what the exit code says.
#[derive(Debug, Clone, Copy)]
pub struct PingReport {
    /// What stdout gets.
    pub form: PingForm,
    /// The form of a second summary, on stderr.
    pub summary: Option<SummaryForm>,
    /// With them the exit codes are those of monitoring plugins.
    pub thresholds: Option<Thresholds>,
}

/// What stdout gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PingForm {
    /// What was reached, a line for each probe, and a summary.
    Text,
    /// The same with a dot for each probe without an answer, and that on a terminal only.
    Flood,
    /// An object for each probe and one for the summary.
    Json,
    /// The line of a monitoring plugin.
    Nagios,
    /// Metrics in the text format of Prometheus.
    Prometheus,
}
