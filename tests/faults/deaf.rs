//! A server that talks and never listens: what we have to say to it can never be sent, and nothing
//! else may wait for that.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::flood::{connected, subscribed};
use crate::folder::Folder;
use crate::numbers::sequence;
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
        Program::new([&["sub", &url, "-V", "311", "-t", "t", "--no-reconnect"], flags].concat())
            .spawn()
    }

    /// Waits until neither side can write any more.
    fn wait_for_standstill(&self) {
        let mut before = 0;
        wait_until("a standstill", || {
            // It has no event: it is what has not changed for a while.
            thread::sleep(Duration::from_millis(300));
            let written = self.written.load(Ordering::SeqCst);
            let stands = written > 0 && written == before;
            before = written;
            stands
        });
    }
}

/// Checks how it ended, and that it did not do so before its time, in seconds. One that waits for
/// the server never ends; one that hangs after a signal is ended with 130 after some seconds.
fn ends(outcome: &Outcome, code: i32, words: &str, at_least: f32) {
    let stderr = String::from_utf8_lossy(&outcome.stderr);
    assert_eq!(outcome.code(), Some(code), "{outcome}");
    assert!(stderr.contains(words) && stderr.lines().count() <= 1, "{outcome}");
    assert!(outcome.took.as_secs_f32() >= at_least, "{outcome}");
}

#[test]
fn a_deadline_is_kept() {
    let server = Deaf::start();
    let outcome = server.subscriber(&["-W", "3", "-C", "1"]).finish();
    ends(&outcome, 27, "timed out after 3 s", 3.0);
}

#[test]
fn the_keep_alive_ends_it() {
    let server = Deaf::start();
    let outcome = server.subscriber(&["-k", "2"]).finish();
    // The PINGREQ may have gone out before the way was full.
    let silence =
        String::from_utf8_lossy(&outcome.stderr).contains("did not answer a PINGREQ within 2 s");
    let words =
        if silence { "did not answer" } else { "the server no longer reads what it is sent" };
    ends(&outcome, 8, words, 2.0);
}

#[test]
fn a_signal_ends_it_at_once() {
    let server = Deaf::start();
    let subscriber = server.subscriber(&[]);
    server.wait_for_standstill();
    subscriber.signal("INT");
    ends(&subscriber.finish(), 0, "", 0.0);
}

/// It reads what we say, and neither answers our Close nor stops talking.
#[test]
fn a_signal_does_not_wait_for_a_server_that_never_ends() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("ws://127.0.0.1:{}/mqtt", listener.local_addr().unwrap().port());
    let (told, ready) = mpsc::channel();
    thread::spawn(move || {
        let mut stream = subscribed(listener.accept().unwrap().0, "311");
        let mut reader = stream.try_clone().unwrap();
        thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
        told.send(()).unwrap();
        while stream.write_all(&ping()).is_ok() {
            thread::park_timeout(Duration::from_millis(5));
        }
    });
    let subscriber = Program::new(["sub", &url, "-V", "311", "-t", "t", "--no-reconnect"]).spawn();
    ready.recv_timeout(Duration::from_secs(30)).unwrap();
    subscriber.signal("INT");
    ends(&subscriber.finish(), 0, "", 0.0);
}

/// A server that begins to read late, and then reads with pauses: whoever waits for it goes on as
/// soon as it does.
fn slow_reader() -> (String, JoinHandle<u64>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("ws://127.0.0.1:{}/mqtt", listener.local_addr().unwrap().port());
    let server = thread::spawn(move || {
        let mut stream = connected(listener.accept().unwrap().0, "311");
        // Nothing waits for this: it is how slow the server is, and long enough to fill all buffers.
        thread::sleep(Duration::from_millis(1500));
        let (mut read, mut buffer) = (0, vec![0; 1_000_000]);
        loop {
            match stream.read(&mut buffer).unwrap() {
                0 => return read,
                length => read += length as u64,
            }
            thread::sleep(Duration::from_millis(2));
        }
    });
    (url, server)
}

/// Publishes 30 MB at QoS 0 to it.
fn published_to_a_slow_reader(flags: &[&str], input: Vec<u8>) {
    let (url, server) = slow_reader();
    let command = ["pub", &url, "-V", "311", "-t", "t", "-k", "0"];
    Program::new([&command[..], flags].concat()).stdin(input).run().expect(0, "", "");
    assert!(server.join().unwrap() >= 30_000_000);
}

#[test]
fn a_large_message_goes_on_when_the_server_reads() {
    published_to_a_slow_reader(&["-s"], vec![b'x'; 30_000_000]);
}

#[test]
fn a_large_file_goes_on_when_the_server_reads() {
    let folder = Folder::new();
    let path = folder.write("large", vec![b'x'; 30_000_000]);
    published_to_a_slow_reader(&["-f", &path], Vec::new());
}

#[test]
fn many_messages_go_on_when_the_server_reads() {
    published_to_a_slow_reader(
        &["-l"],
        "x".repeat(99_999).into_bytes().into_iter().chain([b'\n']).collect::<Vec<u8>>().repeat(300),
    );
    published_to_a_slow_reader(&["-l"], sequence(4_000_000).into_bytes());
}
