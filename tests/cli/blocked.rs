//! What is said when the way is blocked: servers, proxies and ports as they were met, and an advice
//! that fits what was seen, not what is usual.

use std::sync::Arc;

use crate::support::broker::{Broker, Step, connected, packet, subscribed};
use crate::support::certificates::{Authority, FAR_AWAY};
use crate::support::folder::Folder;
use crate::support::lines::fails;
use crate::support::program::{Outcome, Program};
use crate::support::secure::Server;

/// The usual flags: one version and one subprotocol, so that there is one connection.
const FLAGS: [&str; 8] = ["-V", "311", "-t", "t", "-m", "x", "--subprotocol", "mqtt"];

/// `mqttws pub` to a server that does this.
fn publish(script: Vec<Step>, arguments: &[&str]) -> Outcome {
    let broker = Broker::start(script);
    Program::new([&["pub", &broker.url()], &FLAGS[..], arguments].concat()).run()
}

/// The same over TLS, with what is done after the handshake; the server speaks these application
/// protocols.
fn publish_over_tls(steps: Vec<Step>, protocols: &[&str], arguments: &[&str]) -> Outcome {
    let (authority, folder) = (Authority::new(), Folder::new());
    let file = folder.write("ca.pem", authority.pem());
    let mut config = Server::showing(&authority.certify(&["127.0.0.1"], FAR_AWAY)).config();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let mut script = vec![Step::Tls(Arc::new(config))];
    script.extend(steps);
    let broker = Broker::start(script);
    let url = format!("wss://127.0.0.1:{}/mqtt", broker.port());
    Program::new([&["pub", &url, "--cafile", &file], &FLAGS[..], arguments].concat()).run()
}

/// The steps of a server that answers the upgrade by this text.
fn answering(answer: &str) -> Vec<Step> {
    let answer = Step::Answer(String::leak(answer.to_owned()));
    vec![Step::Request(&[]), answer, Step::Gone]
}

/// A refusal with this body.
fn refusal(status: &str, headers: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// Checks how an answer is explained over `ws` and over `wss`.
fn explained(answer: &str, over_ws: &str, over_wss: &str) {
    let line = |words: &str| format!("mqttws: connecting to *: {words}");
    fails(&publish(answering(answer), &[]), 5, &line(over_ws));
    // With a name sent, the address is no reason.
    let named = ["--sni", "localhost", "--insecure"];
    let outcome = publish_over_tls(answering(answer), &[], &named);
    let text = String::from_utf8_lossy(&outcome.stderr).into_owned();
    let told = text.lines().last().unwrap_or_default();
    assert_eq!(outcome.code(), Some(5), "{outcome}");
    assert!(crate::support::lines::is_like(told, &line(over_wss)), "{outcome}");
}

/// A page of nginx.
fn nginx(status: &str, title: &str) -> String {
    let body = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{status}</h1></center>\r\n\
         <center>{title}</center>\r\n<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n"
    );
    refusal(status, "Server: nginx/1.22.1\r\n", "text/html", &body)
}

const CERTIFICATE: &str =
    "the server requires a client certificate: give one with --cert and --key";
const TLS: &str = "this port speaks TLS: try wss://";
const TLS_BEHIND: &str =
    "a proxy on the way ends TLS and speaks plain HTTP to a port of TLS: configure the proxy";
const LARGE: &str = "the request is too large for the server: shorten the query of the URL or the \
                     headers of -H";

#[test]
fn nginx_says_what_it_misses() {
    let bad = "the server answered HTTP 400 Bad Request (nginx/1.22.1)";
    for (title, over_ws, over_wss) in [
        ("400 No required SSL certificate was sent", CERTIFICATE, CERTIFICATE),
        ("400 Request Header Or Cookie Too Large", LARGE, LARGE),
        ("400 The plain HTTP request was sent to HTTPS port", TLS, TLS_BEHIND),
    ] {
        explained(
            &nginx("400 Bad Request", title),
            &format!("{bad}: {title}; {over_ws}"),
            &format!("{bad}: {title}; {over_wss}"),
        );
    }
    let title = "400 The SSL certificate error";
    let words = format!(
        "{bad}: {title}; the server does not accept the client certificate: check --cert, and who has signed it"
    );
    explained(&nginx("400 Bad Request", title), &words, &words);
}

#[test]
fn apache_says_it_below_the_title() {
    let page = "<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">\n<html><head>\n<title>400 Bad Request</title>\n\
                </head><body>\n<h1>Bad Request</h1>\n<p>Your browser sent a request that this server could not \
                understand.<br />\n{}</p>\n<hr>\n<address>Apache/2.4.57 (Debian) Server at localhost Port 443\
                </address>\n</body></html>\n";
    let apache = |words: &str| {
        let page = page.replace("{}", words);
        let server = "Server: Apache/2.4.57 (Debian)\r\nConnection: close\r\n";
        refusal("400 Bad Request", server, "text/html; charset=iso-8859-1", &page)
    };
    let bad = "the server answered HTTP 400 Bad Request (Apache/2.4.57 (Debian))";
    explained(
        &apache(
            "Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />\n Instead use the HTTPS \
             scheme to access this URL, please.<br />\n",
        ),
        &format!("{bad}; {TLS}"),
        &format!("{bad}; {TLS_BEHIND}"),
    );
    let large = format!("{bad}; {LARGE}");
    explained(
        &apache("Size of a request\nheader field exceeds server limit.<br />\n"),
        &large,
        &large,
    );
}

#[test]
fn a_page_is_read_far_below_its_title() {
    let filler = "<p>nothing</p>\n".repeat(700);
    let page = format!(
        "<title>Sorry</title>{filler}<b>This combination of host and port requires TLS.</b>"
    );
    let answer = refusal("400 ", "", "text/html", &page);
    explained(
        &answer,
        &format!("the server answered HTTP 400: Sorry; {TLS}"),
        &format!("the server answered HTTP 400: Sorry; {TLS_BEHIND}"),
    );
}

#[test]
fn a_status_is_not_told_twice() {
    let gateway = "the proxy cannot reach the broker, or drops the Upgrade header";
    let words = format!("the server answered HTTP 502 Bad Gateway (nginx/1.22.1); {gateway}");
    explained(&nginx("502 Bad Gateway", "502 Bad Gateway"), &words, &words);
    for body in
        ["503: Service Unavailable", "Error 503 Service Unavailable", "service unavailable\n"]
    {
        let answer = refusal("503 Service Unavailable", "", "text/plain", body);
        let words = format!("the server answered HTTP 503 Service Unavailable; {gateway}");
        explained(&answer, &words, &words);
    }
    let answer = refusal("503 Service Unavailable", "", "text/plain", "503 no server is available");
    let words = format!(
        "the server answered HTTP 503 Service Unavailable: 503 no server is available; {gateway}"
    );
    explained(&answer, &words, &words);
}

#[test]
fn envoy_without_upgrades() {
    let server = "server: envoy\r\ndate: Sun, 29 Nov 2026 12:00:00 GMT\r\n";
    let words = "the server answered HTTP 403 Forbidden (envoy); envoy refuses a WebSocket without upgrade_configs \
                 (upgrade_type: websocket) in its configuration";
    explained(
        &format!("HTTP/1.1 403 Forbidden\r\n{server}content-length: 0\r\n\r\n"),
        words,
        words,
    );
    // With a body it has another reason, and so has another server.
    let check = "check the credentials (--basic-auth, --bearer) and --origin";
    let words =
        format!("the server answered HTTP 403 Forbidden (envoy): RBAC: access denied; {check}");
    let answer = refusal("403 Forbidden", server, "text/plain", "RBAC: access denied");
    explained(&answer, &words, &words);
    let words = format!("the server answered HTTP 403 Forbidden; {check}");
    explained("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", &words, &words);
}

#[test]
fn a_server_that_asks_to_come_back() {
    for (status, time, told, wait) in [
        ("503 Service Unavailable", "30", "30 s", " 30"),
        ("429 Too Many Requests", "120", "120 s", " 120"),
        (
            "503 Service Unavailable",
            "Fri, 31 Dec 2027 23:59:59 GMT",
            "Fri, 31 Dec 2027 23:59:59 GMT",
            "",
        ),
    ] {
        let words = format!(
            "the server answered HTTP {status}, asking to try again after {told}; try again later, or with --wait{wait}"
        );
        let answer =
            format!("HTTP/1.1 {status}\r\nRetry-After: {time}\r\nContent-Length: 0\r\n\r\n");
        explained(&answer, &words, &words);
    }
}

#[test]
fn squid_names_its_reason() {
    for (status, error, hint) in [
        (
            "503 Service Unavailable",
            "ERR_DNS_FAIL 0",
            "the proxy does not find the host: check its name, or use --no-proxy",
        ),
        ("503 Service Unavailable", "ERR_CONNECT_FAIL 111", "the proxy cannot reach the server"),
        (
            "403 Forbidden",
            "ERR_ACCESS_DENIED 0",
            "the rules of the proxy forbid it (Squid: acl SSL_ports, http_access)",
        ),
        (
            "400 Bad Request",
            "ERR_INVALID_URL 0",
            "this port is that of an HTTP proxy: give it with --proxy",
        ),
    ] {
        let headers = format!("Server: squid/5.7\r\nX-Squid-Error: {error}\r\n");
        let answer = refusal(
            status,
            &headers,
            "text/html;charset=utf-8",
            "<title>ERROR: The requested URL could not be retrieved</title>",
        );
        let told = format!(
            "answered HTTP {status} (squid/5.7): {error}: ERROR: The requested URL could not be retrieved; {hint}"
        );
        explained(&answer, &format!("the server {told}"), &format!("the server {told}"));
        // The same as the answer to CONNECT.
        let broker = Broker::start(answering(&answer));
        let proxy = format!("http://127.0.0.1:{}", broker.port());
        let command = ["pub", "ws://broker.invalid/mqtt", "--proxy", &proxy];
        let outcome = Program::new([&command, &FLAGS[..]].concat()).run();
        let line =
            format!("mqttws: connecting to ws://broker.invalid/mqtt: the proxy {proxy} {told}");
        fails(&outcome, 3, &line);
    }
}

#[test]
fn a_subprotocol_that_a_proxy_drops() {
    let hint = "try another --subprotocol, or configure the proxy on the way to pass the header \
                Sec-WebSocket-Protocol";
    for body in ["unsupported_subprotocol", "Missing Sec-WebSocket-Protocol header"] {
        let answer = refusal("400 Bad Request", "", "text/plain", body);
        let words = format!("the server answered HTTP 400 Bad Request: {body}; {hint}");
        explained(&answer, &words, &words);
    }
    let answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                  Sec-WebSocket-Accept: {accept}\r\n\r\n";
    let script = vec![Step::Request(&[]), Step::Answer(answer), packet("10 *"), Step::Gone];
    let line = "mqttws: connecting to ws://127.0.0.1:*/mqtt: no CONNACK within 0.5 s (the server confirmed no subprotocol \
                (offered: mqtt)); a proxy on the way may drop the header Sec-WebSocket-Protocol, without which some brokers are mute";
    fails(&publish(script, &["--connect-timeout", "0.5"]), 27, line);
}

#[test]
fn http_2_agreed_on_by_alpn() {
    let settings = || Step::Raw(b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80\0\x04\0\x01\0\0".to_vec());
    let ends: [Vec<Step>; 3] = [
        vec![Step::Request(&[]), Step::End],
        vec![Step::Request(&[]), settings(), Step::Gone],
        vec![Step::Request(&[]), Step::Gone],
    ];
    for steps in ends {
        let flags = ["--tls-alpn", "h2,http/1.1", "--connect-timeout", "1"];
        let outcome = publish_over_tls(steps, &["h2"], &flags);
        let line = "mqttws: connecting to wss://127.0.0.1:*/mqtt: h2 was agreed on with the server (ALPN), but a WebSocket \
                    needs HTTP/1.1; leave h2 out of --tls-alpn";
        fails(&outcome, 5, line);
    }
    // HTTP/1.1 was agreed on: the end has another reason.
    let steps = vec![Step::Request(&[]), Step::End];
    let outcome = publish_over_tls(steps, &["http/1.1"], &["--tls-alpn", "h2,http/1.1"]);
    let line = "mqttws: connecting to wss://127.0.0.1:*/mqtt: the server closed the connection without an HTTP answer; \
                most often --subprotocol or --origin is wrong, or the port speaks another protocol (plain MQTT) or expects \
                the PROXY protocol";
    fails(&outcome, 5, line);
}

#[test]
fn http_2_alone_is_refused() {
    for names in ["h2", "h3", "h2,h3-29"] {
        let command = ["pub", "wss://127.0.0.1:1/mqtt", "-t", "t", "-m", "x", "--tls-alpn", names];
        let line = "mqttws: *'--tls-alpn <NAMES>': a WebSocket needs HTTP/1.1: name http/1.1, too, or leave the flag out*";
        fails(&Program::new(command).run(), 2, line);
    }
}

const NO_NAME: &str =
    "no server name was sent, because the host is an address: give the server's name with --sni";

#[test]
fn an_address_has_no_server_name() {
    // Caddy has no site for this host.
    let empty = "HTTP/1.1 200 OK\r\nServer: Caddy\r\nContent-Length: 0\r\n\r\n";
    let line =
        format!("mqttws: connecting to *: the server answered HTTP 200 OK (Caddy); {NO_NAME}");
    fails(&publish_over_tls(answering(empty), &[], &[]), 5, &line);
    let ordinary = "this is an ordinary web page: check the path and the port";
    explained(
        empty,
        &format!("the server answered HTTP 200 OK (Caddy); {ordinary}"),
        &format!("the server answered HTTP 200 OK (Caddy); {ordinary}"),
    );
    // A router by server name ends the handshake, with an alert or without.
    let secure = |step: Step, host: &str, arguments: &[&str]| {
        let broker = Broker::start(vec![Step::Heard, step]);
        let url = format!("wss://{host}:{}/mqtt", broker.port());
        Program::new([&["pub", &url], &FLAGS[..], arguments].concat()).run()
    };
    let line = "mqttws: connecting to wss://127.0.0.1:*/mqtt: the server * the connection during the TLS handshake; does \
                the server speak TLS on this port? no server name was sent, because the host is an address: --sni gives one";
    fails(&secure(Step::HalfClose, "127.0.0.1", &[]), 4, line);
    fails(&secure(Step::Abort, "127.0.0.1", &[]), 4, line);
    let line = "mqttws: connecting to wss://127.0.0.1:*/mqtt: the server closed the connection during the TLS handshake; does \
                the server speak TLS on this port?";
    fails(&secure(Step::HalfClose, "127.0.0.1", &["--sni", "a.example"]), 4, line);
    let alert = |code| {
        let script = vec![Step::Heard, Step::Raw(vec![0x15, 3, 3, 0, 2, 2, code]), Step::Gone];
        let broker = Broker::start(script);
        let url = format!("wss://127.0.0.1:{}/mqtt", broker.port());
        Program::new([&["pub", &url], &FLAGS[..]].concat()).run()
    };
    for code in [40, 49, 80, 112] {
        // Handshake failure has other causes, too.
        let more = if code == 40 { "; or the server requires another TLS version *" } else { "" };
        let line =
            format!("mqttws: connecting to wss://127.0.0.1:*/mqtt: the server *; {NO_NAME}{more}");
        fails(&alert(code), 4, &line);
    }
}

#[test]
fn a_reset_at_once() {
    let line = "mqttws: connecting to ws://127.0.0.1:*/mqtt: the server reset the connection without an HTTP answer; the \
                port may speak TLS (try wss://) or plain MQTT or expect the PROXY protocol, or the server listens at another address or is overloaded";
    fails(&publish(vec![Step::Heard, Step::Abort], &[]), 5, line);
    let steps = vec![Step::Request(&[]), Step::Abort];
    let line = "mqttws: connecting to wss://127.0.0.1:*/mqtt: the server reset the connection without an HTTP answer; the \
                server may be overloaded, or the port may speak another protocol (plain MQTT) or expect the PROXY protocol";
    fails(&publish_over_tls(steps, &[], &[]), 5, line);
}

/// What a port says that speaks something else, and what of it is shown.
fn greeted(bytes: &[u8], words: &str) {
    let script = vec![Step::Request(&[]), Step::Raw(bytes.to_vec()), Step::HalfClose, Step::Gone];
    let line = format!("mqttws: connecting to ws://127.0.0.1:*/mqtt: {words}");
    fails(&publish(script, &[]), 5, &line);
}

#[test]
fn other_protocols_are_shown_and_named_only_by_proof() {
    let no_http = "the server does not speak HTTP on this port";
    for (bytes, shown) in [
        (&b"SSH-2.0-OpenSSH_9.2p1\r\n"[..], "SSH-2.0-OpenSSH_9.2p1\\r\\n"),
        (b"220 mail.example ESMTP\r\n", "220 mail.example ESMTP\\r\\n"),
        (b"-ERR wrong number of arguments\r\n", "-ERR wrong number of arguments\\r\\n"),
        // The beginnings of MQTT and HTTP/2, and nothing of them.
        (b"  motd\n", "  motd\\n"),
        (b"\x20\x02", " \\x02"),
        (b"\xe0\x00", "\\xe0\\x00"),
        (b"\0\0\0\0\0\0\0\0\0", "\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00"),
        (b"\0", "\\x00"),
        (b"PRIVATE\r\n", "PRIVATE\\r\\n"),
        (b"\x16\x16\x16", "\\x16\\x16\\x16"),
        (b"\x1b[2J\xff", "\\x1b[2J\\xff"),
    ] {
        greeted(bytes, &format!("{no_http} (it sent \"{shown}\"); check the port"));
    }
    let http_2 = "the server answered in HTTP/2; a WebSocket needs HTTP/1.1: try another port, or configure the proxy for HTTP/1.1";
    greeted(b"\0\0\0\x04\0\0\0\0\0", http_2);
    greeted(b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64", http_2);
    let mqtt = "the server speaks MQTT without WebSockets on this port; use the port of the broker's WebSocket listener";
    greeted(b"\x20\x02\0\x01", mqtt);
    greeted(b"\x20\x03\0\x84\0", mqtt);
    let proxy = "the server sent a header of the PROXY protocol; a load balancer on the way writes it for a server that \
                 does not understand it (haproxy: send-proxy)";
    greeted(b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\r\nGET / HTTP/1.1\r\n", proxy);
    greeted(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", proxy);
    greeted(
        b"GET /mqtt HTTP/1.1\r\nHost: 127.0.0.1\r\n",
        "the server sends back what it is sent: it is an echo server; check the port",
    );
}

#[test]
fn another_protocol_behind_wss_is_shown_too() {
    let greeted = |bytes: &[u8]| {
        let script = vec![Step::Heard, Step::Raw(bytes.to_vec()), Step::HalfClose, Step::Gone];
        let broker = Broker::start(script);
        let url = format!("wss://127.0.0.1:{}/mqtt", broker.port());
        Program::new([&["pub", &url], &FLAGS[..]].concat()).run()
    };
    let line = |words: &str| format!("mqttws: connecting to wss://127.0.0.1:*/mqtt: {words}");
    let mqtt = "the server speaks MQTT without TLS and WebSockets on this port; use the port of the broker's WebSocket listener";
    fails(&greeted(b"\x20\x02\0\x05"), 4, &line(mqtt));
    let shown =
        "the server does not speak TLS on this port (it sent \"  motd\\n\"); check the port";
    fails(&greeted(b"  motd\n"), 4, &line(shown));
    // A server that greets, and waits.
    let script = vec![Step::Heard, Step::Raw(b"+OK".to_vec()), Step::Gone];
    let broker = Broker::start(script);
    let url = format!("wss://127.0.0.1:{}/mqtt", broker.port());
    let command = ["pub", &url, "--connect-timeout", "0.5"];
    let outcome = Program::new([&command, &FLAGS[..]].concat()).run();
    let shown = "the server does not speak TLS on this port (it sent \"+OK\"); check the port";
    fails(&outcome, 4, &line(shown));
}

#[test]
fn the_ports_of_mqtt_without_websockets() {
    for (scheme, port, name) in
        [("ws", 1883, "MQTT"), ("ws", 8883, "MQTT over TLS"), ("wss", 1883, "MQTT")]
    {
        // A proxy leads to the broker, because another may listen at these ports of this machine.
        let tunnel = Step::Raw(b"HTTP/1.1 200 OK\r\n\r\n".to_vec());
        let script = vec![Step::Request(&[]), tunnel, Step::Heard, Step::HalfClose, Step::Gone];
        let broker = Broker::start(script);
        let url = format!("{scheme}://broker.invalid:{port}/mqtt");
        let proxy = format!("http://127.0.0.1:{}", broker.port());
        let command = ["pub", &url, "--proxy", &proxy];
        let outcome = Program::new([&command, &FLAGS[..]].concat()).run();
        let code = if scheme == "ws" { 5 } else { 4 };
        let line = format!(
            "mqttws: connecting to {url}: the server closed the connection *; port {port} is for {name} without \
             WebSockets: use the port of the broker's WebSocket listener"
        );
        fails(&outcome, code, &line);
    }
}

#[test]
fn a_close_before_connack_says_whose_fault_it_is() {
    let closed = |payload: &'static [u8], words: &str| {
        let script = vec![Step::Upgrade, packet("10 *"), Step::Frame(0x88, payload), Step::Gone];
        let line = format!(
            "mqttws: connecting to ws://127.0.0.1:*/mqtt: no answer to CONNECT: the server closed the WebSocket {words}"
        );
        fails(&publish(script, &[]), 6, &line);
    };
    let busy =
        "the server, or what is behind it, is busy or not ready: try again later, or with --wait";
    closed(b"\x03\xe9", &format!("with code 1001 (going away); {busy}"));
    closed(b"\x03\xf3", &format!("with code 1011 (internal error); {busy}"));
    closed(b"\x03\xf4", &format!("with code 1012 (restarting); {busy}"));
    closed(b"\x03\xf5full", &format!("with code 1013 (try again later): full; {busy}"));
    closed(b"\x03\xf6", &format!("with code 1014 (bad gateway); {busy}"));
    let silent =
        "some brokers refuse credentials, a client id or a version this way: check -u, -P, -i, -V";
    closed(b"\x03\xe8", &format!("with code 1000 (normal); {silent}"));
    closed(b"\x03\xf0", &format!("with code 1008 (policy violation); {silent}"));
    closed(b"", &format!("without a code; {silent}"));
    closed(b"\x03\xeb", "with code 1003 (unacceptable data); try another path, such as /mqtt");
}

#[test]
fn a_disconnect_before_connack_is_told_with_its_reason() {
    let disconnected = |packet: &'static str, words: &str| {
        let connect = crate::support::broker::packet("10 *");
        let script = vec![Step::Upgrade, connect, Step::Send(packet), Step::Gone];
        let line = format!(
            "mqttws: connecting to ws://127.0.0.1:*/mqtt: the broker disconnected us: {words}"
        );
        fails(&publish(script, &["-V", "5"]), 6, &line);
    };
    let later = "try again later, or with --wait";
    disconnected("e0 89", &format!("server busy; {later}"));
    disconnected("e0 97 08 1f <later>", &format!("quota exceeded (later); {later}"));
    disconnected("e0 8b", "server shutting down");
    disconnected("e0 86", "bad user name or password; check -u and -P");
    disconnected("e0 8c", "bad authentication method; choose another --auth-method");
}

#[test]
fn a_version_that_is_refused_by_disconnect_is_not_the_last() {
    let mut script = vec![Step::Upgrade, packet("10 <MQTT> 05 *"), Step::Send("e0 84"), Step::Gone];
    script.push(Step::Reconnect);
    script.extend(crate::support::broker::until_goodbye(connected([packet("30 <t> 'x'")])));
    let broker = Broker::start(script);
    let outcome = Program::new(["pub", &broker.url(), "-t", "t", "-m", "x"]).run();
    let warning = "mqttws: warning: connected with MQTT 3.1.1 and subprotocol mqtt; the first try failed: the broker \
                   disconnected us: unsupported protocol version; -V 311 leaves that try out\n";
    outcome.expect(0, "", warning);
}

#[test]
fn an_echo_server_behind_the_upgrade() {
    // MQTT 3.1.1, 5 and 3.1, and a server that sends back the bytes themselves, mask and all.
    let line = "mqttws: connecting to ws://127.0.0.1:*/mqtt: the server sends our own CONNECT back: it is an echo server; \
                try another path, such as /mqtt";
    let frames: [(&str, Step); 4] = [
        ("311", Step::Frame(0x82, b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x2d\x00\x02me")),
        ("5", Step::Frame(0x82, b"\x10\x0f\x00\x04MQTT\x05\x02\x00\x2d\x00\x00\x02me")),
        ("31", Step::Frame(0x82, b"\x10\x10\x00\x06MQIsdp\x03\x02\x00\x2d\x00\x02me")),
        (
            "311",
            Step::Raw(b"\x82\x90\0\0\0\0\x10\x0e\x00\x04MQTT\x04\x02\x00\x2d\x00\x02me".to_vec()),
        ),
    ];
    for (version, frame) in frames {
        let script = vec![Step::Upgrade, packet("10 *"), frame, Step::Gone];
        fails(&publish(script, &["-V", version]), 9, line);
    }
}

#[test]
fn a_text_frame_is_shown_as_far_as_it_fits() {
    let text = |payload: &'static [u8], shown: &str| {
        let script = vec![Step::Upgrade, packet("10 *"), Step::Frame(0x81, payload), Step::Gone];
        let line = format!(
            "mqttws: connecting to ws://127.0.0.1:*/mqtt: the server sent a text frame{shown}, but MQTT needs binary \
             frames; another service may be at this path: try another path, such as /mqtt"
        );
        fails(&publish(script, &[]), 9, &line);
    };
    text(b"{\"type\":\"welcome\"}", " (\"{\\\"type\\\":\\\"welcome\\\"}\")");
    text(b"42[\"\x1b[2J\"]\n", " (\"42[\\\"\\u{1b}[2J\\\"]\\n\")");
    text(b"", "");
    let long: &'static [u8] = Vec::leak(vec![b'x'; 200]);
    text(long, &format!(" (\"{}\")", "x".repeat(60)));
}

#[test]
fn the_address_is_told_where_the_connection_was_lost() {
    let lost = |script: Vec<Step>, arguments: &[&str], doing: &str| {
        let broker = Broker::start(script);
        let url = broker.url();
        let command = [&arguments[..1], &[&url, "-V", "311", "--no-reconnect"], &arguments[1..]];
        let outcome = Program::new(command.concat()).run();
        let line =
            format!("mqttws: {doing} {url}: connection lost: the server closed the connection");
        fails(&outcome, 8, &line);
    };
    let taken = || connected([packet("32 <t> id 'x'"), Step::End]);
    lost(taken(), &["pub", "-t", "t", "-m", "x", "-q", "1"], "publishing to t at");
    lost(subscribed([Step::End]), &["sub", "-t", "t"], "subscribed at");
}
