//! What becomes of the processes that the command of `sub ... -- COMMAND` has started, when the
//! run is over.

use crate::support::broker::{Broker, Step, packet, subscribed, until_goodbye};
use crate::support::lines::fails;
use crate::support::program::{Outcome, Program};

/// A run that is over with one message, at a broker of its own; the script of its command.
fn tested(script: &str) -> Outcome {
    let mut broker = Program::new(["serve", "-p", "0"]).spawn();
    let url = broker.wait_for_line(|line| line.starts_with("ws://127.0.0.1:"));
    let words = ["-t", "out", "-C", "1", "-W", "20", "--", "sh", "-c", script];
    let outcome = Program::new([&["sub", &url], &words[..]].concat()).run();
    broker.signal("TERM");
    broker.finish();
    outcome
}

/// A shell that waits dies of SIGTERM at once; what it has started has its time all the same.
#[test]
fn what_a_command_has_started_has_time_to_end() {
    // A shell says on its stderr what has ended its `sleep`.
    let script = "(exec 2> /dev/null; trap 'sleep 0.5; echo cleaned; exit' TERM
                   mqttws pub -t out -m ok; while :; do sleep 0.1; done) & wait";
    tested(script).expect(0, "ok\n", "cleaned\n");
}

/// It holds stderr, so that its end is seen.
#[test]
fn what_ignores_the_signal_is_killed_also_where_the_command_has_ended() {
    let script = "(trap '' TERM; mqttws pub -t out -m ok; exec sleep 600) & exit 0";
    tested(script).expect(0, "ok\n", "");
}

/// What a command may have started: in the background, without a parent, in a session or, as by a
/// shell with job control, in a process group of its own, stopped, ignoring signals.
#[cfg(target_os = "linux")]
const LEFT_BEHIND: [&str; 7] = [
    "sleep 999 &",
    "(sleep 999 &);",
    "setsid sleep 999 & (setsid sleep 999 &);",
    "bash -c 'set -m; sleep 999 & sleep 999' &",
    "setsid sh -c 'trap \"\" INT TERM HUP; (sleep 999 &); while :; do sleep 9; done' &",
    "sh -c 'kill -STOP $$; sleep 999' & trap '' USR1 TERM INT HUP;",
    "for n in 1 2 3; do (setsid sh -c '(sleep 999 & sleep 999) & sleep 999' &); done;",
];

/// Each holds stderr, so that the end of the last one is seen.
#[test]
#[cfg(target_os = "linux")]
fn nothing_that_a_command_has_started_goes_on_after_the_run() {
    for command in LEFT_BEHIND {
        let outcome = tested(&format!("{command} mqttws pub -t out -m ok; exit 0"));
        assert_eq!((outcome.code(), &outcome.stdout[..]), (Some(0), &b"ok\n"[..]), "{outcome}");
    }
}

/// Killed, or interrupted twice.
#[test]
#[cfg(target_os = "linux")]
fn nothing_that_a_command_has_started_outlives_us() {
    for command in LEFT_BEHIND {
        for signals in [&["KILL"][..], &["INT", "INT"], &["TERM", "HUP"]] {
            let broker = Broker::start(subscribed([Step::Gone]));
            let script = format!("{command} echo ready >&2; while :; do sleep 999; done");
            let url = broker.url();
            let words = ["sub", &url, "-V", "311", "-t", "t", "--", "sh", "-c", &script];
            let mut running = Program::new(words).stdin_held_open().spawn();
            running.wait_for_words("ready\n");
            for signal in signals {
                running.signal(signal);
            }
            let outcome = running.finish();
            assert_ne!(outcome.code(), Some(0), "{command}: {outcome}");
        }
    }
}

/// Nor where the process that stands between us and the command is killed.
#[test]
#[cfg(target_os = "linux")]
fn nothing_that_a_command_has_started_outlives_the_process_between() {
    for command in LEFT_BEHIND {
        let script = format!("{command} kill -9 $PPID; while :; do sleep 999; done");
        let outcome = tested(&script);
        let line = "mqttws: running sh: the process that supervises it was killed";
        fails(&outcome, 1, line);
    }
}

/// The command sees a process of mqttws as its parent, and may end the run by it.
#[test]
fn a_command_can_signal_its_parent() {
    let outcome = tested("kill -TERM $PPID; while :; do sleep 9; done");
    fails(&outcome, 143, "mqttws: subscribed: interrupted with 0 of 1 message");
}

/// `kill 0`, with which scripts end what they have started, is for the command alone.
#[test]
fn a_signal_of_a_command_for_its_process_group_is_not_for_us() {
    let outcome = tested("kill -TERM 0; sleep 9");
    fails(&outcome, 1, "mqttws: running sh: signal 15 ended it");
}

/// What it has published counts, however soon it fails after that: the broker is asked for it.
#[test]
fn a_message_that_was_published_before_a_failure_counts() {
    for _ in 0..20 {
        tested("mqttws pub -t out -m ok -q 1; exit 3").expect(0, "ok\n", "");
        let outcome = tested("mqttws pub -t other -m ok -q 1; exit 3");
        fails(&outcome, 1, "mqttws: running sh: it ended with exit code 3");
    }
}

/// The answer to the PINGREQ decides: whatever comes before it counts.
#[test]
fn a_failure_counts_when_the_broker_has_said_what_it_has() {
    let run = |rest: Vec<Step>| {
        let steps = subscribed([packet("c0")]).into_iter().chain(rest);
        let broker = Broker::start(until_goodbye(steps.collect()));
        let url = broker.url();
        let words = ["sub", &url, "-V", "311", "-t", "t", "-C", "1", "--", "sh", "-c", "exit 3"];
        Program::new(words).run()
    };
    run(vec![Step::Send("30 <t> 'x'; d0")]).expect(0, "x\n", "");
    let line = "mqttws: running sh: it ended with exit code 3";
    fails(&run(vec![Step::Send("d0")]), 1, line);
}

/// Without an answer it counts after a while.
#[test]
fn a_failure_counts_also_where_the_broker_is_silent_or_gone() {
    let run = |rest: [Step; 1], flags: &[&str]| {
        let broker = Broker::start(subscribed([packet("c0")]).into_iter().chain(rest).collect());
        let url = broker.url();
        let words = ["sub", &url, "-V", "311", "-t", "t", "-C", "1"];
        Program::new([&words[..], flags, &["--", "sh", "-c", "exit 3"]].concat()).run()
    };
    let line = "mqttws: running sh: it ended with exit code 3";
    fails(&run([Step::Gone], &["--connect-timeout", "0.5"]), 1, line);
    fails(&run([Step::Gone], &["-W", "0.5"]), 1, line);
}
