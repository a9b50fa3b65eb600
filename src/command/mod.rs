//! One verb each: a straight-line script that pulls events from the client. It knows no socket and
//! no thread.

mod acknowledgements;
mod ping;
mod publish;
mod serve;
mod stream;
mod subscribe;
mod telling;
mod timing;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::cli::{Cli, Command};
use crate::client::{Client, Error, Established, Options};
use crate::exit::Exit;
use crate::stdio::stdout;

/// Larger messages, in bytes, are not kept in memory where that is not needed. Smaller ones are: a
/// connection that is lost in the middle of one leaves no trace of it in the output.
pub const LARGE_MESSAGE: usize = 1024 * 1024;

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

/// Connects; `limit` is a point in time for which the user gave a duration (`-W`).
fn connect(options: Options, limit: Option<(Instant, Duration)>) -> Result<(Client, Established)> {
    let context = format!("connecting to {}", options.endpoint);
    let connect = || {
        let mut client = Client::new(options)?;
        let established = client.await_connected(limit)?;
        Ok::<_, Error>((client, established))
    };
    connect().context(context)
}

/// After a failure: ends the connection in order, if that is not what failed, and in any case
/// leaves no session of ours behind at the broker, if that can be helped.
fn leave(client: Client, error: &anyhow::Error) {
    match error.chain().find_map(|cause| cause.downcast_ref::<Error>()) {
        Some(error) => client.abandon(error),
        // What failed first is what the user has to know.
        None => drop(client.close()),
    }
}

/// Adds what we were doing, if the error does not say it by itself.
fn while_doing(error: anyhow::Error, what: impl FnOnce() -> String) -> anyhow::Error {
    match error.downcast_ref::<Error>() {
        Some(Error::Unanswered { .. }) => error,
        _ => error.context(what()),
    }
}

/// Ends the connection: in order, or as [`leave`] does.
fn close(client: Client, result: Result<Exit>) -> Result<Exit> {
    match result {
        Ok(exit @ Exit::Signal(_)) => {
            // Who has interrupted us was told what is missing.
            let _ = client.close();
            Ok(exit)
        }
        Ok(exit) => Ok(client.close().map(|()| exit)?),
        Err(error) => {
            leave(client, &error);
            Err(error)
        }
    }
}

/// Prints one line on stdout; whether anybody still reads it.
fn print(line: &str) -> Result<bool> {
    stdout::print_line(line).context("writing to stdout")
}
