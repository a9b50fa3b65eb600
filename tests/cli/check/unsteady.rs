//! Servers that do at times what is asked, and at times not, and servers that are slow.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::front::{self, Deviation, Do, Request, Requests, Seen, frame};
use super::table::serve;
use crate::support::program::{Outcome, Program};

/// The type of a CONNACK.
const CONNACK: u8 = 2;

/// The point with this name in a report in JSON.
fn point(report: &Value, name: &str) -> Value {
    let points = report["points"].as_array().unwrap();
    points.iter().find(|point| point["name"] == name).unwrap().clone()
}

fn report(outcome: &Outcome) -> Value {
    serde_json::from_slice(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {outcome}"))
}

static UPGRADED: AtomicUsize = AtomicUsize::new(0);

#[test]
fn upgrades_that_are_refused_at_times_are_a_warning() {
    let (_serve, url) = serve();
    let front = front::start(&url, || {
        Box::new(Requests(|_| match UPGRADED.fetch_add(1, Ordering::SeqCst) % 3 {
            2 => Request::Answer("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n".to_owned()),
            _ => Request::Pass,
        }))
    });
    let only = "offer-mqtt,ping,empty-message,client-close,close-forms";
    let outcome = Program::new(["check", &front, "--only", only, "--json"]).run();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let report = report(&outcome);
    let offer = point(&report, "offer-mqtt");
    let observed = offer["observed"].as_str().unwrap();
    assert_eq!(offer["verdict"], "WARN", "{outcome}");
    let words = "times what was taken before was answered by 503 Busy, first during ";
    assert!(observed.contains(words), "{outcome}");
    for name in ["ping", "empty-message", "client-close", "close-forms"] {
        assert_eq!(point(&report, name)["verdict"], "PASS", "{outcome}");
    }
}

static FIRST: AtomicUsize = AtomicUsize::new(0);
static FOURTH: AtomicUsize = AtomicUsize::new(0);

/// The connection with this number is ended without an answer.
fn mute(count: &AtomicUsize, number: usize) -> Request {
    let is_it = count.fetch_add(1, Ordering::SeqCst) + 1 == number;
    if is_it { Request::Mute } else { Request::Pass }
}

#[test]
fn a_first_connection_that_is_cut_is_made_again() {
    let (_serve, url) = serve();
    let front = front::start(&url, || Box::new(Requests(|_| mute(&FIRST, 1))));
    let outcome = Program::new(["check", &front, "--json"]).run();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let report = report(&outcome);
    let offer = point(&report, "offer-mqtt");
    assert_eq!(offer["verdict"], "WARN", "{outcome}");
    let words = "flaky: once the upgrade got no answer, but ";
    assert!(offer["observed"].as_str().unwrap().starts_with(words), "{outcome}");
    assert_eq!(report["counts"]["unknown"], 0, "{outcome}");
}

#[test]
fn a_connection_that_is_cut_once_is_one_flaky_point() {
    let (_serve, url) = serve();
    let front = front::start(&url, || Box::new(Requests(|_| mute(&FOURTH, 4))));
    let only = "ping,empty-message,client-close,close-forms";
    let outcome = Program::new(["check", &front, "--only", only, "--json"]).run();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let report = report(&outcome);
    let points = only.split(',').map(|name| point(&report, name));
    let found: Vec<Value> = points.filter(|point| point["verdict"] != "PASS").collect();
    assert_eq!(found.len(), 1, "{outcome}");
    assert_eq!(found[0]["verdict"], "WARN", "{outcome}");
    let words = "flaky: 1 of 2: no connection: the upgrade got no answer, but ";
    assert!(found[0]["observed"].as_str().unwrap().starts_with(words), "{outcome}");
}

/// Sends a Pong that answers nothing before each of its messages, as a server may (RFC 6455
/// §5.5.3).
struct Heartbeat;

impl Deviation for Heartbeat {
    fn server_frame(&mut self, _seen: &Seen) -> Vec<Do> {
        vec![Do::ToClient(frame(0x8a, b"alive", false)), Do::Pass]
    }
}

#[test]
fn a_pong_that_answers_nothing_is_no_answer() {
    let (_serve, url) = serve();
    let front = front::start(&url, || Box::new(Heartbeat));
    let only = "ping,ping-between-fragments,pong-unasked";
    let outcome = Program::new(["check", &front, "--only", only, "--json"]).run();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    for name in only.split(',') {
        assert_eq!(point(&report(&outcome), name)["verdict"], "PASS", "{outcome}");
    }
}

/// Takes its time for packets of this type, or for each frame.
struct Slow(Option<u8>, Duration);

impl Deviation for Slow {
    fn server_frame(&mut self, seen: &Seen) -> Vec<Do> {
        if self.0.is_none() || self.0 == seen.packet() {
            thread::sleep(self.1);
        }
        vec![Do::Pass]
    }
}

#[test]
fn a_slow_connack_is_no_silence() {
    let (_serve, url) = serve();
    let front = front::start(&url, || Box::new(Slow(Some(CONNACK), Duration::from_millis(2500))));
    let outcome = Program::new(["check", &front, "--only", "ping-answered", "--quiet"]).run();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
}

/// The time of the whole default set is six times that of a point.
#[test]
fn the_default_set_ends_at_a_slow_server() {
    let (_serve, url) = serve();
    let front = front::start(&url, || Box::new(Slow(None, Duration::from_millis(300))));
    let run = Program::new(["check", &front, "--json", "--timeout", "1"]).spawn();
    let outcome = run.finish_within(Duration::from_secs(60));
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    let report = report(&outcome);
    let closing = point(&report, "close-forms");
    assert_eq!(closing["verdict"], "unknown", "{outcome}");
    let observed = closing["observed"].as_str().unwrap();
    assert!(
        observed.starts_with("not asked: 6 s are over, the server is slow or silent; "),
        "{outcome}"
    );
}
