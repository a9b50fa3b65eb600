//! Connections whose clients have not been accepted: they lock nobody out, and what they may send
//! is bounded.
#![cfg(target_os = "linux")]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use super::memory::{BINARY, Client, UPGRADE, dial, frame, header, packet, text};
use crate::support::program::{Program, Running};

/// The end of the line about descriptors.
const LINE: &str = "; raise `ulimit -n`\n";

/// A broker of a process that may have so many descriptors, and its URL.
fn serve_within(descriptors: usize, flags: &str) -> (Running, String) {
    let program = env!("CARGO_BIN_EXE_mqttws");
    let words = format!("ulimit -n {descriptors}; exec {program:?} serve -p 0 {flags}");
    let mut running = Program::of("sh", ["-c", &words]).spawn();
    let url = running.wait_for_line(|line| line.starts_with("ws://127.0.0.1:"));
    (running, url)
}

fn stop(serve: Running, url: &str, stderr: &str) {
    serve.signal("INT");
    serve.finish().expect(0, format!("{url}\n"), stderr);
}

/// They say nothing, or not enough.
#[test]
fn silent_connections_lock_nobody_out() {
    let upgraded = |url: &str| Client::new(url).0;
    for (descriptors, flags, is_told) in [(1024, "--limit connections=100", false), (120, "", true)]
    {
        let (serve, url) = serve_within(descriptors, flags);
        let mut accepted = Client::connected(&url, "accepted", 4);
        let mut silent: Vec<TcpStream> = Vec::new();
        for number in 0..240 {
            let mut socket = if number % 3 == 0 { upgraded(&url) } else { dial(&url) };
            if number % 3 == 1 {
                socket.write_all(&UPGRADE.as_bytes()[..50]).unwrap();
            }
            silent.push(socket);
        }
        let ping = Program::new(["ping", &url, "-c", "3", "-i", "0.01"]).run();
        assert_eq!(ping.code(), Some(0), "{ping}");
        accepted.send(&[0xc0, 0]);
        assert_eq!(accepted.packet(), [0xd0, 0]);
        drop(silent);
        serve.signal("INT");
        let stderr = String::from_utf8(serve.finish().stderr).unwrap();
        assert_eq!(stderr.matches(LINE).count(), usize::from(is_told), "{stderr}");
        assert_eq!(stderr.lines().count(), usize::from(is_told), "{stderr}");
    }
}

#[test]
fn too_few_descriptors_are_told_of() {
    let (mut serve, url) = serve_within(40, "");
    let address = url.trim_start_matches("ws://").trim_end_matches("/mqtt").to_owned();
    // Those that are not accepted hang in the system's queue until the broker ends.
    let (connected, counted) = std::sync::mpsc::channel();
    let clients = std::thread::spawn(move || {
        let mut clients = Vec::new();
        for number in 0..60 {
            let Ok(mut socket) = TcpStream::connect(&address) else { break };
            let connect = connect(4, &format!("client{number}"));
            let request = [UPGRADE.as_bytes(), &frame(BINARY, &connect)].concat();
            let has_answer = socket.write_all(&request).is_ok() && has_connack(&mut socket);
            if !has_answer || connected.send(()).is_err() {
                break;
            }
            clients.push(socket);
        }
        clients
    });
    serve.wait_for_words(LINE);
    let count = counted.try_iter().count();
    assert!((20..40).contains(&count), "{count}");
    serve.signal("INT");
    let warning = format!(
        "mqttws: warning: no more clients can connect, {count} are connected: Too many open \
         files{LINE}"
    );
    serve.finish().expect(0, format!("{url}\n"), &warning);
    drop(clients.join().unwrap());
}

/// Reads until CONNACK, which is the end of the first answer.
fn has_connack(socket: &mut TcpStream) -> bool {
    let mut answer = Vec::new();
    while !answer.ends_with(&[0x82, 4, 0x20, 2, 0, 0]) {
        let mut byte = [0];
        match socket.read(&mut byte) {
            Ok(1) => answer.push(byte[0]),
            _ => return false,
        }
    }
    true
}

fn connect(level: u8, client_id: &str) -> Vec<u8> {
    let properties: &[u8] = if level == 5 { &[0] } else { &[] };
    packet(0x10, &[&b"\0\x04MQTT"[..], &[level, 2, 0, 0], properties, &text(client_id)].concat())
}

/// A CONNECT of so many bytes, most of which are its will and its password.
fn large_connect(level: u8, size: usize) -> Vec<u8> {
    let none: &[u8] = if level == 5 { &[0] } else { &[] };
    let with_will = |length: usize| {
        let fixed = [&b"\0\x04MQTT"[..], &[level, 0xc6, 0, 0], none, &text("id"), none].concat();
        let will = [text("t"), text(&"w".repeat(length))].concat();
        packet(0x10, &[fixed, will, text("name"), text(&"p".repeat(60_000))].concat())
    };
    with_will(size - with_will(0).len())
}

/// In one frame, in fragments of one message, and in many small frames.
fn framed(bytes: &[u8]) -> [Vec<u8>; 3] {
    let last = bytes.chunks(900).count() - 1;
    let fragments = bytes.chunks(900).enumerate().flat_map(|(at, piece)| {
        let first = if at == 0 { 0x02 } else { 0 } | if at == last { 0x80 } else { 0 };
        frame(first, piece)
    });
    let small = bytes.chunks(10).flat_map(|piece| frame(BINARY, piece));
    [frame(BINARY, bytes), fragments.collect(), small.collect()]
}

#[test]
fn before_connect_is_accepted_a_packet_has_at_most_100_000_bytes() {
    let (serve, url) = super::serve();
    for level in [4, 5] {
        for (size, is_taken) in [(100_000, true), (100_001, false), (120_000, false)] {
            let connect = large_connect(level, size);
            assert_eq!(connect.len(), size);
            for bytes in framed(&connect) {
                let mut client = Client::new(&url);
                // The broker may have closed before all was written.
                let _ = client.0.write_all(&bytes);
                let _ = client.0.shutdown(Shutdown::Write);
                let mut answer = Vec::new();
                let _ = client.0.read_to_end(&mut answer);
                let expected: &[u8] = match (is_taken, level) {
                    (true, 4) => &[0x82, 4, 0x20, 2, 0, 0],
                    (false, 4) => &[0x88, 2, 0x03, 0xf1],
                    _ => &[0x82],
                };
                assert!(answer.starts_with(expected), "{level} {size}: {answer:x?}");
                if level == 5 {
                    let code = if is_taken { 0 } else { 0x95 };
                    assert_eq!((answer[2], answer[5]), (0x20, code), "{answer:x?}");
                }
            }
        }
    }
    // What is announced alone.
    let mut client = Client::new(&url);
    client.send(&header(0x10, 100_000));
    let mut close = [0; 4];
    client.0.read_exact(&mut close).unwrap();
    assert_eq!(close, [0x88, 2, 0x03, 0xf1]);
    stop(serve, &url, "");
}
