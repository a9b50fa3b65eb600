//! Deviations of the upgrade. The scope is always the whole group.

mod deflate;
mod offers;
mod requests;

use crate::check::front::{Answers, Request, Requests, start, with, without};
use crate::check::table::{serve, verdicts};

/// An answer with this 101's header instead of the right one, after which no client goes on: the
/// run ends, and what was seen is reported.
fn ends_the_run(change: fn(&str, String) -> String, fails: &str) {
    let (_serve, url) = serve();
    let front = start(&url, move || Box::new(Answers(change)));
    let (found, report) = verdicts(&front, fails);
    assert_eq!(found.get(fails).map(String::as_str), Some("FAIL"), "{report}");
    assert!(report.contains(r#""exit":5"#), "{report}");
}

#[test]
fn a_wrong_key_ends_the_run() {
    const ACCEPT: &str = "Sec-WebSocket-Accept";
    const WRONG: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    ends_the_run(|_, head| with(&without(&head, ACCEPT), ACCEPT, WRONG), "accept-key");
    ends_the_run(|_, head| without(&head, ACCEPT), "accept-key");
    ends_the_run(|_, head| with(&head, ACCEPT, WRONG), "accept-key");
}

#[test]
fn an_answer_without_upgrade_ends_the_run() {
    ends_the_run(|_, head| without(&head, "Upgrade"), "upgrade-headers");
    let close = |_: &str, head: String| with(&without(&head, "Connection"), "Connection", "close");
    ends_the_run(close, "upgrade-headers");
}

#[test]
fn a_proxy_that_drops_upgrade_is_named_once() {
    let (_serve, url) = serve();
    let front = start(&url, || {
        Box::new(Requests(|head| Request::Change(without(&without(head, "Upgrade"), "Connection"))))
    });
    let (found, report) = verdicts(&front, "upgrade");
    let failed: Vec<_> = found.iter().filter(|(_, verdict)| *verdict == "FAIL").collect();
    let names: Vec<_> = failed.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["offer-mqtt"], "{report}");
    let words = "426 Upgrade Required, as for a plain GET: the Upgrade header may not reach";
    assert!(report.contains(words), "{report}");
    assert_eq!(found.get("key-checked").map(String::as_str), Some("unknown"), "{report}");
    // A proxy is the likely cause here, and is named first.
    assert!(report.contains(r#""remedy":"a proxy must pass the headers: nginx"#), "{report}");
}
