//! `bench`: a load of many connections, and what the server makes of it.

mod all_runs;
mod clock;
mod comparison;
pub mod conditions;
pub mod config;
pub mod course;
pub mod disturbances;
mod ending;
mod figures;
mod interest;
mod joining;
mod judge;
mod limits;
mod load;
mod loops;
mod machine;
mod measure;
pub mod merging;
mod names;
pub mod part;
pub mod payload;
pub mod plan;
mod report;
mod results;
pub mod schedule;
mod screen;
mod server;
mod split;
mod step_outcome;
mod steps;
pub mod stored;
mod stored_files;
mod surroundings;
pub mod verify;
mod words;

use std::net::{IpAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::client::fleet::{FleetOptions, FleetServer, FleetTarget};
use crate::client::{self, Client, Established};
use crate::exit::{Exit, Usage};
use crate::report::Verbosity;
use crate::stdio;

use all_runs::AllRuns;
use config::{
    BenchAction, Config, FleetPlan, LoadPlan, RemoteLoad, ReportPlan, RunPlan, SessionKeeping,
};
use ending::{beside, finish};
use interest::Interest;
use judge::ServerPlace;
use limits::{Ends, check_limits, print_plan};
use load::Found;
use loops::LoadLoops;
use machine::Machine;
use names::Names;
use screen::Screen;
use server::BenchServer;
use surroundings::Surroundings;

/// Runs `mqttws bench`.
// Not part of the caller, whose frame would hold what this one needs.
#[inline(never)]
pub fn run(config: Config) -> Result<Exit> {
    if !config.runs.merge.is_empty() {
        return stored_files::merge(&config);
    }
    let Config { clients, fleet, remote, load, report, runs, verbosity } = config;
    clients.iter().try_for_each(check_client)?;
    fleet.check(load.plan.connections())?;
    let run = runs.run.unwrap_or_else(|| run_number(load.seed));
    let names = Names { run, part: runs.part, whole: runs.whole, plan: load.plan };
    let topics = names.topics(&load.topic)?;
    let ends = Ends {
        local: fleet.local.len() as u64,
        servers: clients.len() as u64,
        loops: fleet.loops.unwrap_or(1) as u64,
    };
    if load.action == BenchAction::Print {
        return print_plan(&load, &topics, ends);
    }
    check_limits(&load, ends)?;
    let filter = load.filter.as_deref();
    filter.map(|filter| Interest::new(filter, &names, &topics)).transpose()?;
    check_files(&report)?;
    let baseline = stored_files::baseline(&report)?;
    check_start(runs.start_at)?;
    let machine = Machine::look();
    let mut explored = Explored::default();
    for mut options in clients {
        let login = options.session.login.credentials.clone();
        fleet.identify(&mut options.session, &names, 0);
        explored.add(options, &fleet, remote)?.log_in_with(login);
    }
    if let SessionKeeping::Kept(expiry) = load.sessions {
        explored.servers.iter_mut().for_each(|server| server.keep_sessions(expiry));
    }
    let server = explored.server()?;
    let (part, start) = (runs.part, rfc_3339());
    let mut surroundings = Surroundings { run, part, start, server, machine, baseline };
    let options = FleetOptions { servers: explored.servers, local: fleet.local.clone() };
    let (load, report) = (&load, &report);
    let task = LoadTask { options, fleet: &fleet, load, report, runs: &runs, verbosity };
    let all = task.run_all(names, &surroundings)?;
    // Until here a second signal would have ended the process by the handlers of the first client.
    drop(explored.clients);
    surroundings.server.receive_maximum = all.found.results.connections.receive_maximum;
    finish(load, report, &surroundings, &all)
}

/// Refuses a time that has passed.
fn check_start(start_at: Option<Duration>) -> Result<()> {
    let Some(at) = start_at else { return Ok(()) };
    let late = machine::since_1970().saturating_sub(at);
    ensure!(
        late.is_zero(),
        Usage::new(format!("--start-at: that was {} ago", words::seconds(late)))
    );
    Ok(())
}

/// Refuses what a client may do and bench does not.
fn check_client(options: &client::Options) -> Result<()> {
    ensure!(
        options.route.proxies.towards(&options.endpoint).is_none(),
        Usage::new("bench measures a server, and no proxy on the way to it: give --no-proxy '*'")
    );
    ensure!(
        options.session.will.is_none(),
        Usage::new("--will-topic: bench has wills of its own: --will")
    );
    Ok(())
}

/// What a first connection to each server has found.
#[derive(Default)]
struct Explored {
    clients: Vec<Box<Client>>,
    servers: Vec<FleetServer>,
    shown: Vec<BenchServer>,
}

impl Explored {
    /// Connects to one more server, and leaves it again.
    fn add(
        &mut self,
        options: client::Options,
        fleet: &FleetPlan,
        remote: RemoteLoad,
    ) -> Result<&mut FleetServer> {
        let (mut first, established) = super::connect(options, None)?;
        let server = FleetServer::like(&mut first, &established, fleet.resumption)
            .with_context(|| first.at_server("connecting to"))?;
        let place = check_place(&server.target, remote)?;
        self.shown.push(shown(&first, &established, place));
        first.close();
        // It has shown how to connect; how it ends does not matter.
        let _ = super::await_closed(&mut first, None, |_| {});
        self.clients.push(first);
        self.servers.push(server);
        self.servers.last_mut().context("there is no server")
    }

    /// All of them in one.
    fn server(&mut self) -> Result<BenchServer> {
        let place =
            self.shown.iter().map(|server| server.place).find(|it| *it == ServerPlace::Here);
        let addresses: Vec<String> =
            self.shown.iter().map(|server| server.address.clone()).collect();
        let first = self.shown.drain(..).next().context("there is no server")?;
        let place = place.unwrap_or(first.place);
        Ok(BenchServer { address: addresses.join(" + "), place, ..first })
    }
}

/// The number of a run; the same seed gives the same.
fn run_number(seed: u64) -> u32 {
    fastrand::Rng::with_seed(seed).u32(..)
}

fn rfc_3339() -> String {
    let mut start = bytes::BytesMut::new();
    stdio::local_time().rfc_3339(&mut start);
    String::from_utf8_lossy(&start).into_owned()
}

/// Refuses files that cannot be written, before the load.
fn check_files(plan: &ReportPlan) -> Result<()> {
    for path in [&plan.json, &plan.hgrm].into_iter().flatten() {
        let checked = match &plan.hgrm {
            Some(prefix) if prefix == path => stdio::replace::check_folder(&beside(path, "ack")),
            _ => stdio::replace::check_folder(path),
        };
        checked.with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

/// Where the server is; one beyond private networks must be allowed.
fn check_place(target: &FleetTarget, remote: RemoteLoad) -> Result<ServerPlace> {
    let FleetTarget::Tcp(address) = target else { return Ok(ServerPlace::Here) };
    let ip = address.ip();
    ensure!(
        super::check::is_private(ip) || remote == RemoteLoad::Allowed,
        Usage::new(format!(
            "{ip} is beyond this machine and private networks: a load for it needs --allow-remote"
        ))
    );
    Ok(if is_ours(ip) { ServerPlace::Here } else { ServerPlace::Elsewhere })
}

/// Whether an address is one of this machine.
fn is_ours(ip: IpAddr) -> bool {
    ip.is_loopback() || UdpSocket::bind((ip, 0)).is_ok()
}

fn shown(client: &Client, established: &Established, place: ServerPlace) -> BenchServer {
    let tls = established.info.tls.as_ref();
    BenchServer {
        address: established.address.to_string(),
        scheme: if tls.is_some() { "wss" } else { "ws" },
        tls: tls.map(|tls| (tls.version.clone(), tls.cipher.clone())),
        subprotocol: established.info.subprotocol.clone(),
        mqtt: established.version.to_string(),
        receive_maximum: None,
        keep_alive: client.session().keep_alive().map_or(0, |time| time.as_secs()),
        place,
    }
}

/// What is run, once or several times.
struct LoadTask<'a> {
    options: FleetOptions,
    fleet: &'a FleetPlan,
    load: &'a LoadPlan,
    report: &'a ReportPlan,
    runs: &'a RunPlan,
    verbosity: Verbosity,
}

impl LoadTask<'_> {
    /// All runs, one after the other; each has names of its own.
    fn run_all(&self, mut names: Names, surroundings: &Surroundings) -> Result<AllRuns> {
        let place = surroundings.server.place;
        let judged = |found: &Found| ending::judged(self.load, self.report, place, &found.results);
        let found = self.run(&names, surroundings)?;
        let first = (self.runs.runs > 1).then(|| judged(&found));
        let mut all = AllRuns::new(found);
        if let Some(judgement) = first {
            all.judge(1, judgement);
        }
        for number in 2..=self.runs.runs {
            if !all.goes_on() {
                break;
            }
            names.run = names.run.wrapping_add(1);
            let found = self.run(&names, surroundings)?;
            all.judge(number, judged(&found));
            all.add(&found);
        }
        Ok(all)
    }

    /// Runs the load.
    fn run(&self, names: &Names, surroundings: &Surroundings) -> Result<Found> {
        let (rss_before, _) = machine::memory();
        let mut screen =
            Screen::new(self.load, self.report, surroundings, self.verbosity, Instant::now());
        let loops = LoadLoops::new(self, names, surroundings)?;
        let mut found = loops.run(&mut screen)?;
        screen.finish();
        let generator = &mut found.results.generator;
        (_, generator.rss) = machine::memory();
        generator.rss_before = rss_before;
        Ok(found)
    }
}
