//! Peak memory as messages grow from ten thousand to a million: it must not grow with them.

use std::io::{Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use crate::flood::Flood;
use crate::numbers::sequence;
use crate::process::Process;
use crate::{VERY_LONG, mosquitto};

const COUNTS: [u32; 3] = [10_000, 100_000, 1_000_000];

/// The most memory that it may ever have, in KiB.
const MEMORY: u64 = 64 * 1024;

/// Reads what it prints and watches it until it ends; its peak in KiB.
fn peak_of(process: &mut Process) -> u64 {
    let (mut peak, deadline) = (0, Instant::now() + VERY_LONG);
    while !process.has_ended() {
        assert!(Instant::now() < deadline, "it does not end");
        peak = process.peak_memory().unwrap_or(peak);
        thread::park_timeout(Duration::from_millis(2));
    }
    assert_eq!(process.wait().0, Some(0));
    peak
}

/// Shows one figure and checks it.
fn show(what: &str, count: u32, peak: u64) {
    println!("{what}, {count} messages: {peak} KiB");
    assert!(peak < MEMORY, "{peak} KiB");
}

/// A `pub -l` of so many lines.
fn publisher(url: &str, qos: &str, count: u32) -> Process {
    let mut process = Process::start(&["pub", url, "-t", "t", "-l", "-q", qos]);
    let mut stdin = process.take_stdin();
    thread::spawn(move || stdin.write_all(sequence(count).as_bytes()));
    process
}

#[test]
#[ignore = "takes minutes"]
fn publishing() {
    for qos in ["0", "1"] {
        for count in COUNTS {
            let Some(broker) = mosquitto() else { return };
            show(&format!("pub -q {qos}"), count, peak_of(&mut publisher(&broker.ws(), qos, count)));
        }
    }
}

/// Has its output read and thrown away.
fn drained(mut process: Process) -> Process {
    let mut stdout = process.take_stdout();
    thread::spawn(move || stdout.read_to_end(&mut Vec::new()));
    process
}

#[test]
#[ignore = "takes minutes"]
fn subscribing_at_qos_0() {
    for count in COUNTS {
        let flood = Flood::start(count, 16);
        let count_text = count.to_string();
        let process = Process::start(&["sub", &flood.url(), "-V", "311", "-t", "t", "-C", &count_text]);
        show("sub -q 0", count, peak_of(&mut drained(process)));
    }
}

#[test]
#[ignore = "takes minutes"]
fn subscribing_at_qos_1() {
    for count in COUNTS {
        let Some(broker) = mosquitto() else { return };
        let count_text = count.to_string();
        let flags = ["-i", "sub", "-t", "t", "-q", "1", "-C", &count_text];
        let process = Process::start(&[&["sub", &broker.ws()], &flags[..]].concat());
        broker.wait_for_subscription("sub");
        let _publisher = publisher(&broker.ws(), "1", count);
        show("sub -q 1", count, peak_of(&mut drained(process)));
    }
}
