//! How a run goes: limits of the server, how the user logs in, what is left behind, signals.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::front::{self, Deviation, Do, Request, Requests, Seen, frame};
use super::relay::{Passing, Relay};
use super::secure_front;
use super::table::{at_once, serve, verdicts, verdicts_with};
use crate::support::folder::Folder;
use crate::support::program::Program;

/// How many connections were made to the front of a test.
static LIMITED: AtomicUsize = AtomicUsize::new(0);
static LIMITED_ONCE: AtomicUsize = AtomicUsize::new(0);

fn too_many() -> Request {
    Request::Answer("HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n".to_owned())
}

#[test]
fn a_limit_of_connections_ends_the_run_after_a_rest() {
    let (_serve, url) = serve();
    let limited = front::start(&url, || {
        Box::new(Requests(|_| {
            let count = LIMITED.fetch_add(1, Ordering::SeqCst);
            if count < 3 { Request::Pass } else { too_many() }
        }))
    });
    let once = front::start(&url, || {
        Box::new(Requests(|_| {
            let count = LIMITED_ONCE.fetch_add(1, Ordering::SeqCst);
            if count == 3 { too_many() } else { Request::Pass }
        }))
    });
    let only = "ping-answered,ping,empty-message,client-close,close-forms";
    let outcome = Program::new(["check", &limited, "--only", only, "--json"]).run();
    let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let words = "429 Too Many Requests, which was taken before: rate limit? try --pause 4s";
    assert!(text.contains(words), "{outcome}");
    assert!(text.contains(r#""fail":0,"#), "{outcome}");
    // Three that are taken, the refused one, and the one after the rest.
    assert_eq!(LIMITED.load(Ordering::SeqCst), 5, "{outcome}");
    let (found, report) = verdicts(&once, only);
    let unknown: Vec<_> = found.iter().filter(|(_, verdict)| *verdict == "unknown").collect();
    assert!(unknown.is_empty(), "{unknown:?} {report}");
}

/// Takes the Authentication Method `x` alone, which the server behind it does not know.
struct Method;

impl Deviation for Method {
    fn client_frame(&mut self, seen: &Seen) -> Vec<Do> {
        if seen.packet() != Some(1) {
            return vec![Do::Pass];
        }
        let mut packet = seen.payload.clone();
        let property = b"\x15\0\x01x";
        let Some(at) = packet.windows(4).position(|window| window == property) else {
            return vec![Do::End];
        };
        packet.drain(at..at + 4);
        // The remaining length, and that of the properties: both are short.
        packet[1] -= 4;
        packet[12] -= 4;
        vec![Do::ToServer(frame(0x82, &packet, true))]
    }
}

#[test]
fn the_method_of_authentication_is_used_in_mqtt_5() {
    let (_serve, url) = serve();
    let front = front::start(&url, || Box::new(Method));
    let only = ["--only", "ping-answered", "--versions", "5"];
    let login = ["--auth-method", "x"];
    let outcome = Program::new([&["check", &front][..], &only, &login].concat()).run();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let outcome = Program::new([&["check", &front][..], &only].concat()).run();
    assert_eq!(outcome.code(), Some(6), "{outcome}");
}

/// What a new subscriber gets: the retained messages, in lines of topic and payload.
pub fn retained(url: &str) -> String {
    let marker = ["pub", url, "-t", "end", "-m", "x", "-r"];
    assert_eq!(Program::new(marker).run().code(), Some(0));
    let outcome = Program::new(["sub", url, "-v", "-t", "#", "-W", "1"]).run();
    String::from_utf8(outcome.stdout).unwrap()
}

/// Points that leave something behind unless it is cleared.
const LEAVING: &str = "retain-stored,retain-live-flag,retain-handling,message-expiry,will-on-cut,\
                       session-resumed,offline-queue";

#[test]
fn nothing_is_left_behind_and_nothing_is_sent_elsewhere() {
    let (_serve, url) = serve();
    let mut watcher = Program::new(["sub", &url, "-v", "-t", "#", "-d"]).spawn();
    watcher.wait_for_words("SUBACK");
    let arguments = ["--only", LEAVING, "--versions", "5", "--topic-prefix", "a/b", "--json"];
    let outcome = Program::new([&["check", &url], &arguments[..]].concat()).spawn();
    let outcome = outcome.finish_within(Duration::from_secs(90));
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    assert_eq!(retained(&url), "end x\n");
    watcher.wait_for_line(|line| line.trim_end() == "end x");
    watcher.signal("INT");
    let seen = String::from_utf8_lossy(&watcher.finish().stdout).into_owned();
    let is_strange = |line: &&str| !line.starts_with("a/b/") && *line != "end x";
    let strangers: Vec<_> = seen.lines().filter(is_strange).collect();
    assert!(strangers.is_empty(), "{strangers:?}");
}

#[test]
fn a_signal_ends_the_run_and_nothing_is_left_behind() {
    let mut random = fastrand::Rng::with_seed(13);
    let (_serve, url) = serve();
    for signal in ["INT", "TERM", "INT", "TERM"] {
        let moment = Duration::from_millis(random.u64(100..2500));
        let check = Program::new(["check", &url, "--only", LEAVING, "--versions", "5"]).spawn();
        // Any moment is as good: the seed makes them the same in each run.
        thread::sleep(moment);
        check.signal(signal);
        let outcome = check.finish();
        let code = if signal == "INT" { 130 } else { 143 };
        assert_eq!(outcome.code(), Some(code), "after {moment:?}: {outcome}");
        assert!(String::from_utf8_lossy(&outcome.stdout).contains("interrupted"), "{outcome}");
        assert_eq!(retained(&url), "end x\n", "after {moment:?}: {outcome}");
    }
}

/// Does not answer, or ends after so many bytes of the server.
struct Cut {
    left: usize,
}

impl Deviation for Cut {
    fn server_frame(&mut self, seen: &Seen) -> Vec<Do> {
        if seen.raw.len() <= self.left {
            self.left -= seen.raw.len();
            return vec![Do::Pass];
        }
        let rest = seen.raw[..self.left].to_vec();
        self.left = 0;
        vec![Do::ToClient(rest), Do::End]
    }
}

#[test]
fn a_server_that_ends_at_any_byte_ends_no_run_by_a_fault() {
    let (_serve, url) = serve();
    let only = "ping-answered,ping,two-packets,client-close,mqtt-disconnect";
    let runs: Vec<_> = (0..24)
        .map(|left| front::start(&url, move || Box::new(Cut { left })))
        .map(|front| {
            let arguments = ["check", &front, "--only", only, "--versions", "5", "--json"];
            Program::new(arguments).spawn()
        })
        .collect();
    for (left, run) in runs.into_iter().enumerate() {
        let outcome = run.finish_within(Duration::from_secs(90));
        let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
        assert!(!text.is_empty(), "{left}: {outcome}");
        assert!(matches!(outcome.code(), Some(0 | 1 | 6)), "{left}: {outcome}");
    }
}

#[test]
fn no_subset_of_the_points_changes_a_verdict() {
    let mut random = fastrand::Rng::with_seed(14);
    let (_serve, url) = serve();
    let outcome = Program::new(["check", "--list", "--json"]).run();
    let list: serde_json::Value = serde_json::from_slice(&outcome.stdout).unwrap();
    let points = list.as_array().unwrap().iter();
    let names: Vec<&str> = points
        .filter(|point| point["set"] == "default")
        .map(|point| point["name"].as_str().unwrap())
        .collect();
    let (all, _) = verdicts(&url, &names.join(","));
    for _ in 0..12 {
        let subset: Vec<&str> = names.iter().copied().filter(|_| random.u8(0..3) == 0).collect();
        let (found, report) = verdicts(&url, &subset.join(","));
        for name in subset {
            let (alone, among) = (&found[name], &all[name]);
            // What was not seen cannot be judged.
            let is_same = alone == among || [alone, among].iter().any(|verdict| *verdict == "n.a.");
            assert!(is_same, "{name}: {among} among all, {alone} in this subset: {report}");
        }
    }
}

#[test]
fn the_default_set_makes_few_connections_one_after_another() {
    let (_serve, url) = serve();
    let folder = Folder::new();
    let (secure, roots) = secure_front::faultless(&url, &folder);
    for (server, flags) in [(&url, &[][..]), (&secure, &["--cafile", &roots])] {
        let relay = Relay::start(server, Passing::All);
        let outcome = Program::new([&["check", &relay.url, "--json"], flags].concat()).run();
        assert_eq!(outcome.code(), Some(0), "{outcome}");
        let report: serde_json::Value = serde_json::from_slice(&outcome.stdout).unwrap();
        let counts = relay.counts();
        assert_eq!(report["connections"], counts.made, "{outcome}");
        assert!(counts.made <= 25, "{} connections: {outcome}", counts.made);
        assert_eq!(counts.most, 1, "{outcome}");
    }
}

/// Groups of points that take less than a few seconds.
const QUICK: [&str; 7] =
    ["upgrade", "framing-in", "connect", "publish", "subscribe", "flow-control", "properties"];

/// Points are asked in the order in which `--only` names them, as far as the order is free.
#[test]
fn no_order_of_the_points_changes_a_verdict() {
    let seed = 16;
    let mut random = fastrand::Rng::with_seed(seed);
    let (_serve, url) = serve();
    let outcome = Program::new(["check", "--list", "--json"]).run();
    let list: serde_json::Value = serde_json::from_slice(&outcome.stdout).unwrap();
    let points = list.as_array().unwrap().iter();
    let mut names: Vec<&str> = points
        .filter(|point| QUICK.contains(&point["group"].as_str().unwrap()))
        .map(|point| point["name"].as_str().unwrap())
        .filter(|name| *name != "message-expiry")
        .collect();
    let flags = ["--versions", "5"];
    let (expected, report) = verdicts_with(&url, &names.join(","), &flags);
    let mut orders = Vec::new();
    for _ in 0..4 {
        random.shuffle(&mut names);
        orders.push(names.join(","));
    }
    at_once(orders, |only| {
        let (found, shuffled) = verdicts_with(&url, &only, &flags);
        assert_eq!(found, expected, "seed {seed}, order {only}:\n{shuffled}\n{report}");
    });
}

/// Whether the server keeps a session for this client id.
fn has_session(url: &str, id: &str) -> bool {
    let arguments = ["sub", url, "-V", "311", "-c", "-i", id, "-t", "none", "-W", "1", "-d"];
    let outcome = Program::new(arguments).run();
    let clean = ["sub", url, "-V", "311", "-i", id, "-t", "none", "-W", "1"];
    Program::new(clean).run();
    let stderr = String::from_utf8_lossy(&outcome.stderr).into_owned();
    assert!(stderr.contains("CONNACK (0)"), "{outcome}");
    stderr.contains("session present")
}

/// What is wrong with the messages that a subscriber to `#` got: one of another topic, or retained
/// messages that were not cleared. Each line is the retain flag, the length and the topic.
fn left_behind(seen: &str) -> Vec<String> {
    let mut left = BTreeSet::new();
    for line in seen.lines().filter(|line| !line.ends_with(" end")) {
        let [retain, length, topic] = line.splitn(3, ' ').collect::<Vec<_>>()[..] else {
            left.insert(line);
            continue;
        };
        match (topic.starts_with("mqttws/check/"), retain, length) {
            (true, "1", "0") => drop(left.remove(topic)),
            (true, "0", _) => {}
            (_, _, _) => drop(left.insert(topic)),
        }
    }
    left.into_iter().map(str::to_owned).collect()
}

/// Interrupts a full run at this moment, while a subscriber to `#` listens.
fn interrupt(moment: Duration, place: &str) {
    let (_serve, url) = serve();
    let watch = ["sub", &url, "-t", "#", "--retain-as-published", "-F", "%r %l %t", "-d"];
    let mut watcher = Program::new(watch).spawn();
    watcher.wait_for_words("SUBACK");
    let flags = ["--full", "-i", "interrupted", "--versions", "5,311"];
    let check = Program::new([&["check", &url], &flags[..]].concat()).spawn();
    // Any moment is as good: the seed makes them the same in each run.
    thread::sleep(moment);
    check.signal("INT");
    let outcome = check.finish();
    assert_eq!(outcome.code(), Some(130), "{place}: {outcome}");
    assert_eq!(retained(&url), "end x\n", "{place}: {outcome}");
    for id in ["interrupted", "interrupted2"] {
        assert!(!has_session(&url, id), "{place}: the session of {id} is left: {outcome}");
    }
    watcher.wait_for_line(|line| line.trim_end() == "1 1 end");
    watcher.signal("INT");
    let seen = String::from_utf8_lossy(&watcher.finish().stdout).into_owned();
    assert!(seen.contains("mqttws/check/"), "{place}: nothing was seen: {outcome}");
    assert_eq!(left_behind(&seen), Vec::<String>::new(), "{place}: {outcome}");
}

#[test]
fn a_full_run_that_is_interrupted_leaves_no_message_and_no_session() {
    let seed = 15;
    let mut random = fastrand::Rng::with_seed(seed);
    let moments: Vec<_> = (0..8).map(|_| Duration::from_millis(random.u64(200..16_000))).collect();
    at_once(moments, |moment| interrupt(moment, &format!("after {moment:?}, seed {seed}")));
}

#[test]
fn what_is_left_behind_is_seen() {
    let run = "1 4 mqttws/check/a/retain-stored/1\n1 0 mqttws/check/a/retain-stored/1\n1 1 end\n";
    assert_eq!(left_behind(run), Vec::<String>::new());
    assert_eq!(left_behind("1 4 mqttws/check/a/b/1\n0 0 mqttws/check/a/b/1\n").len(), 1);
    assert_eq!(left_behind("0 4 elsewhere\n"), ["elsewhere"]);
}
