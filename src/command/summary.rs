//! The summary at the end: for `--summary`, and at a terminal when a run is interrupted.

use std::time::{Duration, Instant};

use crate::format::summary::{RunSummary, SummaryForm};
use crate::report::{self, Verbosity};
use crate::terminal::screen;

/// Whether and how a summary is printed.
#[derive(Debug, Clone, Copy)]
pub struct SummaryPrinter {
    form: Option<SummaryForm>,
    /// The form when an endless run is interrupted: how much came.
    when_interrupted: Option<SummaryForm>,
    began: Instant,
}

impl SummaryPrinter {
    /// In the form that `--summary` asks for; without it an endless run that is interrupted at a
    /// terminal gets one.
    pub fn new(form: Option<SummaryForm>, verbosity: Verbosity, began: Instant) -> Self {
        let is_user = verbosity.warns() && screen::stderr_is_terminal();
        Self { form, when_interrupted: is_user.then_some(SummaryForm::Text), began }
    }

    /// Whether `--summary` asks for it.
    pub fn is_wanted(&self) -> bool {
        self.form.is_some()
    }

    /// Prints what `summary` makes of the time that passed.
    pub fn print<'a>(&self, interrupted: bool, summary: impl FnOnce(Duration) -> RunSummary<'a>) {
        match self.form.or(self.when_interrupted.filter(|_| interrupted)) {
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
