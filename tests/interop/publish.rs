//! `mqttws pub`: what `mosquitto_sub` receives.

use std::time::Duration;

use crate::broker::Mosquitto;
use crate::folder::Folder;
use crate::program::{Program, Running};
use crate::{LONG, delicate_payloads, long_payload, mosquitto, sequence};

/// A `mosquitto_sub` that has subscribed to `t/#` at QoS 2.
fn subscriber(broker: &Mosquitto, arguments: &[&str]) -> Running {
    let running = broker
        .client("mosquitto_sub", &[&["-i", "sub", "-t", "t/#", "-q", "2"], arguments].concat());
    let running = running.spawn();
    broker.wait_for_subscription("sub");
    running
}

/// `mqttws pub` to `t/x`.
fn publish(url: &str, arguments: &[&str]) -> Program {
    Program::new([&["pub", url, "-t", "t/x"], arguments].concat())
}

/// Publishes `payload` with `program` and compares what `mosquitto_sub` prints.
fn arrives(broker: &Mosquitto, program: Program, payload: &[u8]) {
    let subscriber = subscriber(broker, &["-N", "-C", "1"]);
    program.run().expect(0, "", "");
    subscriber.finish().expect(0, payload, "");
}

#[test]
fn every_mode_of_input_at_every_qos() {
    let Some(broker) = mosquitto() else { return };
    let folder = Folder::new();
    let payload = b"one\ntwo\0\xff";
    let file = folder.write("payload", payload);
    for qos in ["0", "1", "2"] {
        arrives(&broker, publish(&broker.ws(), &["-q", qos, "-m", "hello"]), b"hello");
        arrives(&broker, publish(&broker.ws(), &["-q", qos, "-n"]), b"");
        arrives(&broker, publish(&broker.ws(), &["-q", qos, "-f", &file]), payload);
        arrives(&broker, publish(&broker.ws(), &["-q", qos, "-s"]).stdin(payload), payload);

        let subscriber = subscriber(&broker, &["-C", "3", "-F", "%l %p"]);
        publish(&broker.ws(), &["-q", qos, "-l"]).stdin("one\n\nlast").run().expect(0, "", "");
        subscriber.finish().expect(0, "3 one\n0 \n4 last\n", "");
    }
}

#[test]
fn qos_retain_and_topic_arrive_as_given() {
    let Some(broker) = mosquitto() else { return };
    for qos in ["0", "1", "2"] {
        let subscriber = subscriber(&broker, &["-C", "1", "-F", "%t %q %p"]);
        let program = Program::new(["pub", &broker.ws(), "-t", "t/grün/🦀", "-q", qos, "-m", "x"]);
        program.run().expect(0, "", "");
        subscriber.finish().expect(0, format!("t/grün/🦀 {qos} x\n"), "");
    }
    publish(&broker.ws(), &["-r", "-q", "1", "-m", "kept"]).run().expect(0, "", "");
    let late = broker.client("mosquitto_sub", &["-t", "t/x", "-C", "1", "-F", "%r %p"]).run();
    late.expect(0, "1 kept\n", "");
    publish(&broker.ws(), &["-r", "-q", "1", "-n"]).run().expect(0, "", "");
    let subscriber = subscriber(&broker, &["-C", "1", "-F", "%r %p"]);
    publish(&broker.ws(), &["-m", "live"]).run().expect(0, "", "");
    subscriber.finish().expect(0, "0 live\n", "");
}

#[test]
fn delicate_payloads_arrive_byte_for_byte() {
    let Some(broker) = mosquitto() else { return };
    for payload in delicate_payloads() {
        // An empty standard input is an error: `-n` means an empty message.
        let source = if payload.is_empty() { "-n" } else { "-s" };
        arrives(
            &broker,
            publish(&broker.ws(), &[source, "-q", "1"]).stdin(payload.clone()),
            &payload,
        );
    }
}

#[test]
fn long_payloads_arrive_byte_for_byte() {
    let Some(broker) = mosquitto() else { return };
    let folder = Folder::new();
    for (length, qos) in [(1 << 20, "0"), (1 << 20, "2"), (20 << 20, "1")] {
        let payload = long_payload(length);
        let file = folder.write("long", &payload);
        let flags = ["-q", qos, "-f", &file];
        arrives(&broker, publish(&broker.ws(), &flags), &payload);
        let secure = [&flags[..], &["--cafile", &broker.authority]].concat();
        arrives(&broker, publish(&broker.wss(), &secure), &payload);
    }
}

#[test]
fn every_version_over_ws_and_wss() {
    let Some(broker) = mosquitto() else { return };
    for version in ["31", "311", "5"] {
        arrives(
            &broker,
            publish(&broker.ws(), &["-V", version, "-q", "2", "-m", version]),
            version.as_bytes(),
        );
        let secure =
            publish(&broker.wss(), &["--cafile", &broker.authority, "-V", version, "-m", version]);
        arrives(&broker, secure, version.as_bytes());
    }
}

/// Publishes the numbers up to `last` and checks that they arrive, all and in order.
fn stream(last: u32, qos: &str, flags: &[&str]) {
    let Some(broker) = mosquitto() else { return };
    let (lines, count) = (sequence(last), last.to_string());
    let subscriber = subscriber(&broker, &["-C", &count]);
    let program =
        publish(&broker.ws(), &[&["-q", qos, "-l"], flags].concat()).stdin(lines.as_str());
    program.spawn().finish_within(LONG).expect(0, "", "");
    subscriber.finish_within(LONG).expect(0, lines, "");
}

#[test]
fn a_hundred_thousand_lines_at_qos_1() {
    stream(100_000, "1", &[]);
}

#[test]
fn a_hundred_thousand_lines_at_qos_1_before_version_5() {
    stream(100_000, "1", &["-V", "311"]);
}

#[test]
fn twenty_thousand_lines_at_qos_2() {
    stream(20_000, "2", &[]);
}

#[test]
fn twenty_thousand_lines_at_qos_2_before_version_5() {
    stream(20_000, "2", &["-V", "311"]);
}

/// Mosquitto may drop messages at QoS 0 when its subscriber is slow; this many it holds.
#[test]
fn lines_at_qos_0() {
    stream(1_000, "0", &[]);
}

#[test]
fn a_line_leaves_before_the_next_is_typed() {
    let Some(broker) = mosquitto() else { return };
    let mut subscriber = subscriber(&broker, &[]);
    let publisher = publish(&broker.ws(), &["-l"]).stdin("first\n").stdin_held_open().spawn();
    subscriber.wait_for_line(|line| line == "first\n");
    publisher.signal("INT");
    assert_eq!(publisher.finish_within(Duration::from_secs(10)).code(), Some(130));
}

/// mosquitto ends the connection at a control character, in a topic or in a property. At QoS 0
/// nothing else says so: the record is named, and what comes after it arrives.
#[test]
fn a_control_character_costs_no_other_message() {
    let Some(broker) = mosquitto() else { return };
    let records = [
        ("311", r#"{"topic":"t/b\u0001","payload":"x"}"#),
        ("5", r#"{"topic":"t/b","payload":"x","properties":{"content-type":"c\u0001"}}"#),
        ("5", r#"{"topic":"t/b","payload":"x","properties":{"user-property":[["k","\n"]]}}"#),
    ];
    for (version, record) in records {
        let subscriber = subscriber(&broker, &["-C", "2"]);
        let [before, after] =
            ["before", "after"].map(|text| format!(r#"{{"topic":"t/x","payload":"{text}"}}"#));
        let command = ["pub", &broker.ws(), "-V", version, "--json", "--quiet"];
        let flags = ["--reconnect-delay", "0.01,0.05"];
        let program = Program::new([&command[..], &flags].concat());
        let outcome = program.stdin(format!("{before}\n{record}\n{after}\n")).run();
        outcome.expect(
            7,
            "",
            "mqttws: publishing: message 2 refused: the connection ended at it, as some brokers \
             end it at a control character\n\
             mqttws: publishing: messages of QoS 0 may be missing: the connection was lost \
             meanwhile\n",
        );
        subscriber.finish().expect(0, "before\nafter\n", "");
    }
}

/// The subscription stands before the publisher begins.
#[test]
fn the_will_is_published_after_an_abort() {
    let Some(broker) = mosquitto() else { return };
    let url = broker.ws();
    let wait = ["sub", &url, "-t", "w", "-W", "60", "-C", "1", "--"];
    for end in [&["--abort"][..], &["--abort", "-V", "311"], &["--disconnect-with-will"]] {
        for qos in ["0", "1", "2"] {
            let publish = ["mqttws", "pub", "-t", "t", "-m", "x", "-q", qos, "--will-topic", "w"];
            let words = [&wait[..], &publish, &["--will-payload", "gone"], end].concat();
            Program::new(words).run().expect(0, "gone\n", "");
        }
    }
    let publish = ["mqttws", "pub", "-t", "t", "-m", "x", "--will-topic", "w"];
    let none = ["sub", &url, "-t", "w", "-W", "1", "--expect-none", "--"];
    Program::new([&none[..], &publish].concat()).run().expect(0, "", "");
    // What was published before is there, however much of it is on its way.
    let all = ["sub", &url, "-t", "t", "-W", "60", "-C", "500", "--", "sh", "-c"];
    let words = [&all[..], &["seq 500 | mqttws pub -t t -l --abort"]].concat();
    let mut lines: Vec<String> = (1..=500).map(|number| number.to_string()).collect();
    lines.push(String::new());
    Program::new(words).run().expect(0, lines.join("\n"), "");
}
