//! `mqttws serve -d` and `--log`: what the broker does, on stderr.

use crate::support::lines::is_like;
use crate::support::program::{Outcome, Program};

/// The log of a broker to which one message was published.
fn log(flags: &[&str]) -> (Outcome, String) {
    let publish = ["pub", "-i", "me", "-t", "lab/door", "-m", "open", "-q", "1", "-k", "30"];
    let words = [&["serve"], flags, &["--", env!("CARGO_BIN_EXE_mqttws")], &publish].concat();
    let outcome = Program::new(words).run();
    assert_eq!((outcome.code(), outcome.stdout.as_slice()), (Some(0), &b""[..]), "{outcome}");
    let text = String::from_utf8(outcome.stderr.clone()).unwrap();
    (outcome, text)
}

#[test]
fn it_is_as_mosquitto_writes_it() {
    let expected = [
        "New connection from 127.0.0.1:*.",
        "New client connected from 127.0.0.1:* as me (p5, c1, k30), *.",
        "No will message specified.",
        "Sending CONNACK to me (0, 0), *",
        "Received PUBLISH from me (d0, q1, r0, m1, 'lab/door', ... (4 bytes))",
        "Sending PUBACK to me (*)",
        "Received DISCONNECT from me",
        "Client me disconnected.",
    ];
    for flags in [&["-d"][..], &["--debug"], &["--log", "text"], &["-d", "--log", "text"]] {
        let (outcome, text) = log(flags);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), expected.len(), "{outcome}");
        for (line, pattern) in lines.into_iter().zip(expected) {
            assert!(is_like(line, &format!("*.*: {pattern}")), "{line} is not like {pattern}");
        }
    }
}

#[test]
fn it_is_json_where_that_is_asked_for() {
    let me = r#""address":"127.0.0.1:*","client":"me""#;
    let expected = [
        r#""open","address":"127.0.0.1:*"}"#.to_owned(),
        format!(
            r#""received",{me},"packet":"CONNECT","version":"5","clean_start":true,"keep_alive":30}}"#
        ),
        format!(r#""sent",{me},"packet":"CONNACK","code":0,"session_present":false}}"#),
        format!(
            r#""received",{me},"packet":"PUBLISH","topic":"lab/door","qos":1,"retain":false,"dup":false,"bytes":4,"mid":1}}"#
        ),
        format!(r#""sent",{me},"packet":"PUBACK","mid":1,"code":*}}"#),
        format!(r#""received",{me},"packet":"DISCONNECT","code":0}}"#),
        format!(r#""close",{me}}}"#),
    ];
    for flags in [&["--log", "json"][..], &["-d", "--log=json"]] {
        let (outcome, text) = log(flags);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), expected.len(), "{outcome}");
        for (line, pattern) in lines.into_iter().zip(&expected) {
            let pattern = format!(r#"{{"time":"2*-*T*Z","event":{pattern}"#);
            assert!(is_like(line, &pattern), "{line} is not like {pattern}");
        }
    }
}

/// A user name is shown, a password and the values of user properties are not.
#[test]
fn it_tells_no_secrets() {
    for flag in ["text", "json"] {
        let client = [env!("CARGO_BIN_EXE_mqttws"), "pub", "-t", "t", "-m", "payl0ad"];
        let secrets =
            ["-u", "ann", "-P", "s3cret", "-D", "connect", "user-property", "token", "t0ken"];
        let words = [&["serve", "--log", flag, "--"][..], &client, &secrets].concat();
        let outcome = Program::new(words).run();
        let text = String::from_utf8_lossy(&outcome.stderr);
        assert!(outcome.code() == Some(0) && text.contains("ann"), "{outcome}");
        assert!(!["s3cret", "t0ken", "payl0ad"].iter().any(|word| text.contains(word)), "{text}");
    }
}
