//! `serve`: the local broker, alone or for the time of one command.

use std::env;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::process::{Child, Command};
use std::sync::Arc;

use anyhow::{Context, Result};

use crate::broker::child::{ServeSignals, StopCause};
use crate::broker::{self, Broker, BrokerLog};
use crate::exit::{CommandNotStarted, Exit};
use crate::report;
use crate::stdio::exec::CREDENTIALS;

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
// Not part of the caller, whose frame would hold what this one needs.
#[inline(never)]
pub fn run(config: Config) -> Result<Exit> {
    let Config { address, debug, command: words } = config;
    let debug: Option<broker::LogLine> = if debug { Some(Arc::new(report::trace)) } else { None };
    let log = BrokerLog { warning: Arc::new(report::warn), debug };
    let options =
        broker::BrokerOptions { address, path: PATH.to_owned(), max_packet: MAXIMUM_PACKET, log };
    let signals = ServeSignals::begin().context("watching for signals")?;
    let broker = Broker::start(options).with_context(|| format!("listening at {address}"))?;
    let child = start(&words, &broker.url())?;
    if child.is_none() {
        super::print(&broker.url())?;
    }
    let cause = signals.wait(child).context("waiting for the command")?;
    broker.stop();
    Ok(match cause {
        StopCause::Command(code) => Exit::Command(code),
        StopCause::Signal => Exit::Done,
    })
}

/// Starts the command, if there is one. It finds the broker's URL in `$MQTTWS_URL`, and mqttws on
/// its `$PATH`.
fn start(words: &[OsString], url: &str) -> Result<Option<Child>> {
    let Some((name, arguments)) = words.split_first() else { return Ok(None) };
    let program = env::current_exe().context("looking for mqttws itself")?;
    let folders = program.parent().map(Into::into).into_iter();
    let path = env::var_os("PATH").unwrap_or_default();
    let path =
        env::join_paths(folders.chain(env::split_paths(&path))).context("extending $PATH")?;
    let mut command = Command::new(name);
    command.args(arguments).env("MQTTWS_URL", url).env("PATH", path);
    // They are meant for another broker.
    for name in CREDENTIALS {
        command.env_remove(name);
    }
    let child = command.spawn().map_err(CommandNotStarted);
    child.with_context(|| format!("running {}", name.to_string_lossy())).map(Some)
}
