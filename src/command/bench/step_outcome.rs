//! What came of a step of a ramp, or of a search for the highest rate.

use std::collections::BTreeMap;

use super::conditions::ConditionOutcome;
use super::course::SteppedRate;
use super::judge::{LoadLimit, Overload, RunJudgement};
use super::measure::Quantile;
use super::results::{Results, rate};
use super::steps::StepPlan;
use crate::client::fleet::Cause;

/// What a step was, and whether it held.
#[derive(Debug, Clone, PartialEq)]
pub struct StepOutcome {
    /// What was offered.
    pub plan: StepPlan,
    /// How much there was.
    pub counts: StepCounts,
    /// The median, the p99 and the longest of the delivery, or else of the acknowledgement; or of
    /// connecting.
    pub times: [Option<Quantile>; 3],
    /// The p99 of the lateness.
    pub lateness: Option<Quantile>,
    /// The share of a core that the busiest loop took.
    pub cpu: f64,
    /// What set the limit.
    pub limit: LoadLimit,
    /// Whether less was delivered than was offered.
    pub overload: Option<Overload>,
    /// What came of the conditions.
    pub conditions: Vec<ConditionOutcome>,
    /// Why it did not hold; empty if it did.
    pub because: Vec<String>,
}

/// How much there was in a step.
#[derive(Debug, Clone, PartialEq)]
pub enum StepCounts {
    /// Messages.
    Messages(MessageCounts),
    /// Connections.
    Connections(ConnectionCounts),
}

/// The messages of a step.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct MessageCounts {
    /// How many were sent.
    pub sent: u64,
    /// What arrived a second; without readers, what was acknowledged or sent.
    pub delivered: f64,
    /// Copies that never came.
    pub lost: u64,
    /// How many were due and not sent.
    pub unsent: u64,
}

/// The connections of a step.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConnectionCounts {
    /// How many were to begin in the window.
    pub due: u64,
    /// How many of them were made.
    pub made: u64,
    /// How many were made within the window, a second.
    pub rate: f64,
    /// Those that were not made, by cause; of the warm-up, too.
    pub failed: BTreeMap<Cause, u64>,
    /// How many were due and never begun.
    pub not_begun: u64,
}

impl StepOutcome {
    /// What was found in a step, in which this rate grows; not why it did not hold.
    pub fn of(
        plan: StepPlan,
        stepped: SteppedRate,
        judgement: &RunJudgement,
        results: &Results,
    ) -> Self {
        let Results { messages, latencies, connections, generator, .. } = results;
        let has_readers = messages.expected > 0;
        let (counts, times) = match stepped {
            SteppedRate::Connecting => {
                (StepCounts::Connections(connection_counts(results)), &connections.times.whole)
            }
            SteppedRate::Messages if has_readers => {
                (StepCounts::Messages(message_counts(results)), &latencies.delivery)
            }
            SteppedRate::Messages => {
                (StepCounts::Messages(message_counts(results)), &latencies.acknowledgement)
            }
        };
        Self {
            plan,
            counts,
            times: [times.quantile(0.5), times.quantile(0.99), times.maximum()],
            lateness: latencies.lateness.quantile(0.99),
            cpu: generator.cpu,
            limit: judgement.limit,
            overload: judgement.overload,
            conditions: Vec::new(),
            because: Vec::new(),
        }
    }

    /// Whether it held.
    pub fn has_held(&self) -> bool {
        self.because.is_empty()
    }
}

fn message_counts(results: &Results) -> MessageCounts {
    let Results { messages, verified, .. } = results;
    let has_readers = messages.expected > 0;
    MessageCounts {
        sent: messages.sent,
        delivered: if has_readers { messages.rate() } else { messages.sent_rate() },
        lost: verified.lost,
        unsent: messages.unsent,
    }
}

fn connection_counts(results: &Results) -> ConnectionCounts {
    let Results { connections, making, messages, .. } = results;
    ConnectionCounts {
        due: making.due,
        made: connections.made,
        rate: rate(making.arrived, messages.window),
        failed: connections.failed.clone(),
        not_begun: making.not_begun,
    }
}

/// The step by whose conditions all are judged: the highest that held, or else the first that did
/// not.
pub fn decisive(steps: &[StepOutcome]) -> Option<&StepOutcome> {
    highest(steps).or_else(|| steps.iter().find(|step| !step.has_held()))
}

/// The highest step that held, unless it did not when it was tried again.
pub fn highest(steps: &[StepOutcome]) -> Option<&StepOutcome> {
    let failed = steps.iter().filter(|step| !step.has_held()).map(|step| step.plan.rate);
    let failed = failed.reduce(f64::min).unwrap_or(f64::INFINITY);
    let held = steps.iter().filter(|step| step.has_held() && step.plan.rate < failed);
    // Of equal ones the last: it was measured longest.
    held.max_by(|one, other| one.plan.rate.total_cmp(&other.plan.rate))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_highest_that_held_is_decisive_or_the_first_that_did_not() {
        let step = |rate: f64, because: &[&str]| {
            let plan = StepPlan { rate, length: Duration::from_secs(1) };
            let (judgement, results) = (RunJudgement::default(), Results::default());
            let because = because.iter().map(|why| (*why).to_owned()).collect();
            let of = StepOutcome::of(plan, SteppedRate::Messages, &judgement, &results);
            StepOutcome { because, ..of }
        };
        let rate = |steps: &[StepOutcome]| decisive(steps).map(|step| step.plan.rate);
        assert_eq!(rate(&[]), None);
        assert_eq!(rate(&[step(1.0, &["a"])]), Some(1.0));
        assert_eq!(rate(&[step(1.0, &[]), step(2.0, &[]), step(4.0, &["a"])]), Some(2.0));
        // The first held, and not when it was tried again.
        let refuted = [step(1.0, &[]), step(2.0, &["a"]), step(1.0, &["b"])];
        assert_eq!(rate(&refuted), Some(2.0));
    }
}
