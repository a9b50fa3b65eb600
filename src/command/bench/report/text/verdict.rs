//! What the run proves: notes, the generator, the limit, the conditions, and the result.

use super::TextLines;
use crate::command::bench::conditions::{ConditionOrigin, ConditionOutcome, ConditionVerdict};
use crate::command::bench::config::{Comeback, LoadPace};
use crate::command::bench::judge::LoadLimit;
use crate::command::bench::measure::{Quantile, precise};
use crate::command::bench::report::BenchReport;
use crate::command::bench::words;

/// What a reader must know of the figures.
pub fn notes(report: &BenchReport<'_>, lines: &mut TextLines) {
    let BenchReport { load, results, judgement, .. } = report;
    if load.plan.publishers > 0 && matches!(load.pace, LoadPace::Closed(_)) {
        lines.add(
            "note",
            "service times: in a closed loop a slow server slows the senders down, too. For what \
             users would see, use --rate",
        );
    }
    if results.messages.backlog > 0 {
        let count = words::thousands(results.messages.backlog);
        lines.add("note", &format!("when the window began, so many messages waited: {count}"));
    }
    if results.messages.emptied > 0 {
        let count = words::thousands(results.messages.emptied);
        let text = format!("so often a publisher went on because nothing came for 1 s: {count}");
        lines.add("note", &text);
    }
    let promised = results.granted.filter(|granted| *granted < load.messages.sub_qos);
    if let Some(granted) = promised {
        lines.add("note", &format!("the server granted QoS {} only", granted.bits()));
    }
    if load.comeback == Comeback::Never && results.connections.losses() > 0 {
        lines.add("note", "connections that were lost did not come back (--no-reconnect)");
    }
    if results.disturbances.sessions_left > 0 {
        let count = words::thousands(results.disturbances.sessions_left);
        lines.add("note", &format!("so many sessions could not be ended at the server: {count}"));
    }
    if results.disturbances.retained_left > 0 {
        let count = words::thousands(results.disturbances.retained_left);
        let text = format!("so many retained messages were not set or not removed: {count}");
        lines.add("note", &text);
    }
    if let (Some(overload), LoadPace::Open(offer)) = (judgement.overload, load.pace) {
        super::overload("latency", offer.rate, &overload, lines);
    }
}

/// What a turn means for the times.
const OWN_PART: &str = " (so much of a latency can be the generator's own)";

/// What the generator took.
pub fn generator(report: &BenchReport<'_>, lines: &mut TextLines) {
    let generator = &report.results.generator;
    let cpu = words::percent(generator.cpu * 100.0);
    let rss = words::memory(generator.rss);
    if report.load.plan.publishers == 0 && !report.load.times.course.is_of_connecting() {
        let before = words::percent(generator.cpu_connecting * 100.0);
        let made = report.results.connections.made.max(1);
        let each = words::memory(generator.rss.saturating_sub(generator.rss_before) / made);
        // Of a few connections the base would be shared by too few.
        let each = if made < 100 { String::new() } else { format!(", {each} a connection") };
        let text = format!("busiest loop {before} CPU while connecting, {cpu} after; {rss}{each}");
        return lines.add("generator", &text);
    }
    let turn = match generator.turn.quantile(0.99) {
        Some(Quantile::Time(time)) => precise(time),
        Some(Quantile::Never) | None => "-".to_owned(),
    };
    let bound = match report.load.pace {
        LoadPace::Open(_) => OWN_PART,
        LoadPace::Closed(_) if report.load.times.course.is_of_connecting() => OWN_PART,
        LoadPace::Closed(_) => "",
    };
    lines.add("generator", &format!("busiest loop {cpu} CPU, {rss}; turns p99 {turn}{bound}"));
}

/// What set the limit.
pub fn limit(report: &BenchReport<'_>) -> String {
    let BenchReport { results, surroundings, judgement, .. } = report;
    if report.load.times.course.is_of_connecting() {
        return limit_of_connecting(report);
    }
    let is_sending = report.load.plan.publishers > 0;
    match judgement.limit {
        LoadLimit::NotReached if report.writer().is_some() => {
            "unknown here: what was offered is known to the part that has sent it".to_owned()
        }
        LoadLimit::NotReached if is_sending => {
            "not reached: what was offered was delivered".to_owned()
        }
        LoadLimit::NotReached => "not reached: all connections were made and stood".to_owned(),
        LoadLimit::Generator if !judgement.is_valid() => {
            "generator: the run proves nothing about the server".to_owned()
        }
        LoadLimit::Generator => {
            let rate = words::rate(handled(report).round());
            format!("generator: its loop was busy. The server does at least {rate}")
        }
        LoadLimit::Machine => {
            let busy = words::percent(results.generator.machine_busy.unwrap_or(1.0) * 100.0);
            let own = (results.generator.cpu * 100.0).round();
            let all = surroundings.machine.cores * 100;
            if !is_sending {
                return format!("machine: it was {busy} busy, {own} of {all} % with the generator");
            }
            let rate = words::rate(handled(report).round());
            format!(
                "machine: it was {busy} busy, {own} of {all} % with the generator. The server \
                 alone may do more: at least {rate}"
            )
        }
        LoadLimit::ServerRefused => "server: it refused connections".to_owned(),
        LoadLimit::ServerRefusedMessages => "server: it refused messages".to_owned(),
        LoadLimit::ServerLost => "server: it lost messages or connections".to_owned(),
        LoadLimit::ServerBlocked(full, percent) => {
            let time = if report.steps.is_empty() { "time" } else { "last step" };
            format!("server: {} were full for {percent} % of the {time}", full.words())
        }
        LoadLimit::ServerBehind => "server: it delivered less than was offered".to_owned(),
        LoadLimit::Unknown => {
            "unknown: neither is busy: latency times window sets the rate; raise -M \
                           or --pub"
                .to_owned()
        }
    }
}

/// How many messages a second the server has delivered, or without readers taken.
fn handled(report: &BenchReport<'_>) -> f64 {
    let messages = &report.results.messages;
    if report.load.plan.subscribers > 0 { messages.rate() } else { messages.sent_rate() }
}

/// What set the limit of steps of connecting.
fn limit_of_connecting(report: &BenchReport<'_>) -> String {
    let rate = report.highest().map(|step| words::rate(step.plan.rate));
    let least = rate.map(|rate| format!(". The server does at least {rate}")).unwrap_or_default();
    match report.judgement.limit {
        LoadLimit::NotReached => "not reached: what was offered was made".to_owned(),
        LoadLimit::Generator => format!("generator: its loop was busy, or late{least}"),
        LoadLimit::Machine => format!("machine: it was busy, with the server{least}"),
        LoadLimit::ServerRefused => "server: it refused connections".to_owned(),
        LoadLimit::ServerLost => "server: it lost connections".to_owned(),
        LoadLimit::ServerBlocked(..)
        | LoadLimit::ServerRefusedMessages
        | LoadLimit::ServerBehind => {
            "server: it made fewer connections than were offered".to_owned()
        }
        LoadLimit::Unknown => {
            let all = words::thousands(report.load.plan.idle as u64);
            format!("unknown: all of {all} connections were in use; raise --connect")
        }
    }
}

/// The conditions, and what came of them.
pub fn conditions(outcomes: &[ConditionOutcome], lines: &mut TextLines) {
    for outcome in outcomes {
        let answer = match outcome.verdict {
            ConditionVerdict::Failed => "yes",
            ConditionVerdict::Passed => "no",
        };
        let value = match (&outcome.shown, outcome.origin) {
            (Some(value), _) => format!(" ({value})"),
            (None, ConditionOrigin::Given) => " (there are no data)".to_owned(),
            (None, ConditionOrigin::Implied) => String::new(),
        };
        lines.add("fail", &format!("{}: {answer}{value}", outcome.condition));
    }
}

/// The result, in a few words.
pub fn result(report: &BenchReport<'_>) -> String {
    let judgement = report.judgement;
    if !judgement.is_valid() {
        return format!("INVALID: {}", judgement.invalid.join("; "));
    }
    // Of steps conditions decide which held, and not whether the run is good.
    let is_asked = report.steps.is_empty()
        && report.outcomes.iter().any(|outcome| outcome.origin == ConditionOrigin::Given);
    match (report.has_failed(), is_asked) {
        (true, _) => "valid, FAILED".to_owned(),
        (false, true) => "valid, passed".to_owned(),
        (false, false) => "valid".to_owned(),
    }
}
