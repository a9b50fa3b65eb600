//! `mqttws ping --via`: what travels, and what counts as its answer.

use crate::support::broker::{Broker, Step, connected, packet, until_goodbye, until_session_end};
use crate::support::folder::Folder;
use crate::support::lines::{is_like, is_line};
use crate::support::program::Program;

#[test]
fn a_message_goes_through_the_broker_and_back() {
    let topic = "<mqttws/ping/me>";
    let payload = "00 00 00 00 00 00 00 01 00";
    let publish = format!("30 {topic} {payload}");
    let steps = connected([
        packet(&format!("82 id {topic} 00")),
        Step::Send("90 id 00"),
        packet(&publish),
        // Somebody else's message, and then ours.
        Step::Send("30 <mqttws/ping/me> 'other'"),
        Step::Send("30 <mqttws/ping/me> 00 00 00 00 00 00 00 01 00"),
    ]);
    let broker = Broker::start(until_goodbye(steps));
    let arguments = [
        "ping",
        &broker.url(),
        "-V",
        "311",
        "-i",
        "me",
        "--via",
        "publish",
        "--size",
        "9",
        "-c",
        "1",
    ];
    let outcome = Program::new(arguments).run();
    assert_eq!((outcome.code(), outcome.stderr.as_slice()), (Some(0), b"".as_slice()), "{outcome}");
    let stdout = String::from_utf8_lossy(&outcome.stdout);
    assert!(
        stdout.lines().any(|line| is_like(line, "1 sent, 1 answered, 0% lost, time * ms")),
        "{outcome}"
    );
}

#[test]
fn a_broker_that_refuses_the_topic_is_named() {
    let steps = connected([packet("82 id <mqttws/ping/me> 00"), Step::Send("90 id 80")]);
    let broker = Broker::start(steps);
    let outcome = Program::new([
        "ping",
        &broker.url(),
        "-V",
        "311",
        "-i",
        "me",
        "--via",
        "publish",
        "-c",
        "1",
    ])
    .run();
    assert_eq!(outcome.code(), Some(7), "{outcome}");
    let stderr = String::from_utf8_lossy(&outcome.stderr).into_owned();
    assert!(
        is_like(
            stderr.trim_end(),
            "mqttws: subscribing to mqttws/ping/me: refused: unspecified error"
        ),
        "{outcome}"
    );
}

#[test]
fn a_broker_that_does_not_answer_the_subscription_is_named() {
    let broker = Broker::start(until_goodbye(connected([packet("82 id <mqttws/ping/me> 00")])));
    let flags = ["-V", "311", "-i", "me", "--via", "publish", "-W", "0.3"];
    let outcome = Program::new([&["ping", &broker.url()], &flags[..]].concat()).run();
    assert_eq!(outcome.code(), Some(27), "{outcome}");
    let line = "mqttws: subscribing to mqttws/ping/me: no answer from the broker within 0.3 s";
    assert!(is_line(&outcome.stderr, line), "{outcome}");
}

/// A server need not answer a Ping before the latest one (RFC 6455 §5.5.3), and a Pong with another
/// payload is no answer to ours.
#[test]
fn a_pong_answers_the_ping_whose_payload_it_has() {
    let pongs: [(&'static [u8], &str, i32); 3] = [
        (&[0, 0, 0, 2], "2 sent, 1 answered, 50% lost, time * ms", 0),
        (&[0, 0, 0, 1], "2 sent, 0 answered, 100% lost, time * ms", 27),
        (b"other", "2 sent, 0 answered, 100% lost, time * ms", 27),
    ];
    for (payload, summary, code) in pongs {
        let asked = [Step::Ping(&[0, 0, 0, 1]), Step::Ping(&[0, 0, 0, 2])];
        let mut steps = connected(asked);
        steps.extend([Step::Frame(0x8a, payload), Step::Gone]);
        let broker = Broker::start(steps);
        let flags = ["-V", "311", "--via", "websocket", "-c", "2", "-W", "0.3", "--interval", "0"];
        let outcome = Program::new([&["ping", &broker.url()], &flags[..]].concat()).run();
        assert_eq!(outcome.code(), Some(code), "{outcome}");
        let text = String::from_utf8_lossy(&outcome.stdout);
        assert!(text.lines().any(|line| is_like(line, summary)), "{outcome}");
    }
}

/// The properties and the will of CONNECT are those of `pub`.
#[test]
fn connect_is_shaped_as_by_pub() {
    let folder = Folder::new();
    let will = folder.write("will", b"gone\xff");
    for verb in [&["ping", "-c", "1"][..], &["pub", "-t", "t", "-n"]] {
        let connect = "10 <MQTT> 05 2e 00 2d 11 11 00 00 02 58 21 .. .. 17 00 26 <k> <v> <me> 05 18 00 00 00 09 \
                       <w> 00 05 'gone' ff";
        let mut steps = vec![Step::Upgrade, packet(connect), Step::Send("20 00 00 00")];
        if verb[0] == "ping" {
            steps.extend([packet("c0"), Step::Send("d0")]);
        } else {
            steps.push(packet("30 <t> 00"));
        }
        let broker = Broker::start(until_session_end(steps));
        let url = broker.url();
        let flags = ["-i", "me", "--will-topic", "w", "--will-file", &will, "--will-qos", "1"];
        let more = ["--will-retain", "--will-delay", "9"];
        let properties = [
            ["-D", "connect", "request-problem-information", "0", ""],
            ["-D", "connect", "user-property", "k", "v"],
        ];
        let properties = [&properties[0][..4], &properties[1]].concat();
        let words = [verb, &[&url[..]], &flags, &more, &properties].concat();
        let outcome = Program::new(words).run();
        assert_eq!((outcome.code(), &outcome.stderr[..]), (Some(0), &b""[..]), "{outcome}");
    }
}
