//! The line of a monitoring plugin: state, words, and performance data
//! (<https://www.monitoring-plugins.org/doc/guidelines.html>).

use std::time::Duration;

use super::results::PingResults;
use super::server::{ServerFacts, certificate_in_words};
use super::threshold::{JudgedFigure, Thresholds};
use crate::exit::PluginState;
use crate::format::count::count_of;
use crate::format::statistics::milliseconds;
use crate::report;

/// The line; a `failure` says why there is nothing to judge.
pub fn line(
    state: PluginState,
    thresholds: Option<Thresholds>,
    results: &PingResults,
    failure: Option<String>,
) -> String {
    let figure = thresholds.map_or(JudgedFigure::Mean, |thresholds| thresholds.on);
    let text = failure.unwrap_or_else(|| measured(figure, results));
    let line = report::plugin_line(state, &text);
    if results.server.is_none() {
        return line;
    }
    format!("{line} | {}", performance_data(figure, thresholds, results).join(" "))
}

/// What was measured, in words.
fn measured(figure: JudgedFigure, results: &PingResults) -> String {
    let time = figure.of(&results.answers, results.lost());
    let time = time.map_or("is without an answer".to_owned(), |time| format!("{time:.3} ms"));
    let probes = count_of(results.answers.count(), results.sent, "probe");
    let certificate = results.server.as_ref().and_then(ServerFacts::certificate_days);
    let certificate = certificate.map(|days| format!(", {}", certificate_in_words(days)));
    format!(
        "{figure} {time}, {probes} answered by {}{}",
        results.url,
        certificate.unwrap_or_default()
    )
}

/// `label=value[UOM];[warn];[crit];[min];[max]`, the judged figure first.
fn performance_data(
    figure: JudgedFigure,
    thresholds: Option<Thresholds>,
    results: &PingResults,
) -> Vec<String> {
    let limit = |limit: Option<Duration>| {
        limit.map(|limit| format!("{:.3}", milliseconds(limit))).unwrap_or_default()
    };
    let warn = limit(thresholds.and_then(|thresholds| thresholds.warn));
    let crit = limit(thresholds.and_then(|thresholds| thresholds.crit));
    // `U` stands for a value that could not be determined.
    let judged = figure.of(&results.answers, results.lost());
    let judged = judged.map_or("U".to_owned(), |time| format!("{time:.3}ms"));
    let mut data = vec![format!("{figure}={judged};{warn};{crit};0")];
    let label = figure.to_string();
    let others = figures(results).into_iter().filter(|(name, _)| *name != label);
    data.extend(others.map(|(name, time)| format!("{name}={time:.3}ms;;;0")));
    data.push(format!("loss={}%;;;0;100", (results.loss() * 1000.0).round() / 1000.0));
    if let Some(server) = &results.server {
        data.push(format!("connect={:.3}ms;;;0", milliseconds(server.connecting())));
        data.extend(server.certificate_days().map(|days| format!("certificate_days={days}")));
    }
    data
}

/// The figures that every summary has.
fn figures(results: &PingResults) -> Vec<(&'static str, f64)> {
    let figures = results.answers.figures().map(|figures| {
        vec![
            ("min", figures.minimum),
            ("avg", figures.mean),
            ("p50", figures.p50),
            ("p99", figures.p99),
            ("max", figures.maximum),
        ]
    });
    figures.unwrap_or_default()
}
