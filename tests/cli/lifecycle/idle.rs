//! A broker that does not answer SUBSCRIBE: the time of `--idle` has not begun, and nobody is
//! subscribed. And a message that has begun to arrive is not passed over in silence.

use std::time::Duration;

use crate::support::broker::{Broker, Step, connected, packet, subscribed, until_goodbye};
use crate::support::lines::{fails, fails_after};
use crate::support::program::{Outcome, Program};

/// `sub -t t` with these flags.
fn subscribe(broker: &Broker, flags: &[&str]) -> Outcome {
    let command = ["sub", &broker.url(), "-V", "311", "-t", "t"];
    Program::new([&command[..], flags].concat()).spawn().finish_within(Duration::from_secs(15))
}

/// A broker that answers everything but SUBSCRIBE.
fn without_suback() -> Broker {
    Broker::start(connected([packet("82 id <t> 00"), Step::Gone]))
}

#[test]
fn the_time_of_idle_begins_with_suback() {
    let outcome = subscribe(&without_suback(), &["--idle", "0.2", "--connect-timeout", "1.5"]);
    fails(&outcome, 27, "mqttws: subscribing to t: no answer from the broker within 1.5 s");
}

/// With several filters the first is named, and the others are counted.
#[test]
fn the_filters_that_were_not_answered_are_told() {
    let broker = Broker::start(connected([packet("82 id <t> 00 <u/+> 00"), Step::Gone]));
    let outcome = subscribe(&broker, &["-t", "u/+", "--idle", "0.2", "--connect-timeout", "1.5"]);
    fails(
        &outcome,
        27,
        "mqttws: subscribing to t and 1 more: no answer from the broker within 1.5 s",
    );
}

#[test]
fn the_time_of_w_does_not_say_that_it_was_subscribed() {
    let outcome = subscribe(&without_suback(), &["-W", "0.3"]);
    fails(&outcome, 27, "mqttws: subscribing to t: no answer from the broker within 0.3 s");
    let outcome = subscribe(&without_suback(), &["-W", "0.3", "-C", "2"]);
    fails(&outcome, 27, "mqttws: subscribing to t: no answer from the broker within 0.3 s");
}

/// Both are over at the same time, or nearly: the one that failed is told.
#[test]
fn w_with_idle_and_without_suback() {
    let outcome = subscribe(&without_suback(), &["--idle", "0.2", "-W", "0.5"]);
    fails(&outcome, 27, "mqttws: subscribing to t: no answer from the broker within 0.5 s");
}

/// The SUBACK comes later than the time of `--idle`, and the message soon after it.
#[test]
fn a_slow_suback_does_not_use_up_the_time_of_idle() {
    let broker = Broker::start(until_goodbye(connected([
        packet("82 id <t> 00"),
        Step::Dally(Duration::from_millis(1200)),
        Step::Send("90 id 00"),
        Step::Dally(Duration::from_millis(300)),
        Step::Send("30 <t> 'x'"),
    ])));
    subscribe(&broker, &["--idle", "1"]).expect(0, "x\n", "");
}

/// Before SUBACK a broker may send retained messages already.
#[test]
fn a_message_before_suback_is_one() {
    let broker = Broker::start(until_goodbye(connected([
        packet("82 id <t> 00"),
        Step::Send("31 <t> 'x'; 90 id 00"),
    ])));
    subscribe(&broker, &["--idle", "0.3"]).expect(0, "x\n", "");
}

/// After a lost connection the broker has to answer once more.
#[test]
fn the_time_of_idle_stands_still_while_the_connection_is_lost() {
    let again =
        [Step::End, Step::Reconnect, Step::Request(&[]), Step::Dally(Duration::from_millis(1200))];
    let mut script = subscribed(again);
    script.extend([
        Step::Accept,
        packet("10 <MQTT> 04 *"),
        Step::Send("20 00 00"),
        packet("82 id <t> 00"),
    ]);
    script.extend([
        Step::Send("90 id 00; 30 <t> 'x'"),
        packet("e0"),
        Step::Close(1000),
        Step::Gone,
    ]);
    let broker = Broker::start(script);
    subscribe(&broker, &["--idle", "1", "--reconnect-delay", "0.01", "--quiet"])
        .expect(0, "x\n", "");
}

/// A message of which only half has come when the time is up.
#[test]
fn idle_in_the_middle_of_a_message_is_told() {
    let half = || Step::Raw(b"\x82\x07\x30\x05\x00\x01tab\x82\x05\x30\x06\x00\x01t".into());
    let line = "mqttws: subscribed: ended in the middle of a message*";
    // The time of --for is up whatever comes then.
    for (flag, code) in [("--idle", 27), ("--for", 0)] {
        let broker = Broker::start(subscribed([half(), Step::Gone]));
        fails_after(&subscribe(&broker, &[flag, "0.5"]), b"ab\n", code, line);
    }
}

/// One that is cut within a frame, and one that is too small to know its topic.
#[test]
fn idle_in_the_middle_of_a_frame_is_told() {
    for half in [b"\x82\x08\x30\x06\x00\x01ta".as_slice(), b"\x82\x01\x30".as_slice()] {
        let broker = Broker::start(subscribed([Step::Raw(half.into()), Step::Gone]));
        let outcome = subscribe(&broker, &["--idle", "0.5"]);
        fails(&outcome, 27, "mqttws: subscribed: ended in the middle of a message*");
    }
}

/// A message that arrives slowly and whole is printed, whatever the time of `--idle` is.
#[test]
fn a_message_that_arrives_slowly_is_no_silence() {
    let mut script = subscribed([Step::Raw(b"\x82\x0b".into())]);
    for byte in *b"\x30\x09\x00\x01tslooow" {
        script.extend([Step::Dally(Duration::from_millis(150)), Step::Raw(vec![byte])]);
    }
    let broker = Broker::start(until_goodbye(script));
    let outcome = subscribe(&broker, &["--idle", "1"]);
    let is_whole = outcome.code() == Some(0) && outcome.stdout == b"slooow\n";
    let is_told = outcome.code() == Some(27) && !outcome.stderr.is_empty();
    assert!(is_whole || is_told, "{outcome}");
}
