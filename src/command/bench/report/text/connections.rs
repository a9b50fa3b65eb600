//! The connections: how long they took, which failed, how long they stood.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::TextLines;
use crate::client::fleet::Cause;
use crate::command::bench::measure::{LatencyTimes, Quantile, brief};
use crate::command::bench::report::BenchReport;
use crate::command::bench::words;

fn quantile(times: &LatencyTimes, share: f64) -> String {
    match times.quantile(share) {
        Some(Quantile::Time(time)) => brief(time),
        Some(Quantile::Never) => "never".to_owned(),
        None => "-".to_owned(),
    }
}

fn maximum(times: &LatencyTimes) -> String {
    match times.maximum() {
        Some(Quantile::Time(time)) => brief(time),
        Some(Quantile::Never) => "never".to_owned(),
        None => "-".to_owned(),
    }
}

/// The lines of the connections.
pub fn add(report: &BenchReport<'_>, lines: &mut TextLines) {
    let results = &report.results.connections;
    let (made, wanted) = (words::thousands(results.made), words::thousands(results.wanted));
    let at = report.kept_step().map(|step| format!("at {}: ", words::rate(step.plan.rate)));
    let took = words::seconds(results.took);
    let head = format!("{}{made} of {wanted} in {took}", at.unwrap_or_default());
    let times = &results.times;
    if results.made == 0 {
        lines.add("connect", &head);
    } else {
        let (p50, p99) = (quantile(&times.whole, 0.5), quantile(&times.whole, 0.99));
        let max = maximum(&times.whole);
        lines.add("connect", &format!("{head:<44} p50 {p50}   p99 {p99}   max {max}"));
        lines.add("", &steps(report));
    }
    if results.failures() > 0 {
        lines.add("failed", &failed(report));
    }
    if results.losses() > 0 {
        let lost = words::thousands(results.losses());
        let again = words::thousands(results.reconnected);
        let causes = causes(&results.disconnected);
        lines.add("lost", &format!("connections {lost} times: {causes}; back {again} times"));
    }
}

fn steps(report: &BenchReport<'_>) -> String {
    let times = &report.results.connections.times;
    let mut parts = Vec::new();
    for (name, times) in [
        ("tcp", &times.tcp),
        ("tls", &times.tls),
        ("upgrade", &times.upgrade),
        ("connack", &times.connack),
    ] {
        if times.count() > 0 {
            parts.push(format!("{name} {}", quantile(times, 0.5)));
        }
    }
    let mut text = format!("p50: {}", parts.join(", "));
    if times.suback.count() > 0 {
        let _ = write!(text, "; suback {}", quantile(&times.suback, 0.5));
    }
    if report.surroundings.server.tls.is_some() {
        let resumed = words::thousands(report.results.connections.resumed);
        let _ = write!(text, "; TLS resumed {resumed}");
    }
    text
}

/// What came how often, the most frequent first.
pub fn causes(causes: &BTreeMap<Cause, u64>) -> String {
    let mut all: Vec<(&Cause, &u64)> = causes.iter().collect();
    all.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    if let [(cause, _)] = all[..] {
        return cause.words();
    }
    let all =
        all.iter().map(|(cause, count)| format!("{} {}", words::thousands(**count), cause.words()));
    all.collect::<Vec<_>>().join(", ")
}

fn failed(report: &BenchReport<'_>) -> String {
    let results = &report.results.connections;
    let count = words::thousands(results.failures());
    let causes = causes(&results.failed);
    let first = results.first_failed.map(|(number, after)| {
        let number = words::thousands(number as u64);
        format!("; the first was connection {number} after {}", words::seconds(after))
    });
    format!("{count}: {causes}{}", first.unwrap_or_default())
}

/// How long the connections stood.
pub fn held(report: &BenchReport<'_>, lines: &mut TextLines) {
    let Some((time, online)) = report.results.held else { return };
    let results = &report.results.connections;
    let pong = &results.times.pong;
    let time = time.as_secs_f64();
    let (online, made) = (words::thousands(online), words::thousands(results.made));
    let mut text = format!("{time:.1} s: {online} of {made}");
    if pong.count() > 0 {
        let count = words::thousands(pong.count());
        let (p50, p99, max) = (quantile(pong, 0.5), quantile(pong, 0.99), maximum(pong));
        let _ = write!(text, ", {count} PINGREQ answered, p50 {p50}, p99 {p99}, max {max}");
    }
    lines.add("held", &text);
}
