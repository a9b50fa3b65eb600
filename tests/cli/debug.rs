//! `-d` and `-dd`: what is told of the way to a broker, and that no secret is in it.

use crate::support::broker::{Broker, Step, packet, until_goodbye};
use crate::support::certificates::{Authority, FAR_AWAY};
use crate::support::folder::Folder;
use crate::support::lines::is_like;
use crate::support::program::{Outcome, Program};
use crate::support::secure::{Server, good, publish_to};

/// The log without its times; each line must begin with one.
fn log(outcome: &Outcome) -> Vec<String> {
    let text = String::from_utf8_lossy(&outcome.stderr).into_owned();
    let untimed = |line: &str| match line.split_once(": ") {
        Some((time, rest)) if time.parse::<f64>().is_ok() => rest.to_owned(),
        _ => line.to_owned(),
    };
    text.lines().map(untimed).collect()
}

/// Checks that the log is like these lines.
fn tells(outcome: &Outcome, lines: &[&str]) {
    let log = log(outcome);
    let alike =
        log.len() == lines.len() && log.iter().zip(lines).all(|(line, like)| is_like(line, like));
    assert!(alike, "expected {lines:#?}, got {log:#?}");
    assert!(!log.iter().any(|line| line.contains("s3cret")), "{log:#?}");
}

fn takes_a_message() -> Vec<Step> {
    until_goodbye(vec![
        Step::Upgrade,
        packet("10 <MQTT> 04 *"),
        Step::Frame(0x89, b"p"),
        Step::Pong(b"p"),
        Step::Frame(0x02, b""),
        Step::Frame(0x80, b"\x20\x02\x00\x00"),
        packet("30 <t> 'x'"),
    ])
}

fn publish(url: &str, arguments: &[&str]) -> Program {
    Program::new([&["pub", url, "-V", "311", "-i", "me", "-t", "t", "-m", "x"], arguments].concat())
}

#[test]
fn the_upgrade_and_the_frames_are_told_without_secrets() {
    let broker = Broker::start(takes_a_message());
    let url = format!("{}?X-Amz-Signature=s3cret", broker.url());
    let secrets =
        ["-H", "Authorization: s3cret", "-H", "Cookie: a=s3cret", "-u", "ann", "-P", "s3cret"];
    let outcome = publish(&url, &[&["-dd", "-H", "X-Lab: 1"][..], &secrets].concat()).run();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    tells(
        &outcome,
        &[
            "* connected to 127.0.0.1:*",
            "> GET /mqtt?*** HTTP/1.1",
            "> Host: 127.0.0.1:*",
            "> Upgrade: websocket",
            "> Connection: Upgrade",
            "> Sec-WebSocket-Key: *",
            "> Sec-WebSocket-Version: 13",
            "> Sec-WebSocket-Protocol: mqtt",
            "> User-Agent: mqttws/*",
            "> X-Lab: 1",
            "> Authorization: ***",
            "> Cookie: ***",
            "> ",
            "< HTTP/1.1 101 Switching Protocols",
            "< Upgrade: websocket",
            "< Connection: Upgrade",
            "< Sec-WebSocket-Accept: *",
            "< Sec-WebSocket-Protocol: mqtt",
            "< ",
            "Client me sending CONNECT",
            "> frame: binary, length *",
            "< frame: ping, length 1",
            "> frame: pong, length 1",
            "< frame: binary, to be continued, length 0",
            "< frame: continuation, length 4",
            "Client me received CONNACK (0)",
            "Client me sending PUBLISH (d0, q0, r0, m0, 't', ... (1 bytes))",
            "Client me sending DISCONNECT*",
            "> frame: binary, length *",
            "> frame: close, length 2",
            "< frame: close, length 2",
        ],
    );
}

#[test]
fn tls_is_told() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let cafile = folder.write("ca.pem", authority.pem());
    let certificate = authority.certify(&["localhost"], FAR_AWAY);
    let mut config = Server::showing(&certificate).config();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let broker = good(config);
    let arguments = ["--cafile", &cafile, "-dd", "--tls-alpn", "http/1.1"];
    let outcome = publish_to("localhost", &broker, &arguments).run();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let log = log(&outcome);
    assert!(is_like(&log[1], "* TLS: TLSv1.3, TLS_*, ALPN http/1.1"), "{log:#?}");
    let certificate = "* certificate: subject CN=rcgen self signed cert, issuer CN=Test authority *, \
                       valid 2000-01-01 to 2200-01-01, SHA-256 *";
    assert!(is_like(&log[2], certificate), "{log:#?}");
}

#[test]
fn the_conversation_with_a_proxy_is_told() {
    let mut steps = vec![
        Step::Request(&["Proxy-Authorization: Basic YW5uOnMzY3JldA=="]),
        Step::Answer("HTTP/1.1 200 Connection established\r\nVia: 1.1 lab\r\n\r\n"),
    ];
    steps.extend(takes_a_message());
    let broker = Broker::start(steps);
    let proxy = format!("http://ann:s3cret@127.0.0.1:{}", broker.port());
    let outcome = publish("ws://broker.example/mqtt", &["-dd", "--proxy", &proxy]).run();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let log = log(&outcome);
    let told = [
        "* connected to 127.0.0.1:*, the proxy http://127.0.0.1:*",
        "> CONNECT broker.example:80 HTTP/1.1",
        "> Host: broker.example:80",
        "> Proxy-Authorization: ***",
        "> User-Agent: mqttws/*",
        "> ",
        "< HTTP/1.1 200 Connection established",
        "< Via: 1.1 lab",
        "< ",
        "> GET /mqtt HTTP/1.1",
    ];
    assert!(told.iter().zip(&log).all(|(like, line)| is_like(line, like)), "{log:#?}");
}

#[test]
fn another_version_is_told_when_it_is_tried() {
    let mut steps =
        vec![Step::Upgrade, packet("10 <MQTT> 05 *"), Step::Send("20 00 01"), Step::Gone];
    steps.push(Step::Reconnect);
    steps.extend(until_goodbye(vec![
        Step::Upgrade,
        packet("10 <MQTT> 04 *"),
        Step::Send("20 00 00"),
        packet("30 <t> 'x'"),
    ]));
    let broker = Broker::start(steps);
    let outcome =
        Program::new(["pub", &broker.url(), "-i", "me", "-t", "t", "-m", "x", "-d"]).run();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    tells(
        &outcome,
        &[
            "Client me sending CONNECT, *",
            "Client me received CONNACK (1)",
            "the broker refused MQTT 5: *; trying MQTT 3.1.1",
            "Client me sending CONNECT",
            "Client me received CONNACK (0)",
            "mqttws: warning: connected with MQTT 3.1.1 and subprotocol mqtt; the first try failed: *",
            "Client me sending PUBLISH (d0, q0, r0, m0, 't', ... (1 bytes))",
            "Client me sending DISCONNECT*",
        ],
    );
}

#[test]
fn properties_and_codes_of_both_sides_are_told() {
    let steps = until_goodbye(vec![
        Step::Upgrade,
        packet("10 <MQTT> 05 *"),
        Step::Send("20 01 00 0b 21 00 14 24 01 1f <ok\u{1b}>"),
        packet("82 id 02 0b 07 <a> 02 <b> 02"),
        Step::Send("90 id 00 00 87; 30 <a> 05 02 00 00 00 05 'x'"),
    ]);
    let broker = Broker::start(steps);
    let url = broker.url();
    let arguments = [
        ["sub", &url, "-V", "5"],
        ["-i", "me", "-t", "a"],
        ["-t", "b", "-q", "2"],
        ["-C", "1", "-d", "-c"],
    ];
    let secret = ["-D", "connect", "user-property", "token", "s3cret"];
    let identifier = ["-D", "subscribe", "subscription-identifier", "7"];
    let outcome = Program::new([&arguments.concat()[..], &secret, &identifier].concat()).run();
    assert_eq!(outcome.code(), Some(7), "{outcome}");
    tells(
        &outcome,
        &[
            "Client me sending CONNECT, session-expiry-interval 4294967295, receive-maximum *, \
             user-property 'token'=***",
            "Client me received CONNACK (0), session present, receive-maximum 20, maximum-qos 1, \
             reason-string 'ok\\u{1b}'",
            "Client me sending SUBSCRIBE (Mid: 1, Topic: a, QoS: 2, Options: 0x00, Topic: b, \
             QoS: 2, Options: 0x00), subscription-identifier 7",
            "Client me received SUBACK (Mid: 1, RC:0 granted QoS 0, RC:135 not authorized)",
            "mqttws: subscribing to b: refused: not authorized",
            "mqttws: warning: subscribing to a: the broker granted QoS 0, not 2: *",
            "Client me received PUBLISH (d0, q0, r0, m0, 'a', ... (1 bytes)), \
             message-expiry-interval 5",
            "Client me sending DISCONNECT*",
        ],
    );
}
