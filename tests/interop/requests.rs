//! Requests and answers through mosquitto: ours beside `mosquitto_rr`, and commands that answer
//! both. These tests must never know how an answer is known.

use crate::broker::Mosquitto;
use crate::program::{Program, Running};
use crate::{mosquitto, sequence};

/// A command of ours that answers what comes to `t`.
fn responder(broker: &Mosquitto, command: &str, flags: &[&str]) -> Running {
    let url = broker.ws();
    let common =
        ["sub", &url, "-i", "responder", "-t", "t", "-q", "1", "--reply", "--exec", command];
    let running = Program::new([&common[..], flags].concat()).spawn();
    broker.wait_for_subscription("responder");
    running
}

fn end(responder: Running) {
    responder.signal("INT");
    responder.finish().expect(0, "", "");
}

#[test]
fn answers_are_those_that_mosquitto_rr_prints() {
    let Some(broker) = mosquitto() else { return };
    let responder = responder(&broker, "printf 're: '; cat", &[]);
    for flags in
        [&[][..], &["-v"], &["-N"], &["-q", "1", "-v"], &["-q", "2"], &["-F", "%t|%p|%q|%l|%x"]]
    {
        let flags = [&["-t", "t", "-e", "r", "-m", "ask", "-W", "20"], flags].concat();
        let theirs = broker.client("mosquitto_rr", &flags).run();
        let ours = Program::new([&["pub", &broker.ws(), "--request"], &flags[..]].concat()).run();
        assert_eq!((ours.code(), theirs.code()), (Some(0), Some(0)), "{ours}\n{theirs}");
        assert!(ours.stdout == theirs.stdout && ours.stdout.starts_with(b"r"), "{ours}\n{theirs}");
        assert!(ours.stderr.is_empty(), "{ours}");
    }
    end(responder);
}

#[test]
fn a_thousand_requests_find_their_answers() {
    let Some(broker) = mosquitto() else { return };
    let responder = responder(&broker, "cat", &["--jobs", "4"]);
    let url = broker.ws();
    let flags = ["pub", &url, "--request", "-t", "t", "-l", "-q", "1", "-W", "20", "-F", "%p %D"];
    let outcome = Program::new(flags).stdin(sequence(1000)).run();
    assert_eq!((outcome.code(), outcome.stderr.as_slice()), (Some(0), &b""[..]), "{outcome}");
    let text = String::from_utf8(outcome.stdout).unwrap();
    let mut numbers: Vec<u32> = Vec::new();
    for line in text.lines() {
        let (payload, data) = line.split_once(' ').unwrap();
        assert!(data.ends_with(&format!("-{payload}")), "{line}");
        numbers.push(payload.parse().unwrap());
    }
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(1..=1000));
    end(responder);
}

/// What a command did not do well stays with the broker, for the next run of the same session.
#[test]
fn what_failed_comes_again() {
    let Some(broker) = mosquitto() else { return };
    let url = broker.ws();
    let worker = ["sub", &url, "-i", "worker", "-c", "-t", "t", "-q", "1"];
    Program::new([&worker[..], &["-E"]].concat()).run().expect(0, "", "");
    let input = "one\ntwo\nthree\n";
    Program::new(["pub", &url, "-t", "t", "-q", "1", "-l"]).stdin(input).run().expect(0, "", "");
    let failing = "read -r line; echo $line; [ $line != two ]";
    let outcome = Program::new([&worker[..], &["--exec", failing]].concat()).run();
    let line = "mqttws: running the command for a message to t: it ended with exit code 1\n";
    outcome.expect(1, "one\ntwo\n", line);
    let outcome = Program::new([&worker[..], &["--exec", "cat; echo", "-C", "2"]].concat()).run();
    outcome.expect(0, "two\nthree\n", "");
}
