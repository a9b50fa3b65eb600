//! What becomes of the processes that the command of `sub ... -- COMMAND` has started, when the
//! run is over.

use crate::support::broker::{Broker, Step, packet, subscribed, until_goodbye};
use crate::support::lines::fails;
use crate::support::program::{Outcome, PATIENCE, Program};

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
        all_has_ended(&outcome);
        assert_eq!((outcome.code(), &outcome.stdout[..]), (Some(0), &b"ok\n"[..]), "{outcome}");
    }
}

/// Outputs end with the last process that has them: where one goes on they were read to the end of
/// our patience.
fn all_has_ended(outcome: &Outcome) {
    assert!(outcome.took < PATIENCE, "something goes on: {outcome}");
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
            // Two signals may be one for us: what counts is that it ends.
            all_has_ended(&running.finish());
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
        all_has_ended(&outcome);
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

/// What the commands of `--exec` and of `--credentials-command` may have started: all but what has
/// left its process group and has no parent any more.
#[cfg(target_os = "linux")]
const STARTED: [&str; 5] = [
    "",
    "sleep 999 & (sleep 999 &);",
    "setsid sleep 999 &",
    "bash -c 'set -m; sleep 999 & sleep 999' &",
    "sh -c 'kill -STOP $$; sleep 999' & trap '' USR1 TERM INT HUP;",
];

/// A script that says it is ready when it has run for a while: the process that watches is told of
/// a command just after its start.
#[cfg(target_os = "linux")]
fn endless(command: &str) -> String {
    let mqttws = env!("CARGO_BIN_EXE_mqttws");
    format!("{command} {mqttws} man > /dev/null; echo ready >&2; while :; do sleep 999; done")
}

#[test]
#[cfg(target_os = "linux")]
fn commands_of_messages_do_not_outlive_us() {
    for command in STARTED {
        // What has left the group gets no signal, but for SIGKILL.
        let leaves_group = command.contains("set");
        let interrupted = [&["INT", "INT"][..]].into_iter().filter(|_| !leaves_group);
        for signals in [&["KILL"][..]].into_iter().chain(interrupted) {
            let broker = Broker::start(subscribed([Step::Send("30 <t> 'x'"), Step::Gone]));
            let (url, script) = (broker.url(), endless(command));
            let words = ["sub", &url, "-V", "311", "-t", "t", "--exec", &script];
            let mut running = Program::new(words).spawn();
            running.wait_for_words("ready\n");
            for signal in signals {
                running.signal(signal);
            }
            // Two signals may be one for us: what counts is that it ends.
            all_has_ended(&running.finish());
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn commands_for_credentials_do_not_outlive_us() {
    for flag in ["--credentials-command", "--url-command"] {
        for command in STARTED {
            let script = endless(command);
            let words = ["sub", "-t", "t", flag, &script, "--connect-timeout", "60"];
            let mut running = Program::new(words).spawn();
            running.wait_for_words("ready\n");
            running.signal("KILL");
            let outcome = running.finish();
            all_has_ended(&outcome);
            assert_eq!(outcome.code(), None, "{command}: {outcome}");
        }
    }
}

/// A command that has ended is forgotten: what it has left behind goes on, as with other programs.
#[test]
#[cfg(target_os = "linux")]
fn what_a_command_of_a_message_leaves_behind_goes_on() {
    let folder = crate::support::folder::Folder::new();
    let fifo = folder.path().join("fifo").display().to_string();
    Program::of("mkfifo", [&fifo]).run().expect(0, "", "");
    let broker = Broker::start(until_goodbye(subscribed([Step::Send("30 <t> 'x'")])));
    let script = "(read line < \"$FIFO\"; echo went on) & exit 0";
    let url = broker.url();
    let text = "\"$0\" sub \"$1\" -V 311 -t t -C 1 --exec \"$2\"; echo $?; echo line > \"$FIFO\"";
    let words = ["-c", text, env!("CARGO_BIN_EXE_mqttws"), &url, script];
    Program::of("sh", words).env("FIFO", &fifo).run().expect(0, "0\nwent on\n", "");
}
