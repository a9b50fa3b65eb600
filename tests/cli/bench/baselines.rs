//! A baseline: what is said of how it was made, and files that cannot be one.

use serde_json::{Value, json};

use super::{bench, object};
use crate::serve::serve_for_others as serve;
use crate::support::faulty_broker::{FaultyBroker, Wrong};
use crate::support::folder::Folder;
use crate::support::lines::fails;
use crate::support::program::Program;

/// What a run of fifty messages says beside a report like its own that was changed so.
fn beside(url: &str, change: impl FnOnce(&mut Value)) -> String {
    let folder = Folder::new();
    let flags = ["-C", "50", "-q", "1"];
    let mut before = object(&bench(url, &flags).run());
    change(&mut before);
    let file = folder.write("before.json", before.to_string());
    let common = ["bench", url, "--quiet", "--baseline", &file];
    let outcome = Program::new([&common[..], &flags].concat()).run();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let text = String::from_utf8(outcome.stdout).unwrap();
    text.split_once("\nbaseline   ").unwrap().1.to_owned()
}

#[test]
fn how_the_earlier_run_was_made_is_told() {
    let (serve, url) = serve();
    for (change, line) in [
        (("/version", json!("9.9.9")), "differs    mqttws: *, was 9.9.9"),
        (("/plan/course", json!("ramp")), "differs    course: once, was ramp"),
        (("/part", json!("1/2")), "differs    part: 1/1, was 1/2"),
        (("/machine/cores", json!(512)), "differs    cores: *, was 512"),
        (
            ("/invalid_because", json!(["the generator was late"])),
            "           it was INVALID: the generator was late",
        ),
        (("/interrupted", json!(true)), "           it was interrupted after 0.0*"),
        (("/failed_fast", json!(true)), "           it was ended by --fail-fast after 0.0*"),
    ] {
        let (place, value) = change;
        let text = beside(&url, |report| *report.pointer_mut(place).unwrap() = value);
        let is_told = text.lines().any(|it| match line.split_once('*') {
            Some((start, end)) => {
                it.starts_with(start) && it.ends_with(end.trim_start_matches('0'))
            }
            None => it == line,
        });
        assert!(is_told, "{line}: {text}");
    }
    drop(serve);
}

#[test]
fn what_never_came_is_compared_too() {
    let (serve, url) = serve();
    let text = beside(&url, |report| {
        let times = report.pointer_mut("/latency/ack").unwrap();
        times["never"] = 50.into();
    });
    let line = text.lines().find(|line| line.starts_with("           ack.p99 ")).unwrap();
    assert!(line.contains(", was never: less (one run: no verdict)"), "{text}");
    drop(serve);
}

#[test]
fn files_that_cannot_be_read_are_told_before_the_load() {
    let folder = Folder::new();
    let none = folder.path().join("none.json").display().to_string();
    let url = "ws://127.0.0.1:1/mqtt";
    for more in [&[][..], &["--dry-run"]] {
        let missing = [&["bench", url, "--baseline", &none], more].concat();
        let why = format!("mqttws: --baseline: opening {none}: No such file or directory");
        let outcome = Program::new(missing).run();
        let stderr = String::from_utf8_lossy(&outcome.stderr).into_owned();
        assert_eq!((outcome.code(), stderr.trim_end()), (Some(1), &*why), "{outcome}");
        let empty = folder.write("empty.json", "");
        let empty = [&["bench", url, "--baseline", &empty], more].concat();
        assert_eq!(Program::new(empty).run().code(), Some(2));
    }
    let merge = Program::new(["bench", "--merge", &none]).run();
    fails(&merge, 1, &format!("mqttws: --merge: opening {none}: No such file or directory"));
}

#[test]
fn the_conditions_of_a_ramp_are_those_of_the_step_that_decides() {
    // 150 messages are of the first step; all connections are lost in the second.
    let broker = FaultyBroker::start(Wrong::AllReset(250));
    let flags = ["--ramp", "100:200:x2", "--for", "0.5", "--tolerate", "overload,unsent"];
    let outcome = bench(&broker.url(), &[&flags[..], &["--fail", "connected<2"]].concat()).run();
    let report = object(&outcome);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    assert_eq!(report["steps"][1]["because"], json!(["disconnected>0"]), "{outcome}");
    let truths: Vec<&Value> = report["conditions"].as_array().unwrap().iter().collect();
    assert_eq!(truths.len(), 1, "{outcome}");
    assert_eq!((&truths[0]["true"], &report["passed"]), (&false.into(), &true.into()), "{outcome}");
    // All of the run are counted, all the same.
    assert_ne!(report["connections"]["disconnected"], json!({}), "{outcome}");
    drop(broker);
    let (serve, url) = serve();
    let fails = [&flags[..], &["--fail", "sent_rate>50"]].concat();
    let outcome = bench(&url, &fails).run();
    let report = object(&outcome);
    assert_eq!((outcome.code(), &report["passed"]), (Some(1), &false.into()), "{outcome}");
    assert_eq!(report["conditions"][0]["true"], true, "{outcome}");
    drop(serve);
}
