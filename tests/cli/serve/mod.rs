//! `mqttws serve`: the embedded broker, used as the README does.

mod access;
mod command;
mod deviate;
mod expect;
mod fault;
mod limits;
mod listeners;
mod log;
mod memory;
mod named;
mod newcomers;
mod ready;
mod record;
mod refusals;
mod retained;
mod signals;
mod standard;
mod terminal;
mod tls;
mod users;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::support::lines::{self, fails, fails_after};
use crate::support::program::{Program, Running};

/// A broker of our own, and its URL.
fn serve() -> (Running, String) {
    serve_with(&[])
}

/// The same for tests of other verbs.
pub fn serve_for_others() -> (Running, String) {
    serve()
}

/// One with these flags.
pub fn serve_with(flags: &[&str]) -> (Running, String) {
    let mut running = Program::new([&["serve", "-p", "0"], flags].concat()).spawn();
    let url = running.wait_for_line(|line| {
        line.starts_with("ws://127.0.0.1:") || line.starts_with("wss://127.0.0.1:")
    });
    (running, url)
}

/// Ends it as a user does.
fn stop(serve: Running) {
    serve.signal("INT");
    let outcome = serve.finish();
    assert_eq!((outcome.code(), outcome.stderr.as_slice()), (Some(0), b"".as_slice()), "{outcome}");
}

#[test]
fn it_prints_its_url_and_nothing_else() {
    for signal in ["INT", "TERM", "HUP", "QUIT"] {
        let (serve, url) = serve();
        assert!(url.ends_with("/mqtt"), "{url}");
        serve.signal(signal);
        serve.finish().expect(0, format!("{url}\n"), "");
    }
}

#[test]
fn a_retained_message_goes_through_it_in_every_version() {
    let (serve, url) = serve();
    for version in ["31", "311", "5"] {
        let published =
            Program::new(["pub", &url, "-V", version, "-t", "a/b", "-r", "-q", "2", "-m", version]);
        published.run().expect(0, "", "");
        for qos in ["0", "1", "2"] {
            let subscribed =
                Program::new(["sub", &url, "-V", version, "-t", "a/+", "-q", qos, "-C", "1", "-v"]);
            subscribed.run().expect(0, format!("a/b {version}\n"), "");
        }
    }
    stop(serve);
}

#[test]
fn a_session_is_kept_for_those_who_come_back() {
    let (serve, url) = serve();
    let session = ["sub", &url, "-V", "311", "-i", "me", "-c", "-t", "t", "-q", "1"];
    let first = Program::new([&session[..], &["-C", "1"]].concat()).spawn();
    // The first message is retained, so it arrives whether it was sent before or after the
    // subscription.
    Program::new(["pub", &url, "-t", "t", "-q", "1", "-r", "-m", "first"]).run().expect(0, "", "");
    first.finish().expect(0, "first\n", "");
    let lines = "line\n".repeat(1000);
    let publish = Program::new(["pub", &url, "-t", "t", "-q", "1", "-l"]).stdin(lines.as_str());
    publish.run().expect(0, "", "");
    let outcome = Program::new([&session[..], &["-C", "1001"]].concat()).run();
    outcome.expect(0, format!("{lines}first\n"), "");
    stop(serve);
}

#[test]
fn it_can_be_pinged() {
    let (serve, url) = serve();
    let outcome = Program::new(["ping", &url, "-c", "2", "--interval", "0.01"]).run();
    assert_eq!((outcome.code(), outcome.stderr.as_slice()), (Some(0), b"".as_slice()), "{outcome}");
    stop(serve);
}

#[test]
fn it_listens_on_loopback_only() {
    fails(&Program::new(["serve", "-h", "0.0.0.0", "-p", "0"]).run(), 2, lines::NOT_LOOPBACK);
}

#[test]
fn a_port_that_is_taken() {
    let (serve, url) = serve();
    let port = url.trim_start_matches("ws://127.0.0.1:").trim_end_matches("/mqtt");
    fails(&Program::new(["serve", "-p", port]).run(), 1, lines::PORT_TAKEN);
    stop(serve);
}

#[test]
fn another_path_is_not_found() {
    let (serve, url) = serve();
    let elsewhere = url.replace("/mqtt", "/elsewhere");
    fails(&Program::new(["sub", &elsewhere, "-t", "t"]).run(), 5, lines::ELSEWHERE);
    serve.signal("INT");
    let outcome = serve.finish();
    let line = "mqttws: warning: 127.0.0.1:* was refused with 404 Not Found: mqttws serve listens \
                at /mqtt, not at /elsewhere";
    fails_after(&outcome, format!("{url}\n").as_bytes(), 0, line);
}

#[test]
fn what_is_not_http_does_not_disturb_it() {
    let (serve, url) = serve();
    let address = url.trim_start_matches("ws://").trim_end_matches("/mqtt");
    for bytes in [
        &b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x2d\x00\x00"[..],
        &[0xff; 16_000],
        b"GET / HTTP/1.1\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(bytes).ok();
        stream.shutdown(std::net::Shutdown::Write).ok();
        let mut answer = Vec::new();
        if let Err(error) = stream.read_to_end(&mut answer) {
            assert_eq!(
                error.kind(),
                std::io::ErrorKind::ConnectionReset,
                "it should end the connection"
            );
        }
    }
    Program::new(["pub", &url, "-t", "t", "-q", "1", "-m", "x"]).run().expect(0, "", "");
    serve.signal("INT");
    let outcome = serve.finish();
    let lines = String::from_utf8_lossy(&outcome.stderr).lines().count();
    assert_eq!((outcome.code(), lines), (Some(0), 3), "{outcome}");
}
