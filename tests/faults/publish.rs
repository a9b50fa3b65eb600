//! `mqttws pub -l` through connections that break: what `mosquitto_sub` receives.

use std::time::Duration;

use crate::broker::Mosquitto;
use crate::numbers::{Storm, all_arrived, numbers, pinned, sequence, tells_losses_and_recoveries};
use crate::program::{Program, Running};
use crate::{LONG, SOON, VERY_LONG, mosquitto};

/// A `mosquitto_sub` with a session that stays, subscribed to `t`; it ends after the line `end`.
fn subscriber(broker: &Mosquitto) -> Running {
    let flags = ["-c", "-i", "sub", "-t", "t", "-q", "2"];
    let running = broker.client("mosquitto_sub", &flags).spawn();
    broker.wait_for_subscription("sub");
    running
}

/// Publishes the numbers up to `last` through the storm and checks what arrives.
fn publish_through(storm: Storm, last: u32, qos: &str, version: &str, limit: Duration) {
    let Some(broker) = mosquitto() else { return };
    let mut subscriber = subscriber(&broker);
    let proxy = storm.before(broker.ws_port());
    let command = ["pub", &proxy.url(), "-t", "t", "-l", "-q", qos];
    let flags = ["--wait", "20", "--reconnect-delay", SOON];
    let publisher = Program::new([&command[..], &flags, &pinned(version)].concat())
        .stdin(sequence(last))
        .spawn();
    let outcome = publisher.finish_within(limit);
    assert_eq!((outcome.code(), outcome.stdout.as_slice()), (Some(0), b"".as_slice()), "{outcome}");
    println!("{} connections, {} broken, {:?}", proxy.connections(), proxy.broken(), outcome.took);

    // Only messages of the same QoS are never overtaken.
    broker.client("mosquitto_pub", &["-t", "t", "-q", qos, "-m", "0"]).run().expect(0, "", "");
    subscriber.wait_for_line(|line| line == "0\n");
    subscriber.signal("TERM");
    let mut arrived = numbers(&subscriber.finish().stdout);
    assert_eq!(arrived.pop(), Some(0), "the end comes last");
    all_arrived(&arrived, last, qos);
    assert!(proxy.broken() >= storm.faults.min(20), "only {} connections broke", proxy.broken());
    tells_losses_and_recoveries(&outcome, 3);
}

/// Short connections: twenty of them do not suffice.
fn short(seed: u64) -> Storm {
    Storm { faults: 24, up: 1600, down: 600, seed }
}

#[test]
fn qos_1_of_any_version() {
    publish_through(short(9), 2000, "1", "", LONG);
}

#[test]
fn qos_2_of_any_version() {
    publish_through(short(10), 2000, "2", "", LONG);
}

#[test]
fn qos_1() {
    publish_through(short(1), 2000, "1", "5", LONG);
}

#[test]
fn qos_1_before_version_5() {
    publish_through(short(2), 2000, "1", "311", LONG);
}

#[test]
fn qos_2() {
    publish_through(short(3), 2000, "2", "5", LONG);
}

#[test]
fn qos_2_before_version_5() {
    publish_through(short(4), 2000, "2", "311", LONG);
}

/// Two hundred thousand messages: some minutes.
#[test]
#[ignore = "takes minutes"]
fn many_at_qos_1() {
    for (seed, version) in [(5, "5"), (6, "311")] {
        let storm = Storm { faults: 60, up: 90_000, down: 30_000, seed };
        publish_through(storm, 200_000, "1", version, VERY_LONG);
    }
}

/// Fifty thousand messages: some minutes.
#[test]
#[ignore = "takes minutes"]
fn many_at_qos_2() {
    for (seed, version) in [(7, "5"), (8, "311")] {
        let storm = Storm { faults: 60, up: 30_000, down: 12_000, seed };
        publish_through(storm, 50_000, "2", version, VERY_LONG);
    }
}
