//! `bench`: a load of many connections, and what the server makes of it.

mod clock;
pub mod conditions;
pub mod config;
mod ending;
mod judge;
mod load;
mod machine;
mod measure;
pub mod payload;
pub mod plan;
mod report;
mod results;
pub mod schedule;
mod screen;
pub mod steps;
mod verify;
mod words;

use std::fmt::Write as _;
use std::net::{IpAddr, UdpSocket};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use bytestring::ByteString;

use crate::client::fleet::{Fleet, FleetOptions, FleetTarget};
use crate::client::{Client, Established};
use crate::exit::{Exit, Usage};
use crate::mqtt::topic::TopicName;
use crate::report::Verbosity;
use crate::stdio;

use clock::RunClock;
use config::{BenchAction, Config, LoadPlan, RemoteLoad, ReportPlan};
use ending::{Surroundings, beside, finish};
use judge::ServerPlace;
use load::{Context, Found, Load, System};
use machine::Machine;
use payload::Payloads;
use plan::{Plan, Role};
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
    let fleet = FleetOptions::like(&mut first, &established)
        .with_context(|| first.at_server("connecting to"))?;
    let place = check_place(&fleet.target, remote)?;
    let server = server(&first, &established, place);
    first.close();
    // It has shown how to connect; how it ends does not matter.
    let _ = super::await_closed(&mut first, None, |_| {});
    let mut surroundings = Surroundings { run, start: rfc_3339(), server, machine };
    let found = run_load(fleet, &load, topics, &report, &surroundings, verbosity)?;
    // Until here a second signal would have ended the process by the handlers of the first client.
    drop(first);
    surroundings.server.receive_maximum = found.results.connections.receive_maximum;
    finish(&load, &report, &surroundings, &found)
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
    report: &ReportPlan,
    surroundings: &Surroundings,
    verbosity: Verbosity,
) -> Result<Found> {
    let (rss_before, _) = machine::memory();
    let run = surroundings.run;
    let mut fleet = Fleet::new(options).context("starting the load")?;
    for id in 0..load.plan.connections() {
        fleet.add(client_id(&load.plan, run, id));
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
        step: 0,
    };
    let system = System { cpu: machine::thread_cpu, machine: machine::machine_cpu };
    let mut screen = Screen::new(load, report, surroundings, verbosity, now);
    let mut load = Load::new(context, system, &mut screen, now);
    fleet.run(&mut load).context("waiting for the connections")?;
    let mut found = load.into_found();
    screen.finish();
    let generator = &mut found.results.generator;
    (_, generator.rss) = machine::memory();
    generator.rss_before = rss_before;
    Ok(found)
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
