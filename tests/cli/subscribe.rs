//! `mqttws sub`: what it asks for, what it prints, and when it acknowledges.

use crate::support::broker::{
    Broker, Step, connected, packet, subscribed, until_goodbye, until_session_end,
};
use crate::support::lines::{self, fails, fails_after};
use crate::support::program::Program;

/// `mqttws sub URL -V 311` and `arguments`.
fn subscribe(broker: &Broker, arguments: &[&str]) -> Program {
    let url = broker.url();
    Program::new([&["sub", &url, "-V", "311"], arguments].concat())
}

/// A broker that takes a subscription to `t`, sends this, and sees the goodbye.
fn sending(packets: &'static str) -> Broker {
    Broker::start(until_goodbye(subscribed([Step::Send(packets)])))
}

#[test]
fn payloads_are_printed_a_line_each() {
    let broker = sending("30 <t> 'one'; 30 <t>; 30 <t> 00 ff 'three'");
    subscribe(&broker, &["-t", "t", "-C", "3"]).run().expect(0, b"one\n\n\x00\xffthree\n", "");
}

#[test]
fn verbose_puts_the_topic_first() {
    let broker = sending("30 <t> 'one'; 30 <ö/x> 'two'");
    subscribe(&broker, &["-t", "t", "-C", "2", "-v"]).run().expect(0, "t one\nö/x two\n", "");
}

#[test]
fn no_newline_when_asked() {
    let broker = sending("30 <t> 'one'; 30 <t> 'two'");
    subscribe(&broker, &["-t", "t", "-C", "2", "-N"]).run().expect(0, "onetwo", "");
}

#[test]
fn nothing_is_printed_beyond_the_count() {
    let broker = sending("30 <t> 'one'; 30 <t> 'two'; 30 <t> 'three'");
    subscribe(&broker, &["-t", "t", "-C", "2"]).run().expect(0, "one\ntwo\n", "");
}

#[test]
fn control_characters_pass_through_a_pipe() {
    let broker = sending("30 <t> 1b '[2J' 07");
    subscribe(&broker, &["-t", "t", "-C", "1"]).run().expect(0, "\x1b[2J\x07\n", "");
}

#[test]
fn several_filters_are_one_request() {
    let steps = connected([
        packet("82 id <a> 01 <b/+> 01 <c/#> 01"),
        Step::Send("90 id 01 01 00"),
        Step::Send("30 <a> 'x'"),
    ]);
    let broker = Broker::start(until_goodbye(steps));
    let filters = ["-t", "a", "-t", "b/+", "-t", "c/#", "-q", "1", "-C", "1"];
    subscribe(&broker, &filters).run().expect(0, "x\n", "");
}

#[test]
fn a_message_at_qos_1_is_acknowledged() {
    let steps = connected([
        packet("82 id <t> 01"),
        Step::Send("90 id 01; 32 <t> 00 07 'x'"),
        packet("40 00 07"),
    ]);
    let broker = Broker::start(until_goodbye(steps));
    subscribe(&broker, &["-t", "t", "-q", "1", "-C", "1"]).run().expect(0, "x\n", "");
}

#[test]
fn a_message_at_qos_2_is_printed_once() {
    let steps = connected([
        packet("82 id <t> 02"),
        Step::Send("90 id 02; 34 <t> 00 07 'x'"),
        packet("50 00 07"),
        Step::Send("3c <t> 00 07 'x'"),
        packet("50 00 07"),
        Step::Send("62 00 07"),
        packet("70 00 07"),
        Step::Send("30 <t> 'end'"),
    ]);
    let broker = Broker::start(until_goodbye(steps));
    subscribe(&broker, &["-t", "t", "-q", "2", "-C", "2"]).run().expect(0, "x\nend\n", "");
}

#[test]
fn frames_need_not_be_packets() {
    let steps = connected([
        packet("82 id <t> 00"),
        Step::Drip("90 id 00; 30 <t> 'one'"),
        Step::Send("30 <t> 'two'; 30 <t> 'three'; 30 <t> 'four'"),
        // A fragmented message with a Ping between its fragments, each half a packet.
        Step::Frame(0x02, b"\x30\x07\x00\x01"),
        Step::Frame(0x89, b"are you there"),
        Step::Frame(0x80, b"tfive"),
        Step::Pong(b"are you there"),
        Step::Frame(0x82, b""),
    ]);
    let broker = Broker::start(until_goodbye(steps));
    let outcome = subscribe(&broker, &["-t", "t", "-C", "5"]).run();
    outcome.expect(0, "one\ntwo\nthree\nfour\nfive\n", "");
}

#[test]
fn version_5_has_properties() {
    let broker = Broker::start(until_session_end(vec![
        Step::Upgrade,
        packet("10 <MQTT> 05 *"),
        Step::Send("20 00 00 03 21 00 14"),
        packet("82 id 00 <t> 02"),
        Step::Send("90 id 00 02"),
        Step::Send("30 <t> 02 01 01 'x'"),
    ]));
    let program = Program::new(["sub", &broker.url(), "-t", "t", "-q", "2", "-C", "1"]);
    program.run().expect(0, "x\n", "");
}

#[test]
fn a_refused_subscription() {
    let broker =
        Broker::start(until_goodbye(connected([packet("82 id <t> 00"), Step::Send("90 id 80")])));
    fails(&subscribe(&broker, &["-t", "t"]).run(), 7, lines::SUBSCRIPTION_REFUSED);
}

#[test]
fn a_subscription_refused_among_others_is_told_and_the_others_go_on() {
    let steps = connected([packet("82 id <t> 00 <u> 00"), Step::Send("90 id 80 00; 30 <u> 'x'")]);
    let broker = Broker::start(until_goodbye(steps));
    let outcome = subscribe(&broker, &["-t", "t", "-t", "u", "-C", "1"]).run();
    fails_after(&outcome, b"x\n", 7, lines::SUBSCRIPTION_REFUSED);
}

#[test]
fn the_wait_is_bounded() {
    let broker = Broker::start(until_goodbye(subscribed([Step::Send("30 <t> 'one'")])));
    let outcome = subscribe(&broker, &["-t", "t", "-C", "2", "-W", "0.3"]).run();
    fails_after(&outcome, b"one\n", 27, lines::WAIT_IS_OVER);
    assert!(outcome.took.as_millis() >= 300, "too early:\n{outcome}");
}

/// As in `mqttws sub | head -1`: what was read is all that is wanted.
#[test]
fn a_reader_that_goes_away_is_success() {
    // More is sent, and more than a pipe holds, until the closed pipe is noticed.
    let more = vec![b"\x82\x06\x30\x04\x00\x01tx".as_slice(); 100_000].concat();
    let broker = Broker::start(subscribed([Step::Send("30 <t> 'one'"), Step::Flood(more)]));
    let outcome = subscribe(&broker, &["-t", "t"]).stdout_read_for_one_line().run();
    outcome.expect(0, "one\n", "");
}

/// ... also when nothing more comes that could not be written.
#[test]
fn a_reader_that_goes_away_is_noticed_at_once() {
    let broker = Broker::start(until_goodbye(subscribed([Step::Send("30 <t> 'one'")])));
    subscribe(&broker, &["-t", "t"]).stdout_read_for_one_line().run().expect(0, "one\n", "");
}

/// Promise 1 of design.md §4: the broker still has what was not printed.
#[test]
fn what_could_not_be_printed_is_not_acknowledged() {
    let steps = connected([
        packet("82 id <t> 01"),
        Step::Send("90 id 01; 32 <t> 00 07 'x'"),
        packet("e0"),
        Step::Gone,
    ]);
    let broker = Broker::start(steps);
    subscribe(&broker, &["-t", "t", "-q", "1"]).stdout_closed().run().expect(0, "", "");
}
