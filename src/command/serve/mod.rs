//! `serve`: the local broker, alone or for the time of one command.

mod child;
mod log;
mod ready;

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::process;
use std::sync::Arc;

use anyhow::{Context, Result};

use super::ready::{ReadyFile, ServiceManager};
use crate::broker::access::Access;
use crate::broker::limits::Limits;
use crate::broker::{Broker, BrokerLog, BrokerOptions, raise_limit};
use crate::exit::Exit;
use crate::report;
use crate::signals::SignalWatch;
use crate::terminal::screen;
use child::ServedCommand;
use ready::StartLine;

pub use crate::broker::access;
pub use crate::broker::limits;
pub use log::LogForm;

/// The usual path of MQTT over WebSockets.
const PATH: &str = "/mqtt";

/// What `serve` is asked to do.
pub struct Config {
    /// Where the broker listens.
    pub address: SocketAddr,
    /// Where it listens, too, at the same port, if the machine has that address.
    pub also: Option<IpAddr>,
    /// What it offers at most.
    pub limits: Limits,
    /// Who may come in, and who may do what.
    pub access: Access,
    /// How what happens is logged, if it is.
    pub log: Option<LogForm>,
    /// How the broker is announced.
    pub start_form: StartForm,
    /// The file descriptor that is told when the broker listens.
    pub ready_fd: Option<u32>,
    /// The command to run, with its arguments; empty is none.
    pub command: Vec<OsString>,
}

/// How the broker is announced once it listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartForm {
    /// By its URL; on stdout only without a command.
    Url,
    /// By an object of JSON.
    Json,
}

/// Runs `mqttws serve`.
// Not part of the caller, whose frame would hold what this one needs.
#[inline(never)]
pub fn run(config: &Config) -> Result<Exit> {
    // First of all: later a file of our own could have this descriptor.
    let ready_file = config.ready_fd.map(ReadyFile::take).transpose()?;
    let mut manager = ServiceManager::from_environment();
    let mut signals = SignalWatch::begin().context("watching for signals")?;
    let broker = start_broker(config)?;
    announce(config, &broker, ready_file)?;
    manager.ready(&format!("Listening at {}", broker.url()));
    let command = ServedCommand::start(&config.command, &broker.url())?;
    raise_limit(&config.limits);
    let exit = if let Some(command) = command {
        Exit::Command(command.wait(&mut signals).context("waiting for the command")?)
    } else {
        while signals.wait().is_empty() {}
        Exit::Done
    };
    manager.stopping();
    broker.stop();
    Ok(exit)
}

fn start_broker(config: &Config) -> Result<Broker> {
    let address = config.address;
    let options = BrokerOptions {
        address,
        also: config.also,
        path: PATH.to_owned(),
        limits: config.limits.clone(),
        access: config.access.clone(),
        log: BrokerLog { warning: Arc::new(report::warn), observer: config.log.map(log::observer) },
    };
    Broker::start(options).with_context(|| format!("listening at {address}"))
}

/// Says where the broker listens: on stdout unless that is the command's, to the file descriptor of
/// `--ready-fd`, and to a person who looks on.
fn announce(config: &Config, broker: &Broker, ready_file: Option<ReadyFile>) -> Result<()> {
    let url = broker.url();
    let start =
        StartLine { url: &url, port: broker.address().port(), pid: process::id(), ca: None };
    let line = match config.start_form {
        StartForm::Url => url.clone(),
        StartForm::Json => start.json(),
    };
    let is_alone = config.command.is_empty();
    if is_alone || config.start_form == StartForm::Json {
        super::print(&line)?;
    }
    if let Some(file) = ready_file {
        file.write(&line)?;
    }
    if is_alone && screen::stderr_is_terminal() {
        report::line(&format!("listening; try mqttws sub {url} -t '#'; Ctrl-C ends the broker"));
    }
    Ok(())
}
