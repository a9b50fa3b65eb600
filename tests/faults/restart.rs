//! Brokers that end and start again, in order and by SIGKILL, with their memory and without.
//!
//! `mosquitto_sub` subscribes with QoS 0, so that mosquitto writes each message to it before it
//! acknowledges the message: what it has acknowledged, it cannot lose with its memory. It
//! subscribes again before `mqttws` gets through to the broker.

use std::collections::BTreeSet;

use crate::broker::Mosquitto;
use crate::numbers::{all_arrived, numbers, sequence};
use crate::program::{Outcome, Program};
use crate::proxy::{Fault, Path, Plan, Proxy};
use crate::{LONG, SOON, mosquitto_with, wait_until};

/// How often the broker is restarted.
const RESTARTS: usize = 3;

const LAST: u32 = 2000;

/// So many messages mosquitto takes at once: none of them waits.
const FEW: u32 = 15;

const FORGETFUL: &str = "persistence false\n";

/// Everything is saved after each change and at the end.
const MINDFUL: &str = "persistence true\npersistence_location {folder}/\nautosave_on_changes true\nautosave_interval 1\n";

/// Each of the first connections comes to a standstill with messages and acknowledgements on the
/// way.
fn standstill(number: usize) -> Plan {
    if number >= RESTARTS {
        return Plan::default();
    }
    let bytes = number as u64 * 150;
    Plan {
        up: Path::failing(4000 + 5 * bytes, Fault::Hold),
        down: Path::failing(500 + bytes, Fault::Hold),
    }
}

/// Publishes numbers while the broker is restarted; what was received and how `mqttws` ended.
fn publish(settings: &str, end: fn(&mut Mosquitto), flags: &[&str]) -> Option<(Vec<u32>, Outcome)> {
    let mut broker = mosquitto_with(settings)?;
    let mut subscriber =
        broker.client("mosquitto_sub", &["-i", "sub", "-t", "t", "-q", "0"]).spawn();
    broker.wait_for_subscription("sub");
    let proxy = Proxy::start(broker.ws_port(), standstill);
    let command = ["pub", &proxy.url(), "-t", "t", "-l", "--reconnect-delay", SOON];
    let publisher = Program::new([&command[..], flags].concat()).stdin(sequence(LAST)).spawn();
    for _ in 0..RESTARTS {
        let held = proxy.held();
        wait_until("the connection stands still", || proxy.held() > held);
        proxy.close();
        end(&mut broker);
        broker.start_again();
        broker.wait_for_subscription("sub");
        proxy.open();
    }
    let outcome = publisher.finish_within(LONG);
    broker.client("mosquitto_pub", &["-t", "t", "-m", "0"]).run().expect(0, "", "");
    subscriber.wait_for_line(|line| line == "0\n");
    subscriber.signal("TERM");
    let mut arrived = numbers(&subscriber.finish().stdout);
    assert_eq!(arrived.pop(), Some(0), "the end comes last");
    Some((arrived, outcome))
}

/// The numbers that `mqttws` reported as in doubt.
fn in_doubt(outcome: &Outcome) -> BTreeSet<u32> {
    let stderr = String::from_utf8_lossy(&outcome.stderr);
    let lines = stderr.lines().filter(|line| line.contains("in doubt"));
    let number = |line: &str| line.split_once("message ")?.1.split(' ').next()?.parse().ok();
    lines.map(|line| number(line).unwrap_or_else(|| panic!("no number: {line}"))).collect()
}

fn at_least_once(settings: &str, end: fn(&mut Mosquitto), version: &str) {
    let Some((arrived, outcome)) = publish(settings, end, &["-q", "1", "-V", version]) else {
        return;
    };
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    all_arrived(&arrived, LAST, "1");
}

/// Checks that nothing came twice; returns what is missing.
fn missing(arrived: &[u32]) -> BTreeSet<u32> {
    for pair in arrived.windows(2) {
        assert!(pair[0] < pair[1], "{} and then {}", pair[0], pair[1]);
    }
    let arrived: BTreeSet<u32> = arrived.iter().copied().collect();
    (1..=LAST).filter(|number| !arrived.contains(number)).collect()
}

#[test]
fn qos_1_with_a_broker_that_forgets() {
    at_least_once(FORGETFUL, Mosquitto::kill, "5");
    at_least_once(FORGETFUL, Mosquitto::kill, "311");
}

#[test]
fn qos_1_with_a_broker_that_remembers() {
    at_least_once(MINDFUL, Mosquitto::kill, "5");
    at_least_once(MINDFUL, Mosquitto::terminate, "311");
}

#[test]
fn qos_2_with_a_broker_that_forgets() {
    for version in ["5", "311"] {
        let flags = ["-q", "2", "-V", version];
        let Some((arrived, outcome)) = publish(FORGETFUL, Mosquitto::kill, &flags) else { return };
        let (missing, doubted) = (missing(&arrived), in_doubt(&outcome));
        assert!(
            missing.is_subset(&doubted),
            "missing {missing:?}, in doubt {doubted:?}\n{outcome}"
        );
        assert!(!doubted.is_empty(), "a broker that forgets leaves doubt\n{outcome}");
        assert_eq!(outcome.code(), Some(7), "{outcome}");
    }
}

/// The connection stands still when everything is sent and few messages are answered: nothing is
/// left to publish to the broker that has forgotten the session.
#[test]
fn qos_2_whose_last_messages_are_forgotten() {
    for version in ["5", "311"] {
        let Some(mut broker) = mosquitto_with(FORGETFUL) else { return };
        // More than up to the CONNACK, and less than the answers to all.
        let down = 250;
        let proxy = Proxy::start(broker.ws_port(), move |number| match number {
            0 => Plan { down: Path::failing(down, Fault::Hold), ..Plan::default() },
            _ => Plan::default(),
        });
        let url = proxy.url();
        let command =
            ["pub", &url, "-t", "t", "-l", "-q", "2", "-V", version, "--reconnect-delay", SOON];
        let publisher = Program::new(command).stdin(sequence(FEW)).spawn();
        wait_until("the connection stands still", || proxy.held() > 0);
        proxy.close();
        broker.kill();
        broker.start_again();
        proxy.open();
        let outcome = publisher.finish_within(LONG);
        assert!(outcome.code() == Some(7) && !in_doubt(&outcome).is_empty(), "{outcome}");
    }
}

#[test]
fn qos_2_with_a_broker_that_remembers() {
    for version in ["5", "311"] {
        let flags = ["-q", "2", "-V", version];
        let Some((arrived, outcome)) = publish(MINDFUL, Mosquitto::terminate, &flags) else {
            return;
        };
        assert_eq!(outcome.code(), Some(0), "{outcome}");
        all_arrived(&arrived, LAST, "2");
    }
}

/// Killed, it remembers what was a second ago: what was on the way then it may answer without
/// having it.
#[test]
fn qos_2_with_a_broker_that_remembers_the_past() {
    let Some((arrived, outcome)) = publish(MINDFUL, Mosquitto::kill, &["-q", "2", "-V", "5"])
    else {
        return;
    };
    let missing = missing(&arrived);
    assert!(missing.len() <= RESTARTS * 20, "missing {missing:?}\n{outcome}");
    assert!(matches!(outcome.code(), Some(0 | 7)), "{outcome}");
}
