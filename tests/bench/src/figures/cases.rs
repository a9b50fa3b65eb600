//! The cases. Each says how long it takes at most, so that a run can be planned.

use std::fs;
use std::thread;
use std::time::Duration;

use crate::Failure;
use crate::brokers::Entrant;
use crate::core;
use crate::honest::{Bench, Case, Outcome, Verdict, begin, check};
use crate::measure::{Cost, Job};
use crate::server::Server;
use crate::stream::Identity;

/// All cases with their names.
pub fn all() -> Vec<(&'static str, Case)> {
    vec![
        // 12 s.
        ("lateness", lateness),
        // 50 s: twice each.
        ("beside-mio", beside_mio),
        // 20 s.
        ("beside-rustls", beside_rustls),
        // 25 s.
        ("slope", slope),
        // 70 s.
        ("idle-10000", idle),
        // 65 s.
        ("memory-60s", constant_memory),
        // 30 s.
        ("serve-5000", |bench| many(bench, &Entrant::serve(&bench.program)?, 2500, 5000)),
        // 20 s.
        ("mosquitto-1000", mosquitto),
    ]
}

fn url(port: u16) -> String {
    format!("ws://127.0.0.1:{port}/mqtt")
}

/// All figures, and what misses its target; where the machine had other things to do, that proves
/// nothing.
fn verdict(text: &str, missed: &[String], outcome: &Outcome) -> Result<Verdict, Failure> {
    if missed.is_empty() {
        return Ok(Verdict::Shown(format!("{text} [{}]", outcome.circumstances())));
    }
    Verdict::of_failure(outcome, &format!("{}: {text}", missed.join(", ")).into())
}

/// What is above its target.
fn above(name: &str, value: f64, target: f64, missed: &mut Vec<String>) {
    if value.is_nan() || value > target {
        missed.push(format!("{name} {value:.2} above {target:.2}"));
    }
}

/// One publisher at 10,000 messages a second, on one core; a sink on the other.
fn lateness(bench: &Bench) -> Result<Verdict, Failure> {
    let program = bench.program.clone();
    // The core is that of a thread, and of what it starts.
    let run = thread::spawn(move || -> Result<Outcome, Failure> {
        core::stay_on_first()?;
        let server = Server::start(0, Identity::new()?.server_config()?)?;
        let flags = "--pub 1 --sub 0 --rate 10k --for 10s --warmup 1";
        begin(&["taskset", "-c", "1", &program], &url(server.port()), flags)?.finish()
    });
    let outcome = run.join().map_err(|_| "it panicked")??;
    let micros = |share| outcome.quantile("/generator/lateness", share) / 1e3;
    let (p50, p99, most) = (micros(0.5), micros(0.99), micros(1.0));
    let mut missed = Vec::new();
    above("p50", p50, 100.0, &mut missed);
    above("p99", p99, 500.0, &mut missed);
    let all = outcome.number("/messages/sent");
    let text = format!("p50 {p50:.0} us, p99 {p99:.0} us, max {most:.0} us of {all}");
    verdict(&text, &missed, &outcome)
}

/// Where the results of a job lie.
fn scratch() -> String {
    std::env::temp_dir()
        .join(format!("mqttws-figures-{}", std::process::id()))
        .display()
        .to_string()
}

/// Runs a program to its end.
fn cost(words: &[&str]) -> Result<Cost, Failure> {
    let job = Job {
        argv: words.iter().map(|word| (*word).to_owned()).collect(),
        timeout: Duration::from_mins(2),
        results: scratch(),
        ..Job::default()
    };
    let cost = job.run()?;
    let said: String = cost.output.chars().take(300).collect();
    check(cost.succeeded, format!("{} has failed: {said}", words[..2].join(" ")))?;
    Ok(cost)
}

fn own_program() -> Result<String, Failure> {
    Ok(std::env::current_exe()?.display().to_string())
}

const RATE: &str = "50000";
const SECONDS: &str = "10";

/// CPU a message in an open loop of ten pairs, beside a bare program that writes and reads the same
/// frames at the same times.
fn beside_mio(bench: &Bench) -> Result<Verdict, Failure> {
    let server = Entrant::serve(&bench.program)?;
    let (url, port, own) = (url(server.port()), server.port().to_string(), own_program()?);
    let time = format!("{SECONDS}s");
    let ours = [
        &bench.program,
        "bench",
        &url,
        "-V",
        "5",
        "--json",
        "--pub",
        "10",
        "--sub",
        "10",
        "--rate",
        RATE,
        "--for",
        &time,
        "--warmup",
        "0",
        "--tolerate",
        "overload",
        "--max-lateness",
        "never",
    ];
    let bare = [own.as_str(), "bare", &port, RATE, "10", SECONDS];
    let (mut least, mut object) = ([f64::INFINITY; 2], String::new());
    for _ in 0..2 {
        for (least, words) in least.iter_mut().zip([&ours[..], &bare[..]]) {
            let cost = cost(words)?;
            let count: f64 = if words.len() == ours.len() {
                object = cost.output;
                let report: serde_json::Value = serde_json::from_str(&object)?;
                report["messages"]["sent"].as_f64().ok_or("no count")?
            } else {
                cost.output.trim().parse()?
            };
            *least = least.min(cost.cpu / count * 1e6);
        }
    }
    let ratio = least[0] / least[1];
    let mut missed = Vec::new();
    above("the ratio", ratio, 1.5, &mut missed);
    let outcome = Outcome::of(&object)?;
    let text = format!("{:.2} us a message, bare {:.2} us: {ratio:.2} times", least[0], least[1]);
    verdict(&text, &missed, &outcome)
}

/// CPU of a connection over TLS, beside a bare handshake.
fn beside_rustls(bench: &Bench) -> Result<Verdict, Failure> {
    let identity = Identity::new()?;
    let server = Server::start(0, identity.server_config()?)?;
    let authority = scratch() + ".pem";
    fs::write(&authority, &identity.authority)?;
    let (url, own) = (format!("wss://127.0.0.1:{}/mqtt", server.port()), own_program()?);
    let ours = |count: &str| -> Result<Cost, Failure> {
        let words = [
            &bench.program,
            "bench",
            &url,
            "-V",
            "5",
            "--json",
            "--cafile",
            &authority,
            "--connect",
            count,
            // One after the other, as the bare ones: with pauses between them the caches are cold.
            "--connect-rate",
            "none",
            "--for",
            "0.1",
        ];
        cost(&words)
    };
    let port = server.port().to_string();
    let bare = |count: &str| cost(&[&own, "handshakes", &port, &authority, count]);
    let (one, all) = (ours("1")?, ours("1001")?);
    let each = (all.cpu - one.cpu) * 1e3;
    let plain = (bare("1001")?.cpu - bare("1")?.cpu) * 1e3;
    fs::remove_file(&authority)?;
    let mut missed = Vec::new();
    above("each", each, 1.25 * plain + 150.0, &mut missed);
    let outcome = Outcome::of(&all.output)?;
    let text = format!("{each:.0} us a connection, {plain:.0} us a bare handshake");
    verdict(&text, &missed, &outcome)
}

/// KiB of the generator, for so many connections that stand.
fn standing(bench: &Bench, count: usize, flags: &str) -> Result<(f64, Outcome), Failure> {
    let server = Entrant::serve(&bench.program)?;
    let flags = format!("--connect {count} {flags}");
    let outcome = begin(&[&bench.program], &url(server.port()), &flags)?.finish()?;
    let made = outcome.at("/connections/made").as_u64();
    check(made == Some(count as u64), format!("made {made:?}: {}", outcome.stderr()))?;
    Ok((outcome.number("/generator/rss") / 1024.0, outcome))
}

/// Memory of a connection: the slope from 1,000 to 5,000.
fn slope(bench: &Bench) -> Result<Verdict, Failure> {
    let flags = "--connect-rate 1000 --for 1s";
    let (few, first) = standing(bench, 1000, flags)?;
    let (many, outcome) = standing(bench, 5000, flags)?;
    let (each, base) = ((many - few) / 4000.0, first.number("/generator/rss_before") / 1_048_576.0);
    let mut missed = Vec::new();
    above("KiB a connection", each, 16.0, &mut missed);
    above("MiB before", base, 16.0, &mut missed);
    let connecting =
        outcome.number("/generator/cpu_connecting") * outcome.number("/connections/took");
    let micros = connecting / 5000.0 * 1e6;
    above("us a connection", micros, 150.0, &mut missed);
    let text = format!("{each:.1} KiB and {micros:.0} us CPU a connection, {base:.1} MiB before");
    verdict(&text, &missed, &outcome)
}

/// The CPU of all loops in the window.
fn cpu(outcome: &Outcome) -> f64 {
    let loops = outcome.at("/generator/loops").as_array().into_iter().flatten();
    loops.filter_map(|one| one["cpu"].as_f64()).sum()
}

/// 10,000 connections that stand, with a keep alive of 45 s.
fn idle(bench: &Bench) -> Result<Verdict, Failure> {
    let (all, outcome) = standing(bench, 10_000, "--connect-rate 1000 --for 50s -k 45")?;
    let each = (all - outcome.number("/generator/rss_before") / 1024.0) / 10_000.0;
    let (cpu, pongs) = (cpu(&outcome) * 100.0, outcome.number("/latency/ping/count"));
    let mut missed = Vec::new();
    above("KiB a connection", each, 16.0, &mut missed);
    above("% CPU", cpu, 2.0, &mut missed);
    let online = outcome.number("/connections/online");
    check(online == 10_000.0, format!("{online} online at the end"))?;
    let text =
        format!("{each:.1} KiB a connection, {cpu:.2} % of a core, {pongs} PINGREQ answered");
    verdict(&text, &missed, &outcome)
}

/// Resident memory of a process, in KiB.
fn resident(id: u32) -> Result<f64, Failure> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Memory from 10 s to 60 s of a load: it does not grow.
fn constant_memory(bench: &Bench) -> Result<Verdict, Failure> {
    let server = Entrant::serve(&bench.program)?;
    let flags = "--pub 10 --sub 10 --rate 5000 -q 1 --for 60s --warmup 1 --max-lateness never";
    let running = begin(&[&bench.program], &url(server.port()), flags)?;
    let mut sizes = Vec::new();
    for _ in 0..6 {
        thread::sleep(Duration::from_secs(10));
        sizes.push(resident(running.id())?);
    }
    let outcome = running.finish()?;
    let grown = sizes[5] - sizes[0];
    let mut missed = Vec::new();
    above("KiB grown", grown, 1024.0, &mut missed);
    let (lost, sent) = (outcome.number("/verified/lost"), outcome.number("/messages/sent"));
    check(lost == 0.0, format!("lost {lost}"))?;
    let text = format!("{sizes:.0?} KiB each 10 s: grown by {grown:.0} KiB over {sent} messages");
    verdict(&text, &missed, &outcome)
}

/// So many pairs, at this rate, QoS 1: none fails, nothing is lost.
fn many(bench: &Bench, server: &Entrant, pairs: usize, rate: u64) -> Result<Verdict, Failure> {
    let flags = format!(
        "--pub {pairs} --sub {pairs} --rate {rate} -q 1 --connect-rate 1000 --for 10s --warmup 2"
    );
    let outcome = begin(&[&bench.program], &url(server.port()), &flags)?.finish()?;
    let made = outcome.number("/connections/made");
    check(made == (2 * pairs) as f64, format!("made {made}: {}", outcome.at("/connections")))?;
    let verified = outcome.at("/verified").to_string();
    let faults = ["lost", "duplicated", "reordered", "corrupted", "missed", "undecided"];
    let faults: f64 = faults.iter().map(|name| outcome.number(&format!("/verified/{name}"))).sum();
    check(faults == 0.0, verified)?;
    let memory = outcome.number("/generator/rss") - outcome.number("/generator/rss_before");
    let memory = memory / 1024.0 / (2 * pairs) as f64;
    let milliseconds = |share| outcome.quantile("/latency/delivery", share) / 1e6;
    let (p50, p99) = (milliseconds(0.5), milliseconds(0.99));
    let sent = outcome.number("/verified/sent");
    let text = format!(
        "{made} made, {sent} verified and none lost, p50 {p50:.2} ms, p99 {p99:.2} ms, \
         {memory:.1} KiB a connection"
    );
    let missed = if outcome.is_valid() { Vec::new() } else { vec![outcome.why()] };
    verdict(&text, &missed, &outcome)
}

fn mosquitto(bench: &Bench) -> Result<Verdict, Failure> {
    if !bench.has_mosquitto {
        return Ok(Verdict::Unclear("left out: no mosquitto".to_owned()));
    }
    let folder = scratch() + ".d";
    fs::create_dir_all(&folder)?;
    let result = many(bench, &Entrant::mosquitto(&folder)?, 500, 2000);
    fs::remove_dir_all(&folder)?;
    result
}
