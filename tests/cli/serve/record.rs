//! `mqttws serve --record`: every PUBLISH of every client.

use std::fs;

use crate::support::folder::Folder;
use crate::support::lines::{fails, is_like};
use crate::support::program::{Outcome, Program};

fn served(flags: &[&str], script: &str) -> Outcome {
    Program::new([&["serve"], flags, &["--", "sh", "-c", script]].concat()).run()
}

#[test]
fn every_publish_is_a_record_that_can_be_replayed() {
    let folder = Folder::new();
    let file = folder.path().join("record").display().to_string();
    let script = "set -e
        mqttws pub -i ann -t a -m one
        printf 'two\\nthree\\n' | mqttws pub -i bob -t b/c -q 2 -l --topic-alias
        printf '\\377' | mqttws pub -V 311 -i '' -t d -q 1 -r -s";
    served(&["--record", &file], script).expect(0, "", "");
    let text = fs::read_to_string(&file).unwrap();
    let expected = [
        r#"{"time":"2*","client":"ann","topic":"a","qos":0,"retain":false,"dup":false,*"payload":"one"}"#,
        r#"{"time":"2*","client":"bob","topic":"b/c","qos":2,"retain":false,"dup":false,"mid":1,*"payload":"two"}"#,
        r#"{"time":"2*","client":"bob","topic":"b/c","qos":2,"retain":false,"dup":false,"mid":2,*"payload":"three"}"#,
        r#"{"time":"2*","client":"*","topic":"d","qos":1,"retain":true,"dup":false,"mid":1,"payload_base64":"/w=="}"#,
    ];
    assert_eq!(text.lines().count(), expected.len(), "{text}");
    for (line, pattern) in text.lines().zip(expected) {
        assert!(is_like(line, pattern), "{line} is not like {pattern}");
    }
    let again = folder.path().join("again").display().to_string();
    let script = format!("mqttws pub --json --replay < {file}");
    served(&["--record", &again], &script).expect(0, "", "");
    let payloads = |path: &str| -> Vec<String> {
        let text = fs::read_to_string(path).unwrap();
        text.lines().map(|line| line.rsplit_once(",\"payload").unwrap().1.to_owned()).collect()
    };
    assert_eq!(payloads(&again), payloads(&file));
}

#[test]
fn a_file_that_cannot_be_written_is_told_once() {
    let line = "mqttws: recording in /no/such/file: No such file or directory";
    fails(&served(&["--record", "/no/such/file"], "echo started"), 1, line);
    let full = "mqttws: warning: recording in /dev/full: No space left on device; the broker goes \
                on without recording";
    let script = "mqttws pub -q 1 -t t -m x && mqttws pub -q 1 -t t -m y";
    fails(&served(&["--record", "/dev/full"], script), 1, full);
    fails(&served(&["--record", "/dev/full"], &format!("{script}; exit 7")), 7, full);
    let stdout = "mqttws: invalid value '-' for '--record <FILE>': expected a file: stdout is for the \
                  URL; a file of this name is ./-; see mqttws help serve";
    fails(&served(&["--record", "-"], "true"), 2, stdout);
}
