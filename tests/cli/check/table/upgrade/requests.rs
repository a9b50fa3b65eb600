//! Deviations about the requests that are upgraded.

use crate::check::front::{
    Answers, Deviation, Do, Request, Requests, Seen, frame, header, start, with, without,
};
use crate::check::table::{Row, differing, play, serve, verdicts};

const BAD_REQUEST: &str = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";

const NOT_FOUND: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

const EXTENSIONS: &str = "Sec-WebSocket-Extensions";

/// A key that is right.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

fn refused_if(is_wrong: bool, answer: &str) -> Request {
    if is_wrong { Request::Answer(answer.to_owned()) } else { Request::Pass }
}

fn path(head: &str) -> &str {
    head.split(' ').nth(1).unwrap()
}

/// The request with this header instead, if it is one for an upgrade.
fn completed(head: &str, name: &str, value: &str) -> Request {
    match header(head, "Sec-WebSocket-Protocol") {
        Some(_) => Request::Change(with(&without(head, name), name, value)),
        None => Request::Pass,
    }
}

struct OneRead;

impl Deviation for OneRead {
    fn wants_one_read(&self) -> bool {
        true
    }
}

const ROWS: &[Row] = &[
    Row {
        name: "connection-keep-alive",
        deviation: || {
            Box::new(Answers(|_, head| {
                if head.starts_with("HTTP/1.1 101") {
                    with(&without(&head, "Connection"), "Connection", "keep-alive, Upgrade")
                } else {
                    head
                }
            }))
        },
        scope: "upgrade",
        fails: &[],
        warns: &["upgrade-headers"],
    },
    Row {
        name: "unasked-extension",
        deviation: || {
            Box::new(Answers(|request, head| match header(request, EXTENSIONS) {
                None => with(&head, EXTENSIONS, "x-check"),
                Some(_) => head,
            }))
        },
        scope: "upgrade",
        fails: &["no-unasked-extension"],
        warns: &[],
    },
    Row {
        name: "another-extension",
        deviation: || {
            Box::new(Answers(|request, head| match header(request, EXTENSIONS).as_deref() {
                Some("x-check") => with(&head, EXTENSIONS, "permessage-deflate"),
                _ => head,
            }))
        },
        scope: "upgrade",
        fails: &["extensions-legal"],
        warns: &[],
    },
    Row {
        name: "origin-list",
        deviation: || {
            Box::new(Requests(|head| {
                let forbidden = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
                refused_if(header(head, "Origin").is_some(), forbidden)
            }))
        },
        scope: "upgrade",
        fails: &["browser-request"],
        warns: &[],
    },
    Row {
        name: "foreign-origin-mute",
        deviation: || {
            Box::new(Requests(|head| match header(head, "Origin") {
                Some(origin) if origin.ends_with(".invalid") => Request::Mute,
                _ => Request::Pass,
            }))
        },
        scope: "upgrade",
        fails: &[],
        warns: &["origin-foreign"],
    },
    Row {
        name: "foreign-origin-bad-request",
        deviation: || {
            Box::new(Requests(|head| {
                let is_foreign =
                    header(head, "Origin").is_some_and(|origin| origin.ends_with(".invalid"));
                let refused = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
                refused_if(is_foreign, refused)
            }))
        },
        scope: "upgrade",
        fails: &[],
        warns: &["origin-foreign"],
    },
    Row {
        name: "short-headers-only",
        deviation: || {
            Box::new(Requests(|head| {
                let large = "HTTP/1.1 431 Request Header Fields Too Large\r\n\r\n";
                refused_if(head.len() > 6000, large)
            }))
        },
        scope: "upgrade",
        fails: &[],
        warns: &["long-header"],
    },
    Row {
        name: "mute-refusals",
        deviation: || {
            Box::new(Answers(
                |_, head| if head.starts_with("HTTP/1.1 101") { head } else { String::new() },
            ))
        },
        scope: "upgrade",
        fails: &[],
        warns: &[
            "offer-unknown",
            "offer-none",
            "path-unknown",
            "upgrade-missing",
            "key-checked",
            "version-checked",
            "origin-foreign",
        ],
    },
    Row {
        name: "version-not-named",
        deviation: || Box::new(Answers(|_, head| without(&head, "Sec-WebSocket-Version"))),
        scope: "upgrade",
        fails: &[],
        warns: &["version-checked"],
    },
    Row {
        name: "path-exact-with-query",
        deviation: || Box::new(Requests(|head| refused_if(path(head).contains('?'), NOT_FOUND))),
        scope: "upgrade",
        fails: &[],
        warns: &["query-kept"],
    },
    Row {
        name: "wrong-path-hangs",
        deviation: || {
            Box::new(Requests(|head| {
                if path(head).starts_with("/mqtt") { Request::Pass } else { Request::Hang }
            }))
        },
        scope: "upgrade",
        fails: &[],
        warns: &["path-unknown"],
    },
    Row {
        name: "other-protocol-at-wrong-path",
        deviation: || Box::new(ForeignPaths::default()),
        scope: "path-unknown,packets-wellformed,packets-aligned",
        fails: &[],
        warns: &["path-unknown"],
    },
    Row {
        name: "upgrade-unasked",
        deviation: || {
            Box::new(Requests(|head| match header(head, "Upgrade") {
                Some(_) => Request::Pass,
                None => completed(&with(head, "Upgrade", "websocket"), "Connection", "Upgrade"),
            }))
        },
        scope: "upgrade",
        fails: &["upgrade-missing"],
        warns: &[],
    },
    Row {
        name: "any-key",
        deviation: || {
            Box::new(Requests(|head| match header(head, "Sec-WebSocket-Key") {
                Some(key) if key.len() == KEY.len() && key.ends_with("==") => Request::Pass,
                _ => completed(head, "Sec-WebSocket-Key", KEY),
            }))
        },
        scope: "upgrade",
        fails: &["key-checked"],
        warns: &[],
    },
    Row {
        name: "any-version",
        deviation: || Box::new(Requests(|head| completed(head, "Sec-WebSocket-Version", "13"))),
        scope: "upgrade",
        fails: &["version-checked"],
        warns: &[],
    },
    Row {
        name: "any-method",
        deviation: || {
            Box::new(Requests(|head| {
                let head = head.replacen("POST ", "GET ", 1);
                Request::Change(head.replacen(" HTTP/1.0\r\n", " HTTP/1.1\r\n", 1))
            }))
        },
        scope: "upgrade",
        fails: &["method-checked"],
        warns: &[],
    },
    Row {
        name: "upgrade-compared-with-case",
        deviation: || {
            Box::new(Requests(|head| refused_if(head.contains("WebSocket\r\n"), BAD_REQUEST)))
        },
        scope: "upgrade",
        fails: &["header-forms"],
        warns: &[],
    },
    Row {
        name: "host-without-port-refused",
        deviation: || {
            Box::new(Requests(|head| {
                refused_if(!header(head, "Host").unwrap().contains(':'), NOT_FOUND)
            }))
        },
        scope: "upgrade",
        fails: &[],
        warns: &["host-forms"],
    },
    Row {
        name: "request-in-one-read",
        deviation: || Box::new(OneRead),
        scope: "upgrade",
        fails: &["request-cut"],
        warns: &[],
    },
];

#[test]
fn deviations_change_their_points() {
    play(ROWS);
}

#[test]
fn another_path_than_that_of_the_founding_page() {
    let (_serve, url) = serve();
    let moved = |front: String| front.replace("/mqtt", "/ws");
    let inside = |head: &str| Request::Change(head.replacen(" /ws", " /mqtt", 1));
    let both = moved(start(&url, move || Box::new(Requests(inside))));
    let (good, _) = verdicts(&both, "upgrade");
    let only = moved(start(&url, move || {
        Box::new(Requests(|head| match path(head) {
            path if path.starts_with("/mqtt") => Request::Answer(NOT_FOUND.to_owned()),
            _ => Request::Change(head.replacen(" /ws", " /mqtt", 1)),
        }))
    }));
    let (found, report) = verdicts(&only, "upgrade");
    let differing = differing(&good, &found, &[], &["path-mqtt"]);
    assert!(differing.is_empty(), "{differing:?}\n{report}");
    assert_eq!(good.get("path-mqtt").map(String::as_str), Some("PASS"));
}

/// At paths that nobody has asked for something else is spoken, as NATS does it.
#[derive(Default)]
struct ForeignPaths {
    is_spoken: bool,
}

impl Deviation for ForeignPaths {
    fn request(&mut self, head: &str) -> Request {
        self.is_spoken = !path(head).starts_with("/mqtt");
        let (_, headers) = head.split_once("\r\n").unwrap();
        Request::Change(format!("GET /mqtt HTTP/1.1\r\n{headers}"))
    }

    fn server_frame(&mut self, _frame: &Seen) -> Vec<Do> {
        if !self.is_spoken {
            return vec![Do::Pass];
        }
        vec![Do::ToClient(frame(0x82, b"INFO {\"proto\":1}\r\n", false)), Do::End]
    }
}
