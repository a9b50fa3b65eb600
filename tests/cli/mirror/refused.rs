//! Messages, topics and credentials that the target of a mirror refuses, and a source that sends
//! too much.

use super::*;

#[test]
fn a_refusal_is_told_to_the_source_with_its_code() {
    let refused = |why: &str| {
        format!(
            "mqttws: mirroring a message to t: refused: {why}\n\
             mqttws: mirrored 0 messages, 0 bytes; 1 refused\n"
        )
    };
    let rows = [
        (ACCEPTED, Some("50 00 07 87"), "50 00 07 87", "not authorized"),
        (ACCEPTED, Some("50 00 07 97 07 1f <full>"), "50 00 07 97", "quota exceeded (full)"),
        (ACCEPTED, Some("50 00 07 99"), "50 00 07 99", "payload format invalid"),
        // A code that PUBREC cannot have.
        (
            "20 00 00 05 27 00 00 00 08",
            None,
            "50 00 07 83",
            "the packet has 9 bytes, but the broker accepts at most 8",
        ),
    ];
    for (connack, answer, told, why) in rows {
        let source = one_message(told);
        let target = if let Some(answer) = answer {
            target(connack, [packet("34 <t> 00 07 00 'x'"), Step::Send(answer)])
        } else {
            let mut script = vec![Step::Upgrade, packet("10 <MQTT> 05 *")];
            script.extend([Step::Send(connack), packet("e0"), Step::Close(1000), Step::Gone]);
            Broker::start(script)
        };
        let outcome = mirror(&source, &target, &["-C", "1"]).run();
        assert_eq!(outcome.code(), Some(7), "{outcome}");
        assert!(is_like(&String::from_utf8_lossy(&outcome.stderr), &refused(why)), "{outcome}");
    }
}

#[test]
fn credentials_that_the_target_refuses_later_end_the_mirror() {
    let source = source([Step::Send("34 <t> 00 07 00 'x'")]);
    let target = Broker::start(vec![
        Step::Upgrade,
        packet("10 <MQTT> 05 *"),
        Step::Send(ACCEPTED),
        packet("34 <t> 00 07 00 'x'"),
        Step::End,
        Step::Reconnect,
        Step::Upgrade,
        packet("10 <MQTT> 05 *"),
        Step::Send("20 00 87 00"),
        Step::Gone,
    ]);
    let outcome = mirror(&source, &target, &["--reconnect-delay", "0.01"]).run();
    assert_eq!(outcome.code(), Some(6), "{outcome}");
    let expected = "mqttws: warning: *: connection lost: *; trying again\n\
                    mqttws: mirrored 0 messages, 0 bytes; 1 not finished\n\
                    mqttws: mirroring to *: the broker refused: not authorized; check -u and -P \
                    (for --to they stand in its URL and in --to-profile)\n";
    assert!(is_like(&String::from_utf8_lossy(&outcome.stderr), expected), "{outcome}");
}

/// The message stays with the source, which hears nothing of it.
#[test]
fn a_target_that_ends_each_connection_at_a_message_ends_the_mirror() {
    let source = source([Step::Send("34 <t> 00 07 00 'x'")]);
    let mut script = Vec::new();
    for attempt in 0..3 {
        if attempt > 0 {
            script.push(Step::Reconnect);
        }
        script.extend([Step::Upgrade, packet("10 <MQTT> 05 *"), Step::Send(ACCEPTED)]);
        script.extend([packet("34 <t> 00 07 00 'x'"), Step::End]);
    }
    let target = Broker::start(script);
    let outcome = mirror(&source, &target, &["--reconnect-delay", "0.01", "--quiet"]).run();
    assert_eq!(outcome.code(), Some(7), "{outcome}");
    let expected = "mqttws: mirrored 0 messages, 0 bytes; 1 not finished\n\
                    mqttws: mirroring to *: the server ended three connections in a row on this \
                    message (topic t, QoS 2); *\n";
    assert!(is_like(&String::from_utf8_lossy(&outcome.stderr), expected), "{outcome}");
}

/// As mosquitto 2.0.11 does when it resumes a session with a long queue.
#[test]
fn a_source_that_sends_more_at_once_than_it_may_is_named() {
    let message = |id| format!("34 <t> {:02x} {:02x} 00 '{id}'", id / 256, id % 256);
    let messages: Vec<String> = (1..=1002).map(message).collect();
    let source = source([Step::Send(messages.join(" ; ").leak())]);
    let target = target("20 00 00 03 21 00 01", [packet("34 <t> 00 01 00 '1'")]);
    let outcome = mirror(&source, &target, &["-W", "2"]).run();
    assert_eq!(outcome.code(), Some(27), "{outcome}");
    let expected = "mqttws: warning: the source sends more messages at once than 1, its Receive \
                    Maximum, as mosquitto 2.0.11 does\nmqttws: timed out after 2 s: mirrored 0 messages, 0 bytes; 1002 not \
                    finished\n";
    outcome.expect(27, "", expected);
}

/// A message whose topic becomes none is one line, and refused.
#[test]
fn a_topic_that_a_rule_spoils_is_refused() {
    let source = source([Step::Send("32 <t> 00 07 00 'x'"), packet("40 00 07 90")]);
    let mut script = vec![Step::Upgrade, packet("10 <MQTT> 05 *"), Step::Send(ACCEPTED)];
    script.extend([packet("e0 *"), Step::Close(1000), Step::Gone]);
    let target = Broker::start(script);
    let outcome = mirror(&source, &target, &["-C", "1", "--map", "t(.*)=$1"]).run();
    outcome.expect(
        7,
        "",
        "mqttws: mirroring a message to t: --map: the topic is empty\n\
         mqttws: mirrored 0 messages, 0 bytes; 1 refused\n",
    );
}
