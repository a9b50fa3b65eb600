//! Promises 1 to 5 of design.md §4 under faults: connections that break at any byte, brokers that
//! restart, readers that stop, and SIGKILL. These tests must never know how the program keeps its
//! promises.

mod answers;
#[expect(dead_code, reason = "tests/interop uses the rest")]
#[path = "../interop/broker.rs"]
mod broker;
mod bytes;
#[path = "../cli/support/certificates.rs"]
mod certificates;
mod closing;
mod deaf;
mod flood;
#[path = "../cli/support/folder.rs"]
mod folder;
mod giving_up;
mod kill;
mod large;
mod memory;
mod numbers;
mod process;
#[expect(dead_code, reason = "tests/cli and tests/interop use the rest")]
#[path = "../cli/support/program.rs"]
mod program;
mod proxy;
mod publish;
mod restart;
mod slow;
mod stall;
mod subscribe;
mod twins;

use std::thread;
use std::time::{Duration, Instant};

use broker::Mosquitto;
use program::PATIENCE;

/// How long a normal test may take, in a build that is not optimised and on a machine that is busy.
const LONG: Duration = Duration::from_secs(60);

/// How long one of the tests may take that are not run normally.
const VERY_LONG: Duration = Duration::from_secs(600);

/// A connection that is lost is tried again so soon.
const SOON: &str = "0.01,0.05";

/// A broker of the test's own; none when `tests/run` was told to do without.
fn mosquitto() -> Option<Mosquitto> {
    mosquitto_with("persistence false\n")
}

/// The same with these lines in its configuration.
fn mosquitto_with(settings: &str) -> Option<Mosquitto> {
    let without = std::env::var("MQTTWS_WITHOUT").unwrap_or_default();
    let is_left_out = without.split([',', ' ']).any(|name| name == "mosquitto");
    if is_left_out {
        eprintln!("left out: MQTTWS_WITHOUT names mosquitto");
    }
    (!is_left_out).then(|| Mosquitto::start_with(settings))
}

/// Waits until it is so.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        thread::park_timeout(Duration::from_millis(2));
    }
}
