//! `bench`: a load of many connections, and what the server makes of it.

mod all_runs;
mod clock;
mod comparison;
pub mod conditions;
pub mod config;
pub mod course;
pub mod disturbances;
mod ending;
mod exploring;
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

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::client;
use crate::client::fleet::{FleetOptions, RunSignals};
use crate::exit::{Exit, Usage};
use crate::report::Verbosity;
use crate::stdio;

use all_runs::AllRuns;
use config::{BenchAction, Config, FleetPlan, LoadPlan, ReportPlan, RunPlan, SessionKeeping};
use ending::{beside, finish};
use exploring::{Explored, PlannedLoad};
use interest::Interest;
use limits::{Ends, check_limits, print_plan};
use load::Found;
use loops::LoadLoops;
use machine::{BuildKind, Machine};
use names::Names;
use screen::Screen;
use surroundings::Surroundings;

/// Runs `mqttws bench`.
// Not part of the caller, whose frame would hold what this one needs.
#[inline(never)]
pub fn run(config: Config) -> Result<Exit> {
    if !config.runs.merge.is_empty() {
        return stored_files::merge(&config);
    }
    let Config { clients, fleet, remote, mut load, report, runs, verbosity } = config;
    clients.iter().try_for_each(check_client)?;
    fleet.check(load.plan.connections())?;
    let run = runs.run.unwrap_or_else(|| run_number(load.seed));
    let names = Names { run, part: runs.part, whole: runs.whole, plan: load.plan };
    let topics = names.topics(&load.topic)?;
    let ends = Ends {
        local: fleet.local.len() as u64,
        servers: clients.len() as u64,
        loops: fleet.loops.unwrap_or(1) as u64,
        secure: clients.iter().filter(|client| client.endpoint.is_secure()).count() as u64,
    };
    if load.action == BenchAction::Print {
        print_plan(&load, &topics, ends)?;
    }
    check_limits(&load, ends)?;
    let filter = load.filter.as_deref();
    filter.map(|filter| Interest::new(filter, &names, &topics)).transpose()?;
    check_files(&report)?;
    let baseline = stored_files::baseline(&report)?;
    if load.action == BenchAction::Print {
        return Ok(Exit::Done);
    }
    check_start(runs.start_at)?;
    let machine = Machine::look();
    // Before the first client: a signal that it does not see any more is not lost.
    let signals = Arc::new(RunSignals::begin().context("watching signals")?);
    let mut explored = Explored::default();
    let planned = PlannedLoad { load: &load, topics: &topics, run };
    for mut options in clients {
        let login = options.session.login.credentials.clone();
        fleet.identify(&mut options.session, &names, 0);
        explored.add(options, &fleet, remote, &planned)?.log_in_with(login);
    }
    load.allow_in_flight(explored.window);
    if let SessionKeeping::Kept(expiry) = load.sessions {
        explored.servers.iter_mut().for_each(|server| server.keep_sessions(expiry));
    }
    let server = explored.server()?;
    warn_before(&machine, verbosity);
    let (part, start) = (runs.part, rfc_3339());
    let mut surroundings = Surroundings { run, part, start, server, machine, baseline };
    let options = FleetOptions { servers: explored.servers, local: fleet.local.clone() };
    let (load, report) = (&load, &report);
    let signals = &signals;
    let task = LoadTask { options, fleet: &fleet, load, report, runs: &runs, signals, verbosity };
    let all = task.run_all(names, &surroundings)?;
    surroundings.server.note_maximum(all.found.results.connections.receive_maximum);
    finish(load, report, &surroundings, &all, || signals.finish())
}

/// Says what may falsify the figures.
fn warn_before(machine: &Machine, verbosity: Verbosity) {
    if verbosity.warns() {
        let governor = machine::governor();
        for warning in machine::warnings(machine, BuildKind::OWN, governor.as_deref()) {
            crate::report::warn(&warning);
        }
    }
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

/// What is run, once or several times.
struct LoadTask<'a> {
    options: FleetOptions,
    fleet: &'a FleetPlan,
    load: &'a LoadPlan,
    report: &'a ReportPlan,
    runs: &'a RunPlan,
    signals: &'a Arc<RunSignals>,
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
