//! `serve`: the local broker, alone or for the time of one command.

mod child;
mod deviations;
mod direct;
mod expect;
mod log;
mod ready;
mod recorder;
mod retained;
pub mod tls;
mod traffic;
mod watchers;

use std::ffi::OsString;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};

use super::ready::{ReadyFile, ServiceManager};
use crate::broker::access::Access;
use crate::broker::deviation::KnownDeviation;
use crate::broker::limits::Limits;
use crate::broker::tls::ServerTls;
use crate::broker::{Broker, BrokerLog, BrokerOptions, RefusalsIn, StartError, raise_limit};
use crate::exit::{Exit, worse};
use crate::mqtt::packet::Publish;
use crate::report;
use crate::signals::{ReceivedSignal, SignalWatch};
use crate::terminal::screen;
use child::{KnownBroker, ServedCommand};
use ready::StartLine;
use retained::MissingFile;
use tls::{CaFile, PreparedTls, ServeTlsConfig};
use watchers::Watchers;

pub use crate::broker::access;
pub use crate::broker::fault::{FaultKind, FaultPlan, FaultRule, PacketDirection};
pub use crate::broker::limits;
pub use deviations::{DeviationChoice, all_deviations, find_deviation};
pub use expect::{ExpectedField, ExpectedPacket, PacketExpectation};
pub use log::LogForm;

/// The usual path of MQTT over WebSockets.
const PATH: &str = "/mqtt";

/// Where the broker listens.
#[derive(Debug, Clone, Copy)]
pub struct ListenAddresses {
    /// Here; port 0 takes any that is free.
    pub address: SocketAddr,
    /// Here, too, at the same port, if the machine has that address.
    pub also: Option<IpAddr>,
}

/// How the broker is announced.
#[derive(Debug, Clone, Copy)]
pub struct Announcement {
    /// The line on stdout.
    pub form: StartForm,
    /// The file descriptor that gets that line, too.
    pub ready_fd: Option<u32>,
}

/// What `serve` is asked to do.
pub struct Config {
    /// Where the broker listens.
    pub listen: ListenAddresses,
    /// What it offers at most.
    pub limits: Limits,
    /// Who may come in, and who may do what.
    pub access: Access,
    /// How what happens is logged, if it is.
    pub log: Option<LogForm>,
    /// How the broker is announced.
    pub announcement: Announcement,
    /// How connections are encrypted, if they are.
    pub tls: Option<ServeTlsConfig>,
    /// What the command is to log in with: name and password.
    pub login: Option<(String, String)>,
    /// The files of messages.
    pub files: ServeFiles,
    /// What the broker does otherwise than the standards say.
    pub deviations: DeviationChoice,
    /// What clients are expected to send.
    pub expected: Vec<PacketExpectation>,
    /// What goes wrong on purpose.
    pub faults: Option<FaultPlan>,
    /// The command to run, with its arguments; empty is none.
    pub command: Vec<OsString>,
}

/// Files of messages.
#[derive(Debug, Default)]
pub struct ServeFiles {
    /// Where the retained messages come from.
    pub load: Option<PathBuf>,
    /// Where they go when the broker ends.
    pub save: Option<PathBuf>,
    /// Where every PUBLISH of the clients goes.
    pub record: Option<PathBuf>,
}

impl ServeFiles {
    /// The messages that are retained from the beginning.
    fn loaded(&self) -> Result<Vec<Publish>> {
        if let Some(path) = &self.save {
            retained::check_save(path)?;
        }
        let Some(path) = &self.load else { return Ok(Vec::new()) };
        let will_be_saved = self.save.as_ref() == Some(path);
        let missing = if will_be_saved { MissingFile::Empty } else { MissingFile::Wrong };
        retained::load(path, missing)
    }

    /// The error when so many of the loaded messages, and not all, can be retained.
    fn too_much(&self, stored: usize) -> anyhow::Error {
        let path = self.load.as_deref().unwrap_or_else(|| Path::new("")).display();
        anyhow!(
            "loading {path}: there is room for the first {stored} of its messages; \
             --limit retained-messages and retained-bytes make more"
        )
    }
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
    let deviations = match &config.deviations {
        DeviationChoice::These(deviations) => deviations,
        DeviationChoice::List => return list_deviations(config.announcement.form),
    };
    // First of all: later a file of our own could have this descriptor.
    let ready_file = config.announcement.ready_fd.map(ReadyFile::take).transpose()?;
    let mut manager = ServiceManager::from_environment();
    let mut signals = SignalWatch::begin().context("watching for signals")?;
    let retained = config.files.loaded()?;
    let mut watchers = Watchers::start(config)?;
    let tls =
        config.tls.as_ref().map(|tls| tls::prepare(tls, config.listen.address.ip())).transpose()?;
    let (server, ca_file) = tls.map(|PreparedTls { server, ca_file }| (server, ca_file)).unzip();
    let ca_file = ca_file.as_ref();
    let broker = start_broker(config, retained, deviations, server, &watchers)?;
    announce(config, &broker, ca_file.map(CaFile::path), ready_file)?;
    manager.ready(&format!("Listening at {}", broker.url()));
    let login = config.login.as_ref();
    let known = KnownBroker { url: &broker.url(), ca_file, login };
    let command = ServedCommand::start(&config.command, &known)?;
    raise_limit(&config.limits);
    let obey = |signal| obey(signal, &broker);
    let exit = if let Some(command) = command {
        Exit::Command(command.wait(&mut signals, obey).context("waiting for the command")?)
    } else {
        while signals.wait().into_iter().all(obey) {}
        Exit::Done
    };
    manager.stopping();
    let messages = broker.stop();
    Ok(ended(config, exit, &messages, &mut watchers))
}

/// Does what a signal asks the broker for. False if it asks for the end.
fn obey(signal: ReceivedSignal, broker: &Broker) -> bool {
    if signal.is_request() {
        broker.reset_connections();
    }
    signal.is_request()
}

/// Saves what is to be saved and says what was expected and did not come; returns the exit code. A
/// command that has failed keeps its own.
fn ended(config: &Config, exit: Exit, messages: &[Publish], watchers: &mut Watchers) -> Exit {
    let mut own = watchers.verdict();
    if let Some(Err(error)) = config.files.save.as_ref().map(|path| retained::save(path, messages))
    {
        own = worse(own, report::error(&error));
    }
    if matches!(exit, Exit::Done | Exit::Command(0)) { own } else { exit }
}

fn list_deviations(form: StartForm) -> Result<Exit> {
    super::print(&match form {
        StartForm::Url => deviations::text(),
        StartForm::Json => deviations::json(),
    })?;
    Ok(Exit::Done)
}

fn start_broker(
    config: &Config,
    retained: Vec<Publish>,
    deviations: &[KnownDeviation],
    tls: Option<ServerTls>,
    watchers: &Watchers,
) -> Result<Broker> {
    let address = config.listen.address;
    let options = BrokerOptions {
        address,
        also: config.listen.also,
        path: PATH.to_owned(),
        retained,
        deviations: deviations.to_vec(),
        log: BrokerLog {
            warning: Arc::new(report::warn),
            observer: watchers.observer(),
            refusals: if config.log.is_some() {
                RefusalsIn::Observer
            } else {
                RefusalsIn::Warnings
            },
        },
        limits: config.limits.clone(),
        access: config.access.clone(),
        faults: config.faults.clone().map(seeded),
        tls,
    };
    Broker::start(options).map_err(|error| match error {
        StartError::Listen(error) => advised(error).context(format!("listening at {address}")),
        StartError::NoRoom(stored) => config.files.too_much(stored),
    })
}

/// The reason why the broker cannot listen, with what to do about it.
fn advised(error: io::Error) -> anyhow::Error {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => "something else listens there: -p 0 takes a free port",
        io::ErrorKind::AddrNotAvailable => "no interface of this machine has this address",
        io::ErrorKind::PermissionDenied => "ports below 1024 are for root: -p takes another",
        _ => return error.into(),
    };
    anyhow!("{error}: {advice}")
}

/// With a seed, which is told where it was not given and makes a difference: so the same can be
/// asked for again.
fn seeded(mut plan: FaultPlan) -> FaultPlan {
    if plan.seed.is_none() && plan.is_random() {
        let seed = u64::from(fastrand::u32(..));
        report::line(&format!("--fault: seed={seed}"));
        plan.seed = Some(seed);
    }
    plan
}

/// Says where the broker listens: on stdout unless that is the command's, to the file descriptor of
/// `--ready-fd`, and to a person who looks on.
fn announce(
    config: &Config,
    broker: &Broker,
    ca_file: Option<&Path>,
    ready_file: Option<ReadyFile>,
) -> Result<()> {
    let url = broker.url();
    let ca = ca_file.map(Path::to_string_lossy);
    let (port, pid) = (broker.address().port(), process::id());
    let start = StartLine { url: &url, port, pid, ca: ca.as_deref() };
    let line = match config.announcement.form {
        StartForm::Url => url.clone(),
        StartForm::Json => start.json(),
    };
    let is_alone = config.command.is_empty();
    if is_alone || config.announcement.form == StartForm::Json {
        super::print(&line)?;
    }
    if let Some(file) = ready_file {
        file.write(&line)?;
    }
    if is_alone && screen::stderr_is_terminal() {
        let trust = ca.map(|ca| format!(" --cafile {ca}")).unwrap_or_default();
        report::line(&format!(
            "listening; try mqttws sub {url}{trust} -t '#'; Ctrl-C ends the broker"
        ));
    }
    Ok(())
}
