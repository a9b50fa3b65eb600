//! The cases.

use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::broker::{Script, ScriptedBroker};
use super::log::Log;
use super::outcome::{Outcome, begin};
use super::{Bench, ports};
use crate::Failure;
use crate::broker::Broker;
use crate::stream::Identity;

/// A case: what was found, or why it failed.
pub type Case = fn(&Bench) -> Result<String, Failure>;

/// All cases with their names.
pub fn all() -> Vec<(&'static str, Case)> {
    vec![
        ("delay-constant", |bench| delays(bench, Script::Constant(millis(5)), 10_000)),
        ("delay-two", |bench| delays(bench, Script::Two(millis(1), millis(50), 0.1), 10_000)),
        ("delay-exponential", |bench| delays(bench, Script::Exponential(millis(5)), 10_000)),
        ("stall-1-q0", |bench| stall(bench, "--pub 1 --sub 1 -q 0")),
        ("stall-1-q1", |bench| stall(bench, "--pub 1 --sub 1 -q 1")),
        ("stall-100-q0", |bench| stall(bench, "--pub 100 --sub 1 -q 0")),
        ("stall-100-q1", |bench| stall(bench, "--pub 100 --sub 1 -q 1")),
        ("stall-closed", stall_of_a_closed_loop),
        ("stall-mosquitto", stopped_mosquitto),
        ("stopped", |bench| stopped(bench, "--rate 1000 -q 0")),
        ("stopped-q1", |bench| stopped(bench, "--rate 20000 -q 1 -M 20")),
        ("stopped-closed", stopped_closed_loop),
        ("busy-core", busy_core),
        ("beyond-power", beyond_power),
        ("descriptors", descriptors),
        ("ports", ports::few),
        ("slow-open", |bench| slow_server(bench, "--rate 2000 -q 1")),
        ("slow-closed", |bench| slow_server(bench, "-q 1")),
    ]
}

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn check(holds: bool, what: impl Into<String>) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(what.into().into()) }
}

/// The quantiles that are compared.
const SHARES: [(f64, &str); 4] = [(0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9")];

#[expect(clippy::cast_precision_loss, reason = "times")]
fn float(number: u64) -> f64 {
    number as f64
}

/// Nanoseconds as milliseconds.
fn ms(time: f64) -> String {
    format!("{:.2}", time / 1e6)
}

/// How far a quantile may be from what the broker knows, in nanoseconds.
fn slack(truth: f64) -> f64 {
    (truth * 0.02).max(200_000.0)
}

/// The report against the broker's log: from the time at which a message was due to the time at
/// which it left. How late it came to the broker is the generator's, which says so itself.
fn compare(outcome: &Outcome, log: &Log) -> Result<String, Failure> {
    let mut text = Vec::new();
    for (share, name) in SHARES {
        let shown = outcome.number(&format!("/latency/delivery/{name}"));
        let (kept, whole) = (float(log.kept(share)), float(log.whole(share)));
        let line = format!("{name} {} (kept {}, left {})", ms(shown), ms(kept), ms(whole));
        check((shown - whole).abs() <= slack(whole), format!("{line}: {}", outcome.why()))?;
        text.push(line);
    }
    Ok(text.join(", "))
}

fn delays(bench: &Bench, script: Script, count: u64) -> Result<String, Failure> {
    let broker = ScriptedBroker::start(script)?;
    let flags = format!(
        "--pub 1 --sub 1 --rate 1000 --warmup 0 --for {}s --tolerate reordered,overload",
        count / 1000
    );
    let outcome = begin(&[&bench.program], &broker.url(), &flags)?.finish()?;
    let log = broker.log();
    let sent = outcome.number("/messages/sent");
    check(sent == float(count), format!("sent {sent}: {}", outcome.stderr()))?;
    let reordered = outcome.number("/verified/reordered");
    check(reordered == float(log.reordered), format!("reordered {reordered}"))?;
    let text = compare(&outcome, &log)?;
    // On a machine that does other things, too.
    let why = if outcome.is_valid() { "valid".to_owned() } else { outcome.why() };
    Ok(format!("{text}; {why}"))
}

/// What every open loop must print of a stall of 2 s in 20 s.
fn check_stall(outcome: &Outcome) -> Result<String, Failure> {
    let histogram = outcome.at("/latency/delivery/histogram").as_array().ok_or("no histogram")?;
    let all = outcome.number("/latency/delivery/count");
    let mut text = Vec::new();
    for (share, expected) in [(0.95, 1.0), (0.99, 1.8), (0.999, 1.98), (1.0, 2.0)] {
        let mut counted = 0.0;
        let at = histogram.iter().find_map(|bucket| {
            counted += bucket[1].as_f64()?;
            (counted >= all * share - 1e-6).then(|| bucket[0].as_f64())?
        });
        let at = at.unwrap_or(f64::INFINITY) / 1e9;
        let line = format!("p{} {at:.3} s", share * 100.0);
        check((at - expected).abs() <= 0.03 * expected, line.clone())?;
        text.push(line);
    }
    let p50 = outcome.number("/latency/delivery/p50");
    check(p50 < 5e6, format!("p50 {}", ms(p50)))?;
    let series = outcome.at("/series").as_array().ok_or("no series")?;
    let worst = series.iter().filter(|second| second["p99"].as_f64() > Some(5e8)).count();
    check((1..=4).contains(&worst), format!("{worst} bad seconds"))?;
    check(outcome.number("/messages/unsent") == 0.0, "unsent")?;
    check(outcome.number("/verified/lost") == 0.0, "lost")?;
    check(outcome.is_valid(), outcome.why())?;
    Ok(format!("p50 {} ms, {}, {worst} bad seconds", ms(p50), text.join(", ")))
}

fn stall(bench: &Bench, flags: &str) -> Result<String, Failure> {
    let broker = ScriptedBroker::start(Script::Stall(millis(8000), millis(2000)))?;
    let flags = format!("{flags} --rate 1000 --for 20s");
    check_stall(&begin(&[&bench.program], &broker.url(), &flags)?.finish()?)
}

/// One message a slot of the window is late, and the note says what its times are.
fn stall_of_a_closed_loop(bench: &Bench) -> Result<String, Failure> {
    let broker = ScriptedBroker::start(Script::Stall(millis(3000), millis(2000)))?;
    let flags = "--pub 1 --sub 1 -q 1 -M 50 --for 5s --warmup 1";
    let outcome = begin(&[&bench.program], &broker.url(), flags)?.finish()?;
    let histogram = outcome.at("/latency/delivery/histogram").as_array().ok_or("no histogram")?;
    let late = histogram.iter().filter(|bucket| bucket[0].as_f64() > Some(1e9));
    let late: u64 = late.filter_map(|bucket| bucket[1].as_u64()).sum();
    check((1..=50).contains(&late), format!("{late} late"))?;
    check(outcome.at("/latency/kind") == "service", "kind")?;
    Ok(format!("{late} late of a window of 50"))
}

fn signal(id: u32, signal: Signal) -> Result<(), Failure> {
    Ok(kill(Pid::from_raw(i32::try_from(id)?), signal)?)
}

fn stopped_mosquitto(bench: &Bench) -> Result<String, Failure> {
    if !bench.has_mosquitto {
        return Ok("left out: no mosquitto".to_owned());
    }
    let folder = std::env::temp_dir().join(format!("mqttws-honest-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let broker = Broker::start(&folder.display().to_string(), &Identity::new()?)?;
    let url = format!("ws://127.0.0.1:{}/mqtt", broker.ws);
    let flags = "--pub 1 --sub 1 --rate 1000 --for 20s";
    let running = begin(&[&bench.program], &url, flags)?;
    thread::sleep(millis(10_000));
    signal(broker.id(), Signal::SIGSTOP)?;
    thread::sleep(millis(2000));
    signal(broker.id(), Signal::SIGCONT)?;
    let result = check_stall(&running.finish()?);
    std::fs::remove_dir_all(&folder)?;
    result
}

/// Stops the generator for 300 ms in the middle of a run.
fn stop(bench: &Bench, flags: &str) -> Result<Outcome, Failure> {
    let broker = ScriptedBroker::start(Script::Constant(millis(1)))?;
    let flags = format!("--pub 1 --sub 1 {flags} --warmup 1 --for 5s");
    let running = begin(&[&bench.program], &broker.url(), &flags)?;
    thread::sleep(millis(3000));
    signal(running.id(), Signal::SIGSTOP)?;
    thread::sleep(millis(300));
    signal(running.id(), Signal::SIGCONT)?;
    running.finish()
}

/// It says that it was itself, and not the server.
fn accuses_itself(outcome: &Outcome) -> Result<String, Failure> {
    check(!outcome.is_valid(), format!("valid, limit {}", outcome.limit()))?;
    check(outcome.limit() == "generator", format!("limit {}", outcome.limit()))?;
    check(outcome.code() == Some(1), format!("exit {:?}", outcome.code()))?;
    Ok(outcome.why())
}

fn stopped(bench: &Bench, flags: &str) -> Result<String, Failure> {
    accuses_itself(&stop(bench, flags)?)
}

fn stopped_closed_loop(bench: &Bench) -> Result<String, Failure> {
    let outcome = stop(bench, "-q 1 -M 50")?;
    check(outcome.limit() == "generator", format!("limit {}", outcome.limit()))?;
    Ok("limit generator".to_owned())
}

/// A process that is ended with this value.
struct Busy(Child);

impl Drop for Busy {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A process that keeps core 0 busy.
fn busy() -> Result<Busy, Failure> {
    let mut command = Command::new("taskset");
    command.args(["-c", "0", "sh", "-c", "while :; do :; done"]).stdin(Stdio::null());
    Ok(Busy(command.spawn()?))
}

/// On a core that others want, it is late and says so, or it is as exact as ever.
fn busy_core(bench: &Bench) -> Result<String, Failure> {
    let broker = ScriptedBroker::start(Script::Constant(millis(5)))?;
    let others = [busy()?, busy()?];
    let words = ["taskset", "-c", "0", &bench.program];
    let flags = "--pub 1 --sub 1 --rate 5000 --warmup 0 --for 5s --tolerate overload";
    let outcome = begin(&words, &broker.url(), flags)?.finish()?;
    drop(others);
    if !outcome.is_valid() {
        return accuses_itself(&outcome);
    }
    check(outcome.limit() != "server", "it accuses the server")?;
    let log = broker.log();
    let turn = outcome.number("/generator/turn/p99");
    let shown = outcome.number("/latency/delivery/p99");
    let kept = float(log.kept(0.99));
    let line = format!("p99 {} (kept {}), turns p99 {}", ms(shown), ms(kept), ms(turn));
    check((shown - kept).abs() <= slack(kept) + turn, format!("valid, {line}"))?;
    Ok(format!("valid, {line}"))
}

/// More than its share of a core can send, to a server that takes everything.
fn beyond_power(bench: &Bench) -> Result<String, Failure> {
    let server = crate::server::Server::start(0, Identity::new()?.server_config()?)?;
    let _others = [busy()?, busy()?, busy()?];
    let url = format!("ws://127.0.0.1:{}/mqtt", server.port());
    let words = ["taskset", "-c", "0", &bench.program];
    let flags = "--pub 1 --sub 0 --rate 10M --size 64 --for 3s --warmup 0";
    accuses_itself(&begin(&words, &url, flags)?.finish()?)
}

fn descriptors(bench: &Bench) -> Result<String, Failure> {
    let broker = ScriptedBroker::start(Script::Constant(Duration::ZERO))?;
    let words = ["sh", "-c", "ulimit -n 64 && exec \"$0\" \"$@\"", &bench.program];
    let outcome = begin(&words, &broker.url(), "--connect 100 --for 1s")?.finish()?;
    let text = outcome.stderr();
    let expected = "100 connections need 140 file descriptors, the hard limit is 64";
    check(outcome.code() == Some(1) && text.contains(expected), text.clone())?;
    Ok(text.trim().to_owned())
}

/// A server that takes 1 ms a message is found.
fn slow_server(bench: &Bench, flags: &str) -> Result<String, Failure> {
    let broker = ScriptedBroker::start(Script::Work(millis(1)))?;
    let flags =
        format!("--pub 1 --sub 1 {flags} --for 5s --warmup 1 --drain 30 --tolerate overload");
    let outcome = begin(&[&bench.program], &broker.url(), &flags)?.finish()?;
    check(outcome.is_valid(), outcome.why())?;
    check(outcome.limit() == "server", format!("limit {}", outcome.limit()))?;
    Ok(format!("limit server, {:.0}/s", outcome.number("/messages/rate")))
}
