//! A server that floods the program with what must be answered, and does not read: the answers
//! wait, nothing more is read meanwhile, and memory stays what it was.

use std::io::{ErrorKind, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use crate::flood;
use crate::process::Process;
use crate::program::PATIENCE;

/// The most memory that it may ever have, in KiB.
const MEMORY: u64 = 24 * 1024;

/// More than all buffers between the two ends hold, answers included.
const ENOUGH: usize = 128 << 20;

/// For so long a server takes nothing before it is called standing still.
const STANDSTILL: Duration = Duration::from_secs(2);

/// A server that sends one frame again and again, before a `sub` that ends after so many messages.
struct Flooding {
    process: Process,
    socket: TcpStream,
    version: &'static str,
    frame: &'static [u8],
    /// How much of the last frame is not written yet.
    unfinished: usize,
}

impl Flooding {
    fn start(version: &'static str, frame: &'static [u8], count: &str) -> Self {
        let (listener, url) = listen();
        let flags = ["-V", version, "-t", "t", "-q", "2", "-C", count, "-k", "600"];
        let mut process = Process::start(&[&["sub", &url], &flags[..]].concat());
        let mut stdout = process.take_stdout();
        thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
        let socket = flood::subscribed(listener.accept().unwrap().0, version);
        Self { process, socket, version, frame, unfinished: 0 }
    }

    /// The same before a `pub` that waits for its input.
    fn before_a_publisher(frame: &'static [u8]) -> Self {
        let (listener, url) = listen();
        let process =
            Process::start(&["pub", &url, "-V", "311", "-t", "t", "-q", "2", "-l", "-k", "600"]);
        let socket = flood::connected(listener.accept().unwrap().0, "311");
        Self { process, socket, version: "311", frame, unfinished: 0 }
    }

    /// Writes until the program takes nothing more; it must come to that, and need no memory for
    /// it.
    fn stands_still(&mut self) {
        let batch = self.frame.repeat(64 * 1024 / self.frame.len());
        self.socket.set_write_timeout(Some(STANDSTILL)).unwrap();
        let mut written = 0;
        loop {
            match self.socket.write(&batch[written % batch.len()..]) {
                Ok(count) => written += count,
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    break;
                }
                Err(error) => panic!("after {written} bytes: {error}"),
            }
            let peak = self.process.peak_memory().unwrap_or(0);
            assert!(peak < MEMORY, "{peak} KiB after {written} bytes");
            assert!(written < ENOUGH, "it reads on although nobody takes its answers");
        }
        self.unfinished = (self.frame.len() - written % self.frame.len()) % self.frame.len();
    }

    /// Takes the answers from now on, and sends the last message; the program ends in order.
    fn goes_on(mut self) {
        let mut reader = self.socket.try_clone().unwrap();
        // Its end comes with DISCONNECT and Close, of which nothing need be known here.
        thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
        self.socket.set_write_timeout(Some(PATIENCE)).unwrap();
        let rest = &self.frame[self.frame.len() - self.unfinished..];
        self.socket.write_all(rest).unwrap();
        let last: &[u8] = b"\x82\x07\x30\x05\x00\x01tab";
        let last_in_5: &[u8] = b"\x82\x08\x30\x06\x00\x01t\x00ab";
        self.socket.write_all(if self.version == "5" { last_in_5 } else { last }).unwrap();
        assert_eq!(self.process.wait().0, Some(0));
    }
}

fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("ws://{}/mqtt", listener.local_addr().unwrap());
    (listener, url)
}

/// A PUBREL for a message that is unknown or long done: PUBCOMP answers it.
const PUBREL: &[u8] = b"\x82\x04\x62\x02\x00\x09";

/// The same message of QoS 2 again: PUBREC answers it.
const PUBLISH_2: &[u8] = b"\x82\x0a\x3c\x08\x00\x01t\x00\x07abc";

/// The same in MQTT 5.
const PUBLISH_2_IN_5: &[u8] = b"\x82\x0b\x3c\x09\x00\x01t\x00\x07\x00abc";

/// A message of QoS 1: PUBACK answers it.
const PUBLISH_1: &[u8] = b"\x82\x0a\x32\x08\x00\x01t\x00\x07abc";

/// A Ping: a Pong answers it.
const PING: &[u8] = b"\x89\x02hi";

#[test]
fn pubrel() {
    for version in ["311", "5"] {
        Flooding::start(version, PUBREL, "1").stands_still();
    }
}

#[test]
fn publish_of_qos_2() {
    Flooding::start("311", PUBLISH_2, "2").stands_still();
    Flooding::start("5", PUBLISH_2_IN_5, "2").stands_still();
}

#[test]
fn publish_of_qos_1() {
    Flooding::start("311", PUBLISH_1, "1000000000").stands_still();
}

/// Whoever is connected may be flooded.
#[test]
fn before_a_publisher() {
    Flooding::before_a_publisher(PING).stands_still();
    Flooding::before_a_publisher(PUBREL).stands_still();
}

#[test]
fn ping() {
    Flooding::start("311", PING, "1").stands_still();
}

/// A server that reads again is answered, and gets on.
#[test]
fn a_server_that_reads_again_is_answered() {
    for (frame, version, count) in [
        (PUBREL, "311", "1"),
        (PUBLISH_2, "311", "2"),
        (PUBLISH_2_IN_5, "5", "2"),
        (PING, "311", "1"),
    ] {
        let mut flooding = Flooding::start(version, frame, count);
        flooding.stands_still();
        flooding.goes_on();
    }
}
