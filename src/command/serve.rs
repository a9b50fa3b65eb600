//! `serve`: the local broker, alone or for the time of one command.

use std::env;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::process::Command;

use anyhow::{Context, Result};

use crate::broker::child::{ServeSignals, StopCause};
use crate::broker::{self, Broker};
use crate::exit::Exit;
use crate::report;

/// The usual path of MQTT over WebSockets.
const PATH: &str = "/mqtt";

/// The largest packet there can be (MQTT 5 §2.1.4).
const MAXIMUM_PACKET: usize = 268_435_455 + 5;

/// What `serve` is asked to do.
pub struct Config {
    /// Where the broker listens.
    pub address: SocketAddr,
    /// Log what happens.
    pub debug: bool,
    /// The command to run, with its arguments; empty is none.
    pub command: Vec<OsString>,
}

/// Runs `mqttws serve`.
pub fn run(config: Config) -> Result<Exit> {
    let Config { address, debug, command: words } = config;
    let log: Option<broker::LogLine> = if debug { Some(Box::new(report::trace)) } else { None };
    let options =
        broker::BrokerOptions { address, path: PATH.to_owned(), max_packet: MAXIMUM_PACKET, log };
    let signals = ServeSignals::begin().context("watching for signals")?;
    let broker = Broker::start(options).with_context(|| format!("listening at {address}"))?;
    let command = command(&words, &broker.url())?;
    if command.is_none() {
        super::print(&broker.url())?;
    }
    let name = words.first().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let cause = signals.wait(command).with_context(|| format!("running {name}"))?;
    broker.stop();
    Ok(match cause {
        StopCause::Command(code) => Exit::Command(code),
        StopCause::Signal => Exit::Done,
    })
}

/// The command that finds the broker in `$MQTTWS_URL`, and mqttws on its `$PATH`.
fn command(words: &[OsString], url: &str) -> Result<Option<Command>> {
    let Some((name, arguments)) = words.split_first() else { return Ok(None) };
    let program = env::current_exe().context("looking for mqttws itself")?;
    let folders = program.parent().map(Into::into).into_iter();
    let path = env::var_os("PATH").unwrap_or_default();
    let path =
        env::join_paths(folders.chain(env::split_paths(&path))).context("extending $PATH")?;
    let mut command = Command::new(name);
    command.args(arguments).env("MQTTWS_URL", url).env("PATH", path);
    Ok(Some(command))
}
