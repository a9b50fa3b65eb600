//! Brokers that are strange within what a broker may do, or a little beyond: what was asked is done
//! all the same, or one line says why not.

use crate::support::broker::{Broker, Step, connected, packet, until_goodbye, until_session_end};
use crate::support::lines::is_like;
use crate::support::program::{Outcome, Program};

/// MQTT 5 up to a CONNACK like this, and then `steps`.
fn accepted<const N: usize>(connack: &'static str, steps: [Step; N]) -> Vec<Step> {
    let mut script = vec![Step::Upgrade, packet("10 <MQTT> 05 *"), Step::Send(connack)];
    script.extend(steps);
    script
}

/// The same on another connection, which takes up the session.
fn again<const N: usize>(connack: &'static str, steps: [Step; N]) -> Vec<Step> {
    let mut script =
        vec![Step::Reconnect, Step::Upgrade, packet("10 <MQTT> 05 00 *"), Step::Send(connack)];
    script.extend(steps);
    script
}

/// Publishes these lines.
fn publish(broker: &Broker, qos: &str, input: &str) -> Outcome {
    let flags = ["-V", "5", "-t", "t", "-l", "-q", qos, "--reconnect-delay", "0.01", "--quiet"];
    Program::new([&["pub", &broker.url()], &flags[..]].concat()).stdin(input).run()
}

#[test]
fn acknowledgements_that_come_twice_or_for_nothing() {
    let broker = Broker::start(until_session_end(accepted(
        "20 00 00 00",
        [
            packet("32 <t> 00 01 00 'a'"),
            packet("32 <t> 00 02 00 'b'"),
            Step::Send("40 00 01; 40 00 01; 40 ff ff; 70 00 09; 70 00 01; 40 00 02"),
        ],
    )));
    publish(&broker, "1", "a\nb\n").expect(0, "", "");
    let broker = Broker::start(until_session_end(accepted(
        "20 00 00 00",
        [
            packet("34 <t> 00 01 00 'a'"),
            Step::Send("50 00 01; 50 00 01"),
            packet("62 00 01"),
            packet("62 00 01"),
            Step::Send("50 00 07"),
            packet("62 00 07"),
            Step::Send("70 00 07 92; 70 00 01; 70 00 01"),
        ],
    )));
    publish(&broker, "2", "a\n").expect(0, "", "");
}

#[test]
fn a_receive_maximum_of_one() {
    let broker = Broker::start(until_session_end(accepted(
        "20 00 00 03 21 00 01",
        [
            packet("34 <t> 00 01 00 'a'"),
            Step::Send("50 00 01"),
            packet("62 00 01"),
            Step::Send("70 00 01"),
            packet("34 <t> 00 02 00 'b'"),
            Step::Send("50 00 02 10"),
            packet("62 00 02"),
            Step::Send("70 00 02"),
        ],
    )));
    publish(&broker, "2", "a\nb\n").expect(0, "", "");
}

/// The window is smaller on the connection that takes up the session.
#[test]
fn a_receive_maximum_that_shrinks() {
    let mut script = accepted(
        "20 00 00 00",
        [
            packet("32 <t> 00 01 00 'a'"),
            packet("32 <t> 00 02 00 'b'"),
            packet("32 <t> 00 03 00 'c'"),
            Step::Send("40 00 02; e0 97"),
            Step::Gone,
        ],
    );
    script.extend(again(
        "20 01 00 03 21 00 01",
        [
            packet("3a <t> 00 01 00 'a'"),
            Step::Send("40 00 01"),
            packet("3a <t> 00 03 00 'c'"),
            Step::Send("40 00 03"),
        ],
    ));
    let broker = Broker::start(until_session_end(script));
    publish(&broker, "1", "a\nb\nc\n").expect(0, "", "");
}

#[test]
fn a_message_that_is_too_large_for_the_broker_is_told_and_the_others_go_on() {
    let broker = Broker::start(until_session_end(accepted(
        "20 00 00 05 27 00 00 00 10",
        [
            packet("32 <t> 00 01 00 'a'"),
            packet("32 <t> 00 02 00 'b'"),
            Step::Send("40 00 01; 40 00 02"),
        ],
    )));
    let line = "mqttws: publishing to t: message 2 refused: the packet has 28 bytes, but the \
                broker accepts at most 16\n";
    publish(&broker, "1", "a\nxxxxxxxxxxxxxxxxxxxx\nb\n").expect(7, "", line);
}

/// `[MQTT-3.2.2-15]` holds for SUBSCRIBE, too.
#[test]
fn a_subscription_that_is_too_large_for_the_broker_is_told() {
    let broker = Broker::start(until_session_end(accepted("20 00 00 05 27 00 00 00 10", [])));
    let filter = "a/rather/long/filter";
    let outcome =
        Program::new(["sub", &broker.url(), "-V", "5", "-q", "1", "-t", filter, "-W", "3"]).run();
    let line = "mqttws: subscribing to a/rather/long/filter: refused: packet too large\n";
    outcome.expect(7, "", line);
}

#[test]
fn the_identifier_that_the_broker_chose_is_kept() {
    let mut script =
        accepted("20 00 00 08 12 <chosen>", [packet("32 <t> 00 01 00 'a'"), Step::End]);
    script.truncate(1);
    script.extend([packet("10 <MQTT> 05 02 .. .. *"), Step::Send("20 00 00 09 12 <chosen>")]);
    script.extend([packet("32 <t> 00 01 00 'a'"), Step::Send("e0 8b"), Step::Gone]);
    let connect = "10 <MQTT> 05 00 00 2d 08 11 00 00 02 58 21 80 00 <chosen>";
    script.extend([Step::Reconnect, Step::Upgrade, packet(connect), Step::Send("20 01 00 00")]);
    script.extend([packet("3a <t> 00 01 00 'a'"), Step::Send("40 00 01")]);
    let broker = Broker::start(until_session_end(script));
    let flags = [
        "-V",
        "5",
        "-t",
        "t",
        "-q",
        "1",
        "-m",
        "a",
        "-i",
        "",
        "--reconnect-delay",
        "0.01",
        "--quiet",
    ];
    Program::new([&["pub", &broker.url()], &flags[..]].concat()).run().expect(0, "", "");
}

/// `[MQTT-3.2.2-2]`: Clean Start is answered by a new session.
#[test]
fn an_old_session_in_answer_to_clean_start() {
    let broker = Broker::start(accepted("20 01 00 00", [Step::Close(1000), Step::Gone]));
    let line = format!(
        "mqttws: connecting to {}: the broker broke the protocol: an unexpected session in \
         CONNACK, although a new \
         one was asked for\n",
        broker.url()
    );
    let flags = ["-V", "5", "-t", "t", "-q", "1", "-m", "a", "-i", "me"];
    Program::new([&["pub", &broker.url()], &flags[..]].concat()).run().expect(9, "", &line);
}

/// The reasons of a DISCONNECT that pass.
#[test]
fn a_broker_that_sends_us_away_for_a_while() {
    for disconnect in ["e0 8b", "e0 8d 00", "e0 97", "e0 89", "e0"] {
        let mut script = accepted(
            "20 00 00 00",
            [packet("34 <t> 00 01 00 'a'"), Step::Send(disconnect), Step::Gone],
        );
        script.extend(again(
            "20 01 00 00",
            [
                packet("3c <t> 00 01 00 'a'"),
                Step::Send("50 00 01"),
                packet("62 00 01"),
                Step::Send("70 00 01"),
            ],
        ));
        let broker = Broker::start(until_session_end(script));
        publish(&broker, "2", "a\n").expect(0, "", "");
    }
}

/// Publishes one message at this QoS to a broker of MQTT 5 that takes these steps.
fn publish_one<const N: usize>(qos: &str, steps: [Step; N], code: i32, line: &str) {
    let broker = Broker::start(accepted("20 00 00 00", steps));
    let flags = ["-V", "5", "-t", "t", "-m", "a", "-q", qos, "--no-reconnect"];
    let line = if line.is_empty() { String::new() } else { format!("{line}\n") };
    Program::new([&["pub", &broker.url()], &flags[..]].concat()).run().expect(code, "", &line);
}

/// A code of 0x80 and above is a failure in every packet, also where the packet does not define it;
/// "packet identifier not found" of PUBCOMP is none, because the broker has had the message.
#[test]
fn a_failure_that_a_packet_does_not_define_is_a_failure() {
    let publish = || packet("34 <t> 00 01 00 'a'");
    let end = || [packet("e0 *"), Step::Close(1000), Step::Gone];
    let pubcomp = |answer| {
        let [disconnect, close, gone] = end();
        let steps = [publish(), Step::Send("50 00 01"), packet("62 00 01"), Step::Send(answer)];
        let [a, b, c, d] = steps;
        [a, b, c, d, disconnect, close, gone]
    };
    let refused = |words: &str| format!("mqttws: publishing to t: message refused: {words}");
    publish_one("2", pubcomp("70 00 01 92"), 0, "");
    publish_one("2", pubcomp("70 00 01 80"), 7, &refused("unspecified error"));
    publish_one("2", pubcomp("70 00 01 97 00"), 7, &refused("quota exceeded"));
    publish_one("2", pubcomp("70 00 01 ff"), 7, &refused("reason code 0xFF"));
    let [disconnect, close, gone] = end();
    let steps = [packet("32 <t> 00 01 00 'a'"), Step::Send("40 00 01 a5"), disconnect, close, gone];
    publish_one("1", steps, 7, &refused("reason code 0xA5"));
}

/// A code below 0x80 that the packet does not define says neither yes nor no.
#[test]
fn a_success_that_a_packet_does_not_define_breaks_the_protocol() {
    let broken =
        |words: &str| format!("mqttws: publishing to t: the broker broke the protocol: {words}");
    for (answer, words) in [
        ("40 00 01 11", "PUBACK with the reason code 0x11 [MQTT-3.4.2-1]"),
        ("40 00 01 7f 00", "PUBACK with the reason code 0x7f [MQTT-3.4.2-1]"),
        ("40 00 01 01", "PUBACK with the reason code 0x01 [MQTT-3.4.2-1]"),
        ("e0 04", "DISCONNECT with the reason code 0x04 [MQTT-3.14.2-1]"),
    ] {
        let steps =
            [packet("32 <t> 00 01 00 'a'"), Step::Send(answer), packet("e0 82 *"), Step::Gone];
        publish_one("1", steps, 9, &broken(words));
    }
    let steps =
        [packet("34 <t> 00 01 00 'a'"), Step::Send("50 00 01 11"), packet("e0 82 *"), Step::Gone];
    publish_one("2", steps, 9, &broken("PUBREC with the reason code 0x11 [MQTT-3.5.2-1]"));
    let steps = [
        packet("34 <t> 00 01 00 'a'"),
        Step::Send("50 00 01"),
        packet("62 00 01"),
        Step::Send("70 00 01 10"),
        packet("e0 82 *"),
        Step::Gone,
    ];
    publish_one("2", steps, 9, &broken("PUBCOMP with the reason code 0x10 [MQTT-3.7.2-1]"));
}

#[test]
fn an_unsuback_with_a_code_of_another_packet() {
    for (answer, code, words) in [
        ("b0 id 00 11", 0, ""),
        ("b0 id 00 85", 7, "mqttws: unsubscribing from u: refused: client identifier not valid\n"),
        (
            "b0 id 00 55",
            9,
            "mqttws: unsubscribing at {url}: the broker broke the protocol: UNSUBACK with the \
             reason code 0x55 [MQTT-3.11.3-2]\n",
        ),
    ] {
        let steps = [packet("a2 id 00 <u>"), Step::Send(answer), packet("e0 *"), Step::Gone];
        let broker = Broker::start(accepted("20 00 00 00", steps));
        let url = broker.url();
        let flags = ["-V", "5", "-U", "u", "-E", "--no-reconnect"];
        let outcome = Program::new([&["sub", &url], &flags[..]].concat()).run();
        outcome.expect(code, "", &words.replace("{url}", &url));
    }
}

/// `RabbitMQ` 3.10 takes QoS 2 as QoS 1, and says so by PUBACK.
#[test]
fn puback_ends_a_message_at_qos_2_before_mqtt_5() {
    let mut script = connected([
        packet("34 <t> 00 01 'a'"),
        packet("34 <t> 00 02 'b'"),
        Step::Send("40 00 01; 40 00 02"),
        packet("e0"),
        Step::Close(1000),
        Step::Gone,
        Step::Reconnect,
    ]);
    script.extend(connected([]));
    let broker = Broker::start(until_goodbye(script));
    let publish = |url: &str, flags: &[&str]| {
        let command = ["pub", url, "-V", "311", "-t", "t", "-q", "2", "--no-reconnect"];
        Program::new([&command[..], flags].concat()).stdin("a\nb\n").run()
    };
    let line = "mqttws: warning: the broker took QoS 2 as QoS 1\n";
    publish(&broker.url(), &["-l"]).expect(0, "", line);

    let steps = [packet("34 <t> 00 01 'a'"), Step::Send("40 00 01")];
    let broker = Broker::start(until_gone(connected(steps)));
    let line = "mqttws: publishing to t: the broker broke the protocol: an unexpected PUBACK for a \
                QoS 2 message\n";
    publish(&broker.url(), &["-m", "a", "--strict"]).expect(9, "", line);
}

/// mosquitto 2.0 sends the whole queue of a session, whatever was announced.
#[test]
fn a_message_more_than_the_receive_maximum_is_taken() {
    let messages = "32 <t> 00 01 00 'a'; 32 <t> 00 02 00 'b'; 32 <t> 00 03 00 'c'";
    let flags = ["-q", "1", "-C", "3", "-D", "connect", "receive-maximum", "2"];
    let sub = |steps: Vec<Step>, flags: &[&str]| {
        let mut script =
            accepted("20 00 00 00", [packet("82 id 00 <t> *"), Step::Send("90 id 00 01")]);
        script.extend(steps);
        let broker = Broker::start(script);
        let url = broker.url();
        let command = ["sub", &url, "-V", "5", "-t", "t", "--no-reconnect"];
        (Program::new([&command[..], flags].concat()).run(), url)
    };
    let acknowledged =
        vec![Step::Send(messages), packet("40 00 01"), packet("40 00 02"), packet("40 00 03")];
    let line = "mqttws: warning: the broker sent more messages at a time than the receive maximum \
                allows\n";
    sub(until_session_end(acknowledged), &flags).0.expect(0, "a\nb\nc\n", line);

    let refused = || vec![Step::Send(messages), Step::Gone];
    let (outcome, url) = sub(refused(), &[&flags[..], &["--strict"]].concat());
    let refusal = |url: &str| {
        format!(
            "mqttws: subscribed at {url}: the broker broke the protocol: more messages in flight \
             than the client's receive maximum; mosquitto 2.0 sends all that it has, whatever was \
             announced: leave out -D connect receive-maximum, and --strict\n"
        )
    };
    outcome.expect(9, "a\nb\n", &refusal(&url));

    // Twice as many are taken, and no more.
    let five = "32 <t> 00 01 00 'a'; 32 <t> 00 02 00 'b'; 32 <t> 00 03 00 'c'; \
                32 <t> 00 04 00 'd'; 32 <t> 00 05 00 'e'";
    let (outcome, url) =
        sub(vec![Step::Send(five), Step::Gone], &[&flags[..], &["-C", "9"]].concat());
    outcome.expect(9, "a\nb\nc\nd\n", &(line.to_owned() + &refusal(&url)));
}

/// mosquitto 2.0 gives two messages one packet identifier where more wait than there are
/// identifiers. One that differs is written, and the user is told.
#[test]
fn a_message_under_an_identifier_in_use_is_written_if_it_differs() {
    let sub = |steps: Vec<Step>, flags: &[&str]| {
        let broker = Broker::start(steps);
        let url = broker.url();
        let command = ["sub", &url, "-V", "311", "-t", "t", "-q", "2", "-C", "3"];
        (Program::new([&command[..], &["--no-reconnect"], flags].concat()).run(), url)
    };
    let granted = || vec![packet("82 id <t> 02"), Step::Send("90 id 02")];
    let mut steps = granted();
    steps.extend([Step::Send("34 <t> 00 01 'number 100 of all'"), packet("50 00 01")]);
    // The same once more, with and without DUP: it is taken for the same message.
    steps.extend([Step::Send("3c <t> 00 01 'number 100 of all'"), packet("50 00 01")]);
    steps.extend([Step::Send("34 <t> 00 01 'number 100 of all'"), packet("50 00 01")]);
    steps.extend([Step::Send("34 <t> 00 01 'number 200 of all'"), packet("50 00 01")]);
    let released = || {
        let [first, second] = ["62 00 01"; 2].map(Step::Send);
        [first, packet("70 00 01"), second, packet("70 00 01"), Step::Send("30 <t> 'end'")]
    };
    steps.extend(released());
    let connected_to = |steps: Vec<Step>| {
        let mut script = connected([]);
        script.extend(steps);
        script
    };
    let line = "mqttws: warning: the broker sent a message under a packet identifier that is in \
                use; it is taken as a new one if it differs, as the same one if not: messages may \
                be lost or doubled at this broker\n";
    let (outcome, _) = sub(until_goodbye(connected_to(steps)), &[]);
    outcome.expect(0, "number 100 of all\nnumber 200 of all\nend\n", line);

    // Both are acknowledged where the first was not yet written when the second came.
    let mut steps = granted();
    steps.extend([Step::Send("34 <t> 00 01 'a'; 34 <t> 00 01 'b'"), packet("50 00 01")]);
    steps.push(packet("50 00 01"));
    steps.extend(released());
    let (outcome, _) = sub(until_goodbye(connected_to(steps)), &[]);
    outcome.expect(0, "a\nb\nend\n", line);

    let mut steps = granted();
    steps.extend([Step::Send("34 <t> 00 01 'a'; 34 <t> 00 01 'b'"), Step::Gone]);
    let (outcome, url) = sub(connected_to(steps), &["--strict"]);
    let refusal = format!(
        "mqttws: subscribed at {url}: the broker broke the protocol: an unexpected PUBLISH under \
         a packet identifier that is in use\n"
    );
    outcome.expect(9, "a\n", &refusal);
}

/// What `sub` writes of a message whose response topic has a wildcard, `pub` takes.
#[test]
fn a_response_topic_with_a_wildcard_is_left_out() {
    let message = "30 <t> 0a 03 <c> 08 <a/#> 'x'; 30 <t> 04 08 <+> 'y'";
    let sub = |end: Vec<Step>, flags: &[&str]| {
        let mut script = accepted(
            "20 00 00 00",
            [packet("82 id 00 <t> *"), Step::Send("90 id 00 00"), Step::Send(message)],
        );
        script.extend(end);
        let broker = Broker::start(script);
        let url = broker.url();
        let command = ["sub", &url, "-V", "5", "-t", "t", "-C", "2", "--json", "--no-reconnect"];
        (Program::new([&command[..], flags].concat()).run(), url)
    };
    let (outcome, _) = sub(until_goodbye(vec![]), &[]);
    let line = "mqttws: warning: the broker sent a response topic that is no topic name; it is \
                left out\n";
    assert_eq!(String::from_utf8_lossy(&outcome.stderr), line);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let records = String::from_utf8_lossy(&outcome.stdout).into_owned();
    assert!(!records.contains("response-topic"), "{outcome}");
    let script = accepted("20 00 00 00", [packet("30 <t> 04 03 <c> 'x'"), packet("30 <t> 00 'y'")]);
    let broker = Broker::start(until_session_end(script));
    let command = ["pub", &broker.url(), "-V", "5", "--json", "-q", "0"];
    Program::new(command).stdin(records).run().expect(0, "", "");

    let (outcome, url) = sub(vec![Step::Gone], &["--strict"]);
    let line = format!(
        "mqttws: subscribed at {url}: the broker broke the protocol: a response topic that is no \
         topic name [MQTT-3.3.2-14]\n"
    );
    outcome.expect(9, "", &line);
}

/// CONNECT says only what limits something, and a will asks for Clean Start, but not where the
/// session must outlive a restart of the broker.
#[test]
fn connect_says_what_it_must() {
    for (connect, flags) in [
        ("10 <MQTT> 05 00 00 2d 03 21 80 00 *", "-m x"),
        ("10 <MQTT> 05 00 00 2d 08 21 80 00 27 00 00 03 e8 *", "-m x --max-message-size 1000"),
        ("10 <MQTT> 05 00 00 2d 06 21 80 00 22 00 07 *", "-m x -D connect topic-alias-maximum 7"),
        ("10 <MQTT> 05 06 00 2d 03 21 80 00 *", "-m x --will-topic w"),
        ("10 <MQTT> 05 06 00 2d 08 11 00 00 02 58 21 80 00 *", "-m x --will-topic w -q 1"),
        ("10 <MQTT> 05 04 00 2d 08 11 00 00 02 58 21 80 00 *", "-m x --will-topic w -q 2"),
        ("10 <MQTT> 05 06 00 2d 08 11 00 00 02 58 21 80 00 *", "-m x --will-topic w -q 2 -i me"),
    ] {
        let refusal = Step::Send("20 00 87 00");
        let broker = Broker::start(vec![Step::Upgrade, packet(connect), refusal, Step::Gone]);
        let url = broker.url();
        let command: Vec<&str> =
            ["pub", &url, "-V", "5", "-t", "t"].into_iter().chain(flags.split(' ')).collect();
        let outcome = Program::new(command).run();
        assert_eq!(outcome.code(), Some(6), "{flags}: {outcome}");
    }
}

/// `steps`, and then whatever comes until the client has ended the connection.
fn until_gone(mut steps: Vec<Step>) -> Vec<Step> {
    steps.push(Step::Gone);
    steps
}

/// Nothing larger than the broker takes is sent: PUBCOMP loses its reason code, and a broker that
/// takes no acknowledgement at all is left.
#[test]
fn a_tiny_maximum_packet_size_is_kept_to() {
    let connack = |answer| vec![Step::Upgrade, packet("10 <MQTT> 05 *"), Step::Send(answer)];
    let mut script = connack("20 00 00 05 27 00 00 00 04");
    script.extend([Step::Send("62 00 09"), packet("70 00 09"), Step::Tell]);
    script.extend([packet("e0"), Step::Close(1000), Step::Gone]);
    let broker = Broker::start(script);
    let program = Program::new(["pub", &broker.url(), "-t", "t", "-l"]);
    let running = program.stdin("").stdin_held_open().spawn();
    broker.wait();
    running.signal("INT");
    assert_eq!(running.finish().code(), Some(130));
    broker.finish();

    let broker = Broker::start(connack("20 00 00 05 27 00 00 00 03"));
    let outcome = Program::new(["pub", &broker.url(), "-t", "t", "-m", "x"]).run();
    let line = "mqttws: connecting to ws://127.0.0.1:*/mqtt: the broker broke the protocol: a \
                Maximum Packet Size of 3 bytes, in which no acknowledgement fits\n";
    let stderr = String::from_utf8_lossy(&outcome.stderr).into_owned();
    assert!(outcome.code() == Some(9) && is_like(&stderr, line), "{outcome}");
}
