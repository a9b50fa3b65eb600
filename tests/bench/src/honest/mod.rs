//! `mqttws-bench honest`: whether `mqttws bench` says what was, against brokers that delay by a
//! known law, that stall, or that are slow, and whether it accuses itself where it was late.

mod broker;
mod cases;
mod compare;
mod guest;
mod log;
mod outcome;
mod packets;
mod ports;
mod verdict;

use std::time::Instant;

use crate::Failure;
pub use outcome::{Outcome, begin, begin_as};
pub use verdict::{Case, Summary, Verdict, check};

/// What is needed for all cases.
pub struct Bench {
    /// The program.
    pub program: String,
    /// Whether mosquitto is there.
    pub has_mosquitto: bool,
}

/// Runs the cases: `honest mqttws=PROGRAM [mosquitto] [case=NAME]... [times=N]`, or names them:
/// `honest list`.
pub fn run(arguments: &[String]) -> Result<(), Failure> {
    if arguments.iter().any(|argument| argument == "few-ports") {
        // In a network of its own, where the ports are few.
        return ports::within(&Wanted::new(arguments)?.bench);
    }
    run_cases(arguments, &cases::all())
}

/// Runs those of these cases that the arguments name.
pub fn run_cases(arguments: &[String], cases: &[(&'static str, Case)]) -> Result<(), Failure> {
    let wanted = Wanted::new(arguments)?;
    let cases = cases.iter().filter(|(name, _)| wanted.holds(name));
    if wanted.list {
        cases.for_each(|(name, _)| println!("{name}"));
        return Ok(());
    }
    let (began, mut summary) = (Instant::now(), Summary::default());
    for (name, case) in cases {
        for _ in 0..wanted.times {
            summary.note(name, case(&wanted.bench));
        }
    }
    summary.finish(began.elapsed())
}

/// Which cases are to be run, and how often.
pub struct Wanted {
    /// What is needed for them.
    pub bench: Bench,
    names: Vec<String>,
    /// How often.
    pub times: usize,
    /// They are to be named only.
    pub list: bool,
}

impl Wanted {
    /// What these arguments say.
    pub fn new(arguments: &[String]) -> Result<Self, Failure> {
        let bench = Bench { program: "mqttws".to_owned(), has_mosquitto: false };
        let mut wanted = Self { bench, names: Vec::new(), times: 1, list: false };
        for argument in arguments {
            match argument.split_once('=').unwrap_or((argument, "")) {
                ("mqttws", program) => program.clone_into(&mut wanted.bench.program),
                ("case", name) => wanted.names.push(name.to_owned()),
                ("times", count) => wanted.times = count.parse()?,
                ("mosquitto", _) => wanted.bench.has_mosquitto = true,
                ("list", _) => wanted.list = true,
                ("missing" | "quick" | "json" | "few-ports", _) => {}
                _ => return Err(format!("unknown argument {argument}").into()),
            }
        }
        Ok(wanted)
    }

    /// Whether a case is one of them.
    pub fn holds(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|prefix| name.starts_with(prefix.as_str()))
    }
}
