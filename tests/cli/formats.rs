//! `mqttws sub`: what a message looks like, as the flags of its output say.

use crate::support::broker::{
    Broker, Step, connected, packet, subscribed, until_goodbye, until_session_end,
};
use crate::support::folder::Folder;
use crate::support::program::{Outcome, Program};

/// What `mqttws sub -t t` with these flags makes of these packets, before MQTT 5.
fn printed(packets: &'static str, flags: &[&str]) -> Outcome {
    let broker = Broker::start(until_goodbye(subscribed([Step::Send(packets)])));
    let url = broker.url();
    Program::new([&["sub", &url, "-V", "311", "-t", "t"], flags].concat()).run()
}

/// One message with every property that it can have, in MQTT 5.
const EVERYTHING: &str = "33 <a/b> 00 07 38 26 <k> <v> 01 01 02 00 00 00 3c 03 <text/x> 08 <r/s> 09 00 02 ff 00 \
                          0b 05 0b 06 23 00 01 26 <k> <w> 26 <'> <ü> 'grün'";

/// What `mqttws sub -t t -C 1` with these flags makes of [`EVERYTHING`].
fn printed_of_everything(flags: &[&str]) -> Outcome {
    let script = vec![
        Step::Upgrade,
        packet("10 <MQTT> 05 *"),
        Step::Send("20 00 00 00"),
        packet("82 id 00 <t> 01"),
        Step::Send("90 id 00 01"),
        Step::Send(EVERYTHING),
        packet("40 00 07"),
    ];
    let broker = Broker::start(until_session_end(script));
    let url = broker.url();
    let command = ["sub", &url, "-t", "t", "-q", "1", "-C", "1"];
    let aliases = ["-D", "connect", "topic-alias-maximum", "1"];
    Program::new([&command[..], &aliases, flags].concat()).run()
}

#[test]
fn a_format_is_followed() {
    printed("31 <t> 'one'; 30 <t>", &["-C", "2", "-F", "%t:%5p|%-8x|%r\\t@@%%"]).expect(
        0,
        "t:  one|6f6e65  |1\t@%\nt:     |        |0\t@%\n",
        "",
    );
}

#[test]
fn a_format_shows_parts_of_a_second() {
    let outcome = printed("30 <t> 'x'", &["-C", "1", "-F", "@3N @6N @N"]);
    let text = String::from_utf8(outcome.stdout).unwrap();
    let parts: Vec<&str> = text.trim_end().split(' ').collect();
    assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [3, 6, 9], "{text}");
    assert!(parts[2].starts_with(parts[1]) && parts[1].starts_with(parts[0]), "{text}");
}

#[test]
fn the_time_stands_before_a_message() {
    let shape = |text: &str| -> String {
        text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect()
    };
    for (flags, rest) in [
        (&["--time", "-v"][..], " t x\n"),
        (&["--time"], " x\n"),
        (&["--time", "-v", "--hex"], " t 00\n"),
        (&["--time", "-v", "--color", "always"], " \x1b[00mt\x1b[0m x\n"),
    ] {
        let outcome = printed("30 <t> 'x'", &[&["-C", "1"], flags].concat());
        let text = String::from_utf8(outcome.stdout).unwrap();
        assert_eq!(shape(&text), format!("0000-00-00T00:00:00.000+0000{rest}"), "{flags:?}");
    }
}

#[test]
fn a_dump_shows_every_byte() {
    let packets = "30 <t> '0123456789abcdefg'; 30 <t>; 30 <t> 1b";
    let lines = [
        "00000000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  |0123456789abcdef|",
        "00000010  67                                                |g|",
        "00000000  1b                                                |.|",
    ];
    let [one, two, three] = lines;
    let expected = format!("t 17 bytes\n{one}\n{two}\nt 0 bytes\nt 1 byte\n{three}\n");
    printed(packets, &["-C", "3", "-v", "--hexdump"]).expect(0, expected, "");
    printed(packets, &["-C", "3", "--hexdump"]).expect(0, format!("{one}\n{two}\n\n{three}\n"), "");
    for other in ["--hex", "--json", "--base64", "-F%p"] {
        let outcome = Program::new(["sub", "-t", "t", "--hexdump", other]).run();
        assert_eq!(outcome.code(), Some(2), "{outcome}");
    }
}

#[test]
fn a_format_shows_properties() {
    let format = "%t %q %r %m %A %C %x %E %F %R %S %P";
    printed_of_everything(&["-F", format]).expect(
        0,
        "a/b 1 1 7 1 text/x 6772c3bc6e 60 1 r/s 5 k:v k:w ':ü\n",
        "",
    );
}

#[test]
fn a_format_that_makes_no_sense_is_a_usage_error() {
    let outcome = Program::new(["sub", "-t", "t", "-F", "%y"]).run();
    let letters = "A C D d E F f I J j l m P p q R r S t U X x";
    outcome.expect(2, "", &format!("mqttws: -F: %y is unknown; the letters are {letters}\n"));
}

#[test]
fn a_payload_that_does_not_fit_is_told() {
    let warning = "mqttws: warning: the payload of a message to t is not JSON\n";
    printed("30 <t> 'one'", &["-C", "1", "-F", "[%J]"]).expect(0, "[]\n", warning);
    printed("30 <t> 'one'", &["-C", "1", "-F", "[%J]", "--quiet"]).expect(0, "[]\n", "");
}

#[test]
fn payloads_as_text() {
    for (flags, expected) in [
        (&["--hex"][..], "00ff0a\n"),
        (&["--base64", "-v"], "t AP8K\n"),
        (&["--base64", "-N"], "AP8K"),
    ] {
        printed("30 <t> 00 ff 0a", &[&["-C", "1"], flags].concat()).expect(0, expected, "");
    }
}

#[test]
fn nul_behind_each_message() {
    printed("30 <t> 'one'; 30 <t> 0a; 30 <t>", &["-C", "3", "-0"]).expect(0, "one\0\n\0\0", "");
    printed("30 <t> 'one'", &["-C", "1", "-v", "--null"]).expect(0, "t one\0", "");
}

/// The line without its time, which is checked for its form.
fn without_time(outcome: &Outcome) -> String {
    let text = String::from_utf8(outcome.stdout.clone()).unwrap();
    let rest = text.strip_prefix("{\"time\":\"").expect("a record begins with its time");
    let (time, rest) = rest.split_at(27);
    let form: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(form, "0000-00-00T00:00:00.000000Z");
    rest.to_owned()
}

#[test]
fn a_record_of_everything() {
    let outcome = printed_of_everything(&["--json"]);
    let expected = "\",\"topic\":\"a/b\",\"qos\":1,\"retain\":true,\"dup\":false,\"mid\":7,\"properties\":{\
                    \"user-property\":[[\"k\",\"v\"],[\"k\",\"w\"],[\"'\",\"ü\"]],\"payload-format-indicator\":1,\
                    \"message-expiry-interval\":60,\"content-type\":\"text/x\",\"response-topic\":\"r/s\",\
                    \"correlation-data_base64\":\"/wA=\",\"subscription-identifier\":[5,6],\"topic-alias\":1},\
                    \"payload\":\"grün\"}\n";
    assert_eq!(without_time(&outcome), expected);
    assert_eq!((outcome.code(), outcome.stderr.as_slice()), (Some(0), &b""[..]), "{outcome}");
}

#[test]
fn records_are_a_line_each_whatever_the_payload() {
    let outcome = printed("30 <t> 0a 00 1b; 30 <t> ff; 30 <t>", &["-C", "3", "--json"]);
    let text = String::from_utf8(outcome.stdout).unwrap();
    let ends: Vec<&str> = text.lines().map(|line| line.split("false,").nth(2).unwrap()).collect();
    assert_eq!(
        ends,
        ["\"payload\":\"\\n\\u0000\\u001b\"}", "\"payload_base64\":\"/w==\"}", "\"payload\":\"\"}"]
    );
}

#[test]
fn payloads_that_are_json_are_parsed_where_asked_for() {
    let outcome = printed("30 <t> '{\"a\": [1.50 ]}'; 30 <t> '{'", &["-C", "2", "--json=parse"]);
    let text = String::from_utf8(outcome.stdout).unwrap();
    let ends: Vec<&str> =
        text.lines().map(|line| line.split("\"payload\":").nth(1).unwrap()).collect();
    assert_eq!(ends, ["\"{\\\"a\\\": [1.50 ]}\",\"payload_json\":{\"a\":[1.50]}}", "\"{\"}"]);
}

#[test]
fn pretty_records() {
    let outcome = printed("30 <t> 'x'", &["-C", "1", "--json", "--pretty"]);
    let text = String::from_utf8(outcome.stdout).unwrap();
    assert!(
        text.starts_with("{\n  \"time\": \"2") && text.ends_with(",\n  \"payload\": \"x\"\n}\n"),
        "{text}"
    );
}

#[test]
fn each_message_is_a_file() {
    let folder = Folder::new();
    let inside = format!("{}/new/messages", folder.path().display());
    let script = connected([
        packet("82 id <t> 01"),
        Step::Send("90 id 01; 32 <../../x> 00 07 'one' 0a; 30 </etc/passwd> 00 ff; 30 <t>"),
        packet("40 00 07"),
    ]);
    let broker = Broker::start(until_goodbye(script));
    let flags = ["-V", "311", "-t", "t", "-q", "1", "-C", "3", "-o", &inside];
    Program::new([&["sub", &broker.url()], &flags[..]].concat()).run().expect(0, "", "");
    let expected: [(&str, &[u8]); 3] =
        [("%2E.+..+x-000001", b"one\n"), ("+etc+passwd-000002", b"\0\xff"), ("t-000003", b"")];
    let expected = expected.map(|(name, content)| (name.to_owned(), content.to_vec()));
    assert_eq!(files(&inside), expected);
}

/// Promise 1 of design.md §4 holds for files, too.
#[test]
fn a_file_that_cannot_be_written_is_not_acknowledged() {
    let folder = Folder::new();
    let inside = format!("{}/messages", folder.path().display());
    let script = connected([
        packet("82 id <t> 01"),
        Step::Send("90 id 01"),
        Step::Tell,
        // Until the client has been idle for a second the folder is gone.
        packet("c0"),
        Step::Send("d0; 32 <t> 00 07 'x'"),
        Step::Gone,
    ]);
    let broker = Broker::start(script);
    let flags = ["-V", "311", "-k", "1", "-t", "t", "-q", "1", "-o", &inside];
    let running = Program::new([&["sub", &broker.url()], &flags[..]].concat()).spawn();
    broker.wait();
    std::fs::remove_dir(&inside).unwrap();
    let url = broker.url();
    let line =
        format!("mqttws: subscribed at {url}: writing to {inside}: No such file or directory\n");
    running.finish().expect(1, "", &line);
}

/// The files in this folder, in the order of their names.
fn files(folder: &str) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

/// Both look for the highest number before the other has written anything.
#[test]
fn two_subscribers_in_one_folder_replace_no_file() {
    let folder = Folder::new();
    let inside = format!("{}/messages", folder.path().display());
    let script = connected([
        packet("82 id <t> 01"),
        Step::Send("90 id 01"),
        Step::Tell,
        packet("c0"),
        Step::Send("d0; 32 <t> 00 07 'c'; 32 <t> 00 08 'd'"),
        packet("40 00 07"),
        packet("40 00 08"),
    ]);
    let slow = Broker::start(until_goodbye(script));
    let flags = ["-V", "311", "-t", "t", "-q", "1", "-C", "2", "-o", &inside];
    let url = slow.url();
    let running = Program::new([&["sub", &url, "-k", "1"], &flags[..]].concat()).spawn();
    slow.wait();
    let script = connected([
        packet("82 id <t> 01"),
        Step::Send("90 id 01; 32 <t> 00 01 'a'; 32 <t> 00 02 'b'"),
        packet("40 00 01"),
        packet("40 00 02"),
    ]);
    let fast = Broker::start(until_goodbye(script));
    Program::new([&["sub", &fast.url()], &flags[..]].concat()).run().expect(0, "", "");
    running.finish().expect(0, "", "");
    let expected = [("1", b"a"), ("2", b"b"), ("3", b"c"), ("4", b"d")];
    let expected = expected.map(|(at, content)| (format!("t-00000{at}"), content.to_vec()));
    assert_eq!(files(&inside), expected);
}

#[test]
fn a_file_is_no_folder() {
    let folder = Folder::new();
    let file = folder.write("flags", "-t t");
    let outcome = Program::new(["sub", "-t", "t", "--output-dir", &file]).run();
    let line = format!(
        "mqttws: --output-dir {file}: expected a folder for the messages; flags come from a file with -o\n"
    );
    outcome.expect(2, "", &line);
}

#[test]
fn the_summary_is_on_stderr() {
    let outcome = printed("30 <t> 'one'; 30 <t> 'four'", &["-C", "2", "--summary"]);
    let stderr = String::from_utf8(outcome.stderr).unwrap();
    assert!(stderr.starts_with("mqttws: received 2 messages, 7 bytes in "), "{stderr}");
    assert!(stderr.ends_with(" bytes/s\n") && stderr.lines().count() == 1, "{stderr}");
}
