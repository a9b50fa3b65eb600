//! The memory of `serve` under clients that want all of it. Measured is the peak of its resident set.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::limits::serve;
use crate::support::program::{Program, Running};

const MIB: usize = 1 << 20;

pub(super) const UPGRADE: &str = "GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
     Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";

pub(super) const BINARY: u8 = 0x82;
const PING: u8 = 0x89;

/// The peak of the resident set of a process, in bytes.
fn peak(serve: &Running) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", serve.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// The broker still serves, and has needed at most so many MiB.
fn expect_peak(serve: Running, url: &str, most: usize) {
    assert_eq!(Program::new(["ping", url, "-c", "1"]).run().code(), Some(0));
    let peak = peak(&serve) / MIB;
    assert!(peak <= most, "{peak} MiB");
    serve.signal("INT");
    assert_eq!(serve.finish().code(), Some(0));
}

/// A WebSocket of bytes.
pub(super) struct Client(pub(super) TcpStream);

impl Client {
    pub(super) fn new(url: &str) -> Self {
        let mut socket = dial(url);
        socket.write_all(UPGRADE.as_bytes()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            socket.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        Self(socket)
    }

    /// A client that was accepted; `level` is that of its version.
    pub(super) fn connected(url: &str, client_id: &str, level: u8) -> Self {
        let mut client = Self::new(url);
        let mut body = [b"\0\x04MQTT", &[level, 0, 0, 0][..]].concat();
        if level == 5 {
            // Its session is kept for an hour.
            body.extend([5, 0x11, 0, 0, 14, 16]);
        }
        body.extend(text(client_id));
        client.send(&packet(0x10, &body));
        assert_eq!(client.packet()[0], 0x20);
        client
    }

    /// The next packet, of less than 126 bytes.
    pub(super) fn packet(&mut self) -> Vec<u8> {
        let mut head = [0; 2];
        self.0.read_exact(&mut head).unwrap();
        let mut payload = vec![0; head[1].into()];
        self.0.read_exact(&mut payload).unwrap();
        payload
    }

    pub(super) fn send(&mut self, packet: &[u8]) {
        self.0.write_all(&frame(BINARY, packet)).unwrap();
    }

    /// Sends this again and again until the broker takes no more, or so many bytes.
    fn flood(&mut self, bytes: &[u8], most: usize) {
        self.0.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
        let mut sent = 0;
        while sent < most {
            match self.0.write(bytes) {
                Ok(count) => sent += count,
                Err(error) => {
                    let is_full =
                        matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
                    assert!(
                        is_full
                            || error.kind() == ErrorKind::ConnectionReset
                            || error.kind() == ErrorKind::BrokenPipe,
                        "{error}"
                    );
                    return;
                }
            }
        }
    }
}

/// A socket, before the request for the upgrade.
pub(super) fn dial(url: &str) -> TcpStream {
    let address = url.trim_start_matches("ws://").trim_end_matches("/mqtt");
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    socket
}

pub(super) fn text(text: &str) -> Vec<u8> {
    [&u16::try_from(text.len()).unwrap().to_be_bytes(), text.as_bytes()].concat()
}

pub(super) fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    [header(first, body.len()), body.to_vec()].concat()
}

pub(super) fn header(first: u8, mut length: usize) -> Vec<u8> {
    let mut header = vec![first];
    loop {
        let more = length > 127;
        header.push(u8::try_from(length % 128).unwrap() | if more { 128 } else { 0 });
        length /= 128;
        if !more {
            return header;
        }
    }
}

/// A frame whose mask changes nothing.
pub(super) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![opcode];
    match payload.len() {
        length @ 0..126 => frame.push(0x80 | u8::try_from(length).unwrap()),
        length @ ..65_536 => {
            frame.push(0xfe);
            frame.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            frame.push(0xff);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

#[test]
fn incomplete_packets() {
    let (serve, url) = serve(&["memory=64MiB"]);
    let clients: Vec<_> = (0..30)
        .map(|number| {
            let mut client = Client::connected(&url, &format!("incomplete{number}"), 4);
            let mut begun = header(0x30, 15 * MIB + 100);
            begun.extend(text("t"));
            client.send(&begun);
            client.flood(&frame(BINARY, &vec![0; 64 * 1024]), 10 * MIB);
            client
        })
        .collect();
    let larger = |mut client: Client| {
        client.send(&header(0x30, 256 * MIB - 1));
        client
    };
    let refused = larger(Client::connected(&url, "larger", 5));
    drop(clients);
    drop(refused);
    // The allocator keeps some of the memory of large buffers that grew.
    expect_peak(serve, &url, 160);
}

/// Clients that hold memory for what they have begun, and go on a byte at a time, make room: one
/// that comes then works.
fn half_of_something(begun: impl Fn(&str) -> (TcpStream, Vec<u8>)) {
    let (serve, url) = serve(&["memory=16MiB"]);
    let half: Vec<_> = (0..1200)
        .map(|_| {
            let (mut socket, bytes) = begun(&url);
            // It may have been ended meanwhile.
            let _ = socket.write_all(&bytes);
            socket
        })
        .collect();
    let words = ["pub", &url, "-V", "5", "-t", "t", "-q", "1", "-r", "-m", "x"];
    Program::new(words).run().expect(0, "", "");
    Program::new(["sub", &url, "-V", "5", "-t", "t", "-C", "1"]).run().expect(0, "x\n", "");
    drop(half);
    serve.signal("INT");
    assert_eq!(serve.finish().code(), Some(0));
}

#[test]
fn half_a_packet_makes_room() {
    let begun = [header(0x10, 90_000), vec![0; 60_000]].concat();
    half_of_something(|url| (Client::new(url).0, frame(BINARY, &begun)));
}

#[test]
fn half_a_request_makes_room() {
    let begun = [&UPGRADE.as_bytes()[..UPGRADE.len() - 2], b"X: ", &[b'x'; 15_000]].concat();
    half_of_something(|url| (dial(url), begun.clone()));
}

/// Forty clients that subscribe to these filters, each with a subscription identifier of its own, and
/// go away, and messages of this length until one is refused.
fn absent_sessions(filters: &[&str], length: usize) {
    let (serve, url) = serve(&["memory=64MiB"]);
    for number in 0..40 {
        let mut client = Client::connected(&url, &format!("absent{number}"), 5);
        for filter in filters {
            let head = [0, 1, 2, 0x0b, number + 1];
            client.send(&packet(0x82, &[&head[..], &text(filter), &[1]].concat()));
            assert_eq!(client.packet()[0], 0x90);
        }
    }
    let mut publisher = Client::connected(&url, "publisher", 5);
    let message = packet(0x32, &[&text("a")[..], &[0, 1, 0], &vec![b'x'; length]].concat());
    for round in 0.. {
        assert!(round < 100_000, "it is refused");
        publisher.send(&message);
        let answer = publisher.packet();
        assert_eq!(answer[0], 0x40);
        if answer.len() > 4 {
            assert_eq!(answer[4], 0x97);
            break;
        }
    }
    expect_peak(serve, &url, 110);
}

#[test]
fn queues_of_absent_sessions() {
    // Each copy is stored by itself: two filters match it.
    absent_sessions(&["#", "a"], 20);
}

#[test]
fn common_queues_of_absent_sessions() {
    absent_sessions(&["#"], 4000);
}

#[test]
fn answers_that_are_never_read() {
    let (serve, url) = serve(&["memory=64MiB"]);
    let pings = frame(PING, &[b'x'; 125]).repeat(500);
    let requests = frame(BINARY, &[0xc0, 0].repeat(30_000));
    let mut clients = Vec::new();
    for number in 0..5 {
        let mut before = Client::new(&url);
        before.flood(&pings, 20 * MIB);
        let mut after = Client::connected(&url, &format!("ping{number}"), 4);
        after.flood(&pings, 20 * MIB);
        let mut asking = Client::connected(&url, &format!("pingreq{number}"), 4);
        asking.flood(&requests, 20 * MIB);
        clients.extend([before, after, asking]);
    }
    expect_peak(serve, &url, 110);
}
