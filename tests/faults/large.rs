//! Messages that `mqttws sub` writes as they come, through connections that break in the middle of
//! them: the output is whole, or the program says that it is not.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::thread;

use crate::flood::subscribed;
use crate::process::Process;
use crate::program::{Outcome, Program};
use crate::proxy::{Fault, Path, Plan, Proxy};
use crate::{SOON, mosquitto};

/// The length of the payload: more than 1 MiB.
const LENGTH: usize = 1_200_000;

/// One that would be seen in the memory of the program.
const LARGE: usize = 64 << 20;

/// The most memory that a message may take, however large it is, in KiB.
const MEMORY: u64 = 24 * 1024;

/// Bytes that differ from place to place.
fn payload() -> Vec<u8> {
    (0..LENGTH).map(|at| u8::try_from(at * 7 % 251).unwrap()).collect()
}

/// Connections that end one after the other, each after so many bytes from the broker.
fn failing(port: u16, at: &'static [u64], fault: Fault) -> Proxy {
    Proxy::start(port, move |number| {
        let down = at.get(number).map(|at| Path::failing(*at, fault));
        Plan { down: down.unwrap_or_default(), ..Plan::default() }
    })
}

/// Takes up the session, or begins it.
fn subscribe(url: &str, qos: &str, version: &str, more: &[&str]) -> Outcome {
    let command = ["sub", url, "-t", "t", "-c", "-i", "sub", "-q", qos, "-V", version, "-N"];
    let flags = ["--wait", "20", "--quiet", "--reconnect-delay", SOON];
    Program::new([&command[..], &flags, more].concat()).run()
}

fn through_cuts(qos: &str, version: &str) {
    let places: [&[u64]; 12] = [
        &[130],
        &[170],
        &[185],
        &[190],
        &[191],
        &[192],
        &[193],
        &[200, 400],
        &[70_000],
        &[900_000, 300_000, 1_100_000],
        &[1_199_000, 1_199_500, 1_200_010],
        &[200_000, 200_000, 200_000],
    ];
    let faults = [Fault::Cut, Fault::Reset, Fault::HalfClose];
    for (at, fault) in places.into_iter().zip(faults.into_iter().cycle()) {
        let Some(broker) = mosquitto() else { return };
        let _bustle = broker.keep_busy();
        subscribe(&broker.ws(), qos, version, &["-E"]).expect(0, "", "");
        let publish = broker.client("mosquitto_pub", &["-t", "t", "-q", qos, "-s"]);
        publish.stdin(payload()).run().expect(0, "", "");
        let proxy = failing(broker.ws_port(), at, fault);
        let outcome = subscribe(&proxy.url(), qos, version, &["-C", "1"]);
        println!("{fault:?} at {at:?}: {} connections", proxy.connections());
        outcome.expect(0, payload(), "");
    }
}

#[test]
fn through_cuts_at_qos_1() {
    through_cuts("1", "5");
}

#[test]
fn through_cuts_at_qos_2() {
    through_cuts("2", "5");
}

#[test]
fn through_cuts_at_qos_2_before_version_5() {
    through_cuts("2", "311");
}

/// A message of QoS 0 that is cut is told, with what was written of it.
#[test]
fn a_cut_at_qos_0_is_told() {
    let Some(broker) = mosquitto() else { return };
    let _bustle = broker.keep_busy();
    let publish = broker.client("mosquitto_pub", &["-t", "t", "-r", "-s"]);
    publish.stdin(payload()).run().expect(0, "", "");
    for at in [500_000, 1_000_000] {
        let proxy = Proxy::start(broker.ws_port(), move |_| Plan {
            down: Path::failing(at, Fault::Cut),
            ..Plan::default()
        });
        let outcome = Program::new(["sub", &proxy.url(), "-t", "t", "-C", "1", "-N"]).run();
        assert_eq!(outcome.code(), Some(8), "{outcome}");
        assert!(payload().starts_with(&outcome.stdout) && !outcome.stdout.is_empty());
        let line = format!(
            "mqttws: subscribed at {}: connection lost in the middle of a message to t: {} of {LENGTH} bytes \
             were written\n",
            proxy.url(),
            outcome.stdout.len()
        );
        assert_eq!(String::from_utf8_lossy(&outcome.stderr), line);
    }
}

/// A broker of one connection that sends a message of [`LARGE`] bytes, as many to a frame; where it
/// listens.
fn sending_in_frames_of(size: usize) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut socket = subscribed(listener.accept().unwrap().0, "311");
        let publish = [0x30, 0x83, 0x80, 0x80, 0x20, 0, 1, b't'];
        socket.write_all(&[&[0x82, 8], &publish[..]].concat()).unwrap();
        let frame = [&[0x82, 127][..], &(size as u64).to_be_bytes(), &vec![b'x'; size]].concat();
        for _ in 0..LARGE / size {
            socket.write_all(&frame).unwrap();
        }
        // Until the program has gone.
        socket.read_to_end(&mut Vec::new()).ok();
    });
    format!("ws://127.0.0.1:{port}/mqtt")
}

/// A message takes no more memory than others, however large it is, and however slow its reader.
#[test]
fn memory_does_not_grow_with_the_message() {
    for size in [1 << 17, LARGE] {
        let flags = ["-V", "311", "-t", "t", "-C", "1", "-N", "-W", "30"];
        let mut process =
            Process::start(&[&["sub", &sending_in_frames_of(size)], &flags[..]].concat());
        let mut stdout = process.take_stdout();
        let (mut buffer, mut read, mut peak) = (vec![0; 16 * 1024], 0, 0);
        while let Ok(count @ 1..) = stdout.read(&mut buffer) {
            read += count;
            peak = process.peak_memory().unwrap_or(peak);
        }
        assert_eq!((read, process.wait().0), (LARGE, Some(0)));
        println!("{peak} KiB");
        assert!(peak < MEMORY, "{peak} KiB");
    }
}
