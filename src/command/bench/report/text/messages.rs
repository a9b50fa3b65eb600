//! The messages: how many, what the verification found, and the table of their times.

use std::fmt::Write;

use super::TextLines;
use crate::command::bench::config::LoadPace;
use crate::command::bench::judge::LoadLimit;
use crate::command::bench::payload::Verification;
use crate::command::bench::report::BenchReport;
use crate::command::bench::results::LoadEnding;
use crate::command::bench::words;
use crate::mqtt::qos::QoS;

/// The shares of the table of times.
const SHARES: [f64; 5] = [0.5, 0.9, 0.99, 0.999, 0.9999];

/// The lines of the messages.
pub fn add(report: &BenchReport<'_>, lines: &mut TextLines) {
    let warmup = report.load.times.warmup;
    let after = if warmup.is_zero() {
        String::new()
    } else {
        format!(" after {:.1} s of warm-up", warmup.as_secs_f64())
    };
    let window = words::seconds(report.results.messages.window);
    lines.add("measured", &format!("{window}{after}"));
    early_end(report, lines);
    lines.add(
        "sent",
        &report.writer().map_or_else(|| sent(report), |part| format!("by part {part}")),
    );
    if report.load.plan.subscribers > 0 {
        received(report, lines);
    }
}

/// That a run did not come to its end, or goes on.
pub fn early_end(report: &BenchReport<'_>, lines: &mut TextLines) {
    let after = |time| format!("after {}", words::seconds(time));
    match report.results.ending {
        LoadEnding::Interrupted(_, time) => {
            let what = match (report.steps, report.load.plan.publishers) {
                ([], 0) => "",
                ([], _) => ": sending ended then",
                _ => ": the step that was going on is not listed",
            };
            lines.add("interrupted", &format!("{}{what}", after(time)));
        }
        LoadEnding::FailedFast(time) => {
            let text = format!("{}: a condition was true (--fail-fast)", after(time));
            lines.add("ended", &text);
        }
        LoadEnding::Running(time, missing) => {
            let missing = words::thousands(missing);
            let text = format!("{}: the run goes on; {missing} missing so far", after(time));
            lines.add("so far", &text);
        }
        LoadEnding::Complete => {}
    }
}

/// How much was sent, and what became of it.
fn sent(report: &BenchReport<'_>) -> String {
    let messages = &report.results.messages;
    let mut parts = Vec::new();
    if report.load.messages.qos > QoS::AtMostOnce {
        parts.push(format!("acknowledged {}", words::thousands(messages.acknowledged)));
        parts.push(format!("refused {}", refused(report)));
    }
    if let LoadPace::Open(_) = report.load.pace {
        parts.push(format!("unsent {}", words::thousands(messages.unsent)));
    }
    if messages.unacknowledged > 0 {
        parts.push(format!("unacknowledged {}", words::thousands(messages.unacknowledged)));
    }
    let (count, rate) =
        (words::thousands(messages.sent), words::rate(messages.sent_rate().round()));
    format!("{count}   {rate}   {}", parts.join(", "))
}

fn refused(report: &BenchReport<'_>) -> String {
    let refused = &report.results.messages.refused;
    let all: u64 = refused.values().sum();
    let codes: Vec<String> = refused
        .iter()
        .map(|(code, count)| format!("0x{:02x} {}", code.0, words::thousands(*count)))
        .collect();
    if codes.is_empty() {
        return "0".to_owned();
    }
    format!("{} ({})", words::thousands(all), codes.join(", "))
}

fn received(report: &BenchReport<'_>, lines: &mut TextLines) {
    let messages = &report.results.messages;
    let count = words::thousands(messages.received);
    // A closed loop whose limit is the generator says only how much the server does at least.
    let is_least = matches!(report.load.pace, LoadPace::Closed(_))
        && report.judgement.limit == LoadLimit::Generator;
    let at_least = if is_least { "at least " } else { "" };
    let rate = words::rate(messages.rate().round());
    let expected = words::thousands(messages.expected);
    let never = report.results.latencies.delivery.never();
    let is_late = messages.received < messages.expected && never == 0;
    let late = if is_late { "; the others came after the window" } else { "" };
    let of = match report.writer() {
        Some(part) => format!("of what part {part} has sent: --merge tells how much that is"),
        None => format!("of {expected}{late}"),
    };
    lines.add("received", &format!("{count}   {at_least}{rate}   {of}"));
    let other = report.results.verified.split.other_clock;
    if other > 0 {
        let other = words::thousands(other);
        lines.add(
            "",
            &format!("{other} have the time of another clock: their latency is not known"),
        );
    }
    if report.load.messages.verification == Verification::None {
        lines.add("verified", "nothing (--verify none): what came is counted, whatever it is");
    } else {
        verified(report, lines);
    }
    if let Some(groups) = &report.results.groups {
        lines.add("shared", &super::disturbances::groups_line(groups));
    }
}

/// What the verification found.
fn verified(report: &BenchReport<'_>, lines: &mut TextLines) {
    let verified = &report.results.verified;
    let at_most = if verified.undecided > 0 && verified.lost > 0 { "at most " } else { "" };
    let warmup = if report.load.times.warmup.is_zero() { "" } else { " with the warm-up" };
    let copies = if verified.split.is_open() {
        "lost comes out in --merge".to_owned()
    } else {
        let (copies, lost) = (verified.copies, words::thousands(verified.lost));
        format!("{}{warmup}: lost {at_most}{lost}", words::thousands(copies))
    };
    let mut text = format!(
        "{copies}, duplicated {}{}, reordered {}, corrupted {}",
        words::thousands(verified.duplicated),
        duplicates(report),
        words::thousands(verified.reordered),
        words::thousands(verified.corrupted),
    );
    for (name, count) in [
        ("missed", verified.missed),
        ("foreign", verified.foreign),
        ("undecided", verified.undecided),
    ] {
        if count > 0 {
            let _ = write!(text, ", {name} {}", words::thousands(count));
        }
    }
    lines.add("verified", &text);
}

/// Why there may be second copies.
fn duplicates(report: &BenchReport<'_>) -> String {
    let verified = &report.results.verified;
    if verified.duplicated == 0 {
        return String::new();
    }
    let flagged = match verified.duplicated_with_dup {
        0 => "none with DUP".to_owned(),
        all if all == verified.duplicated => "all with DUP".to_owned(),
        some => format!("{} with DUP", words::thousands(some)),
    };
    let allowed = if report.promised() == QoS::AtLeastOnce { "QoS 1 allows it; " } else { "" };
    format!(" ({allowed}{flagged})")
}

/// The table of times.
pub fn times(report: &BenchReport<'_>, lines: &mut TextLines) {
    let latencies = &report.results.latencies;
    let is_open = matches!(report.load.pace, LoadPace::Open(_));
    let delivery = if is_open { "delivery" } else { "service" };
    let rows = [
        (delivery, &latencies.delivery),
        ("  away from cut", &report.results.disturbances.away),
        ("acknowledgement", &latencies.acknowledgement),
        ("lateness", &latencies.lateness),
    ];
    // Without messages it is that of the connections.
    let is_shown = |name: &str| is_open || name != "lateness";
    let rows = rows.into_iter().filter(|(name, _)| is_shown(name));
    let rows: Vec<_> = rows.filter(|(_, times)| times.count() + times.never() > 0).collect();
    if rows.is_empty() {
        return;
    }
    let heads = ["p50", "p90", "p99", "p99.9", "p99.99", "max"];
    let heads: Vec<String> = heads.iter().map(|head| format!("{head:>9}")).collect();
    lines.row("", &heads);
    for (name, times) in rows {
        let cells = SHARES.iter().map(|share| times.quantile(*share));
        let cells = cells.chain([times.maximum()]);
        let cells: Vec<String> = cells
            .map(|cell| cell.map_or_else(|| format!("{:>9}", "-"), |cell| format!("{cell:>9}")))
            .collect();
        lines.row(name, &cells);
    }
}
