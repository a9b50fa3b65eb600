//! Whether and how it is told at the end what came of it all. It must never know what was counted.

use std::time::{Duration, Instant};

use crate::cli::value::Summary;
use crate::report;
use crate::terminal::screen;
use crate::terminal::summary::{Account, Form};

/// See the module.
#[derive(Debug, Clone, Copy)]
pub struct Telling {
    form: Option<Form>,
    began: Instant,
    /// Who watches and has seen enough wants to know how much it was.
    when_interrupted: bool,
}

impl Telling {
    /// As `--summary` says; someone at a terminal who interrupts us is told in any case.
    pub fn new(form: Option<Summary>, quiet: bool, began: Instant) -> Self {
        let form = form.map(|form| match form {
            Summary::Text => Form::Text,
            Summary::Json => Form::Json,
        });
        Self { form, began, when_interrupted: !quiet && screen::stderr_is_terminal() }
    }

    /// Whether `--summary` asks for it.
    pub fn is_asked_for(&self) -> bool {
        self.form.is_some()
    }

    /// The end: tells what `account` makes of the time that passed.
    pub fn end<'a>(&self, interrupted: bool, account: impl FnOnce(Duration) -> Account<'a>) {
        let courtesy = (interrupted && self.when_interrupted).then_some(Form::Text);
        match self.form.or(courtesy) {
            Some(Form::Json) => {
                report::machine_summary(&account(self.began.elapsed()).line(Form::Json));
            }
            Some(Form::Text) => report::summary(&account(self.began.elapsed()).line(Form::Text)),
            None => {}
        }
    }
}
