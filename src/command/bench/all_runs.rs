//! What runs that follow each other have found, together and each by itself.

use super::figures::RunFigures;
use super::joining::Joined;
use super::judge::RunJudgement;
use super::load::Found;
use super::results::LoadEnding;

/// What all runs together have found.
pub struct AllRuns {
    /// Their sum.
    pub found: Found,
    /// The figures of each.
    pub runs: Vec<RunFigures>,
    /// Why they prove nothing; `None` if that is to be judged by their sum.
    pub invalid: Option<Vec<String>>,
}

impl AllRuns {
    /// The first.
    pub fn new(found: Found) -> Self {
        let runs = vec![RunFigures::of(&found.results)];
        Self { found, runs, invalid: None }
    }

    /// Adds one that came after it.
    pub fn add(&mut self, found: &Found) {
        self.runs.push(RunFigures::of(&found.results));
        self.found.results.add(&found.results, Joined::InTurn);
    }

    /// Whether another one follows.
    pub fn goes_on(&self) -> bool {
        self.found.results.ending == LoadEnding::Complete && self.found.results.connections.made > 0
    }

    /// Notes why a run proves nothing.
    pub fn judge(&mut self, number: usize, judgement: RunJudgement) {
        let named = judgement.invalid.into_iter().map(|why| format!("run {number}: {why}"));
        self.invalid.get_or_insert_default().extend(named);
    }
}
