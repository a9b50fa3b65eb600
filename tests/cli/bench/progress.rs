//! What is seen while a load runs, and of one that a signal ends.

use crate::serve::serve_for_others as serve;
use crate::support::lines::is_like;
use crate::support::program::Program;
use crate::support::terminal::Session;

#[test]
fn a_line_on_the_terminal_tells_how_it_goes() {
    let (serve, url) = serve();
    let flags = ["--rate", "100", "--for", "60s", "--warmup", "1s", "--max-lateness", "never"];
    let arguments = [&["bench", &url], &flags[..]].concat();
    let mut session = Session::start((20, 120), &arguments, &[], Vec::new());
    let shown = |rows: &[String], line: &str| rows.iter().any(|row| is_like(row, line));
    session.wait_for("warm-up", |rows| shown(rows, "warming up  online 2/2"));
    let line = "*/60 s  sent */s  received */s  p99 * ms  missing *  online 2/2  late * ms";
    session.wait_for("figures", |rows| shown(rows, line));
    session.signal("INT");
    session.wait_for("end", |rows| rows.iter().any(|row| row.starts_with("result     ")));
    let ended = session.finish();
    // Nothing of the line is left.
    assert!(!ended.screen.iter().any(|row| row.contains("online 2/2")), "{:?}", ended.screen);
    drop(serve);
}

#[test]
fn connections_that_stand_are_counted_down_and_their_end_is_told() {
    let (serve, url) = serve();
    let arguments = ["bench", &url, "--connect", "3", "--for", "60s"];
    let mut session = Session::start((20, 120), &arguments, &[], Vec::new());
    let shown = |rows: &[String], line: &str| rows.iter().any(|row| is_like(row, line));
    session.wait_for("count", |rows| shown(rows, "holding  * s left  online 3/3"));
    session.signal("INT");
    session.wait_for("end", |rows| {
        shown(rows, "interrupted after * s") && shown(rows, "held       * s: 3 of 3*")
    });
    drop((session, serve));
}

#[test]
fn a_whole_time_is_told_as_it_was_given() {
    let (serve, url) = serve();
    let arguments = ["bench", &url, "--connect", "3", "--for", "1s", "--quiet"];
    let outcome = Program::new(arguments).run();
    let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let line = text.lines().find(|line| line.starts_with("held"));
    assert!(line.is_some_and(|line| line.starts_with("held       1 s: 3 of 3")), "{outcome}");
    drop(serve);
}
