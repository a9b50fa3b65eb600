//! A small conversation broken at every byte, in both directions: every run ends well, and its three messages
//! are delivered exactly once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::broker::Mosquitto;
use crate::program::{Outcome, Program};
use crate::proxy::{Fault, Path, Plan, Proxy};
use crate::{SOON, mosquitto};

/// The upgrade is broken only here and there: it says nothing of a session.
const UPGRADE: u64 = 120;

/// How many runs go on at once; most of the time they wait for mosquitto.
const RUNS: usize = 6;

/// One run: where its first connection is broken.
#[derive(Clone, Copy, Debug)]
struct Case {
    version: &'static str,
    is_up: bool,
    at: u64,
}

impl Case {
    /// The topic that only this run publishes to.
    fn topic(self) -> String {
        let direction = if self.is_up { "up" } else { "down" };
        format!("t/{}/{direction}/{}", self.version, self.at)
    }

    fn plan(self, number: usize) -> Plan {
        let fault = if self.at.is_multiple_of(3) { Fault::Reset } else { Fault::Cut };
        match (number, self.is_up) {
            (0, true) => Plan { up: Path::failing(self.at, fault), ..Plan::default() },
            (0, false) => Plan { down: Path::failing(self.at, fault), ..Plan::default() },
            _ => Plan::default(),
        }
    }
}

/// Publishes three messages at QoS 2.
fn publish(proxy: &Proxy, topic: &str, version: &str) -> Outcome {
    let command = ["pub", &proxy.url(), "-t", topic, "-l", "-q", "2", "-V", version];
    let flags = ["--wait", "20", "--reconnect-delay", SOON];
    Program::new([&command[..], &flags].concat()).stdin("1\n2\n3\n").run()
}

/// Every place where the conversation of this version can be broken.
fn cases(broker: &Mosquitto, version: &'static str) -> Vec<Case> {
    let proxy = Proxy::transparent(broker.ws_port());
    publish(&proxy, &format!("t/{version}"), version).expect(0, "", "");
    let places = |end: u64| (0..UPGRADE).step_by(20).chain(UPGRADE..end);
    let up = places(proxy.bytes_up()).map(|at| Case { version, is_up: true, at });
    up.chain(places(proxy.bytes_down()).map(|at| Case { version, is_up: false, at })).collect()
}

/// Runs one case, on the broker's port.
fn run(case: Case, port: u16) {
    let proxy = Proxy::start(port, move |number| case.plan(number));
    let outcome = publish(&proxy, &case.topic(), case.version);
    assert_eq!((outcome.code(), outcome.stdout.as_slice()), (Some(0), b"".as_slice()), "{case:?}\n{outcome}");
}

/// Runs them all, some at once.
fn run_all(cases: &[Case], port: u16) {
    let next = AtomicUsize::new(0);
    let take = || cases.get(next.fetch_add(1, Ordering::Relaxed));
    thread::scope(|scope| {
        for _ in 0..RUNS {
            scope.spawn(|| std::iter::from_fn(take).for_each(|case| run(*case, port)));
        }
    });
}

fn broken_at_every_byte(version: &'static str) {
    let Some(broker) = mosquitto() else { return };
    let _bustle = broker.keep_busy();
    let flags = ["-c", "-i", "sub", "-t", "t/#", "-q", "2", "-F", "%t %p"];
    let mut subscriber = broker.client("mosquitto_sub", &flags).spawn();
    broker.wait_for_subscription("sub");
    let cases = cases(&broker, version);
    println!("{} places", cases.len());
    run_all(&cases, broker.ws_port());
    broker.client("mosquitto_pub", &["-t", "t/end", "-q", "2", "-m", "0"]).run().expect(0, "", "");
    subscriber.wait_for_line(|line| line == "t/end 0\n");
    subscriber.signal("TERM");

    let outcome = subscriber.finish();
    let text = String::from_utf8_lossy(&outcome.stdout);
    let mut arrived: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (topic, payload) in text.lines().filter_map(|line| line.split_once(' ')) {
        arrived.entry(topic).or_default().push(payload);
    }
    for case in cases {
        assert_eq!(arrived.get(&*case.topic()), Some(&vec!["1", "2", "3"]), "{case:?}");
    }
}

#[test]
fn version_5() {
    broken_at_every_byte("5");
}

#[test]
fn version_3_1_1() {
    broken_at_every_byte("311");
}
