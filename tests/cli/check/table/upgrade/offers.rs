//! Deviations about the subprotocols.

use crate::check::front::{
    Answers, Deviation, Do, Request, Requests, Seen, header, start, with, without,
};
use crate::check::table::{Row, play, serve, verdicts};

const PROTOCOL: &str = "Sec-WebSocket-Protocol";

const BAD_REQUEST: &str = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";

/// All names that a request offers, as they stand in it.
fn offered(head: &str) -> Vec<String> {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let lines = lines.filter(|(name, _)| name.eq_ignore_ascii_case(PROTOCOL));
    let names = lines.flat_map(|(_, value)| value.split(','));
    names.map(|name| name.trim().to_owned()).collect()
}

/// The request as if it offered `mqtt` alone.
fn offering_mqtt(head: &str) -> String {
    with(&without(head, PROTOCOL), PROTOCOL, "mqtt")
}

/// Answers a request that offers something with this of what was offered.
struct Chooses(fn(&[String]) -> String);

impl Deviation for Chooses {
    fn request(&mut self, head: &str) -> Request {
        if offered(head).is_empty() { Request::Pass } else { Request::Change(offering_mqtt(head)) }
    }

    fn answer(&mut self, request: &str, head: String) -> String {
        if header(&head, PROTOCOL).is_none() {
            return head;
        }
        with(&without(&head, PROTOCOL), PROTOCOL, &(self.0)(&offered(request)))
    }
}

/// Upgrades who offers nothing, and then says nothing.
#[derive(Default)]
struct Silent {
    is_silent: bool,
}

impl Deviation for Silent {
    fn request(&mut self, head: &str) -> Request {
        // A plain GET offers nothing, too.
        self.is_silent = offered(head).is_empty() && header(head, "Upgrade").is_some();
        if self.is_silent { Request::Change(offering_mqtt(head)) } else { Request::Pass }
    }

    fn answer(&mut self, _request: &str, head: String) -> String {
        if self.is_silent { without(&head, PROTOCOL) } else { head }
    }

    fn client_frame(&mut self, _frame: &Seen) -> Vec<Do> {
        if self.is_silent { Vec::new() } else { vec![Do::Pass] }
    }
}

const ROWS: &[Row] = &[
    Row {
        name: "no-subprotocol",
        deviation: || Box::new(Answers(|_, head| without(&head, PROTOCOL))),
        scope: "upgrade",
        fails: &[
            "offer-mqtt",
            "offer-list",
            "offer-list-forms",
            "offer-unknown-first",
            "browser-request",
        ],
        warns: &["offer-mqttv31"],
    },
    Row {
        name: "always-mqtt",
        deviation: || {
            Box::new(Requests(|head| match header(head, "Upgrade") {
                Some(_) => Request::Change(offering_mqtt(head)),
                None => Request::Pass,
            }))
        },
        scope: "upgrade",
        fails: &["offer-unknown", "offer-none"],
        warns: &["offer-mqttv31"],
    },
    Row {
        name: "list-echoed",
        deviation: || Box::new(Chooses(|offered| offered.join(", "))),
        scope: "upgrade",
        fails: &["offer-list", "offer-list-forms", "offer-unknown-first", "offer-unknown"],
        warns: &[],
    },
    Row {
        name: "list-refused",
        deviation: || {
            Box::new(Requests(|head| match offered(head).len() {
                0 | 1 => Request::Pass,
                _ => Request::Answer(BAD_REQUEST.to_owned()),
            }))
        },
        scope: "upgrade",
        fails: &["offer-list", "offer-list-forms", "offer-unknown-first"],
        warns: &[],
    },
    Row {
        name: "list-mute",
        deviation: || {
            Box::new(Requests(|head| match offered(head).len() {
                0 | 1 => Request::Pass,
                _ => Request::Mute,
            }))
        },
        scope: "upgrade",
        fails: &["offer-list", "offer-list-forms", "offer-unknown-first"],
        warns: &[],
    },
    Row {
        name: "first-name-taken",
        deviation: || Box::new(Chooses(|offered| offered[0].clone())),
        scope: "upgrade",
        fails: &["offer-unknown-first", "offer-unknown"],
        warns: &[],
    },
    Row {
        name: "mqttv31-refused",
        deviation: || {
            Box::new(Requests(|head| match &offered(head)[..] {
                [name] if name == "mqttv3.1" => Request::Answer(BAD_REQUEST.to_owned()),
                _ => Request::Pass,
            }))
        },
        scope: "upgrade",
        fails: &[],
        warns: &["offer-mqttv31"],
    },
    Row {
        name: "none-offered-silence",
        deviation: || Box::<Silent>::default(),
        scope: "upgrade",
        fails: &[],
        warns: &["offer-none"],
    },
];

#[test]
fn deviations_change_their_points() {
    play(ROWS);
}

#[test]
fn another_subprotocol_than_the_one_offered() {
    let (_serve, url) = serve();
    let stomp = |_: &str, head: String| with(&without(&head, PROTOCOL), PROTOCOL, "stomp");
    let front = start(&url, move || Box::new(Answers(stomp)));
    let (found, report) = verdicts(&front, "offer-mqtt,offer-none,accept-key");
    let verdict = |name: &str| found.get(name).map(String::as_str);
    assert_eq!(verdict("offer-mqtt"), Some("FAIL"), "{report}");
    assert_eq!(verdict("accept-key"), Some("PASS"), "{report}");
}
