//! When `mqttws ping` ends: `-w`, `--flood`, and what ends it early. SIGQUIT does not.

use std::time::Duration;

use crate::support::broker::{Broker, Step, connected, packet, until_goodbye};
use crate::support::lines::{self, is_like, is_line};
use crate::support::program::{Outcome, Program};

fn ping(broker: &Broker, arguments: &[&str]) -> Program {
    let url = broker.url();
    Program::new([&["ping", &url, "-V", "311"], arguments].concat())
}

/// Whether standard output has a line like this.
fn has(outcome: &Outcome, pattern: &str) -> bool {
    String::from_utf8_lossy(&outcome.stdout).lines().any(|line| is_like(line, pattern))
}

#[test]
fn a_deadline_ends_it_whatever_was_answered() {
    let broker = Broker::start(until_goodbye(connected([packet("c0"), Step::Send("d0")])));
    let outcome = ping(&broker, &["-w", "0.4", "--interval", "60"]).run();
    assert_eq!((outcome.code(), &outcome.stderr[..]), (Some(0), &b""[..]), "{outcome}");
    assert!(has(&outcome, "1 sent, 1 answered, 0% lost, time * ms"), "{outcome}");
    // A probe that waits is lost then.
    let broker = Broker::start(until_goodbye(connected([packet("c0")])));
    let outcome = ping(&broker, &["--deadline", "0.4", "-W", "60"]).run();
    assert_eq!(outcome.code(), Some(27), "{outcome}");
    assert!(is_line(&outcome.stderr, lines::PING_UNANSWERED), "{outcome}");
    assert!(has(&outcome, "1 sent, 0 answered, 100% lost, time * ms"), "{outcome}");
}

/// As in ping(8).
#[test]
fn with_a_deadline_answers_are_counted() {
    let steps = [packet("c0"), packet("c0"), Step::Send("d0; d0"), Step::Gone];
    let broker = Broker::start(connected(steps));
    let flags = ["-c", "1", "-w", "60", "-W", "0.2", "--interval", "0"];
    let outcome = ping(&broker, &flags).run();
    assert_eq!((outcome.code(), &outcome.stderr[..]), (Some(0), &b""[..]), "{outcome}");
    assert!(has(&outcome, "2 sent, 1 answered, 50% lost, time * ms"), "{outcome}");
}

#[test]
fn a_deadline_ends_connecting_and_subscribing() {
    let broker = Broker::start(vec![Step::Request(&[]), Step::Gone]);
    let outcome = ping(&broker, &["-w", "0.3"]).run();
    assert_eq!(outcome.code(), Some(27), "{outcome}");
    let line = "mqttws: connecting to ws://*/mqtt: no WebSocket upgrade within 0.3 s; *";
    assert!(is_line(&outcome.stderr, line), "{outcome}");
    let outcome = Program::new(["ping", "ws://127.0.0.1:1", "-w", "0.3", "--wait", "60"]).run();
    assert_eq!(outcome.code(), Some(27), "{outcome}");
    let broker = Broker::start(until_goodbye(connected([packet("82 id <mqttws/ping/me> 00")])));
    let outcome = ping(&broker, &["-w", "0.5", "-i", "me", "--via", "publish"]).run();
    assert_eq!(outcome.code(), Some(27), "{outcome}");
    let line = "mqttws: subscribing to mqttws/ping/me: no answer from the broker within 0.5 s";
    assert!(is_line(&outcome.stderr, line), "{outcome}");
}

#[test]
fn a_deadline_ends_an_outage() {
    let broker = Broker::start_watchful(connected([packet("c0"), Step::Send("d0"), Step::End]));
    let flags = ["-w", "0.8", "--interval", "0.01", "--reconnect-delay", "60"];
    let outcome = ping(&broker, &flags).run();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    assert!(has(&outcome, "* sent, 1 answered, *% lost, time * ms"), "{outcome}");
}

/// Not the time for connecting, which bounds the end of other verbs, and is longer here than the
/// patience of this test.
#[test]
fn a_deadline_ends_the_end() {
    let flood = Step::Flood([0x82, 2, 0xd0, 0].repeat(100));
    let broker = Broker::start(connected([packet("c0"), flood]));
    let flags = ["-c", "1", "-w", "1", "--connect-timeout", "600"];
    let outcome = ping(&broker, &flags).run();
    assert_eq!((outcome.code(), &outcome.stderr[..]), (Some(0), &b""[..]), "{outcome}");
    // A message of ours that the broker does not release will not come again.
    let subscribe = packet("82 id <mqttws/ping/me> 02");
    let publish = packet("34 <mqttws/ping/me> .. .. 00 00 00 00 00 00 00 01");
    let granted = Step::Send("90 id 02");
    let delivery = Step::Send("34 <mqttws/ping/me> 00 01 00 00 00 00 00 00 00 01");
    let steps = connected([subscribe, granted, publish, delivery, packet("50 00 01")]);
    let broker = Broker::start(until_goodbye(steps));
    let probe = ["--via", "publish", "-q", "2", "--size", "8", "-i", "me"];
    let outcome = ping(&broker, &[&flags[..], &probe].concat()).run();
    assert_eq!((outcome.code(), &outcome.stderr[..]), (Some(0), &b""[..]), "{outcome}");
}

#[test]
fn a_reader_that_has_gone_is_missed_where_nothing_is_written() {
    for flag in ["--flood", "--quiet"] {
        let broker = Broker::start(connected([Step::Heard, Step::Send("d0"), Step::Gone]));
        let flags = [flag, "--interval", "0", "-W", "600"];
        let outcome = ping(&broker, &flags).stdout_read_for_one_line().run();
        assert_eq!((outcome.code(), &outcome.stderr[..]), (Some(0), &b""[..]), "{outcome}");
    }
}

#[test]
fn a_flood_has_no_lines() {
    let mut steps = connected([]);
    for _ in 0..100 {
        steps.extend([packet("c0"), Step::Send("d0")]);
    }
    let broker = Broker::start(until_goodbye(steps));
    let outcome = ping(&broker, &["--flood", "-c", "100"]).run();
    assert_eq!((outcome.code(), &outcome.stderr[..]), (Some(0), &b""[..]), "{outcome}");
    let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let expected = [
        lines::PING_TWICE[0],
        lines::PING_TWICE[3],
        "100 sent, 100 answered, 0% lost, time * ms",
        lines::PING_TWICE[5],
    ];
    assert_eq!(text.lines().count(), expected.len(), "{outcome}");
    assert!(text.lines().zip(expected).all(|(line, like)| is_like(line, like)), "{outcome}");
}

#[test]
fn the_largest_count_is_no_end() {
    let steps = [packet("c0"), Step::Send("d0"), packet("c0"), Step::Tell];
    let broker = Broker::start(until_goodbye(connected(steps)));
    let flags = ["-c", "18446744073709551615", "--interval", "0", "-W", "876000h"];
    let program = ping(&broker, &flags).spawn();
    broker.wait();
    program.signal("INT");
    let outcome = program.finish();
    assert_eq!(outcome.code(), Some(130), "{outcome}");
    let line = "mqttws: pinging ws://*/mqtt: interrupted after 2 of 18446744073709551615 probes";
    assert!(is_line(&outcome.stderr, line), "{outcome}");
}

#[test]
fn sigquit_prints_the_summary_so_far() {
    let steps = [packet("c0"), Step::Send("d0"), packet("c0"), Step::Tell];
    let broker = Broker::start(until_goodbye(connected(steps)));
    let mut program = ping(&broker, &["--interval", "0", "-W", "60"]).spawn();
    broker.wait();
    program.signal("QUIT");
    program.wait_for_words("2 sent, 1 answered, 50% lost, time ");
    program.signal("QUIT");
    program.signal("INT");
    let outcome = program.finish();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let line = "mqttws: 2 sent, 1 answered, 50% lost, time * ms; round trip * ms";
    let text = String::from_utf8_lossy(&outcome.stderr).into_owned();
    assert!(text.lines().all(|told| is_like(told, line)), "{outcome}");
}

/// In the pause between two probes, in JSON, and while connecting.
#[test]
fn sigquit_is_answered_at_any_time() {
    let steps = connected([packet("c0"), Step::Send("d0")]);
    let broker = Broker::start(until_goodbye(steps));
    let mut program = ping(&broker, &["--interval", "60", "--summary=json"]).spawn();
    program.wait_for_line(|line| line.contains("seq=1"));
    program.signal("QUIT");
    program.wait_for_words("\"sent\":1");
    program.signal("INT");
    let outcome = program.finish();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let text = String::from_utf8_lossy(&outcome.stderr).into_owned();
    let objects: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.len(), 2, "{outcome}");

    let broker = Broker::start(until_goodbye(vec![
        Step::Request(&[]),
        Step::Tell,
        Step::Dally(Duration::from_millis(300)),
        Step::Accept,
        packet("10 <MQTT> 04 *"),
        Step::Send("20 00 00"),
        packet("c0"),
        Step::Send("d0"),
    ]));
    let program = ping(&broker, &["-c", "1"]).spawn();
    broker.wait();
    program.signal("QUIT");
    let outcome = program.finish();
    assert_eq!((outcome.code(), &outcome.stderr[..]), (Some(0), &b""[..]), "{outcome}");
}

#[test]
fn nobody_reads_objects_any_more() {
    let broker = Broker::start(connected([packet("c0"), Step::Send("d0"), Step::Gone]));
    let outcome =
        ping(&broker, &["--json", "--interval", "0", "-W", "1"]).stdout_read_for_one_line().run();
    assert_eq!((outcome.code(), outcome.stderr.as_slice()), (Some(0), &b""[..]), "{outcome}");
}

#[test]
fn a_closed_output_is_no_failure_of_a_report() {
    for format in ["nagios", "prometheus"] {
        let broker = Broker::start(until_goodbye(connected([packet("c0"), Step::Send("d0")])));
        let outcome = ping(&broker, &["-c", "1", "--format", format]).stdout_closed().run();
        assert_eq!((outcome.code(), outcome.stderr.as_slice()), (Some(0), &b""[..]), "{outcome}");
    }
}

#[test]
fn flags_that_exclude_each_other() {
    let outcome = Program::new(["ping", "ws://h", "--json", "--format", "nagios"]).run();
    assert_eq!((outcome.code(), &outcome.stdout[..]), (Some(2), &b""[..]), "{outcome}");
    for flags in [["-w", "0"], ["--format", "xml"], ["--on", "p0"], ["--summary", "x"]] {
        let outcome = Program::new([&["ping", "ws://h"], &flags[..]].concat()).run();
        assert_eq!((outcome.code(), &outcome.stdout[..]), (Some(2), &b""[..]), "{outcome}");
    }
}
