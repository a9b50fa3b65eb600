//! `mqttws serve`: each request that is refused is a line on stderr, for those who see only the
//! code 1006 of their browser.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::serve;
use crate::support::lines::is_like;
use crate::support::program::Program;

const UPGRADE: &str = "GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Protocol: mqtt\r\n\r\n";

/// The answer to a request that is refused.
fn ask(url: &str, request: &str) -> String {
    let address = url.trim_start_matches("ws://").trim_end_matches("/mqtt");
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn each_says_what_was_asked_and_what_to_change() {
    let table = [
        (
            UPGRADE.replace("/mqtt ", "/x?token=1 "),
            "404 Not Found: mqttws serve listens at /mqtt, not at /x",
        ),
        (
            UPGRADE.replace("GET ", "POST "),
            "426 Upgrade Required: * upgrades only, and POST is none",
        ),
        (
            UPGRADE.replace("Upgrade: websocket\r\n", ""),
            "426 *, and the request has no header Upgrade: websocket",
        ),
        (
            UPGRADE.replace(": 13", ": 8"),
            "426 *: only version 13 of WebSocket is spoken here, not 8",
        ),
        (
            UPGRADE.replace("Host: localhost\r\n", ""),
            "400 Bad Request: the request has no Host header",
        ),
        (
            UPGRADE.replace("Host", "Host: [::1]\r\nHost"),
            "400 *: the request has 2 Host headers, one is allowed",
        ),
        (
            UPGRADE.replace("Key: dG", "Key: "),
            "400 *: the Sec-WebSocket-Key is not 16 bytes in base64",
        ),
        (
            UPGRADE.replace("Sec-WebSocket-Protocol: mqtt\r\n", ""),
            "400 *: the subprotocol must be mqtt (or mqttv3.1); none was offered: in a browser, new WebSocket(url, \"mqtt\")",
        ),
        (
            UPGRADE.replace("Protocol: mqtt", "Protocol: a\u{9b}31mb\u{202e}c"),
            "400 *must be mqtt (or mqttv3.1), not a\\u{9b}31mb\\u{202e}c",
        ),
        (
            "\u{10}\u{c}\0\u{4}MQTT".to_owned(),
            "400 *: this is MQTT without WebSocket: the client must be given a URL with ws://",
        ),
        (
            "\u{16}\u{3}\u{1}".to_owned(),
            "400 *: this is TLS, which is not spoken here: the URL begins with ws://, not with wss://",
        ),
    ];
    // Ten lines are written within ten seconds; what follows is counted.
    for part in table.chunks(6) {
        let (serve, url) = serve();
        for (request, line) in part {
            let answer = ask(&url, request);
            assert!(answer.starts_with(&format!("HTTP/1.1 {}", &line[..3])), "{answer}");
        }
        serve.signal("INT");
        let outcome = serve.finish();
        let text = String::from_utf8(outcome.stderr.clone()).unwrap();
        assert_eq!((outcome.code(), text.lines().count()), (Some(0), part.len()), "{outcome}");
        for (line, (_, pattern)) in text.lines().zip(part) {
            let pattern = format!("mqttws: warning: 127.0.0.1:* was refused with {pattern}");
            assert!(is_like(line, &pattern), "{line} is not like {pattern}");
        }
    }
}

#[test]
fn a_flood_of_them_is_counted() {
    let (serve, url) = serve();
    for _ in 0..200 {
        ask(&url, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    serve.signal("INT");
    let outcome = serve.finish();
    let text = String::from_utf8(outcome.stderr.clone()).unwrap();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    // Ten within ten seconds, which a busy machine may need.
    let lines: Vec<&str> = text.lines().collect();
    assert!((11..=60).contains(&lines.len()), "{outcome}");
    assert!(
        lines.last().is_some_and(|line| line.contains(" more upgrades were refused; -d shows"))
    );
}

/// The log has them, and nothing else stands between its lines.
#[test]
fn in_a_log_of_json_they_are_objects() {
    let mut serve = Program::new(["serve", "-p", "0", "--log", "json"]).spawn();
    let url = serve.wait_for_line(|line| line.starts_with("ws://127.0.0.1:"));
    ask(&url, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    serve.signal("INT");
    let outcome = serve.finish();
    let text = String::from_utf8(outcome.stderr.clone()).unwrap();
    let pattern = "{\"time\":\"*\",\"event\":\"note\",\"text\":\"127.0.0.1:* was refused with 404 Not Found: *\"}\n";
    assert!(is_like(&text, pattern), "{outcome}");
}
