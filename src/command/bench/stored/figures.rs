//! What was found.

use super::disturbances;
use super::histogram::{causes, times};
use super::plan::qos;
use super::value::StoredMember;
use crate::command::bench::conditions::Measured;
use crate::command::bench::figures::{COMPARED, RunFigures};
use crate::command::bench::payload::Verification;
use crate::command::bench::results::{
    ConnectionResults, ConnectionTimes, GeneratorResults, Latencies, LoadEnding, MakingResults,
    MessageResults, Results, Second, Verified,
};
use crate::mqtt::reason::ReasonCode;

/// How many seconds one entry of the series stands for at most.
const MOST_TOGETHER: usize = 64;

/// How many entries the series has at most.
const MOST_ENTRIES: usize = 3600;

/// All figures.
pub fn results(whole: &StoredMember<'_>) -> Result<Results, String> {
    let connections = whole.get("connections")?;
    let held = connections.read("held", StoredMember::time)?;
    let online = connections.read("online", StoredMember::count)?;
    Ok(Results {
        connections: self::connections(whole)?,
        making: MakingResults::default(),
        messages: messages(&whole.get("messages")?)?,
        verified: verified(whole)?,
        latencies: latencies(whole)?,
        generator: generator(whole)?,
        series: series(&whole.get("series")?)?,
        held: held.zip(online),
        granted: connections.read("granted", qos)?,
        groups: whole.read("groups", disturbances::groups)?,
        disturbances: disturbances::disturbances(whole)?,
        ending: ending(whole)?,
    })
}

fn ending(whole: &StoredMember<'_>) -> Result<LoadEnding, String> {
    let after = whole.read("ended_after", StoredMember::time)?.unwrap_or_default();
    Ok(if whole.get("interrupted")?.truth()? {
        // Which signal it was does not matter any more.
        LoadEnding::Interrupted(0, after)
    } else if whole.get("failed_fast")?.truth()? {
        LoadEnding::FailedFast(after)
    } else {
        LoadEnding::Complete
    })
}

fn connections(whole: &StoredMember<'_>) -> Result<ConnectionResults, String> {
    let (connections, latency) = (whole.get("connections")?, whole.get("latency")?);
    let time = |name: &str| times(&latency, name);
    let first = |first: &StoredMember<'_>| {
        Ok((first.get("connection")?.up_to(1 << 30)?, first.get("after")?.time()?))
    };
    Ok(ConnectionResults {
        wanted: connections.get("wanted")?.count()?,
        made: connections.get("made")?.count()?,
        failed: causes(&connections.get("failed")?)?,
        first_failed: connections.read("first_failed", first)?,
        disconnected: causes(&connections.get("disconnected")?)?,
        reconnected: connections.get("reconnected")?.count()?,
        resumed: connections.get("resumed")?.count()?,
        took: connections.get("took")?.time()?,
        receive_maximum: super::plan::server(whole)?.receive_maximum,
        times: ConnectionTimes {
            whole: time("connect")?,
            tcp: time("tcp")?,
            tls: time("tls")?,
            upgrade: time("upgrade")?,
            connack: time("connack")?,
            suback: time("suback")?,
            pong: time("ping")?,
        },
    })
}

fn messages(messages: &StoredMember<'_>) -> Result<MessageResults, String> {
    let count = |name: &str| messages.get(name)?.count();
    let refused = messages.get("refused_by_code")?;
    let refused = refused.members()?.into_iter().map(|(name, count)| {
        let code = name.strip_prefix("0x").and_then(|code| u8::from_str_radix(code, 16).ok());
        let code = code.ok_or_else(|| count.wrong("a reason code such as 0x97"))?;
        Ok((ReasonCode(code), count.count()?))
    });
    Ok(MessageResults {
        sent: count("sent")?,
        acknowledged: count("acknowledged")?,
        refused: refused.collect::<Result<_, String>>()?,
        unacknowledged: count("unacknowledged")?,
        unsent: count("unsent")?,
        expected: count("expected")?,
        received: count("received")?,
        window: messages.get("window")?.time()?,
        after: messages.get("after")?.time()?,
        backlog: count("backlog")?,
        emptied: count("emptied")?,
    })
}

fn verified(whole: &StoredMember<'_>) -> Result<Verified, String> {
    let verified = whole.get("verified")?;
    let found = |name: &str| verified.read(name, StoredMember::count);
    let split = whole.read("split", super::split::split)?.unwrap_or_default();
    let extent = match found("lost")? {
        Some(_) => Verification::Full,
        None if split.is_open() => super::plan::verification(&whole.get("plan")?)?,
        None => Verification::None,
    };
    let count = |name: &str| Ok::<_, String>(found(name)?.unwrap_or_default());
    Ok(Verified {
        extent,
        copies: count("sent")?,
        lost: count("lost")?,
        duplicated: count("duplicated")?,
        duplicated_with_dup: count("duplicated_with_dup")?,
        reordered: count("reordered")?,
        corrupted: count("corrupted")?,
        missed: count("missed")?,
        foreign: count("foreign")?,
        undecided: count("undecided")?,
        split,
    })
}

fn latencies(whole: &StoredMember<'_>) -> Result<Latencies, String> {
    let latency = whole.get("latency")?;
    Ok(Latencies {
        delivery: times(&latency, "delivery")?,
        acknowledgement: times(&latency, "ack")?,
        lateness: times(&whole.get("generator")?, "lateness")?,
        thirds: [times(&latency, "first_third")?, times(&latency, "last_third")?],
    })
}

fn generator(whole: &StoredMember<'_>) -> Result<GeneratorResults, String> {
    let (generator, machine) = (whole.get("generator")?, whole.get("machine")?);
    let loops = generator.get("loops")?.elements()?;
    let loops: Vec<f64> =
        loops.iter().map(|it| it.get("cpu")?.real()).collect::<Result<_, String>>()?;
    let longest =
        |turn: &StoredMember<'_>| Ok((turn.get("t")?.count()?, turn.get("turn")?.count()?));
    Ok(GeneratorResults {
        cpu: loops.iter().copied().fold(0.0, f64::max),
        loops,
        cpu_connecting: generator.get("cpu_connecting")?.real()?,
        machine_busy: machine.read("busy", StoredMember::real)?,
        steal: machine.read("steal", StoredMember::real)?,
        rss: generator.get("rss")?.count()?,
        rss_before: generator.get("rss_before")?.count()?,
        turn: times(&generator, "turn")?,
        publishers: generator.get("publishers")?.count()?,
        blocked: generator.get("blocked")?.real()?,
        window_full: generator.get("window_full")?.real()?,
        longest_turn: generator.read("longest_turn", longest)?,
    })
}

/// The seconds; an entry that stands for several is the first of them.
fn series(member: &StoredMember<'_>) -> Result<Vec<Second>, String> {
    let entries = member.elements()?;
    let second = |at: usize| entries.get(at).map(|entry| entry.get("t")?.up_to(1 << 20));
    let each = second(1).transpose()?.unwrap_or(1);
    if !(1..=MOST_TOGETHER).contains(&each) || entries.len() > MOST_ENTRIES {
        return Err(member.wrong("at most 3600 entries, of 1 to 64 seconds each"));
    }
    let mut seconds = Vec::with_capacity(entries.len() * each);
    for entry in &entries {
        let p50 = entry.read("p50", StoredMember::count)?;
        let first = Second {
            sent: entry.get("sent")?.count()?,
            received: entry.get("received")?.count()?,
            quantiles: p50.zip(entry.read("p99", StoredMember::count)?),
            missing: entry.get("missing")?.count()?,
            online: entry.get("online")?.count()?,
            lateness: entry.read("lateness_p99", StoredMember::count)?,
            cpu: entry.get("cpu")?.real()?,
        };
        seconds.push(first);
        let Second { missing, online, cpu, .. } = first;
        let rest = Second { missing, online, cpu, ..Second::default() };
        seconds.resize(seconds.len() + each - 1, rest);
    }
    Ok(seconds)
}

/// The figures of one run.
pub fn run(member: &StoredMember<'_>) -> Result<RunFigures, String> {
    let value = |name: &&str| match member.maybe(name)? {
        None => Ok(Measured::Nothing),
        Some(value) if value.text().is_ok_and(|text| text == "never") => Ok(Measured::Never),
        Some(value) => value.real().map(Measured::Number),
    };
    COMPARED.iter().map(value).collect::<Result<Vec<_>, String>>().map(RunFigures)
}
