//! One verb each: a straight-line script that pulls events from the client. It knows no socket and no thread.

mod ping;
mod publish;
mod serve;
mod stream;
mod subscribe;

use std::time::Duration;

use anyhow::{Context, Result};

use crate::cli::{Cli, Command};
use crate::client::{Client, Error, Established, Options};
use crate::report::Exit;
use crate::terminal::output;

/// Does what the command line asks.
pub fn run(cli: &Cli) -> Result<Exit> {
    if let Some(listing) = &cli.listing {
        return print(listing).map(|_| Exit::Done);
    }
    match &cli.command {
        Command::Pub(publish) => publish::run(publish),
        Command::Sub(subscribe) => subscribe::run(subscribe),
        Command::Ping(ping) => ping::run(ping),
        Command::Serve(serve) => serve::run(serve),
    }
}

/// What came of a stream of messages, in a line.
#[expect(clippy::cast_precision_loss, reason = "nobody counts 2^52 messages")]
fn summary(verb: &str, messages: u64, bytes: u64, took: Duration) -> String {
    let seconds = took.as_secs_f64();
    let rate = if seconds > 0.0 { messages as f64 / seconds } else { 0.0 };
    format!("{verb} {messages} messages, {bytes} bytes in {seconds:.3} s, {rate:.1} messages/s")
}

fn connect(options: Options) -> Result<(Client, Established)> {
    let context = format!("connecting to {}", options.endpoint);
    Client::connect(options).context(context)
}

/// After a failure: ends the connection in order, if that is not what failed, and in any case leaves no
/// session of ours behind at the broker, if that can be helped.
fn leave(client: Client, error: &anyhow::Error) {
    match error.chain().find_map(|cause| cause.downcast_ref::<Error>()) {
        Some(error) => client.abandon(error),
        // What failed first is what the user has to know.
        None => drop(client.close()),
    }
}

/// Prints one line on stdout; whether anybody still reads it.
fn print(line: &str) -> Result<bool> {
    output::print_line(line).context("writing to stdout")
}
