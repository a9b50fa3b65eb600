//! The reports of a run.

pub mod hgrm;
pub mod interval;
pub mod json;
mod split;
pub mod text;

use crate::command::bench::comparison::Comparison;
use crate::command::bench::conditions::{ConditionOutcome, ConditionVerdict};
use crate::command::bench::config::{LoadPlan, ReportPlan};
use crate::command::bench::figures::RunFigures;
use crate::command::bench::judge::RunJudgement;
use crate::command::bench::part::RunPart;
use crate::command::bench::results::Results;
use crate::command::bench::step_outcome::{self, StepOutcome};
use crate::command::bench::surroundings::Surroundings;
use crate::mqtt::qos::QoS;

/// Everything that a report is made of.
pub struct BenchReport<'a> {
    /// What was done.
    pub load: &'a LoadPlan,
    /// What is printed.
    pub plan: &'a ReportPlan,
    /// Where and when it was.
    pub surroundings: &'a Surroundings,
    /// What was found.
    pub results: &'a Results,
    /// What it proves.
    pub judgement: &'a RunJudgement,
    /// What came of the conditions.
    pub outcomes: &'a [ConditionOutcome],
    /// The steps; empty if there was one window only.
    pub steps: &'a [StepOutcome],
    /// The figures of each run.
    pub runs: &'a [RunFigures],
    /// The run beside an earlier one.
    pub comparison: Option<&'a Comparison>,
}

impl BenchReport<'_> {
    /// What the readers were promised: the lowest of what was published, asked for and granted.
    pub fn promised(&self) -> QoS {
        promised(self.load, self.results)
    }

    /// The highest step that held, if there were steps and one did.
    pub fn highest(&self) -> Option<&StepOutcome> {
        step_outcome::highest(self.steps)
    }

    /// The part that publishes what is read here, if that is another.
    pub fn writer(&self) -> Option<RunPart> {
        let topic = self.results.verified.split.topic.filter(|_| !self.load.plan.writers.is_here());
        topic.map(|topic| RunPart { number: topic + 1, ..self.surroundings.part })
    }

    /// The step of connecting whose figures are those of the report: the highest that held, or the
    /// first.
    pub fn kept_step(&self) -> Option<&StepOutcome> {
        let is_of_connecting = self.load.times.course.is_of_connecting();
        self.highest().or(self.steps.first()).filter(|_| is_of_connecting)
    }

    /// Whether a condition is true, or of several steps the first did not hold.
    pub fn has_failed(&self) -> bool {
        if !self.steps.is_empty() {
            return self.highest().is_none();
        }
        self.outcomes.iter().any(|outcome| outcome.verdict == ConditionVerdict::Failed)
    }
}

/// What the readers were promised.
pub fn promised(load: &LoadPlan, results: &Results) -> QoS {
    let asked = load.messages.qos.min(load.messages.sub_qos);
    results.granted.map_or(asked, |granted| granted.min(asked))
}
