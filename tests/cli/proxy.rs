//! Proxies that follow a script: CONNECT and SOCKS 5, good and bad, and which of them is asked.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::support::broker::{Broker, Step, packet, until_goodbye};
use crate::support::certificates::{Authority, Certificate, FAR_AWAY};
use crate::support::folder::Folder;
use crate::support::lines::{fails, is_like};
use crate::support::program::Program;
use crate::support::secure::{Server, fixed, fixed_path};

/// A TLS server that shows this certificate.
fn server(certificate: &Certificate) -> Arc<ServerConfig> {
    Arc::new(Server::showing(certificate).config())
}

const URL: &str = "ws://broker.invalid:9001/mqtt";
const CONNECT: &str = "CONNECT broker.invalid:9001 HTTP/1.1";
const ESTABLISHED: &str = "HTTP/1.1 200 Connection established\r\n\r\n";

fn publish(url: &str, arguments: &[&str]) -> Program {
    Program::new([&["pub", url, "-V", "311", "-t", "t", "-m", "x"], arguments].concat())
}

/// What a broker behind a proxy sees: the upgrade, one message and the end.
fn takes_a_message() -> Vec<Step> {
    until_goodbye(vec![
        Step::Upgrade,
        packet("10 <MQTT> 04 *"),
        Step::Send("20 00 00"),
        packet("30 <t> 'x'"),
    ])
}

/// A proxy that does `steps`, and then is the broker.
fn leading_on(mut steps: Vec<Step>) -> Broker {
    steps.extend(takes_a_message());
    Broker::start(steps)
}

fn bytes(bytes: &[u8]) -> Step {
    Step::Bytes(bytes.to_vec())
}

fn raw(bytes: &[u8]) -> Step {
    Step::Raw(bytes.to_vec())
}

/// The greeting without credentials, and the request for [`URL`].
fn asked_by_name() -> Vec<Step> {
    let request = [&b"\x05\x01\x00\x03\x0ebroker.invalid"[..], &9001_u16.to_be_bytes()].concat();
    vec![bytes(b"\x05\x01\x00"), raw(b"\x05\x00"), Step::Bytes(request)]
}

/// Checks that a proxy of `scheme` that does `steps` ends with this code and these words; `{proxy}`
/// is its URL.
fn explained(scheme: &str, steps: Vec<Step>, arguments: &[&str], code: i32, words: &str) {
    let broker = Broker::start(steps);
    let proxy = format!("{scheme}://127.0.0.1:{}", broker.port());
    let outcome = publish(URL, &[&["--proxy", &proxy], arguments].concat()).run();
    let words = words.replace("{proxy}", &proxy);
    outcome.expect(code, "", &format!("mqttws: connecting to {URL}: {words}\n"));
}

#[test]
fn an_http_proxy_leads_on() {
    let connect = || Step::Request(&[CONNECT, "Host: broker.invalid:9001"]);
    let broker = leading_on(vec![connect(), Step::Answer(ESTABLISHED)]);
    publish(URL, &["--proxy", &format!("http://127.0.0.1:{}", broker.port())])
        .run()
        .expect(0, "", "");
    // Its answer may come byte by byte.
    let mut steps = vec![connect()];
    steps.extend(ESTABLISHED.bytes().map(|byte| Step::Raw(vec![byte])));
    let broker = leading_on(steps);
    publish(URL, &["--proxy", &format!("127.0.0.1:{}", broker.port())]).run().expect(0, "", "");
}

#[test]
fn a_name_beyond_ascii_is_asked_for_in_ascii() {
    let broker = Broker::start(until_goodbye(vec![
        Step::Request(&["CONNECT xn--bcher-kva.invalid:9001 HTTP/1.1"]),
        Step::Answer(ESTABLISHED),
        Step::Request(&["Host: xn--bcher-kva.invalid:9001"]),
        Step::Accept,
        packet("10 <MQTT> 04 02 *"),
        Step::Send("20 00 00"),
        packet("30 <t> 'x'"),
    ]));
    let proxy = format!("http://127.0.0.1:{}", broker.port());
    publish("ws://Bücher.invalid:9001/mqtt", &["--proxy", &proxy]).run().expect(0, "", "");
}

#[test]
fn credentials_are_for_the_proxy_alone() {
    let broker = Broker::start(until_goodbye(vec![
        Step::Request(&[CONNECT, "Proxy-Authorization: Basic YW5uOnA6dw=="]),
        Step::Answer(ESTABLISHED),
        Step::RequestWithout("Proxy-Authorization"),
        Step::Accept,
        packet("10 <MQTT> 04 02 *"),
        Step::Send("20 00 00"),
        packet("30 <t> 'x'"),
    ]));
    let proxy = format!("http://ann:p%3Aw@127.0.0.1:{}", broker.port());
    publish(URL, &["--proxy", &proxy]).run().expect(0, "", "");
}

#[test]
fn tls_goes_through_the_proxy_and_is_with_the_server() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let file = folder.write("ca.pem", authority.pem());
    let certificate = authority.certify(&["broker.invalid"], FAR_AWAY);
    let request = Step::Request(&["CONNECT broker.invalid:443 HTTP/1.1"]);
    let broker =
        leading_on(vec![request, Step::Answer(ESTABLISHED), Step::Tls(server(&certificate))]);
    let proxy = format!("http://127.0.0.1:{}", broker.port());
    publish("wss://broker.invalid/mqtt", &["--proxy", &proxy, "--cafile", &file])
        .run()
        .expect(0, "", "");
}

#[test]
fn a_proxy_may_be_spoken_to_over_tls() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let file = folder.write("ca.pem", authority.pem());
    let tls = || Step::Tls(server(&authority.certify(&["127.0.0.1"], FAR_AWAY)));
    let broker = leading_on(vec![tls(), Step::Request(&[CONNECT]), Step::Answer(ESTABLISHED)]);
    let proxy = format!("https://127.0.0.1:{}", broker.port());
    publish(URL, &["--proxy", &proxy, "--cafile", &file]).run().expect(0, "", "");

    let broker = Broker::start(vec![tls(), Step::Gone]);
    let proxy = format!("https://127.0.0.1:{}", broker.port());
    let outcome = publish(URL, &["--proxy", &proxy]).run();
    let stderr = String::from_utf8_lossy(&outcome.stderr).into_owned();
    let pattern = format!(
        "mqttws: connecting to {URL}: the proxy {proxy}: certificate*--cafile, or trust it with --pin-sha256 *\n"
    );
    assert!(outcome.code() == Some(3) && is_like(&stderr, &pattern), "{outcome}");

    let broker = Broker::start(vec![tls(), Step::Gone]);
    let proxy = format!("https://127.0.0.1:{}", broker.port());
    let outcome = publish(URL, &["--proxy", &proxy, "-dd"]).run();
    let stderr = String::from_utf8_lossy(&outcome.stderr).into_owned();
    assert!(stderr.contains("* certificate of the proxy: subject CN="), "{outcome}");
}

#[test]
fn a_client_certificate_is_not_for_a_proxy() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let file = folder.write("ca.pem", authority.pem());
    let (certificate, key) = (fixed_path("client-ec.pem"), fixed_path("client-ec.key"));
    for version in ["1.2", "1.3"] {
        let mut server = Server::showing(&authority.certify(&["127.0.0.1"], FAR_AWAY));
        server.clients = Some(fixed("authority.pem"));
        let broker = server.shunned();
        let proxy = format!("https://127.0.0.1:{}", broker.port());
        let flags = ["--proxy", &proxy, "--cafile", &file, "--tls-version", version];
        let own = ["--cert", &certificate, "--key", &key];
        let outcome = publish("wss://broker.invalid/mqtt", &[&flags[..], &own].concat()).run();
        let words = format!(
            "mqttws: connecting to wss://broker.invalid/mqtt: the proxy {proxy} demands a client \
             certificate; --cert is for the server alone: no certificate is shown to a proxy"
        );
        fails(&outcome, 3, &words);
    }
}

/// A proxy that is spoken to over TLS and passes everything on to `port`, until both ends are
/// silent for good.
fn relay(certificate: &Certificate, port: u16) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let config = server(certificate);
    let thread = thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        let mut here = StreamOwned::new(ServerConnection::new(config).unwrap(), socket);
        let mut request = [0; 1000];
        let length = here.read(&mut request).unwrap();
        assert!(request[..length].starts_with(b"CONNECT broker.invalid:443 HTTP/1.1\r\n"));
        here.write_all(ESTABLISHED.as_bytes()).unwrap();
        let mut there = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let turn = Some(Duration::from_millis(2));
        here.sock.set_read_timeout(turn).unwrap();
        there.set_read_timeout(turn).unwrap();
        while pass(&mut here, &mut there) && pass(&mut there, &mut here) {}
    });
    (url, thread)
}

/// Passes on what has arrived; false at the end.
fn pass(from: &mut impl Read, to: &mut impl Write) -> bool {
    let mut buffer = [0; 4096];
    match from.read(&mut buffer) {
        Ok(0) => false,
        Ok(length) => to.write_all(&buffer[..length]).and_then(|()| to.flush()).is_ok(),
        Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}

#[test]
fn tls_with_the_server_goes_through_tls_with_the_proxy() {
    // What `--sni` says is for the server alone.
    let (authority, folder) = (Authority::new(), Folder::new());
    let file = folder.write("ca.pem", authority.pem());
    let certificate = authority.certify(&["sni.example"], FAR_AWAY);
    let broker = leading_on(vec![Step::Tls(server(&certificate))]);
    let (proxy, relay) = relay(&authority.certify(&["127.0.0.1"], FAR_AWAY), broker.port());
    publish(
        "wss://broker.invalid/mqtt",
        &["--proxy", &proxy, "--cafile", &file, "--sni", "sni.example"],
    )
    .run()
    .expect(0, "", "");
    relay.join().unwrap();
}

#[test]
fn http_proxies_that_do_not_lead_on_are_explained() {
    let answer = |text| vec![Step::Request(&[CONNECT]), Step::Answer(text), Step::Gone];
    explained(
        "http",
        answer(
            "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n",
        ),
        &[],
        3,
        "the proxy {proxy} answered HTTP 407 Proxy Authentication Required: Basic realm=\"x\"; give its user name \
         and password: http://USER:PASSWORD@HOST:PORT",
    );
    explained(
        "http",
        answer("HTTP/1.0 403 Forbidden\r\nServer: squid\r\nContent-Length: 0\r\n\r\n"),
        &[],
        3,
        "the proxy {proxy} answered HTTP 403 Forbidden (squid); many proxies allow port 443 only; --no-proxy '*' connects without a proxy",
    );
    explained(
        "http",
        answer("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\nno\n"),
        &[],
        3,
        "the proxy {proxy} answered HTTP 502 Bad Gateway: no; the proxy cannot reach the server",
    );
    explained(
        "http",
        answer("220 smtp ready\r\n"),
        &[],
        3,
        "the proxy {proxy} does not speak HTTP on this port (it sent \"220 smtp ready\\r\\n\"); is it an HTTP \
         proxy? write socks5:// for a SOCKS proxy",
    );
    explained(
        "http",
        vec![Step::Request(&[]), Step::End],
        &[],
        3,
        "the proxy {proxy} closed the connection without an HTTP answer; is it an HTTP proxy? write socks5:// for \
         a SOCKS proxy",
    );
    explained(
        "http",
        vec![Step::Request(&[]), Step::Gone],
        &["--connect-timeout", "0.3"],
        27,
        "no connection through the proxy within 0.3 s (the proxy {proxy} did not answer)",
    );
}

#[test]
fn endless_answers_of_a_proxy_are_bounded() {
    let flood = format!("HTTP/1.1 200 OK\r\nA: {}", "a".repeat(1 << 20)).into_bytes();
    explained(
        "http",
        vec![Step::Request(&[]), Step::Flood(flood)],
        &[],
        3,
        "the proxy {proxy}'s HTTP answer has a head of more than 64 KiB",
    );
}

#[test]
fn what_is_no_proxy_of_ours_is_explained() {
    let answer = |text| vec![Step::Request(&[CONNECT]), Step::Answer(text), Step::Gone];
    explained(
        "http",
        answer(
            "HTTP/1.1 407 Login\r\nProxy-Authenticate: NTLM\r\nProxy-Authenticate: Negotiate\r\n\r\n",
        ),
        &[],
        3,
        "the proxy {proxy} answered HTTP 407 Login: NTLM, Negotiate; mqttws supports only Basic authentication: enable it in the proxy, or use another proxy",
    );
    explained(
        "http",
        answer("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
        &[],
        3,
        "the proxy {proxy} answered HTTP 404 Not Found; is it a proxy at all? check --proxy, or $https_proxy and the \
         like",
    );
    explained(
        "https",
        vec![raw(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Step::Gone],
        &[],
        3,
        "the proxy {proxy} sent data that is not TLS; try http:// for the proxy",
    );
}

/// The kernel is late by up to an eighth of the time-out of a socket; that must not look like a
/// name look-up.
#[test]
fn half_a_reply_of_a_socks_proxy_is_not_a_name_that_is_looked_up() {
    let mut steps = asked_by_name();
    steps.extend([raw(b"\x05\x00\x00"), Step::Gone]);
    let words = "no connection through the proxy within 1.5 s (the proxy {proxy} did not answer)";
    explained("socks5h", steps, &["--connect-timeout", "1.5"], 27, words);
}

#[test]
fn a_proxy_that_is_not_there_is_named() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let words = format!(
        "mqttws: connecting to {URL}: the proxy http://127.0.0.1:{port} could not be reached: \
         connection refused; check --proxy, or $https_proxy and the like\n"
    );
    publish(URL, &["--proxy", &format!("http://127.0.0.1:{port}")]).run().expect(3, "", &words);
}

#[test]
fn a_socks_proxy_leads_on_by_name_and_by_address() {
    let mut steps = asked_by_name();
    // The address that it connects from may be of any kind, and everything may come byte by byte.
    steps.extend(b"\x05\x00\x00\x03\x04name\x00\x01".iter().map(|byte| raw(&[*byte])));
    let broker = leading_on(steps);
    publish(URL, &["--proxy", &format!("socks5h://127.0.0.1:{}", broker.port())])
        .run()
        .expect(0, "", "");

    let address = [&b"\x05\x01\x00\x01\x7f\x00\x00\x05"[..], &9001_u16.to_be_bytes()].concat();
    let good = b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00";
    let broker = leading_on(vec![
        bytes(b"\x05\x02\x00\x02"),
        raw(b"\x05\x02"),
        bytes(b"\x01\x03ann\x02pw"),
        raw(b"\x01\x00"),
        Step::Bytes(address),
        raw(good),
    ]);
    let proxy = format!("socks5://ann:pw@127.0.0.1:{}", broker.port());
    let pin = "broker.invalid:9001:127.0.0.5";
    publish(URL, &["--proxy", &proxy, "--resolve", pin]).run().expect(0, "", "");
}

#[test]
fn a_socks_proxy_is_asked_for_the_next_address_when_one_fails() {
    let request = |last: u8| {
        Step::Bytes([&[5, 1, 0, 1, 127, 0, 0, last][..], &9001_u16.to_be_bytes()].concat())
    };
    let broker = leading_on(vec![
        bytes(b"\x05\x01\x00"),
        raw(b"\x05\x00"),
        request(5),
        raw(b"\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00"),
        Step::Gone,
        Step::Reconnect,
        bytes(b"\x05\x01\x00"),
        raw(b"\x05\x00"),
        request(6),
        raw(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"),
    ]);
    let proxy = format!("socks5://127.0.0.1:{}", broker.port());
    let pin = "broker.invalid:9001:127.0.0.5,127.0.0.6";
    publish(URL, &["--proxy", &proxy, "--resolve", pin]).run().expect(0, "", "");
}

#[test]
fn each_refusal_of_a_socks_proxy_has_its_words() {
    for (code, words) in [
        (1, "could not connect to the server: general failure"),
        (2, "could not connect to the server: not allowed by its rules"),
        (3, "could not connect to the server: network unreachable"),
        (4, "could not connect to the server: host unreachable"),
        (5, "could not connect to the server: connection refused"),
        (6, "could not connect to the server: TTL expired"),
        (7, "could not connect to the server: CONNECT is not supported"),
        (8, "could not connect to the server: this type of address is not supported"),
        (9, "refused with code 9"),
    ] {
        let mut steps = asked_by_name();
        steps.extend([raw(&[5, code, 0, 1, 0, 0, 0, 0, 0, 0]), Step::Gone]);
        explained("socks5h", steps, &[], 3, &format!("the proxy {{proxy}} {words}"));
    }
    explained(
        "socks5h",
        vec![bytes(b"\x05\x01\x00"), raw(b"\x05\xff"), Step::Gone],
        &[],
        3,
        "the proxy {proxy} wants a user name and a password; give them: socks5://USER:PASSWORD@HOST:PORT",
    );
    explained(
        "socks5h",
        vec![bytes(b"\x05\x01\x00"), raw(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Step::Gone],
        &[],
        3,
        "the proxy {proxy} does not speak SOCKS 5 (it sent 0x48); is it a SOCKS proxy? write http:// for an HTTP \
         proxy",
    );
    explained(
        "socks5h",
        vec![bytes(b"\x05\x01\x00"), Step::End],
        &[],
        3,
        "the proxy {proxy} closed the connection",
    );
    explained(
        "socks5h",
        vec![bytes(b"\x05\x01\x00"), Step::Gone],
        &["--connect-timeout", "0.3"],
        27,
        "no connection through the proxy within 0.3 s (the proxy {proxy} did not answer)",
    );
}

#[test]
fn a_password_is_in_no_error() {
    let broker = Broker::start(vec![
        bytes(b"\x05\x02\x00\x02"),
        raw(b"\x05\x02"),
        bytes(b"\x01\x03ann\x06s3cret"),
        raw(b"\x01\x01"),
        Step::Gone,
    ]);
    let proxy = format!("socks5h://ann:s3cret@127.0.0.1:{}", broker.port());
    let words = format!(
        "mqttws: connecting to {URL}: the proxy socks5h://127.0.0.1:{} refused the user name or the password\n",
        broker.port()
    );
    publish(URL, &["--proxy", &proxy]).run().expect(3, "", &words);
}

/// Runs with these variables; whether the proxy or (`direct`) the server itself is to be asked.
fn by_environment(variables: &[(&str, &str)], arguments: &[&str], direct: bool) {
    let steps =
        if direct { Vec::new() } else { vec![Step::Request(&[]), Step::Answer(ESTABLISHED)] };
    let broker = leading_on(steps);
    let mut program = publish(&format!("ws://localhost:{}/mqtt", broker.port()), arguments);
    for (name, value) in variables {
        program =
            program.env(name, &value.replace("{proxy}", &format!("127.0.0.1:{}", broker.port())));
    }
    let outcome = program.run();
    assert_eq!(
        (outcome.code(), outcome.stderr.as_slice()),
        (Some(0), &b""[..]),
        "{variables:?}:\n{outcome}"
    );
}

#[test]
fn the_environment_is_read_as_curl_reads_it() {
    by_environment(&[("http_proxy", "http://{proxy}")], &[], false);
    by_environment(&[("all_proxy", "{proxy}")], &[], false);
    by_environment(&[("ALL_PROXY", "http://{proxy}/")], &[], false);
    by_environment(&[("http_proxy", ""), ("ALL_PROXY", "http://{proxy}/")], &[], false);
    by_environment(&[("http_proxy", "{proxy}"), ("no_proxy", "example.org,127.0.0.1")], &[], false);
    // In a CGI script HTTP_PROXY is what a visitor says.
    by_environment(&[("HTTP_PROXY", "http://127.0.0.1:1")], &[], true);
    by_environment(
        &[("HTTPS_PROXY", "http://127.0.0.1:1"), ("https_proxy", "nonsense://")],
        &[],
        true,
    );
    by_environment(
        &[("http_proxy", "http://127.0.0.1:1"), ("NO_PROXY", "a, localhost")],
        &[],
        true,
    );
    by_environment(&[("http_proxy", "http://127.0.0.1:1"), ("no_proxy", "*")], &[], true);
    by_environment(&[("http_proxy", "http://127.0.0.1:1")], &["--no-proxy", "localhost"], true);
    by_environment(&[("http_proxy", "http://127.0.0.1:1")], &["--proxy", ""], true);
    by_environment(
        &[("http_proxy", "{proxy}"), ("NO_PROXY", "localhost")],
        &["--no-proxy", ""],
        false,
    );
}

#[test]
fn proxies_that_make_no_sense_are_usage_errors() {
    let words = "mqttws: --proxy: unknown scheme socks4://: write http://, https://, socks5:// or socks5h://\n";
    publish(URL, &["--proxy", "socks4://h"]).run().expect(2, "", words);
    let words = "mqttws: $http_proxy: the port is not a number from 1 to 65535\n";
    publish(URL, &[]).env("http_proxy", "http://h:x").run().expect(2, "", words);
}

#[test]
fn ping_tells_the_time_of_the_proxy() {
    let broker = Broker::start(until_goodbye(vec![
        Step::Request(&[CONNECT]),
        Step::Answer(ESTABLISHED),
        Step::Upgrade,
        packet("10 *"),
        Step::Send("20 00 00"),
        packet("c0"),
        Step::Send("d0"),
    ]));
    let proxy = format!("http://127.0.0.1:{}", broker.port());
    let outcome = Program::new(["ping", URL, "-V", "311", "-c", "1", "--proxy", &proxy]).run();
    let stdout = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let pattern = format!(
        "PING {URL} (broker.invalid:9001 through {proxy}, subprotocol mqtt, MQTT 3.1.1): name * ms, tcp * ms, \
         proxy * ms, upgrade * ms, connack * ms"
    );
    assert!(stdout.lines().next().is_some_and(|line| is_like(line, &pattern)), "{outcome}");
}

#[test]
fn socks_without_a_version_is_socks_5_and_the_proxy_looks_the_name_up() {
    for by_flag in [true, false] {
        let mut script = asked_by_name();
        script.push(raw(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 80]));
        let broker = leading_on(script);
        let proxy = format!("socks://127.0.0.1:{}", broker.port());
        let program = if by_flag {
            publish(URL, &["--proxy", &proxy])
        } else {
            publish(URL, &[]).env("ALL_PROXY", &proxy)
        };
        program.run().expect(0, "", "");
    }
}

#[test]
fn the_url_of_a_proxy_that_is_not_used_is_not_judged() {
    for (variable, exempt) in
        [("ALL_PROXY", "127.0.0.1"), ("http_proxy", "*"), ("all_proxy", "127.0.0.0/8")]
    {
        let broker = leading_on(Vec::new());
        let program = publish(&broker.url(), &[]).env(variable, "gopher://nowhere:x");
        program.env("NO_PROXY", exempt).run().expect(0, "", "");
        let outcome =
            publish(URL, &[]).env(variable, "gopher://nowhere").env("NO_PROXY", "h").run();
        let words = "unknown scheme gopher://: write http://, https://, socks5:// or socks5h://";
        fails(&outcome, 2, &format!("mqttws: ${variable}: {words}"));
    }
}
