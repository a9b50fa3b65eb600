//! The program against real servers, straight and through real proxies. These tests must never know
//! how the program does it.
//!
//! `tests/run` installs the servers and proxies. One that it could not install is left out, and
//! named, when it is run with `--allow-missing`; `$MQTTWS_WITHOUT` tells which.
//!
//! What is special about each server, in the version that Debian 12 has or that is pinned here;
//! everything else is the same for all of them:
//!
//! | server | version | MQTT | what differs |
//! |---|---|---|---|
//! | mosquitto | 2.0.11 | 3.1, 3.1.1, 5 | long messages to a WebSocket are slow while it is idle |
//! | | | | it saves its memory at its end and in intervals only |
//! | RabbitMQ | 3.10.8 | 3.1, 3.1.1 | MQTT 5 ends in Close 1011, a wrong password in 1002 |
//! | | | | QoS 2 is taken as QoS 1 and answered by PUBACK |
//! | | | | `$share` is a plain filter |
//! | | | | retained messages come for exact topics only |
//! | | | | its path is `/ws` |
//! | ejabberd | 23.01 | 3.1.1, 5 | `$share` is refused |
//! | NATS | 2.9.10 | 3.1.1 | QoS 1 is granted for 2; PUBLISH with QoS 2 ends the connection |
//! | | | | `$share` is a plain filter |
//! | | | | only a path that ends in `/mqtt` speaks MQTT |
//! | Aedes, ws | 1.2.0, 8.23.0 | 3.1, 3.1.1 | QoS 2 of a session may come again after its PUBCOMP |
//! | | | | `$share` is a plain filter |
//! | | | | it forgets all when it ends |
//! | amqtt | 0.12.1 | 3.1.1 | CONNECT of MQTT 5 has no answer |
//! | | | | retained messages come to other topics' subscribers, too |
//! | | | | sessions may be lost |
//! | | | | `$share` is a plain filter |
//! | | | | every path is served |
//!
//! Pages of Chromium use MQTT.js 5.16.0 and paho-mqtt 1.1.0 at `mqttws serve`; vite 6.4.6 loads one
//! again when it changes.
//!
//! The completions are tried in bash 5.2, zsh 5.9 and fish 3.6.
//!
//! Proxies: nginx 1.22.1, haproxy 2.6.12, Apache 2.4, squid 5.7, tinyproxy 1.11.1 and
//! microsocks 1.0.3. None of them tells why it ends an idle connection.

mod apache;
mod bench;
mod beside_mosquitto;
mod blocked;
#[expect(dead_code, reason = "tests/faults ends and restarts it")]
mod broker;
mod brokers;
mod browser;
#[path = "../cli/support/certificates.rs"]
mod certificates;
mod check;
mod cluster;
mod daemon;
#[path = "../cli/support/folder.rs"]
mod folder;
mod haproxy;
mod mirror;
mod nginx;
mod nginx_tls;
#[path = "../manual/page.rs"]
mod page;
#[expect(dead_code, reason = "tests/cli ends an input that was held open")]
#[path = "../cli/support/program.rs"]
mod program;
mod proxies;
mod publish;
mod readers;
mod requests;
mod reverse;
mod reviewed;
mod shells;
mod squid;
mod subscribe;
mod tls;

use std::time::Duration;

use broker::Mosquitto;

/// How long the long streams may take, in a build that is not optimised and on a machine that is
/// busy.
const LONG: Duration = Duration::from_secs(120);

/// A broker of the test's own; none when `tests/run` was told to do without.
fn mosquitto() -> Option<Mosquitto> {
    (!without_mosquitto()).then(Mosquitto::start)
}

/// Whether `tests/run` was told to do without.
fn without_mosquitto() -> bool {
    !is_here("mosquitto")
}

/// Whether a program is to be tested with; `tests/run` names those that it could not install.
fn is_here(program: &str) -> bool {
    let without = std::env::var("MQTTWS_WITHOUT").unwrap_or_default();
    let is_left_out = without.split([',', ' ']).any(|name| name == program);
    if is_left_out {
        eprintln!("left out: MQTTWS_WITHOUT names {program}");
    }
    !is_left_out
}

/// Payloads that are easily damaged.
fn delicate_payloads() -> Vec<Vec<u8>> {
    vec![
        b"hello".to_vec(),
        Vec::new(),
        b"\0".to_vec(),
        b"a\0b\0\0".to_vec(),
        b"\xff\xfe\xc0\x80\xed\xa0\x80".to_vec(),
        b"\r\n\n\r".to_vec(),
        (0..=255).collect(),
        "grün 🦀 \u{202e}".into(),
    ]
}

/// A payload of this length in which no stretch repeats soon.
fn long_payload(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut byte = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| byte()).collect()
}

/// The numbers from 1 to `last`, a line each: `seq 1 last`.
fn sequence(last: u32) -> String {
    let numbers: Vec<String> = (1..=last).map(|number| number.to_string()).collect();
    numbers.join("\n") + "\n"
}
