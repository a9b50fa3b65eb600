//! A connection over a recorded socket: what is written when, and what is not.

use std::path::PathBuf;

use super::*;
use crate::mqtt::session::{
    Answering, Config, ExtraProperties, Lifetime, Login, ReceiveOptions, ReportOptions,
    SendOptions, Strictness,
};
use crate::transport::endpoint::Endpoint;
use crate::transport::wire::tests::{Recorder, chunk};
use crate::websocket::Framing;
use crate::websocket::upgrade::{accept_key, parse_request};

/// A connection that has sent its request, and the answer that takes the upgrade.
fn started() -> (Connection, Recorder, String) {
    let sent = Recorder::default();
    let options = transport::Options {
        endpoint: Endpoint::parse("ws://host/mqtt").unwrap(),
        tls: None,
        subprotocols: vec!["mqtt".to_owned()],
        headers: Vec::new(),
        secrets: Vec::new(),
        strict: false,
        max_message: 1 << 20,
        framing: Framing::UpToLimit,
        log: false,
    };
    let connection = Connection {
        transport: Transport::start(sent.clone(), None, &options).unwrap(),
        reached: Reached::Unix(PathBuf::from("socket")),
        timings: Timings::default(),
        phase: Phase::Tcp,
        step_began: Instant::now(),
        writing: Writing::Open,
        sent: None,
        received: None,
    };
    let (request, _) = parse_request(&sent.take()).unwrap().unwrap();
    let accept = accept_key(&request.key.unwrap());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    (connection, sent, answer)
}

fn open() -> (Connection, Recorder) {
    let (mut connection, sent, answer) = started();
    connection.receive(chunk(answer.as_bytes()), Instant::now());
    assert!(connection.advance().unwrap());
    (connection, sent)
}

/// A session that wants to send CONNECT.
fn connecting() -> Session {
    let mut session = Session::new(Config {
        version: Version::V5,
        client_id: "client".into(),
        clean_start: true,
        lifetime: Lifetime::Client,
        keep_alive: 45,
        session_expiry: 0,
        login: Login::default(),
        will: None,
        properties: ExtraProperties::default(),
        sending: SendOptions::default(),
        receiving: ReceiveOptions {
            maximum_packet: 1 << 20,
            parts_above: None,
            strictness: Strictness::Tolerant,
            answering: Answering::Session,
        },
        reports: ReportOptions::default(),
    });
    session.connect();
    session
}

fn fail_writes(sent: &Recorder, kind: io::ErrorKind) {
    sent.0.lock().unwrap().failure = Some((0, kind));
}

#[test]
fn nothing_of_the_session_is_written_before_the_upgrade_is_done() {
    let (mut connection, sent, answer) = started();
    let (mut session, now) = (connecting(), Instant::now());
    connection.write_from(&mut session, now).unwrap();
    connection.ping().unwrap();
    connection.flush().unwrap();
    assert!(sent.take().is_empty() && connection.sent().is_none());
    connection.receive(chunk(answer.as_bytes()), now);
    assert!(connection.advance().unwrap());
    connection.write_from(&mut session, now).unwrap();
    assert!(sent.take().is_empty(), "it waits for more");
    connection.flush().unwrap();
    assert_eq!(sent.take().first(), Some(&0x82));
    assert_eq!((connection.sent(), connection.traffic()), (Some(now), Some(now)));
}

#[test]
fn nothing_is_written_after_a_failed_write() {
    let (mut connection, sent) = open();
    fail_writes(&sent, io::ErrorKind::BrokenPipe);
    let mut session = connecting();
    connection.write_from(&mut session, Instant::now()).unwrap();
    assert!(connection.flush().is_err());
    sent.0.lock().unwrap().failure = None;
    session.ping();
    connection.write_from(&mut session, Instant::now()).unwrap();
    connection.flush().unwrap();
    assert!(connection.close(), "there is nothing to wait for");
    assert!(sent.take().is_empty());
    assert!(session.outgoing(Instant::now()).is_some(), "it was left to the session");
}

#[test]
fn close_is_sent_once() {
    let (mut connection, sent) = open();
    assert!(connection.close());
    let close = sent.take();
    assert_eq!(close.first(), Some(&0x88));
    assert!(connection.close());
    assert!(sent.take().is_empty());
}

#[test]
fn a_server_that_does_not_read_is_lost_after_one_and_a_half_keep_alives() {
    let (mut connection, sent) = open();
    let limit = |connection: &Connection, seconds: u64| {
        let keep_alive = (seconds > 0).then(|| Duration::from_secs(seconds));
        connection.stuck_until(keep_alive)
    };
    assert_eq!(limit(&connection, 4), None);
    fail_writes(&sent, io::ErrorKind::WouldBlock);
    connection.write_from(&mut connecting(), Instant::now()).unwrap();
    connection.flush().unwrap();
    assert!(connection.is_congested());
    let without = limit(&connection, 0).unwrap();
    assert_eq!(without - limit(&connection, 4).unwrap(), Duration::from_secs(14));
    assert_eq!(limit(&connection, 60), Some(without));
    // What it reads begins the time anew.
    sent.0.lock().unwrap().failure = None;
    let (is_moving, result) = connection.push();
    assert!(is_moving && result.is_ok() && !connection.is_congested());
    assert_eq!(limit(&connection, 4), None);
}

#[test]
fn what_is_given_up_counts_as_a_failed_write() {
    let (mut connection, sent) = open();
    fail_writes(&sent, io::ErrorKind::WouldBlock);
    connection.write_from(&mut connecting(), Instant::now()).unwrap();
    connection.flush().unwrap();
    let error = connection.give_up_writing();
    assert!(error.is_end(), "{error}");
    assert!(!connection.is_congested());
    sent.0.lock().unwrap().failure = None;
    connection.ping().unwrap();
    assert!(sent.take().is_empty());
}
