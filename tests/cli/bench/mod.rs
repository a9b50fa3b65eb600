//! `mqttws bench`: the load, its verification, and its reports.

mod around;
mod baselines;
mod crew;
mod cuts;
mod examples;
mod faults;
mod first_tries;
mod groups;
mod loops;
mod messages;
mod parts;
mod progress;
mod ramps;
mod reports;
mod retained;
mod runs;
mod schema;
mod served;
mod signals;
mod stalls;

use serde_json::Value;

use crate::support::program::{Outcome, Program};

/// A run with these flags against this server. How late the generator is does not matter here: the
/// machine does other things, too.
fn bench(url: &str, flags: &[&str]) -> Program {
    // A warning would be of the machine, too.
    let common = ["bench", url, "--max-lateness", "never", "--quiet", "--json"];
    Program::new([&common, flags].concat())
}

/// The object that a run has printed.
fn object(outcome: &Outcome) -> Value {
    serde_json::from_slice(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {outcome}"))
}

/// The numbers of an object that are not 0, in their order.
fn numbers(value: &Value) -> String {
    let fields = value.as_object().unwrap().iter();
    let fields = fields.filter(|(_, value)| value.as_f64().is_some_and(|number| number != 0.0));
    fields.map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
}
