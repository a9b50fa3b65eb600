//! `mqttws-bench brokers`: `mqttws serve` beside mosquitto under load, in one run: memory of idle
//! clients, throughput, fan-out, and readers that do not read.

mod beside;
mod entrant;
mod fleet;

use std::ops::Range;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::Failure;
use beside::{Beside, Kind};
pub use entrant::Entrant;
use fleet::{Fleet, Plan, Reading, Role};

/// What is done with a broker.
#[derive(Debug, Clone, Copy)]
enum Load {
    /// So many clients connect, subscribe, and say nothing: KiB for each.
    Idle(usize),
    /// The same clients: CPU in percent while nothing happens.
    IdleCpu(usize),
    /// One message to so many subscribers: milliseconds until all have it.
    FanOut(usize),
    /// Publishers, subscribers, QoS, messages in all: messages a second that arrive.
    Stream(usize, usize, u8, u64),
    /// One publisher and one subscriber beside so many that do not read, QoS, messages before that
    /// are not measured, and what is measured: messages a second that arrive.
    Stalled(usize, u8, u64, Extent),
    /// The same beside those that do not read, as a part of the rate without them.
    Beside(Beside),
}

/// How much is published.
#[derive(Debug, Clone, Copy)]
pub enum Extent {
    /// So many messages.
    Messages(u64),
    /// As many as go in so long.
    Time(Duration),
}

/// A row of the table.
struct Case {
    name: String,
    unit: &'static str,
    load: Load,
    /// So many times.
    repeat: usize,
}

fn cases() -> Vec<Case> {
    let case = |name: &str, unit, load, repeat| Case { name: name.to_owned(), unit, load, repeat };
    let mut cases = vec![
        case("idle-1000", "KiB each", Load::Idle(1000), 1),
        case("idle-10000", "KiB each", Load::Idle(10_000), 1),
        case("idle-cpu-1000", "% CPU", Load::IdleCpu(1000), 1),
        case("fan-out-1000", "ms", Load::FanOut(1000), 3),
        case("fan-out-10000", "ms", Load::FanOut(10_000), 3),
    ];
    for (qos, count) in [(0, 1_000_000), (1, 200_000), (2, 100_000)] {
        let stream = |from, to, count| Load::Stream(from, to, qos, count);
        cases.push(case(&format!("1-to-1-q{qos}"), "msg/s", stream(1, 1, count), 3));
        cases.push(case(&format!("1-to-100-q{qos}"), "msg/s", stream(1, 100, count / 50), 3));
        cases.push(case(&format!("100-to-1-q{qos}"), "msg/s", stream(100, 1, count), 3));
    }
    // With the queues of those that do not read empty at first, and full; beside the same alone.
    let seconds = Extent::Time(Duration::from_secs(3));
    for (deaf, qos, before, extent) in [
        (0, 0, 0, seconds),
        (20, 0, 0, seconds),
        (0, 0, 2_000_000, Extent::Messages(1_000_000)),
        (20, 0, 2_000_000, Extent::Messages(1_000_000)),
        (1000, 0, 2_000_000, Extent::Messages(1_000_000)),
        (0, 1, 0, seconds),
        (20, 1, 0, seconds),
        (20, 1, 200_000, Extent::Messages(200_000)),
        (0, 2, 0, seconds),
        (20, 2, 0, seconds),
        (20, 2, 150_000, Extent::Messages(100_000)),
    ] {
        let quality = if qos == 0 { String::new() } else { format!("-q{qos}") };
        let state = if before == 0 { "" } else { "-full" };
        let name = format!("stalled-{deaf}{state}{quality}");
        cases.push(case(&name, "msg/s", Load::Stalled(deaf, qos, before, extent), 3));
    }
    cases.extend(cases_beside());
    cases
}

/// What those cost the others that do not read.
fn cases_beside() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name: &str, beside: Beside| {
        let name = format!("beside-{}-{name}", beside.count);
        cases.push(Case { name, unit: "of alone", load: Load::Beside(beside), repeat: 1 });
    };
    for (qos, first) in [(0, 1_000_000), (1, 500_000), (2, 250_000)] {
        let first = Extent::Messages(first);
        let long = Extent::Time(Duration::from_secs(3));
        for (count, kind, kind_name) in [
            (20, Kind::Alike, ""),
            (200, Kind::Alike, ""),
            (20, Kind::Mixed, "-mixed"),
            (200, Kind::Mixed, "-mixed"),
            (20, Kind::Persistent, "-kept"),
            (20, Kind::Shared, "-shared"),
            (20, Kind::Stopping, "-stopping"),
            (20, Kind::Slow, "-slow"),
        ] {
            let beside = Beside { count, kind, qos, extent: first, topics: 1 };
            add(&format!("q{qos}{kind_name}-first"), beside);
            add(&format!("q{qos}{kind_name}"), Beside { extent: long, ..beside });
        }
        let beside = Beside { count: 20, kind: Kind::Mixed, qos, extent: first, topics: 10 };
        add(&format!("q{qos}-topics-first"), beside);
        add(&format!("q{qos}-topics"), Beside { extent: long, ..beside });
    }
    cases
}

/// Runs the cases: `brokers NAME=PROGRAM... [mosquitto] [case=NAME]...`.
pub fn run(arguments: &[String]) -> Result<(), Failure> {
    let (mut programs, mut wanted) = (Vec::new(), Vec::new());
    for argument in arguments {
        match argument.split_once('=') {
            Some(("case", name)) => wanted.push(name.to_owned()),
            Some((name, program)) => programs.push((name.to_owned(), Some(program.to_owned()))),
            None if argument == "mosquitto" => programs.push(("mosquitto".to_owned(), None)),
            None => return Err(format!("brokers: unknown argument {argument}").into()),
        }
    }
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    let mut too_low = Vec::new();
    for case in cases() {
        if !wanted.is_empty() && !wanted.iter().any(|name| case.name.starts_with(name.as_str())) {
            continue;
        }
        if let Load::Beside(beside) = case.load {
            let mut line = format!("{:<32}", case.name);
            for (name, program) in programs.iter().filter(|(_, program)| program.is_some()) {
                let comparison = beside.measure(|| start(program.as_deref()))?;
                line.push_str(&format!("  {name} {}", comparison.describe()));
                if comparison.is_too_low() && name == "serve" {
                    too_low.push(case.name.clone());
                }
            }
            println!("{line}");
            continue;
        }
        let mut results: Vec<Vec<f64>> = vec![Vec::new(); programs.len()];
        for _ in 0..case.repeat {
            for ((name, program), results) in programs.iter().zip(&mut results) {
                match start(program.as_deref()).and_then(|broker| measure(&broker, case.load)) {
                    Ok(value) => results.push(value),
                    Err(error) => eprintln!("{} {name}: {error}", case.name),
                }
            }
        }
        println!("{}", row(&case, &programs, &results));
    }
    match &too_low[..] {
        [] => Ok(()),
        names => Err(format!("clients that do not read cost others something: {}", names.join(", ")).into()),
    }
}

fn start(program: Option<&str>) -> Result<Entrant, Failure> {
    match program {
        Some(program) => Entrant::serve(program),
        None => {
            let folder = std::env::temp_dir().join(format!("mqttws-bench-{}", std::process::id()));
            std::fs::create_dir_all(&folder)?;
            Entrant::mosquitto(&folder.display().to_string())
        }
    }
}

/// The medians of one case, and how each compares with the last.
fn row(case: &Case, programs: &[(String, Option<String>)], results: &[Vec<f64>]) -> String {
    let medians: Vec<f64> = results.iter().map(|values| median(values)).collect();
    let last = medians.last().copied().unwrap_or(f64::NAN);
    let mut text = format!("{:<16} {:<9}", case.name, case.unit);
    for ((name, _), value) in programs.iter().zip(&medians) {
        text.push_str(&format!("  {name} {value:.1} ({:.2})", value / last));
    }
    text
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[expect(clippy::cast_precision_loss, reason = "nobody counts to 2^52")]
fn float(number: u64) -> f64 {
    number as f64
}

fn measure(broker: &Entrant, load: Load) -> Result<f64, Failure> {
    let mut fleet = Fleet::new(broker.port())?;
    match load {
        Load::Beside(_) => Err("it has brokers of its own".into()),
        Load::Idle(count) => {
            let before = broker.memory()?;
            fleet.connect(count, &subscriber("topic/of/nobody", 0))?;
            Ok((broker.memory()? - before) / float(count as u64))
        }
        Load::IdleCpu(count) => {
            fleet.connect(count, &subscriber("topic/of/nobody", 0))?;
            let before = broker.cpu()?;
            std::thread::sleep(Duration::from_secs(3));
            Ok((broker.cpu()? - before) / 3.0 * 100.0)
        }
        Load::FanOut(count) => fan_out(&mut fleet, count),
        Load::Stream(from, to, qos, count) => stream(&mut fleet, from, to, qos, count),
        Load::Stalled(deaf, qos, before, extent) => {
            let role = Role { reading: Reading::Nothing, ..subscriber("t", qos) };
            fleet.connect(deaf, &role)?;
            fleet.connect(1, &subscriber("t", qos))?;
            let publisher = fleet.connect(1, &Role::default())?;
            publish(&mut fleet, publisher..publisher + 1, 1, qos, before)?;
            match extent {
                Extent::Messages(count) => {
                    publish(&mut fleet, publisher..publisher + 1, 1, qos, count)
                }
                Extent::Time(time) => publish_for(&mut fleet, publisher, qos, time),
            }
        }
    }
}

fn subscriber(filter: &str, qos: u8) -> Role {
    Role { filter: Some(filter.to_owned()), qos, ..Role::default() }
}

/// The median over twenty messages, without the first.
fn fan_out(fleet: &mut Fleet, count: usize) -> Result<f64, Failure> {
    fleet.connect(count, &subscriber("t", 0))?;
    let publisher = fleet.connect(1, &Role::default())?;
    let mut times = Vec::new();
    for _ in 0..=20 {
        let wanted = fleet.seen.messages + count as u64;
        let begin = Instant::now();
        fleet.publish(publisher, Plan { topic: "t".to_owned(), topics: 1, qos: 0, size: 64, count: 1 })?;
        fleet.run(|seen| seen.messages >= wanted)?;
        times.push(begin.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(median(&times[1..]))
}

/// Messages a second that arrive, all subscribers together.
fn stream(fleet: &mut Fleet, from: usize, to: usize, qos: u8, count: u64) -> Result<f64, Failure> {
    fleet.connect(to, &subscriber("t", qos))?;
    let first = fleet.connect(from, &Role::default())?;
    publish(fleet, first..first + from, to, qos, count)
}

/// As many messages of one publisher as go in this time: messages a second that arrive.
fn publish_for(
    fleet: &mut Fleet,
    publisher: usize,
    qos: u8,
    time: Duration,
) -> Result<f64, Failure> {
    publish_mixed(fleet, publisher, qos, 1, Extent::Time(time))
}

/// Messages of one publisher, in so many topics in turn, to one subscriber that gets all of them:
/// messages a second that arrive.
fn publish_mixed(
    fleet: &mut Fleet,
    publisher: usize,
    qos: u8,
    topics: u64,
    extent: Extent,
) -> Result<f64, Failure> {
    let before = fleet.seen.messages;
    let begin = Instant::now();
    let count = if let Extent::Messages(count) = extent { count } else { u64::MAX };
    let plan = Plan { topic: "t".to_owned(), topics, qos, size: 64, count };
    fleet.publish(publisher, plan)?;
    match extent {
        Extent::Messages(count) => fleet.run(|seen| seen.messages - before >= count)?,
        Extent::Time(time) => fleet.run(|_| begin.elapsed() >= time)?,
    }
    let rate = float(fleet.seen.messages - before) / begin.elapsed().as_secs_f64();
    // What is under way is not of what follows.
    fleet.publish(publisher, Plan::default())?;
    Ok(rate)
}

/// So many messages of these publishers to so many subscribers: messages a second that arrive.
fn publish(
    fleet: &mut Fleet,
    publishers: Range<usize>,
    to: usize,
    qos: u8,
    count: u64,
) -> Result<f64, Failure> {
    let from = publishers.len() as u64;
    let each = count / from;
    let wanted = each * from * to as u64;
    let acknowledged = if qos > 0 { each * from } else { 0 };
    let before = fleet.seen;
    let begin = Instant::now();
    for publisher in publishers {
        fleet.publish(publisher, Plan { topic: "t".to_owned(), topics: 1, qos, size: 64, count: each })?;
    }
    fleet.run(|seen| {
        seen.messages - before.messages >= wanted
            && seen.acknowledged - before.acknowledged >= acknowledged
    })?;
    Ok(float(wanted) / begin.elapsed().as_secs_f64())
}
