//! The error that came furthest is told: not the refusal of a version or of a name that another try
//! went past.

use crate::support::broker::{Broker, Step, packet};
use crate::support::lines::{self, fails};
use crate::support::program::{Outcome, Program};

/// `pub -m x`, with the versions and names that it tries by itself.
fn publish(script: Vec<Step>, flags: &[&str]) -> Outcome {
    let broker = Broker::start_watchful(script);
    let url = broker.url();
    let outcome = Program::new([&["pub", &url, "-t", "t", "-m", "x"], flags].concat()).run();
    broker.finish_alone();
    outcome
}

/// One try: an upgrade, a CONNECT like this, and these steps.
fn try_with<const N: usize>(connect: &str, steps: [Step; N]) -> Vec<Step> {
    let mut script = vec![Step::Upgrade, packet(connect)];
    script.extend(steps);
    script
}

/// Tries one after the other.
fn tries(scripts: impl IntoIterator<Item = Vec<Step>>) -> Vec<Step> {
    let mut steps = Vec::new();
    for script in scripts {
        if !steps.is_empty() {
            steps.push(Step::Reconnect);
        }
        steps.extend(script);
    }
    steps
}

const V5: &str = "10 <MQTT> 05 *";
const V311: &str = "10 <MQTT> 04 *";
const V31: &str = "10 <MQIsdp> 03 *";

#[test]
fn a_wrong_password_at_a_broker_without_mqtt_5() {
    // As 3.1.1 says it, as MQTT 5 says it, and without a word.
    for refusal in [Step::Send("20 00 01"), Step::Send("20 00 84 00"), Step::End] {
        let first = try_with(V5, [refusal, Step::Gone]);
        let second = try_with(V311, [Step::Send("20 00 04"), Step::Gone]);
        fails(&publish(tries([first, second]), &[]), 6, lines::BAD_CREDENTIALS);
    }
    let first = try_with(V5, [Step::Send("20 00 01"), Step::Gone]);
    let second = try_with(V311, [Step::Send("20 00 05"), Step::Gone]);
    fails(&publish(tries([first, second]), &[]), 6, lines::NOT_AUTHORIZED);
}

#[test]
fn a_wrong_password_at_a_broker_with_the_oldest_version_only() {
    let first = try_with(V5, [Step::Send("20 00 01"), Step::Gone]);
    let second = try_with(V311, [Step::Send("20 00 01"), Step::Gone]);
    let third = try_with(V31, [Step::Send("20 00 04"), Step::Gone]);
    fails(&publish(tries([first, second, third]), &[]), 6, lines::BAD_CREDENTIALS);
}

/// The first name of the subprotocol is answered with 400, and with the second one CONNECT is
/// refused.
#[test]
fn a_wrong_password_behind_the_other_subprotocol() {
    let bad = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    let first =
        vec![Step::Request(&["Sec-WebSocket-Protocol: mqtt"]), Step::Answer(bad), Step::End];
    let second = try_with("10 <MQTT> 04 *", [Step::Send("20 00 04"), Step::Gone]);
    fails(&publish(tries([first, second]), &["-V", "311"]), 6, lines::BAD_CREDENTIALS);
}

/// A client id that the broker does not take.
#[test]
fn another_refusal_at_a_broker_without_mqtt_5() {
    let first = try_with(V5, [Step::Send("20 00 01"), Step::Gone]);
    let second = try_with(V311, [Step::Send("20 00 02"), Step::Gone]);
    let line = "mqttws: connecting to ws://127.0.0.1:*/mqtt: the broker refused: *; \
                choose another client id with -i";
    fails(&publish(tries([first, second]), &[]), 6, line);
}

/// A second try that does not come as far as the first hides nothing.
#[test]
fn an_error_of_the_second_try_that_comes_less_far_is_not_told() {
    let first = try_with(V5, [Step::Send("20 00 84 00"), Step::Gone]);
    let second = vec![Step::Heard, Step::Abort];
    let outcome = publish(tries([first, second]), &["--subprotocol", "mqtt"]);
    let line = "mqttws: connecting to ws://127.0.0.1:*/mqtt: the broker refused MQTT 5: *; try \
                another version with -V";
    fails(&outcome, 6, line);
}

/// Where all versions are refused, the first one is as good as any.
#[test]
fn a_broker_that_refuses_every_version() {
    let refuse = |connect| try_with(connect, [Step::Send("20 00 01"), Step::Gone]);
    let line = "mqttws: connecting to ws://127.0.0.1:*/mqtt: the broker refused MQTT 5: *; try \
                another version with -V";
    fails(&publish(tries([V5, V311, V31].map(refuse)), &[]), 6, line);
}

/// What was asked for needs MQTT 5, so there is no other version to try; it must not be advised
/// either.
fn needs_mqtt_5(verb: &str, flags: &[&str], named: &str) {
    let hint = format!("{named} needs MQTT 5: leave it out, or use a broker that speaks MQTT 5");
    refused_with_a_hint(verb, flags, &hint);
}

fn refused_with_a_hint(verb: &str, flags: &[&str], hint: &str) {
    for refusal in ["20 00 01", "20 00 84 00"] {
        let broker = Broker::start_watchful(try_with(V5, [Step::Send(refusal), Step::Gone]));
        let url = broker.url();
        let outcome = Program::new([&[verb, &url, "-t", "t"], flags].concat()).run();
        let refused = "mqttws: connecting to ws://127.0.0.1:*/mqtt: the broker refused MQTT 5: *; ";
        let line = [refused, hint].concat();
        fails(&outcome, 6, &line);
        broker.finish_alone();
    }
}

#[test]
fn a_flag_that_needs_mqtt_5_is_named() {
    needs_mqtt_5("pub", &["-m", "x", "-D", "publish", "content-type", "text"], "-D");
    needs_mqtt_5("pub", &["-m", "x", "-x", "60"], "-x");
    needs_mqtt_5("sub", &["-x", "60", "-i", "me"], "-x");
    needs_mqtt_5(
        "pub",
        &["-m", "x", "--auth-method", "PLAIN", "--auth-data", "x"],
        "--auth-method",
    );
    needs_mqtt_5("pub", &["-m", "x", "--will-topic", "w", "--will-delay", "5"], "--will-delay");
    needs_mqtt_5("sub", &["--no-local"], "--no-local");
    needs_mqtt_5("sub", &["--retain-as-published"], "--retain-as-published");
    needs_mqtt_5("sub", &["--retain-handling", "never"], "--retain-handling");
    needs_mqtt_5("pub", &["-l", "--latency"], "--latency");
}

/// A password without a user name: what is missing is `-u`.
#[test]
fn a_password_that_needs_mqtt_5_is_named() {
    let hint = "a password without a user name needs MQTT 5: give one with -u";
    refused_with_a_hint("pub", &["-m", "x", "-P", "s3cret"], hint);
}
