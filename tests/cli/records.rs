//! `mqttws pub`: what becomes of records, what becomes of those that make no sense, and when they
//! are published.

use std::time::Duration;

use crate::support::broker::{Broker, Step, connected, packet, until_goodbye, until_session_end};
use crate::support::folder::Folder;
use crate::support::program::{Outcome, Program};

/// `mqttws pub -V 311` with these flags and this input, which must become these packets.
fn published<const N: usize>(flags: &[&str], input: &str, packets: [&str; N]) -> Outcome {
    let broker = Broker::start(until_goodbye(connected(packets.map(packet))));
    let url = broker.url();
    Program::new([&["pub", &url, "-V", "311"], flags].concat()).stdin(input).run()
}

/// The same with records in MQTT 5.
fn published_in_5<const N: usize>(flags: &[&str], input: &str, steps: [Step; N]) -> Outcome {
    let mut script = vec![Step::Upgrade, packet("10 <MQTT> 05 *"), Step::Send("20 00 00 00")];
    script.extend(steps);
    script.extend([packet("e0 *"), Step::Close(1000), Step::Gone]);
    let broker = Broker::start(script);
    let url = broker.url();
    Program::new([&["pub", &url], flags].concat()).stdin(input).run()
}

/// What `sub --json` asks of `pub --json` before MQTT 5: a session that outlives the connection,
/// and so its end.
fn mirrored<const N: usize>(flags: &[&str], input: &str, packets: [&str; N]) -> Outcome {
    let mut script = connected(packets.map(packet));
    script.extend([packet("e0"), Step::Close(1000), Step::Gone]);
    script.extend([
        Step::Reconnect,
        Step::Upgrade,
        packet("10 <MQTT> 04 02 *"),
        Step::Send("20 00 00"),
    ]);
    script.extend([packet("e0"), Step::Close(1000), Step::Gone]);
    let broker = Broker::start(script);
    let url = broker.url();
    Program::new([&["pub", &url, "-V", "311", "--json"], flags].concat()).stdin(input).run()
}

#[test]
fn a_record_is_a_message() {
    let input = "{\"topic\":\"a\",\"payload\":\"x\"}\n\
                 {\"payload_base64\":\"/wA=\",\"topic\":\"b/c\",\"retain\":true}\n\
                 {\"payload_hex\":\"0aFF\",\"topic\":\"ü\"}";
    let packets = ["30 <a> 'x'", "31 <b/c> ff 00", "30 <ü> 0a ff"];
    mirrored(&[], input, packets).expect(0, "", "");
}

#[test]
fn flags_say_what_records_do_not() {
    let input = "{\"payload\":\"x\"}\n{\"payload\":\"y\",\"topic\":\"a\",\"retain\":false}\n";
    mirrored(&["-t", "t", "-r"], input, ["31 <t> 'x'", "30 <a> 'y'"]).expect(0, "", "");
    let packets = ["31 <p/t> 'x'", "30 <p/a> 'y'"];
    mirrored(&["-t", "t", "-r", "--topic-prefix", "p/"], input, packets).expect(0, "", "");
}

#[test]
fn records_have_properties() {
    let input = "{\"topic\":\"a\",\"qos\":1,\"payload\":\"x\",\"properties\":{\"user-property\":[[\"k\",\"v\"],\
                 [\"k\",\"w\"]],\"content-type\":\"c\",\"correlation-data_base64\":\"/w==\",\
                 \"subscription-identifier\":[1],\"topic-alias\":9}}\n";
    let steps =
        [packet("32 <a> id 16 03 <c> 09 00 01 ff 26 <k> <v> 26 <k> <w> 'x'"), Step::Send("40 id")];
    published_in_5(&["--json"], input, steps).expect(0, "", "");
    // What the command line says is said of every record, unless it says otherwise.
    let input = "{\"topic\":\"a\",\"payload\":\"x\",\"properties\":{\"content-type\":\"c\"}}\n{\"topic\":\"b\",\"payload\":\"\"}\n";
    let steps = [packet("30 <a> 0b 03 <c> 26 <k> <v> 'x'"), packet("30 <b> 0b 03 <d> 26 <k> <v>")];
    let flags = [
        "--json",
        "-D",
        "publish",
        "content-type",
        "d",
        "-D",
        "publish",
        "user-property",
        "k",
        "v",
    ];
    published_in_5(&flags, input, steps).expect(0, "", "");
}

#[test]
fn properties_are_only_left_out_with_a_warning() {
    let record = "{\"topic\":\"a\",\"payload\":\"x\",\"properties\":{\"content-type\":\"c\"}}\n";
    let line =
        "mqttws: warning: the broker speaks MQTT 3.1.1: properties of records are left out\n";
    mirrored(&[], &record.repeat(2), ["30 <a> 'x'"; 2]).expect(0, "", line);
    mirrored(&["--quiet"], record, ["30 <a> 'x'"]).expect(0, "", "");
}

#[test]
fn bad_records_are_told_and_the_others_go_on() {
    let input = "{\"topic\":\"a\",\"payload\":\"1\"}\nx\n{\"topic\":\"#\",\"payload\":\"\"}\n\
                 {\"payload\":\"no topic\"}\n{\"topic\":\"b\",\"payload\":\"2\"}\n";
    let lines = "mqttws: reading stdin: record 2: not JSON: expected value at line 1 column 1\n\
                 mqttws: reading stdin: record 3: topic: a message cannot be published to '+' or '#'\n\
                 mqttws: reading stdin: record 4: no topic\n";
    mirrored(&[], input, ["30 <a> '1'", "30 <b> '2'"]).expect(1, "", lines);
}

/// They have numbers all the same: those of their lines.
#[test]
fn blank_lines_between_records_are_skipped() {
    let record = "{\"topic\":\"a\",\"payload\":\"1\"}";
    let input = format!("\u{feff}\n\r\n{record}\n\n \t\r\n{record}\nx\n\n");
    let line = "mqttws: reading stdin: record 7: not JSON: expected value at line 1 column 1\n";
    mirrored(&[], &input, ["30 <a> '1'"; 2]).expect(1, "", line);
    mirrored(&["--strict-input"], "\n\n", []).expect(0, "", "");
}

/// `jq` changes what it can read, and that is `payload_json`.
#[test]
fn a_payload_that_is_json_is_sent() {
    let input = "{\"topic\":\"a\",\"payload_json\":{\"t\": 21}}\n\
                 {\"topic\":\"b\",\"payload\":\"{\\\"t\\\": 1.50}\",\"payload_json\":{\"t\":1.5}}\n\
                 {\"topic\":\"c\",\"payload\":\"{\\\"t\\\":1}\",\"payload_json\":{\"t\":2}}\n\
                 {\"topic\":\"d\",\"payload\":5}\n";
    let lines = "mqttws: reading stdin: record 3: payload and payload_json differ\n\
                 mqttws: reading stdin: record 4: payload: expected a string; \
                 payload_json takes any JSON\n";
    let packets = ["30 <a> '{\"t\": 21}'", "30 <b> '{\"t\": 1.50}'"];
    mirrored(&[], input, packets).expect(1, "", lines);
}

/// `false | mqttws pub -s -r` would remove the retained message.
#[test]
fn nothing_on_stdin_is_no_message() {
    let line =
        "mqttws: publishing to k: reading stdin: it is empty; -n publishes an empty message\n";
    for flags in [&["-t", "k", "-s", "-r"][..], &["-t", "k", "-s", "--repeat", "2"]] {
        published(flags, "", []).expect(1, "", line);
    }
    let folder = Folder::new();
    let empty = folder.write("empty", "");
    published(&["-t", "k", "-r", "-f", &empty], "", ["31 <k>"]).expect(0, "", "");
    published(&["-t", "k", "-l"], "", []).expect(0, "", "");
    // A pipe is no file: a command writes to it.
    let line = line.replace("stdin", "/dev/stdin");
    published(&["-t", "k", "-r", "-f", "/dev/stdin"], "", []).expect(1, "", &line);
}

#[test]
fn strict_input_ends_at_the_first_bad_record() {
    let input = "{\"topic\":\"a\",\"payload\":\"1\"}\nx\n{\"topic\":\"b\",\"payload\":\"2\"}\n";
    let line = "mqttws: reading stdin: record 2: not JSON: expected value at line 1 column 1\n";
    mirrored(&["--strict-input"], input, ["30 <a> '1'"]).expect(1, "", line);
}

/// The number of a refused message is that of its record, bad ones counted.
#[test]
fn refusals_name_the_record() {
    let input = "x\n{\"topic\":\"a\",\"payload\":\"\",\"qos\":1}\n{\"topic\":\"b\",\"payload\":\"\",\"qos\":1}\n";
    let steps = [
        packet("32 <a> id 00"),
        Step::Send("40 id"),
        packet("32 <b> id 00"),
        Step::Send("40 id 87"),
    ];
    let outcome = published_in_5(&["--json", "-M", "1"], input, steps);
    let lines = "mqttws: reading stdin: record 1: not JSON: expected value at line 1 column 1\n\
                 mqttws: publishing: message 3 refused: not authorized\n";
    outcome.expect(7, "", lines);
}

#[test]
fn records_end_as_asked() {
    let packets = ["30 <t> 'one' 0a 'two'", "30 <t>", "30 <t> 'three'"];
    published(&["-t", "t", "-l", "-0"], "one\ntwo\0\0three\0", packets).expect(0, "", "");
    published(&["-t", "t", "-l", "--null"], "one\ntwo\0\0three", packets).expect(0, "", "");
    published(&["-t", "t", "-l", "--delimiter", ";"], "one\ntwo;;three", packets).expect(0, "", "");
    let packets = ["30 <t> 'a'", "30 <t> 'b' 0a"];
    published(&["-t", "t", "-l", "--delimiter", "\\t"], "a\tb\n", packets).expect(0, "", "");
}

#[test]
fn lines_may_begin_with_their_topic() {
    let packets = ["30 <a/b> 'x y'", "30 <c>"];
    published(&["-l", "--split", " "], "a/b x y\nc \n", packets).expect(0, "", "");
    let packets = ["31 <p/a> 'x'"];
    published(&["-l", "--split", "\\t", "--topic-prefix", "p/", "-r"], "a\tx\n", packets)
        .expect(0, "", "");
    let lines = "mqttws: reading stdin: record 1: no = between topic and message\n\
                 mqttws: reading stdin: record 2: topic: a message cannot be published to '+' or '#'\n";
    published(&["-l", "--split", "="], "a\n+=x\nb=x\n", ["30 <b> 'x'"]).expect(1, "", lines);
}

#[test]
fn prefixes_stand_before_every_topic() {
    published(&["-t", "t", "-m", "x", "--topic-prefix", "a/"], "", ["30 <a/t> 'x'"])
        .expect(0, "", "");
    let outcome = Program::new(["pub", "-t", "t", "-n", "--topic-prefix", "+"]).run();
    outcome.expect(2, "", "mqttws: --topic-prefix: a message cannot be published to '+' or '#'\n");
}

#[test]
fn messages_are_repeated() {
    published(&["-t", "t", "-m", "x", "--repeat", "3"], "", ["30 <t> 'x'"; 3]).expect(0, "", "");
    published(&["-t", "t", "-s", "--repeat", "2"], "in", ["30 <t> 'in'"; 2]).expect(0, "", "");
    let outcome =
        published(&["-t", "t", "-n", "--repeat", "3", "--repeat-delay", "0.2"], "", ["30 <t>"; 3]);
    outcome.expect(0, "", "");
    assert!(outcome.took >= Duration::from_millis(400), "{outcome}");
}

#[test]
fn rates_are_kept() {
    let outcome = published(
        &["-t", "t", "-l", "--rate", "10"],
        "a\nb\nc\nd\n",
        ["30 <t> 'a'", "30 <t> 'b'", "30 <t> 'c'", "30 <t> 'd'"],
    );
    outcome.expect(0, "", "");
    assert!(outcome.took >= Duration::from_millis(300), "{outcome}");
}

#[test]
fn distances_in_time_are_replayed() {
    let record = |minute: u32| {
        format!(
            "{{\"time\":\"2026-01-01T00:0{minute}:00.500000Z\",\"topic\":\"t\",\"payload\":\"{minute}\"}}\n"
        )
    };
    let input = format!("{}{}{}", record(1), record(3), record(5));
    let packets = ["30 <t> '1'", "30 <t> '3'", "30 <t> '5'"];
    // Four minutes at 400 times their speed; at any slower one the test would run out of patience.
    let outcome = mirrored(&["--replay", "400"], &input, packets);
    outcome.expect(0, "", "");
    assert!(outcome.took >= Duration::from_millis(600), "{outcome}");
}

#[test]
fn properties_of_a_message_and_of_a_will() {
    let script = vec![
        Step::Upgrade,
        packet("10 <MQTT> 05 *"),
        Step::Send("20 00 00 00"),
        packet("30 <t> 0c 02 00 00 00 3c 26 <> <ü> 'x'"),
    ];
    let broker = Broker::start(until_goodbye(script));
    let url = broker.url();
    let flags =
        ["-t", "t", "-m", "x", "-D", "publish", "message-expiry-interval", "60", "-D", "PUBLISH"];
    Program::new([&["pub", &url], &flags[..], &["user-property", "", "ü"]].concat())
        .run()
        .expect(0, "", "");

    let broker = Broker::start(until_session_end(vec![
        Step::Upgrade,
        packet(
            "10 <MQTT> 05 06 00 2d .. 11 00 00 02 58 21 .. .. <me> 0b 18 00 00 00 05 03 <c> 01 01 <w> <gone>",
        ),
        Step::Send("20 00 00 00"),
        packet("30 <t> 00"),
    ]));
    let url = broker.url();
    let line = format!(
        "pub {url} -i me -t t -n --will-topic w --will-payload gone -D will will-delay-interval 5 \
         -D will content-type c -D will payload-format-indicator 1"
    );
    Program::new(line.split_whitespace()).run().expect(0, "", "");
}

#[test]
fn the_session_expiry_is_a_property_like_others() {
    let broker = Broker::start(vec![
        Step::Upgrade,
        packet("10 <MQTT> 05 02 00 2d .. 11 00 00 00 3c 21 *"),
        Step::Send("20 00 00 00"),
        packet("30 <t> 00"),
        packet("e0 00 05 11 00 00 00 1e"),
        Step::Close(1000),
        Step::Gone,
    ]);
    let url = broker.url();
    let line = format!(
        "pub {url} -i me -t t -n -D connect session-expiry-interval 60 -D disconnect session-expiry-interval 30"
    );
    Program::new(line.split_whitespace()).run().expect(0, "", "");
}

#[test]
fn inputs_that_contradict_each_other_are_usage_errors() {
    for line in [
        "pub -t t -l --json",
        "pub -t t",
        "pub -l",
        "pub -t t -l --split ,",
        "pub -t t -m x -0",
        "pub -t t -l --repeat 2",
        "pub --json --rate 0",
        "pub -t t -l --replay",
        "pub --json --replay --rate 2",
        "pub -t t -l --delimiter ab",
        "pub --json -D publish topic-alias 1",
    ] {
        let outcome = Program::new(line.split(' ')).run();
        assert_eq!(
            (outcome.code(), outcome.stderr.split(|byte| *byte == b'\n').count()),
            (Some(2), 2),
            "{outcome}"
        );
    }
}

#[test]
fn the_summary_is_on_stderr() {
    let outcome = published(
        &["-t", "t", "-l", "--summary"],
        "one\nfour\n",
        ["30 <t> 'one'", "30 <t> 'four'"],
    );
    let stderr = String::from_utf8(outcome.stderr).unwrap();
    assert!(stderr.starts_with("mqttws: published 2 messages, 7 bytes in "), "{stderr}");
}

/// A file that is streamed is read again each time; also when the connection is lost meanwhile.
#[test]
fn large_files_are_repeated() {
    let folder = Folder::new();
    let payload: Vec<u8> = (0..=255).cycle().take(1_100_000).collect();
    let file = folder.write("large", &payload);
    let broker = Broker::start(until_goodbye(connected([
        Step::Payload(payload.clone()),
        Step::Payload(payload.clone()),
        Step::Payload(payload.clone()),
    ])));
    let flags = ["pub", &broker.url(), "-V", "311", "-t", "t", "--repeat", "3", "-f", &file];
    Program::new(flags).run().expect(0, "", "");

    let whole = |first: &str| packet(&format!("{first} <t> id *"));
    let steps = [
        whole("32"),
        Step::Send("40 id"),
        whole("32"),
        Step::Send("40 id"),
        whole("32"),
        Step::End,
    ];
    let mut script = connected(steps);
    script.extend([
        Step::Reconnect,
        Step::Upgrade,
        packet("10 <MQTT> 04 *"),
        Step::Send("20 01 00"),
    ]);
    script.extend([whole("3a"), Step::Send("40 id")]);
    let broker = Broker::start(until_goodbye(script));
    let url = broker.url();
    let flags = [
        "pub", &url, "-V", "311", "-t", "t", "--repeat", "3", "-q", "1", "-c", "-i", "me", "-f",
        &file,
    ];
    let quiet = ["--reconnect-delay", "0.01", "--quiet"];
    Program::new([&flags[..], &quiet].concat()).run().expect(0, "", "");
}

/// The broker's limit is known before the message is sent, and nothing is sent that it would end
/// the connection for.
#[test]
fn a_topic_alias_of_ones_own_is_within_the_brokers_limit() {
    let outcome = |connack: &'static str, packets: &[&str], flags: &[&str]| {
        let mut script = vec![Step::Upgrade, packet("10 <MQTT> 05 *"), Step::Send(connack)];
        script.extend(packets.iter().map(|pattern| packet(pattern)));
        let broker = Broker::start(until_goodbye(script));
        let url = broker.url();
        let alias = ["-D", "publish", "topic-alias", "4"];
        Program::new([&["pub", &url, "-t", "t"], &alias[..], flags].concat()).run()
    };
    outcome("20 00 00 03 22 00 04", &["30 <t> 03 23 00 04 'x'"], &["-m", "x"]).expect(0, "", "");
    let line =
        "mqttws: publishing to t: message refused: the broker accepts topic aliases up to 3\n";
    outcome("20 00 00 03 22 00 03", &[], &["-m", "x"]).expect(7, "", line);
    let line =
        "mqttws: publishing to t: message refused: the broker does not support topic aliases\n";
    outcome("20 00 00 00", &[], &["-m", "x"]).expect(7, "", line);
}
