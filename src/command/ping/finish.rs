//! The end of `ping`: what is printed when all is known, and the exit code.

use anyhow::Result;

use super::config::{PingForm, PingReport};
use super::results::PingResults;
use super::{nagios, prometheus, summary};
use crate::exit::{Exit, PluginState};
use crate::format::count::count_of;
use crate::report;

/// Prints what is printed at the end; the exit code.
pub fn finish(report: &PingReport, results: &PingResults, result: Result<Exit>) -> Result<Exit> {
    if let Some(form) = report.summary {
        summary::print_on_stderr(results, form);
    }
    if report.form != PingForm::Nagios
        && let Ok(exit) = &result
        && let Some(failure) = failure(results, *exit)
    {
        report::line(&failure);
    }
    let state = state(report, results, &result);
    if let Err(error) = print(report, results, state, &result) {
        return match (result, report.thresholds) {
            (Err(first), None) => {
                report::error(&error);
                Err(first)
            }
            _ => failed(report, error),
        };
    }
    match result {
        Ok(_) if report.thresholds.is_some() => Ok(Exit::Plugin(state)),
        // The line of the plugin says why.
        Err(_) if report.form == PingForm::Nagios && report.thresholds.is_some() => {
            Ok(Exit::Plugin(state))
        }
        Err(error) if report.form == PingForm::Nagios => Ok(Exit::of(&error)),
        Err(error) => failed(report, error),
        result => result,
    }
}

/// The exit code of a failure that the line of the plugin does not tell.
fn failed(report: &PingReport, error: anyhow::Error) -> Result<Exit> {
    match report.thresholds {
        Some(_) => Ok(Exit::Plugin(PluginState::from(report::error(&error)))),
        None => Err(error),
    }
}

/// Prints what a monitoring system reads.
fn print(
    report: &PingReport,
    results: &PingResults,
    state: PluginState,
    result: &Result<Exit>,
) -> Result<()> {
    let text = match report.form {
        PingForm::Text | PingForm::Flood | PingForm::Json => return Ok(()),
        PingForm::Prometheus => prometheus::metrics(results),
        PingForm::Nagios => {
            let failure = match result {
                Ok(exit) => failure(results, *exit),
                Err(error) => Some(report::described(error)),
            };
            nagios::line(state, report.thresholds, results, failure)
        }
    };
    super::super::print(&text).map(drop)
}

/// What a monitoring system is told.
fn state(report: &PingReport, results: &PingResults, result: &Result<Exit>) -> PluginState {
    let exit = match result {
        Ok(exit) => *exit,
        Err(error) => Exit::of(error),
    };
    match (PluginState::from(exit), report.thresholds) {
        (PluginState::Ok, Some(thresholds)) => thresholds.judge(&results.answers, results.lost()),
        (state, _) => state,
    }
}

/// Why the probes say nothing, if they do not.
fn failure(results: &PingResults, exit: Exit) -> Option<String> {
    let what = match exit {
        Exit::TimedOut => "no probe was answered".to_owned(),
        Exit::Signal(_) => {
            let probes = count_of(results.sent, results.count.unwrap_or(results.sent), "probe");
            format!("interrupted after {probes}")
        }
        Exit::Denied => return results.refusal.clone(),
        _ => return None,
    };
    Some(format!("pinging {}: {what}", results.url))
}
