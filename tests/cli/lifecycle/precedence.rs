//! The exit code of a run in which more than one thing went wrong, and what is no loss at all.

use crate::support::broker::{Broker, Step, connected, packet};
use crate::support::lines::{fails, is_like};
use crate::support::program::{Outcome, Program};

/// MQTT 5 up to CONNACK, and then these steps.
fn connected_in_5(steps: impl IntoIterator<Item = Step>) -> Vec<Step> {
    let mut script = vec![Step::Upgrade, packet("10 <MQTT> 05 *"), Step::Send("20 00 00 00")];
    script.extend(steps);
    script
}

/// Runs `mqttws pub -V 5 -q 1 -l` with two lines and these flags; the first line is refused.
fn first_is_refused(end: impl IntoIterator<Item = Step>, flags: &[&str]) -> Outcome {
    let refused =
        [packet("32 <t> 00 01 00 'a'"), packet("32 <t> 00 02 00 'b'"), Step::Send("40 00 01 87")];
    let broker = Broker::start(connected_in_5(refused.into_iter().chain(end)));
    let command = ["pub", &broker.url(), "-V", "5", "-t", "t", "-q", "1", "-l"];
    Program::new([&command[..], flags].concat()).stdin("a\nb\n").run()
}

fn fails_with_lines(outcome: &Outcome, code: i32, patterns: &[&str]) {
    let stderr = String::from_utf8_lossy(&outcome.stderr).into_owned();
    let lines: Vec<&str> = stderr.lines().collect();
    let is_right = lines.len() == patterns.len()
        && lines.iter().zip(patterns).all(|(line, pattern)| is_like(line, pattern));
    assert!(outcome.code() == Some(code) && is_right, "{outcome}");
}

const REFUSED: &str = "mqttws: publishing to t: message 1 refused: not authorized";

#[test]
fn a_refused_message_stays_refused_when_the_connection_is_lost() {
    let outcome = first_is_refused([Step::End], &["--no-reconnect"]);
    let lost = "mqttws: publishing to t at ws*: gave up with 0 messages acknowledged and 1 in \
                doubt; go on with number 2: connection lost: *";
    fails_with_lines(&outcome, 7, &[REFUSED, lost]);
}

#[test]
fn the_time_of_w_is_told_after_a_refusal() {
    let end = [packet("e0 *"), Step::Close(1000), Step::Gone];
    let outcome = first_is_refused(end, &["-W", "0.5"]);
    let late = "mqttws: publishing: timed out after 0.5 s with 0 of 2 messages handed over; go on \
                with number 2, which may arrive twice";
    fails_with_lines(&outcome, 7, &[REFUSED, late]);
}

/// A refused filter, and then no connection any more.
#[test]
fn a_refused_filter_stays_refused_when_the_connection_is_lost() {
    let steps = [packet("82 id 00 <t> 00 <u> 00"), Step::Send("90 id 00 87 00"), Step::End];
    let broker = Broker::start(connected_in_5(steps));
    let command = ["sub", &broker.url(), "-V", "5", "-t", "t", "-t", "u", "--no-reconnect"];
    let outcome = Program::new(command).run();
    let lost = "mqttws: subscribed at ws*: connection lost: *";
    fails_with_lines(&outcome, 7, &["mqttws: subscribing to t: refused: not authorized*", lost]);
}

/// A reset that comes with the last acknowledgement costs no message.
#[test]
fn a_reset_after_the_last_acknowledgement_is_no_loss() {
    let rows: [(&str, Vec<Step>); 2] = [
        ("1", vec![packet("32 <t> id 'x'"), Step::Send("40 id"), Step::Abort]),
        (
            "2",
            vec![
                packet("34 <t> id 'x'"),
                Step::Send("50 id"),
                packet("62 id"),
                Step::Send("70 id"),
                Step::Abort,
            ],
        ),
    ];
    for (qos, steps) in rows {
        let mut script = connected([]);
        script.extend(steps);
        let broker = Broker::start(script);
        let command = ["pub", &broker.url(), "-V", "311", "-t", "t", "-q", qos, "-m", "x"];
        let flags = ["-c", "-i", "me"];
        Program::new([&command[..], &flags].concat()).run().expect(0, "", "");
    }
}

/// A message to `t` with the response topic `r`, and these steps after the reply to it.
fn replied(steps: impl IntoIterator<Item = Step>) -> (Broker, Program) {
    let granted = [packet("82 id 00 <t> 01"), Step::Send("90 id 00 01")];
    let request = [Step::Send("32 <t> 00 07 04 08 <r> 'x'"), packet("32 <r> 00 02 00 'x'")];
    let broker = Broker::start(connected_in_5(granted.into_iter().chain(request).chain(steps)));
    let url = broker.url();
    let command = ["sub", &url, "-V", "5", "-q", "1", "-t", "t", "-C", "1", "--exec", "cat"];
    let flags = ["--reply", "--connect-timeout", "1"];
    (broker, Program::new([&command[..], &flags].concat()))
}

#[test]
fn a_reply_without_its_acknowledgement_times_out() {
    let steps = [packet("40 00 07"), packet("e0 *"), Step::Close(1000), Step::Gone];
    let (_broker, program) = replied(steps);
    fails(&program.run(), 27, "mqttws: replying: no answer from the broker within 1 s");
}

/// Retained messages `a` and `b` at QoS 0, and these steps after their removal was sent.
fn removed(steps: impl IntoIterator<Item = Step>, timeout: &str) -> (Broker, Program) {
    let retained = [
        packet("82 id 00 <#> 00"),
        Step::Send("90 id 00 00; 31 <a> 00 'x'; 31 <b> 00 'y'"),
        packet("33 <a> 00 02 00"),
        packet("33 <b> 00 03 00"),
    ];
    let broker = Broker::start(connected_in_5(retained.into_iter().chain(steps)));
    let url = broker.url();
    let command = ["sub", &url, "-V", "5", "-t", "#", "-C", "2", "--remove-retained"];
    (broker, Program::new([&command[..], &["--connect-timeout", timeout]].concat()))
}

#[test]
fn a_removal_without_its_acknowledgement_times_out() {
    let (_broker, program) = removed([packet("e0 *"), Step::Close(1000), Step::Gone], "1");
    let outcome = program.run();
    let line = "mqttws: removing retained messages: no answer from the broker within 1 s\n";
    outcome.expect(27, "x\ny\n", line);
}

/// What was interrupted before it was done is not done.
#[test]
fn an_interrupted_removal_is_not_done() {
    let steps = [Step::Tell, packet("e0 *"), Step::Close(1000), Step::Gone];
    let (broker, program) = removed(steps, "20");
    let running = program.spawn();
    broker.wait();
    running.signal("INT");
    let line = "mqttws: removing retained messages: interrupted\n";
    running.finish().expect(130, "x\ny\n", line);
}

/// A message whose command was interrupted was not received: it stays with the broker.
#[test]
fn an_interrupted_command_does_not_count() {
    let steps = [
        packet("82 id 00 <t> 01"),
        Step::Send("90 id 00 01; 32 <t> 00 07 00 'x'; 32 <t> 00 08 00 'y'"),
        packet("40 00 07"),
        Step::Tell,
        packet("e0 *"),
        Step::Close(1000),
        Step::Gone,
    ];
    let broker = Broker::start(connected_in_5(steps));
    let exec = "read -r word; test \"$word\" = x || sleep 20";
    let url = broker.url();
    let command = ["sub", &url, "-V", "5", "-q", "1", "-t", "t", "-C", "2", "--exec", exec];
    let running = Program::new(command).spawn();
    broker.wait();
    running.signal("INT");
    fails(&running.finish(), 130, "mqttws: subscribed: interrupted with 1 of 2 messages");
}
