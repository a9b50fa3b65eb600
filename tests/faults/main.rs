//! Promises 1 to 5 of design.md §4 under faults: connections that break at any byte, brokers that restart,
//! readers that stop, and SIGKILL. These tests must never know how the program keeps its promises.

#[expect(dead_code, reason = "tests/interop uses the rest")]
#[path = "../interop/broker.rs"]
mod broker;
#[path = "../cli/support/certificates.rs"]
mod certificates;
#[path = "../cli/support/folder.rs"]
mod folder;
mod numbers;
#[expect(dead_code, reason = "tests/cli and tests/interop use the rest")]
#[path = "../cli/support/program.rs"]
mod program;
mod proxy;
mod publish;
mod subscribe;

use std::time::Duration;

use broker::Mosquitto;

/// How long a normal test may take, in a build that is not optimised and on a machine that is busy.
const LONG: Duration = Duration::from_secs(60);

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
