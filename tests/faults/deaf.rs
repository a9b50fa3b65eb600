//! A server that talks and never listens: what we have to say to it can never be sent, and nothing else may
//! wait for that.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::flood::subscribed;
use crate::program::{Outcome, Program, Running};
use crate::wait_until;

/// A Ping that wants a long answer.
fn ping() -> Vec<u8> {
    [&[0x89, 125][..], &[b'x'; 125]].concat()
}

/// Pings its one subscriber without end, and reads nothing of its answers.
struct Deaf {
    port: u16,
    written: Arc<AtomicU64>,
}

impl Deaf {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let written = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&written);
        thread::spawn(move || {
            let mut stream = subscribed(listener.accept().unwrap().0, "311");
            let batch = ping().repeat(500);
            while stream.write_all(&batch).is_ok() {
                counted.fetch_add(batch.len() as u64, Ordering::SeqCst);
            }
        });
        Self { port, written }
    }

    /// A subscriber with these flags.
    fn subscriber(&self, flags: &[&str]) -> Running {
        let url = format!("ws://127.0.0.1:{}/mqtt", self.port);
        Program::new([&["sub", &url, "-V", "311", "-t", "t", "--no-reconnect"], flags].concat()).spawn()
    }

    /// Waits until neither side can write any more.
    fn wait_for_standstill(&self) {
        let mut before = 0;
        wait_until("a standstill", || {
            thread::sleep(Duration::from_millis(300));
            let written = self.written.load(Ordering::SeqCst);
            let stands = written > 0 && written == before;
            before = written;
            stands
        });
    }
}

fn ends(outcome: &Outcome, code: i32, words: &str, seconds: std::ops::Range<f32>) {
    let stderr = String::from_utf8_lossy(&outcome.stderr);
    assert_eq!(outcome.code(), Some(code), "{outcome}");
    assert!(stderr.contains(words) && stderr.lines().count() <= 1, "{outcome}");
    assert!(seconds.contains(&outcome.took.as_secs_f32()), "{outcome}");
}

#[test]
fn a_deadline_is_kept() {
    let server = Deaf::start();
    let outcome = server.subscriber(&["-W", "3", "-C", "1"]).finish();
    ends(&outcome, 27, "timed out after 3 s", 2.9..4.5);
}

#[test]
fn the_keep_alive_ends_it() {
    let server = Deaf::start();
    let outcome = server.subscriber(&["-k", "2"]).finish();
    ends(&outcome, 8, "the server does not read what we send", 2.9..12.0);
}

#[test]
fn a_signal_ends_it_at_once() {
    let server = Deaf::start();
    let subscriber = server.subscriber(&[]);
    server.wait_for_standstill();
    subscriber.signal("INT");
    let outcome = subscriber.finish_within(Duration::from_secs(1));
    ends(&outcome, 0, "", 0.0..30.0);
}

/// The last message of QoS 0 waits for a server that reads it late, but not for one that never does.
#[test]
fn a_message_is_not_given_up_while_the_server_may_still_read_it() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("ws://127.0.0.1:{}/mqtt", listener.local_addr().unwrap().port());
    let server = thread::spawn(move || {
        let mut stream = crate::flood::connected(listener.accept().unwrap().0, "311");
        thread::sleep(Duration::from_millis(1500));
        std::io::copy(&mut stream, &mut std::io::sink()).unwrap()
    });
    let payload = "x".repeat(30_000_000);
    let program = Program::new(["pub", &url, "-V", "311", "-t", "t", "-s"]).stdin(payload);
    program.run().expect(0, "", "");
    assert!(server.join().unwrap() > 30_000_000);
}
