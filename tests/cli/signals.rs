//! SIGINT and SIGTERM: the broker gets a DISCONNECT, and the exit code says whether anything was left to do.

use crate::support::broker::{Broker, Step, connected, packet, subscribed, until_goodbye};
use crate::support::lines::{self, is_like};
use crate::support::program::Program;

const SIGNALS: [(&str, i32); 2] = [("INT", 130), ("TERM", 143)];

#[test]
fn an_endless_sub_is_done_when_interrupted() {
    for (signal, _) in SIGNALS {
        let broker = Broker::start(until_goodbye(subscribed([Step::Send("30 <t> 'x'")])));
        let mut sub = Program::new(["sub", &broker.url(), "-V", "311", "-t", "t"]).spawn();
        sub.wait_for_line(|line| line == "x\n");
        sub.signal(signal);
        sub.finish().expect(0, "x\n", "");
    }
}

#[test]
fn a_sub_that_waits_for_a_count_is_not_done() {
    for (signal, code) in SIGNALS {
        let broker = Broker::start(until_goodbye(subscribed([Step::Send("30 <t> 'x'")])));
        let mut sub = Program::new(["sub", &broker.url(), "-V", "311", "-t", "t", "-C", "2"]).spawn();
        sub.wait_for_line(|line| line == "x\n");
        sub.signal(signal);
        let outcome = sub.finish();
        assert_eq!((outcome.code(), outcome.stdout.as_slice()), (Some(code), b"x\n".as_slice()), "{outcome}");
    }
}

#[test]
fn an_endless_ping_is_done_when_interrupted() {
    for (signal, _) in SIGNALS {
        let broker = Broker::start(until_goodbye(connected([packet("c0"), Step::Send("d0")])));
        let mut ping = Program::new(["ping", &broker.url(), "-V", "311", "--interval", "60"]).spawn();
        ping.wait_for_line(|line| is_like(line.trim_end(), lines::PING_PROBE));
        ping.signal(signal);
        let outcome = ping.finish();
        assert_eq!((outcome.code(), outcome.stderr.as_slice()), (Some(0), b"".as_slice()), "{outcome}");
    }
}

#[test]
fn a_pub_that_waits_for_its_input_is_not_done() {
    for (signal, code) in SIGNALS {
        let steps = connected([packet("32 <t> id 'one'"), Step::Send("40 id"), Step::Tell]);
        let broker = Broker::start(until_goodbye(steps));
        let program = Program::new(["pub", &broker.url(), "-V", "311", "-t", "t", "-q", "1", "-l"]);
        let running = program.stdin("one\n").stdin_held_open().spawn();
        broker.wait();
        running.signal(signal);
        let outcome = running.finish();
        assert_eq!((outcome.code(), outcome.stdout.as_slice()), (Some(code), b"".as_slice()), "{outcome}");
    }
}

#[test]
fn a_pub_that_waits_for_an_acknowledgement_is_not_done() {
    for (signal, code) in SIGNALS {
        let steps = connected([packet("32 <t> id 'one'"), Step::Tell]);
        let broker = Broker::start(until_goodbye(steps));
        let program = Program::new(["pub", &broker.url(), "-V", "311", "-t", "t", "-q", "1", "-m", "one"]);
        let running = program.spawn();
        broker.wait();
        running.signal(signal);
        let outcome = running.finish();
        assert_eq!((outcome.code(), outcome.stdout.as_slice()), (Some(code), b"".as_slice()), "{outcome}");
    }
}

#[test]
fn a_connection_that_is_being_made_is_given_up() {
    for (signal, code) in SIGNALS {
        let broker = Broker::start(vec![Step::Request(&[]), Step::Tell, Step::Gone]);
        let running = Program::new(["sub", &broker.url(), "-V", "311", "-t", "t"]).spawn();
        broker.wait();
        running.signal(signal);
        let outcome = running.finish();
        assert_eq!((outcome.code(), outcome.stdout.as_slice()), (Some(code), b"".as_slice()), "{outcome}");
    }
}
