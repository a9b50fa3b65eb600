//! `--wait N` tries until N: at least twice a second, once more at the very end, and only what
//! another try can mend.

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use crate::support::broker::{Broker, Step, connected, packet, until_goodbye};
use crate::support::certificates::{Authority, FAR_AWAY};
use crate::support::lines::{self, fails};
use crate::support::program::{Outcome, Program};
use crate::support::secure::Server;

/// `pub -m x` that tries for so long.
fn publish(url: &str, wait: &str, flags: &[&str]) -> Program {
    // With one version and one subprotocol there is one connection a try.
    let command =
        ["pub", url, "-V", "311", "--subprotocol", "mqtt", "-t", "t", "-m", "x", "--wait", wait];
    Program::new([&command[..], flags].concat())
}

/// A server that ends so many connections before it takes one.
fn ends_before_it_takes(count: usize) -> Broker {
    let mut script = Vec::new();
    for _ in 0..count {
        script.extend([Step::Heard, Step::Abort, Step::Reconnect]);
    }
    script.extend(until_goodbye(connected([packet("30 <t> 'x'")])));
    Broker::start(script)
}

/// 14 tries with at most half a second between them: 6.5 of 10 s.
#[test]
fn there_is_a_try_at_least_every_half_second() {
    let broker = ends_before_it_takes(13);
    publish(&broker.url(), "10", &["--quiet"]).run().expect(0, "", "");
    broker.finish();
}

/// Even where `--reconnect-delay` asks for longer pauses: those are for connections that were lost.
#[test]
fn a_long_reconnect_delay_does_not_lengthen_the_pauses() {
    let broker = ends_before_it_takes(3);
    publish(&broker.url(), "10", &["--quiet", "--reconnect-delay", "60"]).run().expect(0, "", "");
    broker.finish();
}

/// Its port is closed at first, as that of a server that starts.
#[test]
fn a_server_that_comes_late_is_found() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let url = format!("ws://{address}/mqtt");
    let mut running = publish(&url, "4", &[]).spawn();
    running.wait_for_words("mqttws: warning: waiting for ws://");
    // This is the server's own time, not a wait for the program.
    thread::sleep(Duration::from_millis(2500));
    let listener = TcpListener::bind(address).unwrap();
    let (connected, is_found) = mpsc::channel();
    thread::spawn(move || connected.send(listener.accept().is_ok()));
    assert_eq!(is_found.recv_timeout(Duration::from_secs(20)), Ok(true), "it has not come back");
}

/// A server that ends each connection as soon as it has heard something; how many there were.
fn hostile() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/mqtt", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&count);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            counting.fetch_add(1, Ordering::SeqCst);
            stream.peek(&mut [0]).ok();
        }
    });
    (url, count)
}

#[test]
fn the_last_try_comes_at_the_very_end() {
    let (url, count) = hostile();
    let outcome = publish(&url, "2", &["--quiet"]).run();
    assert!(matches!(outcome.code(), Some(3 | 5)), "{outcome}");
    assert!(outcome.took >= Duration::from_secs(2), "there was no try at the end:\n{outcome}");
    let tries = count.load(Ordering::SeqCst);
    assert!((5..=40).contains(&tries), "{tries} tries in 2 s");
}

/// Where nothing listens a try takes no time; the one at the very end is made, too.
#[test]
fn a_closed_port_is_tried_until_the_end() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let outcome = publish(&format!("ws://{address}/mqtt"), "1.5", &["--quiet"]).run();
    fails(&outcome, 3, lines::CONNECTION_REFUSED);
    assert!(outcome.took >= Duration::from_millis(1500), "there was no try at the end:\n{outcome}");
}

/// `-W` may be shorter than `--wait`; what is told is how the last try failed.
#[test]
fn the_time_of_w_passes_between_two_tries() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let url = format!("ws://{address}/mqtt");
    let flags = ["-t", "t", "-W", "0.6", "--wait", "5", "--quiet"];
    let line =
        format!("mqttws: connecting to {url}: no connection within 0.6 s (connection refused)\n");
    Program::new([&["sub", &url], &flags[..]].concat()).run().expect(27, "", &line);
}

/// The server takes the connection and says nothing: the try is cut to what is left.
#[test]
fn a_silent_port_is_not_waited_for_longer() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/mqtt", listener.local_addr().unwrap());
    let outcome = publish(&url, "1", &["--quiet"]).spawn().finish_within(Duration::from_secs(8));
    let line = lines::UPGRADE_TIMED_OUT.replace("within 0.5 s", "within 1 s");
    fails(&outcome, 27, &line);
}

#[test]
fn a_broker_without_a_connack_is_not_waited_for_longer() {
    let broker = Broker::start(vec![Step::Upgrade, packet("10 *"), Step::Gone]);
    let running = publish(&broker.url(), "1", &["--quiet"]).spawn();
    let line = lines::CONNACK_TIMED_OUT.replace("within 0.5 s", "within 1 s");
    fails(&running.finish_within(Duration::from_secs(8)), 27, &line);
}

/// Ended by one try, however long it may wait.
fn final_at_once(script: Vec<Step>) -> Outcome {
    let broker = Broker::start_watchful(script);
    let outcome = publish(&broker.url(), "600", &[]).run();
    broker.finish_alone();
    outcome
}

#[test]
fn what_no_other_try_mends_is_told_at_once() {
    let unauthorized = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\n\r\n";
    let outcome = final_at_once(vec![Step::Request(&[]), Step::Answer(unauthorized), Step::End]);
    fails(&outcome, 5, lines::ANSWER_401);

    let forbidden = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
    let outcome = final_at_once(vec![Step::Request(&[]), Step::Answer(forbidden), Step::End]);
    let line = "mqttws: connecting to ws://127.0.0.1:*/mqtt: the server answered HTTP 403 \
                Forbidden; check the credentials (--basic-auth, --bearer) and --origin";
    fails(&outcome, 5, line);

    let refused = |connack| vec![Step::Upgrade, packet("10 *"), Step::Send(connack), Step::Gone];
    fails(&final_at_once(refused("20 00 04")), 6, lines::BAD_CREDENTIALS);
    fails(&final_at_once(refused("20 00 05")), 6, lines::NOT_AUTHORIZED);
    assert_eq!(final_at_once(refused("20 00 02")).code(), Some(6), "the client id is refused");
}

#[test]
fn a_certificate_that_is_not_trusted_is_told_at_once() {
    let config = Server::showing(&Authority::new().certify(&["127.0.0.1"], FAR_AWAY)).config();
    let broker = Broker::start_watchful(vec![Step::Tls(Arc::new(config)), Step::Gone]);
    let url = format!("wss://127.0.0.1:{}/mqtt", broker.port());
    assert_eq!(publish(&url, "600", &[]).run().code(), Some(4));
    broker.finish_alone();
}

/// What passes is waited for: a server that starts behind its proxy, and one that is too busy.
#[test]
fn what_passes_is_tried_again() {
    let bad_gateway = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n";
    let rows = [
        vec![Step::Request(&[]), Step::Answer(bad_gateway), Step::End],
        vec![Step::Upgrade, packet("10 *"), Step::Send("20 00 03"), Step::End],
        vec![Step::Upgrade, packet("10 *"), Step::End],
        vec![Step::Heard, Step::Abort],
    ];
    for mut script in rows {
        script.push(Step::Reconnect);
        script.extend(until_goodbye(connected([packet("30 <t> 'x'")])));
        let broker = Broker::start(script);
        publish(&broker.url(), "20", &["--quiet"]).run().expect(0, "", "");
        broker.finish();
    }
}

#[test]
fn files_that_are_not_there_are_told_at_once() {
    let (url, count) = hostile();
    let url = url.replace("ws://", "wss://");
    let outcome = publish(&url, "600", &["--cafile", "/no-such-file"]).run();
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    assert_eq!(count.load(Ordering::SeqCst), 0, "it has connected");
}

/// A proxy that wants credentials does not change its mind.
#[test]
fn a_refusal_of_the_proxy_is_told_at_once() {
    let refusal = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
    let proxy = Broker::start_watchful(vec![Step::Request(&[]), Step::Answer(refusal), Step::End]);
    let proxy_url = format!("http://127.0.0.1:{}", proxy.port());
    let outcome = publish("ws://192.0.2.1/mqtt", "600", &["--proxy", &proxy_url]).run();
    assert_eq!(outcome.code(), Some(3), "{outcome}");
    proxy.finish_alone();
}

/// One warning, at the first failure, says what is waited for and why.
#[test]
fn the_wait_is_told_once() {
    let broker = ends_before_it_takes(3);
    let outcome = publish(&broker.url(), "10", &["--reconnect-delay", "0.01"]).run();
    let line = "mqttws: warning: waiting for ws://127.0.0.1:*/mqtt: *";
    let stderr = String::from_utf8_lossy(&outcome.stderr);
    assert!(lines::is_like(stderr.trim_end(), line) && stderr.lines().count() == 1, "{outcome}");
    assert_eq!(outcome.code(), Some(0), "{outcome}");
}

/// A signal ends the wait, and one line says so.
#[test]
fn a_signal_ends_the_wait() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let (url, _) = hostile();
        let mut running = publish(&url, "600", &[]).spawn();
        running.wait_for_words("mqttws: warning: waiting for ws://");
        running.signal(signal);
        let outcome = running.finish_within(Duration::from_millis(4500));
        let stderr = String::from_utf8_lossy(&outcome.stderr).into_owned();
        let last = stderr.lines().last().unwrap_or_default();
        assert_eq!(outcome.code(), Some(code), "{outcome}");
        assert!(
            lines::is_like(last, "mqttws: connecting to ws://*/mqtt: interrupted"),
            "{outcome}"
        );
    }
}
