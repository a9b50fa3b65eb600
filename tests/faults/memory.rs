//! Peak memory as messages grow from ten thousand to a million: it must not grow with them.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use crate::flood::{self, Flood, Stream};
use crate::numbers::{Storm, sequence};
use crate::process::Process;
use crate::{SOON, VERY_LONG, mosquitto};

const COUNTS: [u32; 3] = [10_000, 100_000, 1_000_000];

/// The most memory that it may ever have, in KiB.
const MEMORY: u64 = 24 * 1024;

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
    for qos in ["0", "1", "2"] {
        for count in COUNTS {
            let Some(broker) = mosquitto() else { return };
            show(
                &format!("pub -q {qos}"),
                count,
                peak_of(&mut publisher(&broker.ws(), qos, count)),
            );
        }
    }
}

/// Has its output read and thrown away.
fn drained(mut process: Process) -> Process {
    let mut stdout = process.take_stdout();
    thread::spawn(move || stdout.read_to_end(&mut Vec::new()));
    process
}

/// A `sub` at each QoS before a flood, which does not wait for it.
#[test]
#[ignore = "takes minutes"]
fn subscribing_to_a_flood() {
    for (qos, version) in [(0, "311"), (0, "5"), (1, "311"), (1, "5"), (2, "311"), (2, "5")] {
        for last in COUNTS {
            let flood = Flood::start(Stream { last, length: 16, version, qos });
            let (count, qos) = (last.to_string(), qos.to_string());
            let flags = ["-V", version, "-t", "t", "-q", &qos, "-C", &count];
            let process = Process::start(&[&["sub", &flood.url()], &flags[..]].concat());
            show(&format!("sub -q {qos} -V {version}"), last, peak_of(&mut drained(process)));
        }
    }
}

/// A `sub` and a `pub` with mosquitto between them, and a proxy before each that cuts now and then.
#[test]
#[ignore = "takes minutes"]
fn through_cuts() {
    for qos in ["1", "2"] {
        for count in COUNTS {
            let Some(broker) = mosquitto() else { return };
            let storm =
                |seed, up, down| Storm { faults: 30, up, down, seed }.before(broker.ws_port());
            let (above, below) = (storm(31, 30_000, 60_000), storm(32, 60_000, 30_000));
            let count_text = count.to_string();
            let flags = [
                "-i",
                "sub",
                "-t",
                "t",
                "-q",
                qos,
                "-C",
                &count_text,
                "-c",
                "--reconnect-delay",
                SOON,
            ];
            // At QoS 1 it ends early by what comes twice.
            let process = Process::start(
                &[&["sub", &above.url(), "--quiet", "--wait", "20"], &flags[..]].concat(),
            );
            broker.wait_for_subscription("sub");
            let mut process = drained(process);
            let publishing =
                ["-l", "-t", "t", "-q", qos, "--wait", "20", "--reconnect-delay", SOON];
            let mut publisher =
                Process::start(&[&["pub", &below.url(), "--quiet"], &publishing[..]].concat());
            let mut stdin = publisher.take_stdin();
            thread::spawn(move || stdin.write_all(sequence(count).as_bytes()));
            let watched = thread::spawn(move || peak_of(&mut process));
            show(&format!("pub -q {qos} through cuts"), count, peak_of(&mut publisher));
            show(&format!("sub -q {qos} through cuts"), count, watched.join().unwrap());
        }
    }
}

/// A message that nobody has asked for, between PUBLISH and PUBACK.
#[test]
fn a_large_message_that_nobody_asked_for_is_not_kept() {
    const LENGTH: u32 = 64 * 1024 * 1024;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("ws://127.0.0.1:{}/mqtt", listener.local_addr().unwrap().port());
    let server = thread::spawn(move || {
        let mut stream = flood::connected(listener.accept().unwrap().0, "311");
        // QoS 0, a remaining length of 64 MiB and 3, the topic "t".
        stream
            .write_all(&[
                0x82, 127, 0, 0, 0, 0, 4, 0, 0, 8, 0x30, 0x83, 0x80, 0x80, 0x20, 0, 1, b't',
            ])
            .unwrap();
        let piece = vec![b'x'; 64 * 1024];
        for _ in 0..LENGTH / 65_536 {
            stream.write_all(&piece).unwrap();
        }
        stream.write_all(&[0x82, 4, 0x40, 2, 0, 1]).unwrap();
        std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
    });
    let mut process = Process::start(&["pub", &url, "-V", "311", "-t", "t", "-m", "x", "-q", "1"]);
    show("pub", 1, peak_of(&mut process));
    server.join().unwrap();
}
