//! The reports of a run.

mod cuts;
pub mod hgrm;
pub mod json;
pub mod text;

use crate::command::bench::conditions::{ConditionOutcome, ConditionVerdict};
use crate::command::bench::config::{LoadPlan, ReportPlan};
use crate::command::bench::judge::{RunJudgement, ServerPlace};
use crate::command::bench::machine::Machine;
use crate::command::bench::results::Results;
use crate::mqtt::qos::QoS;

/// The server, as the first connection found it.
#[derive(Debug, Clone)]
pub struct BenchServer {
    /// Its address.
    pub address: String,
    /// `ws` or `wss`.
    pub scheme: &'static str,
    /// Version and cipher of TLS.
    pub tls: Option<(String, String)>,
    /// The subprotocol.
    pub subprotocol: Option<String>,
    /// The version of MQTT.
    pub mqtt: String,
    /// How many messages it takes at once.
    pub receive_maximum: Option<u16>,
    /// The keep alive of the connections, in seconds.
    pub keep_alive: u64,
    /// Where it is.
    pub place: ServerPlace,
}

/// Everything that a report is made of.
pub struct BenchReport<'a> {
    /// The number of the run.
    pub run: u32,
    /// The start of the run, as RFC 3339.
    pub start: &'a str,
    /// What was done.
    pub load: &'a LoadPlan,
    /// What is printed.
    pub plan: &'a ReportPlan,
    /// The server.
    pub server: &'a BenchServer,
    /// This machine.
    pub machine: &'a Machine,
    /// What was found.
    pub results: &'a Results,
    /// What it proves.
    pub judgement: &'a RunJudgement,
    /// What came of the conditions.
    pub outcomes: &'a [ConditionOutcome],
}

impl BenchReport<'_> {
    /// What the readers were promised: the lowest of what was published, asked for and granted.
    pub fn promised(&self) -> QoS {
        promised(self.load, self.results)
    }

    /// Whether a condition is true.
    pub fn has_failed(&self) -> bool {
        self.outcomes.iter().any(|outcome| outcome.verdict == ConditionVerdict::Failed)
    }
}

/// What the readers were promised.
pub fn promised(load: &LoadPlan, results: &Results) -> QoS {
    let asked = load.messages.qos.min(load.messages.sub_qos);
    results.granted.map_or(asked, |granted| granted.min(asked))
}
