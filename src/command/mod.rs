//! One verb each: a straight-line script that pulls events from the client. It knows no socket and no thread.

mod ping;
mod publish;
mod serve;
mod stream;
mod subscribe;

use anyhow::{Context, Result};

use crate::cli::Command;
use crate::client::{Client, Established, Options};
use crate::report::Exit;

/// Does what the command line asks.
pub fn run(command: &Command) -> Result<Exit> {
    match command {
        Command::Pub(publish) => publish::run(publish),
        Command::Sub(subscribe) => subscribe::run(subscribe),
        Command::Ping(ping) => ping::run(ping),
        Command::Serve(serve) => serve::run(serve),
    }
}

fn connect(options: Options) -> Result<(Client, Established)> {
    let context = format!("connecting to {}", options.endpoint);
    Client::connect(options).context(context)
}
