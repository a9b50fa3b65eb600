//! `mqttws serve --expect`: what clients must send.

use crate::support::lines::fails;
use crate::support::program::{Outcome, Program};

fn served(expected: &[&str], script: &str) -> Outcome {
    let flags = expected.iter().flat_map(|text| ["--expect", text]);
    let words = ["serve"].into_iter().chain(flags).chain(["--", "sh", "-c", script]);
    Program::new(words).run()
}

const PUBLISH: &str = "mqttws pub -i me -t a/b -q 1 -m 'ok 1'";

#[test]
fn what_comes_is_not_told() {
    let expected = [
        "pub",
        "pub t=a/b q=1 payload~^ok",
        "pub t=+/b client=me r=0 payload='ok 1'",
        "connect client=me",
        "disconnect client=me",
        "sub t=c/# q=2",
        "unsub t=x",
    ];
    let script = format!(
        "{PUBLISH} && mqttws sub -t c/# -t d -q 2 -U x -E && mqttws pub -i other -t z -m ok"
    );
    served(&expected, &script).expect(0, "", "");
}

#[test]
fn what_does_not_come_is_told_with_what_came_nearest() {
    let line = "mqttws: --expect 'pub t=a/b q=2' did not come; nearest: pub client=me t=a/b q=1 \
                r=0 payload=ok 1 (q differs)";
    fails(&served(&["pub t=a/b q=2", "pub t=a/b"], PUBLISH), 1, line);
    // The command's own failure counts.
    fails(&served(&["pub t=a/b q=2"], &format!("{PUBLISH}; exit 3")), 3, line);
    let none = "mqttws: --expect 'sub t=a' did not come; there was no sub";
    fails(&served(&["sub t=a"], PUBLISH), 1, none);
    let outcome = served(&["sub", "unsub"], "true");
    let lines = "mqttws: --expect 'sub' did not come; there was no sub\n\
                 mqttws: --expect 'unsub' did not come; there was no unsub\n";
    outcome.expect(1, "", lines);
}

#[test]
fn it_works_without_a_command() {
    for (expected, code) in [("pub t=a", 0), ("pub t=b", 1)] {
        let mut serve = Program::new(["serve", "-p", "0", "--expect", expected]).spawn();
        let url = serve.wait_for_line(|line| line.starts_with("ws://"));
        Program::new(["pub", &url, "-t", "a", "-q", "1", "-m", "x"]).run().expect(0, "", "");
        serve.signal("TERM");
        assert_eq!(serve.finish().code(), Some(code), "{expected}");
    }
}

#[test]
fn a_wrong_one_is_shown_with_a_caret() {
    let error = "mqttws: --expect: q= expected 0, 1 or 2\n  pub t=a/b q=3\n              ^\n";
    served(&["pub t=a/b q=3"], "echo started").expect(2, "", error);
}
