//! What may become of a subscription: an answer that never comes, a broker that does not take what
//! is asked.

use crate::support::broker::{
    Broker, Step, connected, packet, subscribed, until_goodbye, until_session_end,
};
use crate::support::lines::{fails, fails_after, is_line};
use crate::support::program::{Outcome, Program};

/// Runs this verb against a script of MQTT 3.1.1.
fn run(verb: &str, script: Vec<Step>, arguments: &[&str]) -> Outcome {
    let broker = Broker::start(script);
    let url = broker.url();
    Program::new([&[verb, &url, "-V", "311", "--connect-timeout", "0.5"], arguments].concat()).run()
}

/// MQTT 5, a CONNACK with these properties, and then these steps.
fn limited<const N: usize>(connack: &'static str, steps: [Step; N]) -> Vec<Step> {
    let mut script = vec![Step::Upgrade, packet("10 <MQTT> 05 *"), Step::Send(connack)];
    script.extend(steps);
    script
}

/// Runs `mqttws sub -V 5` against a script.
fn sub5(script: Vec<Step>, arguments: &[&str]) -> Outcome {
    let broker = Broker::start(script);
    let url = broker.url();
    Program::new([&["sub", &url, "-V", "5", "--no-reconnect"], arguments].concat()).run()
}

#[test]
fn a_subscription_without_an_answer_ends() {
    let no_answer = "mqttws: subscribing to a/b: no answer from the broker within 0.5 s";
    let silent = until_goodbye(connected([packet("82 id <a/b> 00")]));
    fails(&run("sub", silent, &["-t", "a/b"]), 27, no_answer);
    // An answer to something else is none.
    let other = connected([packet("82 id <a/b> 00"), Step::Send("90 77 77 00")]);
    fails(&run("sub", until_goodbye(other), &["-t", "a/b"]), 27, no_answer);
    let several = until_goodbye(connected([packet("82 id <a> 00 <b> 00 <c> 00")]));
    let line = "mqttws: subscribing to a and 2 more: no answer from the broker within 0.5 s";
    fails(&run("sub", several, &["-t", "a", "-t", "b", "-t", "c"]), 27, line);
}

#[test]
fn what_comes_without_the_answer_is_printed() {
    let steps = [packet("82 id <a> 01"), Step::Send("32 <a> 00 01 'x'"), packet("40 00 01")];
    let script = until_goodbye(connected(steps));
    let line = "mqttws: subscribing to a: no answer from the broker within 0.5 s";
    let outcome = run("sub", script, &["-t", "a", "-q", "1", "-c", "-i", "me"]);
    fails_after(&outcome, b"x\n", 27, line);
}

#[test]
fn an_unsubscription_without_an_answer_ends() {
    let steps = [packet("82 id <a> 00"), packet("a2 id <b>"), Step::Send("90 00 01 00")];
    let line = "mqttws: unsubscribing from b: no answer from the broker within 0.5 s";
    fails(&run("sub", until_goodbye(connected(steps)), &["-t", "a", "-U", "b"]), 27, line);
}

#[test]
fn a_renewed_subscription_without_an_answer_ends() {
    let mut script = subscribed([Step::End, Step::Reconnect]);
    script.extend(until_goodbye(connected([packet("82 id <t> 00")])));
    let outcome = run("sub", script, &["-t", "t", "--reconnect-delay", "0.01"]);
    assert_eq!(outcome.code(), Some(27), "{outcome}");
    let text = String::from_utf8_lossy(&outcome.stderr);
    let last = text.lines().last().unwrap_or_default();
    assert_eq!(last, "mqttws: subscribing to t: no answer from the broker within 0.5 s");
}

#[test]
fn a_response_topic_without_an_answer_ends() {
    let script = until_goodbye(connected([packet("82 id <r> 00")]));
    let line = "mqttws: subscribing to r: no answer from the broker within 0.5 s";
    fails(&run("pub", script, &["--request", "-e", "r", "-t", "t", "-m", "m"]), 27, line);
}

#[test]
fn what_the_broker_does_not_take_is_not_asked() {
    let refuses = |connack, flags: &[&str], line| {
        fails(&sub5(until_goodbye(limited(connack, [])), flags), 7, line);
    };
    refuses(
        "20 00 00 02 28 00",
        &["-t", "a/#"],
        "mqttws: subscribing to a/#: refused: the broker does not support wildcards in subscriptions",
    );
    refuses(
        "20 00 00 02 2a 00",
        &["-t", "$share/g/a"],
        "mqttws: subscribing to $share/g/a: refused: the broker does not support shared subscriptions",
    );
    refuses(
        "20 00 00 02 29 00",
        &["-t", "a", "-D", "subscribe", "subscription-identifier", "1"],
        "mqttws: subscribing to a: refused: the broker does not support subscription identifiers",
    );
}

#[test]
fn the_rest_is_asked() {
    let steps = [packet("82 id 00 <a> 00 <c> 00"), Step::Send("90 id 00 00 87; 30 <a> 00 'x'")];
    let script = until_goodbye(limited("20 00 00 02 28 00", steps));
    let outcome = sub5(script, &["-t", "a", "-t", "+", "-t", "c", "-C", "1"]);
    assert_eq!((outcome.code(), &outcome.stdout[..]), (Some(7), &b"x\n"[..]), "{outcome}");
    let text = String::from_utf8_lossy(&outcome.stderr);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines,
        [
            "mqttws: subscribing to +: refused: the broker does not support wildcards in subscriptions",
            "mqttws: subscribing to c: refused: not authorized"
        ]
    );
}

/// A broker with a Maximum QoS below ours grants what it can `[MQTT-3.2.2-10]`.
#[test]
fn a_lower_maximum_qos_is_no_obstacle() {
    let steps = [packet("82 id 00 <a> 01"), Step::Send("90 id 00 00; 30 <a> 00 'x'")];
    let script = limited("20 00 00 02 24 00", steps);
    sub5(script, &["-t", "a", "-q", "1", "-C", "1"]).expect(0, "x\n", "");
}

#[test]
fn an_unsubscription_may_be_refused() {
    let steps = [packet("a2 id 00 <a>"), Step::Send("b0 id 00 87")];
    let outcome = sub5(until_goodbye(limited("20 00 00 00", steps)), &["-U", "a"]);
    assert_eq!(outcome.code(), Some(7));
    assert!(
        is_line(&outcome.stderr, "mqttws: unsubscribing from a: refused: not authorized"),
        "{outcome}"
    );
}

#[test]
fn an_unsuback_must_answer_what_was_asked() {
    let answered = |unsuback: &'static str, words: &str| {
        let script =
            limited("20 00 00 00", [packet("a2 id 00 <a>"), Step::Send(unsuback), Step::Gone]);
        let line = format!(
            "mqttws: unsubscribing at ws://127.0.0.1:*/mqtt: the broker broke the protocol: {words}"
        );
        fails(&sub5(script, &["-U", "a"]), 9, &line);
    };
    answered("b0 id 00 00 00", "UNSUBACK with 2 reason codes instead of 1 [MQTT-3.11.3-1]");
    answered("b0 id 00", "malformed packet: UNSUBACK without a reason code (*)");
    // Before MQTT 5 it has none.
    let script = connected([packet("a2 id <a>"), Step::Send("b0 id")]);
    run("sub", until_goodbye(script), &["-U", "a"]).expect(0, "", "");
}

/// The reason of a refusal is shown as that of a message: without what could drive a terminal.
#[test]
fn the_reasons_of_refusals_are_told() {
    let refused = |steps, flags: &[&str], line| {
        fails(&sub5(until_goodbye(limited("20 00 00 00", steps)), flags), 7, line);
    };
    refused(
        [packet("82 id 00 <a> 00"), Step::Send("90 id 07 1f <no\u{1b}!> 87")],
        &["-t", "a"],
        "mqttws: subscribing to a: refused: not authorized (no\\u{1b}!)",
    );
    refused(
        [packet("a2 id 00 <a>"), Step::Send("b0 id 06 1f <why> 87")],
        &["-U", "a"],
        "mqttws: unsubscribing from a: refused: not authorized (why)",
    );
    let steps = [packet("82 id 00 <r> 00"), Step::Send("90 id 06 1f <why> 87")];
    let broker = Broker::start(until_goodbye(limited("20 00 00 00", steps)));
    let url = broker.url();
    let outcome =
        Program::new(["pub", &url, "-V", "5", "--request", "-e", "r", "-t", "t", "-n"]).run();
    fails(&outcome, 7, "mqttws: subscribing to r: refused: not authorized (why)");
}

const UNSTORED: &str = "mqttws: warning: subscribing to a: the broker granted QoS 0, not 1: it \
                        stores no messages while we are disconnected\n";

#[test]
fn a_lower_qos_stores_nothing_in_a_session_that_is_kept() {
    let granted = |code: &'static str, flags: &[&str]| {
        let steps = [packet("82 id 00 <a> *"), Step::Send(code)];
        let script = until_goodbye(limited("20 00 00 00", steps));
        sub5(script, &[&["-t", "a", "-q", "1", "-E"], flags].concat())
    };
    for flags in [&["-i", "me", "-c"][..], &["-i", "me", "-x", "60"]] {
        granted("90 id 00 00", flags).expect(0, "", UNSTORED);
        granted("90 id 00 01", flags).expect(0, "", "");
        granted("90 id 00 00", &[flags, &["--quiet"]].concat()).expect(0, "", "");
    }
    granted("90 id 06 1f <why> 00", &["-i", "me", "-c"]).expect(
        0,
        "",
        &UNSTORED.replace("not 1", "not 1 (why)"),
    );
    // Without -c nothing was to be stored.
    let steps = [packet("82 id 00 <a> 01"), Step::Send("90 id 00 00")];
    let script = until_session_end(limited("20 00 00 00", steps));
    sub5(script, &["-t", "a", "-q", "1", "-E"]).expect(0, "", "");
    // Before MQTT 5, too.
    let steps = [packet("82 id <a> 01"), Step::Send("90 id 00")];
    run("sub", until_goodbye(connected(steps)), &["-t", "a", "-q", "1", "-E", "-c", "-i", "me"])
        .expect(0, "", UNSTORED);
}

#[test]
fn a_shared_subscription_before_mqtt_5_is_warned_of_once() {
    let warning = "mqttws: warning: MQTT 3.1.1 has no shared subscriptions: some brokers take \
                   $share/g/a for a plain filter, which no message matches; use MQTT 5 where the \
                   broker speaks it\n";
    let asked = || {
        let steps = [packet("82 id <$share/g/a> 00 <$share/g/b> 00"), Step::Send("90 id 00 00")];
        until_goodbye(connected(steps))
    };
    let shared = ["--share", "g", "-t", "a", "-t", "b", "-E"];
    run("sub", asked(), &shared).expect(0, "", warning);
    run("sub", asked(), &["-t", "$share/g/a", "-t", "$share/g/b", "-E"]).expect(0, "", warning);
    run("sub", asked(), &[&shared[..], &["--quiet"]].concat()).expect(0, "", "");
    let steps = [packet("82 id 00 <$share/g/a> 00"), Step::Send("90 id 00 00")];
    let script = until_goodbye(limited("20 00 00 00", steps));
    sub5(script, &["--share", "g", "-t", "a", "-E"]).expect(0, "", "");
}

/// `-t $SYS/#` without quotes.
#[test]
fn a_variable_of_the_shell_is_warned_of() {
    let warning = "mqttws: warning: -t /# is about topics that begin with a slash; the broker's own \
                   are '$SYS/#', where only single quotes keep the shell from the $\n";
    let script = || until_goodbye(connected([packet("82 id </#> 00"), Step::Send("90 id 00")]));
    run("sub", script(), &["-t", "/#", "-E"]).expect(0, "", warning);
    run("sub", script(), &["-t", "/#", "-E", "--quiet"]).expect(0, "", "");
}
