//! `mqttws`: publish, subscribe and ping over MQTT over WebSockets.

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

use std::process::ExitCode;

fn main() -> ExitCode {
    let exit = cli::parse().and_then(|(config, warnings)| {
        for warning in &warnings {
            report::warn(warning);
        }
        command::run(config)
    });
    exit.unwrap_or_else(|error| report::error(&error)).into()
}
