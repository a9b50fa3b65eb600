//! `bench`: a load of many connections, and what the server makes of it.

mod clock;
pub mod conditions;
pub mod config;
pub mod disturbances;
mod joining;
mod judge;
mod limits;
mod load;
mod machine;
mod measure;
mod names;
pub mod payload;
pub mod plan;
mod report;
mod results;
pub mod schedule;
pub mod verify;
mod words;

use std::net::{IpAddr, UdpSocket};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use crate::client::fleet::{Cause, Fleet, FleetOptions, FleetServer, FleetTarget};
use crate::client::{self, Client, Established};
use crate::exit::{Exit, Usage};
use crate::mqtt::qos::QoS;
use crate::mqtt::topic::TopicName;
use crate::report::Verbosity;
use crate::stdio::{self, replace::replace};
use crate::terminal::load_line::LoadLine;

use clock::RunClock;
use conditions::ConditionOutcome;
use config::{
    BenchAction, BenchForm, Config, FleetPlan, LoadPace, LoadPlan, RemoteLoad, ReportPlan,
    SessionKeeping,
};
use judge::{Circumstances, RunJudgement, ServerPlace, judge};
use limits::{Ends, check_limits, print_plan};
use load::{Context, Load, RunDisplay, System, commonest};
use machine::Machine;
use names::topics;
use payload::Payloads;
use report::{BenchReport, BenchServer, hgrm, json, promised, text};
use results::{LoadEnding, Results};

/// Runs `mqttws bench`.
// Not part of the caller, whose frame would hold what this one needs.
#[inline(never)]
pub fn run(config: Config) -> Result<Exit> {
    let Config { clients, fleet, remote, load, report, verbosity } = config;
    clients.iter().try_for_each(check_client)?;
    fleet.check(load.plan.connections())?;
    let run = run_number(load.seed);
    let topics = topics(&load, run)?;
    let ends = Ends { local: fleet.local.len() as u64, servers: clients.len() as u64 };
    if load.action == BenchAction::Print {
        return print_plan(&load, &topics, ends);
    }
    check_limits(&load, ends)?;
    check_files(&report)?;
    let machine = Machine::look();
    let mut explored = Explored::default();
    for mut options in clients {
        let login = options.session.login.credentials.clone();
        fleet.identify(&mut options.session, &load.plan, run, 0);
        explored.add(options, &fleet, remote)?.log_in_with(login);
    }
    if let SessionKeeping::Kept(expiry) = load.sessions {
        explored.servers.iter_mut().for_each(|server| server.keep_sessions(expiry));
    }
    let server = explored.server()?;
    let start = rfc_3339();
    let options = FleetOptions { servers: explored.servers, local: fleet.local.clone() };
    let results = run_load(options, &fleet, &load, topics, run, verbosity)?;
    // Until here a second signal would have ended the process by the handlers of the first client.
    drop(explored.clients);
    let receive_maximum = results.connections.receive_maximum;
    let server = BenchServer { receive_maximum, ..server };
    let surroundings = Surroundings { run, start, server, machine };
    finish(&load, &report, &surroundings, &results)
}

/// Refuses what a client may do and bench does not.
fn check_client(options: &client::Options) -> Result<()> {
    ensure!(
        options.route.proxies.towards(&options.endpoint).is_none(),
        Usage::new("bench measures a server, and no proxy on the way to it: give --no-proxy '*'")
    );
    ensure!(options.session.will.is_none(), Usage::new("--will-topic: bench has no wills yet"));
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

/// Runs the load.
fn run_load(
    options: FleetOptions,
    plan: &FleetPlan,
    load: &LoadPlan,
    topics: Vec<TopicName>,
    run: u32,
    verbosity: Verbosity,
) -> Result<Results> {
    let (rss_before, _) = machine::memory();
    let mut fleet = Fleet::new(options).context("starting the load")?;
    for id in 0..load.plan.connections() {
        fleet.add(|config| plan.identify(config, &load.plan, run, id));
    }
    let mut random = fastrand::Rng::with_seed(load.seed);
    // Both at once: other processes of this machine have the same clock.
    let now = Instant::now();
    let clock = RunClock::new(now, machine::monotonic());
    let context = Context {
        load: load.clone(),
        topics,
        payloads: Payloads::new(run, machine::clock_identity(), move || random.u64(..)),
        clock,
        now: Instant::now,
        window: load::Window::default(),
        readers: Vec::new(),
    };
    let system = System { cpu: machine::thread_cpu, machine: machine::machine_cpu };
    let mut screen = Screen::new(verbosity, now);
    let mut load = Load::new(context, system, &mut screen, now);
    fleet.run(&mut load).context("waiting for the connections")?;
    let mut results = load.into_results();
    screen.line.finish();
    (_, results.generator.rss) = machine::memory();
    results.generator.rss_before = rss_before;
    Ok(results)
}

/// What is shown while the load runs.
struct Screen {
    line: LoadLine,
}

impl Screen {
    fn new(verbosity: Verbosity, now: Instant) -> Self {
        let is_shown = verbosity.shows_progress();
        Self { line: if is_shown { LoadLine::new(now) } else { LoadLine::default() } }
    }
}

impl RunDisplay for &mut Screen {
    fn next(&self) -> Option<Instant> {
        self.line.next()
    }

    fn show(&mut self, line: String, now: Instant) {
        self.line.show(line, now);
    }

    fn print(&mut self, results: &Results) {
        let Results { connections, messages, verified, .. } = results;
        crate::report::note(&format!(
            "so far: {} of {} connections, sent {}, received {}, duplicated {}, reordered {}, \
             corrupted {}",
            words::thousands(connections.made),
            words::thousands(connections.wanted),
            words::thousands(messages.sent),
            words::thousands(messages.received),
            words::thousands(verified.duplicated),
            words::thousands(verified.reordered),
            words::thousands(verified.corrupted),
        ));
    }
}

/// Where and when a run was.
struct Surroundings {
    run: u32,
    start: String,
    server: BenchServer,
    machine: Machine,
}

/// Judges, prints and writes the report; the exit of the run.
fn finish(
    load: &LoadPlan,
    plan: &ReportPlan,
    surroundings: &Surroundings,
    results: &Results,
) -> Result<Exit> {
    let Surroundings { run, start, server, machine } = surroundings;
    let judgement = judged(load, plan, server.place, results);
    let is_overloaded = judgement.is_overloaded();
    let qos = promised(load, results);
    let (given, tolerated) = (&plan.conditions, &plan.tolerated);
    let outcomes = conditions::outcomes(given, tolerated, qos, results, is_overloaded);
    let report = BenchReport {
        run: *run,
        start,
        load,
        plan,
        server,
        machine,
        results,
        judgement: &judgement,
        outcomes: &outcomes,
    };
    if let Some(path) = &plan.json {
        write(path, &(json::render(&report) + "\n"))?;
    }
    if let Some(prefix) = &plan.hgrm {
        write_percentiles(prefix, load, results)?;
    }
    // A reader that has seen enough is no failure.
    super::print(&match plan.form {
        BenchForm::Text => text::render(&report),
        BenchForm::Json => json::render(&report),
    })?;
    Ok(exit(load, results, &judgement, &outcomes))
}

#[expect(clippy::cast_precision_loss, reason = "few digits are needed")]
fn judged(
    load: &LoadPlan,
    plan: &ReportPlan,
    place: ServerPlace,
    results: &Results,
) -> RunJudgement {
    let sent = results.messages.sent.max(1) as f64;
    let circumstances = Circumstances {
        pace: load.pace,
        length: load.times.length,
        max_lateness: plan.max_lateness,
        place,
        copies: results.messages.expected as f64 / sent,
    };
    judge(results, &circumstances)
}

fn write(path: &Path, content: &str) -> Result<()> {
    replace(path, |file| file.write_all(content.as_bytes()))
        .with_context(|| format!("writing {}", path.display()))
}

/// `PREFIX.NAME.hgrm`
fn beside(prefix: &Path, name: &str) -> std::path::PathBuf {
    let mut path = prefix.as_os_str().to_owned();
    path.push(format!(".{name}.hgrm"));
    path.into()
}

fn write_percentiles(prefix: &Path, load: &LoadPlan, results: &Results) -> Result<()> {
    let latencies = &results.latencies;
    let mut all = vec![("connect", &results.connections.times.whole)];
    if load.plan.publishers > 0 && load.plan.subscribers > 0 {
        all.push(("delivery", &latencies.delivery));
    }
    if load.messages.qos > QoS::AtMostOnce {
        all.push(("ack", &latencies.acknowledgement));
    }
    if let LoadPace::Open(_) = load.pace {
        all.push(("lateness", &latencies.lateness));
    }
    for (name, times) in all {
        write(&beside(prefix, name), &hgrm::render(times))?;
    }
    Ok(())
}

fn exit(
    load: &LoadPlan,
    results: &Results,
    judgement: &RunJudgement,
    outcomes: &[ConditionOutcome],
) -> Exit {
    if let LoadEnding::Interrupted(signal, _) = results.ending {
        return Exit::Signal(signal.into());
    }
    let connections = &results.connections;
    if connections.made == 0
        && let Some(cause) = commonest(&connections.failed)
    {
        return cause.into();
    }
    let is_denied = connections.failed.keys().any(|cause| matches!(cause, Cause::Suback(_)));
    if load.plan.subscribers > 0 && connections.times.suback.count() == 0 && is_denied {
        return Exit::Denied;
    }
    let has_failed =
        outcomes.iter().any(|outcome| outcome.verdict == conditions::ConditionVerdict::Failed);
    if has_failed || !judgement.is_valid() { Exit::Local } else { Exit::Done }
}
