//! `mqttws`: publish, subscribe and ping over MQTT over WebSockets.

mod broker;
mod cli;
mod client;
mod command;
mod hint;
mod mqtt;
mod report;
mod terminal;
mod transport;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let exit = match cli::Cli::try_parse() {
        Ok(cli) => command::run(&cli.command).unwrap_or_else(|error| report::error(&error)),
        Err(error) => report::usage(&error),
    };
    exit.into()
}
