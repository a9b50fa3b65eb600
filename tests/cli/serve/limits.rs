//! `--limit` of `serve`.

use super::stop;
use crate::support::lines::{self, fails};
use crate::support::program::{Program, Running};

/// A broker with these limits, and its URL.
pub fn serve(limits: &[&str]) -> (Running, String) {
    let flags = limits.iter().flat_map(|limit| ["--limit", limit]);
    let mut running = Program::new(["serve", "-p", "0"].into_iter().chain(flags)).spawn();
    let url = running.wait_for_line(|line| line.starts_with("ws://127.0.0.1:"));
    (running, url)
}

#[test]
fn a_wrong_limit_is_told_what_is_allowed() {
    for (limit, pattern) in [
        ("speed=9", lines::NO_SUCH_LIMIT),
        ("packet", lines::LIMIT_WITHOUT_VALUE),
        ("packet=1KB", lines::LIMIT_IN_BYTES),
        ("max-qos=3", lines::LIMIT_FROM_TO),
        ("retain=maybe", lines::LIMIT_YES_OR_NO),
    ] {
        fails(&Program::new(["serve", "-p", "0", "--limit", limit]).run(), 2, pattern);
    }
}

#[test]
fn a_client_is_kept_to_the_limits() {
    let (serve, url) = serve(&["max-qos=1", "retain=no", "packet=1KiB", "wildcards=no"]);
    let publish = |flags: &[&str]| {
        Program::new([&["pub", &url, "--no-reconnect", "-t", "t"][..], flags].concat()).run()
    };
    publish(&["-q", "1", "-m", "x"]).expect(0, "", "");
    fails(&publish(&["-V", "311", "-q", "2", "-m", "x"]), 8, lines::QOS_ABOVE_LIMIT);
    stop(serve);
}

#[test]
fn what_is_lost_is_a_line_on_stderr() {
    let (mut serve, url) = serve(&["retained-messages=1"]);
    for topic in ["a", "b"] {
        Program::new(["pub", &url, "-V", "311", "-q", "1", "-r", "-t", topic, "-m", "x"])
            .run()
            .expect(0, "", "");
    }
    serve.wait_for_words("is delivered, but not retained");
    serve.signal("INT");
    let line = "mqttws: warning: there is no room for more retained messages (see --limit): \"b\" \
                is delivered, but not retained\n";
    serve.finish().expect(0, format!("{url}\n"), line);
}

/// Each message that is not retained, and each that is again, could be a line.
#[test]
fn a_flood_of_losses_is_counted() {
    let (mut serve, url) = serve(&["retained-messages=1"]);
    let record = |topic| format!("{{\"topic\":\"{topic}\",\"payload\":\"x\",\"retain\":true}}\n");
    let records = [record("kept"), record("lost")].concat().repeat(1000);
    let outcome =
        Program::new(["pub", &url, "-V", "311", "-q", "1", "--json"]).stdin(records).run();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    serve.wait_for_words("there is no room for more retained messages");
    serve.signal("INT");
    let outcome = serve.finish();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let text = String::from_utf8_lossy(&outcome.stderr);
    let lines: Vec<&str> = text.lines().collect();
    // Ten, and a summary, for each ten seconds that it took.
    assert!(lines.len() < 200, "{outcome}");
    assert!(
        lines.last().is_some_and(|line| line.contains(" more warnings; -d shows")),
        "{outcome}"
    );
}
