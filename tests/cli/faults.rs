//! Brokers that go wrong: one clear line each, the exit code of design.md §5, in time, and never a
//! panic.

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::support::broker::{Broker, Step, connected, packet, subscribed, until_goodbye};
use crate::support::lines::{self, fails, is_one_line};
use crate::support::program::{Outcome, Program};
use crate::support::websocket::Fault;

/// Checks that `mqttws sub -t t`, with `arguments`, fails so when the broker follows this script.
fn sub_fails(script: Vec<Step>, arguments: &[&str], code: i32, pattern: &str) -> Outcome {
    let broker = Broker::start(script);
    let url = broker.url();
    let outcome =
        Program::new([&["sub", &url, "-t", "t", "--no-reconnect"], arguments].concat()).run();
    fails(&outcome, code, pattern);
    outcome
}

/// Checks that it fails so when this is the answer to its upgrade.
fn answer_fails(answer: &'static str, pattern: &str) {
    sub_fails(vec![Step::Request(&[]), Step::Answer(answer), Step::End], &[], 5, pattern);
}

#[test]
fn answers_that_are_no_upgrade() {
    answer_fails("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", lines::ANSWER_404);
    answer_fails("HTTP/1.1 302 Found\r\nLocation: /there\r\n\r\n", lines::ANSWER_302);
    answer_fails("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\n\r\n", lines::ANSWER_401);
    answer_fails("SSH-2.0-OpenSSH_9.2\r\n", lines::NOT_HTTP);
    answer_fails("\x20\x02\x00\x00", lines::PLAIN_MQTT);
}

#[test]
fn answers_that_are_a_wrong_upgrade() {
    let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
    let wrong_key = "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
    let stomp = "Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: stomp\r\n\r\n";
    answer_fails(leak(head, wrong_key), lines::WRONG_ACCEPT_KEY);
    answer_fails(leak(head, stomp), lines::OTHER_SUBPROTOCOL);
}

fn leak(head: &str, tail: &str) -> &'static str {
    String::leak([head, tail].concat())
}

#[test]
fn a_bad_request_is_tried_once_more_with_the_other_subprotocol() {
    let refusal = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    sub_fails(
        vec![
            Step::Request(&["Sec-WebSocket-Protocol: mqtt"]),
            Step::Answer(refusal),
            Step::End,
            Step::Reconnect,
            Step::Request(&["Sec-WebSocket-Protocol: mqttv3.1"]),
            Step::Answer(refusal),
            Step::End,
        ],
        &["--quiet"],
        5,
        lines::ANSWER_400,
    );
}

#[test]
fn a_silent_close_after_the_request() {
    let close = || [Step::Request(&[]), Step::End];
    let [first, second] = [close(), close()];
    let script = first.into_iter().chain([Step::Reconnect]).chain(second).collect();
    sub_fails(script, &["--quiet"], 5, lines::SILENT_CLOSE);
}

#[test]
fn no_answer_at_all() {
    let script = vec![Step::Request(&[]), Step::Gone];
    sub_fails(script, &["-V", "311", "--connect-timeout", "0.5"], 27, lines::UPGRADE_TIMED_OUT);
}

#[test]
fn no_connack() {
    let script = vec![Step::Upgrade, packet("10 *"), Step::Gone];
    sub_fails(script, &["-V", "311", "--connect-timeout", "0.5"], 27, lines::CONNACK_TIMED_OUT);
}

#[test]
fn nobody_there() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let outcome = Program::new(["sub", &format!("ws://{closed}/mqtt"), "-t", "t"]).run();
    fails(&outcome, 3, lines::CONNECTION_REFUSED);

    let outcome = Program::new(["sub", "ws://host.invalid/mqtt", "-t", "t"]).run();
    fails(&outcome, 3, lines::NAME_NOT_FOUND);
}

#[test]
fn connect_refused() {
    let refused = |connack| vec![Step::Upgrade, packet("10 *"), Step::Send(connack), Step::Gone];
    sub_fails(refused("20 00 04"), &["-V", "311"], 6, lines::BAD_CREDENTIALS);
    sub_fails(refused("20 00 05"), &["-V", "31"], 6, lines::NOT_AUTHORIZED);
    sub_fails(refused("20 00 87 00"), &["-V", "5"], 6, lines::NOT_AUTHORIZED);
    let with_reason = refused("20 00 87 07 1f <shut>");
    sub_fails(with_reason, &["-V", "5"], 6, lines::NOT_AUTHORIZED_WITH_REASON);
}

#[test]
fn a_connection_that_is_lost() {
    sub_fails(subscribed([Step::End]), &["-V", "311"], 8, lines::CONNECTION_ENDED);
    let reset = lines::CONNECTION_RESET.replace("subscribed", "subscribing");
    sub_fails(connected([Step::Reset]), &["-V", "311"], 8, &reset);
    let closed = subscribed([Step::Frame(0x88, b"\x03\xe9going away"), Step::Gone]);
    sub_fails(closed, &["-V", "311"], 8, lines::WEBSOCKET_CLOSED);
}

#[test]
fn a_broker_that_disconnects() {
    let script = vec![
        Step::Upgrade,
        packet("10 *"),
        Step::Send("20 00 00 00"),
        packet("82 *"),
        Step::Send("90 id 00 00; e0 8b"),
        Step::Gone,
    ];
    sub_fails(script, &["-V", "5"], 6, lines::DISCONNECTED);
}

#[test]
fn broken_websockets() {
    let script = subscribed([Step::Frame(0x81, b"hello"), Step::Close(1003), Step::Gone]);
    sub_fails(script, &["-V", "311"], 9, lines::TEXT_FRAME);
    let script = subscribed([Step::Frame(0xf2, b"\xd0\x00"), Step::Gone]);
    sub_fails(script, &["-V", "311"], 9, lines::RESERVED_BITS);
    let script = subscribed([Step::Frame(0x88, b"\x00\x09why"), Step::Close(1002), Step::Gone]);
    sub_fails(script, &["-V", "311"], 9, lines::INVALID_CLOSE_CODE);
    let script = subscribed([Step::Raw(b"\x82\x82\x01\x02\x03\x04\xd1\x02".into()), Step::Gone]);
    sub_fails(script, &["-V", "311"], 9, lines::MASKED_FRAME);
}

#[test]
fn malformed_packets() {
    let packets: [&'static [u8]; 5] = [
        b"\x30\x03\x00\x05t",         // A topic beyond the packet [MQTT-3.3.2-1].
        b"\x36\x05\x00\x01t\x00\x01", // QoS 3 [MQTT-3.3.1-4].
        b"\x30\xff\xff\xff\xff\x01",  // A remaining length of five bytes.
        b"\x00\x00",                  // A reserved type.
        b"\x82\x00",                  // A packet that no server sends.
    ];
    for packet in packets {
        sub_fails(
            subscribed([Step::Frame(0x82, packet), Step::Gone]),
            &["-V", "311"],
            9,
            lines::MALFORMED,
        );
    }
    let again = subscribed([Step::Send("20 00 00"), Step::Gone]);
    sub_fails(again, &["-V", "311"], 9, lines::SECOND_CONNACK);
}

/// A whole conversation that has each QoS and a Ping in it.
fn conversation() -> Vec<Step> {
    until_goodbye(connected([
        packet("82 id <t> 02"),
        Step::Send("90 id 02"),
        Step::Send("30 <t> 'zero'; 32 <t> 00 01 'one'"),
        packet("40 00 01"),
        Step::Frame(0x89, b"ping"),
        Step::Pong(b"ping"),
        Step::Send("34 <t> 00 02 'two'"),
        packet("50 00 02"),
        Step::Send("62 00 02"),
        packet("70 00 02"),
        Step::Send("30 <t> 'end'"),
    ]))
}

/// Runs `sub` in this conversation, and checks what must hold however the broker goes wrong.
fn holds_through(fault: Fault) {
    let broker = Broker::start_faulty(conversation(), fault);
    let url = broker.url();
    let flags =
        ["-V", "311", "-t", "t", "-q", "2", "-C", "4", "-W", "5", "--no-reconnect", "--quiet"];
    let outcome = Program::new([&["sub", &url], &flags[..]].concat()).run();
    let in_words = match outcome.code() {
        Some(0) => outcome.stderr.is_empty(),
        Some(3..=9 | 27) => is_one_line(&outcome.stderr),
        _ => false,
    };
    assert!(in_words, "after {fault:?}:\n{outcome}");
}

/// Runs them all, on as many threads as there are cores.
fn hold_through(faults: &[Fault]) {
    let next = AtomicUsize::new(0);
    let take = || faults.get(next.fetch_add(1, Ordering::Relaxed));
    let threads = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| std::iter::from_fn(take).for_each(|fault| holds_through(*fault)));
        }
    });
}

fn length_of_the_conversation() -> usize {
    let broker = Broker::start(conversation());
    let flags = ["-V", "311", "-t", "t", "-q", "2", "-C", "4"];
    let url = broker.url();
    Program::new([&["sub", &url], &flags[..]].concat()).run().expect(
        0,
        "zero\none\ntwo\nend\n",
        "",
    );
    broker.finish()
}

#[test]
fn a_connection_cut_after_each_byte() {
    let faults: Vec<Fault> = (0..length_of_the_conversation()).map(Fault::Cut).collect();
    hold_through(&faults);
}

#[test]
fn every_byte_corrupted() {
    let length = length_of_the_conversation();
    let faults: Vec<Fault> =
        (0..length).flat_map(|at| [1, 0x80, 0xff].map(|bits| Fault::Flip(at, bits))).collect();
    hold_through(&faults);
}
