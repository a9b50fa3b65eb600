//! A small conversation disturbed at every byte, in both directions: cut, reset, split, half
//! closed, stalled and then cut. Every run ends well, and its messages are delivered as their QoS
//! demands.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::numbers::numbers;
use crate::program::{Outcome, Program};
use crate::proxy::{Fault, Path, Plan, Proxy};
use crate::{SOON, mosquitto};

/// How many runs go on at once; most of the time they wait for mosquitto and the proxy.
const RUNS: usize = 8;

/// How long a direction stands still, before it goes on or is cut.
const PAUSE: Duration = Duration::from_millis(5);

/// What happens at a byte.
#[derive(Clone, Copy, Debug)]
enum Disturbance {
    Break,
    Split,
    HalfClose,
    StallAndCut,
}

const ALL: [Disturbance; 4] =
    [Disturbance::Break, Disturbance::Split, Disturbance::HalfClose, Disturbance::StallAndCut];

/// The conversation that is disturbed.
#[derive(Clone, Copy, Debug)]
struct Conversation {
    version: &'static str,
    qos: &'static str,
}

/// One run: where its first connection is disturbed.
#[derive(Clone, Copy, Debug)]
struct Case {
    disturbance: Disturbance,
    is_up: bool,
    at: u64,
}

impl Case {
    /// What is this run's alone: a topic, a client identifier.
    fn name(self) -> String {
        let direction = if self.is_up { "up" } else { "down" };
        format!("{:?}-{direction}-{}", self.disturbance, self.at)
    }

    fn plan(self, number: usize) -> Plan {
        let fault = if self.at.is_multiple_of(3) { Fault::Reset } else { Fault::Cut };
        let faults = match self.disturbance {
            Disturbance::Break => vec![(self.at, fault)],
            Disturbance::Split => vec![(self.at, Fault::Stall(PAUSE))],
            Disturbance::HalfClose => vec![(self.at, Fault::HalfClose)],
            Disturbance::StallAndCut => vec![(self.at, Fault::Stall(PAUSE)), (self.at, Fault::Cut)],
        };
        let path = Path { faults, ..Path::default() };
        match (number, self.is_up) {
            (0, true) => Plan { up: path, ..Plan::default() },
            (0, false) => Plan { down: path, ..Plan::default() },
            _ => Plan::default(),
        }
    }
}

/// Every place where the conversation of `proxy`'s first connection can be disturbed, each in one
/// of these ways, turn by turn, or in all of them.
fn cases(proxy: &Proxy, all: bool) -> Vec<Case> {
    println!(
        "{} bytes up, {} down, {} connections",
        proxy.bytes_up(),
        proxy.bytes_down(),
        proxy.connections()
    );
    let places = (0..proxy.bytes_up())
        .map(|at| (true, at))
        .chain((0..proxy.bytes_down()).map(|at| (false, at)));
    let mut cases = Vec::new();
    for ((is_up, at), turn) in places.zip((0..ALL.len()).cycle()) {
        let chosen = if all { &ALL[..] } else { &ALL[turn..=turn] };
        cases.extend(chosen.iter().map(|&disturbance| Case { disturbance, is_up, at }));
    }
    cases
}

/// Runs this for each case, some at once.
fn each<T: Sync>(cases: &[T], run: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    let take = || cases.get(next.fetch_add(1, Ordering::Relaxed));
    thread::scope(|scope| {
        for _ in 0..RUNS {
            scope.spawn(|| std::iter::from_fn(take).for_each(&run));
        }
    });
}

/// Publishes two messages.
fn publish(proxy: &Proxy, topic: &str, conversation: Conversation) -> Outcome {
    let Conversation { version, qos } = conversation;
    let command = ["pub", &proxy.url(), "-t", topic, "-l", "-q", qos, "-V", version];
    let flags = ["--wait", "20", "--reconnect-delay", SOON];
    Program::new([&command[..], &flags].concat()).stdin("1\n2\n").run()
}

fn publishing(version: &'static str, qos: &'static str, all: bool) {
    let conversation = Conversation { version, qos };
    let Some(broker) = mosquitto() else { return };
    let _bustle = broker.keep_busy();
    let flags = ["-c", "-i", "sub", "-t", "t/#", "-q", "2", "-F", "%t %p"];
    let mut subscriber = broker.client("mosquitto_sub", &flags).spawn();
    broker.wait_for_subscription("sub");
    let proxy = Proxy::transparent(broker.ws_port());
    publish(&proxy, "t/first-of-all", conversation).expect(0, "", "");
    let cases = cases(&proxy, all);
    println!("{} runs", cases.len());
    let port = broker.ws_port();
    each(&cases, |case| {
        let case = *case;
        let proxy = Proxy::start(port, move |number| case.plan(number));
        let outcome = publish(&proxy, &format!("t/{}", case.name()), conversation);
        assert_eq!(
            (outcome.code(), outcome.stdout.len()),
            (Some(0), 0),
            "{conversation:?} {case:?}\n{outcome}"
        );
    });
    broker.client("mosquitto_pub", &["-t", "t/end", "-q", qos, "-m", "0"]).run().expect(0, "", "");
    subscriber.wait_for_line(|line| line == "t/end 0\n");
    subscriber.signal("TERM");

    let outcome = subscriber.finish();
    let text = String::from_utf8_lossy(&outcome.stdout);
    let mut arrived: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (topic, payload) in text.lines().filter_map(|line| line.split_once(' ')) {
        arrived.entry(topic.trim_start_matches("t/")).or_default().push(payload);
    }
    for case in cases {
        let mut payloads = arrived.remove(&*case.name()).unwrap_or_default();
        if qos == "1" {
            payloads = first_arrivals(payloads);
        }
        assert_eq!(payloads, ["1", "2"], "{conversation:?} {case:?}");
    }
}

/// Without what comes once more.
fn first_arrivals<T: PartialEq>(arrived: Vec<T>) -> Vec<T> {
    arrived.into_iter().fold(Vec::new(), |mut first, one| {
        if !first.contains(&one) {
            first.push(one);
        }
        first
    })
}

/// Takes up a session, or begins it, until `count` messages are printed.
fn subscribe(url: &str, id: &str, conversation: Conversation, more: &[&str]) -> Outcome {
    let Conversation { version, qos } = conversation;
    let command = ["sub", url, "-t", "t", "-c", "-i", id, "-q", qos, "-V", version];
    let flags = ["--wait", "20", "--reconnect-delay", SOON];
    Program::new([&command[..], &flags, more].concat()).run()
}

fn subscribing(version: &'static str, qos: &'static str, all: bool) {
    let conversation = Conversation { version, qos };
    let Some(broker) = mosquitto() else { return };
    let _bustle = broker.keep_busy();
    let feed = || {
        broker
            .client("mosquitto_pub", &["-t", "t", "-q", qos, "-l"])
            .stdin("1\n2\n")
            .run()
            .expect(0, "", "");
    };
    // As long as the longest of the names.
    let longest = "StallAndCut-down-999";
    subscribe(&broker.ws(), longest, conversation, &["-E"]).expect(0, "", "");
    feed();
    let proxy = Proxy::transparent(broker.ws_port());
    subscribe(&proxy.url(), longest, conversation, &["-C", "2"]).expect(0, "1\n2\n", "");
    let cases = cases(&proxy, all);
    println!("{} runs", cases.len());
    let (url, port) = (broker.ws(), broker.ws_port());
    each(&cases, |case| subscribe(&url, &case.name(), conversation, &["-E"]).expect(0, "", ""));
    // One copy for each of the sessions.
    feed();
    each(&cases, |case| {
        let case = *case;
        let proxy = Proxy::start(port, move |number| case.plan(number));
        let outcome = subscribe(&proxy.url(), &case.name(), conversation, &["-C", "2"]);
        assert_eq!(outcome.code(), Some(0), "{conversation:?} {case:?}\n{outcome}");
        let mut printed = numbers(&outcome.stdout);
        if qos == "1" {
            printed = first_arrivals(printed);
            if printed == [1] {
                // The first came twice; the other is still there.
                let rest = subscribe(&url, &case.name(), conversation, &["-C", "1"]);
                printed.extend(numbers(&rest.stdout));
            }
        }
        assert_eq!(printed, [1, 2], "{conversation:?} {case:?}\n{outcome}");
    });
}

#[test]
fn publishing_at_qos_1() {
    publishing("5", "1", false);
}

#[test]
fn publishing_at_qos_2() {
    publishing("5", "2", false);
}

#[test]
fn publishing_at_qos_2_before_version_5() {
    publishing("311", "2", false);
}

#[test]
fn subscribing_at_qos_1() {
    subscribing("5", "1", false);
}

#[test]
fn subscribing_at_qos_2() {
    subscribing("5", "2", false);
}

#[test]
fn subscribing_at_qos_2_before_version_5() {
    subscribing("311", "2", false);
}

#[test]
#[ignore = "takes minutes"]
fn everything_at_every_byte() {
    for version in ["5", "311"] {
        for qos in ["1", "2"] {
            publishing(version, qos, true);
            subscribing(version, qos, true);
        }
    }
}
