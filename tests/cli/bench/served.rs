//! `serve` with faults on purpose as the server: the report has the counts that the log of `serve`
//! has.

use serde_json::Value;

use super::{bench, numbers, object};
use crate::support::program::{Outcome, Program};

/// Messages of one publisher, each for two readers. No multiple of 40: `--deviate` does something
/// to every 40th.
const COUNT: u64 = 1990;

/// What the log has of one fault in one direction.
fn logged(log: &Outcome, fault: &str, direction: &str) -> u64 {
    let text = String::from_utf8_lossy(&log.stderr);
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let is_it = |line: &Value| {
        line["event"] == "fault" && line["fault"] == fault && line["direction"] == direction
    };
    u64::try_from(lines.filter(is_it).count()).unwrap()
}

/// Runs the load at this QoS against `serve` with this flag; the report, and the log of `serve`.
fn run(flag: [&str; 2], qos: &str) -> (Value, Outcome) {
    let words = [&["serve", "-p", "0", "--log", "json"][..], &flag].concat();
    let mut serve = Program::new(words).spawn();
    let url = serve.wait_for_line(|line| line.starts_with("ws://"));
    let count = COUNT.to_string();
    let flags = ["-V", "5", "-q", qos, "-C", &count, "--rate", "4000", "--drain", "2"];
    let flags =
        [&flags[..], &["--pub", "1", "--sub", "2", "--seed", "1", "--warmup", "0"]].concat();
    let outcome = bench(&url, &flags).run();
    assert_eq!(outcome.stderr, b"", "{outcome}");
    serve.signal("INT");
    let log = serve.finish();
    assert_eq!(log.code(), Some(0), "{}", log.code().unwrap_or_default());
    (object(&outcome), log)
}

/// The counts of the verification that are not 0, and what is still unacknowledged.
fn found(report: &Value) -> (String, u64) {
    let open = report["messages"]["unacknowledged"].as_u64().unwrap();
    (numbers(&report["verified"]), open)
}

#[test]
fn what_serve_drops_on_the_way_to_readers_is_lost() {
    for qos in ["0", "1", "2"] {
        let (report, log) = run(["--fault", "out/publish:drop=0.02,seed=5"], qos);
        let dropped = logged(&log, "drop", "out");
        assert!(dropped > 20, "{dropped}");
        let expected = (format!("lost {dropped}, sent {}", 2 * COUNT), 0);
        assert_eq!(found(&report), expected, "QoS {qos}");
        assert!(qos == "0" || report["passed"] == Value::Bool(false), "QoS {qos}");
    }
}

#[test]
fn what_serve_sends_twice_is_duplicated_unless_its_identifier_forbids_it() {
    for qos in ["0", "1", "2"] {
        let (report, log) = run(["--fault", "out/publish:dup=0.03,seed=6"], qos);
        let doubled = logged(&log, "dup", "out");
        assert!(doubled > 30, "{doubled}");
        let twice = match qos {
            "0" => format!("duplicated {doubled}, "),
            "1" => format!("duplicated {doubled}, duplicated_with_dup {doubled}, "),
            // A second PUBLISH with the same identifier is the same message.
            _ => String::new(),
        };
        assert_eq!(found(&report), (format!("{twice}sent {}", 2 * COUNT), 0), "QoS {qos}");
    }
}

#[test]
fn what_serve_never_gets_is_lost_or_unacknowledged() {
    let faults = ["--fault", "in/publish:drop=0.03,seed=7"];
    let (report, log) = run(faults, "0");
    let dropped = logged(&log, "drop", "in");
    assert!(dropped > 20, "{dropped}");
    assert_eq!(found(&report), (format!("lost {}, sent {}", 2 * dropped, 2 * COUNT), 0));
    for qos in ["1", "2"] {
        let (report, log) = run(faults, qos);
        let dropped = logged(&log, "drop", "in");
        // It promised nothing for what it never had.
        let expected = (format!("sent {}", 2 * (COUNT - dropped)), dropped);
        assert_eq!(found(&report), expected, "QoS {qos}");
        assert_eq!(report["messages"]["acknowledged"], COUNT - dropped, "QoS {qos}");
    }
}

#[test]
fn what_serve_gets_twice_comes_twice_to_each_reader() {
    for qos in ["0", "1"] {
        let (report, log) = run(["--fault", "in/publish:dup=0.03,seed=8"], qos);
        let doubled = logged(&log, "dup", "in");
        assert!(doubled > 30, "{doubled}");
        let expected = (format!("duplicated {}, sent {}", 2 * doubled, 2 * COUNT), 0);
        assert_eq!(found(&report), expected, "QoS {qos}");
    }
}

#[test]
fn an_acknowledgement_that_is_dropped_loses_no_message() {
    let (report, log) = run(["--fault", "out/puback:drop=0.05,seed=9"], "1");
    let dropped = logged(&log, "drop", "out");
    assert!(dropped > 50, "{dropped}");
    assert_eq!(found(&report), (format!("sent {}", 2 * COUNT), dropped));
    assert_eq!(report["latency"]["ack"]["max"], "never");
    assert_eq!(report["latency"]["ack"]["count"], COUNT - dropped);
}

#[test]
fn delays_change_no_count() {
    for qos in ["0", "1", "2"] {
        let (report, _) = run(["--fault", "publish:delay=1ms-20ms,seed=10"], qos);
        assert_eq!(found(&report), (format!("sent {}", 2 * COUNT), 0), "QoS {qos}");
    }
}

#[test]
fn messages_that_serve_swaps_are_reordered() {
    for qos in ["0", "1", "2"] {
        let (report, _) = run(["--deviate", "reordered"], qos);
        let swapped = 2 * (COUNT / 40);
        let expected = (format!("reordered {swapped}, sent {}", 2 * COUNT), 0);
        assert_eq!(found(&report), expected, "QoS {qos}");
    }
}

#[test]
fn messages_that_serve_cuts_are_corrupted() {
    let (report, _) = run(["--deviate", "payload-cut-at-nul"], "0");
    let all = 2 * COUNT;
    assert_eq!(found(&report), (format!("corrupted {all}, lost {all}, sent {all}"), 0));
}

#[test]
fn every_fortieth_message_that_serve_forgets_is_lost() {
    for qos in ["1", "2"] {
        let (report, _) = run(["--deviate", "one-lost"], qos);
        let lost = 2 * (COUNT / 40);
        assert_eq!(found(&report), (format!("lost {lost}, sent {}", 2 * COUNT), 0), "QoS {qos}");
    }
}
