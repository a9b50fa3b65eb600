//! `mqttws ping`: what was reached, a line a probe, and the figures at the end.

use std::time::Duration;

use crate::support::broker::{Broker, Step, connected, packet, until_goodbye};
use crate::support::lines::{self, is_like, is_line};
use crate::support::program::{Outcome, Program};

/// `mqttws ping URL -V 311` and `arguments`.
fn ping(broker: &Broker, arguments: &[&str]) -> Program {
    let url = broker.url();
    Program::new([&["ping", &url, "-V", "311"], arguments].concat())
}

/// Checks that each line of standard output is like its pattern.
fn prints(outcome: &Outcome, patterns: &[&str]) {
    let text = String::from_utf8(outcome.stdout.clone()).unwrap();
    let as_expected = text.lines().count() == patterns.len()
        && text.lines().zip(patterns).all(|(line, pattern)| is_like(line, pattern));
    assert!(as_expected, "standard output is not like {patterns:#?}:\n{outcome}");
}

#[test]
fn each_probe_has_a_line() {
    let broker = Broker::start(until_goodbye(connected([
        packet("c0"),
        Step::Send("d0"),
        packet("c0"),
        Step::Send("d0"),
    ])));
    let outcome = ping(&broker, &["-c", "2", "--interval", "0.01"]).run();
    assert_eq!((outcome.code(), outcome.stderr.as_slice()), (Some(0), b"".as_slice()), "{outcome}");
    prints(&outcome, lines::PING_TWICE);
}

/// What two answered probes and one without an answer print.
const TWO_OF_THREE: &[&str] = &[
    lines::PING_TWICE[0],
    lines::PING_TWICE[1],
    lines::PING_TWICE[2],
    lines::PING_TWICE[3],
    "3 sent, 2 answered, 33% lost, time * ms",
    lines::PING_TWICE[5],
];

/// Two probes are answered, a third is read.
fn two_of_three() -> Vec<Step> {
    connected([packet("c0"), Step::Send("d0"), packet("c0"), Step::Send("d0"), packet("c0")])
}

#[test]
fn probes_without_a_pause_have_their_lines_before_the_summary() {
    let broker = Broker::start(until_goodbye(connected([
        packet("c0"),
        Step::Send("d0"),
        packet("c0"),
        Step::Send("d0"),
    ])));
    let outcome = ping(&broker, &["-c", "2", "--interval", "0"]).run();
    assert_eq!((outcome.code(), outcome.stderr.as_slice()), (Some(0), b"".as_slice()), "{outcome}");
    prints(&outcome, lines::PING_TWICE);
}

#[test]
fn lines_do_not_wait_for_an_answer_that_takes_its_time() {
    let broker = Broker::start(until_goodbye(two_of_three()));
    let mut program = ping(&broker, &["--interval", "0", "-W", "60"]).spawn();
    program.wait_for_line(|line| is_like(line.trim_end(), lines::PING_TWICE[2]));
    program.signal("INT");
    let outcome = program.finish();
    assert_eq!((outcome.code(), outcome.stderr.as_slice()), (Some(0), b"".as_slice()), "{outcome}");
    prints(&outcome, TWO_OF_THREE);
}

#[test]
fn lines_come_before_the_loss_of_the_connection() {
    let mut steps = two_of_three();
    steps.push(Step::End);
    let broker = Broker::start(steps);
    let outcome = ping(&broker, &["--interval", "0", "--no-reconnect"]).run();
    assert_eq!(outcome.code(), Some(8), "{outcome}");
    assert!(is_line(&outcome.stderr, lines::PINGING_LOST), "{outcome}");
    prints(&outcome, TWO_OF_THREE);
}

#[test]
fn a_reader_that_has_gone_is_missed_while_an_answer_takes_its_time() {
    let broker = Broker::start(connected([Step::Gone]));
    let outcome = ping(&broker, &["--interval", "0", "-W", "60"]).stdout_read_for_one_line().run();
    assert_eq!((outcome.code(), outcome.stderr.as_slice()), (Some(0), b"".as_slice()), "{outcome}");
    prints(&outcome, &lines::PING_TWICE[..1]);
}

#[test]
fn no_answer_is_a_time_out() {
    let broker = Broker::start(connected([packet("c0"), Step::Gone]));
    let outcome = ping(&broker, &["-c", "1", "-W", "0.3"]).run();
    assert_eq!(outcome.code(), Some(27), "{outcome}");
    assert!(is_line(&outcome.stderr, lines::PING_UNANSWERED), "{outcome}");
}

#[test]
fn a_connection_that_is_lost_while_waiting() {
    let broker = Broker::start(connected([packet("c0"), Step::End]));
    let outcome = ping(&broker, &["-c", "1", "--no-reconnect"]).run();
    assert_eq!(outcome.code(), Some(8), "{outcome}");
    assert!(is_line(&outcome.stderr, lines::PINGING_LOST), "{outcome}");
}

/// The connection is lost after the first probe; others become due while it is made again, before
/// the answer to the upgrade and before CONNACK.
fn outage(probe: Step, answer: Step) -> Broker {
    let far_away = || Step::Dally(Duration::from_millis(300));
    let mut steps = connected([Step::Heard, Step::End, Step::Reconnect]);
    steps.extend([Step::Request(&[]), far_away(), Step::Accept]);
    steps.extend([packet("10 <MQTT> 04 *"), far_away(), Step::Send("20 00 00")]);
    steps.extend([probe, answer, Step::Gone]);
    Broker::start(steps)
}

const OFTEN: [&str; 8] =
    ["--interval", "0.05", "-W", "0.05", "--reconnect-delay", "0.01", "-d", "--via"];

#[test]
fn pings_of_the_websocket_during_an_outage_do_not_disturb_the_next_connection() {
    let broker = outage(Step::Heard, Step::Frame(0x8a, &[0, 0, 0, 1]));
    let mut program = ping(&broker, &[&OFTEN[..], &["websocket"]].concat()).spawn();
    program.wait_for_line(|line| line.contains(" time="));
    program.signal("INT");
    let outcome = program.finish();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
}

#[test]
fn no_pingreq_is_sent_before_connack() {
    let broker = outage(packet("c0"), Step::Send("d0"));
    let mut program = ping(&broker, &[&OFTEN[..], &["mqtt"]].concat()).spawn();
    program.wait_for_line(|line| line.contains(" time="));
    program.signal("INT");
    let outcome = program.finish();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let log = String::from_utf8_lossy(&outcome.stderr);
    let packets =
        log.lines().filter_map(|line| line.split_once("sending ").or(line.split_once("received ")));
    let packets: Vec<&str> = packets.map(|(_, packet)| packet).collect();
    let connect = packets.iter().rposition(|packet| *packet == "CONNECT").unwrap();
    assert_eq!(packets[connect + 1], "CONNACK (0)", "{outcome}");
}
