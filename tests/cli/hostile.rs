//! Hostile servers, and real servers that behave like one (interop.md §2, rows 5, 13, 15, 16, 19
//! and 23): the program exits with the right code and one line that names the cause, or goes on
//! unharmed.

use crate::support::broker::{Broker, Step, connected, packet, subscribed, until_goodbye};
use crate::support::lines::{fails, is_like};
use crate::support::program::{Outcome, Program};
use crate::support::websocket::frame;

/// The hint for frames that RFC 6455 does not allow.
const SPOILT: &str = "the frames may be compressed without agreement, or changed by a proxy on \
                      the \
                      way: -dd shows them";

/// Runs `mqttws sub -t t` with `arguments` against a broker that follows this script.
fn sub(script: Vec<Step>, arguments: &[&str]) -> Outcome {
    let broker = Broker::start(script);
    let url = broker.url();
    Program::new([&["sub", &url, "-t", "t", "--no-reconnect"], arguments].concat()).run()
}

/// Checks the line after `subscribed at ...` with which `sub` fails.
fn breaks(step: Step, words: &str) {
    let outcome = sub(subscribed([step, Step::Gone]), &["-V", "311"]);
    fails(&outcome, 9, &format!("mqttws: subscribed at ws://127.0.0.1:*/mqtt: {words}"));
}

/// Checks the line with which connecting fails when the server sends this after CONNECT.
fn refuses_connack(version: &str, step: Step, code: i32, words: &str) {
    let outcome = sub(
        vec![Step::Upgrade, packet("10 *"), step, Step::Gone],
        &["-V", version, "--connect-timeout", "1"],
    );
    fails(&outcome, code, &format!("mqttws: connecting to ws://127.0.0.1:*/mqtt: {words}"));
}

#[test]
fn frames_that_break_the_protocol_are_named() {
    let broken = |words: &str| format!("the server broke the WebSocket protocol: {words}");
    let garbled = |words: &str| broken(&format!("{words}; {SPOILT}"));
    breaks(
        Step::Raw(vec![0x82, 126, 0, 2, 0xd0, 0]),
        &garbled("a frame length in more bytes than necessary"),
    );
    breaks(
        Step::Raw(vec![0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0]),
        &garbled("a frame length of 2^63 bytes or more"),
    );
    for first in [0xc2, 0xa2, 0x92, 0xf2, 0xc9] {
        breaks(Step::Frame(first, b"\xd0\x00"), &garbled("a frame with reserved bits set"));
    }
    breaks(Step::Raw(b"\x82\x82abcd\xd0\x00".into()), &garbled("a masked frame *"));
    breaks(
        Step::Raw(vec![0x02, 0, 0x82, 0]),
        &broken("a new message before the previous message ended"),
    );
    breaks(Step::Frame(0x80, b"x"), &broken("a continuation frame without a message to continue"));
    breaks(Step::Frame(0x83, b""), &garbled("a frame with the unknown opcode 3"));
    breaks(Step::Frame(0x09, b""), &garbled("a fragmented control frame"));
    // The header alone is wrong: the payload is not awaited.
    breaks(Step::Raw(vec![0xc2, 5]), &garbled("a frame with reserved bits set"));
    breaks(Step::Raw(vec![0x82, 0x85, 1, 2, 3, 4]), &garbled("a masked frame from the server"));
    breaks(Step::Raw(vec![0x89, 126, 0, 126]), &garbled("a control frame of more than 125 bytes"));
    breaks(Step::Frame(0x88, b"\x03\xe8\xff"), &broken("a Close frame whose reason is not UTF-8"));
    breaks(Step::Frame(0x88, b"\x03"), &broken("a Close frame with an invalid payload"));
    breaks(
        Step::Frame(0x01, b"text without end"),
        "the server sent a text frame (\"text without end\"), but MQTT needs binary frames; \
         another \
         service may be at this path: try another path, such as /mqtt",
    );
    breaks(
        Step::Raw(vec![0x82, 127, 0x40, 0, 0, 0, 0, 0, 0, 0]),
        &format!("a frame claims 4611686018427387904 bytes: the stream is corrupt; {SPOILT}"),
    );
    breaks(
        Step::Raw(vec![0x02, 127, 0, 0, 1, 0, 0, 0, 0, 0]),
        &format!("a frame claims 1099511627776 bytes: the stream is corrupt; {SPOILT}"),
    );
    breaks(
        Step::Raw(vec![0x02, 1, 0xd0, 0x00, 127, 0x7f, 0, 0, 0, 0, 0, 0, 0]),
        &format!("a frame claims 9151314442816847873 bytes: the stream is corrupt; {SPOILT}"),
    );
    breaks(
        Step::Raw(vec![0x82, 127, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff]),
        "the server sent a WebSocket message of 1099511627775 bytes, the limit is 268500992; \
         raise --max-message-size",
    );
}

#[test]
fn data_after_the_upgrade_that_is_no_frame_is_shown() {
    refuses_connack(
        "311",
        Step::Raw(b"<html><body>hello</body></html>".into()),
        9,
        "the server broke the WebSocket protocol: a frame with the unknown opcode 12 (it sent \
         \"<html><body>hello*\"); the data after the upgrade are no WebSocket frames: try \
         another path, such as \
         /mqtt",
    );
    refuses_connack(
        "311",
        Step::Frame(0x82, b"INFO {\"server_id\":\"NA\"}\r\n"),
        9,
        "the WebSocket server does not speak MQTT (it sent \"INFO {*server_id*\"); try another \
         path, \
         such as /mqtt",
    );
}

#[test]
fn an_impossible_connack_is_refused_at_once() {
    let broken = |words: &str| format!("the broker broke the protocol: {words}");
    // A length of 256 MiB: the rest is neither awaited nor buffered.
    let long =
        broken("malformed packet: CONNACK with 268435453 bytes after its last field (§2.1.4)");
    refuses_connack("311", Step::Frame(0x82, b"\x20\xff\xff\xff\x7f"), 9, &long);
    let long = broken(
        "malformed packet: a packet of 268435455 bytes, at most * are accepted [MQTT-3.1.2-24]",
    );
    refuses_connack("5", Step::Frame(0x82, b"\x20\xff\xff\xff\x7f"), 9, &long);
    refuses_connack(
        "311",
        Step::Frame(0x82, b"\x20\x03\0\0\0"),
        9,
        &broken("malformed packet: CONNACK with 1 byte *"),
    );
    refuses_connack("5", Step::Frame(0x82, b"\xf0\x02\x18\0"), 9, &broken("an unexpected AUTH"));
    refuses_connack(
        "5",
        Step::Frame(0x82, b"\x20\x06\0\0\x03\x21\0\0"),
        9,
        &broken("*receive-maximum has an invalid value *"),
    );
    let late = "the broker refused: server unavailable; try again later, or with --wait";
    refuses_connack("311", Step::Send("20 00 03"), 6, late);
    let moved = "the broker refused: server moved: it sends its clients to h2; give that address, \
                 or --follow, which goes there by itself";
    refuses_connack("5", Step::Send("20 00 9d 05 1c <h2>"), 6, moved);
}

#[test]
fn a_suback_must_answer_what_was_asked() {
    let answered = |suback: &'static str, words: &str| {
        let script = connected([packet("82 id <t> 00"), Step::Send(suback), Step::Gone]);
        let outcome = sub(script, &["-V", "311"]);
        let words = format!(
            "mqttws: subscribing at ws://127.0.0.1:*/mqtt: the broker broke the protocol: {words}"
        );
        fails(&outcome, 9, &words);
    };
    answered("90 id 00 00", "SUBACK with 2 reason codes instead of 1 [MQTT-3.9.3-1]");
    answered("90 id", "malformed packet: SUBACK without a reason code (§3.9.3)");
    answered("90 id 03", "SUBACK with the reason code 0x03 [MQTT-3.9.3-2]");
}

#[test]
fn an_incomplete_answer_is_reported_as_such() {
    let stuck = |answer: &'static str, words: &str| {
        let script = vec![Step::Request(&[]), Step::Answer(answer), Step::Gone];
        let outcome = sub(script, &["--connect-timeout", "0.5", "--subprotocol", "mqtt"]);
        let hint = "the server, or a proxy on the way, is stuck: try again, or a longer \
             --connect-timeout";
        let line = format!(
            "mqttws: connecting to *: no WebSocket upgrade within 0.5 s ({words}); \
                     {hint}"
        );
        fails(&outcome, 27, &line);
    };
    stuck("HTTP/1.1 101 Swi", "only the beginning of an HTTP answer came");
    stuck("HTTP/1.1 100 Continue\r\n\r\n", "only an interim answer came");
}

/// Row 5: a server that confirms no subprotocol and then is silent, as libwebsockets does.
#[test]
fn silence_after_a_tolerated_answer_names_the_answer() {
    let answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                  Connection: Upgrade\r\n\
                  Sec-WebSocket-Accept: {accept}\r\n\r\n";
    let script = vec![Step::Request(&[]), Step::Answer(answer), packet("10 *"), Step::Gone];
    let outcome = sub(script, &["--connect-timeout", "0.5", "-V", "5"]);
    let line = "mqttws: connecting to *: no CONNACK within 0.5 s (the server confirmed no \
                subprotocol (offered: mqtt)); *";
    fails(&outcome, 27, line);
}

/// Row 13: 103 Early Hints before the answer, header names in any letter case, and several tokens
/// in one header.
#[test]
fn an_unusual_but_legal_upgrade_is_accepted() {
    let answer = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 101 OK\r\n\
                  uPGRADE: h2c, WebSocket\r\n\
                  CONNECTION:keep-alive , upgrade\r\nsec-websocket-accept:{accept}\r\n\
                  SEC-WEBSOCKET-PROTOCOL: mqtt\r\n\r\n";
    let script = vec![
        Step::Request(&[]),
        Step::Answer(answer),
        packet("10 *"),
        Step::Send("20 00 00"),
        packet("82 id <t> 00"),
        Step::Send("90 id 00; 30 <t> 'x'"),
    ];
    sub(until_goodbye(script), &["-V", "311", "-C", "1"]).expect(0, "x\n", "");
}

/// Row 15: a gateway closes a connection that was idle for too long. `sub` reconnects, and no
/// message is lost.
#[test]
fn a_connection_closed_for_being_idle_is_made_again() {
    let mut script = subscribed([Step::Send("30 <t> 'one'"), Step::End, Step::Reconnect]);
    script.extend(subscribed([Step::Send("30 <t> 'two'")]));
    let broker = Broker::start(until_goodbye(script));
    let url = broker.url();
    let command =
        ["sub", &url, "-V", "311", "-t", "t", "-C", "2", "-k", "0", "--reconnect-delay", "0.01"];
    let outcome = Program::new(command).run();
    assert_eq!((outcome.code(), &outcome.stdout[..]), (Some(0), &b"one\ntwo\n"[..]), "{outcome}");
    let told = String::from_utf8_lossy(&outcome.stderr).into_owned();
    let lines: Vec<&str> = told.lines().collect();
    let [lost, mended] = lines[..] else { panic!("{outcome}") };
    let expected = "mqttws: warning: ws://127.0.0.1:*/mqtt: connection lost: the server closed \
                    the connection; trying again";
    assert!(is_like(lost, expected), "{lost}");
    assert!(
        is_like(
            mended,
            "mqttws: warning: connected again after * s, new \
                             session"
        ),
        "{mended}"
    );
}

#[test]
fn sub_reconnects_after_close_1014_of_a_gateway() {
    let close = [Step::Frame(0x88, b"\x03\xf6no upstream"), Step::Gone, Step::Reconnect];
    let mut script = subscribed(close);
    script.extend(subscribed([Step::Send("30 <t> 'one'")]));
    let broker = Broker::start(until_goodbye(script));
    let url = broker.url();
    let command = ["sub", &url, "-V", "311", "-t", "t", "-C", "1", "--reconnect-delay", "0.01"];
    let outcome = Program::new(command).run();
    assert_eq!((outcome.code(), &outcome.stdout[..]), (Some(0), &b"one\n"[..]), "{outcome}");
    let told = String::from_utf8_lossy(&outcome.stderr).into_owned();
    let lost = "mqttws: warning: ws://127.0.0.1:*/mqtt: connection lost: the server closed the \
                WebSocket with code 1014 \
                (bad gateway): no upstream; trying again";
    let first = told.lines().next().unwrap_or_default();
    assert!(is_like(first, lost), "{outcome}");
}

/// Row 16: libwebsockets sends a Ping every five minutes, and drops a client that does not answer.
#[test]
fn the_servers_pings_are_answered_at_any_time() {
    let script = until_goodbye(subscribed([
        Step::Frame(0x89, b"idle"),
        Step::Pong(b"idle"),
        // Between two frames of one message, which cut a packet in two.
        Step::Frame(0x02, b"\x30\x04"),
        Step::Frame(0x89, b"amid"),
        Step::Pong(b"amid"),
        Step::Frame(0x80, b"\x00\x01tx"),
    ]));
    sub(script, &["-V", "311", "-C", "1"]).expect(0, "x\n", "");
    let broker = Broker::start(until_goodbye(connected([
        packet("32 <t> 00 01 'x'"),
        Step::Frame(0x89, b"PUBACK"),
        Step::Pong(b"PUBACK"),
        Step::Send("40 00 01"),
    ])));
    Program::new(["pub", &broker.url(), "-V", "311", "-t", "t", "-m", "x", "-q", "1"])
        .run()
        .expect(0, "", "");
}

/// Row 19: the message is above the limit of the broker, or of a proxy before it. A second try
/// would fail as well.
#[test]
fn a_message_that_is_too_big_is_not_sent_again() {
    let script = connected([packet("32 <t> 00 01 *"), Step::Frame(0x88, b"\x03\xf1"), Step::Gone]);
    let broker = Broker::start(script);
    let payload = "x".repeat(10_000);
    let command = ["pub", &broker.url(), "-V", "311", "-t", "t", "-q", "1", "-s"];
    let outcome = Program::new(command).stdin(payload).run();
    let line = "mqttws: publishing to t at ws://127.0.0.1:*/mqtt: connection lost: the server \
                closed the WebSocket with code 1009 (message too \
                big); the broker, or a proxy in front of it, does not accept a message of this \
                size: send smaller messages, and do not use --frame-per-packet";
    fails(&outcome, 8, line);
}

/// Row 23: two clients with the same client id would take over each other's session without end.
#[test]
fn a_client_whose_session_is_taken_over_does_not_reconnect() {
    let script = vec![
        Step::Upgrade,
        packet("10 *"),
        Step::Send("20 00 00 00"),
        packet("82 *"),
        Step::Send("90 id 00 00; e0 8e"),
        Step::Gone,
    ];
    let broker = Broker::start(script);
    let outcome = Program::new(["sub", &broker.url(), "-V", "5", "-t", "t", "-i", "me"]).run();
    let line = "mqttws: subscribed at *: the broker disconnected us: session taken over; another \
                client uses the same \
                id: choose another id with -i";
    fails(&outcome, 6, line);
}

/// Before MQTT 5 a broker gives no reason when a session is taken over: `--reconnect-tries` bounds
/// the tries.
#[test]
fn a_take_over_without_a_reason_ends_after_the_given_tries() {
    let mut script = subscribed([Step::End]);
    for _ in 0..2 {
        script.push(Step::Reconnect);
        script.extend(subscribed([Step::End]));
    }
    let broker = Broker::start(script);
    let url = broker.url();
    let command =
        ["sub", &url, "-V", "311", "-t", "t", "-i", "me", "--reconnect-delay", "0.01", "--quiet"];
    let outcome = Program::new([&command[..], &["--reconnect-tries", "2"]].concat()).run();
    let line = "mqttws: subscribed at *: connection lost, and 2 tries to connect again failed: *";
    fails(&outcome, 8, line);
}

#[test]
fn a_flood_of_empty_frames_does_not_delay_the_keep_alive() {
    let empty = frame(0x00, b"").repeat(500_000);
    let flood = [&frame(0x02, b"")[..], &empty].concat();
    let outcome = sub(subscribed([Step::Flood(flood)]), &["-V", "311", "-k", "1"]);
    let line = "mqttws: subscribed at *: connection lost: \
                the broker did not answer a PINGREQ within 1 s";
    fails(&outcome, 8, line);
}

#[test]
fn a_message_that_begins_with_no_packet_is_refused_before_its_end() {
    // The beginning of a frame of 200 MiB, and a message of endless fragments: neither holds MQTT.
    let long = [&[0x82, 127][..], &(200_u64 << 20).to_be_bytes(), &vec![b'a'; 300_000]].concat();
    let endless = [frame(0x02, b"a"), frame(0x00, &vec![b'a'; 60_000]).repeat(5)].concat();
    for bytes in [long, endless] {
        breaks(Step::Raw(bytes), "the broker broke the protocol: malformed packet: *");
    }
}
