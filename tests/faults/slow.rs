//! `mqttws sub` when nobody reads its output: the connection is kept, memory is bounded, the broker
//! feels it, Ctrl-C works, and nothing is missing when reading goes on.

use std::thread;
use std::time::{Duration, Instant};

use crate::flood::{self, Flood, Stream};
use crate::mosquitto;
use crate::numbers::sequence;
use crate::process::Process;
use crate::program::PATIENCE;
use crate::proxy::Proxy;
use crate::wait_until;

/// The length of a payload of the flood.
const LENGTH: usize = 10 * 1024;

/// So many make 200 MiB.
const LAST: u32 = 20 * 1024;

/// The most memory that it may ever have, in KiB.
const MEMORY: u64 = 24 * 1024;

/// So many bytes it may hold or have written into the pipe: four chunks of 64 KiB that were read,
/// as many batches of 128 KiB that wait to be written, one that is being gathered, and what the
/// pipe holds.
const HELD: u64 = (4 * 64 + 5 * 128 + 64 + 64) * 1024;

/// A subscriber that nobody reads, and the flood that has come to a standstill before it.
fn stalled(version: &'static str, qos: u8) -> (Flood, Process) {
    let flood = Flood::start(Stream { last: LAST, length: LENGTH, version, qos });
    let qos = qos.to_string();
    let process =
        Process::start(&["sub", &flood.url(), "-V", version, "-t", "t", "-k", "2", "-q", &qos]);
    // That nothing more can be written has no event: it is what has not changed for a second.
    let (mut written, mut since) = (0, Instant::now());
    let deadline = Instant::now() + PATIENCE;
    while written == 0 || since.elapsed() < Duration::from_secs(1) {
        assert!(Instant::now() < deadline, "{written} bytes and no end of it");
        thread::park_timeout(Duration::from_millis(10));
        if flood.written() != written {
            (written, since) = (flood.written(), Instant::now());
        }
    }
    (flood, process)
}

/// Waits until the keep alive was seen so often since `start`.
fn wait_for_pings(count: usize, start: Instant, moments: impl Fn() -> Vec<Instant>) {
    wait_until("the keep alive", || {
        moments().iter().filter(|moment| **moment > start).count() >= count
    });
}

fn nobody_reads_for_a_while(version: &'static str, qos: u8) {
    let (flood, mut process) = stalled(version, qos);
    let start = Instant::now();
    wait_for_pings(3, start, || flood.pings());
    let (read, finished) = (flood.read(), flood.finished());
    let peak = process.peak_memory().unwrap();
    println!(
        "{read} of {} bytes read, {finished} acknowledged, {peak} KiB of memory",
        flood.written()
    );
    assert!(read <= HELD, "{read} bytes were read: the socket is read meanwhile");
    // What is acknowledged is written: a pipe holds 64 KiB.
    assert!(finished * LENGTH as u64 <= 64 * 1024, "{finished} messages were acknowledged");
    assert!(peak < MEMORY, "{peak} KiB");

    for number in 1..=LAST {
        process.reads(&flood::line(number, LENGTH));
    }
    let peak = process.peak_memory().unwrap();
    println!("{peak} KiB of memory in the end");
    assert!(peak < MEMORY, "{peak} KiB");
    // The last exchanges need another turn or two.
    let all = if qos == 0 { 0 } else { u64::from(LAST) };
    wait_until("every acknowledgement", || flood.finished() >= all);
    process.interrupt();
    assert_eq!(process.wait().0, Some(0));
    assert_eq!(flood.finished(), all);
}

#[test]
fn a_flood_that_nobody_reads_for_a_while() {
    nobody_reads_for_a_while("311", 0);
}

#[test]
fn a_flood_at_qos_1_that_nobody_reads_for_a_while() {
    nobody_reads_for_a_while("5", 1);
}

#[test]
fn a_flood_at_qos_2_that_nobody_reads_for_a_while() {
    nobody_reads_for_a_while("5", 2);
}

#[test]
fn a_stalled_output_can_be_interrupted() {
    let (_flood, mut process) = stalled("5", 0);
    process.interrupt();
    // One that hangs is ended with 130 after some seconds.
    assert_eq!(process.wait().0, Some(0));
}

/// Mosquitto, messages that must be acknowledged, and no reader for five keep alives: a connection
/// that is silent for one and a half of them is ended by it.
#[test]
fn mosquitto_keeps_the_connection() {
    let Some(broker) = mosquitto() else { return };
    let proxy = Proxy::transparent(broker.ws_port());
    let flags = ["-i", "sub", "-t", "t", "-q", "1", "-k", "2"];
    let mut process = Process::start(&[&["sub", &proxy.url()], &flags[..]].concat());
    broker.wait_for_subscription("sub");
    let filling = ".".repeat(1000);
    let lines = |number: &str| format!("{number}{filling}\n");
    let messages: String = sequence(2000).lines().map(lines).collect();
    let publisher =
        broker.client("mosquitto_pub", &["-t", "t", "-q", "1", "-l"]).stdin(messages.as_str());
    publisher.run().expect(0, "", "");
    let start = Instant::now();
    wait_for_pings(5, start, || proxy.heard());
    process.reads(&messages);
    assert_eq!(proxy.connections(), 1, "the connection was not lost");
    process.interrupt();
    assert_eq!(process.wait().0, Some(0));
}
