//! `mqttws sub` and `mqttws ping`: what they make of what `mosquitto_pub` sends.

use crate::broker::Mosquitto;
use crate::folder::Folder;
use crate::program::{Program, Running};
use crate::{LONG, delicate_payloads, long_payload, mosquitto, sequence};

/// A `mqttws sub -i sub` that has subscribed.
fn subscriber(broker: &Mosquitto, url: &str, arguments: &[&str]) -> Running {
    let running = Program::new([&["sub", url, "-i", "sub"], arguments].concat()).spawn();
    broker.wait_for_subscription("sub");
    running
}

/// Publishes with `mosquitto_pub`.
fn publish(broker: &Mosquitto, arguments: &[&str]) {
    broker.client("mosquitto_pub", arguments).run().expect(0, "", "");
}

#[test]
fn topics_and_payloads_are_printed_as_asked() {
    let Some(broker) = mosquitto() else { return };
    for (flags, expected) in
        [(&[][..], "x\n"), (&["-v"], "t/grün x\n"), (&["-N"], "x"), (&["-v", "-N"], "t/grün x")]
    {
        let subscriber =
            subscriber(&broker, &broker.ws(), &[&["-t", "t/+", "-C", "1"], flags].concat());
        publish(&broker, &["-t", "t/grün", "-m", "x"]);
        subscriber.finish().expect(0, expected, "");
    }
}

#[test]
fn several_filters_at_every_qos() {
    let Some(broker) = mosquitto() else { return };
    for qos in ["0", "1", "2"] {
        let filters = ["-v", "-t", "a", "-t", "b/#", "-t", "+/c", "-q", qos, "-C", "3"];
        let subscriber = subscriber(&broker, &broker.ws(), &filters);
        // The log names each filter in its turn: all three are there once the last is.
        broker.wait_for_subscription("sub");
        broker.wait_for_subscription("sub");
        for topic in ["a", "other", "b/x/y", "x/c"] {
            publish(&broker, &["-t", topic, "-q", qos, "-m", topic]);
        }
        subscriber.finish().expect(0, "a a\nb/x/y b/x/y\nx/c x/c\n", "");
    }
}

#[test]
fn delicate_payloads_are_printed_byte_for_byte() {
    let Some(broker) = mosquitto() else { return };
    for payload in delicate_payloads() {
        let subscriber = subscriber(&broker, &broker.ws(), &["-t", "t", "-N", "-C", "1"]);
        // mosquitto_pub takes an empty message only by its own flag.
        let input = if payload.is_empty() { "-n" } else { "-s" };
        broker
            .client("mosquitto_pub", &["-t", "t", input])
            .stdin(payload.clone())
            .run()
            .expect(0, "", "");
        subscriber.finish().expect(0, &payload, "");
    }
}

#[test]
fn long_payloads_are_printed_byte_for_byte() {
    let Some(broker) = mosquitto() else { return };
    let folder = Folder::new();
    let _busy = broker.keep_busy();
    for (length, qos) in [(1 << 20, "0"), (1 << 20, "2"), (20 << 20, "1")] {
        let payload = long_payload(length);
        let file = folder.write("long", &payload);
        let flags = ["-t", "t", "-q", qos, "-N", "-C", "1"];
        let secure = [&flags[..], &["--cafile", &broker.authority]].concat();
        for (url, flags) in [(broker.ws(), &flags[..]), (broker.wss(), &secure)] {
            let subscriber = subscriber(&broker, &url, flags);
            publish(&broker, &["-t", "t", "-q", qos, "-f", &file]);
            subscriber.finish().expect(0, &payload, "");
        }
    }
}

#[test]
fn every_version_over_ws_and_wss() {
    let Some(broker) = mosquitto() else { return };
    for version in ["31", "311", "5"] {
        let flags = ["-V", version, "-t", "t", "-q", "2", "-C", "1"];
        let secure = [&flags[..], &["--cafile", &broker.authority]].concat();
        for (url, flags) in [(broker.ws(), &flags[..]), (broker.wss(), &secure)] {
            let subscriber = subscriber(&broker, &url, flags);
            publish(&broker, &["-t", "t", "-q", "2", "-m", version]);
            subscriber.finish().expect(0, format!("{version}\n"), "");
        }
    }
}

#[test]
fn retained_messages_come_first() {
    let Some(broker) = mosquitto() else { return };
    publish(&broker, &["-t", "t", "-q", "1", "-r", "-m", "kept"]);
    Program::new(["sub", &broker.ws(), "-t", "t", "-C", "1"]).run().expect(0, "kept\n", "");
}

/// `mosquitto_pub` 2.0.11 loses the rest of more than 65,535 lines at QoS 1, so it gets fewer.
fn stream(last: u32, qos: &str, flags: &[&str]) {
    let Some(broker) = mosquitto() else { return };
    let (lines, count) = (sequence(last), last.to_string());
    let flags = [&["-t", "t", "-q", qos, "-C", &count], flags].concat();
    let subscriber = subscriber(&broker, &broker.ws(), &flags);
    let publisher =
        broker.client("mosquitto_pub", &["-t", "t", "-q", qos, "-l"]).stdin(lines.as_str());
    publisher.spawn().finish_within(LONG).expect(0, "", "");
    subscriber.finish_within(LONG).expect(0, lines, "");
}

#[test]
fn sixty_thousand_lines_at_qos_1() {
    stream(60_000, "1", &[]);
}

#[test]
fn sixty_thousand_lines_at_qos_1_before_version_5() {
    stream(60_000, "1", &["-V", "311"]);
}

#[test]
fn twenty_thousand_lines_at_qos_2() {
    stream(20_000, "2", &[]);
}

#[test]
fn a_reader_that_wants_one_line() {
    let Some(broker) = mosquitto() else { return };
    let sub = Program::new(["sub", &broker.ws(), "-i", "sub", "-t", "t"])
        .stdout_read_for_one_line()
        .spawn();
    broker.wait_for_subscription("sub");
    let lines = sequence(100_000);
    broker
        .client("mosquitto_pub", &["-t", "t", "-l"])
        .stdin(lines.as_str())
        .run()
        .expect(0, "", "");
    sub.finish().expect(0, "1\n", "");
}

#[test]
fn nobody_reads() {
    let Some(broker) = mosquitto() else { return };
    let sub = Program::new(["sub", &broker.ws(), "-i", "sub", "-t", "t"]).stdout_closed().spawn();
    broker.wait_for_subscription("sub");
    publish(&broker, &["-t", "t", "-m", "x"]);
    sub.finish().expect(0, "", "");
}

#[test]
fn mosquitto_can_be_pinged() {
    let Some(broker) = mosquitto() else { return };
    for (url, flags) in
        [(broker.ws(), &[][..]), (broker.wss(), &["--cafile", broker.authority.as_str()])]
    {
        let ping = ["ping", "-c", "3", "--interval", "0.01"];
        let outcome = Program::new([&ping[..], flags].concat()).env("MQTTWS_URL", &url).run();
        assert_eq!(
            (outcome.code(), outcome.stderr.as_slice()),
            (Some(0), b"".as_slice()),
            "{outcome}"
        );
    }
}

#[test]
fn a_broker_that_goes_away_is_a_lost_connection() {
    let Some(broker) = mosquitto() else { return };
    let sub = subscriber(&broker, &broker.ws(), &["-t", "t", "--no-reconnect"]);
    drop(broker);
    let outcome = sub.finish();
    assert_eq!((outcome.code(), outcome.stdout.as_slice()), (Some(8), b"".as_slice()), "{outcome}");
}

/// Each command publishes as soon as it starts: no message is missed, whatever the load.
#[test]
fn a_test_misses_no_message() {
    let Some(broker) = mosquitto() else { return };
    let _busy = broker.keep_busy();
    for qos in ["0", "1", "2"] {
        let url = broker.ws();
        let words =
            ["sub", &url, "-t", "out/#", "-q", qos, "-C", "2", "-W", "60", "--match", "^ok"];
        let command = "echo no | mqttws pub -t out/a -l; printf 'ok 1\nno\nok 2\nok 3\n' | \
                       mqttws pub -t out/b -q $0 -l; sleep 60";
        let words = [&words[..], &["-v", "--", "sh", "-c", command, qos]].concat();
        Program::new(words).run().expect(0, "out/b ok 1\nout/b ok 2\n", "");
    }
    let url = broker.ws();
    let words = ["sub", &url, "-t", "out/#", "-W", "1", "--expect-none", "--match-topic", "c$"];
    let words = [&words[..], &["--", "mqttws", "pub", "-t", "out/a", "-m", "x"]].concat();
    Program::new(words).run().expect(0, "", "");
    let words = ["sub", &url, "-t", "out/#", "-W", "1", "-C", "1", "--match", "y"];
    let words = [&words[..], &["--", "mqttws", "pub", "-t", "out/a", "-m", "x"]].concat();
    let line = "mqttws: no message that matches y within 1 s; 1 other came, the last: out/a x\n";
    Program::new(words).run().expect(27, "", line);
}
