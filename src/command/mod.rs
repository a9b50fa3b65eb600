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
use crate::stdio::stdout::{self, Output, Progress, Target};

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

/// A topic that nobody else uses, named by what it is for and by a client id; wildcards and NUL are
/// no part of a topic name.
fn own_topic(purpose: &str, client_id: &str) -> Result<TopicName> {
    let id = client_id.replace(['+', '#', '\0'], "_");
    Ok(TopicName::new(format!("mqttws/{purpose}/{id}"))?)
}

fn connect(options: Options) -> Result<(Client, Established)> {
    let context = format!("connecting to {}", options.endpoint);
    Client::connect(options).context(context)
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

/// A thread that writes messages; the client is told how far it is.
fn start_output(client: &Client, layout: Layout, target: Target) -> Result<Output> {
    let postbox = client.postbox();
    Output::start(layout, target, move |progress| match progress {
        Progress::Written(number) => postbox.written(number),
        Progress::Failed(error) => postbox.output_failed(error),
    })
    .context("starting the output")
}
