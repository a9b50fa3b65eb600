//! The report as one JSON object: members are only added.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::time::Duration;

use serde_json::Value;

use super::{BenchReport, cuts};
use crate::command::bench::conditions::{
    ConditionOrigin, ConditionOutcome, ConditionVerdict, Measured,
};
use crate::command::bench::config::{LoadPace, WindowLength};
use crate::command::bench::judge::{ServerPlace, Steadiness};
use crate::command::bench::measure::{LatencyTimes, Quantile};
use crate::command::bench::payload::Sizes;
use crate::command::bench::results::{LoadEnding, Second};
use crate::command::bench::schedule::ArrivalPattern;

/// The version of the form.
const SCHEMA: u32 = 1;

/// How many seconds are listed at most: then every two become one.
const MOST_SECONDS: usize = 3600;

/// An object that grows; its members stay in their order.
pub struct Object(String);

impl Object {
    /// An object without members.
    pub fn new() -> Self {
        Self("{".to_owned())
    }

    /// A member whose value is JSON already.
    pub fn raw(mut self, name: &str, value: impl Display) -> Self {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        // Writing to a `String` cannot fail.
        let _ = write!(self.0, "\"{name}\":{value}");
        self
    }

    /// A member that is a text.
    pub fn text(self, name: &str, value: &str) -> Self {
        self.raw(name, quoted(value))
    }

    fn texts<'a>(self, name: &str, values: impl IntoIterator<Item = &'a String>) -> Self {
        self.raw(name, array(values.into_iter().map(|value| quoted(value))))
    }

    /// A member that may be missing.
    pub fn maybe(self, name: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.raw(name, value),
            None => self.raw(name, "null"),
        }
    }

    /// The whole.
    pub fn end(self) -> String {
        self.0 + "}"
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// An array of values that are JSON already.
pub fn array(values: impl IntoIterator<Item = String>) -> String {
    let values: Vec<String> = values.into_iter().collect();
    format!("[{}]", values.join(","))
}

/// A number with a fraction; JSON has no infinity.
fn number(number: f64) -> String {
    Value::from(number).to_string()
}

/// A time in seconds.
pub fn seconds(time: Duration) -> String {
    number(time.as_secs_f64())
}

/// The whole report, without a line end.
pub fn render(report: &BenchReport<'_>) -> String {
    let BenchReport { load, server, results, judgement, .. } = report;
    let limit = judgement.limit.word();
    Object::new()
        .text("type", "bench")
        .raw("schema", SCHEMA)
        .text("version", env!("CARGO_PKG_VERSION"))
        .text("run", &format!("{:08x}", report.run))
        .text("part", "1/1")
        .raw("seed", load.seed)
        .text("start", report.start)
        .texts("argv", &report.plan.arguments)
        .raw("plan", plan(report))
        .raw("server", self::server(server))
        .raw("machine", machine(report))
        .raw("connections", connections(report))
        .raw("messages", messages(report))
        .raw("verified", verified(report))
        .raw("latency", latency(report))
        .raw("generator", generator(report))
        .raw("series", series(&results.series))
        .raw("steps", "[]")
        .raw("cuts", cuts::cuts(&results.disturbances.cuts))
        .raw("stalls", cuts::stalls(&results.disturbances.stalls))
        .maybe("churn", cuts::churn(load.disturbances.churn, &results.disturbances.churn))
        .text("limit", limit)
        .raw("valid", judgement.is_valid())
        .texts("invalid_because", &judgement.invalid)
        .raw("overload", judgement.is_overloaded())
        .raw("steady", judgement.steadiness == Steadiness::Steady)
        .raw("interrupted", results.ending != LoadEnding::Complete)
        .raw("conditions", array(report.outcomes.iter().map(condition)))
        .raw("passed", !report.has_failed())
        .end()
}

fn plan(report: &BenchReport<'_>) -> String {
    let load = report.load;
    let object = Object::new()
        .raw("publishers", load.plan.publishers)
        .raw("subscribers", load.plan.subscribers)
        .raw("idle", load.plan.idle)
        .raw("topics", load.plan.topics)
        .raw("qos", load.messages.qos.bits())
        .raw("sub_qos", load.messages.sub_qos.bits())
        .text("size", &sizes(&load.messages.sizes));
    let object = match load.pace {
        LoadPace::Open(offer) => object
            .text("loop", "open")
            .raw("rate", number(offer.rate))
            .text("arrival", if offer.arrival == ArrivalPattern::Even { "even" } else { "poisson" })
            .raw("tick", seconds(Duration::from_nanos(offer.tick)))
            .raw("inflight", "null"),
        LoadPace::Closed(limit) => object
            .text("loop", "closed")
            .raw("rate", "null")
            .raw("arrival", "null")
            .raw("tick", "null")
            .maybe("inflight", limit),
    };
    let object = match load.times.length {
        WindowLength::Time(time) => object.raw("for", seconds(time)).raw("count", "null"),
        WindowLength::Count(count) => object.raw("for", "null").raw("count", count),
    };
    object
        .raw("warmup", seconds(load.times.warmup))
        .raw("drain", seconds(load.times.drain))
        .maybe("connect_rate", load.connect_rate.map(number))
        .raw("session_expiry", cuts::expiry(load.sessions))
        .end()
}

/// The sizes as `--size` takes them.
fn sizes(sizes: &Sizes) -> String {
    match sizes {
        Sizes::Fixed(size) => size.to_string(),
        Sizes::Range(least, most) => format!("{least}..{most}"),
        Sizes::Weighted(all) => {
            let all: Vec<String> =
                all.iter().map(|(size, weight)| format!("{size}:{weight}")).collect();
            all.join(",")
        }
    }
}

fn server(server: &super::BenchServer) -> String {
    let tls = server.tls.as_ref().map(|(version, cipher)| {
        Object::new().text("version", version).text("cipher", cipher).end()
    });
    Object::new()
        .text("address", &server.address)
        .text("scheme", server.scheme)
        .maybe("tls", tls)
        .maybe("subprotocol", server.subprotocol.as_deref().map(quoted))
        .text("mqtt", &server.mqtt)
        .maybe("receive_maximum", server.receive_maximum)
        .raw("keep_alive", server.keep_alive)
        .end()
}

fn machine(report: &BenchReport<'_>) -> String {
    let (machine, generator) = (report.machine, &report.results.generator);
    Object::new()
        .raw("cores", machine.cores)
        .maybe("model", machine.model.as_deref().map(quoted))
        .maybe("kernel", machine.kernel.as_deref().map(quoted))
        .maybe("load_before", machine.load.map(number))
        .maybe("busy", generator.machine_busy.map(number))
        .maybe("steal", generator.steal.map(number))
        .raw("same_as_server", report.server.place == ServerPlace::Here)
        .end()
}

/// An object of counts.
pub fn counts<K: Display>(counts: &BTreeMap<K, u64>) -> String {
    let object = Object::new();
    counts.iter().fold(object, |object, (name, count)| object.raw(&name.to_string(), count)).end()
}

fn connections(report: &BenchReport<'_>) -> String {
    let results = &report.results.connections;
    Object::new()
        .raw("wanted", results.wanted)
        .raw("made", results.made)
        .raw("failed", counts(&results.failed))
        .raw("disconnected", counts(&results.disconnected))
        .raw("reconnected", results.reconnected)
        .raw("resumed", 0)
        .raw("took", seconds(results.took))
        .maybe("held", report.results.held.map(|(time, _)| seconds(time)))
        .maybe("online", report.results.held.map(|(_, online)| online))
        .end()
}

fn messages(report: &BenchReport<'_>) -> String {
    let results = &report.results.messages;
    let refused: BTreeMap<String, u64> =
        results.refused.iter().map(|(code, count)| (format!("0x{:02x}", code.0), *count)).collect();
    Object::new()
        .raw("sent", results.sent)
        .raw("acknowledged", results.acknowledged)
        .raw("refused", results.refusals())
        .raw("refused_by_code", counts(&refused))
        .raw("unacknowledged", results.unacknowledged)
        .raw("unsent", results.unsent)
        .raw("expected", results.expected)
        .raw("received", results.received)
        .raw("window", seconds(results.window))
        .raw("sent_rate", number(results.sent_rate()))
        .raw("rate", number(results.rate()))
        .end()
}

fn verified(report: &BenchReport<'_>) -> String {
    let verified = &report.results.verified;
    Object::new()
        .raw("sent", verified.copies)
        .raw("lost", verified.lost)
        .raw("duplicated", verified.duplicated)
        .raw("duplicated_with_dup", verified.duplicated_with_dup)
        .raw("reordered", verified.reordered)
        .raw("corrupted", verified.corrupted)
        .raw("missed", verified.missed)
        .raw("foreign", verified.foreign)
        .raw("undecided", verified.undecided)
        .end()
}

fn quantile(quantile: Option<Quantile>) -> String {
    match quantile {
        Some(Quantile::Time(time)) => time.to_string(),
        Some(Quantile::Never) => "\"never\"".to_owned(),
        None => "null".to_owned(),
    }
}

/// Times in nanoseconds; `null` if nothing was expected.
pub fn times(times: &LatencyTimes) -> String {
    if times.count() + times.never() == 0 {
        return "null".to_owned();
    }
    let buckets = times.buckets().into_iter().map(|(low, count)| format!("[{low},{count}]"));
    Object::new()
        .raw("count", times.count())
        .raw("never", times.never())
        .maybe("min", times.minimum())
        .maybe("mean", times.mean())
        .raw("p50", quantile(times.quantile(0.5)))
        .raw("p90", quantile(times.quantile(0.9)))
        .raw("p99", quantile(times.quantile(0.99)))
        .raw("p99.9", quantile(times.quantile(0.999)))
        .raw("p99.99", quantile(times.quantile(0.9999)))
        .raw("max", quantile(times.maximum()))
        .raw("histogram", array(buckets))
        .end()
}

fn latency(report: &BenchReport<'_>) -> String {
    let (latencies, connect) = (&report.results.latencies, &report.results.connections.times);
    let kind = match report.load.pace {
        LoadPace::Open(_) => "response",
        LoadPace::Closed(_) => "service",
    };
    Object::new()
        .text("kind", kind)
        .raw("delivery", times(&latencies.delivery))
        .raw("ack", times(&latencies.acknowledgement))
        .raw("away_from_cuts", times(&report.results.disturbances.away))
        .raw("connect", times(&connect.whole))
        .raw("tcp", times(&connect.tcp))
        .raw("tls", times(&connect.tls))
        .raw("upgrade", times(&connect.upgrade))
        .raw("connack", times(&connect.connack))
        .raw("suback", times(&connect.suback))
        .raw("ping", times(&connect.pong))
        .end()
}

fn generator(report: &BenchReport<'_>) -> String {
    let generator = &report.results.generator;
    let cpu = Object::new().raw("cpu", number(generator.cpu)).end();
    Object::new()
        .raw("loops", array([cpu]))
        .raw("cpu_connecting", number(generator.cpu_connecting))
        .raw("rss", generator.rss)
        .raw("lateness", times(&report.results.latencies.lateness))
        .raw("turn", times(&generator.turn))
        .raw("blocked", number(generator.blocked))
        .raw("window_full", number(generator.window_full))
        .end()
}

fn series(all: &[Second]) -> String {
    // How many seconds one entry stands for.
    let mut each = 1;
    while all.len().div_ceil(each) > MOST_SECONDS {
        each *= 2;
    }
    array(all.chunks(each).enumerate().map(|(at, seconds)| second(at * each, seconds)))
}

#[expect(clippy::cast_precision_loss, reason = "a share has few digits")]
fn second(at: usize, seconds: &[Second]) -> String {
    let last = seconds.last().copied().unwrap_or_default();
    let worst = seconds.iter().filter_map(|second| second.quantiles);
    let (p50, p99) = (worst.clone().map(|it| it.0).max(), worst.map(|it| it.1).max());
    let lateness = seconds.iter().filter_map(|second| second.lateness).max();
    let cpu = seconds.iter().map(|second| second.cpu).sum::<f64>() / seconds.len().max(1) as f64;
    Object::new()
        .raw("t", at)
        .raw("sent", seconds.iter().map(|second| second.sent).sum::<u64>())
        .raw("received", seconds.iter().map(|second| second.received).sum::<u64>())
        .maybe("p50", p50)
        .maybe("p99", p99)
        .raw("missing", last.missing)
        .raw("online", last.online)
        .maybe("lateness_p99", lateness)
        .raw("cpu", number(cpu))
        .end()
}

fn condition(outcome: &ConditionOutcome) -> String {
    let value = match outcome.value {
        Measured::Number(value) if value.fract() == 0.0 => format!("{value:.0}"),
        Measured::Number(value) => number(value),
        Measured::Never => "\"never\"".to_owned(),
        Measured::Nothing => "null".to_owned(),
    };
    Object::new()
        .text("condition", &outcome.condition)
        .raw("implied", outcome.origin == ConditionOrigin::Implied)
        .raw("value", value)
        .raw("true", outcome.verdict == ConditionVerdict::Failed)
        .end()
}
