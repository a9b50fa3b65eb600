//! What `check` shows on a terminal while it runs, and what is left of that at the end.

use super::front::{self, Answers, Request, Requests};
use super::table::serve;
use crate::support::terminal::{Ended, Session};

/// Points of two groups; the server does not answer the second and the third.
const ONLY: &str = "offer-mqtt,offer-mqttv31,query-kept,ping-answered";

/// A front that does not answer to an offer of `mqttv3.1` alone, and to a query.
fn silent_front(url: &str) -> String {
    front::start(url, || {
        Box::new(Requests(|head| {
            let is_old = head.contains("Sec-WebSocket-Protocol: mqttv3.1\r\n");
            let has_query = head.contains("mqttws=check");
            if is_old || has_query { Request::Hang } else { Request::Pass }
        }))
    })
}

fn check(url: &str, size: (u16, u16), environment: &[(&str, &str)]) -> Session {
    Session::start(size, &["check", url, "--only", ONLY], environment, Vec::new())
}

fn text(ended: &Ended) -> String {
    String::from_utf8_lossy(&ended.written).into_owned()
}

/// Waits until the silent point is asked: its name stands below the line of its group.
fn wait_for_silence(session: &mut Session, group: impl Fn(&str) -> bool) {
    session.wait_for("silent point below its group", |rows| {
        rows.windows(2).any(|rows| group(&rows[0]) && rows[1] == "  offer-mqttv31")
    });
}

#[test]
fn groups_points_and_deviations_are_shown_at_once() {
    let (_serve, url) = serve();
    let front = silent_front(&url);
    let mut session = check(&front, (40, 80), &[]);
    wait_for_silence(&mut session, |row| {
        let mut words = row.split_whitespace();
        words.next() == Some("upgrade") && row.contains(" [=") && row.chars().count() < 78
    });
    session.wait_for("deviation above the groups", |rows| {
        let warned = rows.iter().position(|row| row.starts_with("  WARN  offer-mqttv31 (upgrade"));
        warned.is_some_and(|at| rows[at..].iter().any(|row| row == "  query-kept"))
    });
    let ended = session.finish();
    let text = text(&ended);
    assert_eq!((ended.code, ended.column), (Some(0), 0), "{text}");
    assert_eq!(text.matches("offer-mqttv31 (upgrade").count(), 1, "{text}");
    let screen = ended.screen.join("\n");
    assert!(screen.contains("2 deviations, told above"), "{screen}");
    assert!(screen.contains("INTEROPERABLE (of the points asked for)"), "{screen}");
    assert!(!screen.contains("[="), "{screen}");
    assert!(text.contains("  \x1b[33mWARN\x1b[0m  offer-mqttv31"), "{text:?}");
    assert!(text.contains("  \x1b[32mPASS\x1b[0m"), "{text:?}");
}

#[test]
fn a_narrow_terminal_gets_no_bar_and_no_color_is_obeyed() {
    let (_serve, url) = serve();
    let front = silent_front(&url);
    let mut session = check(&front, (40, 40), &[("NO_COLOR", "1")]);
    wait_for_silence(&mut session, |row| row.starts_with("upgrade  ") && !row.contains('['));
    let ended = session.finish();
    let text = text(&ended);
    assert_eq!((ended.code, ended.column), (Some(0), 0), "{text}");
    assert_eq!(text.matches("offer-mqttv31 (upgrade").count(), 1, "{text}");
    assert!(!text.contains("\x1b[3"), "{text:?}");
    // The report is wrapped at its width.
    let (_, report) = text.split_once("The founding page").unwrap();
    let is_wide = |line: &&str| line.trim_end().chars().count() > 40;
    let wide: Vec<&str> = report.lines().filter(is_wide).collect();
    assert!(wide.is_empty(), "{wide:?}");
    assert!(report.contains("\n  WARN    subprotocol mqttv3.1\r\n          "), "{text}");
}

#[test]
fn an_interrupted_run_leaves_a_report_and_no_bars() {
    let (_serve, url) = serve();
    let front = silent_front(&url);
    let mut session = check(&front, (40, 80), &[]);
    wait_for_silence(&mut session, |row| row.starts_with("upgrade  "));
    session.press("\x03");
    let ended = session.finish();
    let screen = ended.screen.join("\n");
    assert_eq!((ended.code, ended.column), (Some(130), 0), "{screen}");
    assert!(screen.contains("interrupted") && !screen.contains("[="), "{screen}");
}

#[test]
fn the_text_of_a_server_does_not_drive_the_terminal() {
    let (_serve, url) = serve();
    let front = front::start(&url, || {
        Box::new(Answers(|_, head| {
            let hostile =
                "Sec-WebSocket-Protocol: \x1b[2J\x1b]0;title\x07\u{9b}31m\r\nServer: \x1b[1m\r\n";
            head.replace("Sec-WebSocket-Protocol: mqtt\r\n", hostile)
        }))
    });
    let ended = check(&front, (40, 80), &[("NO_COLOR", "1")]).finish();
    let text = text(&ended);
    assert_eq!(ended.code, Some(1), "{text}");
    assert!(text.contains("FAIL  offer-mqtt (upgrade"), "{text}");
    for control in ["\x1b[2J", "\x1b]", "\x07", "\u{9b}", "\x1b[1m"] {
        assert!(!text.contains(control), "{control:?} in {text:?}");
    }
}
