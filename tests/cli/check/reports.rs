//! What `check` writes, and its exit codes.

use super::front;
use super::table::{serve, verdicts};
use crate::support::program::Program;

#[test]
fn a_good_server_has_no_failure() {
    let (_serve, url) = serve();
    let (found, report) = verdicts(&url, "reach,connect,framing-out,offer-mqtt,still-alive");
    let bad: Vec<_> =
        found.iter().filter(|(_, verdict)| !["PASS", "n.a."].contains(&verdict.as_str())).collect();
    assert!(bad.is_empty(), "{bad:?}: {report}");
    let outcome = Program::new(["check", &url, "--only", "ping-answered"]).run();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
    assert!(text.contains("INTEROPERABLE (of the points asked for)"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn without_a_connection_the_exit_code_is_that_of_every_command() {
    let outcome = Program::new(["check", "ws://127.0.0.1:1/"]).run();
    assert_eq!(outcome.code(), Some(3), "{outcome}");
    let stderr = "mqttws: connecting to ws://127.0.0.1:1/: connection refused\n";
    assert_eq!(String::from_utf8_lossy(&outcome.stderr), stderr);
    let (_serve, url) = serve();
    let wrong = url.replace("/mqtt", "/nope");
    let outcome = Program::new(["check", &wrong, "--tap"]).run();
    assert_eq!(outcome.code(), Some(5), "{outcome}");
    let tap = "TAP version 14\nBail out! the upgrade was answered by 404 Not Found\n";
    assert_eq!(String::from_utf8_lossy(&outcome.stdout), tap);
    let outcome = Program::new(["check", &wrong]).run();
    let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
    assert!(text.contains("/nope: 404 Not Found; upgraded at /mqtt"), "{text}");
}

#[test]
fn flags_that_check_decides_itself_are_usage_errors() {
    for flag in [&["--strict"][..], &["-k", "5"], &["--subprotocol", "x"], &["-M", "1"]] {
        let outcome = Program::new([&["check", "ws://127.0.0.1:1/"], flag].concat()).run();
        let stderr = format!("mqttws: {}: check decides this itself\n", flag[0]);
        outcome.expect(2, "", &stderr);
    }
    for flag in [&["-c"][..], &["-x", "5"], &["-D", "connect", "user-property", "a", "b"]] {
        let outcome = Program::new([&["check", "ws://127.0.0.1:1/"], flag].concat()).run();
        outcome.expect(2, "", &format!("mqttws: {}: check decides this itself\n", flag[0]));
    }
    let outcome = Program::new(["check", "--timeout", "0"]).run();
    let stderr = "mqttws: invalid value '0' for '--timeout <SECS>': expected a time above 0; see \
                  mqttws help check\n";
    outcome.expect(2, "", stderr);
    let outcome = Program::new(["check", "--only", "offer-mqt"]).run();
    assert_eq!(outcome.code(), Some(2));
    let stderr = String::from_utf8_lossy(&outcome.stderr).into_owned();
    assert!(stderr.contains("did you mean offer-mqtt?"), "{stderr}");
    let outcome = Program::new(["check", "ws://192.0.2.1/", "--full"]).run();
    assert_eq!(outcome.code(), Some(2), "{outcome}");
    assert!(String::from_utf8_lossy(&outcome.stderr).contains("--allow-remote"), "{outcome}");
}

#[test]
fn the_list_connects_to_nothing() {
    let outcome = Program::new(["check", "--list", "--json"]).run();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let list: serde_json::Value = serde_json::from_slice(&outcome.stdout).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 156);
}

#[test]
fn a_known_failure_does_not_count() {
    use super::front::{Answers, without};
    let (_serve, url) = serve();
    let front = front::start(&url, || {
        Box::new(Answers(|_, head| without(&head, "Sec-WebSocket-Protocol")))
    });
    let only = ["--only", "offer-mqtt"];
    let outcome = Program::new([&["check", &front, "--json"][..], &only].concat()).run();
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    let file = std::env::temp_dir().join(format!("mqttws-baseline-{}", std::process::id()));
    std::fs::write(&file, &outcome.stdout).unwrap();
    let name = file.to_str().unwrap();
    let outcome = Program::new([&["check", &front, "--baseline", name][..], &only].concat()).run();
    let fixed = Program::new([&["check", &url, "--baseline", name][..], &only].concat()).run();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    assert!(String::from_utf8_lossy(&outcome.stdout).contains("known offer-mqtt"), "{outcome}");
    assert_eq!(fixed.code(), Some(0), "{fixed}");
    assert!(String::from_utf8_lossy(&fixed.stdout).contains("fixed offer-mqtt"), "{fixed}");
}
