//! The report as lines.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use super::BenchReport;
use crate::client::fleet::Cause;
use crate::command::bench::conditions::{ConditionOrigin, ConditionOutcome, ConditionVerdict};
use crate::command::bench::config::{Comeback, LoadPace, SessionKeeping, WindowLength};
use crate::command::bench::judge::{LoadLimit, ServerPlace};
use crate::command::bench::measure::{LatencyTimes, Quantile, brief, precise};
use crate::command::bench::payload::Sizes;
use crate::command::bench::results::LoadEnding;
use crate::command::bench::schedule::ArrivalPattern;
use crate::command::bench::words;
use crate::mqtt::qos::QoS;

/// The shares of the table of times.
const SHARES: [f64; 5] = [0.5, 0.9, 0.99, 0.999, 0.9999];

/// How wide the name of a line is.
const NAME: usize = 10;

/// Lines that grow.
struct TextLines(String);

impl TextLines {
    /// A line with a name.
    fn add(&mut self, name: &str, text: &str) {
        let line = format!("{name:NAME$} {text}");
        self.0.push_str(line.trim_end());
        self.0.push('\n');
    }

    /// A row of a table.
    fn row(&mut self, name: &str, cells: &[String]) {
        // Writing to a `String` cannot fail.
        let _ = writeln!(self.0, "{name:15}{}", cells.join(" "));
    }
}

/// The whole report, without its last line end.
pub fn render(report: &BenchReport<'_>) -> String {
    let mut lines = TextLines(String::new());
    lines.add("bench", &format!("run {:08x}: {}", report.run, plan(report)));
    lines.add("server", &server(report));
    lines.add("machine", &machine(report));
    connections(report, &mut lines);
    if report.results.held.is_some() {
        held(report, &mut lines);
    }
    if report.load.plan.publishers > 0 {
        messages(report, &mut lines);
    }
    cuts(report, &mut lines);
    if report.load.plan.publishers > 0 {
        times(report, &mut lines);
    }
    notes(report, &mut lines);
    generator(report, &mut lines);
    lines.add("limit", &limit(report));
    conditions(report.outcomes, &mut lines);
    lines.add("result", &result(report));
    lines.0.truncate(lines.0.trim_end().len());
    lines.0
}

fn cuts(report: &BenchReport<'_>, lines: &mut TextLines) {
    for cut in &report.results.disturbances.cuts {
        let [happened, waited] = super::cuts::lines(cut, report.load.sessions);
        lines.add("cut", &happened);
        if report.load.plan.publishers > 0 {
            lines.add("", &waited);
        }
    }
    for stall in &report.results.disturbances.stalls {
        let [happened, waited] = super::cuts::stall_lines(stall);
        lines.add("stall", &happened);
        if report.load.plan.publishers > 0 {
            lines.add("", &waited);
        }
    }
    if let Some(rate) = report.load.disturbances.churn {
        let churn = &report.results.disturbances.churn;
        lines.add("churn", &super::cuts::churn_line(rate, churn, report.load.sessions));
    }
}

fn plural(count: usize, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", words::thousands(count as u64))
}

/// What was done, in one line.
fn plan(report: &BenchReport<'_>) -> String {
    let load = report.load;
    let plan = load.plan;
    let mut parts = Vec::new();
    if plan.publishers + plan.subscribers == 0 {
        parts.push(plural(plan.idle, "connection"));
        parts.extend(load.connect_rate.map(words::rate));
        let held = match load.times.length {
            WindowLength::Time(time) => words::given(time),
            WindowLength::Count(_) => "0 s".to_owned(),
        };
        return parts.join(", ") + &format!(", then held for {held}");
    }
    if plan.publishers > 0 {
        parts.push(plural(plan.publishers, "publisher"));
    }
    if plan.subscribers > 0 {
        parts.push(plural(plan.subscribers, "subscriber"));
    }
    if plan.idle > 0 {
        parts.push(plural(plan.idle, "idle connection"));
    }
    parts.push(plural(plan.topics, "topic"));
    let (qos, sub_qos) = (load.messages.qos.bits(), load.messages.sub_qos.bits());
    parts.push(if qos == sub_qos || plan.subscribers == 0 {
        format!("QoS {qos}")
    } else {
        format!("QoS {qos} to {sub_qos}")
    });
    if plan.publishers > 0 {
        parts.push(sizes(&load.messages.sizes));
        parts.push(pace(load.pace));
    }
    parts.extend(sessions(load.sessions));
    parts.join(", ")
}

/// How long sessions are kept.
fn sessions(sessions: SessionKeeping) -> Option<String> {
    match sessions {
        SessionKeeping::Connection => None,
        SessionKeeping::Kept(u32::MAX) => Some("sessions kept".to_owned()),
        SessionKeeping::Kept(expiry) => {
            Some(format!("sessions kept {} s", words::thousands(expiry.into())))
        }
    }
}

/// How long the messages are.
pub fn sizes(sizes: &Sizes) -> String {
    let size = |size: usize| words::thousands(size as u64);
    match sizes {
        Sizes::Fixed(bytes) => format!("{} bytes", size(*bytes)),
        Sizes::Range(least, most) => format!("{} to {} bytes", size(*least), size(*most)),
        Sizes::Weighted(all) => {
            let all: Vec<String> = all.iter().map(|(bytes, _)| size(*bytes)).collect();
            format!("{} bytes", all.join("/"))
        }
    }
}

fn pace(pace: LoadPace) -> String {
    match pace {
        LoadPace::Open(offer) => {
            let random = if offer.arrival == ArrivalPattern::Poisson { ", poisson" } else { "" };
            format!("open loop at {}{random}", words::rate(offer.rate))
        }
        LoadPace::Closed(Some(limit)) => {
            format!("closed loop, {} in flight each", words::thousands(limit))
        }
        LoadPace::Closed(None) => "closed loop".to_owned(),
    }
}

fn server(report: &BenchReport<'_>) -> String {
    let server = report.server;
    let mut parts = vec![server.address.clone(), server.scheme.to_owned()];
    if let Some((version, cipher)) = &server.tls {
        parts.push(version.replace("TLSv", "TLS "));
        parts.push(cipher.clone());
    }
    parts.push(match &server.subprotocol {
        Some(name) => format!("subprotocol {name}"),
        None => "no subprotocol".to_owned(),
    });
    parts.push(format!("MQTT {}", server.mqtt));
    parts.extend(server.receive_maximum.map(|most| format!("receive maximum {most}")));
    parts.join(", ")
}

fn machine(report: &BenchReport<'_>) -> String {
    let machine = report.machine;
    let mut text = plural(machine.cores, "core");
    if let Some(kernel) = &machine.kernel {
        let version: Vec<&str> = kernel.split(['-', '+']).take(1).collect();
        // Writing to a `String` cannot fail.
        let _ = write!(text, ", {} {}", system_name(), version.join(""));
    }
    if let Some(load) = machine.load {
        let _ = write!(text, ", load {load:.1} before the start");
    }
    let place = match report.server.place {
        ServerPlace::Here => "this machine",
        ServerPlace::Elsewhere => "another machine",
    };
    text + &format!("; 1 loop; the server is on {place}")
}

fn system_name() -> &'static str {
    match std::env::consts::OS {
        "linux" => "Linux",
        other => other,
    }
}

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

fn connections(report: &BenchReport<'_>, lines: &mut TextLines) {
    let results = &report.results.connections;
    let (made, wanted) = (words::thousands(results.made), words::thousands(results.wanted));
    let head = format!("{made} of {wanted} in {}", words::seconds(results.took));
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
    if report.server.tls.is_some() {
        text += "; TLS resumed 0";
    }
    text
}

fn causes(causes: &BTreeMap<Cause, u64>) -> String {
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

fn held(report: &BenchReport<'_>, lines: &mut TextLines) {
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

fn messages(report: &BenchReport<'_>, lines: &mut TextLines) {
    let messages = &report.results.messages;
    let warmup = report.load.times.warmup;
    let after = if warmup.is_zero() {
        String::new()
    } else {
        format!(" after {:.1} s of warm-up", warmup.as_secs_f64())
    };
    let window = words::seconds(messages.window);
    lines.add("measured", &format!("{window}{after}"));
    let interrupted = match report.results.ending {
        LoadEnding::Interrupted(_, after) => {
            Some(format!("after {}: sending ended then", words::seconds(after)))
        }
        LoadEnding::Complete => None,
    };
    if let Some(text) = interrupted {
        lines.add("interrupted", &text);
    }
    let (count, rate) =
        (words::thousands(messages.sent), words::rate(messages.sent_rate().round()));
    let mut sent = format!("{count}   {rate}   ");
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
    sent += &parts.join(", ");
    lines.add("sent", &sent);
    if report.load.plan.subscribers > 0 {
        received(report, lines);
    }
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
        && matches!(report.judgement.limit, LoadLimit::Generator | LoadLimit::Machine);
    let at_least = if is_least { "at least " } else { "" };
    let rate = words::rate(messages.rate().round());
    let expected = words::thousands(messages.expected);
    let never = report.results.latencies.delivery.never();
    let is_late = messages.received < messages.expected && never == 0;
    let late = if is_late { "; the others came after the window" } else { "" };
    lines.add("received", &format!("{count}   {at_least}{rate}   of {expected}{late}"));
    let verified = &report.results.verified;
    let at_most = if verified.undecided > 0 && verified.lost > 0 { "at most " } else { "" };
    let warmup = if report.load.times.warmup.is_zero() { "" } else { " with the warm-up" };
    let mut text = format!(
        "{}{warmup}: lost {at_most}{}, duplicated {}{}, reordered {}, corrupted {}",
        words::thousands(verified.copies),
        words::thousands(verified.lost),
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

fn times(report: &BenchReport<'_>, lines: &mut TextLines) {
    let latencies = &report.results.latencies;
    let is_open = matches!(report.load.pace, LoadPace::Open(_));
    let delivery = if is_open { "delivery" } else { "service" };
    let rows = [
        (delivery, &latencies.delivery),
        ("  away from cut", &report.results.disturbances.away),
        ("acknowledgement", &latencies.acknowledgement),
        ("lateness", &latencies.lateness),
    ];
    let rows: Vec<_> =
        rows.into_iter().filter(|(_, times)| times.count() + times.never() > 0).collect();
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

fn notes(report: &BenchReport<'_>, lines: &mut TextLines) {
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
    if let (Some(overload), LoadPace::Open(offer)) = (judgement.overload, load.pace) {
        let growth = overload.growth.map(|growth| Duration::from_secs_f64(growth / 1e9));
        let growth = growth.map(|growth| {
            let growth = precise(crate::command::bench::clock::number(growth));
            format!(": latency grew by {growth} a second")
        });
        let rate = words::rate(offer.rate);
        let growth = growth.unwrap_or_default();
        lines.add("overload", &format!("at {rate}{growth}; these quantiles depend on --for"));
    }
}

fn generator(report: &BenchReport<'_>, lines: &mut TextLines) {
    let generator = &report.results.generator;
    let cpu = words::percent(generator.cpu * 100.0);
    let rss = words::memory(generator.rss);
    if report.load.plan.publishers == 0 {
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
        LoadPace::Open(_) => " (so much of a latency can be the generator's own)",
        LoadPace::Closed(_) => "",
    };
    lines.add("generator", &format!("busiest loop {cpu} CPU, {rss}; turns p99 {turn}{bound}"));
}

fn limit(report: &BenchReport<'_>) -> String {
    let BenchReport { results, machine, judgement, .. } = report;
    let is_sending = report.load.plan.publishers > 0;
    match judgement.limit {
        LoadLimit::NotReached if is_sending => {
            "not reached: what was offered was delivered".to_owned()
        }
        LoadLimit::NotReached => "not reached: all connections were made and stood".to_owned(),
        LoadLimit::Generator if !judgement.is_valid() => {
            "generator: the run proves nothing about the server".to_owned()
        }
        LoadLimit::Generator => {
            let rate = words::rate(results.messages.rate().round());
            format!("generator: its loop was busy. The server does at least {rate}")
        }
        LoadLimit::Machine => {
            let busy = words::percent(results.generator.machine_busy.unwrap_or(1.0) * 100.0);
            let own = (results.generator.cpu * 100.0).round();
            let all = machine.cores * 100;
            if !is_sending {
                return format!("machine: it was {busy} busy, {own} of {all} % with the generator");
            }
            let rate = words::rate(results.messages.rate().round());
            format!(
                "machine: it was {busy} busy, {own} of {all} % with the generator. The server \
                 alone may do more: at least {rate}"
            )
        }
        LoadLimit::ServerRefused => "server: it refused connections".to_owned(),
        LoadLimit::ServerLost => "server: it lost messages or connections".to_owned(),
        LoadLimit::ServerBlocked(share) => {
            format!("server: windows or sockets were full for {share} % of the time")
        }
        LoadLimit::ServerBehind => "server: it delivered less than was offered".to_owned(),
        LoadLimit::Unknown => {
            "unknown: neither is busy: latency times window sets the rate; raise -M \
                           or --pub"
                .to_owned()
        }
    }
}

fn conditions(outcomes: &[ConditionOutcome], lines: &mut TextLines) {
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

fn result(report: &BenchReport<'_>) -> String {
    let judgement = report.judgement;
    if !judgement.is_valid() {
        return format!("INVALID: {}", judgement.invalid.join("; "));
    }
    let is_asked = report.outcomes.iter().any(|outcome| outcome.origin == ConditionOrigin::Given);
    match (report.has_failed(), is_asked) {
        (true, _) => "valid, FAILED".to_owned(),
        (false, true) => "valid, passed".to_owned(),
        (false, false) => "valid".to_owned(),
    }
}
