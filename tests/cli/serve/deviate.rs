//! `mqttws serve --deviate`: the list, and wrong names. What each deviation changes is tested with
//! `check`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::memory::Client;
use super::{serve_with, stop};
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
    let members = [
        r#"{"name":"list-refused","deviation":"400 for a list of subprotocols""#,
        r#""servers":"NanoMQ, IBM MQ 7.5""#,
        r#""fail":["offer-list","offer-list-forms","offer-unknown-first"],"warn":[]}"#,
    ];
    let object = members.join(",");
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

/// The answer to a request, with a Ping behind it in the same write, and then another Ping; until
/// the connection ends or the second was answered.
fn answer_to_early_data(deviation: &[&str]) -> Vec<u8> {
    let (serve, url) = serve_with(deviation);
    let address = url.trim_start_matches("ws://").trim_end_matches("/mqtt");
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let request = "GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
                   Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                   Sec-WebSocket-Protocol: mqtt\r\n\r\n";
    let ping = |byte| [0x89, 0x81, 0, 0, 0, 0, byte];
    socket.write_all(&[request.as_bytes(), &ping(b'1')].concat()).unwrap();
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.ends_with(b"2") && socket.read(&mut byte).is_ok_and(|count| count > 0) {
        answer.push(byte[0]);
        if answer.ends_with(b"\r\n\r\n") {
            socket.write_all(&ping(b'2')).unwrap();
        }
    }
    stop(serve);
    answer
}

/// RST, and no FIN before it.
#[test]
fn a_reset_is_no_end() {
    let (serve, url) = serve_with(&["--deviate", "reset-after-disconnect"]);
    let mut client = Client::connected(&url, "me", 4);
    client.send(b"\xe0\0");
    let ended = client.0.read(&mut [0; 10]);
    let kind = ended.as_ref().map_err(std::io::Error::kind);
    assert_eq!(kind, Err(std::io::ErrorKind::ConnectionReset), "{ended:?}");
    stop(serve);
}

#[test]
fn what_comes_before_the_upgrade_is_granted() {
    let after_head = |answer: &[u8]| {
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
        answer[end + 4..].to_vec()
    };
    let usual = answer_to_early_data(&[]);
    assert_eq!(after_head(&usual), b"\x8a\x011\x8a\x012");
    let lost = answer_to_early_data(&["--deviate", "early-data-lost"]);
    assert_eq!(after_head(&lost), b"\x8a\x012");
    let ends = answer_to_early_data(&["--deviate", "early-data-ends"]);
    assert_eq!(ends, b"");
}
