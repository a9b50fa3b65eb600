//! `mqttws serve --deviate`: the list, and wrong names. What each deviation changes is tested with
//! `check`.

use crate::support::lines::fails;
use crate::support::program::Program;

fn listed(flags: &[&str]) -> String {
    let outcome = Program::new([&["serve", "--deviate", "list"], flags].concat()).run();
    assert_eq!((outcome.code(), outcome.stderr.as_slice()), (Some(0), &b""[..]), "{outcome}");
    String::from_utf8(outcome.stdout).unwrap()
}

#[test]
fn the_list_has_a_paragraph_or_an_object_for_each() {
    let (text, json) = (listed(&[]), listed(&["--json"]));
    let names = text.lines().filter(|line| !line.starts_with("    "));
    let of_json = json.lines().map(|line| {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        object["name"].as_str().unwrap().to_owned()
    });
    assert_eq!(names.collect::<Vec<_>>(), of_json.collect::<Vec<_>>());
    let first = "any-path\n    every path is upgraded (ActiveMQ and Mosquitto at any path)\n";
    assert!(text.starts_with(first), "{text}");
    let object = r#"{"name":"list-refused","deviation":"400 for a list of subprotocols","servers":"NanoMQ, IBM MQ 7.5","fail":["offer-list","offer-list-forms","offer-unknown-first"],"warn":[]}"#;
    assert!(json.lines().any(|line| line == object), "{json}");
}

#[test]
fn a_wrong_name_is_an_error() {
    for (names, wrong) in [
        ("no-ping", "there is no no-ping; did you mean no-pong? "),
        ("no-pong,no-ping", "there is no no-ping; did you mean no-pong? "),
        ("silent", "there is no silent; did you mean silent-after-connack? "),
        ("something-else", "there is no something-else; "),
        ("", "there is no ; "),
    ] {
        let line = format!("mqttws: --deviate: {wrong}--deviate list prints all names");
        fails(&Program::new(["serve", "--deviate", names, "--", "true"]).run(), 2, &line);
    }
}

/// Several at once: the subprotocol is warned of, and QoS 2 is answered as QoS 1.
#[test]
fn deviations_are_added() {
    let client = [env!("CARGO_BIN_EXE_mqttws"), "pub", "-t", "t", "-q", "2", "-m", "x"];
    let flags = ["--deviate", "no-subprotocol", "--deviate", "qos-2-as-1,fragments-out"];
    let outcome = Program::new([&["serve"], &flags[..], &["--"], &client].concat()).run();
    let text = String::from_utf8_lossy(&outcome.stderr);
    assert_eq!(outcome.code(), Some(9), "{outcome}");
    assert!(text.starts_with("mqttws: warning: "), "{outcome}");
    assert!(text.contains("subprotocol") && text.contains("PUBACK"), "{outcome}");
}
