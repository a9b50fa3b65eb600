//! What `ping` prints on stdout while it runs: what was reached, each probe, and the summary.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::config::PingForm;
use super::results::PingResults;
use super::server::ServerFacts;
use super::{json, summary};
use crate::format::statistics::in_milliseconds;
use crate::report::Verbosity;
use crate::stdio::lines::Lines;
use crate::terminal::bars::{self, CharacterSet};
use crate::terminal::screen;

/// The most lines of the histogram.
const MOST_RANGES: u32 = 8;

/// What is printed while `ping` runs.
#[derive(Debug)]
pub struct ProbeOutput {
    form: PingForm,
    verbosity: Verbosity,
    /// Lines that are not printed yet: probes that follow each other without a pause share a write.
    lines: Lines,
}

impl ProbeOutput {
    /// Nothing is printed yet.
    pub fn new(form: PingForm, verbosity: Verbosity) -> Self {
        Self { form, verbosity, lines: Lines::new() }
    }

    /// Prints what was reached; whether anybody reads it.
    pub fn begin(&mut self, results: &PingResults) -> Result<bool> {
        let Some(server) = &results.server else { return Ok(true) };
        match self.form {
            PingForm::Text | PingForm::Flood => {
                let head = format!("PING {} ({})", results.url, server.described());
                super::super::print(&(head + &self.steps(server)))
            }
            PingForm::Json | PingForm::Nagios | PingForm::Prometheus => Ok(true),
        }
    }

    /// The steps of connecting, in the same line or, on a terminal, below it.
    fn steps(&self, server: &ServerFacts) -> String {
        if self.has_bars() {
            let columns = screen::size().columns;
            let rows = bars::waterfall(&server.phases, columns, CharacterSet::of_terminal());
            return "\n".to_owned() + &rows.join("\n");
        }
        let steps = server.phases.iter().map(|(name, time)| (name, in_milliseconds(*time)));
        let steps = steps.map(|(name, time)| format!("{name} {time}")).collect::<Vec<_>>();
        format!(": {}", steps.join(", "))
    }

    fn has_bars(&self) -> bool {
        screen::stdout_is_terminal() && self.verbosity.warns()
    }

    /// Tells of the latest probe: how long its answer took, or that it has none.
    pub fn tell(&mut self, results: &PingResults, answer: Option<Duration>, now: Instant) {
        let number = results.sent;
        let target = || results.server.as_ref().map_or("", |server| &server.address);
        match (self.form, answer) {
            _ if !self.verbosity.warns() => {}
            (PingForm::Text, Some(time)) => {
                let (target, time) = (target(), in_milliseconds(time));
                self.lines.add(&format!("answer from {target}: seq={number} time={time}"), now);
            }
            (PingForm::Text, None) => {
                self.lines.add(&format!("no answer from {}: seq={number}", target()), now);
            }
            (PingForm::Json, answer) => self.lines.add(&json::probe(number, answer), now),
            (PingForm::Flood, None) => self.lines.add_dot(now),
            (PingForm::Flood, Some(_)) | (PingForm::Nagios | PingForm::Prometheus, _) => {}
        }
    }

    /// When [`ProbeOutput::write`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        self.lines.deadline()
    }

    /// Prints what waits; whether anybody still reads it.
    pub fn write(&mut self) -> Result<bool> {
        self.lines.write().context("writing to stdout")
    }

    /// Prints what waits and the summary; whether anybody still reads it.
    pub fn finish(&mut self, results: &PingResults) -> Result<bool> {
        self.lines.end_dots();
        if !self.write()? {
            return Ok(false);
        }
        match self.form {
            PingForm::Text | PingForm::Flood => {
                super::super::print(&(summary::lines(results) + &self.histogram(results)))
            }
            PingForm::Json => super::super::print(&json::summary(results)),
            PingForm::Nagios | PingForm::Prometheus => Ok(true),
        }
    }

    /// The lines of the histogram, each after a line feed; one answer has none.
    fn histogram(&self, results: &PingResults) -> String {
        if !self.has_bars() || results.answers.count() < 2 {
            return String::new();
        }
        let few = u32::try_from(results.answers.count()).unwrap_or(MOST_RANGES);
        let ranges = results.answers.ranges(MOST_RANGES.min(few));
        let columns = screen::size().columns;
        let rows = bars::histogram(&ranges, columns, CharacterSet::of_terminal());
        [&[String::new()], &rows[..]].concat().join("\n")
    }
}
