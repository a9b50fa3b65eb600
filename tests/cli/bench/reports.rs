//! What a run prints: lines, an object, files; and what it refuses.

use super::{bench, object};
use crate::serve::serve_for_others as serve;
use crate::support::folder::Folder;
use crate::support::lines::fails;
use crate::support::program::Program;

/// The lines of a report, digits replaced by `0`.
fn form(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for line in text.lines() {
        let mut form = String::new();
        for c in line.chars() {
            let is_number = c.is_ascii_digit() || matches!(c, '.' | ',');
            match (is_number, form.ends_with('0')) {
                (true, true) => {}
                (true, false) if c.is_ascii_digit() => form.push('0'),
                _ => form.push(c),
            }
        }
        lines.push(form.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    lines
}

#[test]
fn the_report_has_the_form_of_the_manual() {
    let (serve, url) = serve();
    let flags = ["--pub", "2", "--sub", "2", "--rate", "200", "-q", "1", "--for", "1s"];
    let more = ["--warmup", "0.2", "--fail", "p99>3600s", "--max-lateness", "never", "--quiet"];
    let more = [&more[..], &["--tolerate", "overload"]].concat();
    let outcome = Program::new([&["bench", &url], &flags[..], &more].concat()).run();
    assert_eq!((outcome.code(), &outcome.stderr[..]), (Some(0), &b""[..]), "{outcome}");
    let text = String::from_utf8(outcome.stdout.clone()).unwrap();
    let names = text.lines().map(|line| line[..10.min(line.len())].trim());
    // A busy machine has more to say.
    let names: Vec<&str> = names.filter(|name| !["overload", "note"].contains(name)).collect();
    let expected = [
        "bench",
        "server",
        "machine",
        "connect",
        "",
        "measured",
        "sent",
        "received",
        "verified",
        "",
        "delivery",
        "acknowledg",
        "lateness",
        "generator",
        "limit",
        "fail",
        "result",
    ];
    assert_eq!(names, expected, "{outcome}");
    let forms = form(&text);
    let has = |line: &str| assert!(forms.iter().any(|form| form == line), "{line}: {outcome}");
    has("sent 0 0/s acknowledged 0 refused 0 unsent 0");
    has("verified 0 with the warm-up: lost 0 duplicated 0 reordered 0 corrupted 0");
    has("p0 p0 p0 p0 p0 max");
    assert!(text.contains("fail       p99>3600s: no ("), "{outcome}");
    assert!(text.ends_with("result     valid, passed\n"), "{outcome}");
    assert!(text.contains("2 publishers, 2 subscribers, 2 topics, QoS 1, 256 bytes, open loop"));
    drop(serve);
}

#[test]
fn a_closed_loop_says_that_its_times_are_service_times() {
    let (serve, url) = serve();
    let arguments = ["bench", &url, "--pub", "1", "--sub", "1", "-C", "20"];
    let outcome = Program::new(arguments).run();
    let text = String::from_utf8(outcome.stdout.clone()).unwrap();
    assert!(text.contains("\nnote       service times: in a closed loop a slow"), "{outcome}");
    assert!(text.contains("\nservice  "), "{outcome}");
    assert!(text.contains("closed loop, 1,000 in flight each\n"), "{outcome}");
    drop(serve);
}

#[test]
fn files_get_the_object_and_the_percentiles() {
    let (serve, url) = serve();
    let folder = Folder::new();
    let (file, prefix) = (folder.write("run.json", ""), folder.write("run", ""));
    let (json, hgrm) = (format!("--json={file}"), ["--hgrm", &prefix]);
    let flags = ["--pub", "1", "--sub", "1", "-q", "1", "-C", "20", &json];
    let outcome = Program::new([&["bench", &url], &flags[..], &hgrm].concat()).run();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    assert!(outcome.stdout.starts_with(b"bench      run "), "{outcome}");
    let text = std::fs::read_to_string(&file).unwrap();
    let object: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&object["type"], &object["schema"]), (&"bench".into(), &1.into()));
    for name in ["delivery", "ack", "connect"] {
        let text = std::fs::read_to_string(format!("{prefix}.{name}.hgrm")).unwrap();
        assert!(text.contains("#[Max     = "), "{text}");
    }
    drop(serve);
}

#[test]
fn a_full_disk_takes_no_report_from_the_terminal() {
    let (serve, url) = serve();
    let flags = ["bench", &url, "-C", "20", "--quiet", "--json=/dev/full"];
    let outcome = Program::new(flags).run();
    let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
    assert!(
        text.starts_with("bench      run ") && text.contains("\nresult     valid"),
        "{outcome}"
    );
    assert_eq!(
        outcome.stderr, b"mqttws: writing /dev/full: No space left on device\n",
        "{outcome}"
    );
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    // And a reader that has gone none from the disk.
    let folder = Folder::new();
    let file = folder.write("run.json", "");
    let stored = format!("--json={file}");
    let flags = ["bench", &url, "-C", "20", "--quiet", &stored];
    let outcome = Program::new(flags).stdout_closed().run();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let object: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(object["messages"]["sent"], 20);
    drop(serve);
}

#[test]
fn no_secret_is_in_a_report() {
    let (serve, url) = serve();
    let flags = ["-u", "me", "-P", "geheim", "-H", "X-Key: geheim", "--connect", "1"];
    let outcome = bench(&url, &[&flags[..], &["--for", "0.1"]].concat()).run();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    assert!(!String::from_utf8_lossy(&outcome.stdout).contains("geheim"), "{outcome}");
    assert_eq!(object(&outcome)["argv"][0], "mqttws");
    drop(serve);
}

#[test]
fn a_plan_is_printed_and_nothing_else_done() {
    let flags = ["--pub", "100", "--sub", "10", "--dry-run", "-t", "a/%i"];
    let outcome = Program::new([&["bench", "ws://127.0.0.1:1/mqtt"], &flags[..]].concat()).run();
    let text = String::from_utf8(outcome.stdout.clone()).unwrap();
    let expected = "connections  110: 100 publish, 10 subscribe, 0 idle\n\
                    topics       100\n\
                    first topic  a/0\n\
                    streams      100\n\
                    pairs        100 of a reader and a stream\n";
    assert!(text.starts_with(expected), "{outcome}");
    assert_eq!(outcome.code(), Some(0), "{outcome}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let url = "ws://127.0.0.1:1/mqtt";
    for (flags, why) in [
        (&["--pub", "0"][..], "mqttws: --pub, --sub, --connect: there is no connection: *"),
        (&["-i", "me"], "mqttws: -i: %c is missing: each connection needs a client id of its own"),
        (&["--pub", "2", "-t", "a"], "mqttws: -t: two of 2 topics are a: %i is missing"),
        (
            &["-t", "a/%x"],
            "mqttws: -t: expected %i (topic), %c (connection), %r (run) or %% after %",
        ),
    ] {
        let arguments = [&["bench", url], flags].concat();
        fails(&Program::new(arguments).run(), 2, why);
    }
    for flag in [
        ["--rate", "20x"],
        ["--size", "31"],
        ["--for", "1ms"],
        ["--fail", "p99>20"],
        ["--tolerate", "nothing"],
        ["--tick", "11ms"],
        ["--pub", "-1"],
        ["--ramp", "1k:2k:x1"],
        ["--report", "50ms"],
        ["--report", "120ms"],
        ["--ramp", "connect=2:1:x2"],
        ["--runs", "0"],
        ["--part", "1/2"],
        ["--start-at", "1"],
        ["--fail", "p99>1.2x"],
    ] {
        let outcome = Program::new([&["bench", url], &flag[..]].concat()).run();
        assert_eq!(outcome.code(), Some(2), "{flag:?}: {outcome}");
    }
}
