//! The summary of `ping` in words: how many probes were answered, and how fast.

use super::json;
use super::results::PingResults;
use crate::format::statistics::in_milliseconds;
use crate::format::summary::SummaryForm;
use crate::report;

/// How many probes were sent, answered and lost.
pub fn counts(results: &PingResults) -> String {
    let (sent, answered) = (results.sent, results.answers.count());
    let (loss, time) = (results.loss().floor(), in_milliseconds(results.elapsed()));
    format!("{sent} sent, {answered} answered, {loss:.0}% lost, time {time}")
}

/// The lines at the end, without a line feed after the last one.
pub fn lines(results: &PingResults) -> String {
    let head = format!("--- {} ---\n{}", results.url, counts(results));
    match results.answers.summary() {
        Some(figures) => format!("{head}\n{figures}"),
        None => head,
    }
}

/// Prints the summary on stderr, in a line.
pub fn print_on_stderr(results: &PingResults, form: SummaryForm) {
    match form {
        SummaryForm::Json => report::machine_summary(&json::summary(results)),
        SummaryForm::Text => {
            let figures = results.answers.summary().map(|figures| format!("; {figures}"));
            report::line(&(counts(results) + &figures.unwrap_or_default()));
        }
    }
}
