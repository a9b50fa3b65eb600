//! The summary at the end: for `--summary`, and for a user at a terminal who interrupts a run.

use std::time::{Duration, Instant};

use crate::format::summary::{RunSummary, SummaryForm};
use crate::report::{self, Verbosity};
use crate::terminal::screen;

/// Whether and how a summary is printed.
#[derive(Debug, Clone, Copy)]
pub struct SummaryPrinter {
    form: Option<SummaryForm>,
    began: Instant,
    /// The user who interrupts an endless run wants to know how much came.
    when_interrupted: bool,
}

impl SummaryPrinter {
    /// In the form that `--summary` asks for; without it only a user at a terminal who interrupts
    /// an endless run gets one.
    pub fn new(form: Option<SummaryForm>, verbosity: Verbosity, began: Instant) -> Self {
        let when_interrupted = verbosity.warns() && screen::stderr_is_terminal();
        Self { form, began, when_interrupted }
    }

    /// Whether `--summary` asks for it.
    pub fn is_wanted(&self) -> bool {
        self.form.is_some()
    }

    /// Prints what `summary` makes of the time that passed.
    pub fn print<'a>(&self, interrupted: bool, summary: impl FnOnce(Duration) -> RunSummary<'a>) {
        let unasked = (interrupted && self.when_interrupted).then_some(SummaryForm::Text);
        match self.form.or(unasked) {
            Some(SummaryForm::Json) => {
                report::machine_summary(&summary(self.began.elapsed()).line(SummaryForm::Json));
            }
            Some(SummaryForm::Text) => {
                report::line(&summary(self.began.elapsed()).line(SummaryForm::Text));
            }
            None => {}
        }
    }
}
