//! What becomes of the processes that the command of `sub ... -- COMMAND` has started, when the
//! run is over.

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
