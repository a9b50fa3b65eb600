//! Silence after CONNECT is evidence, too: the next older version is tried after a third of
//! `--connect-timeout`, where MQTT 5 was not asked for.

use std::time::Duration;

use crate::support::broker::{Broker, Step, packet, until_goodbye};
use crate::support::lines::{CONNACK_TIMED_OUT, NOT_AUTHORIZED, fails, is_like};
use crate::support::program::{Outcome, Program};

const V5: &str = "10 <MQTT> 05 *";
const V311: &str = "10 <MQTT> 04 *";
const V31: &str = "10 <MQIsdp> 03 *";

/// `pub -m x` with half a second for each version; `flags` may say more.
fn publish(broker: &Broker, flags: &[&str]) -> Outcome {
    let command = ["pub", &broker.url(), "-t", "t", "-m", "x", "--connect-timeout", "1.5"];
    Program::new([&command[..], flags].concat()).spawn().finish_within(Duration::from_secs(12))
}

/// A broker that is met by this CONNECT and says nothing until it is left.
fn silent(connect: &str) -> Vec<Step> {
    vec![Step::Upgrade, packet(connect), Step::Gone, Step::Reconnect]
}

/// One that takes a message.
fn takes(connect: &str) -> Vec<Step> {
    until_goodbye(vec![
        Step::Upgrade,
        packet(connect),
        Step::Send("20 00 00"),
        packet("30 <t> 'x'"),
    ])
}

fn script(parts: impl IntoIterator<Item = Vec<Step>>) -> Vec<Step> {
    parts.into_iter().flatten().collect()
}

const FALLBACK: &str = "mqttws: warning: connected with MQTT 3.1.1 and subprotocol mqtt; the first \
     try failed: no CONNACK to MQTT 5 within 0.5 s; -V 311 leaves that try out";

#[test]
fn the_next_older_version_is_tried_after_a_third_of_the_time() {
    let broker = Broker::start(script([silent(V5), takes(V311)]));
    publish(&broker, &[]).expect(0, "", &[FALLBACK, "\n"].concat());
    broker.finish();
}

#[test]
fn the_oldest_version_is_tried_last() {
    let broker = Broker::start(script([silent(V5), silent(V311), takes(V31)]));
    let outcome = publish(&broker, &[]);
    let stderr = String::from_utf8_lossy(&outcome.stderr);
    let line = "mqttws: warning: connected with MQTT 3.1 and subprotocol mqttv3.1; the first try \
                failed: no CONNACK to MQTT 5 within 0.5 s; -V 31 leaves that try out";
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    assert!(is_like(stderr.trim_end(), line), "{outcome}");
}

/// A subscriber gets its messages as if nothing had been.
#[test]
fn a_subscriber_falls_back_too() {
    let answers = [
        Step::Upgrade,
        packet(V311),
        Step::Send("20 00 00"),
        packet("82 id <t> 00"),
        Step::Send("90 id 00; 30 <t> 'x'"),
    ];
    let broker = Broker::start(script([silent(V5), until_goodbye(answers.into())]));
    let url = broker.url();
    let flags = ["sub", &url, "-t", "t", "-C", "1", "--connect-timeout", "1.5", "--quiet"];
    Program::new(flags).spawn().finish_within(Duration::from_secs(12)).expect(0, "x\n", "");
}

/// `--quiet` leaves the warning out.
#[test]
fn a_quiet_fallback() {
    let broker = Broker::start(script([silent(V5), takes(V311)]));
    publish(&broker, &["--quiet"]).expect(0, "", "");
}

#[test]
fn when_every_version_is_met_by_silence_the_first_is_told() {
    let last = vec![Step::Upgrade, packet(V31), Step::Gone];
    let broker = Broker::start_watchful(script([silent(V5), silent(V311), last]));
    let outcome = publish(&broker, &[]);
    let line = "mqttws: connecting to ws://127.0.0.1:*/mqtt: no CONNACK to MQTT 5 within 0.5 s; \
                the WebSocket is open, but no MQTT broker answers: try another --path or -V";
    fails(&outcome, 27, line);
    broker.finish_alone();
}

/// What the older version meets comes further than silence.
#[test]
fn a_refusal_of_the_older_version_is_told() {
    let refused = vec![Step::Upgrade, packet(V311), Step::Send("20 00 05"), Step::Gone];
    let broker = Broker::start_watchful(script([silent(V5), refused]));
    fails(&publish(&broker, &[]), 6, NOT_AUTHORIZED);
    broker.finish_alone();
}

/// MQTT 5 was asked for: there is one connection, and it has all the time.
#[test]
fn who_asks_for_mqtt_5_gets_nothing_else() {
    let rows: [&[&str]; 5] = [
        &["-V", "5"],
        &["-x", "60"],
        &["-D", "publish", "content-type", "text"],
        &["--auth-method", "PLAIN", "--auth-data", "x"],
        &["--will-topic", "w", "--will-delay", "5"],
    ];
    for row in rows {
        let broker = Broker::start_watchful(vec![Step::Upgrade, packet(V5), Step::Gone]);
        fails(&publish(&broker, row), 27, &CONNACK_TIMED_OUT.replace("0.5 s", "1.5 s"));
        broker.finish_alone();
    }
}

/// A broker that has begun to answer is no silent one.
#[test]
fn half_a_connack_is_no_silence() {
    for bytes in [b"\x82\x05\x20\x03\x00".as_slice(), b"\x89\x00".as_slice()] {
        let script = vec![Step::Upgrade, packet(V5), Step::Raw(bytes.into()), Step::Gone];
        let broker = Broker::start_watchful(script);
        let outcome = publish(&broker, &["--quiet"]);
        assert_eq!(outcome.code(), Some(27), "{outcome}");
        broker.finish_alone();
    }
}

/// The version that the broker has taken once is the one that it is asked for again.
#[test]
fn silence_when_a_lost_connection_is_made_again_is_no_evidence() {
    let begin = [Step::Upgrade, packet(V5), Step::Send("20 00 00 00"), packet("82 *"), Step::End];
    let again = [Step::Reconnect, Step::Upgrade, packet(V5), Step::Gone, Step::Reconnect];
    let last = [Step::Upgrade, packet(V5), Step::Send("20 00 00 00"), packet("82 *")];
    let end =
        [Step::Send("90 id 00 00; 30 <t> 00 'x'"), packet("e0"), Step::Close(1000), Step::Gone];
    let broker = Broker::start(begin.into_iter().chain(again).chain(last).chain(end).collect());
    let url = broker.url();
    let flags =
        ["-t", "t", "-C", "1", "--connect-timeout", "0.6", "--reconnect-delay", "0.01", "--quiet"];
    Program::new([&["sub", &url], &flags[..]].concat()).run().expect(0, "x\n", "");
}
