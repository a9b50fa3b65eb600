//! The cases.

use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::broker::{Script, ScriptedBroker};
use super::compare::{self, float, ms, slack};
use super::log::Log;
use super::{Bench, Case, Outcome, Verdict, begin, check, ports};
use crate::Failure;
use crate::broker::Broker;
use crate::core;
use crate::stream::Identity;

/// All cases with their names.
pub fn all() -> Vec<(&'static str, Case)> {
    vec![
        ("delay-constant", |bench| delays(bench, Script::Constant(millis(5)), &SHARES)),
        // Around the 90 % of the short ones: at it, the slowest of thousands would be compared.
        ("delay-two", |bench| {
            let script = Script::Two(millis(1), millis(50), 0.1);
            delays(bench, script, &[0.5, 0.88, 0.92, 0.99, 0.999])
        }),
        ("delay-exponential", |bench| delays(bench, Script::Exponential(millis(5)), &SHARES)),
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

fn shown(text: impl Into<String>) -> Result<Verdict, Failure> {
    Ok(Verdict::Shown(text.into()))
}

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// The quantiles that are compared.
const SHARES: [f64; 4] = [0.5, 0.9, 0.99, 0.999];

/// How many messages are delayed, at 1,000 a second.
const DELAYED: u64 = 10_000;

/// Broker and generator are on one core: one that a hypervisor takes away for some milliseconds, of
/// which nothing in the machine tells, is missing to both then, and so in the log, too. The other
/// stays free for whatever else the machine does.
fn delays(bench: &Bench, script: Script, shares: &[f64]) -> Result<Verdict, Failure> {
    let program = bench.program.clone();
    // The core is that of a thread, and of what it starts.
    let run = thread::spawn(move || -> Result<(Outcome, Log), Failure> {
        core::stay_on_first()?;
        let broker = ScriptedBroker::start(script)?;
        let flags = "--pub 1 --sub 1 --rate 1000 --warmup 0 --for 10s --tolerate \
                     reordered,overload";
        let outcome = begin(&[&program], &broker.url(), flags)?.finish()?;
        Ok((outcome, broker.log()))
    });
    let (outcome, log) = run.join().map_err(|_| "it panicked")??;
    compare_delays(&outcome, &log, shares)
}

fn compare_delays(outcome: &Outcome, log: &Log, shares: &[f64]) -> Result<Verdict, Failure> {
    let sent = outcome.number("/messages/sent");
    check(sent == float(DELAYED), format!("sent {sent}: {}", outcome.stderr()))?;
    let reordered = outcome.number("/verified/reordered");
    let known = log.reordered;
    check(reordered == float(known), format!("reordered {reordered}, and not {known}"))?;
    compare::delays(outcome, log, shares)
}

fn stall(bench: &Bench, flags: &str) -> Result<Verdict, Failure> {
    let broker = ScriptedBroker::start(Script::Stall(millis(8000), millis(2000)))?;
    let flags = format!("{flags} --rate 1000 --for 20s");
    let outcome = begin(&[&bench.program], &broker.url(), &flags)?.finish()?;
    compare::stall(&outcome, Some(&broker.log()))
}

/// One message a slot of the window is late, and the note says what its times are.
fn stall_of_a_closed_loop(bench: &Bench) -> Result<Verdict, Failure> {
    let broker = ScriptedBroker::start(Script::Stall(millis(3000), millis(2000)))?;
    let flags = "--pub 1 --sub 1 -q 1 -M 50 --for 5s --warmup 1";
    let outcome = begin(&[&bench.program], &broker.url(), flags)?.finish()?;
    let histogram = outcome.at("/latency/delivery/histogram").as_array().ok_or("no histogram")?;
    let late = histogram.iter().filter(|bucket| bucket[0].as_f64() > Some(1e9));
    let late: u64 = late.filter_map(|bucket| bucket[1].as_u64()).sum();
    check((1..=50).contains(&late), format!("{late} late"))?;
    check(outcome.at("/latency/kind") == "service", "kind")?;
    shown(format!("{late} late of a window of 50"))
}

fn signal(id: u32, signal: Signal) -> Result<(), Failure> {
    Ok(kill(Pid::from_raw(i32::try_from(id)?), signal)?)
}

fn stopped_mosquitto(bench: &Bench) -> Result<Verdict, Failure> {
    if !bench.has_mosquitto {
        return Ok(Verdict::Unclear("left out: no mosquitto".to_owned()));
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
    let result = compare::stall(&running.finish()?, None);
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
fn accuses_itself(outcome: &Outcome) -> Result<Verdict, Failure> {
    check(!outcome.is_valid(), format!("valid, limit {}", outcome.limit()))?;
    check(outcome.limit() == "generator", format!("limit {}", outcome.limit()))?;
    check(outcome.code() == Some(1), format!("exit {:?}", outcome.code()))?;
    shown(outcome.why())
}

fn stopped(bench: &Bench, flags: &str) -> Result<Verdict, Failure> {
    accuses_itself(&stop(bench, flags)?)
}

fn stopped_closed_loop(bench: &Bench) -> Result<Verdict, Failure> {
    let outcome = stop(bench, "-q 1 -M 50")?;
    check(outcome.limit() == "generator", format!("limit {}", outcome.limit()))?;
    shown("limit generator")
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
fn busy_core(bench: &Bench) -> Result<Verdict, Failure> {
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
    let p99 = outcome.number("/latency/delivery/p99");
    let left = float(log.whole(0.99));
    let line = format!("p99 {} (left {}), turns p99 {}", ms(p99), ms(left), ms(turn));
    check((p99 - left).abs() <= slack(left) + turn, format!("valid, {line}"))?;
    shown(format!("valid, {line}"))
}

/// More than its share of a core can send, to a server that takes everything.
fn beyond_power(bench: &Bench) -> Result<Verdict, Failure> {
    let server = crate::server::Server::start(0, Identity::new()?.server_config()?)?;
    let _others = [busy()?, busy()?, busy()?];
    let url = format!("ws://127.0.0.1:{}/mqtt", server.port());
    let words = ["taskset", "-c", "0", &bench.program];
    let flags = "--pub 1 --sub 0 --rate 10M --size 64 --for 3s --warmup 0";
    accuses_itself(&begin(&words, &url, flags)?.finish()?)
}

fn descriptors(bench: &Bench) -> Result<Verdict, Failure> {
    let broker = ScriptedBroker::start(Script::Constant(Duration::ZERO))?;
    let words = ["sh", "-c", "ulimit -n 64 && exec \"$0\" \"$@\"", &bench.program];
    let outcome = begin(&words, &broker.url(), "--connect 100 --for 1s")?.finish()?;
    let text = outcome.stderr();
    let expected = "100 connections need 140 file descriptors, the hard limit is 64";
    check(outcome.code() == Some(1) && text.contains(expected), text.clone())?;
    shown(text.trim())
}

/// A server that takes 1 ms a message is found.
fn slow_server(bench: &Bench, flags: &str) -> Result<Verdict, Failure> {
    let broker = ScriptedBroker::start(Script::Work(millis(1)))?;
    let flags =
        format!("--pub 1 --sub 1 {flags} --for 5s --warmup 1 --drain 30 --tolerate overload");
    let outcome = begin(&[&bench.program], &broker.url(), &flags)?.finish()?;
    let told = format!("limit {}, {:.0}/s", outcome.limit(), outcome.number("/messages/rate"));
    let found = check(outcome.is_valid(), format!("{told}: {}", outcome.why()));
    // On this machine a busy core explains as much as a slow server.
    match found.and_then(|()| check(outcome.limit() == "server", told.clone())) {
        Ok(()) => shown(told),
        Err(error) => Verdict::of_failure(&outcome, &error),
    }
}
