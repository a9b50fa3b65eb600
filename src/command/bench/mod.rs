//! `bench`: a load of many connections, and what the server makes of it.

mod clock;
mod comparison;
pub mod conditions;
pub mod config;
mod ending;
mod judge;
mod load;
mod machine;
mod measure;
mod merging;
mod names;
pub mod part;
pub mod payload;
pub mod plan;
mod repeated;
mod report;
mod results;
pub mod schedule;
mod screen;
pub mod steps;
mod stored;
mod verify;
mod words;

use std::net::{IpAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::client::fleet::{Fleet, FleetOptions, FleetTarget};
use crate::client::{Client, Established};
use crate::exit::{Exit, Usage};
use crate::mqtt::topic::TopicName;
use crate::report::Verbosity;
use crate::stdio;

use clock::RunClock;
use config::{BenchAction, Config, LoadPlan, RemoteLoad, ReportPlan, RunPlan};
use ending::{Surroundings, beside, finish};
use judge::ServerPlace;
use load::{Context, Found, Load, System};
use machine::Machine;
use names::Names;
use payload::Payloads;
use plan::Plan;
use repeated::AllRuns;
use report::BenchServer;
use screen::Screen;

/// Descriptors that are needed beside those of the connections.
const OTHER_DESCRIPTORS: u64 = 40;

/// What a connection takes, about, in bytes.
const CONNECTION_BYTES: u64 = 24 * 1024;

/// Runs `mqttws bench`.
// Not part of the caller, whose frame would hold what this one needs.
#[inline(never)]
pub fn run(config: Config) -> Result<Exit> {
    if !config.runs.merge.is_empty() {
        return repeated::merge(&config);
    }
    let Config { client: options, remote, load, report, runs, verbosity } = config;
    ensure!(
        options.route.proxies.towards(&options.endpoint).is_none(),
        Usage::new("bench measures a server, and no proxy on the way to it: give --no-proxy '*'")
    );
    ensure!(options.session.will.is_none(), Usage::new("--will-topic: bench has no wills yet"));
    let run = runs.run.unwrap_or_else(|| run_number(load.seed));
    let names = Names { run, part: runs.part, whole: runs.whole, plan: load.plan };
    let topics = names.topics(&load.topic)?;
    if load.action == BenchAction::Print {
        return print_plan(&load, &topics);
    }
    check_limits(&load.plan)?;
    check_files(&report)?;
    let baseline = repeated::baseline(&report)?;
    check_start(runs.start_at)?;
    let machine = Machine::look();
    let (mut first, established) = super::connect(options, None)?;
    let fleet = FleetOptions::like(&mut first, &established)
        .with_context(|| first.at_server("connecting to"))?;
    let place = check_place(&fleet.target, remote)?;
    let server = server(&first, &established, place);
    first.close();
    // It has shown how to connect; how it ends does not matter.
    let _ = super::await_closed(&mut first, None, |_| {});
    let (part, start) = (runs.part, rfc_3339());
    let mut surroundings = Surroundings { run, part, start, server, machine, baseline };
    let task = LoadTask { fleet, load: &load, report: &report, runs: &runs, verbosity };
    let all = task.run_all(names, &surroundings)?;
    // Until here a second signal would have ended the process by the handlers of the first client.
    drop(first);
    surroundings.server.receive_maximum = all.found.results.connections.receive_maximum;
    finish(&load, &report, &surroundings, &all)
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

/// The number of a run; the same seed gives the same.
fn run_number(seed: u64) -> u32 {
    fastrand::Rng::with_seed(seed).u32(..)
}

fn rfc_3339() -> String {
    let mut start = bytes::BytesMut::new();
    stdio::local_time().rfc_3339(&mut start);
    String::from_utf8_lossy(&start).into_owned()
}

/// Memory for all connections and pairs, in bytes.
fn memory_needed(plan: &Plan) -> u64 {
    let pairs = plan.pairs() as u64 * size_of::<verify::Pair>() as u64;
    plan.connections() as u64 * CONNECTION_BYTES + pairs
}

fn descriptors_needed(plan: &Plan) -> u64 {
    plan.connections() as u64 + OTHER_DESCRIPTORS
}

/// Prints what would be done (`--dry-run`).
fn print_plan(load: &LoadPlan, topics: &[TopicName]) -> Result<Exit> {
    let plan = &load.plan;
    let number = |number: usize| words::thousands(number as u64);
    let mut lines = vec![
        format!(
            "connections  {}: {} publish, {} subscribe, {} idle",
            number(plan.connections()),
            number(plan.publishers),
            number(plan.subscribers),
            number(plan.idle)
        ),
        format!("topics       {}", number(topics.len())),
    ];
    lines.extend(topics.first().map(|topic| format!("first topic  {}", topic.as_str())));
    lines.push(format!("streams      {}", number(plan.streams())));
    lines.push(format!("pairs        {} of a reader and a stream", number(plan.pairs())));
    lines.push(format!("memory       about {}", words::memory(memory_needed(plan))));
    lines.push(format!("descriptors  {}", words::thousands(descriptors_needed(plan))));
    lines.push(format!("ports        {}", number(plan.connections())));
    super::print(&lines.join("\n")).map(|_| Exit::Done)
}

/// Refuses what this machine cannot do.
fn check_limits(plan: &Plan) -> Result<()> {
    let (wanted, connections) = (descriptors_needed(plan), plan.connections() as u64);
    let need = |number| words::thousands(number);
    if let Err(limit) = machine::raise_descriptors(wanted) {
        let limit = limit.map_or_else(|| "unknown".to_owned(), words::thousands);
        anyhow::bail!(
            "{} connections need {} file descriptors, the hard limit is {limit}: ulimit -Hn, \
             LimitNOFILE=",
            need(connections),
            need(wanted)
        );
    }
    if let Some(ports) = machine::local_ports().filter(|ports| *ports < connections) {
        anyhow::bail!(
            "{} connections need as many local ports, one address has {} to one server \
             (ip_local_port_range): use more servers or machines",
            need(connections),
            need(ports)
        );
    }
    let memory = memory_needed(plan);
    if let Some(all) = machine::memory_of_machine().filter(|all| memory > all / 4) {
        anyhow::bail!(
            "the plan needs about {}, over a quarter of the memory ({}): take fewer connections, \
             or topics",
            words::memory(memory),
            words::memory(all)
        );
    }
    Ok(())
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
    let FleetTarget::Tcp(address, _) = target else { return Ok(ServerPlace::Here) };
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

fn server(client: &Client, established: &Established, place: ServerPlace) -> BenchServer {
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
    fleet: FleetOptions,
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
        let Self { load, report, .. } = *self;
        let mut fleet = Fleet::new(self.fleet.clone()).context("starting the load")?;
        for id in 0..load.plan.connections() {
            fleet.add(names.client_id(id));
        }
        let mut random = fastrand::Rng::with_seed(load.seed);
        // Both at once: other processes of this machine have the same clock.
        let now = Instant::now();
        let clock = RunClock::new(now, machine::monotonic());
        let start_at = self.runs.start_at.map(|at| at.saturating_sub(machine::since_1970()));
        let context = Context {
            load: load.clone(),
            topics: names.topics(&load.topic)?,
            payloads: Payloads::new(names.payloads(), machine::clock_identity(), move || {
                random.u64(..)
            }),
            clock,
            now: Instant::now,
            window: load::Window::default(),
            readers: Vec::new(),
            step: 0,
            start_at: start_at.map(|wait| now + wait),
        };
        let system = System { cpu: machine::thread_cpu, machine: machine::machine_cpu };
        let mut screen = Screen::new(load, report, surroundings, self.verbosity, now);
        let mut load = Load::new(context, system, &mut screen, now);
        fleet.run(&mut load).context("waiting for the connections")?;
        let mut found = load.into_found();
        screen.finish();
        let generator = &mut found.results.generator;
        (_, generator.rss) = machine::memory();
        generator.rss_before = rss_before;
        Ok(found)
    }
}
