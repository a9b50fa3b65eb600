//! Ramps of the rate of connecting, and what is said of runs that are interrupted.

use serde_json::Value;

use super::{bench, object};
use crate::serve::serve_for_others as serve;
use crate::support::lines::fails;
use crate::support::program::{Outcome, Program};

/// A busy machine is late, and so is what it makes.
const PATIENT: [&str; 4] = ["--max-lateness", "never", "--tolerate", "overload"];

fn text(outcome: &Outcome) -> String {
    String::from_utf8(outcome.stdout.clone()).unwrap()
}

fn steps(object: &Value) -> Vec<(f64, bool)> {
    let steps = object["steps"].as_array().unwrap().iter();
    steps.map(|step| (step["offered"].as_f64().unwrap(), step["held"] == true)).collect()
}

#[test]
fn a_step_makes_more_connections_than_stand_at_once() {
    let (serve, url) = serve();
    let flags = ["--connect", "8", "--ramp", "connect=50:100:+50", "--for", "0.6"];
    let outcome = bench(&url, &[&flags[..], &["--tolerate", "overload"]].concat()).run();
    let object = object(&outcome);
    assert_eq!(steps(&object), [(50.0, true), (100.0, true)], "{outcome}");
    let counts = |name: &str| {
        let steps = object["steps"].as_array().unwrap().iter();
        steps.map(|step| step[name].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(counts("due"), [30, 60], "{outcome}");
    assert_eq!(counts("made"), [30, 60], "{outcome}");
    assert_eq!(object["connections"]["made"], 60, "{outcome}");
    assert_eq!(object["latency"]["connect"]["count"], 60, "{outcome}");
    assert_eq!((&object["plan"]["steps_of"], outcome.code()), (&"connecting".into(), Some(0)));
    drop(serve);
}

#[test]
fn steps_of_connecting_are_a_table() {
    let (serve, url) = serve();
    let flags = ["--connect", "5", "--ramp", "connect=20:80:x2", "--for", "0.3"];
    let more = ["--fail", "connected>10"];
    let outcome = Program::new([&["bench", &url], &flags[..], &PATIENT, &more].concat()).run();
    let text = text(&outcome);
    let head = "    offered         made   failed  not begun       p50       p99       max   \
                lateness p99   loop CPU\n       20/s";
    assert!(text.contains(head), "{outcome}");
    assert!(text.contains(": at most 5 connections at once, connecting: 20/s to 80/s, x2\n"));
    assert!(text.contains("   not held: connected>10\n"), "{outcome}");
    let highest = "highest    20/s held for 0.3 s, 40/s did not; --find-max would search between";
    assert!(text.contains(highest), "{outcome}");
    assert!(text.contains("\nconnect    at 20/s: 6 of 6 in 0.30 s  "), "{outcome}");
    assert!(text.ends_with("\nresult     valid\n"), "{outcome}");
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    drop(serve);
}

#[test]
fn the_highest_rate_of_connecting_is_searched_for() {
    let (serve, url) = serve();
    let flags = ["--connect", "5", "--find-max", "--connect-rate", "10", "--resolution", "50%"];
    let more = ["--for", "0.5", "--fail", "connected>12", "--tolerate", "overload"];
    let outcome = bench(&url, &[&flags[..], &more].concat()).run();
    let object = object(&outcome);
    let expected = [(10.0, true), (20.0, true), (40.0, false), (30.0, false), (20.0, false)];
    // Confirmed with double time there are twice as many.
    assert_eq!(steps(&object)[..5], expected, "{outcome}");
    drop(serve);
}

#[test]
fn several_loops_make_the_connections_of_a_step_together() {
    let (serve, url) = serve();
    let flags = ["--connect", "7", "--loops", "3", "--ramp", "connect=60:60:x2", "--for", "0.5"];
    let outcome = bench(&url, &[&flags[..], &["--tolerate", "overload"]].concat()).run();
    let object = object(&outcome);
    let step = &object["steps"][0];
    assert_eq!((&step["due"], &step["made"]), (&30.into(), &30.into()), "{outcome}");
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    drop(serve);
}

#[test]
fn a_server_that_is_gone_ends_the_ramp_with_its_cause() {
    let (serve, url) = serve();
    let flags = ["--connect", "5", "--ramp", "connect=20:80:x2", "--for", "5s", "--report", "0.1"];
    let mut bench = Program::new([&["bench", &url], &flags[..], &PATIENT].concat()).spawn();
    bench.wait_for_line(|line| line.starts_with("interval   step 1   0.1 s   begun "));
    drop(serve);
    let outcome = bench.finish();
    let text = text(&outcome);
    assert!(text.contains("   not held: failed>0"), "{outcome}");
    assert!(text.contains("TCP refused"), "{outcome}");
    assert!(text.contains("\nhighest    none: 20/s did not hold\n"), "{outcome}");
    assert!(text.ends_with("\nresult     valid, FAILED\n"), "{outcome}");
    assert_eq!(outcome.code(), Some(1), "{outcome}");
}

#[test]
fn a_ramp_of_connecting_has_nothing_beside_it() {
    let url = "ws://127.0.0.1:1/mqtt";
    let ramp = ["--ramp", "connect=10:20:x2"];
    let alone = "mqttws: --ramp connect=: give --connect N, how many may stand at once, and no --pub \
                 or --sub";
    for (flags, why) in [
        (&["--pub", "1", "--connect", "2"][..], alone),
        (&["--connect", "0"], "mqttws: --pub, --sub, --connect: there is no connection: *"),
        (&[], alone),
        (
            &["--connect", "2", "--connect-rate", "5"],
            "mqttws: --connect-rate: --ramp connect= says at which rates connections are made",
        ),
        (
            &["--connect", "2", "--churn", "5"],
            "mqttws: --churn: each step of connecting ends connections and makes them anew",
        ),
    ] {
        fails(&Program::new([&["bench", url], flags, &ramp].concat()).run(), 2, why);
    }
    let search = ["bench", url, "--connect", "2", "--find-max", "--connect-rate", "none"];
    let why = "mqttws: --find-max: --connect-rate none: the search begins at a rate";
    fails(&Program::new(search).run(), 2, why);
    let both = ["bench", url, "--connect", "2", "--find-max", "--ramp", "connect=10:20:x2"];
    assert_eq!(Program::new(both).run().code(), Some(2));
}

#[test]
fn every_kind_of_run_says_when_it_was_interrupted() {
    let (serve, url) = serve();
    for flags in [
        &["--connect", "3", "--for", "60s"][..],
        &["--connect", "3", "--for", "60s", "--churn", "20"],
        &["--sub", "3", "--for", "60s"],
        &["--connect", "3", "--ramp", "connect=20:80:x2", "--for", "60s"],
        &["--connect", "3", "--find-max", "--connect-rate", "20", "--for", "60s"],
        &["--ramp", "20:80:x2", "--for", "60s"],
        &["--find-max", "--rate", "20", "--for", "60s"],
        &["--rate", "20", "--for", "60s", "--runs", "3"],
        &["--rate", "20", "--for", "60s", "--retained", "--warmup", "0"],
        &["--rate", "20", "--for", "60s", "--churn", "5"],
        &["--for", "60s", "-M", "1", "--size", "64"],
    ] {
        let arguments = [&["bench", &url], flags, &PATIENT, &["--report", "0.1"]].concat();
        let mut bench = Program::new(arguments).spawn();
        bench.wait_for_line(|line| line.starts_with("interval   "));
        bench.signal("INT");
        let outcome = bench.finish();
        assert!(text(&outcome).contains("\ninterrupted after "), "{flags:?}: {outcome}");
        assert_eq!(outcome.code(), Some(130), "{flags:?}: {outcome}");
    }
    drop(serve);
}

#[test]
fn steps_before_a_signal_are_listed() {
    let (serve, url) = serve();
    let flags =
        ["--connect", "3", "--ramp", "connect=20:80:x2", "--for", "0.5", "--report", "0.25"];
    let mut bench = Program::new([&["bench", &url], &flags[..], &PATIENT].concat()).spawn();
    bench.wait_for_line(|line| line.starts_with("interval   step 2   0.25 s   begun "));
    bench.signal("INT");
    let outcome = bench.finish();
    let text = text(&outcome);
    let after = text.lines().find(|line| line.starts_with("interrupted after ")).unwrap();
    assert!(after.ends_with(" s: the step that was going on is not listed"), "{outcome}");
    assert!(
        text.contains("\nhighest    20/s held for 0.5 s; then it was interrupted\n"),
        "{outcome}"
    );
    assert_eq!(outcome.code(), Some(130), "{outcome}");
    drop(serve);
}
