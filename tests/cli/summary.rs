//! `--summary` and `--latency`: what came of it, for people and for programs.

use crate::support::broker::{Broker, Step, connected, packet, until_goodbye, until_session_end};
use crate::support::folder::Folder;
use crate::support::lines::is_like;
use crate::support::program::Program;

fn stderr(program: Program) -> String {
    let outcome = program.run();
    assert!(outcome.code() == Some(0), "{outcome}");
    String::from_utf8(outcome.stderr).unwrap()
}

const TIMES: &str = "{\"avg\":*,\"count\":2,\"max\":*,\"min\":*,\"p50\":*,\"p99\":*,\"stddev\":*}";

#[test]
fn acknowledgements_are_measured() {
    for (form, expected) in [
        (
            "--summary",
            "mqttws: published 2 messages, 7 bytes in * s, * messages/s, * bytes/s; acknowledgement of 2: \
             min/avg/p50/p99/max/stddev = */*/*/*/*/* ms\n",
        ),
        (
            "--summary=json",
            &format!(
                "{{\"acknowledgement_ms\":{TIMES},\"byte_rate\":*,\"bytes\":7,\"published\":2,\"rate\":*,\"refused\":0,\"seconds\":*}}\n"
            ),
        ),
    ] {
        let script = connected([
            packet("32 <t> id 'one'"),
            Step::Send("40 id"),
            packet("32 <t> id 'four'"),
            Step::Send("40 id"),
        ]);
        let broker = Broker::start(until_goodbye(script));
        let arguments =
            ["pub", &broker.url(), "-V", "311", "-t", "t", "-q", "1", "-M", "1", "-l", form];
        let stderr = stderr(Program::new(arguments).stdin("one\nfour\n"));
        assert!(is_like(&stderr, expected), "{stderr}");
    }
}

#[test]
fn a_streamed_file_is_measured_too() {
    let folder = Folder::new();
    let file = folder.write("large", "x".repeat(1 << 20));
    let published = || [packet("32 <t> id *"), Step::Send("40 id")];
    let script = connected(published()).into_iter().chain(published()).collect();
    let broker = Broker::start(until_goodbye(script));
    let url = broker.url();
    let arguments = [
        "pub",
        &url,
        "-V",
        "311",
        "-t",
        "t",
        "-q",
        "1",
        "-f",
        &file,
        "--summary=json",
        "--repeat",
        "2",
    ];
    let stderr = stderr(Program::new(arguments));
    let expected = format!(
        "{{\"acknowledgement_ms\":{TIMES},\"byte_rate\":*,\"bytes\":2097152,\"published\":2,\"rate\":*,\"refused\":0,\"seconds\":*}}\n"
    );
    assert!(is_like(&stderr, &expected), "{stderr}");
}

#[test]
fn without_acknowledgements_there_are_no_times() {
    let broker = Broker::start(until_goodbye(connected([packet("30 <t> 'x'")])));
    let arguments = ["pub", &broker.url(), "-V", "311", "-t", "t", "-m", "x", "--summary=json"];
    let stderr = stderr(Program::new(arguments));
    let expected = "{\"acknowledgement_ms\":null,\"byte_rate\":*,\"bytes\":1,\"published\":1,\"rate\":*,\"refused\":0,\"seconds\":*}\n";
    assert!(is_like(&stderr, expected), "{stderr}");
}

#[test]
fn a_failure_has_its_summary_too() {
    let broker = Broker::start(connected([
        packet("32 <t> id 'one'"),
        Step::Send("40 id"),
        packet("32 *"),
        Step::End,
    ]));
    let url = broker.url();
    let arguments = [
        "pub",
        &url,
        "-V",
        "311",
        "-t",
        "t",
        "-q",
        "1",
        "-M",
        "1",
        "-l",
        "--summary",
        "--no-reconnect",
    ];
    let outcome = Program::new(arguments).stdin("one\ntwo\n").run();
    let text = String::from_utf8_lossy(&outcome.stderr);
    let expected = "mqttws: published 1 message, * bytes in *\nmqttws: publishing to t at *: gave up with 1 message *\n";
    assert!(outcome.code() == Some(8) && is_like(&text, expected), "{outcome}");
}

#[test]
fn what_came_is_counted() {
    let script =
        connected([packet("82 id <t> 00"), Step::Send("90 id 00; 30 <t> 'one'; 30 <t> 'four'")]);
    let broker = Broker::start(until_goodbye(script));
    let arguments = ["sub", &broker.url(), "-V", "311", "-t", "t", "-C", "2", "--summary=json"];
    let stderr = stderr(Program::new(arguments));
    assert!(
        is_like(&stderr, "{\"byte_rate\":*,\"bytes\":7,\"rate\":*,\"received\":2,\"seconds\":*}\n"),
        "{stderr}"
    );
}

#[test]
fn a_summary_is_text_or_json() {
    let outcome = Program::new(["sub", "-t", "t", "--summary=xml"]).run();
    let text = String::from_utf8_lossy(&outcome.stderr);
    assert!(outcome.code() == Some(2) && text.contains("expected json, or nothing"), "{outcome}");
}

/// MQTT 5 up to what follows a subscription to `t` at QoS 0.
fn subscribed_5(packets: &'static str) -> Broker {
    let script = vec![
        Step::Upgrade,
        packet("10 <MQTT> 05 *"),
        Step::Send("20 00 00 00"),
        packet("82 id 00 <t> 00"),
        Step::Send("90 id 00 00"),
        Step::Send(packets),
    ];
    Broker::start(until_goodbye(script))
}

#[test]
fn a_message_says_when_it_was_published() {
    for (flags, input) in
        [(&["-l"][..], "x\n"), (&["-m", "x"], ""), (&["--json"], "{\"payload\":\"x\"}\n")]
    {
        let script = vec![
            Step::Upgrade,
            packet("10 <MQTT> 05 *"),
            Step::Send("20 00 00 00"),
            packet("32 <t> id 2b 26 <k> <v> 26 <time> 00 1b '20' *"),
            Step::Send("40 id"),
        ];
        let broker = Broker::start(until_session_end(script));
        let url = broker.url();
        let common = [
            "pub",
            &url,
            "-t",
            "t",
            "-q",
            "1",
            "--latency",
            "-D",
            "publish",
            "user-property",
            "k",
            "v",
        ];
        Program::new([&common[..], flags].concat()).stdin(input).run().expect(0, "", "");
    }
}

#[test]
fn how_long_a_message_took() {
    // Retained messages, and those without a time, say nothing.
    let packets = "30 <t> 24 26 <time> <2026-01-01T00:00:00.000000Z> 'x'; 31 <t> 24 26 <time> \
                   <2026-01-01T00:00:00.000000Z> 'y'; 30 <t> 00 'z'; 30 <t> 0d 26 <time> <noon> 'u'";
    let broker = subscribed_5(packets);
    let stderr = stderr(Program::new(["sub", &broker.url(), "-t", "t", "-C", "4", "--latency"]));
    let expected = "mqttws: received 4 messages, 4 bytes in * s, * messages/s, * bytes/s; latency of 1: \
                    min/avg/p50/p99/max/stddev = */*/*/*/*/0.000 ms\n";
    assert!(is_like(&stderr, expected), "{stderr}");
}

#[test]
fn no_latency_is_explained() {
    for (packets, why) in [
        (
            "30 <t> 00 'x'",
            "no message has the user property `time`, which `mqttws pub --latency` sends",
        ),
        (
            "30 <t> 24 26 <time> <2126-01-01T00:00:00.000000Z> 'x'",
            "1 message arrived before it was published: the clocks differ",
        ),
    ] {
        let broker = subscribed_5(packets);
        let stderr =
            stderr(Program::new(["sub", &broker.url(), "-t", "t", "-C", "1", "--latency"]));
        let expected = format!("mqttws: received 1 message, *\nmqttws: warning: latency: {why}\n");
        assert!(is_like(&stderr, &expected), "{stderr}");
    }
}

#[test]
fn latency_needs_mqtt_5() {
    for arguments in [&["sub", "-t", "t"][..], &["pub", "-t", "t", "-m", "x"]] {
        let outcome = Program::new([arguments, &["-V", "311", "--latency"]].concat()).run();
        let line = "mqttws: --latency: only MQTT 5 has the user properties that it needs\n";
        outcome.expect(2, "", line);
    }
}

/// From `pub` through a broker that keeps the messages to `sub`.
#[test]
fn latency_from_one_end_to_the_other() {
    let script = "mqttws sub -t t -q 1 -c -i me -E && printf 'a\\nb\\n' | mqttws pub -t t -q 1 -l --latency && \
                  mqttws sub -t t -q 1 -c -i me -C 2 --latency --summary=json";
    let outcome = Program::new(["serve", "--", "sh", "-c", script]).run();
    let stderr = String::from_utf8_lossy(&outcome.stderr);
    let expected = format!(
        "{{\"byte_rate\":*,\"bytes\":2,\"latency_ms\":{TIMES},\"rate\":*,\"received\":2,\"seconds\":*}}\n"
    );
    assert!(outcome.code() == Some(0) && is_like(&stderr, &expected), "{outcome}");
    assert!(outcome.stdout.ends_with(b"a\nb\n"), "{outcome}");
}
