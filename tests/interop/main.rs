//! The program against Debian's mosquitto, with `mosquitto_pub` and `mosquitto_sub` at the other end. These tests
//! must never know how the program does it.

#[expect(dead_code, reason = "tests/faults ends and restarts it")]
mod broker;
#[path = "../cli/support/certificates.rs"]
mod certificates;
#[path = "../cli/support/folder.rs"]
mod folder;
#[path = "../cli/support/program.rs"]
mod program;
mod publish;
mod subscribe;
mod tls;

use std::time::Duration;

use broker::Mosquitto;

/// How long the long streams may take, in a build that is not optimised and on a machine that is busy.
const LONG: Duration = Duration::from_secs(120);

/// Whether `tests/run` was told to do without.
fn without_mosquitto() -> bool {
    let without = std::env::var("MQTTWS_WITHOUT").unwrap_or_default();
    let is_left_out = without.split([',', ' ']).any(|name| name == "mosquitto");
    if is_left_out {
        eprintln!("left out: MQTTWS_WITHOUT names mosquitto");
    }
    is_left_out
}

/// A broker of the test's own; none when `tests/run` was told to do without.
fn mosquitto() -> Option<Mosquitto> {
    (!without_mosquitto()).then(Mosquitto::start)
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
