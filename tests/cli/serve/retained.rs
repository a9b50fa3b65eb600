//! `mqttws serve --load` and `--save`: retained messages in files.

use std::fs;

use crate::support::folder::Folder;
use crate::support::lines::{fails, is_like};
use crate::support::program::{Outcome, Program, Running};

fn served(flags: &[&str], script: &str) -> Outcome {
    Program::new([&["serve"], flags, &["--", "sh", "-c", script]].concat()).run()
}

/// The records of a file without their times.
fn records(path: &str) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let without_time = |line: &str| {
        let (time, rest) = line.split_once(r#"","topic""#).unwrap();
        assert!(time.starts_with(r#"{"time":"2"#), "{line}");
        format!(r#"{{"topic"{rest}"#)
    };
    text.lines().map(without_time).collect()
}

#[test]
fn everything_of_a_message_survives() {
    let folder = Folder::new();
    let file = folder.path().join("retained.json").display().to_string();
    let script = "set -e
        mqttws pub -r -t a/text -q 1 -m 'one \"two\"'
        printf '\\377\\000' | mqttws pub -r -t b/bytes -q 2 -s -D publish content-type text/x \
            -D publish user-property n 1 -D publish user-property n 2 \
            -D publish correlation-data xyz -D publish response-topic answers \
            -D publish message-expiry-interval 5000
        mqttws pub -t c/live -q 1 -m live
        mqttws pub -r -t d/gone -q 1 -m gone; mqttws pub -r -t d/gone -q 1 -n";
    served(&["--save", &file], script).expect(0, "", "");
    let saved = records(&file);
    assert_eq!(saved.len(), 2, "{saved:?}");
    let text = r#"{"topic":"a/text","qos":1,"retain":true,"dup":false,"payload":"one \"two\""}"#;
    assert_eq!(saved[0], text);
    let bytes = [
        r#"{"topic":"b/bytes","qos":2,"retain":true,"dup":false,"#,
        r#""properties":{*"message-expiry-interval":*},"payload_base64":"/wA="}"#,
    ]
    .concat();
    assert!(is_like(&saved[1], &bytes), "{saved:?}");
    // The same again, from that file; properties stand in the order of their names then.
    let other = folder.path().join("other.json").display().to_string();
    served(&["--load", &file, "--save", &other], "true").expect(0, "", "");
    for saved in [saved, records(&other)] {
        assert_eq!(saved[0], text);
        for property in [
            r#""content-type":"text/x""#,
            r#""user-property":[["n","1"],["n","2"]]"#,
            r#""correlation-data":"xyz""#,
            r#""response-topic":"answers""#,
        ] {
            assert!(saved[1].contains(property), "{saved:?}");
        }
    }
    let read = served(&["--load", &file], "mqttws sub -t '#' -q 2 -C 2 -F '%t %q %r %l'");
    read.expect(0, "a/text 1 1 9\nb/bytes 2 1 2\n", "");
    let left = served(&["--load", &file], "mqttws sub -t b/# -C 1 -F '%E'");
    let left: u32 = String::from_utf8_lossy(&left.stdout).trim().parse().unwrap();
    assert!((4_000..=5_000).contains(&left), "{left}");
}

#[test]
fn what_sub_prints_can_be_loaded_and_what_is_saved_published() {
    let folder = Folder::new();
    let (printed, saved) = (folder.path().join("printed"), folder.path().join("saved"));
    let (printed, saved) = (printed.display().to_string(), saved.display().to_string());
    let script = format!(
        "mqttws pub -r -t a -m 1 && mqttws pub -r -t b -m 2 &&
         mqttws sub -t '#' --retained-only --json -C 2 > {printed}"
    );
    served(&[], &script).expect(0, "", "");
    served(&["--load", &printed, "--save", &saved], "true").expect(0, "", "");
    let script = format!("mqttws pub --json < {saved} && mqttws sub -t '#' -v -C 2");
    served(&[], &script).expect(0, "a 1\nb 2\n", "");
}

#[test]
fn a_file_to_save_to_may_be_missing_the_first_time() {
    let folder = Folder::new();
    let file = folder.path().join("state").display().to_string();
    for (number, expected) in [(1, "1\n"), (2, "1\n2\n"), (3, "1\n2\n3\n")] {
        let script = format!("mqttws pub -r -t {number} -m x; mqttws sub -t '#' -C {number} -F %t");
        let outcome = served(&["--load", &file, "--save", &file], &script);
        outcome.expect(0, expected, "");
    }
    let line = format!("mqttws: reading {file}x: No such file or directory");
    fails(&served(&["--load", &format!("{file}x"), "--save", &file], "true"), 1, &line);
}

#[test]
fn a_wrong_record_is_named_before_the_broker_listens() {
    let folder = Folder::new();
    let file = folder.write("wrong", "{\"topic\":\"a\",\"payload\":\"1\"}\n{\"topic\":\"a/#\"}\n");
    let line = format!("mqttws: reading {file}: line 2: topic: *");
    fails(&served(&["--load", &file], "echo started"), 1, &line);
    fails(&Program::new(["serve", "-p", "0", "--load", &file]).run(), 1, &line);
}

/// What is wrong is the file, not the address.
#[test]
fn more_than_the_limits_allow_is_not_loaded() {
    let folder = Folder::new();
    let record = |topic| format!("{{\"topic\":\"{topic}\",\"payload\":\"{}\"}}\n", "x".repeat(300));
    let file = folder.write("three", ["a", "b", "c"].map(record).concat());
    let line = format!(
        "mqttws: loading {file}: there is room for the first 2 of its messages; --limit \
         retained-messages and retained-bytes make more"
    );
    for limit in ["retained-messages=2", "retained-bytes=1000"] {
        let flags = ["--load", &file, "--limit", limit];
        fails(&served(&flags, "echo started"), 1, &line);
    }
    served(&["--load", &file, "--limit", "retained-messages=3"], "true").expect(0, "", "");
}

#[test]
fn messages_are_saved_when_a_signal_ends_the_broker() {
    for signal in ["INT", "TERM", "HUP", "QUIT"] {
        let folder = Folder::new();
        let file = folder.path().join("state").display().to_string();
        let words = ["serve", "-p", "0", "--save", &file];
        let mut serve: Running = Program::new(words).spawn();
        let url = serve.wait_for_line(|line| line.starts_with("ws://"));
        Program::new(["pub", &url, "-r", "-q", "1", "-t", "t", "-m", signal])
            .run()
            .expect(0, "", "");
        serve.signal(signal);
        serve.finish().expect(0, format!("{url}\n"), "");
        assert!(records(&file)[0].contains(&format!("\"payload\":\"{signal}\"")));
    }
}

#[test]
fn a_file_that_cannot_be_written_is_an_error() {
    let line = "mqttws: saving retained messages in /no/such/file: there is no such folder";
    fails(&served(&["--save", "/no/such/file"], "echo started"), 1, line);
    let full = "mqttws: saving retained messages in /dev/full: No space left on device";
    let script = "mqttws pub -r -q 1 -t t -m x";
    fails(&served(&["--save", "/dev/full"], script), 1, full);
    // The command's own failure counts.
    fails(&served(&["--save", "/dev/full"], &format!("{script}; exit 7")), 7, full);
    let gone = Folder::new();
    let file = gone.path().join("state").display().to_string();
    let script = format!("rm -r {}", gone.path().display());
    let line = format!("mqttws: saving retained messages in {file}: there is no such folder");
    fails(&served(&["--save", &file], &script), 1, &line);
}

/// Tests that run at the same time begin with the same messages, and none sees those of another.
#[test]
fn each_named_broker_begins_with_the_file() {
    let folder = Folder::new();
    let file = folder.write("state", "{\"topic\":\"a\",\"payload\":\"loaded\"}\n");
    let saved = folder.path().join("saved").display().to_string();
    let script = "set -e
        one=${MQTTWS_URL%/mqtt}/one/mqtt two=${MQTTWS_URL%/mqtt}/two/mqtt
        mqttws sub $one -t a -C 1
        mqttws pub $one -t a -r -q 1 -m changed
        mqttws sub $one -t a -C 1
        mqttws sub $two -t a -C 1";
    let outcome = served(&["--load", &file, "--save", &saved], script);
    outcome.expect(0, "loaded\nchanged\nloaded\n", "");
    assert!(records(&saved)[0].contains("\"payload\":\"loaded\""));
}
