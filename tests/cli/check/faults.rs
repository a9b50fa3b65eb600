//! A probe that panics: a fault of the program itself, which a build for tests has on demand.

use std::fs;

use super::running::retained;
use super::table::serve;
use crate::support::program::{Outcome, Program};

/// Runs `check` with these flags, where the probes of these points panic.
fn with_panics(url: &str, points: &str, flags: &[&str]) -> Outcome {
    let arguments = [&["check", url], flags].concat();
    Program::new(arguments).env("MQTTWS_CHECK_PANICS_AT", points).run()
}

fn json(outcome: &Outcome) -> serde_json::Value {
    serde_json::from_slice(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {outcome}"))
}

/// Name, version and verdict of each result.
fn verdicts(report: &serde_json::Value) -> Vec<String> {
    let points = report["points"].as_array().unwrap().iter();
    let text = |point: &serde_json::Value, key: &str| point[key].as_str().unwrap_or("").to_owned();
    points
        .map(|point| ["name", "version", "verdict"].map(|key| text(point, key)).join(" "))
        .collect()
}

#[test]
fn the_point_is_undecided_and_the_rest_is_asked() {
    let (_serve, url) = serve();
    let whole = verdicts(&json(&Program::new(["check", &url, "--json"]).run()));
    let junit = std::env::temp_dir().join(format!("mqttws-fault-{}.xml", std::process::id()));
    let flags = ["--json", "--junit", junit.to_str().unwrap()];
    // On the shared connection, on its own, observed, and one that is asked in two versions.
    let points = "order,ping,never-masked,qos0-round-trip";
    let outcome = with_panics(&url, points, &flags);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    assert_eq!(outcome.stderr, b"", "{outcome}");
    let report = json(&outcome);
    let faulty = ["order 5 ", "ping 5 ", "never-masked 5 ", "qos0-round-trip "];
    let expected: Vec<String> = whole
        .iter()
        .map(|line| match faulty.iter().find(|start| line.starts_with(**start)) {
            Some(_) => line.replace("PASS", "unknown"),
            None => line.clone(),
        })
        .collect();
    assert_ne!(expected, whole);
    assert_eq!(verdicts(&report), expected);
    assert_eq!(report["exit"], 1);
    let ping = report["points"].as_array().unwrap().iter().find(|point| point["name"] == "ping");
    let observed = ping.unwrap()["observed"].as_str().unwrap();
    let start = "fault in mqttws: a test asks for it (src/command/check/run/tasks.rs:";
    assert!(observed.starts_with(start), "{observed}");
    let xml = fs::read_to_string(&junit).unwrap();
    fs::remove_file(&junit).unwrap();
    assert_eq!(
        xml.matches("<error type=\"error\" message=\"fault in mqttws: ").count(),
        5,
        "{xml}"
    );
    assert!(xml.contains(" failures=\"0\" errors=\"5\" "), "{xml}");
}

#[test]
fn it_is_told_in_the_text_and_by_tap() {
    let (_serve, url) = serve();
    let only = ["--only", "ping,empty-message"];
    let outcome = with_panics(&url, "ping", &only);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    let text = String::from_utf8(outcome.stdout.clone()).unwrap();
    let end = "A fault in mqttws kept points from being decided; please report it: ping.\n";
    assert!(text.ends_with(end), "{text}");
    assert!(text.contains("1 unknown; "), "{text}");
    let outcome = with_panics(&url, "ping", &[&only[..], &["--tap"]].concat());
    let tap = String::from_utf8(outcome.stdout.clone()).unwrap();
    let fault = " - framing-in/ping (MQTT 5)\n  ---\n  verdict: unknown\n";
    assert!(tap.starts_with("TAP version 14\n1.."), "{tap}");
    assert!(tap.lines().any(|line| line.starts_with("not ok ")) && tap.contains(fault), "{tap}");
    assert!(tap.contains(" - framing-in/empty-message (MQTT 5)\n"), "{tap}");
}

/// Points that wait, and what an earlier point has left at the server.
#[test]
fn waiting_points_begin_anew_and_nothing_is_left_behind() {
    let (_serve, url) = serve();
    let only = "retain-stored,session-resumed,will-on-cut,keep-alive-enforced,mute-connection";
    let flags = ["--only", only, "--versions", "5", "--json", "--quiet"];
    let outcome = with_panics(&url, "will-on-cut,mute-connection", &flags);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    let expected = [
        "retain-stored 5 PASS",
        "session-resumed 5 PASS",
        "will-on-cut 5 unknown",
        "keep-alive-enforced 5 PASS",
        "mute-connection 5 unknown",
    ];
    let mut found = verdicts(&json(&outcome));
    found.retain(|line| only.split(',').any(|name| line.starts_with(&format!("{name} "))));
    assert_eq!(found, expected);
    assert_eq!(retained(&url), "end x\n");
}
