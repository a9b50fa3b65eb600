//! Deviations of the way to the server.

use super::{Row, play};
use crate::check::front::{Answers, Request, Requests, with};

const ROWS: &[Row] = &[
    Row {
        name: "clock-off",
        deviation: || {
            Box::new(Answers(|_, head| with(&head, "Date", "Sun, 06 Nov 1994 08:49:37 GMT")))
        },
        scope: "reach",
        fails: &[],
        warns: &["clock"],
    },
    Row {
        name: "clock-right",
        deviation: || {
            Box::new(Answers(|_, head| with(&head, "Date", "yesterday, which is no date")))
        },
        scope: "reach",
        fails: &[],
        warns: &[],
    },
    Row {
        name: "banner",
        deviation: || Box::new(Requests(|_| Request::Answer("SSH-2.0-x\r\n".to_owned()))),
        scope: "speaks-http",
        fails: &["speaks-http"],
        warns: &[],
    },
];

#[test]
fn deviations_change_their_points() {
    // Without a connection all others are unknown.
    let (with_others, alone) = ROWS.split_at(2);
    play(with_others);
    let (_serve, url) = super::serve();
    let front = crate::check::front::start(&url, alone[0].deviation);
    let (found, report) = super::verdicts(&front, alone[0].scope);
    assert_eq!(found.get("speaks-http").map(String::as_str), Some("FAIL"), "{report}");
    assert!(report.contains(r#""observed":"no HTTP: \"SSH-2.0-x\""#), "{report}");
}
