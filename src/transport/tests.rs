//! The stack as a whole, over recorded bytes.

use super::endpoint::Endpoint;
use super::wire::tests::{Recorder, chunk};
use super::*;
use crate::websocket::upgrade::{BadUpgrade, NotHttp, UpgradeError, accept_key, parse_request};
use crate::websocket::{MESSAGE_LIMIT, WebSocketError};

fn options(url: &str) -> Options {
    let endpoint = Endpoint::parse(url).unwrap();
    let (tls, headers, strict, max_message) = (None, Vec::new(), false, 1 << 20);
    Options {
        endpoint,
        tls,
        subprotocols: vec!["mqtt".into()],
        headers,
        secrets: Vec::new(),
        strict,
        max_message,
        framing: Framing::UpToLimit,
        log: true,
    }
}

/// A transport over ws that has sent its request, and the good answer to it.
fn started() -> (Transport, Recorder, String) {
    let sent = Recorder::default();
    let transport = Transport::start(sent.clone(), None, &options("ws://host/mqtt")).unwrap();
    let (request, _) = parse_request(&sent.take()).unwrap().unwrap();
    let accept = accept_key(&request.key.unwrap());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: mqtt\r\nSet-Cookie: s3cret\r\n\r\n"
    );
    (transport, sent, answer)
}

fn open() -> (Transport, Recorder) {
    let (mut transport, sent, answer) = started();
    transport.deliver(chunk(answer.as_bytes()));
    assert_eq!(transport.advance().unwrap(), Phase::Open);
    (transport, sent)
}

#[test]
fn a_connection_opens_byte_by_byte_and_frames_flow() {
    let (mut transport, sent, answer) = started();
    assert_eq!(transport.advance().unwrap(), Phase::Upgrade);
    assert!(transport.read().unwrap().is_none());
    assert!(transport.write(Bytes::from_static(b"early")).is_err());
    for byte in answer.as_bytes() {
        assert_eq!(transport.advance().unwrap(), Phase::Upgrade);
        transport.deliver(chunk(&[*byte]));
    }
    transport.deliver(chunk(&[0x82, 2, 0x20, 0x02]));
    assert_eq!(transport.advance().unwrap(), Phase::Open);
    assert_eq!(transport.advance().unwrap(), Phase::Open);
    assert_eq!(transport.read().unwrap().unwrap(), &[0x20, 0x02][..]);
    assert!(transport.read().unwrap().is_none());
    transport.write(Bytes::from_static(b"x")).unwrap();
    transport.flush().unwrap();
    assert_eq!(sent.take().len(), 7);
    let info = transport.info();
    assert_eq!(info.subprotocol.as_deref(), Some("mqtt"));
    assert!(info.request.starts_with("GET /mqtt HTTP/1.1\r\nHost: host\r\n"));
    assert!(info.answer.starts_with("HTTP/1.1 101 ") && !info.answer.contains("s3cret"));
    assert_eq!((&info.tls, info.warnings.len()), (&None, 0));
    assert!(transport.take_spent().is_some());
}

#[test]
fn frames_behind_a_long_answer_are_not_lost() {
    let (mut transport, _, answer) = started();
    let answer =
        answer.replace("Set-Cookie", &format!("X-Fill: {}\r\nSet-Cookie", "y".repeat(9000)));
    let mut bytes = answer.into_bytes();
    for _ in 0..3000 {
        bytes.extend([0x82, 1, b'x']);
    }
    transport.deliver(chunk(&bytes));
    assert_eq!(transport.advance().unwrap(), Phase::Open);
    assert_eq!(transport.read().unwrap().unwrap(), "x".repeat(3000));
    assert!(transport.read().unwrap().is_none());
}

#[test]
fn a_silent_close_and_a_reset_during_the_upgrade_are_told() {
    let reset = Some(io::ErrorKind::ConnectionReset);
    for (cause, expected) in [(None, UpgradeError::Closed), (reset, UpgradeError::Reset)] {
        let (mut transport, ..) = started();
        transport.end(cause.map(io::Error::from));
        assert!(matches!(transport.advance(), Err(Error::Upgrade(error)) if error == expected));
        let (mut transport, ..) = started();
        transport.deliver(chunk(b"HTTP/1.1 1"));
        transport.end(cause.map(io::Error::from));
        assert!(matches!(transport.advance(), Err(Error::Upgrade(UpgradeError::Truncated))));
    }
}

#[test]
fn refusals_come_through_at_once_or_at_the_deadline() {
    let (mut transport, ..) = started();
    transport.deliver(chunk(b"HTTP/1.1 404 Not Found\r\n\r\nnothing here"));
    let error = transport.advance().unwrap_err();
    assert_eq!(error.to_string(), "the server answered HTTP 404 Not Found: nothing here");

    let (mut transport, ..) = started();
    transport.deliver(chunk(b"HTTP/1.1 404 Not Found\r\nContent-Length: 99\r\n\r\nnothing"));
    assert_eq!(transport.advance().unwrap(), Phase::Upgrade);
    assert_eq!(
        transport.expire().unwrap().to_string(),
        "the server answered HTTP 404 Not Found: nothing"
    );

    let (mut transport, ..) = started();
    assert!(transport.expire().is_none());
    transport.deliver(chunk(&[0x20, 2, 0, 0]));
    assert!(matches!(
        transport.advance(),
        Err(Error::Upgrade(UpgradeError::NotHttp(NotHttp::Mqtt)))
    ));
}

#[test]
fn another_answer_than_ours_is_refused() {
    let (mut transport, _, answer) = started();
    let answer = answer.replace("Sec-WebSocket-Accept: ", "Sec-WebSocket-Accept: x");
    transport.deliver(chunk(answer.as_bytes()));
    assert!(matches!(
        transport.advance(),
        Err(Error::Upgrade(UpgradeError::Bad(BadUpgrade::WrongAccept)))
    ));
}

#[test]
fn a_failed_write_does_not_hide_the_answer_to_the_request() {
    let sent = Recorder::default();
    sent.0.lock().unwrap().failure = Some((0, io::ErrorKind::BrokenPipe));
    let mut transport = Transport::start(sent, None, &options("ws://host/mqtt")).unwrap();
    assert_eq!(transport.advance().unwrap(), Phase::Upgrade);
    transport.deliver(chunk(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"));
    assert_eq!(
        transport.advance().unwrap_err().to_string(),
        "the server answered HTTP 400 Bad Request"
    );
}

#[test]
fn a_failed_write_does_not_hide_what_the_server_said_and_is_no_orderly_end() {
    let (mut transport, sent) = open();
    sent.0.lock().unwrap().failure = Some((0, io::ErrorKind::ConnectionReset));
    transport.write(Bytes::from_static(b"x")).unwrap();
    let error = transport.flush().unwrap_err();
    assert!(matches!(error, Error::Io { phase: Phase::Open, .. }));
    assert_eq!(error.to_string(), "sending failed: connection reset by the server");
    assert!(transport.read().unwrap().is_none());
    // A DISCONNECT, and a Ping whose answer cannot be sent.
    transport.deliver(chunk(&[0x89, 0, 0x82, 2, 0xe0, 0x00]));
    assert_eq!(transport.read().unwrap().unwrap(), &[0xe0, 0x00][..]);
    assert!(transport.read().unwrap().is_none());
    transport.end(None);
    assert!(matches!(transport.read(), Err(Error::Io { phase: Phase::Open, .. })));
    assert!(transport.flush().is_err());
}

#[test]
fn a_failed_write_does_not_hide_a_close() {
    let (mut transport, sent) = open();
    sent.0.lock().unwrap().failure = Some((0, io::ErrorKind::BrokenPipe));
    transport.deliver(chunk(&[0x88, 2, 0x03, 0xf1]));
    assert!(transport.flush().is_ok());
    assert!(matches!(
        transport.read(),
        Err(Error::WebSocket(WebSocketError::Closed { code: Some(1009), .. }))
    ));
}

#[test]
fn a_server_that_does_not_read_is_told_after_what_it_said() {
    let (mut transport, sent) = open();
    sent.0.lock().unwrap().failure = Some((0, io::ErrorKind::WouldBlock));
    transport.write(Bytes::from_static(b"x")).unwrap();
    transport.flush().unwrap();
    assert!(transport.is_congested());
    transport.give_up();
    assert_eq!(
        transport.flush().unwrap_err().to_string(),
        "the server no longer reads what it is sent"
    );
    transport.deliver(chunk(&[0x82, 1, b'a']));
    assert_eq!(transport.read().unwrap().unwrap(), "a");
    assert_eq!(
        transport.read().unwrap_err().to_string(),
        "the server no longer reads what it is sent"
    );
}

#[test]
fn what_a_congested_wire_does_not_take_is_left_over() {
    let (mut transport, sent) = open();
    sent.0.lock().unwrap().failure = Some((0, io::ErrorKind::WouldBlock));
    transport.write(Bytes::from(vec![7; 1_000_000])).unwrap();
    assert!(transport.is_congested() && transport.leftover.len() > 800_000);
    sent.0.lock().unwrap().failure = None;
    transport.push().unwrap();
    transport.flush().unwrap();
    assert!(!transport.is_congested());
    assert_eq!(sent.take().len(), 1_000_000 + 8 * 1_000_000_usize.div_ceil(MESSAGE_LIMIT));
}

#[test]
fn tls_without_configuration_is_an_error_not_a_panic() {
    let error = Transport::start(Recorder::default(), None, &options("wss://host")).unwrap_err();
    assert_eq!(error.to_string(), "TLS is not configured");
}

#[test]
fn debug_prints_hold_no_secrets() {
    let mut options = options("ws://ann:s3cret@host/mqtt");
    options.headers = vec![("Authorization".into(), "Bearer s3cret".into())];
    let transport = Transport::start(Recorder::default(), None, &options).unwrap();
    let text = format!("{options:?} {transport:?} {:?}", transport.info());
    assert!(text.contains("Authorization") && !text.contains("s3cret"), "{text}");
}

/// Fails from the second write after `before` bytes on, as if the server ended the connection at
/// DISCONNECT.
fn said_last(before: usize) -> (Vec<usize>, bool) {
    let (mut transport, sent) = open();
    transport.write(Bytes::from(vec![0xe0; before])).unwrap();
    sent.0.lock().unwrap().writes.clear();
    transport.put_close();
    let flushed = transport.flush().is_ok();
    let written = sent.0.lock().unwrap().written.len();
    sent.0.lock().unwrap().failure = Some((written, io::ErrorKind::ConnectionReset));
    transport.close();
    transport.close();
    let writes = sent.0.lock().unwrap().writes.clone();
    (writes, flushed)
}

#[test]
fn close_leaves_with_the_little_that_waits() {
    assert_eq!(said_last(2), (vec![6 + 2 + 8], true));
    // Bytes that the socket may take in two writes must not be lost for a Close that cannot be
    // sent.
    assert_eq!(said_last(2000), (vec![8 + 2000], true));
    let (mut transport, sent) = open();
    sent.0.lock().unwrap().failure = Some((0, io::ErrorKind::BrokenPipe));
    transport.write(Bytes::from_static(&[0xe0, 0])).unwrap();
    transport.put_close();
    assert!(transport.flush().is_err(), "what stands before it is lost, too");
}

#[test]
fn closing_at_any_stage_is_harmless() {
    let (mut transport, sent, _) = started();
    transport.close();
    assert_eq!(sent.take(), b"");
    let (mut transport, sent) = open();
    transport.close();
    transport.close();
    assert_eq!(sent.take().len(), 8);
}
