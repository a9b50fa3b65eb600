//! The report as one JSON object: members are only added.

mod compared;
mod disturbances;
pub mod object;

use std::collections::BTreeMap;
use std::time::Duration;

use super::{BenchReport, split};
use crate::command::bench::conditions::{ConditionOrigin, ConditionOutcome, ConditionVerdict};
use crate::command::bench::config::{Comeback, LoadPace, WindowLength};
use crate::command::bench::figures::{COMPARED, RunFigures};
use crate::command::bench::judge::{ServerPlace, Steadiness};
use crate::command::bench::payload::Verification;
use crate::command::bench::plan::Audience;
use crate::command::bench::results::{LoadEnding, Second};
use crate::command::bench::schedule::ArrivalPattern;
use crate::command::bench::server::BenchServer;
use crate::command::bench::step_outcome::{StepCounts, StepOutcome};
use crate::mqtt::qos::QoS;
use object::{Object, array, counts, measured, number, quantile, quoted, seconds, times};

/// The version of the form.
const SCHEMA: u32 = 1;

/// How many seconds are listed at most: then every two become one.
const MOST_SECONDS: usize = 3600;

/// The whole report, without a line end.
pub fn render(report: &BenchReport<'_>) -> String {
    let BenchReport { load, surroundings, results, judgement, .. } = report;
    let limit = judgement.limit.word();
    Object::new()
        .text("type", "bench")
        .raw("schema", SCHEMA)
        .text("version", env!("CARGO_PKG_VERSION"))
        .text("run", &format!("{:08x}", report.surroundings.run))
        .text("part", &surroundings.part.to_string())
        .raw("seed", load.seed)
        .text("start", &report.surroundings.start)
        .texts("argv", &report.plan.arguments)
        .raw("plan", plan(report))
        .raw("server", server(&surroundings.server))
        .raw("machine", machine(report))
        .raw("connections", connections(report))
        .raw("messages", messages(report))
        .raw("verified", verified(report))
        .maybe("split", split::split(&results.verified.split))
        .raw("latency", latency(report))
        .raw("generator", generator(report))
        .raw("series", series(&results.series))
        .raw("runs", array(report.runs.iter().map(run)))
        .raw("steps", array(report.steps.iter().map(step)))
        .raw("cuts", disturbances::cuts(&results.disturbances.cuts))
        .raw("stalls", disturbances::stalls(&results.disturbances.stalls))
        .maybe("retained", results.disturbances.retained.as_ref().map(disturbances::retained))
        .maybe("wills", results.disturbances.wills.as_ref().map(disturbances::wills))
        .maybe("groups", results.groups.as_ref().map(disturbances::groups))
        .maybe("churn", disturbances::churn(load.disturbances.churn, &results.disturbances.churn))
        .text("limit", limit)
        .raw("valid", judgement.is_valid())
        .texts("invalid_because", &judgement.invalid)
        .raw("overload", judgement.is_overloaded())
        .raw("steady", judgement.steadiness == Steadiness::Steady)
        .raw("interrupted", matches!(results.ending, LoadEnding::Interrupted(..)))
        .maybe("ended_after", ended_after(results.ending).map(seconds))
        .raw("failed_fast", matches!(results.ending, LoadEnding::FailedFast(_)))
        .raw("conditions", array(report.outcomes.iter().map(condition)))
        .raw("passed", !report.has_failed())
        .maybe("baseline", report.comparison.map(compared::baseline))
        .end()
}

fn plan(report: &BenchReport<'_>) -> String {
    let load = report.load;
    let verification = match load.messages.verification {
        Verification::Full => "full",
        Verification::None => "none",
    };
    let object = Object::new()
        .text("verify", verification)
        .raw("publishers", load.plan.own_publishers())
        .raw("subscribers", load.plan.subscribers)
        .raw("idle", load.plan.idle)
        .raw("topics", load.plan.own_topics())
        .maybe("filter", load.filter.as_deref().map(quoted))
        .maybe("share_groups", load.plan.groups)
        .raw("qos", load.messages.qos.bits())
        .raw("sub_qos", load.messages.sub_qos.bits())
        .text("size", &load.messages.sizes.to_string())
        .maybe("body", load.messages.body.as_ref().map(|body| quoted(&body.name)));
    let object = match load.pace {
        LoadPace::Open(offer) => object
            .text("loop", "open")
            .raw("rate", number(offer.rate))
            .text("arrival", if offer.arrival == ArrivalPattern::Even { "even" } else { "poisson" })
            .raw("tick", seconds(Duration::from_nanos(offer.tick)))
            .maybe("inflight", load.messages.window),
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
        .raw("session_expiry", disturbances::expiry(load.sessions))
        .raw("sub_all", load.plan.audience == Audience::Everyone)
        .raw("reconnect", load.comeback == Comeback::Soon)
        .text("course", load.times.course.word())
        .maybe("steps_of", load.times.course.stepped().map(|of| quoted(of.word())))
        .end()
}

fn server(server: &BenchServer) -> String {
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
    let (machine, generator) = (&report.surroundings.machine, &report.results.generator);
    Object::new()
        .raw("cores", machine.cores)
        .maybe("model", machine.model.as_deref().map(quoted))
        .maybe("kernel", machine.kernel.as_deref().map(quoted))
        .maybe("load_before", machine.load.map(number))
        .maybe("busy", generator.machine_busy.map(number))
        .maybe("steal", generator.steal.map(number))
        .raw("same_as_server", report.surroundings.server.place == ServerPlace::Here)
        .end()
}

fn connections(report: &BenchReport<'_>) -> String {
    let results = &report.results.connections;
    Object::new()
        .raw("wanted", results.wanted)
        .raw("made", results.made)
        .raw("failed", counts(&results.failed))
        .raw("disconnected", counts(&results.disconnected))
        .raw("reconnected", results.reconnected)
        .raw("resumed", results.resumed)
        .raw("took", seconds(results.took))
        .maybe("held", report.results.held.map(|(time, _)| seconds(time)))
        .maybe("online", report.results.held.map(|(_, online)| online))
        .maybe("granted", report.results.granted.map(QoS::bits))
        .maybe("first_failed", results.first_failed.map(first_failed))
        .raw("sessions_left", report.results.disturbances.sessions_left)
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
        .raw("after", seconds(results.after))
        .raw("backlog", results.backlog)
        .raw("emptied", results.emptied)
        .raw("retained_left", report.results.disturbances.retained_left)
        .raw("sent_rate", number(results.sent_rate()))
        .raw("rate", number(results.rate()))
        .end()
}

fn verified(report: &BenchReport<'_>) -> String {
    let verified = &report.results.verified;
    let is_known = report.load.messages.verification == Verification::Full;
    let found = |count: u64| Some(count).filter(|_| is_known);
    // What was published in another part is judged with that.
    let decided = |count: u64| Some(count).filter(|_| !verified.split.is_open());
    Object::new()
        .maybe("sent", decided(verified.copies))
        .maybe("lost", found(verified.lost).and_then(decided))
        .maybe("duplicated", found(verified.duplicated))
        .maybe("duplicated_with_dup", found(verified.duplicated_with_dup))
        .maybe("reordered", found(verified.reordered))
        .maybe("corrupted", found(verified.corrupted))
        .maybe("missed", found(verified.missed).and_then(decided))
        .maybe("foreign", found(verified.foreign))
        .maybe("undecided", found(verified.undecided))
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
        .raw("first_third", times(&latencies.thirds[0]))
        .raw("last_third", times(&latencies.thirds[1]))
        .end()
}

fn generator(report: &BenchReport<'_>) -> String {
    let generator = &report.results.generator;
    let loops = generator.loops.iter().map(|cpu| Object::new().raw("cpu", number(*cpu)).end());
    Object::new()
        .raw("loops", array(loops))
        .raw("cpu_connecting", number(generator.cpu_connecting))
        .raw("rss", generator.rss)
        .raw("rss_before", generator.rss_before)
        .raw("publishers", generator.publishers)
        .maybe("longest_turn", generator.longest_turn.map(longest_turn))
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

fn ended_after(ending: LoadEnding) -> Option<Duration> {
    match ending {
        LoadEnding::Interrupted(_, after)
        | LoadEnding::FailedFast(after)
        | LoadEnding::Running(after, _) => Some(after),
        LoadEnding::Complete => None,
    }
}

fn first_failed((connection, after): (usize, Duration)) -> String {
    Object::new().raw("connection", connection).raw("after", seconds(after)).end()
}

fn longest_turn((second, turn): (u64, u64)) -> String {
    Object::new().raw("t", second).raw("turn", turn).end()
}

/// The figures of one run.
fn run(figures: &RunFigures) -> String {
    let values = COMPARED.iter().zip(&figures.0);
    values.fold(Object::new(), |object, (name, value)| object.raw(name, measured(*value))).end()
}

fn step(step: &StepOutcome) -> String {
    let [p50, p99, max] = step.times.map(quantile);
    let (messages, connections) = match &step.counts {
        StepCounts::Messages(counts) => (Some(counts), None),
        StepCounts::Connections(counts) => (None, Some(counts)),
    };
    Object::new()
        .raw("offered", number(step.plan.rate))
        .raw("for", seconds(step.plan.length))
        .maybe("sent", messages.map(|it| it.sent))
        .maybe("delivered", messages.map(|it| number(it.delivered)))
        .maybe("lost", messages.map(|it| it.lost))
        .maybe("unsent", messages.map(|it| it.unsent))
        .maybe("due", connections.map(|it| it.due))
        .maybe("made", connections.map(|it| it.made))
        .maybe("made_rate", connections.map(|it| number(it.rate)))
        .maybe("failed", connections.map(|it| counts(&it.failed)))
        .maybe("not_begun", connections.map(|it| it.not_begun))
        .raw("p50", p50)
        .raw("p99", p99)
        .raw("max", max)
        .raw("lateness_p99", quantile(step.lateness))
        .raw("cpu", number(step.cpu))
        .text("limit", step.limit.word())
        .raw("overload", step.overload.is_some())
        .raw("held", step.has_held())
        .texts("because", &step.because)
        .end()
}

fn condition(outcome: &ConditionOutcome) -> String {
    Object::new()
        .text("condition", &outcome.condition)
        .raw("implied", outcome.origin == ConditionOrigin::Implied)
        .raw("value", measured(outcome.value))
        .raw("true", outcome.verdict == ConditionVerdict::Failed)
        .end()
}
