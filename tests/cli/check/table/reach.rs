//! Deviations of the way to the server.

use std::collections::BTreeMap;

use super::{Row, play};
use crate::check::front::{self, Answers, Faithful, Request, Requests, with};

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
        name: "upgrade-in-http-1.0",
        deviation: || Box::new(Answers(|_, head| head.replacen("HTTP/1.1", "HTTP/1.0", 1))),
        scope: "reach,upgrade",
        fails: &["speaks-http"],
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
    let (with_others, alone) = ROWS.split_at(3);
    play(with_others);
    let (_serve, url) = super::serve();
    let front = crate::check::front::start(&url, alone[0].deviation);
    let (found, report) = super::verdicts(&front, alone[0].scope);
    assert_eq!(found.get("speaks-http").map(String::as_str), Some("FAIL"), "{report}");
    assert!(report.contains(r#""observed":"no HTTP: \"SSH-2.0-x\""#), "{report}");
}

/// A name with two addresses, as `--resolve` wants it, and the URL with that name.
fn two_nodes(front: &str) -> (String, String) {
    let port = front.strip_prefix("ws://127.0.0.1:").unwrap().split('/').next().unwrap();
    let url = format!("ws://nodes.example:{port}/mqtt");
    (url, format!("nodes.example:{port}:127.0.0.1,127.0.0.2"))
}

/// The verdicts about a name whose second address has this deviation; without one it is dead.
fn second_node(second: Option<fn(&str, String) -> String>) -> (BTreeMap<String, String>, String) {
    let (_serve, server) = super::serve();
    let first = front::start(&server, || Box::new(Faithful));
    let (url, resolve) = two_nodes(&first);
    if let Some(second) = second {
        let port = url.split([':', '/']).nth(4).unwrap();
        let address = format!("127.0.0.2:{port}");
        front::start_at(&address, &server, move || Box::new(Answers(second)));
    }
    super::verdicts_with(&url, "reach", &["--resolve", &resolve])
}

#[test]
fn addresses_that_differ_are_noticed() {
    let (good, report) = second_node(Some(|_, head| head));
    for point in ["addresses", "same-everywhere"] {
        assert_eq!(good.get(point).map(String::as_str), Some("PASS"), "{report}");
    }
    let (dead, report) = second_node(None);
    let differing = super::differing(&good, &dead, &[], &["addresses"]);
    assert!(differing.is_empty(), "{differing:?}\n{report}");
    assert!(report.contains("of 2 addresses no answer from 127.0.0.2:"), "{report}");
    let (other, report) = second_node(Some(|_, head| with(&head, "Server", "another")));
    let differing = super::differing(&good, &other, &[], &["same-everywhere"]);
    assert!(differing.is_empty(), "{differing:?}\n{report}");
}

/// What comes instead of HTTP, and the words for it.
type Answer = (fn(&str) -> Request, &'static str);

#[test]
fn what_speaks_no_http_is_named() {
    let (_serve, url) = super::serve();
    let answers: [Answer; 4] = [
        (
            |_| Request::Answer("\u{15}\u{3}\u{1}\0\u{2}\u{2}\u{46}".to_owned()),
            "the port speaks TLS",
        ),
        (|_| Request::Answer("INFO {\"server_id\":1}\r\n".to_owned()), "a NATS server"),
        (|_| Request::Mute, "no answer, but FIN"),
        (|_| Request::Hang, "no answer to the upgrade within"),
    ];
    for (answer, words) in answers {
        let front = front::start(&url, move || Box::new(Requests(answer)));
        let (found, report) = super::verdicts(&front, "speaks-http");
        assert_eq!(found.get("speaks-http").map(String::as_str), Some("FAIL"), "{report}");
        assert!(report.contains(words), "{words}: {report}");
    }
}

#[test]
fn a_port_without_tls_is_named() {
    let (_serve, url) = super::serve();
    let (found, report) = super::verdicts(&url.replace("ws://", "wss://"), "speaks-http");
    assert_eq!(found.get("speaks-http").map(String::as_str), Some("FAIL"), "{report}");
    assert!(report.contains("the server answered in plain HTTP, not TLS"), "{report}");
}
