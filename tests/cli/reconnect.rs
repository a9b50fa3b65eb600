//! A connection that is lost and mended: what was not acknowledged is sent again, once more and in
//! order.

use std::time::Duration;

use crate::support::broker::{Broker, Step, connected, packet, subscribed, until_goodbye};
use crate::support::program::{Outcome, Program};

/// Runs it with a wait that a test can afford.
fn run(broker: &Broker, verb: &str, flags: &[&str], input: &str) -> Outcome {
    let url = broker.url();
    let command =
        [&[verb, &url, "-V", "311", "--reconnect-delay", "0.01", "--quiet", "-t", "t"], flags]
            .concat();
    Program::new(command).stdin(input).run()
}

/// `steps` after the connection has ended and been made again, the session being there or not.
fn again<const N: usize>(session_present: bool, steps: [Step; N]) -> Vec<Step> {
    let connack = if session_present { "20 01 00" } else { "20 00 00" };
    let mut script = vec![
        Step::End,
        Step::Reconnect,
        Step::Upgrade,
        packet("10 <MQTT> 04 *"),
        Step::Send(connack),
    ];
    script.extend(steps);
    script
}

#[test]
fn a_message_at_qos_1_is_sent_again_as_a_duplicate() {
    let mut script =
        connected([packet("32 <t> 00 01 'a'"), packet("32 <t> 00 02 'b'"), Step::Send("40 00 01")]);
    script.extend(again(true, [packet("3a <t> 00 02 'b'"), Step::Send("40 00 02")]));
    let broker = Broker::start(until_goodbye(script));
    run(&broker, "pub", &["-q", "1", "-l", "-c", "-i", "me"], "a\nb\n").expect(0, "", "");
}

#[test]
fn a_message_at_qos_2_is_not_sent_again_once_received() {
    let mut script =
        connected([packet("34 <t> 00 01 'a'"), Step::Send("50 00 01"), packet("62 00 01")]);
    script.extend(again(true, [packet("62 00 01"), Step::Send("70 00 01")]));
    let broker = Broker::start(until_goodbye(script));
    run(&broker, "pub", &["-q", "2", "-m", "a", "-c", "-i", "me"], "").expect(0, "", "");
}

#[test]
fn a_subscription_that_the_broker_lost_is_renewed() {
    let mut script = subscribed([Step::Send("30 <t> 'one'")]);
    script.extend(again(false, [packet("82 id <t> 00"), Step::Send("90 id 00; 30 <t> 'two'")]));
    let broker = Broker::start(until_goodbye(script));
    run(&broker, "sub", &["-C", "2"], "").expect(0, "one\ntwo\n", "");
}

#[test]
fn the_number_of_attempts_is_bounded() {
    // The listener ends with the script: nobody is there to come back to.
    let broker = Broker::start(subscribed([Step::End]));
    let outcome = run(&broker, "sub", &["--reconnect-tries", "2"], "");
    assert_eq!((outcome.code(), outcome.stdout.as_slice()), (Some(8), b"".as_slice()), "{outcome}");
}

/// Who publishes so many times a second is reminded as often; a try to connect again takes as long
/// as it takes.
#[test]
fn a_try_is_not_cut_short_by_the_pace() {
    let mut script = connected([packet("32 <t> 00 01 'a'"), Step::Send("40 00 01"), Step::End]);
    script.extend([
        Step::Reconnect,
        Step::Request(&[]),
        Step::Dally(Duration::from_millis(600)),
        Step::Accept,
        packet("10 <MQTT> 04 *"),
        Step::Send("20 00 00"),
        packet("32 <t> 00 02 'b'"),
        Step::Send("40 00 02"),
    ]);
    let broker = Broker::start(until_goodbye(script));
    run(&broker, "pub", &["-q", "1", "-l", "--rate", "5", "--reconnect-tries", "1"], "a\nb\n")
        .expect(0, "", "");
}
