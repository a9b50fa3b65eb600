//! What a case has shown.

use std::time::Duration;

use super::{Bench, Outcome};
use crate::Failure;

/// A case: what was found, or why it failed.
pub type Case = fn(&Bench) -> Result<Verdict, Failure>;

/// What a case that did not fail has shown.
pub enum Verdict {
    /// What was to be shown.
    Shown(String),
    /// Nothing: something else was at work, and what.
    Unclear(String),
}

impl Verdict {
    /// What failed, unless the machine had too little to give: then it is unclear whose fault it
    /// was.
    pub fn of_failure(outcome: &Outcome, failure: &Failure) -> Result<Self, Failure> {
        let text = format!("{failure} [{}]", outcome.circumstances());
        if outcome.was_disturbed() { Ok(Self::Unclear(text)) } else { Err(text.into()) }
    }
}

/// Fails with these words unless it holds.
pub fn check(holds: bool, what: impl Into<String>) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(what.into().into()) }
}

/// What all cases have shown.
#[derive(Default)]
pub struct Summary {
    shown: usize,
    unclear: usize,
    failed: usize,
}

impl Summary {
    /// Notes and prints what one case has shown.
    pub fn note(&mut self, name: &str, verdict: Result<Verdict, Failure>) {
        let (word, text, count) = match verdict {
            Ok(Verdict::Shown(text)) => ("ok     ", text, &mut self.shown),
            Ok(Verdict::Unclear(text)) => ("UNCLEAR", text, &mut self.unclear),
            Err(error) => ("FAILED ", error.to_string(), &mut self.failed),
        };
        *count += 1;
        println!("{name:<18} {word} {text}");
    }

    /// Prints what all have shown; an error unless that is all that was to be shown.
    pub fn finish(self, took: Duration) -> Result<(), Failure> {
        let Self { shown, unclear, failed } = self;
        let seconds = took.as_secs();
        println!("{shown} shown, {unclear} unclear, {failed} failed, in {seconds} s");
        if failed + unclear > 0 { Err("not all was shown".into()) } else { Ok(()) }
    }
}
