//! `mqttws-bench figures`: what `mqttws bench` itself costs and how exact it is, each figure beside
//! its target: memory and CPU of many connections, lateness, CPU beside bare programs.

mod bare;
mod cases;
mod handshakes;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::Failure;
use crate::honest;

pub use bare::run as bare;
pub use handshakes::run as handshakes;

/// Runs the cases: `figures mqttws=PROGRAM [mosquitto] [case=NAME]... [times=N]`, or names them:
/// `figures list`.
pub fn run(arguments: &[String]) -> Result<(), Failure> {
    // Both sides of each connection have a descriptor.
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    honest::run_cases(arguments, &cases::all())
}
