//! The HTTP upgrade: the headers that a user can add to the request, and the answers of real
//! servers and proxies (interop.md §2), each with the line that explains it.

use crate::support::broker::{Broker, Step, packet, until_goodbye};
use crate::support::folder::Folder;
use crate::support::program::{Outcome, Program};

/// A correct answer to the upgrade; a test adds its own headers and the empty line.
const GOOD: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                    Connection: Upgrade\r\n\
                    Sec-WebSocket-Accept: {accept}\r\n";

/// The steps after the upgrade: CONNECT, CONNACK, the message `x`, DISCONNECT and Close.
fn takes_a_message() -> Vec<Step> {
    until_goodbye(vec![packet("10 <MQTT> 04 *"), Step::Send("20 00 00"), packet("30 <t> 'x'")])
}

/// Runs `mqttws pub` with one message at QoS 0 and this URL.
fn publish(url: &str, arguments: &[&str]) -> Program {
    Program::new([&["pub", url, "-V", "311", "-t", "t", "-m", "x"], arguments].concat())
}

fn leak(text: String) -> &'static str {
    String::leak(text)
}

/// Publishes to a broker at `path` that answers the upgrade with `answer`.
fn answered(answer: &str, path: &str, arguments: &[&str]) -> (Outcome, String) {
    let answer = Step::Answer(leak(answer.to_owned()));
    let broker = Broker::start(vec![Step::Request(&[]), answer, Step::Gone]);
    let url = broker.url().replace("/mqtt", path);
    (publish(&url, &[&["--subprotocol", "mqtt"], arguments].concat()).run(), url)
}

/// Checks that this answer leads to exit code 5 and exactly this line.
fn explained(answer: &str, words: &str) {
    let (outcome, url) = answered(answer, "/mqtt", &[]);
    outcome.expect(5, "", &format!("mqttws: connecting to {url}: {words}\n"));
}

#[test]
fn wrong_paths_are_answered_with_other_paths() {
    let answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    for (path, others) in [
        ("/mqtt", "/ws or /"),
        ("/ws", "/mqtt or /"),
        ("/", "/mqtt or /ws"),
        ("/x?y=/mqtt", "/mqtt, /ws or /"),
        ("/ws?token=1", "/mqtt or /"),
    ] {
        let (outcome, url) = answered(answer, path, &[]);
        let words = format!(
            "the server answered HTTP 404 Not Found; no WebSocket at this path: try {others}"
        );
        // A query may hold a token, so it is never shown.
        let url = url.split_once('?').map_or(url.clone(), |(path, _)| format!("{path}?..."));
        outcome.expect(5, "", &format!("mqttws: connecting to {url}: {words}\n"));
    }
}

#[test]
fn refusals_are_reported_with_status_header_and_body() {
    explained(
        "HTTP/1.1 400 Bad Request\r\nServer: Cowboy\r\nContent-Type: text/plain\r\n\
         Content-Length: 24\r\n\r\n\
         unsupported_subprotocol\n",
        "the server answered HTTP 400 Bad Request (Cowboy): unsupported_subprotocol; try another \
         --subprotocol, or configure the proxy on the way to pass the header \
         Sec-WebSocket-Protocol",
    );
    explained(
        "HTTP/1.1 400 Bad Request\r\nServer: nginx/1.22.1\r\nContent-Type: text/html\r\n\
         Connection: close\r\n\r\n\
         <html>\r\n<head><title>400 The plain HTTP request was sent to HTTPS \
         port</title></head></html>",
        "the server answered HTTP 400 Bad Request (nginx/1.22.1): 400 The plain HTTP request was \
         sent to HTTPS \
         port; this port speaks TLS: try wss://",
    );
    explained(
        "HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 8, 13\r\nContent-Length: 0\r\n\
         \r\n",
        "the server answered HTTP 426 Upgrade Required, speaking WebSocket version 8, 13; a \
         proxy on the way \
         may drop the Upgrade header",
    );
    explained(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\
         Transfer-Encoding: chunked\r\n\r\n\
         1e\r\n<!doctype html><title>Welcome \r\n16\r\nto nginx!</title><body>\r\n0\r\n\r\n",
        "the server answered HTTP 200 OK: Welcome to nginx!; this is an ordinary web page: check \
         the path and the port",
    );
    explained(
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"iot\"\r\n\
         Content-Length: 0\r\n\r\n",
        "the server answered HTTP 401 Unauthorized: Bearer realm=\"iot\"; give a token with \
         --bearer, or \
         check that it is valid",
    );
    explained(
        "HTTP/1.1 403 Forbidden\r\nx-amzn-ErrorType: ForbiddenException\r\nContent-Length: 0\r\n\
         \r\n",
        "the server answered HTTP 403 Forbidden: ForbiddenException; sign the URL again (check \
         the clock, the region, and that the host is signed without :443), or allow it in the \
         policy",
    );
    explained(
        "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n",
        "the server answered HTTP 429 Too Many Requests, asking to try again after 120 s; try \
         again later, or with --wait 120",
    );
    for (status, reason) in
        [(502, "Bad Gateway"), (503, "Service Unavailable"), (504, "Gateway Timeout")]
    {
        explained(
            &format!("HTTP/1.1 {status} {reason}\r\nServer: nginx\r\nContent-Length: 0\r\n\r\n"),
            &format!(
                "the server answered HTTP {status} {reason} (nginx); the proxy cannot reach the \
                 broker, or drops the Upgrade header"
            ),
        );
    }
    explained(
        "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
        "the server answered HTTP 500 Oops; this is an error inside the server: its log says why",
    );
    for status in [301, 302, 303, 307, 308] {
        explained(
            &format!(
                "HTTP/1.1 {status} Moved\r\nLocation: https://other.example/\r\n\
                 Content-Length: 0\r\n\r\n"
            ),
            &format!(
                "the server answered HTTP {status} Moved, pointing to https://other.example/; \
                 connect to that address, or use --follow"
            ),
        );
    }
}

#[test]
fn answers_that_are_not_http_1_are_recognised() {
    explained(
        "\0\0\u{12}\u{4}\0\0\0\0\0",
        "the server answered in HTTP/2; a WebSocket needs HTTP/1.1: try another port, or \
         configure the proxy for HTTP/1.1",
    );
    explained(
        "PRI * HTTP/2.0\r\n\r\n",
        "the server answered in HTTP/2; a WebSocket needs HTTP/1.1: try another port, or \
         configure the proxy for HTTP/1.1",
    );
    explained(
        "\u{20}\u{2}\0\u{5}",
        "the server speaks MQTT without WebSockets on this port; use the port of the broker's \
         WebSocket listener",
    );
    explained(
        "\u{15}\u{3}\u{1}\0\u{2}\u{2}\u{46}",
        "the server speaks TLS on this port; try wss:// instead of ws://",
    );
    explained(
        "HTTP/1.1 200 OK\r\nA b\r\n\r\n",
        "the server's HTTP answer is malformed: a line that is not a header",
    );
    explained(
        "HTTP/2 200\r\n\r\n",
        "the server answered in HTTP/2; a WebSocket needs HTTP/1.1: try another port, or \
         configure the proxy for HTTP/1.1",
    );
}

#[test]
fn faulty_upgrades_are_recognised() {
    let good = format!("{GOOD}Sec-WebSocket-Protocol: mqtt\r\n\r\n");
    explained(
        &good.replace(
            "Sec-WebSocket-Protocol",
            "Sec-WebSocket-Extensions: \
                                                permessage-deflate\r\nX",
        ),
        "the server enabled a WebSocket extension that was not offered: permessage-deflate; turn \
         it off in the server: only an extension that was offered may be used",
    );
    explained(
        &good.replace("HTTP/1.1", "HTTP/1.0"),
        "the server answered 101 in HTTP/1.0, but a WebSocket needs HTTP/1.1; a proxy on the way \
         speaks HTTP/1.0 \
         (nginx: proxy_http_version 1.1)",
    );
    explained(
        &good.replace("Upgrade: websocket\r\n", ""),
        "the server answered 101 without \"Upgrade: websocket\"; a proxy on the way may drop the \
         Upgrade header",
    );
    explained(
        &good.replace("Sec-WebSocket-Accept", "X"),
        "the server answered 101 without Sec-WebSocket-Accept; the answer does not come from a \
         WebSocket server, but perhaps from a cache or a proxy",
    );
}

#[test]
fn harmless_deviations_are_accepted_with_a_warning_and_refused_with_strict() {
    for (header, warning, refusal) in [
        (
            "",
            "the server confirmed no subprotocol (offered: mqtt)",
            "the server answered without a subprotocol (offered: mqtt)",
        ),
        (
            "Sec-WebSocket-Protocol: mqttv5\r\n",
            "the server answered with subprotocol \"mqttv5\", which was not offered",
            "the server answered with subprotocol \"mqttv5\" (offered: mqtt)",
        ),
        (
            "Sec-WebSocket-Protocol: MQTT\r\n",
            "the server answered with subprotocol \"MQTT\" in another letter case",
            "the server answered with subprotocol \"MQTT\" (offered: mqtt)",
        ),
        (
            "Sec-WebSocket-Protocol: mqtt, mqttv3.1\r\n",
            "the server answered with a list of subprotocols: \"mqtt, mqttv3.1\"",
            "the server answered with subprotocol \"mqtt, mqttv3.1\" (offered: mqtt)",
        ),
    ] {
        let answer = format!("{GOOD}{header}\r\n");
        let mut script = vec![Step::Request(&[]), Step::Answer(leak(answer.clone()))];
        script.extend(takes_a_message());
        let broker = Broker::start(script);
        publish(&broker.url(), &[]).run().expect(0, "", &format!("mqttws: warning: {warning}\n"));
        let (outcome, url) = answered(&answer, "/mqtt", &["--strict"]);
        let line =
            format!("mqttws: connecting to {url}: {refusal}; it is accepted without --strict\n");
        outcome.expect(5, "", &line);
    }
}

#[test]
fn the_path_is_requested_as_typed() {
    let mut script = vec![
        Step::Request(&["GET /a%20b/?x=1&y=$/ HTTP/1.1", "Sec-WebSocket-Protocol: binary, mqtt"]),
        Step::Accept,
    ];
    script.extend(takes_a_message());
    let broker = Broker::start(script);
    let url = broker.url().replace("/mqtt", "/a%20b/?x=1&y=$/");
    publish(&url, &["--subprotocol", "binary,mqtt"]).run().expect(0, "", "");
}

/// Runs `mqttws` with `arguments` against a broker that expects these lines in the request.
fn sends(lines: &'static [&'static str], arguments: &[&str]) {
    let mut script = vec![Step::Request(lines), Step::Accept];
    script.extend(takes_a_message());
    let broker = Broker::start(script);
    publish(&broker.url(), arguments).run().expect(0, "", "");
}

#[test]
fn headers_go_with_the_upgrade() {
    let folder = Folder::new();
    let secret = format!("X-Key: @{}", folder.write("secret", "s3cret\n"));
    let user = format!("@{}", folder.write("user", "ann:pass:word\n"));
    let token = format!("@{}", folder.write("token", "abc.def\r\n"));
    sends(&["X-Key: s3cret", "X-Two: a b"], &["-H", &secret, "--header", "X-Two:a b"]);
    sends(&["Host: other.example", "X: y"], &["-H", "Host: other.example", "-H", "X: y"]);
    sends(
        &["Origin: https://site.example", "User-Agent: me/1"],
        &["--origin", "https://site.example", "--user-agent", "me/1"],
    );
    sends(&["Authorization: Basic YW5uOnBhc3M6d29yZA=="], &["--basic-auth", "ann:pass:word"]);
    sends(&["Authorization: Basic YW5uOnBhc3M6d29yZA=="], &["--basic-auth", &user]);
    sends(&["Authorization: Bearer abc.def"], &["--bearer", &token]);
    sends(&["Authorization: Bearer b"], &["--basic-auth", "a:b", "--bearer", "b"]);

    let mut script = vec![Step::RequestWithout("Origin"), Step::Accept];
    script.extend(takes_a_message());
    publish(&Broker::start(script).url(), &[]).run().expect(0, "", "");
}

#[test]
fn headers_that_cannot_be_sent_are_usage_errors() {
    for (arguments, words) in [
        (
            &["-H", "no colon"][..],
            "-H: expected 'Name: value', with a name of letters, digits and -",
        ),
        (&["-H", "a b: c"], "-H: expected 'Name: value', with a name of letters, digits and -"),
        (&["-H", "X: a\r\nY: b"], "-H: X: the value holds a line break or a control character"),
        (&["-H", "Upgrade: h2c"], "-H: Upgrade is set by the upgrade itself"),
        (
            &["-H", "Sec-WebSocket-Protocol: x"],
            "-H: Sec-WebSocket-Protocol is set by the upgrade itself; see --subprotocol",
        ),
        (&["-H", "Host: a", "-H", "host: b"], "-H: host is given twice"),
        (&["--basic-auth", "ann"], "--basic-auth: expected USER:PASSWORD, or @FILE"),
        (
            &["--bearer", "a b"],
            "--bearer: expected a token of letters, digits and signs, or \
                                @FILE",
        ),
        (&["--origin", "a\nb"], "--origin: the value holds a line break or a control character"),
    ] {
        publish("ws://127.0.0.1:1/", arguments).run().expect(2, "", &format!("mqttws: {words}\n"));
    }
    publish("ws://127.0.0.1:1/", &["-H", "X: @/no-such-file"]).run().expect(
        1,
        "",
        "mqttws: reading /no-such-file: No such file or directory\n",
    );
}

#[test]
fn an_answer_may_come_byte_by_byte_and_have_many_headers() {
    let fill = "X-Fill: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n".repeat(1200);
    let answer = format!("{GOOD}{fill}Sec-WebSocket-Protocol: mqtt\r\n\r\n");
    let (head, tail) = answer.split_at(50);
    let mut script = vec![Step::Request(&[])];
    script.extend(head.bytes().map(|byte| Step::Raw(vec![byte])));
    script.push(Step::Answer(leak(tail.to_owned())));
    script.extend(takes_a_message());
    publish(&Broker::start(script).url(), &[]).run().expect(0, "", "");
}

#[test]
fn endless_answers_are_bounded() {
    let endless = |start: &str, more: &str, words: &str| {
        let answer = [start, &more.repeat((1 << 20) / more.len())].concat().into_bytes();
        let broker = Broker::start(vec![Step::Request(&[]), Step::Flood(answer)]);
        let url = broker.url();
        let outcome = publish(&url, &["--subprotocol", "mqtt"]).run();
        outcome.expect(5, "", &format!("mqttws: connecting to {url}: {words}\n"));
    };
    let too_large = "the server's HTTP answer has a head of more than 64 KiB";
    endless("HTTP/1.1 101 Switching\r\n", "A: bbbbbbbb\r\n", too_large);
    endless("HTTP/1.1 101 Switching\r\nA: ", "b", too_large);
    endless("", "HTTP/1.1 100 Continue\r\n\r\n", too_large);
    endless(
        "HTTP/1.1 500 Oops\r\n\r\nfirst\n",
        "more\n",
        "the server answered HTTP 500 Oops: first; this is an error inside the server: its log \
         says why",
    );
    endless(
        "HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\nfirst\n",
        "more\n",
        "the server answered HTTP 500 Oops: first; this is an error inside the server: its log \
         says why",
    );
}

#[test]
fn a_refusal_is_reported_although_its_body_never_comes() {
    let answer = "HTTP/1.1 500 Oops\r\nContent-Length: 100\r\n\r\nhalf\n";
    let (outcome, url) = answered(answer, "/mqtt", &["--connect-timeout", "0.5"]);
    let words = "the server answered HTTP 500 Oops: half; this is an error inside the server: \
                 its log says why";
    outcome.expect(5, "", &format!("mqttws: connecting to {url}: {words}\n"));
}

#[test]
fn an_end_during_the_answer_or_after_connect_is_reported() {
    let broker =
        Broker::start(vec![Step::Request(&[]), Step::Answer("HTTP/1.1 101 Swi"), Step::End]);
    let url = broker.url();
    let words = "the server closed the connection in the middle of its HTTP answer";
    publish(&url, &[]).run().expect(5, "", &format!("mqttws: connecting to {url}: {words}\n"));

    let broker = Broker::start(vec![Step::Upgrade, packet("10 *"), Step::End]);
    let url = broker.url();
    let words = "no answer to CONNECT: the server closed the connection; some brokers refuse \
                 credentials, a \
                 client id or a version this way: check -u, -P, -i, -V";
    publish(&url, &[]).run().expect(6, "", &format!("mqttws: connecting to {url}: {words}\n"));
}

#[test]
fn each_packet_can_have_a_frame_of_its_own() {
    let lines = "1\n2\n";
    let count = |arguments: &[&str]| {
        let broker = Broker::start(until_goodbye(vec![
            Step::Upgrade,
            packet("10 <MQTT> 04 *"),
            Step::Send("20 00 00"),
            Step::Frames(if arguments.is_empty() { 1 } else { 2 }, 12),
            packet("30 <t> '1'"),
            packet("30 <t> '2'"),
        ]));
        let url = broker.url();
        let flags = [&["pub", &url, "-V", "311", "-t", "t", "-l"], arguments].concat();
        Program::new(flags).stdin(lines).run().expect(0, "", "");
    };
    count(&[]);
    count(&["--frame-per-packet"]);
}

#[test]
fn messages_above_the_limit_are_refused() {
    let script = vec![
        Step::Upgrade,
        packet("10 *"),
        Step::Send("20 00 00"),
        packet("82 id <t> 00"),
        Step::Send("90 id 00"),
        Step::Send(
            "30 <t> '0123456789012345678901234567890123456789012345678901234567890123456789'",
        ),
        Step::Close(1009),
        Step::Gone,
    ];
    let broker = Broker::start(script);
    let url = broker.url();
    let outcome =
        Program::new(["sub", &url, "-V", "311", "-t", "t", "--max-message-size", "64"]).run();
    let words = "the server sent a WebSocket message of 75 bytes, the limit is 64; raise \
                 --max-message-size";
    outcome.expect(9, "", &format!("mqttws: subscribed at {url}: {words}\n"));
}
