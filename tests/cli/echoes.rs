//! The query of our request and our tokens are not shown, however a server repeats them.
//!
//! The secrets contain a `~`, which no random key, identifier or port of a run can contain.

use crate::support::broker::{Broker, Step, packet};
use crate::support::program::{Outcome, Program};

/// `mqttws pub` to a path with a secret in its query, and with a secret header.
fn publish(broker: &Broker, flags: &[&str]) -> Outcome {
    let url = format!("{}?token=s~cr%2Fet-s~cret&id=dev", broker.url());
    let header = ["-H", "X-Api-Key: k~y-of-mine"];
    let arguments =
        [&["pub", &url, "-V", "311", "-t", "t", "-m", "x", "--no-reconnect"], &header[..], flags];
    Program::new(arguments.concat()).run()
}

/// Checks that nothing shows the secrets when the server answers like this, with `-dd` and
/// `--follow`, too.
fn hides(answer: &'static str, words: &str) {
    for flags in [&[][..], &["-dd"], &["--follow"]] {
        let broker =
            Broker::start(vec![Step::Request(&[]), Step::Answer(answer), Step::End, Step::Gone]);
        is_hidden(&publish(&broker, flags), if flags.is_empty() { words } else { "" });
    }
}

fn is_hidden(outcome: &Outcome, words: &str) {
    let shown = [&outcome.stdout[..], &outcome.stderr[..]].concat().escape_ascii().to_string();
    assert!(!shown.contains("s~cr") && !shown.contains("k~y"), "{outcome}");
    assert!(String::from_utf8_lossy(&outcome.stderr).contains(words), "{outcome}");
    assert_ne!(outcome.code(), Some(0), "{outcome}");
}

#[test]
fn a_redirect_that_repeats_the_query() {
    hides(
        "HTTP/1.1 301 Moved\r\nLocation: mqtt://h/mqtt?token=s~cr%2Fet-s~cret&id=dev\r\nContent-Length: 0\r\n\r\n",
        "301 Moved, pointing to mqtt://h/mqtt?***;",
    );
    hides(
        "HTTP/1.1 302 Found\r\nLocation: ftp://h/login?next=%2Fmqtt%3Ftoken%3Ds~cr%252Fet-s~cret%26id%3Ddev\r\n\
         Content-Length: 0\r\n\r\n",
        "pointing to ftp://h/login?next=%2Fmqtt?***;",
    );
    hides(
        "HTTP/1.1 302 Found\r\nLocation: /login?why=bad&key=k~y-of-mine\r\nX-Echo: s~cr/et-s~cret\r\n\
         Content-Length: 0\r\n\r\n",
        "pointing to /login?why=bad&key=***;",
    );
}

#[test]
fn other_headers_reasons_and_pages_that_repeat_it() {
    hides(
        "HTTP/1.1 400 /mqtt?token=s~cr%2Fet-s~cret&id=dev is bad\r\nServer: x s~cr/et-s~cret\r\n\
         WWW-Authenticate: Bearer error=\"s~cr%2Fet-s~cret\"\r\nContent-Length: 0\r\n\r\n",
        "HTTP 400 /mqtt?*** is bad (x ***): Bearer error=\"***\"",
    );
    hides(
        "HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 86\r\n\r\n\
         <title>No /mqtt?token=s~cr%2Fet-s~cret&amp;id=dev here, nor k~y-of-mine</title></html>",
        "404 Not Found: No /mqtt?*** here, nor ***;",
    );
    hides(
        "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\n\
         Cannot GET /mqtt?token=s~cr%2Fet-s~",
        "404 Not Found: Cannot GET /mqtt?***;",
    );
    hides(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: s~cr/et-s~cret\r\n\r\n",
        "answered with subprotocol \"***\"",
    );
    hides(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Extensions: s~cr/et-s~cret\r\n\r\n",
        "extension that was not offered: ***;",
    );
}

#[test]
fn a_banner_that_repeats_the_request() {
    hides(
        "GET /mqtt?token=s~cr%2Fet-s~cret&id=dev HTTP/1.1\r\n",
        "sends back what it is sent: it is an echo server",
    );
    hides(
        "GET /mqtt?token=s~cr%2Fet-s~cret&id=dev HTTP/1.0\r\n",
        "(it sent \"GET /mqtt?*** HTTP/1.0",
    );
    hides("-ERR GET /mqtt?token=s~", "(it sent \"-ERR GET /mqtt?***\")");
}

#[test]
fn the_first_words_of_an_open_websocket_that_repeat_it() {
    let close = b"\x03\xf0bad s~cr/et-s~cret";
    for frame in [Step::Frame(0x88, close), Step::Frame(0x81, b"hello s~cr/et-s~cret")] {
        let broker =
            Broker::start(vec![Step::Upgrade, packet("10 <MQTT> 04 *"), frame, Step::Gone]);
        is_hidden(&publish(&broker, &["-dd"]), "***");
    }
}

/// `mqttws pub -q 1` in MQTT 5 to a path with a secret in its query, with a password.
fn publish_with_password(broker: &Broker, flags: &[&str]) -> Outcome {
    let url = format!("{}?token=s~cr%2Fet-s~cret&id=dev", broker.url());
    let login = ["-u", "ann", "-P", "s~cr3t-p4ss", "-i", "me", "--no-reconnect"];
    let command = ["pub", &url, "-V", "5", "-q", "1", "-t", "t", "-m", "x"];
    Program::new([&command[..], &login, flags].concat()).run()
}

#[test]
fn reasons_of_a_broker_that_repeat_secrets() {
    let connack = Step::Send("20 00 87 21 1f <bad s~cr3t-p4ss s~cr/et-s~cret>");
    let accept = || Step::Send("20 00 00 00");
    let publish = || packet("32 <t> id 00 'x'");
    let puback = Step::Send("40 id 87 12 1f <bad s~cr3t-p4ss>");
    let disconnect = Step::Send("e0 87 12 1f <bad s~cr3t-p4ss>");
    let close = Step::Frame(0x88, b"\x03\xf0bad s~cr3t-p4ss");
    let rows = [
        (vec![connack], "the broker refused: not authorized (bad *** ***)"),
        (vec![accept(), publish(), puback, packet("e0 *"), Step::Close(1000)], "(bad ***)"),
        (vec![accept(), publish(), disconnect], "not authorized (bad ***)"),
        (vec![accept(), publish(), close], "bad ***"),
    ];
    for (steps, words) in rows {
        let mut script = vec![Step::Upgrade, packet("10 *")];
        script.extend(steps);
        script.push(Step::Gone);
        let broker = Broker::start(script);
        is_hidden(&publish_with_password(&broker, &["-dd"]), words);
    }
}

#[test]
fn a_proxy_that_repeats_its_credentials() {
    // The password of the proxy, and how it was sent.
    for answer in [
        "HTTP/1.1 407 no YW5uOnN+Y3IzdC1wNHNz\r\nProxy-Authenticate: Basic realm=\"s~cr3t-p4ss\"\r\n\r\n",
        "HTTP/1.1 502 Bad\r\nX-Echo: YW5uOnN+Y3IzdC1wNHNz\r\nContent-Length: 19\r\n\r\nno: ann:s~cr3t-p4ss",
        "-ERR ann:s~cr3t-p4ss\r\n",
    ] {
        for flags in [&[][..], &["-dd"]] {
            let steps = vec![Step::Request(&[]), Step::Answer(answer), Step::End, Step::Gone];
            let broker = Broker::start(steps);
            let proxy = format!("http://ann:s~cr3t-p4ss@127.0.0.1:{}", broker.port());
            let command = ["pub", "ws://broker.invalid/", "-t", "t", "-m", "x", "--proxy", &proxy];
            let outcome = Program::new([&command[..], flags].concat()).run();
            is_hidden(&outcome, "***");
            let stderr = String::from_utf8_lossy(&outcome.stderr).into_owned();
            assert!(!stderr.contains("YW5uOnN+"), "{outcome}");
        }
    }
}
