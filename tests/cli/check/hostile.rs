//! Servers that mean no good: each run ends in bounded time, and names the right point.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::front::{self, Deviation, Do, Request, Requests, Seen, frame};
use super::table::{serve, verdicts};
use crate::support::program::Program;

#[test]
fn a_server_that_never_answers_is_silence() {
    let (_serve, url) = serve();
    let front = front::start(&url, || Box::new(Requests(|_| Request::Hang)));
    let outcome = Program::new(["check", &front, "--json"]).run();
    assert_eq!(outcome.code(), Some(27), "{outcome}");
    let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
    assert!(text.contains("no answer to the upgrade within"), "{outcome}");
}

/// Sends messages that nobody asked for, behind each CONNACK.
struct Flood;

impl Deviation for Flood {
    fn server_frame(&mut self, seen: &Seen) -> Vec<Do> {
        if seen.packet() != Some(2) {
            return vec![Do::Pass];
        }
        let message = frame(0x82, b"\x30\x0b\0\x05flood\0abc", false);
        vec![Do::Pass, Do::ToClient(message.repeat(20_000))]
    }
}

#[test]
fn a_flood_of_messages_fails_the_point_about_what_was_not_asked_for() {
    let (_serve, url) = serve();
    let front = front::start(&url, || Box::new(Flood));
    let only = "packets-wellformed,ping-answered,ping,client-close";
    let outcome = Program::new(["check", &front, "--only", only, "--versions", "5"]).run();
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
    assert!(text.contains("FAIL  packets-wellformed"), "{text}");
    assert!(!text.contains("FAIL  ping"), "{text}");
}

/// When a reserved bit has ended the server.
static ENDED: Mutex<Option<Instant>> = Mutex::new(None);

/// Is away for 2 s after the first reserved bit.
struct Restarting;

impl Deviation for Restarting {
    fn request(&mut self, _head: &str) -> Request {
        let ended = *ENDED.lock().unwrap();
        let is_away = ended.is_some_and(|at| at.elapsed() < Duration::from_secs(2));
        if is_away { Request::Mute } else { Request::Pass }
    }

    fn client_frame(&mut self, seen: &Seen) -> Vec<Do> {
        let mut ended = ENDED.lock().unwrap();
        if seen.first & 0x70 == 0 || ended.is_some() {
            return vec![Do::Pass];
        }
        *ended = Some(Instant::now());
        vec![Do::End]
    }
}

#[test]
fn a_server_that_comes_back_is_asked_on() {
    let (_serve, url) = serve();
    let front = front::start(&url, || Box::new(Restarting));
    let (found, report) = verdicts(&front, "ping-answered,reserved-bits,unmasked,still-alive");
    let verdict = |name: &str| found.get(name).map(String::as_str);
    assert_eq!(verdict("still-alive"), Some("FAIL"), "{report}");
    assert_eq!(verdict("unmasked"), Some("PASS"), "{report}");
    assert!(report.contains("did not answer for a while after reserved-bits"), "{report}");
}
