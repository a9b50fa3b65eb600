//! Signals to `mqttws serve -- COMMAND`, whoever sends them, and the end of one of the two.

use crate::support::folder::Folder;
use crate::support::program::{Program, Running};

/// The signals that are passed on.
const PASSED_ON: [&str; 4] = ["INT", "TERM", "HUP", "QUIT"];

/// `serve` with a script that has said it is ready, and that ends with its stdin.
fn start(script: &str) -> Running {
    let mut running = Program::new(["serve", "--", "sh", "-c", script]).stdin_held_open().spawn();
    running.wait_for_line(|line| line == "ready\n");
    running
}

#[test]
fn they_are_passed_on_and_the_end_of_the_command_is_waited_for() {
    for name in PASSED_ON {
        let running = start(&format!(
            "trap 'echo got {name}; mqttws ping -c 1 --quiet >&2 || exit 9; exit 3' {name}; \
             echo ready; while :; do read line; done"
        ));
        running.signal(name);
        let outcome = running.finish();
        assert_eq!(outcome.code(), Some(3), "{outcome}");
        assert_eq!(outcome.stdout, format!("ready\ngot {name}\n").as_bytes(), "{outcome}");
    }
}

#[test]
fn a_command_that_a_signal_ends_ends_us_with_128_and_its_number() {
    for (name, code) in PASSED_ON.into_iter().zip([130, 143, 129, 131]) {
        let running = start("ulimit -c 0; echo ready; read line");
        running.signal(name);
        running.finish().expect(code, "ready\n", "");
    }
}

#[test]
fn a_command_may_ignore_them_and_gets_each_once() {
    let mut running = start(
        "n=0; trap 'n=$((n+1)); echo interrupt $n' INT; trap 'echo $n; exit 0' TERM; \
         echo ready; while :; do read line; done",
    );
    for number in 1..=3 {
        running.signal("INT");
        let expected = format!("interrupt {number}\n");
        running.wait_for_line(|line| line == expected);
    }
    running.signal("TERM");
    running.finish().expect(0, "ready\ninterrupt 1\ninterrupt 2\ninterrupt 3\n3\n", "");
}

/// One that is in a process group of its own does not get the keys of the terminal.
#[test]
fn a_command_in_a_session_of_its_own_gets_them_too() {
    let script = "trap 'echo got it; exit 5' INT; echo ready; while :; do read line; done";
    let words = ["serve", "--", "setsid", "sh", "-c", script];
    let mut running = Program::new(words).stdin_held_open().spawn();
    running.wait_for_line(|line| line == "ready\n");
    running.signal("INT");
    running.finish().expect(5, "ready\ngot it\n", "");
}

/// As under nohup: a program that was started with SIGHUP ignored goes on, and so does its command.
#[test]
fn a_hangup_that_is_ignored_stays_ignored() {
    let text = "trap '' HUP; exec \"$0\" serve -- sh -c 'echo ready; read line; exit 4'";
    let words = ["-c", text, env!("CARGO_BIN_EXE_mqttws")];
    let mut running = Program::of("sh", words).stdin_held_open().spawn();
    running.wait_for_line(|line| line == "ready\n");
    running.signal("HUP");
    running.end_stdin();
    running.finish().expect(4, "ready\n", "");
}

/// After SIGKILL nothing is left of the command and of what it has started: `cat` waits for the
/// last process that has the pipe.
#[cfg(target_os = "linux")]
fn all_end_with_us(command: &str) {
    let command = format!("{command} cut -d' ' -f4 /proc/$PPID/stat; while :; do sleep 999; done");
    let text = "\"$0\" serve -- sh -c \"$1\" | { read -r pid; kill -9 $pid; cat; }";
    let words = ["-c", text, env!("CARGO_BIN_EXE_mqttws"), &command];
    let outcome = Program::of("sh", words).run();
    // What stderr has is the shell's.
    assert_eq!((outcome.code(), &outcome.stdout[..]), (Some(0), &b""[..]), "{outcome}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_command_does_not_outlive_us() {
    all_end_with_us("");
    all_end_with_us("trap '' INT TERM HUP QUIT USR1;");
}

/// In the background, without a parent, in a session of its own, stopped, ignoring signals.
#[test]
#[cfg(target_os = "linux")]
fn what_the_command_has_started_does_not_outlive_us() {
    for command in [
        "sleep 999 &",
        "(sleep 999 &);",
        "setsid sleep 999 & (setsid sleep 999 &);",
        "setsid sh -c 'trap \"\" INT TERM HUP; (sleep 999 &); while :; do sleep 9; done' &",
        "sh -c 'kill -STOP $$; sleep 999' & trap '' USR1 TERM;",
        "for n in 1 2 3 4 5; do (setsid sh -c '(sleep 999 & sleep 999) & sleep 999' &); done;",
    ] {
        all_end_with_us(command);
    }
}

/// Nor if it is the process between us and the command that is killed.
#[test]
#[cfg(target_os = "linux")]
fn what_the_command_has_started_does_not_outlive_the_process_between() {
    for command in [
        "",
        "trap '' INT TERM HUP QUIT USR1;",
        "sleep 999 &",
        "(setsid sleep 999 &);",
        "setsid sh -c '(sleep 999 &); sleep 999' & (sh -c 'kill -STOP $$; sleep 999' &);",
    ] {
        let script = format!("{command} kill -9 $PPID; while :; do sleep 999; done");
        // It waits for the last process that has its stdout.
        Program::new(["serve", "--", "sh", "-c", &script]).run().expect(137, "", "");
    }
}

/// What a shell has started that then became mqttws is not the command's.
#[test]
#[cfg(target_os = "linux")]
fn what_was_there_before_us_goes_on() {
    let folder = Folder::new();
    let fifo = folder.path().join("fifo").display().to_string();
    let served = "exec \"$1\" serve -- sh -c 'kill -9 $PPID; sleep 999'";
    let script = format!("(read line < \"$0\"; echo went on) & {served}");
    let text = "mkfifo \"$1\"; sh -c \"$2\" \"$1\" \"$0\"; echo $?; echo line > \"$1\"";
    let words = ["-c", text, env!("CARGO_BIN_EXE_mqttws"), &fifo, &script];
    Program::of("sh", words).run().expect(0, "137\nwent on\n", "");
}

/// Where the command ends first, what it has left behind goes on.
#[test]
fn what_the_command_leaves_behind_goes_on() {
    let folder = Folder::new();
    let fifo = folder.path().join("fifo").display().to_string();
    let text = "mkfifo \"$1\"; \"$0\" serve -- sh -c '(read line < \"$0\"; echo went on) & exit 3' \
                \"$1\"; echo $?; echo line > \"$1\"";
    let words = ["-c", text, env!("CARGO_BIN_EXE_mqttws"), &fifo];
    Program::of("sh", words).run().expect(0, "3\nwent on\n", "");
}

/// For the command we are its parent, whoever stands between.
#[test]
fn a_command_can_signal_its_parent() {
    for name in PASSED_ON {
        let mut running = start(&format!(
            "trap 'echo got {name}; exit 3' {name}; echo ready; read line; kill -{name} $PPID; \
             while :; do sleep 0.01; done"
        ));
        running.end_stdin();
        running.finish().expect(3, format!("ready\ngot {name}\n"), "");
    }
}

/// A whole process group gets a signal of a supervisor: the command has it from there, and from us.
#[test]
fn a_signal_for_the_group_comes_twice_at_most() {
    let script = "n=0; trap 'n=$((n+1)); echo $n' TERM; trap 'exit 4' INT; echo ready; \
                  while :; do read line; done";
    let words = [env!("CARGO_BIN_EXE_mqttws"), "serve", "--", "sh", "-c", script];
    let mut running = Program::of("setsid", words).stdin_held_open().spawn();
    running.wait_for_line(|line| line == "ready\n");
    let group = format!("-{}", running.pid());
    Program::of("kill", ["-TERM", "--", &group]).run().expect(0, "", "");
    running.wait_for_line(|line| line == "1\n");
    running.signal("INT");
    let outcome = running.finish();
    let expected = [&b"ready\n1\n"[..], b"ready\n1\n2\n"];
    assert_eq!(outcome.code(), Some(4), "{outcome}");
    assert!(expected.contains(&&outcome.stdout[..]), "{outcome}");
}

/// Nothing is started for a process that is dead before the kernel was asked to watch it.
#[test]
#[cfg(target_os = "linux")]
fn nothing_is_started_after_our_death() {
    let words = ["start-command", "1", "stdout", "echo", "started"];
    Program::new(words).run().expect(137, "", "");
    let ours = std::process::id().to_string();
    let words = ["start-command", &ours, "stdout", "echo", "started"];
    Program::new(words).run().expect(0, "started\n", "");
}

/// The connections are reset, sessions and retained messages stay, a will is published; the broker
/// goes on listening. The command does not get the signal.
#[test]
fn sigusr1_resets_every_connection() {
    let mut serve = Program::new(["serve", "-p", "0", "-d"]).spawn();
    let url = serve.wait_for_line(|line| line.starts_with("ws://"));
    Program::new(["pub", &url, "-t", "t", "-r", "-q", "1", "-m", "retained"])
        .run()
        .expect(0, "", "");
    let words = ["sub", &url, "-t", "t", "-t", "will", "-i", "me", "-c", "-q", "1", "-C", "3"];
    let mut subscriber = Program::new(words).spawn();
    subscriber.wait_for_line(|line| line == "retained\n");
    let words = ["sub", &url, "-t", "x", "-d", "--will-topic", "will", "--will-payload", "gone"];
    let words = [&words[..], &["--will-qos", "1", "--no-reconnect"]].concat();
    let mut willing = Program::new(words).spawn();
    willing.wait_for_words("received SUBACK");
    serve.signal("USR1");
    let outcome = willing.finish();
    let text = String::from_utf8_lossy(&outcome.stderr);
    assert!(outcome.code() == Some(8) && text.contains("connection reset"), "{outcome}");
    Program::new(["pub", &url, "-t", "t", "-q", "1", "-m", "after"]).run().expect(0, "", "");
    let outcome = subscriber.finish();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    assert_eq!(outcome.stdout, b"retained\ngone\nafter\n", "{outcome}");
    serve.signal("INT");
    let outcome = serve.finish();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let text = String::from_utf8_lossy(&outcome.stderr);
    assert!(text.contains("2 connections are reset on demand"), "{outcome}");
}

#[test]
fn sigusr1_is_not_for_the_command() {
    let mut running = start(
        "trap 'echo got it' USR1; echo ready; read line; \
         kill -USR1 $PPID; mqttws pub -t t -q 1 -m x --wait 10 && exit 6",
    );
    running.signal("USR1");
    running.signal("USR1");
    running.end_stdin();
    running.finish().expect(6, "ready\n", "");
}
