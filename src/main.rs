//! `mqttws`: publish, subscribe and ping over MQTT over WebSockets.

mod allocator;
mod broker;
mod cli;
mod client;
mod command;
mod exit;
mod format;
mod mqtt;
mod report;
mod signals;
mod stdio;
mod terminal;
mod transport;
mod websocket;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::process::ExitCode;

fn main() -> ExitCode {
    // fastrand would begin with the time: two programs that start at the same moment could get
    // the same client identifier, and take the session from each other.
    fastrand::seed(RandomState::new().build_hasher().finish());
    let exit = cli::parse().and_then(|(config, warnings)| {
        for warning in &warnings {
            report::warn(warning);
        }
        command::run(config)
    });
    exit.unwrap_or_else(|error| report::error(&error)).into()
}
