//! The figures of a run that are compared with those of another.

use super::conditions::{self, Measured};
use super::results::Results;

/// What is compared, by the names of conditions.
pub const COMPARED: [&str; 11] = [
    "rate",
    "sent_rate",
    "p50",
    "p90",
    "p99",
    "p99.9",
    "max",
    "ack.p99",
    "connect.p99",
    "lost",
    "cpu",
];

/// The figures of one run, in the order of [`COMPARED`].
#[derive(Debug, Clone, PartialEq)]
pub struct RunFigures(pub Vec<Measured>);

impl RunFigures {
    /// Those of a run.
    pub fn of(results: &Results) -> Self {
        Self(COMPARED.iter().map(|name| conditions::measured(name, results)).collect())
    }
}

/// The least, the median and the most of each figure of several runs.
pub fn spread(runs: &[RunFigures]) -> Vec<(&'static str, [Measured; 3])> {
    let mut all = Vec::new();
    for (at, name) in COMPARED.iter().enumerate() {
        let mut values: Vec<Measured> = runs.iter().map(|run| run.0[at]).collect();
        values.retain(|value| *value != Measured::Nothing);
        values.sort_by(|one, other| one.order(*other));
        if let (Some(least), Some(most)) = (values.first(), values.last()) {
            all.push((*name, [*least, values[(values.len() - 1) / 2], *most]));
        }
    }
    all
}
