//! `mqttws-bench honest`: whether `mqttws bench` says what was, against brokers that delay by a
//! known law, that stall, or that are slow, and whether it accuses itself where it was late.

mod broker;
mod cases;
mod guest;
mod log;
mod outcome;
mod packets;
mod ports;

use crate::Failure;

/// What is needed for all cases.
pub struct Bench {
    /// The program.
    pub program: String,
    /// Whether mosquitto is there.
    pub has_mosquitto: bool,
}

/// Runs the cases: `honest mqttws=PROGRAM [mosquitto] [case=NAME]... [times=N]`.
pub fn run(arguments: &[String]) -> Result<(), Failure> {
    let mut bench = Bench { program: "mqttws".to_owned(), has_mosquitto: false };
    let (mut wanted, mut times, mut within) = (Vec::new(), 1, false);
    for argument in arguments {
        match argument.split_once('=').unwrap_or((argument, "")) {
            ("mqttws", program) => program.clone_into(&mut bench.program),
            ("case", name) => wanted.push(name.to_owned()),
            ("times", count) => times = count.parse()?,
            ("mosquitto", _) => bench.has_mosquitto = true,
            // In a network of its own, where the ports are few.
            ("few-ports", _) => within = true,
            ("missing" | "quick" | "json", _) => {}
            _ => return Err(format!("honest: unknown argument {argument}").into()),
        }
    }
    if within {
        return ports::within(&bench);
    }
    let is_wanted = |name: &str| {
        wanted.is_empty() || wanted.iter().any(|prefix| name.starts_with(prefix.as_str()))
    };
    let mut failures = 0;
    for (name, case) in cases::all() {
        for _ in 0..if is_wanted(name) { times } else { 0 } {
            match case(&bench) {
                Ok(text) => println!("{name:<18} ok     {text}"),
                Err(error) => {
                    failures += 1;
                    println!("{name:<18} FAILED {error}");
                }
            }
        }
    }
    if failures > 0 { Err(format!("{failures} cases failed").into()) } else { Ok(()) }
}
