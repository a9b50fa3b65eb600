//! The connections: how long they took, which failed, how long they stood.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::TextLines;
use crate::client::fleet::Cause;
use crate::command::bench::measure::{LatencyTimes, brief_quantile};
use crate::command::bench::report::BenchReport;
use crate::command::bench::words;

fn quantile(times: &LatencyTimes, share: f64) -> String {
    brief_quantile(times.quantile(share))
}

fn maximum(times: &LatencyTimes) -> String {
    brief_quantile(times.maximum())
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
    if let Some(hint) = sent_again(&times.tcp) {
        lines.add("hint", &hint);
    }
    if results.losses() > 0 {
        let lost = words::thousands(results.losses());
        let again = words::thousands(results.reconnected);
        let causes = causes(&results.disconnected);
        lines.add("lost", &format!("connections {lost} times: {causes}; back {again} times"));
    }
}

/// A SYN that is not answered is sent again after 1 s, and then after twice the time, in seconds
/// since the first one.
const SENT_AGAIN: [u64; 3] = [1, 3, 7];

/// How much longer the answer may take, in nanoseconds.
const ANSWERED: u64 = 100_000_000;

/// That servers did not answer the first SYN of some connections.
fn sent_again(tcp: &LatencyTimes) -> Option<String> {
    const SECOND: u64 = 1_000_000_000;
    let buckets = tcp.buckets();
    let (mut all, mut ranges) = (0, Vec::new());
    for after in SENT_AGAIN {
        let range = after * SECOND..after * SECOND + ANSWERED;
        let took = buckets.iter().filter(|(low, _)| range.contains(low)).map(|(_, count)| count);
        let count: u64 = took.sum();
        if count > 0 {
            all += count;
            ranges.push(format!("{after}.0-{after}.1 s"));
        }
    }
    let noun = if all == 1 { "connection" } else { "connections" };
    (all > 0).then(|| {
        format!(
            "{} {noun} took {}: a SYN was sent again; the server's listen queue was full (its \
             backlog, somaxconn)",
            words::thousands(all),
            ranges.join(" or ")
        )
    })
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
    let time = words::tenths(time);
    let (online, made) = (words::thousands(online), words::thousands(results.made));
    let mut text = format!("{time}: {online} of {made}");
    if pong.count() > 0 {
        let count = words::thousands(pong.count());
        let (p50, p99, max) = (quantile(pong, 0.5), quantile(pong, 0.99), maximum(pong));
        let _ = write!(text, ", {count} PINGREQ answered, p50 {p50}, p99 {p99}, max {max}");
    }
    lines.add("held", &text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_listen_queue_is_named() {
        let mut tcp = LatencyTimes::default();
        tcp.add_many(400_000, 500);
        tcp.add_many(990_000_000, 2);
        assert_eq!(sent_again(&tcp), None);
        tcp.add_many(1_020_000_000, 20);
        tcp.add_many(3_050_000_000, 3);
        let expected = "23 connections took 1.0-1.1 s or 3.0-3.1 s: a SYN was sent again; the \
                        server's listen queue was full (its backlog, somaxconn)";
        assert_eq!(sent_again(&tcp).as_deref(), Some(expected));
    }
}
