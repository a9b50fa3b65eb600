//! One verb each: a straight-line script that pulls events from the client. It knows no socket and no thread.

mod ping;
mod publish;
mod serve;
mod stream;
mod subscribe;

use anyhow::{Context, Result};

use crate::cli::Command;
use crate::client::{Client, Error, Established, Options};
use crate::report::Exit;
use crate::terminal::output;

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

/// After a failure: ends the connection in order, if that is not what failed, so that no session of ours is
/// left behind at the broker.
fn leave(client: Client, error: &anyhow::Error) {
    if !error.chain().any(|cause| cause.is::<Error>()) {
        // What failed first is what the user has to know.
        let _ = client.close();
    }
}

/// Prints one line on stdout; whether anybody still reads it.
fn print(line: &str) -> Result<bool> {
    output::print_line(line).context("writing to stdout")
}
