//! Deviations of limits, load and time.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::{Row, play, serve, verdicts};
use crate::check::front::{self, Deviation, Do, Request, Seen, Side, frame};
use crate::support::program::Program;

/// Opcodes, and the types of packets.
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const CONNECT: u8 = 1;
const CONNACK: u8 = 2;
const PUBLISH: u8 = 3;
const PINGREQ: u8 = 12;

/// A Close, and the end.
fn refused(code: u16) -> Vec<Do> {
    vec![Do::ToClient(frame(0x88, &code.to_be_bytes(), false)), Do::End]
}

/// Looks at each frame of the client alone.
struct Frames(fn(&Seen) -> Vec<Do>);

impl Deviation for Frames {
    fn client_frame(&mut self, seen: &Seen) -> Vec<Do> {
        (self.0)(seen)
    }
}

/// Whether the message is one whole packet, or several.
fn is_whole(mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        let lengths = &bytes[1..bytes.len().min(5)];
        let Some(last) = lengths.iter().position(|byte| byte & 0x80 == 0) else { return false };
        let length = lengths[..=last].iter().rev();
        let length = length.fold(0, |length, byte| length << 7 | usize::from(byte & 0x7f));
        let Some(rest) = bytes.get(2 + last + length..) else { return false };
        bytes = rest;
    }
    true
}

/// Waits so long before it passes a packet of this type on.
struct Slow {
    packet: u8,
    of_server: bool,
    time: Duration,
}

impl Slow {
    fn pass(&self, seen: &Seen) -> Vec<Do> {
        if seen.packet() == Some(self.packet) {
            thread::sleep(self.time);
        }
        vec![Do::Pass]
    }
}

impl Deviation for Slow {
    fn client_frame(&mut self, seen: &Seen) -> Vec<Do> {
        if self.of_server { vec![Do::Pass] } else { self.pass(seen) }
    }

    fn server_frame(&mut self, seen: &Seen) -> Vec<Do> {
        if self.of_server { self.pass(seen) } else { vec![Do::Pass] }
    }
}

/// How many connections there are.
static CONNECTIONS: AtomicUsize = AtomicUsize::new(0);

/// Takes ten connections at most.
struct Few;

impl Few {
    fn boxed() -> Box<dyn Deviation> {
        CONNECTIONS.fetch_add(1, Ordering::SeqCst);
        Box::new(Self)
    }
}

impl Drop for Few {
    fn drop(&mut self) {
        CONNECTIONS.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Deviation for Few {
    fn request(&mut self, _head: &str) -> Request {
        if CONNECTIONS.load(Ordering::SeqCst) <= 10 {
            return Request::Pass;
        }
        Request::Answer("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n".to_owned())
    }
}

/// Reads no more after so many large messages.
#[derive(Default)]
struct Stalled {
    large: usize,
}

impl Deviation for Stalled {
    fn client_frame(&mut self, seen: &Seen) -> Vec<Do> {
        self.large += usize::from(seen.payload.len() > 30_000);
        if self.large > 100 { Vec::new() } else { vec![Do::Pass] }
    }
}

/// Ends a connection that asked for no keep alive, once it is welcome.
#[derive(Default)]
struct Impatient {
    has_no_keep_alive: bool,
}

impl Deviation for Impatient {
    fn client_frame(&mut self, seen: &Seen) -> Vec<Do> {
        if seen.packet() == Some(CONNECT) {
            self.has_no_keep_alive = seen.payload.get(10..12) == Some(&[0, 0]);
        }
        vec![Do::Pass]
    }

    fn server_frame(&mut self, seen: &Seen) -> Vec<Do> {
        if seen.packet() == Some(CONNACK) && self.has_no_keep_alive {
            return vec![Do::Pass, Do::End];
        }
        vec![Do::Pass]
    }
}

/// Takes PINGREQ for an error where the keep alive is 2 s.
#[derive(Default)]
struct Hasty {
    is_short: bool,
}

impl Deviation for Hasty {
    fn client_frame(&mut self, seen: &Seen) -> Vec<Do> {
        if seen.packet() == Some(CONNECT) {
            self.is_short = seen.payload.get(10..12) == Some(&[0, 2]);
        }
        if self.is_short && seen.packet() == Some(PINGREQ) {
            return refused(1002);
        }
        vec![Do::Pass]
    }
}

/// Keeps each end of the server from the client, where it is not the client that ended it.
#[derive(Default)]
struct Patient {
    is_over: bool,
}

impl Deviation for Patient {
    fn client_frame(&mut self, seen: &Seen) -> Vec<Do> {
        self.is_over |= seen.opcode() == CLOSE;
        vec![Do::Pass]
    }

    fn server_frame(&mut self, seen: &Seen) -> Vec<Do> {
        let is_kept = seen.opcode() == CLOSE && !self.is_over;
        if is_kept { Vec::new() } else { vec![Do::Pass] }
    }

    fn end(&mut self, of: Side) -> bool {
        of == Side::Client || self.is_over
    }
}

const SCOPE: &str = "large-packet,large-frame,ping-answered";

const fn row(name: &'static str, deviation: fn() -> Box<dyn Deviation>) -> Row {
    Row { name, deviation, scope: SCOPE, fails: &[], warns: &[] }
}

const ROWS: &[Row] = &[
    Row {
        fails: &["large-packet"],
        warns: &["large-frame"],
        ..row("frame-is-packet", || {
            Box::new(Frames(|seen| {
                let is_ignored = seen.opcode() == BINARY && !is_whole(&seen.payload);
                if is_ignored { Vec::new() } else { vec![Do::Pass] }
            }))
        })
    },
    Row {
        fails: &["large-packet"],
        warns: &["large-frame"],
        ..row("payload-altered", || {
            Box::new(Frames(|seen| {
                let mut payload = seen.payload.clone();
                let is_second = payload.len() == 32 * 1024 && payload[0] >> 4 != PUBLISH;
                if !is_second || payload.len() > 100_200 {
                    return vec![Do::Pass];
                }
                payload[100] ^= 1;
                vec![Do::ToServer(frame(seen.first, &payload, true))]
            }))
        })
    },
    Row {
        warns: &["large-packet", "large-frame"],
        ..row("packets-up-to-20-kib", || {
            Box::new(Frames(|seen| {
                if seen.payload.len() > 20 * 1024 { refused(1009) } else { vec![Do::Pass] }
            }))
        })
    },
    Row {
        warns: &["large-frame"],
        ..row("frames-up-to-64-kib", || {
            Box::new(Frames(|seen| {
                if seen.payload.len() > 0xffff { refused(1009) } else { vec![Do::Pass] }
            }))
        })
    },
    Row {
        scope: "latency-steps,ping-answered",
        warns: &["latency-steps"],
        ..row("puback-after-50-ms", || {
            let time = Duration::from_millis(50);
            // The acknowledgement comes in one message with the delivery.
            Box::new(Slow { packet: PUBLISH, of_server: true, time })
        })
    },
    Row {
        scope: "burst,ping-answered",
        warns: &["burst"],
        ..row("100-messages-a-second", || {
            let time = Duration::from_millis(10);
            Box::new(Slow { packet: PUBLISH, of_server: false, time })
        })
    },
    Row {
        scope: "parallel,ping-answered",
        warns: &["parallel"],
        ..row("ten-connections", Few::boxed)
    },
    Row {
        scope: "slow-reader,ping-answered",
        warns: &["slow-reader"],
        ..row("one-stalls-all", || Box::<Stalled>::default())
    },
    Row {
        scope: "ping-answered,ping-keeps-alive,client-close",
        fails: &["ping-keeps-alive"],
        ..row("keep-alive-of-2-s-is-fatal", || Box::<Hasty>::default())
    },
];

#[test]
fn deviations_change_their_points() {
    play(ROWS);
}

/// The verdicts of the points that wait, with an idle time of 2 s.
fn waiting(url: &str) -> Vec<(String, String)> {
    let scope = "keep-alive-enforced,mute-connection,idle-survives";
    let arguments = ["--only", scope, "--versions", "5", "--idle-time", "2", "--json"];
    let outcome = Program::new([&["check", url], &arguments[..]].concat()).spawn();
    let outcome = outcome.finish_within(Duration::from_secs(120));
    let report: serde_json::Value = serde_json::from_slice(&outcome.stdout).unwrap();
    let points = report["points"].as_array().unwrap().iter();
    let waiting = points.filter(|point| scope.contains(point["name"].as_str().unwrap()));
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    waiting.map(|point| (text(&point["name"]), text(&point["verdict"]))).collect()
}

#[test]
fn waiting_points_see_ends_that_come_too_late_and_too_early() {
    let (_serve, url) = serve();
    let patient = front::start(&url, || Box::<Patient>::default());
    let impatient = front::start(&url, || Box::<Impatient>::default());
    let of = |url: String| thread::spawn(move || waiting(&url));
    let (good, patient, impatient) = (of(url.clone()), of(patient), of(impatient));
    let points = ["keep-alive-enforced", "mute-connection", "idle-survives"];
    let expected = |verdicts: [&str; 3]| -> Vec<(String, String)> {
        points
            .iter()
            .zip(verdicts)
            .map(|(name, verdict)| ((*name).into(), verdict.into()))
            .collect()
    };
    assert_eq!(good.join().unwrap(), expected(["PASS", "PASS", "PASS"]));
    assert_eq!(patient.join().unwrap(), expected(["FAIL", "WARN", "PASS"]));
    let impatient = impatient.join().unwrap();
    assert_eq!(impatient[1..], expected(["", "PASS", "WARN"])[1..]);
}

/// The server is gone.
static IS_GONE: AtomicBool = AtomicBool::new(false);

/// A reserved bit ends the server as a whole.
struct Fragile;

impl Deviation for Fragile {
    fn request(&mut self, _head: &str) -> Request {
        if IS_GONE.load(Ordering::SeqCst) { Request::Mute } else { Request::Pass }
    }

    fn client_frame(&mut self, seen: &Seen) -> Vec<Do> {
        if seen.first & 0x70 == 0 {
            return vec![Do::Pass];
        }
        IS_GONE.store(true, Ordering::SeqCst);
        vec![Do::End]
    }
}

#[test]
fn a_server_that_is_gone_is_noticed() {
    let (_serve, url) = serve();
    let front = front::start(&url, || Box::new(Fragile));
    let (found, report) =
        verdicts(&front, "ping-answered,reserved-bits,fragment-order,still-alive");
    let verdict = |name: &str| found.get(name).map(String::as_str);
    assert_eq!(verdict("ping-answered"), Some("PASS"), "{report}");
    assert_eq!(verdict("still-alive"), Some("FAIL"), "{report}");
    assert_eq!(verdict("fragment-order"), Some("unknown"), "{report}");
    assert!(report.contains("no longer answers after reserved-bits"), "{report}");
}

/// A proxy that leads to this address whatever it is asked for; its URL.
fn leading_to(address: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                client.read_exact(&mut byte).unwrap();
                head.extend(byte);
            }
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
            let server = TcpStream::connect(&address).unwrap();
            let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            let (mut back_from, mut back_to) = (server, client);
            thread::spawn(move || std::io::copy(&mut from, &mut to));
            thread::spawn(move || {
                let _ = std::io::copy(&mut back_from, &mut back_to);
                back_to.shutdown(std::net::Shutdown::Both)
            });
        }
    });
    url
}

#[test]
fn a_public_server_that_shows_everything_is_warned_of() {
    let (_serve, url) = serve();
    let address = url.trim_start_matches("ws://").trim_end_matches("/mqtt").to_owned();
    let proxy = leading_to(address);
    let check = |more: &[&str]| {
        let fixed = ["check", "ws://192.0.2.7/mqtt", "--proxy", &proxy, "--allow-remote"];
        let asked = ["--only", "exposure", "--json"];
        let outcome = Program::new([&fixed[..], &asked, more].concat()).run();
        String::from_utf8(outcome.stdout).unwrap()
    };
    let report = check(&[]);
    assert!(report.contains("# is granted without credentials"), "{report}");
    let report = check(&["-u", "ann", "-P", "secret"]);
    assert!(report.contains("asked with credentials"), "{report}");
}
