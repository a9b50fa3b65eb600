//! A lost connection is made again whatever cut it: a byte that was changed on the way, an alert, a
//! gateway.

use std::sync::Arc;

use rustls::ServerConfig;

use crate::support::broker::{Broker, Step, packet, subscribed, until_goodbye};
use crate::support::certificates::{Authority, FAR_AWAY};
use crate::support::folder::Folder;
use crate::support::lines::{fails, is_like};
use crate::support::program::Program;
use crate::support::secure::{Server, fixed};

/// A server's side of TLS, and the authority that a client must trust.
struct Secure {
    config: Arc<ServerConfig>,
    /// The same, but it demands a client certificate.
    demanding: Arc<ServerConfig>,
    authority: String,
    _folder: Folder,
}

impl Secure {
    fn new() -> Self {
        let (authority, folder) = (Authority::new(), Folder::new());
        let certificate = authority.certify(&["127.0.0.1"], FAR_AWAY);
        let mut demanding = Server::showing(&certificate);
        demanding.clients = Some(fixed("authority.pem"));
        Self {
            config: Arc::new(Server::showing(&certificate).config()),
            demanding: Arc::new(demanding.config()),
            authority: folder.write("ca.pem", authority.pem()),
            _folder: folder,
        }
    }

    /// `steps` over TLS.
    fn over_tls(&self, steps: Vec<Step>) -> Vec<Step> {
        [Step::Tls(Arc::clone(&self.config))].into_iter().chain(steps).collect()
    }

    /// A `sub -t t` to this broker that trusts it.
    fn subscribe(&self, broker: &Broker, flags: &[&str]) -> Program {
        let url = format!("wss://127.0.0.1:{}/mqtt", broker.port());
        let command = ["sub", &url, "-V", "311", "-t", "t", "--cafile", &self.authority];
        Program::new([&command[..], &["--reconnect-delay", "0.01"], flags].concat())
    }

    /// A subscription whose connection breaks so, and then another that gets a message and ends in
    /// order.
    fn breaks_and_is_mended<const N: usize>(&self, break_off: [Step; N]) -> Broker {
        let mut script = self.over_tls(subscribed(break_off));
        script.push(Step::Reconnect);
        script.extend(self.over_tls(until_goodbye(subscribed([Step::Send("30 <t> 'two'")]))));
        Broker::start(script)
    }
}

#[test]
fn a_changed_byte_in_tls_is_a_lost_connection() {
    let secure = Secure::new();
    let broker = secure.breaks_and_is_mended([
        Step::Send("30 <t> 'one'"),
        Step::Garbled("30 <t> 'wrong'"),
        Step::Gone,
    ]);
    secure.subscribe(&broker, &["--quiet", "-C", "2"]).run().expect(0, "one\ntwo\n", "");
}

#[test]
fn an_alert_that_a_byte_was_changed_is_a_lost_connection() {
    let secure = Secure::new();
    let mut script = secure.over_tls(subscribed([Step::Misread, Step::Reconnect]));
    script.extend(secure.over_tls(until_goodbye(subscribed([Step::Send("30 <t> 'two'")]))));
    let broker = Broker::start(script);
    // What is changed on the way is the PINGREQ.
    secure.subscribe(&broker, &["--quiet", "-k", "1", "-C", "1"]).run().expect(0, "two\n", "");
}

#[test]
fn a_changed_byte_is_told_as_what_it_is() {
    let secure = Secure::new();
    let broker = secure.breaks_and_is_mended([Step::Garbled("30 <t> 'wrong'"), Step::Gone]);
    let outcome = secure.subscribe(&broker, &["-C", "1"]).run();
    let stderr = String::from_utf8_lossy(&outcome.stderr);
    let warning = "mqttws: warning: wss://127.0.0.1:*/mqtt: connection lost: *; trying again";
    assert_eq!(
        (outcome.code(), outcome.stdout.as_slice()),
        (Some(0), b"two\n".as_slice()),
        "{outcome}"
    );
    assert!(is_like(stderr.lines().next().unwrap_or_default(), warning), "{outcome}");
}

/// Exit code 4 is for who was never connected.
#[test]
fn a_changed_byte_that_is_not_to_be_mended() {
    let secure = Secure::new();
    let broker =
        Broker::start(secure.over_tls(subscribed([Step::Garbled("30 <t> 'wrong'"), Step::Gone])));
    let outcome = secure.subscribe(&broker, &["--no-reconnect"]).run();
    fails(&outcome, 8, "mqttws: subscribed at wss://127.0.0.1:*/mqtt: connection lost: *");
}

/// What is not acknowledged when it breaks is published again.
#[test]
fn a_publisher_goes_on_after_a_changed_byte() {
    let secure = Secure::new();
    let begin = |steps: Vec<Step>| {
        let begin = vec![Step::Upgrade, packet("10 <MQTT> 04 *"), Step::Send("20 00 00")];
        secure.over_tls(begin.into_iter().chain(steps).collect())
    };
    let mut script = begin(vec![packet("32 <t> id 'x'"), Step::Garbled("40 00 01"), Step::Gone]);
    script.push(Step::Reconnect);
    script.extend(begin(until_goodbye(vec![packet("32 <t> id 'x'"), Step::Send("40 id")])));
    let broker = Broker::start(script);
    let url = format!("wss://127.0.0.1:{}/mqtt", broker.port());
    let flags =
        ["-V", "311", "-t", "t", "-q", "1", "-m", "x", "--cafile", &secure.authority, "--quiet"];
    let command = [&["pub", &url, "--reconnect-delay", "0.01"], &flags[..]].concat();
    Program::new(command).run().expect(0, "", "");
}

/// A handshake that breaks on the way is one more loss, not the end.
#[test]
fn a_handshake_that_breaks_while_a_connection_is_made_again() {
    let secure = Secure::new();
    let mut script = secure.over_tls(subscribed([Step::End, Step::Reconnect]));
    script.extend([
        Step::Tls(Arc::clone(&secure.config)),
        Step::GarbledHandshake,
        Step::Gone,
        Step::Reconnect,
    ]);
    script.extend(secure.over_tls(until_goodbye(subscribed([Step::Send("30 <t> 'two'")]))));
    let broker = Broker::start(script);
    secure.subscribe(&broker, &["--quiet", "-C", "1"]).run().expect(0, "two\n", "");
}

/// That alert means us, and no other try mends it.
#[test]
fn an_alert_that_means_us_is_final() {
    let secure = Secure::new();
    let mut script = secure.over_tls(subscribed([Step::End, Step::Reconnect]));
    script.extend([Step::Tls(Arc::clone(&secure.demanding)), Step::Gone]);
    let broker = Broker::start_watchful(script);
    let outcome = secure.subscribe(&broker, &["--quiet"]).run();
    let line = "mqttws: subscribed at wss://127.0.0.1:*/mqtt: the server demands a client \
                certificate; give one with --cert and --key";
    fails(&outcome, 4, line);
    broker.finish_alone();
}

/// Closes of a WebSocket that pass: going away, an error of the server, restart, try again, bad
/// gateway, and codes of a service's own.
#[test]
fn a_close_that_passes_is_a_lost_connection() {
    let payloads: [&'static [u8]; 8] = [
        b"\x03\xe8",
        b"\x03\xe9",
        b"\x03\xf3",
        b"\x03\xf4",
        b"\x03\xf5",
        b"\x03\xf6",
        b"\x0b\xb8",
        b"\x13\x87",
    ];
    for payload in payloads {
        let mut script = subscribed([Step::Frame(0x88, payload), Step::Gone, Step::Reconnect]);
        script.extend(until_goodbye(subscribed([Step::Send("30 <t> 'two'")])));
        let broker = Broker::start(script);
        let flags = ["-V", "311", "-t", "t", "--quiet", "--reconnect-delay", "0.01", "-C", "1"];
        let outcome = Program::new([&["sub", &broker.url()], &flags[..]].concat()).run();
        let code = u16::from_be_bytes([payload[0], payload[1]]);
        assert_eq!(outcome.code(), Some(0), "Close {code}:\n{outcome}");
        outcome.expect(0, "two\n", "");
    }
}

#[test]
fn a_bad_gateway_that_is_not_to_be_mended() {
    let broker = Broker::start(subscribed([Step::Frame(0x88, b"\x03\xf6no"), Step::Gone]));
    let sub = Program::new(["sub", &broker.url(), "-V", "311", "-t", "t", "--no-reconnect"]);
    let line = "mqttws: subscribed at ws://127.0.0.1:*/mqtt: connection lost: the server closed \
                the WebSocket with code 1014 (bad gateway): no; try again later";
    fails(&sub.run(), 8, line);
}

/// A gateway may say so before the broker has said anything.
#[test]
fn a_bad_gateway_instead_of_connack_passes() {
    let mut script =
        vec![Step::Upgrade, packet("10 *"), Step::Frame(0x88, b"\x03\xf6"), Step::Gone];
    script.push(Step::Reconnect);
    script.extend(until_goodbye(subscribed([Step::Send("30 <t> 'x'")])));
    let broker = Broker::start(script);
    let flags = ["-V", "311", "-t", "t", "--quiet", "--wait", "20", "-C", "1"];
    Program::new([&["sub", &broker.url()], &flags[..]].concat()).run().expect(0, "x\n", "");
}

/// RFC 6455 §7.4: these are never sent, or nobody has registered them.
#[test]
fn a_close_with_a_code_that_must_not_be_sent_is_a_breach() {
    let payloads: [&'static [u8]; 7] =
        [b"\x03\xe7", b"\x03\xec", b"\x03\xed", b"\x03\xee", b"\x03\xf7", b"\x0b\xb7", b"\x13\x88"];
    for payload in payloads {
        let broker = Broker::start_watchful(subscribed([Step::Frame(0x88, payload), Step::Gone]));
        let outcome = Program::new(["sub", &broker.url(), "-V", "311", "-t", "t"]).run();
        let code = u16::from_be_bytes([payload[0], payload[1]]);
        let line = format!(
            "mqttws: subscribed at ws://127.0.0.1:*/mqtt: the server broke the WebSocket protocol: \
             a Close frame with the invalid code {code}"
        );
        fails(&outcome, 9, &line);
        broker.finish_alone();
    }
}
