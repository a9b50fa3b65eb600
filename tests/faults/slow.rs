//! `mqttws sub` when nobody reads its output: the connection is kept, memory is bounded, the broker feels it,
//! Ctrl-C works, and nothing is missing when reading goes on.

use std::thread;
use std::time::{Duration, Instant};

use crate::flood::{self, Flood};
use crate::mosquitto;
use crate::numbers::sequence;
use crate::process::Process;
use crate::program::PATIENCE;
use crate::proxy::Proxy;

/// The length of a payload of the flood.
const LENGTH: usize = 10 * 1024;

/// So many make 200 MiB.
const LAST: u32 = 20 * 1024;

/// The most memory that it may ever have, in KiB.
const MEMORY: u64 = 64 * 1024;

/// So many bytes the two kernels' buffers may take in all: Linux lets a receive buffer grow to 6 MiB and a
/// send buffer to 4, in its own time. Whoever reads a flood of 200 MiB takes all of it in a second.
const BUFFERS: u64 = 16 * 1024 * 1024;

/// Mosquitto ends a connection that was silent for one and a half keep alives of two seconds.
const LONGEST_SILENCE: Duration = Duration::from_secs(3);

/// A subscriber that nobody reads, and the flood that has come to a standstill before it.
fn stalled() -> (Flood, Process, u64) {
    let flood = Flood::start(LAST, LENGTH);
    let process = Process::start(&["sub", &flood.url(), "-V", "311", "-t", "t", "-k", "2"]);
    let (mut written, mut since) = (0, Instant::now());
    let deadline = Instant::now() + PATIENCE;
    while written == 0 || since.elapsed() < Duration::from_secs(1) {
        assert!(Instant::now() < deadline, "{written} bytes and no end of it");
        thread::park_timeout(Duration::from_millis(10));
        if flood.written() != written {
            (written, since) = (flood.written(), Instant::now());
        }
    }
    (flood, process, written)
}

/// Checks that the moments from `start` to now have no long silence between them.
fn are_close(moments: &[Instant], start: Instant) {
    let inner = moments.iter().copied().filter(|moment| *moment > start);
    let all: Vec<Instant> = [start].into_iter().chain(inner).chain([Instant::now()]).collect();
    for pair in all.windows(2) {
        assert!(pair[1] - pair[0] < LONGEST_SILENCE, "silence for {:?}", pair[1] - pair[0]);
    }
}

#[test]
fn a_flood_that_nobody_reads_for_a_while() {
    let (flood, mut process, _) = stalled();
    let start = Instant::now();
    thread::sleep(Duration::from_secs(5));
    let written = flood.written();
    assert!(written <= BUFFERS, "{written} bytes were taken: the socket is read meanwhile");
    are_close(&flood.pings(), start);
    let peak = process.peak_memory().unwrap();
    println!("{written} bytes taken, {peak} KiB of memory");
    assert!(peak < MEMORY, "{peak} KiB");

    for number in 1..=LAST {
        process.reads(&flood::line(number, LENGTH));
    }
    let peak = process.peak_memory().unwrap();
    println!("{peak} KiB of memory in the end");
    assert!(peak < MEMORY, "{peak} KiB");
    process.interrupt();
    assert_eq!(process.wait().0, Some(0));
}

#[test]
fn a_stalled_output_can_be_interrupted() {
    let (_flood, mut process, _) = stalled();
    process.interrupt();
    let (code, seconds) = process.wait();
    assert_eq!(code, Some(0));
    assert!(seconds < 1.0, "{seconds} s");
}

/// Mosquitto, messages that must be acknowledged, and ten seconds without a reader.
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
    let publisher = broker.client("mosquitto_pub", &["-t", "t", "-q", "1", "-l"]).stdin(messages.as_str());
    publisher.run().expect(0, "", "");
    let start = Instant::now();
    thread::sleep(Duration::from_secs(10));
    are_close(&proxy.heard(), start);
    process.reads(&messages);
    assert_eq!(proxy.connections(), 1, "the connection was not lost");
    process.interrupt();
    assert_eq!(process.wait().0, Some(0));
}
