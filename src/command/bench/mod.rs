//! `bench`: a load of many connections, and what the server makes of it.

mod clock;
pub mod conditions;
pub mod config;
pub mod disturbances;
mod judge;
mod load;
mod machine;
mod measure;
pub mod payload;
pub mod plan;
mod report;
mod results;
pub mod schedule;
mod verify;
mod words;

use std::fmt::Write as _;
use std::net::{IpAddr, UdpSocket};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use bytestring::ByteString;

use crate::client::fleet::{Cause, Fleet, FleetOptions, FleetTarget};
use crate::client::{Client, Established};
use crate::exit::{Exit, Usage};
use crate::mqtt::qos::QoS;
use crate::mqtt::topic::TopicName;
use crate::report::Verbosity;
use crate::stdio::{self, replace::replace};
use crate::terminal::load_line::LoadLine;

use clock::RunClock;
use conditions::ConditionOutcome;
use config::{
    BenchAction, BenchForm, Config, LoadPace, LoadPlan, RemoteLoad, ReportPlan, SessionKeeping,
};
use judge::{Circumstances, RunJudgement, ServerPlace, judge};
use load::{Context, Load, RunDisplay, System, commonest};
use machine::Machine;
use payload::Payloads;
use plan::{Plan, Role};
use report::{BenchReport, BenchServer, hgrm, json, promised, text};
use results::{LoadEnding, Results};

/// Descriptors that are needed beside those of the connections.
const OTHER_DESCRIPTORS: u64 = 40;

/// What a connection takes, about, in bytes.
const CONNECTION_BYTES: u64 = 24 * 1024;

/// Runs `mqttws bench`.
// Not part of the caller, whose frame would hold what this one needs.
#[inline(never)]
pub fn run(config: Config) -> Result<Exit> {
    let Config { client: options, remote, load, report, verbosity } = config;
    ensure!(
        options.route.proxies.towards(&options.endpoint).is_none(),
        Usage::new("bench measures a server, and no proxy on the way to it: give --no-proxy '*'")
    );
    ensure!(options.session.will.is_none(), Usage::new("--will-topic: bench has no wills yet"));
    let run = run_number(load.seed);
    let topics = topics(&load, run)?;
    if load.action == BenchAction::Print {
        return print_plan(&load, &topics);
    }
    check_limits(&load.plan)?;
    check_files(&report)?;
    let machine = Machine::look();
    let (mut first, established) = super::connect(options, None)?;
    let mut fleet = FleetOptions::like(&mut first, &established)
        .with_context(|| first.at_server("connecting to"))?;
    if let SessionKeeping::Kept(expiry) = load.sessions {
        fleet.keep_sessions(expiry);
    }
    let place = check_place(&fleet.target, remote)?;
    let server = server(&first, &established, place);
    first.close();
    // It has shown how to connect; how it ends does not matter.
    let _ = super::await_closed(&mut first, None, |_| {});
    let start = rfc_3339();
    let results = run_load(fleet, &load, topics, run, verbosity)?;
    // Until here a second signal would have ended the process by the handlers of the first client.
    drop(first);
    let receive_maximum = results.connections.receive_maximum;
    let server = BenchServer { receive_maximum, ..server };
    let surroundings = Surroundings { run, start, server, machine };
    finish(&load, &report, &surroundings, &results)
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

/// The topics of a run, from the pattern of `-t`.
fn topics(load: &LoadPlan, run: u32) -> Result<Vec<TopicName>> {
    let plan = &load.plan;
    let mut topics = Vec::with_capacity(plan.topics);
    for number in 0..plan.topics {
        let publisher = if plan.publishers == 0 { 0 } else { number % plan.publishers };
        let name = expanded(&load.topic, run, number, publisher)?;
        let topic = TopicName::new(name.clone())
            .map_err(|error| Usage::new(format!("-t: {name}: {error}")))?;
        topics.push(topic);
    }
    let mut names: Vec<&str> = topics.iter().map(TopicName::as_str).collect();
    names.sort_unstable();
    if let Some(name) = names.windows(2).find_map(same) {
        let why = format!("-t: two of {} topics are {name}: %i is missing", plan.topics);
        return Err(Usage::new(why).into());
    }
    Ok(topics)
}

/// The name that two neighbours share.
fn same<'a>(pair: &[&'a str]) -> Option<&'a str> {
    match pair {
        [one, other] if one == other => Some(one),
        _ => None,
    }
}

fn expanded(pattern: &str, run: u32, topic: usize, connection: usize) -> Result<String> {
    let mut name = String::with_capacity(pattern.len() + 8);
    let mut left = pattern.chars();
    while let Some(c) = left.next() {
        if c != '%' {
            name.push(c);
            continue;
        }
        match left.next() {
            Some('i') => name.push_str(&topic.to_string()),
            Some('c') => name.push_str(&connection.to_string()),
            // Writing to a `String` cannot fail.
            Some('r') => drop(write!(name, "{run:08x}")),
            Some('%') => name.push('%'),
            _ => {
                let why = "-t: expected %i (topic), %c (connection), %r (run) or %% after %";
                return Err(Usage::new(why).into());
            }
        }
    }
    Ok(name)
}

/// The client id of a connection: at most 23 characters.
fn client_id(plan: &Plan, run: u32, id: usize) -> ByteString {
    let (letter, number) = match plan.role(id) {
        Role::Subscriber(number) => ('s', number),
        Role::Publisher(number) => ('p', number),
        Role::Idle(number) => ('c', number),
    };
    format!("b{run:08x}{letter}{number}").into()
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

/// Runs the load.
fn run_load(
    options: FleetOptions,
    load: &LoadPlan,
    topics: Vec<TopicName>,
    run: u32,
    verbosity: Verbosity,
) -> Result<Results> {
    let (rss_before, _) = machine::memory();
    let mut fleet = Fleet::new(options).context("starting the load")?;
    for id in 0..load.plan.connections() {
        fleet.add(|config| config.client_id = client_id(&load.plan, run, id));
    }
    let mut random = fastrand::Rng::with_seed(load.seed);
    let now = Instant::now();
    let context = Context {
        load: load.clone(),
        topics,
        payloads: Payloads::new(run, machine::clock_identity(), move || random.u64(..)),
        clock: RunClock::new(now, machine::monotonic()),
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

#[cfg(test)]
mod tests {
    use super::*;
    use plan::Audience;

    #[test]
    fn topics_follow_the_pattern() {
        assert_eq!(expanded("a/%r/%i/%c/%%", 0x1a, 3, 7).unwrap(), "a/0000001a/3/7/%");
        assert!(expanded("a/%x", 0, 0, 0).is_err() && expanded("a%", 0, 0, 0).is_err());
    }

    #[test]
    fn client_ids_are_short() {
        let plan = Plan {
            publishers: 1_000_000,
            subscribers: 1_000_000,
            idle: 1_000_000,
            topics: 1,
            audience: Audience::Shared,
        };
        let ids = [0, 1_000_000, 2_999_999].map(|id| client_id(&plan, u32::MAX, id));
        assert_eq!(ids[0], "bffffffffs0");
        assert_eq!(ids[1], "bffffffffp0");
        assert!(ids.iter().all(|id| id.len() <= 23));
    }
}
