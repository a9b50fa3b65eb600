//! Servers that mean no good: each run ends in bounded time, and names the right point.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::front::{self, Deviation, Do, Request, Requests, Seen, frame};
use super::relay::{Passing, Relay};
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

#[test]
fn a_server_that_sends_a_byte_a_second_is_silence() {
    let (_serve, url) = serve();
    let relays = [Passing::BySeconds, Passing::FramesBySeconds];
    let relays = relays.map(|passing| Relay::start(&url, passing));
    let runs = relays.each_ref().map(|relay| Program::new(["check", &relay.url, "--json"]).spawn());
    for (run, words) in runs.into_iter().zip(["no answer to the upgrade within", "no CONNACK"]) {
        let outcome = run.finish_within(Duration::from_secs(90));
        assert_eq!(outcome.code(), Some(27), "{outcome}");
        assert!(String::from_utf8_lossy(&outcome.stdout).contains(words), "{outcome}");
        assert!(String::from_utf8_lossy(&outcome.stderr).contains(words), "{outcome}");
    }
}

/// How many runs go on at the same time.
const TOGETHER: usize = 8;

/// The server ends one connection after a byte of a run of the default set. Every byte would take
/// an hour: the first ones, and a sample of all others, which the seed makes the same in each run.
#[test]
fn a_server_that_ends_a_connection_at_any_byte_is_asked_on() {
    let (_serve, url) = serve();
    let healthy = Relay::start(&url, Passing::All);
    let outcome = Program::new(["check", &healthy.url, "--json"]).run();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let all = healthy.counts().bytes;
    let seed = 17;
    let mut random = fastrand::Rng::with_seed(seed);
    let mut cuts = vec![0, 1, all - 1];
    cuts.extend(std::iter::repeat_with(|| random.u64(2..all - 1)).take(29));
    for cuts in cuts.chunks(TOGETHER) {
        let relays: Vec<_> =
            cuts.iter().map(|cut| Relay::start(&url, Passing::CutAfter(*cut))).collect();
        let runs: Vec<_> = relays
            .iter()
            .map(|relay| Program::new(["check", &relay.url, "--json"]).spawn())
            .collect();
        for (cut, run) in cuts.iter().zip(runs) {
            let outcome = run.finish_within(Duration::from_secs(120));
            let place = format!("byte {cut} of {all}, seed {seed}: {outcome}");
            // The first connection decides whether there is one at all.
            assert!(matches!(outcome.code(), Some(0 | 1 | 3 | 5 | 6)), "{place}");
            let report: serde_json::Value = serde_json::from_slice(&outcome.stdout).unwrap();
            let points = report["points"].as_array().unwrap();
            let alive = points.iter().find(|point| point["name"] == "still-alive").unwrap();
            assert_ne!(alive["verdict"], "FAIL", "{place}");
            let failed = points.iter().filter(|point| point["verdict"] == "FAIL").count();
            assert!(failed <= 2, "{failed} points fail by one cut: {place}");
        }
    }
}

/// The last connection of this selection asks whether the server is alive after the text frame. That
/// it is cut once does not mean that the server was away.
#[test]
fn a_cut_while_the_server_is_asked_whether_it_is_alive_is_tried_again() {
    let (_serve, url) = serve();
    let only = ["--json", "--only", "text-frame,still-alive"];
    let healthy = Relay::start(&url, Passing::All);
    let run = |url: &str| Program::new([&["check", url], &only[..]].concat()).run();
    let outcome = run(&healthy.url);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let all = healthy.counts().bytes;
    for before_end in [300, 200, 150, 100] {
        let relay = Relay::start(&url, Passing::CutAfter(all - before_end));
        let outcome = run(&relay.url);
        let report: serde_json::Value = serde_json::from_slice(&outcome.stdout).unwrap();
        let points = report["points"].as_array().unwrap();
        let alive = points.iter().find(|point| point["name"] == "still-alive").unwrap();
        assert_eq!(alive["verdict"], "PASS", "{before_end} bytes before the end: {outcome}");
    }
}

/// How many connections were made to the front that takes ten.
static TAKEN: AtomicUsize = AtomicUsize::new(0);

#[test]
fn a_server_that_refuses_after_ten_connections_ends_the_default_set() {
    let (_serve, url) = serve();
    let front = front::start(&url, || {
        Box::new(Requests(|_| {
            let is_taken = TAKEN.fetch_add(1, Ordering::SeqCst) < 10;
            if is_taken { Request::Pass } else { Request::Mute }
        }))
    });
    let run = Program::new(["check", &front, "--json"]).spawn();
    let outcome = run.finish_within(Duration::from_secs(90));
    let report: serde_json::Value = serde_json::from_slice(&outcome.stdout).unwrap();
    let limited = |point: &&serde_json::Value| {
        point["verdict"] == "unknown"
            && point["observed"].as_str().unwrap().contains("rate limit? try --pause 4s")
    };
    let points = report["points"].as_array().unwrap();
    assert!(points.iter().filter(limited).count() > 5, "{outcome}");
    let alive = points.iter().find(|point| point["name"] == "still-alive").unwrap();
    assert_ne!(alive["verdict"], "FAIL", "{outcome}");
}
