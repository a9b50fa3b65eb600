//! `mqttws pub -q 2` and a broker that loses the session with the last messages in flight: nothing
//! is sent again, each message in doubt is named, and the exit code is 7.

use crate::support::broker::{Broker, Step, connected, packet};
use crate::support::folder::Folder;
use crate::support::program::{Outcome, Program};

/// The words for each message in doubt.
const WHY: &str = "refused: in doubt: the broker has lost the session";

/// Runs `pub -q 2 -t t` with these flags; the connection ends after `steps`.
fn publishes(version: &str, flags: &[&str], input: &str, steps: Vec<Step>) -> Outcome {
    let (mut script, connack, last) = match version {
        "5" => {
            let connect = vec![Step::Upgrade, packet("10 <MQTT> 05 *"), Step::Send("20 00 00 00")];
            (connect, "20 00 00 00", "e0 *")
        }
        _ => (connected([]), "20 00 00", "e0"),
    };
    script.extend(steps);
    script.extend([
        Step::End,
        Step::Reconnect,
        Step::Upgrade,
        packet("10 <MQTT> *"),
        Step::Send(connack),
    ]);
    script.push(packet(last));
    script.extend([Step::Close(1000), Step::Gone]);
    let broker = Broker::start(script);
    let url = broker.url();
    let command = ["pub", &url, "-V", version, "-t", "t", "-q", "2", "-c", "-i", "me", "--quiet"];
    let command = [&command[..], &["--reconnect-delay", "0.01"], flags].concat();
    Program::new(command).stdin(input).run()
}

/// One PUBLISH at QoS 2, as it is before MQTT 5 and since.
fn publish(version: &str, number: u8, payload: &str) -> Step {
    let properties = if version == "5" { "00" } else { "" };
    packet(&format!("34 <t> 00 {number:02x} {properties} '{payload}'"))
}

fn both(mut check: impl FnMut(&str)) {
    for version in ["311", "5"] {
        println!("MQTT {version}");
        check(version);
    }
}

#[test]
fn one_message() {
    both(|version| {
        for (flags, input) in [(&["-m", "x"][..], ""), (&["-s"], "x")] {
            let outcome = publishes(version, flags, input, vec![publish(version, 1, "x")]);
            outcome.expect(7, "", &format!("mqttws: publishing to t: message {WHY}\n"));
        }
    });
}

#[test]
fn one_message_that_was_received() {
    both(|version| {
        let steps = vec![publish(version, 1, "x"), Step::Send("50 00 01"), packet("62 00 01")];
        let outcome = publishes(version, &["-m", "x"], "", steps);
        outcome.expect(7, "", &format!("mqttws: publishing to t: message {WHY}\n"));
    });
}

#[test]
fn lines_and_records() {
    let records = "{\"payload\":\"a\"}\n{\"payload\":\"b\"}\n";
    both(|version| {
        for (flags, input) in [(&["-l"][..], "a\nb\n"), (&["--json"], records)] {
            let steps = vec![publish(version, 1, "a"), publish(version, 2, "b")];
            let lines =
                [1, 2].map(|number| format!("mqttws: publishing to t: message {number} {WHY}\n"));
            publishes(version, flags, input, steps).expect(7, "", &lines.concat());
        }
    });
}

#[test]
fn only_the_last_of_several_lines() {
    both(|version| {
        let steps = vec![
            publish(version, 1, "a"),
            publish(version, 2, "b"),
            Step::Send("50 00 01"),
            packet("62 00 01"),
            Step::Send("70 00 01"),
        ];
        let outcome = publishes(version, &["-l"], "a\nb\n", steps);
        outcome.expect(7, "", &format!("mqttws: publishing to t: message 2 {WHY}\n"));
    });
}

#[test]
fn repeated_messages() {
    both(|version| {
        let steps = vec![publish(version, 1, "x"), publish(version, 2, "x")];
        let line = |number| format!("mqttws: publishing to t: message {number} {WHY}\n");
        let lines = line(1) + &line(2);
        publishes(version, &["-m", "x", "--repeat", "2"], "", steps).expect(7, "", &lines);
    });
}

#[test]
fn a_large_file() {
    let payload = vec![b'x'; 1 << 20];
    let folder = Folder::new();
    let file = folder.write("file", &payload);
    both(|version| {
        let outcome = publishes(version, &["-f", &file], "", vec![packet("34 *")]);
        outcome.expect(7, "", &format!("mqttws: publishing to t: message {WHY}\n"));
    });
}

/// The summary counts it as refused.
#[test]
fn with_a_summary() {
    let steps = vec![publish("311", 1, "a")];
    let outcome = publishes("311", &["-l", "--summary=json"], "a\n", steps);
    let stderr = String::from_utf8_lossy(&outcome.stderr);
    assert!(stderr.contains("\"published\":0,") && stderr.contains("\"refused\":1"), "{outcome}");
    assert_eq!(outcome.code(), Some(7), "{outcome}");
}

/// Runs `mqttws` in MQTT 5 with a subscription at QoS 2, its identifier being 1; the connection
/// ends after `steps`, and the broker of the next one has lost the session.
fn subscribed_and_lost(command: &[&str], topic: &str, steps: Vec<Step>) -> Outcome {
    let begin = || [Step::Upgrade, packet("10 <MQTT> 05 *"), Step::Send("20 00 00 00")];
    let subscribe = || packet(&format!("82 id 00 <{topic}> 02"));
    let mut script: Vec<Step> = begin().into();
    script.extend([subscribe(), Step::Send("90 id 00 02")]);
    script.extend(steps);
    script.extend([Step::End, Step::Reconnect]);
    script.extend(begin());
    script.extend([subscribe(), packet("e0 *"), Step::Close(1000), Step::Gone]);
    let broker = Broker::start(script);
    let url = broker.url();
    let flags = ["-V", "5", "-t", "t", "-q", "2", "--quiet", "--reconnect-delay", "0.01"];
    Program::new([&[command[0], &url], &flags[..], &command[1..]].concat()).run()
}

#[test]
fn a_request() {
    let steps = vec![packet("34 <t> 00 02 04 08 <r> 'm'")];
    let outcome = subscribed_and_lost(&["pub", "--request", "-e", "r", "-m", "m"], "r", steps);
    outcome.expect(7, "", "mqttws: asking t: refused: in doubt: the broker has lost the session\n");
}

/// What was answered has arrived, whatever the broker knows of it.
#[test]
fn not_a_request_that_was_answered() {
    let steps = vec![
        packet("34 <t> 00 02 04 08 <r> 'm'"),
        Step::Send("34 <r> 00 07 00 'a'"),
        packet("50 00 07"),
        Step::Send("62 00 07"),
        packet("70 00 07"),
    ];
    let outcome = subscribed_and_lost(&["pub", "--request", "-e", "r", "-m", "m"], "r", steps);
    outcome.expect(0, "a\n", "");
}

#[test]
fn a_reply() {
    let steps = vec![
        Step::Send("34 <t> 00 07 04 08 <r> 'y'"),
        packet("34 <r> 00 02 00 'y'"),
        packet("50 00 07"),
        Step::Send("62 00 07"),
        packet("70 00 07"),
    ];
    let outcome = subscribed_and_lost(&["sub", "-C", "1", "--reply", "--exec", "cat"], "t", steps);
    outcome.expect(7, "", "mqttws: replying: refused: in doubt: the broker has lost the session\n");
}
