//! `mqttws sub` through connections that break: what it prints of what `mosquitto_pub` sends.

use std::time::Duration;

use crate::numbers::{Storm, all_arrived, feed, numbers, pinned, tells_losses_and_recoveries};
use crate::program::Program;
use crate::{LONG, SOON, VERY_LONG, mosquitto};

/// Subscribes through the storm while the numbers up to `last` are published, and checks what is
/// printed.
fn subscribe_through(storm: Storm, last: u32, qos: &str, version: &str, limit: Duration) {
    let Some(broker) = mosquitto() else { return };
    let session = ["-t", "t", "-q", qos, "-c", "-i", "sub"];
    let session = [&session[..], &pinned(version)].concat();
    Program::new([&["sub", &broker.ws(), "-E"], &session[..]].concat()).run().expect(0, "", "");

    let proxy = storm.before(broker.ws_port());
    let (url, flags) = (proxy.url(), ["--wait", "20", "--reconnect-delay", SOON]);
    let mut subscriber = Program::new([&["sub", &url], &session[..], &flags].concat()).spawn();
    feed(&broker, last, qos, limit);
    broker.client("mosquitto_pub", &["-t", "t", "-q", qos, "-m", "0"]).run().expect(0, "", "");
    subscriber.wait_for_line_within(limit, |line| line == "0\n");
    subscriber.signal("INT");
    let outcome = subscriber.finish();
    println!("{} connections, {} broken, {:?}", proxy.connections(), proxy.broken(), outcome.took);

    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let mut arrived = numbers(&outcome.stdout);
    assert_eq!(arrived.pop(), Some(0), "the end comes last");
    all_arrived(&arrived, last, qos);
    assert!(proxy.broken() >= storm.faults.min(20), "only {} connections broke", proxy.broken());
    tells_losses_and_recoveries(&outcome, 3);
}

/// Short connections: twenty of them do not suffice.
fn short(seed: u64) -> Storm {
    Storm { faults: 24, up: 700, down: 1500, seed }
}

#[test]
fn qos_1_of_any_version() {
    subscribe_through(short(19), 4000, "1", "", LONG);
}

#[test]
fn qos_2_of_any_version() {
    subscribe_through(short(20), 4000, "2", "", LONG);
}

#[test]
fn qos_1() {
    subscribe_through(short(11), 4000, "1", "5", LONG);
}

#[test]
fn qos_1_before_version_5() {
    subscribe_through(short(12), 4000, "1", "311", LONG);
}

#[test]
fn qos_2() {
    subscribe_through(short(13), 4000, "2", "5", LONG);
}

#[test]
fn qos_2_before_version_5() {
    subscribe_through(short(14), 4000, "2", "311", LONG);
}

#[test]
#[ignore = "takes minutes"]
fn many_at_qos_1() {
    for (seed, version) in [(15, "5"), (16, "311")] {
        let storm = Storm { faults: 60, up: 30_000, down: 90_000, seed };
        subscribe_through(storm, 200_000, "1", version, VERY_LONG);
    }
}

#[test]
#[ignore = "takes minutes"]
fn many_at_qos_2() {
    for (seed, version) in [(17, "5"), (18, "311")] {
        let storm = Storm { faults: 60, up: 12_000, down: 30_000, seed };
        subscribe_through(storm, 50_000, "2", version, VERY_LONG);
    }
}
