//! One verb each: a straight-line script that pulls events from the client. It knows no socket and
//! no thread.

mod latency;
pub mod ping;
pub mod publish;
pub mod serve;
pub mod subscribe;
mod summary;

use anyhow::{Context, Result};

use crate::client::{Client, Error, Established, Options};
use crate::exit::Exit;
use crate::format::layout::Layout;
use crate::mqtt::topic::TopicName;
use crate::stdio::stdout::{self, Output, OutputProgress, OutputTarget};

/// What the program is asked to do.
pub enum Config {
    /// `pub`
    Publish(Box<publish::config::Config>),
    /// `sub`
    Subscribe(Box<subscribe::config::Config>),
    /// `ping`
    Ping(Box<ping::Config>),
    /// `serve`
    Serve(serve::Config),
    /// Print this text on stdout (`--print-config`).
    Print(String),
}

/// Does what the command line asks.
pub fn run(config: Config) -> Result<Exit> {
    match config {
        Config::Publish(config) => publish::run(*config),
        Config::Subscribe(config) => subscribe::run(*config),
        Config::Ping(config) => ping::run(*config),
        Config::Serve(config) => serve::run(config),
        Config::Print(text) => print(&text).map(|_| Exit::Done),
    }
}

/// A topic for this client alone, named by its purpose and by the client id. Wildcards and NUL are
/// no part of a topic name.
fn own_topic(purpose: &str, client_id: &str) -> Result<TopicName> {
    let id = client_id.replace(['+', '#', '\0'], "_");
    Ok(TopicName::new(format!("mqttws/{purpose}/{id}"))?)
}

fn connect(options: Options) -> Result<(Client, Established)> {
    let context = format!("connecting to {}", options.endpoint);
    Client::connect(options).context(context)
}

/// Closes the connection after a failure: in order, unless the connection itself has failed. The
/// session at the broker is ended, too, if the broker can still be reached.
fn close_after(client: Client, error: &anyhow::Error) {
    match error.chain().find_map(|cause| cause.downcast_ref::<Error>()) {
        Some(error) => client.abandon(error),
        // The first failure is the one that the user has to know.
        None => drop(client.close()),
    }
}

/// Adds to an error what the program was doing, unless the error says so itself.
fn while_doing(error: anyhow::Error, what: impl FnOnce() -> String) -> anyhow::Error {
    match error.downcast_ref::<Error>() {
        Some(Error::Unanswered { .. }) => error,
        _ => error.context(what()),
    }
}

/// Closes the connection: in order, or as [`close_after`] does.
fn close(client: Client, result: Result<Exit>) -> Result<Exit> {
    match result {
        Ok(exit @ Exit::Signal(_)) => {
            // The user who interrupted us knows already how much is missing.
            let _ = client.close();
            Ok(exit)
        }
        Ok(exit) => Ok(client.close().map(|()| exit)?),
        Err(error) => {
            close_after(client, &error);
            Err(error)
        }
    }
}

/// Prints one line on stdout; whether anybody still reads it.
fn print(line: &str) -> Result<bool> {
    stdout::print_line(line).context("writing to stdout")
}

/// Starts the thread that writes messages; it reports to the client how far it is.
fn start_output(client: &Client, layout: Layout, target: OutputTarget) -> Result<Output> {
    let postbox = client.postbox();
    Output::start(layout, target, move |progress| match progress {
        OutputProgress::Written(number) => postbox.written(number),
        OutputProgress::Failed(error) => postbox.output_failed(error),
    })
    .context("starting the output")
}
