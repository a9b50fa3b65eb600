//! What is around a run: steps, an early end, lines meanwhile, repetition, comparison, parts.

use serde_json::Value;

use super::{bench, numbers, object};
use crate::serve::serve_for_others as serve;
use crate::support::faulty_broker::{FaultyBroker, Wrong};
use crate::support::folder::Folder;
use crate::support::lines::fails;
use crate::support::program::{Outcome, Program};

/// A busy machine is late, and so is what it delivers.
const PATIENT: [&str; 5] = ["--max-lateness", "never", "--tolerate", "overload,unsent", "--quiet"];

fn text(outcome: &Outcome) -> String {
    String::from_utf8(outcome.stdout.clone()).unwrap()
}

fn read(file: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// The rates of the steps, and which of them held.
fn steps(object: &Value) -> Vec<(f64, bool)> {
    let steps = object["steps"].as_array().unwrap().iter();
    steps.map(|step| (step["offered"].as_f64().unwrap(), step["held"] == true)).collect()
}

#[test]
fn a_ramp_ends_at_the_first_step_that_does_not_hold() {
    let (serve, url) = serve();
    let flags = ["--ramp", "100:1600:x2", "--for", "0.5", "--fail", "sent_rate>300"];
    let outcome = bench(&url, &[&flags[..], &["--tolerate", "overload,unsent"]].concat()).run();
    let object = object(&outcome);
    assert_eq!(steps(&object), [(100.0, true), (200.0, true), (400.0, false)], "{outcome}");
    assert_eq!(object["steps"][2]["because"], serde_json::json!(["sent_rate>300"]), "{outcome}");
    assert_eq!((outcome.code(), &object["passed"]), (Some(0), &true.into()), "{outcome}");
    // The figures are those of the highest step that held, over the same connections.
    assert_eq!(object["messages"]["sent"], 100, "{outcome}");
    assert_eq!(numbers(&object["verified"]), "sent 300", "{outcome}");
    assert_eq!(object["connections"]["made"], 2, "{outcome}");
    drop(serve);
}

#[test]
fn a_ramp_is_a_table_and_fails_by_its_first_step_alone() {
    let (serve, url) = serve();
    let flags = ["--ramp", "100:1600:+100", "--for", "0.3", "--fail", "sent_rate>50"];
    let outcome = Program::new([&["bench", &url], &flags[..], &PATIENT].concat()).run();
    let text = text(&outcome);
    assert_eq!((outcome.code(), &outcome.stderr[..]), (Some(1), &b""[..]), "{outcome}");
    let head = "    offered    delivered     lost   unsent       p50       p99       max   \
                lateness p99   loop CPU\n      100/s";
    assert!(text.contains(head), "{outcome}");
    assert!(text.contains("   not held: sent_rate>50\n"), "{outcome}");
    assert!(text.contains("\nhighest    none: 100/s did not hold\n"), "{outcome}");
    assert!(text.contains("open loop, 100/s to 1,600/s, +100/s\n"), "{outcome}");
    assert!(text.ends_with("\nresult     valid, FAILED\n"), "{outcome}");
    drop(serve);
}

#[test]
fn the_highest_rate_is_searched_for_and_confirmed() {
    let (serve, url) = serve();
    let flags = ["--find-max", "--rate", "200", "--resolution", "50%", "--for", "0.3"];
    let more = ["--fail", "sent_rate>500", "--tolerate", "overload,unsent"];
    let outcome = bench(&url, &[&flags[..], &more].concat()).run();
    let object = object(&outcome);
    let expected = [
        (200.0, true),
        (400.0, true),
        (800.0, false),
        (600.0, false),
        (400.0, true),
        (400.0, true),
    ];
    assert_eq!(steps(&object), expected, "{outcome}");
    assert_eq!(object["steps"][5]["for"], 0.6, "{outcome}");
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    drop(serve);
}

#[test]
fn what_fails_fast_does_not_wait_for_the_end() {
    let broker = FaultyBroker::start(Wrong::Doubled(17, 0));
    let flags = ["--rate", "100", "--for", "1h", "--warmup", "0", "--fail-fast", "-V", "5"];
    let flags = [&flags[..], &["--drain", "0.3", "--pub", "1", "--sub", "1"]].concat();
    let outcome = bench(&broker.url(), &flags).run();
    let object = object(&outcome);
    assert_eq!((outcome.code(), &object["failed_fast"]), (Some(1), &true.into()), "{outcome}");
    assert_eq!(object["interrupted"], false, "{outcome}");
    assert_eq!(object["verified"]["duplicated"], 1, "{outcome}");
    let url = broker.url();
    let arguments = [&["bench", &url], &flags[..], &PATIENT].concat();
    broker.change(Wrong::Doubled(17, 0));
    let outcome = Program::new(arguments).run();
    let text = text(&outcome);
    assert!(text.contains(": a condition was true (--fail-fast)\n"), "{outcome}");
    assert!(text.contains("\nfail       duplicated>0: yes (1)\n"), "{outcome}");
}

#[test]
fn lines_tell_how_it_goes() {
    let (serve, url) = serve();
    let flags = ["--rate", "100", "--for", "2s", "--warmup", "0", "--report", "1s"];
    let outcome = Program::new([&["bench", &url], &flags[..], &PATIENT].concat()).run();
    let text = text(&outcome);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("interval   1 s   sent "), "{outcome}");
    assert!(lines[1].starts_with("interval   2 s   sent "), "{outcome}");
    assert!(lines[2].starts_with("bench      run "), "{outcome}");
    let outcome = bench(&url, &flags).run();
    let objects = String::from_utf8(outcome.stdout.clone()).unwrap();
    let objects: Vec<Value> =
        objects.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let types: Vec<&Value> = objects.iter().map(|object| &object["type"]).collect();
    assert_eq!(types, ["interval", "interval", "bench"], "{outcome}");
    let sent: u64 = objects[..2].iter().map(|it| it["sent"].as_u64().unwrap()).sum();
    assert_eq!(objects[2]["messages"]["sent"], sent, "{outcome}");
    drop(serve);
}

#[test]
fn lines_come_at_fractions_of_a_second() {
    let (serve, url) = serve();
    for (every, lengths, each) in
        [("0.5s", [0.0, 0.5, 1.0, 1.5], 50), ("750ms", [0.0, 0.75, 1.5, 2.25], 75)]
    {
        let flags = ["--rate", "100", "--for", "3s", "--warmup", "0", "--report", every];
        let outcome = bench(&url, &[&flags[..], &["--loops", "2"]].concat()).run();
        let objects = String::from_utf8(outcome.stdout.clone()).unwrap();
        let objects: Vec<Value> =
            objects.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let (run, intervals) = objects.split_last().unwrap();
        let times: Vec<f64> = intervals.iter().map(|it| it["t"].as_f64().unwrap()).collect();
        assert_eq!(times[..4], lengths, "{outcome}");
        let sent: u64 = intervals.iter().map(|it| it["sent"].as_u64().unwrap()).sum();
        assert_eq!((&run["messages"]["sent"], sent), (&300.into(), 300), "{outcome}");
        // A busy machine may be late by a few.
        let first = intervals[0]["sent"].as_u64().unwrap();
        assert!((each - 20..=each + 20).contains(&first), "{outcome}");
        // The seconds are seconds as before.
        let seconds: Vec<u64> = run["series"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["sent"].as_u64().unwrap())
            .collect();
        assert_eq!((seconds.len(), seconds.iter().sum::<u64>()), (3, 300), "{outcome}");
    }
    drop(serve);
}

#[test]
fn several_runs_are_added_and_told_apart() {
    let (serve, url) = serve();
    let outcome = bench(&url, &["-C", "50", "-q", "1", "--runs", "3"]).run();
    let object = object(&outcome);
    assert_eq!((outcome.code(), &object["messages"]["sent"]), (Some(0), &150.into()), "{outcome}");
    assert_eq!(numbers(&object["verified"]), "sent 150", "{outcome}");
    assert_eq!(object["runs"].as_array().unwrap().len(), 3, "{outcome}");
    assert_eq!(object["connections"]["made"], 6, "{outcome}");
    let arguments = ["bench", &url, "-C", "50", "-q", "1", "--runs", "3"];
    let outcome = Program::new(arguments).run();
    let text = text(&outcome);
    assert!(text.contains("\nruns       3                        min      median         max\n"));
    assert!(text.contains("\n           p99      "), "{outcome}");
    drop(serve);
}

#[test]
fn a_run_is_compared_with_an_earlier_one() {
    let (serve, url) = serve();
    let folder = Folder::new();
    let file = folder.write("before.json", "");
    let stored = format!("--json={file}");
    let flags = ["bench", &url, "-C", "50", "-q", "1"];
    assert_eq!(Program::new([&flags[..], &[&stored]].concat()).run().code(), Some(0));
    let more = ["--size", "512", "--baseline", &file, "--fail", "lost<=2x,p99>0x"];
    let outcome = Program::new([&flags[..], &more].concat()).run();
    let text = text(&outcome);
    assert!(text.contains("\nbaseline   run "), "{outcome}");
    assert!(text.contains("\ndiffers    size: 512, was 256\n"), "{outcome}");
    assert!(text.contains(" % (one run: no verdict)\n"), "{outcome}");
    assert!(text.contains("\nfail       lost<=2x: yes (0, 2x is 0)\n"), "{outcome}");
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    let outcome = bench(&url, &["-C", "50", "-q", "1", "--runs", "2", "--baseline", &file]).run();
    let object = object(&outcome);
    assert_eq!(object["baseline"]["run"], read(&file)["run"], "{outcome}");
    assert_eq!(object["baseline"]["differs"], serde_json::json!([]), "{outcome}");
    assert_eq!(object["baseline"]["figures"][0]["verdict"], "unknown", "{outcome}");
    drop(serve);
}

/// Both parts of a run, at the same time.
fn parts(url: &str, folder: &Folder, flags: &[&str]) -> [String; 2] {
    let running = ["1/2", "2/2"].map(|part| {
        let file = folder.write(&format!("{}.json", &part[..1]), "");
        let stored = format!("--json={file}");
        let common = ["bench", url, "--run", "7f3a9c21", "--part", part, &stored];
        (Program::new([&common[..], &PATIENT, flags].concat()).spawn(), file)
    });
    running.map(|(program, file)| {
        let outcome = program.finish();
        assert_eq!(outcome.code(), Some(0), "{outcome}");
        file
    })
}

#[test]
fn the_parts_of_a_run_are_put_together_again() {
    let (serve, url) = serve();
    let folder = Folder::new();
    let flags = ["--pub", "4", "--sub", "2", "--rate", "200", "-q", "1", "--for", "1s"];
    let [one, two] = parts(&url, &folder, &[&flags[..], &["--warmup", "0.2"]].concat());
    let whole = Program::new(["bench", "--merge", &two, &one, "--json"]).run();
    let object = object(&whole);
    let plan = &object["plan"];
    assert_eq!((&plan["publishers"], &plan["subscribers"]), (&4.into(), &2.into()), "{whole}");
    assert_eq!((&plan["topics"], &plan["rate"]), (&4.into(), &200.0.into()), "{whole}");
    assert_eq!(object["messages"]["sent"], 200, "{whole}");
    assert_eq!(numbers(&object["verified"]), "sent 240", "{whole}");
    assert_eq!(object["latency"]["delivery"]["count"], 200, "{whole}");
    assert_eq!(object["connections"]["made"], 6, "{whole}");
    assert_eq!(object["part"], "1/1", "{whole}");
    let why = "mqttws: --merge: part 2/2 is missing";
    fails(&Program::new(["bench", "--merge", &one]).run(), 2, why);
    let twice = Program::new(["bench", "--merge", &one, &one]).run();
    fails(&twice, 2, &format!("mqttws: --merge: {one}: part 1/2 was given before"));
    drop(serve);
}

#[test]
fn one_file_alone_is_the_same_report() {
    let (serve, url) = serve();
    let folder = Folder::new();
    let file = folder.write("run.json", "");
    let flags = ["--rate", "200", "--for", "1s", "--fail", "p99>3600s", "-q", "1"];
    let stored = format!("--json={file}");
    let common = [&["bench", &url, &stored], &flags[..], &PATIENT].concat();
    let run = Program::new(common).run();
    let again = ["bench", "--merge", &file, "--fail", "p99>3600s"];
    let merged = Program::new([&again[..], &["--tolerate", "overload,unsent"]].concat()).run();
    assert_eq!(text(&merged), text(&run));
    assert_eq!(merged.code(), run.code());
    drop(serve);
}

#[test]
fn sending_begins_when_it_is_to() {
    let (serve, url) = serve();
    let soon = std::time::SystemTime::now() + std::time::Duration::from_secs(2);
    let soon = soon.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs().to_string();
    let outcome = bench(&url, &["-C", "10", "-q", "1", "--start-at", &soon]).run();
    let object = object(&outcome);
    assert_eq!((outcome.code(), &object["messages"]["sent"]), (Some(0), &10.into()), "{outcome}");
    let why = "mqttws: --start-at: that was * ago";
    fails(&Program::new(["bench", &url, "--start-at", "1000"]).run(), 2, why);
    drop(serve);
}

#[test]
fn files_that_are_no_reports_are_refused_in_one_line() {
    let folder = Folder::new();
    let nested = "[".repeat(100_000);
    let values = format!("[{}1]", "1,".repeat(3_500_000));
    for (content, why) in [
        ("", "no JSON: *"),
        ("{}", "it is no report of bench --json"),
        ("{\"type\":\"bench\",\"schema\":1}", "invalid_because is missing"),
        (&nested, "no JSON: *"),
        (&values, "it is too large for a report of bench"),
    ] {
        let file = folder.write("hostile.json", content);
        let merged = Program::new(["bench", "--merge", &file]).run();
        fails(&merged, 2, &format!("mqttws: --merge: {file}: {why}"));
        let url = "ws://127.0.0.1:1/mqtt";
        let compared = Program::new(["bench", url, "--baseline", &file]).run();
        fails(&compared, 2, &format!("mqttws: --baseline: {file}: {why}"));
    }
    let binary = folder.write("hostile.json", [0xff_u8; 20]);
    let outcome = Program::new(["bench", "--merge", &binary]).run();
    fails(&outcome, 2, &format!("mqttws: --merge: {binary}: no JSON: it is not UTF-8"));
    let whole = std::fs::read_to_string("tests/cli/bench/report.json").unwrap();
    for cut in (0..whole.len()).step_by(997) {
        let file = folder.write("hostile.json", &whole.as_bytes()[..cut]);
        assert_eq!(Program::new(["bench", "--merge", &file]).run().code(), Some(2), "{cut}");
    }
}

#[test]
fn what_makes_no_sense_around_a_run_is_refused() {
    let url = "ws://127.0.0.1:1/mqtt";
    for (flags, why) in [
        (&["--sub", "1", "--ramp", "1k:2k:x2"][..], "--ramp, --find-max: nobody publishes: *"),
        (&["--fail", "p99>1.2x"], "--fail p99>1.2x: x needs a --baseline"),
        (
            &["--part", "1/2", "--run", "1"],
            "--part 1/2: with fewer topics (1) than parts the readers of a topic are in several: *",
        ),
    ] {
        let arguments = [&["bench", url], flags].concat();
        fails(&Program::new(arguments).run(), 2, &format!("mqttws: {why}"));
    }
    for flags in [
        "--ramp 1k:2k:x2 --rate 5",
        "--ramp 1k:2k:x2 --find-max",
        "--ramp 2k:1k:x2",
        "--find-max -C 5",
        "--resolution 5%",
        "--runs 2 --find-max",
        "--merge a --part 1/2",
    ] {
        let flags: Vec<&str> = flags.split(' ').collect();
        let outcome = Program::new([&["bench", url], &flags[..]].concat()).run();
        assert_eq!(outcome.code(), Some(2), "{flags:?}: {outcome}");
    }
}
