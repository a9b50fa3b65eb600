//! Brokers that are strange within what a broker may do, or a little beyond: what was asked is done
//! all the same, or one line says why not.

use crate::support::broker::{Broker, Step, packet, until_session_end};
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
    let line = "mqttws: publishing to t: message 2 refused: the packet has 28 bytes, but the broker accepts at most 16\n";
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
    let connect =
        "10 <MQTT> 05 00 00 2d 10 11 00 00 02 58 21 40 00 22 00 40 27 .. .. .. .. <chosen>";
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
        "mqttws: connecting to {}: the broker broke the protocol: an unexpected session in CONNACK, although a new \
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
