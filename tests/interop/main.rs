//! The program against Debian's mosquitto, with `mosquitto_pub` and `mosquitto_sub` at the other
//! end, straight and through nginx and proxies. These tests must never know how the program does
//! it.

mod beside_mosquitto;
mod blocked;
#[expect(dead_code, reason = "tests/faults ends and restarts it")]
mod broker;
#[path = "../cli/support/certificates.rs"]
mod certificates;
mod daemon;
#[path = "../cli/support/folder.rs"]
mod folder;
mod nginx;
#[expect(dead_code, reason = "tests/cli and tests/faults use the rest")]
#[path = "../cli/support/program.rs"]
mod program;
mod proxies;
mod publish;
mod requests;
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
