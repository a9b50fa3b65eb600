//! What set the limit: the generator, the machine or the server; and whether the run proves
//! anything.

use std::time::Duration;

use super::config::{LoadPace, MaxLateness};
use super::measure::{LatencyTimes, Quantile, precise};
use super::results::{Results, rate};
use super::words;

/// What set the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LoadLimit {
    /// Nothing: what was offered was delivered.
    #[default]
    NotReached,
    /// The generator.
    Generator,
    /// The machine, on which the server runs, too.
    Machine,
    /// The server: it refused connections.
    ServerRefused,
    /// The server: it lost messages or connections.
    ServerLost,
    /// The server: it did not take what was sent, for this share of the time, in percent.
    ServerBlocked(u8),
    /// The server: it fell behind.
    ServerBehind,
    /// It cannot be told.
    Unknown,
}

impl LoadLimit {
    /// The word for programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::NotReached => "none",
            Self::Generator => "generator",
            Self::Machine => "machine",
            Self::ServerRefused
            | Self::ServerLost
            | Self::ServerBlocked(_)
            | Self::ServerBehind => "server",
            Self::Unknown => "unknown",
        }
    }
}

/// Less was delivered than was offered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Overload {
    /// How much the p99 has grown from the first to the last third of the window, in nanoseconds a
    /// second, if both are known.
    pub growth: Option<f64>,
    /// How many messages were not sent.
    pub unsent: u64,
}

/// Whether the latency at the end of the window was that of its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Steadiness {
    /// It was.
    #[default]
    Steady,
    /// The p99 of the last third is over twice that of the first.
    Growing,
}

/// What a run proves.
#[derive(Debug, Default)]
pub struct RunJudgement {
    /// What set the limit.
    pub limit: LoadLimit,
    /// Why the run proves nothing; empty if it does.
    pub invalid: Vec<String>,
    /// Whether less was delivered than was offered.
    pub overload: Option<Overload>,
    /// Whether the latency grew.
    pub steadiness: Steadiness,
}

impl RunJudgement {
    /// Whether the run proves something.
    pub fn is_valid(&self) -> bool {
        self.invalid.is_empty()
    }

    /// Whether less was delivered than was offered.
    pub fn is_overloaded(&self) -> bool {
        self.overload.is_some()
    }
}

/// What a run was and where.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances {
    /// How it was sent.
    pub pace: LoadPace,
    /// How late the generator may be.
    pub max_lateness: MaxLateness,
    /// Where the server is.
    pub place: ServerPlace,
    /// Copies of each message, about.
    pub copies: f64,
}

/// Where the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerPlace {
    /// On this machine.
    Here,
    /// On another.
    Elsewhere,
}

/// A loop that takes so much of a core can do no more.
const BUSY: f64 = 0.95;

/// A loop that takes so much of a core sets the limit.
const RATHER_BUSY: f64 = 0.90;

/// A p99 of lateness in one second above which the run proves nothing, in nanoseconds.
const LATE_SECOND: u64 = 100_000_000;

/// Judges a run.
pub fn judge(results: &Results, about: &Circumstances) -> RunJudgement {
    let overload = overload(results, about);
    let mut invalid = Vec::new();
    invalid.extend(local_limit(results));
    if let LoadPace::Open(_) = about.pace {
        invalid.extend(late(results, about));
        let cpu = results.generator.cpu;
        if cpu >= BUSY && results.messages.unsent > 0 {
            let cpu = words::percent(cpu * 100.0);
            invalid.push(format!(
                "the loop of the generator took {cpu} CPU and did not send all: lower --rate, or \
                 use more machines"
            ));
        }
    }
    let limit = limit(results, about, &invalid, overload.is_some());
    RunJudgement { limit, invalid, overload, steadiness: steadiness(results) }
}

fn local_limit(results: &Results) -> Option<String> {
    let connections = &results.connections;
    let causes = connections.failed.iter().chain(&connections.disconnected);
    let (cause, count) = causes.into_iter().find(|(cause, _)| cause.is_local())?;
    let count = words::thousands(*count);
    Some(format!("a limit of this machine: {count} connections: {}", cause.words()))
}

fn p99(times: &LatencyTimes) -> Option<Quantile> {
    times.quantile(0.99)
}

/// How late the generator may be, in nanoseconds.
fn allowed(results: &Results, about: &Circumstances) -> Option<u64> {
    match about.max_lateness {
        MaxLateness::Never => return None,
        MaxLateness::Time(time) => return u64::try_from(time.as_nanos()).ok(),
        MaxLateness::Usual => {}
    }
    let latencies = &results.latencies;
    let latency = p99(&latencies.delivery).or_else(|| p99(&latencies.acknowledgement));
    Some(match latency {
        Some(Quantile::Time(time)) => (time / 10).max(1_000_000),
        Some(Quantile::Never) => u64::MAX,
        None => 1_000_000,
    })
}

fn late(results: &Results, about: &Circumstances) -> Option<String> {
    let allowed = allowed(results, about)?;
    let advice = "lower --rate, or use more machines";
    let Some(Quantile::Time(late)) = p99(&results.latencies.lateness) else { return None };
    let cpu = words::percent(results.generator.cpu * 100.0);
    if late > allowed {
        let when = results.generator.latest_second.map(|(second, _)| second);
        let when = when.map(|second| format!(", worst in second {second}")).unwrap_or_default();
        let allowed = precise(allowed);
        let late = precise(late);
        return Some(format!(
            "the generator was late: lateness p99 {late}, {allowed} allowed{when}; its loop took \
             {cpu} CPU: {advice}"
        ));
    }
    let (second, late) = results.generator.latest_second.filter(|(_, late)| *late > LATE_SECOND)?;
    let late = precise(late);
    Some(format!(
        "the generator was late: lateness p99 {late} in second {second}; its loop took {cpu} CPU: \
         {advice}"
    ))
}

/// The longest latency, in seconds, that what is on its way may explain.
const ON_THE_WAY: f64 = 0.1;

fn overload(results: &Results, about: &Circumstances) -> Option<Overload> {
    let LoadPace::Open(offer) = about.pace else { return None };
    let messages = &results.messages;
    let offered = offer.rate * about.copies;
    let is_behind = messages.expected > 0 && !messages.window.is_zero() && {
        // What was sent last is still on its way when the window ends.
        let median = match results.latencies.delivery.quantile(0.5) {
            Some(Quantile::Time(time)) => Duration::from_nanos(time).as_secs_f64(),
            Some(Quantile::Never) | None => 0.0,
        };
        let slack = offered * median.min(ON_THE_WAY) / messages.window.as_secs_f64() + 1.0;
        rate(messages.received, messages.window) + slack < 0.99 * offered
    };
    if !is_behind && messages.unsent == 0 {
        return None;
    }
    Some(Overload { growth: growth(results), unsent: messages.unsent })
}

#[expect(clippy::cast_precision_loss, reason = "few digits are shown")]
fn growth(results: &Results) -> Option<f64> {
    let [first, last] = &results.latencies.thirds;
    match (p99(first)?, p99(last)?) {
        (Quantile::Time(first), Quantile::Time(last)) => {
            let between = results.messages.window.as_secs_f64() * 2.0 / 3.0;
            (last > first && between > 0.0).then(|| (last - first) as f64 / between)
        }
        _ => None,
    }
}

fn steadiness(results: &Results) -> Steadiness {
    let [first, last] = &results.latencies.thirds;
    match (p99(first), p99(last)) {
        (Some(Quantile::Time(first)), Some(Quantile::Time(last))) if last > first * 2 => {
            Steadiness::Growing
        }
        _ => Steadiness::Steady,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share is at most 100 percent"
)]
fn limit(
    results: &Results,
    about: &Circumstances,
    invalid: &[String],
    is_overloaded: bool,
) -> LoadLimit {
    let Results { connections, generator, verified, .. } = results;
    let blocked = generator.blocked + generator.window_full;
    let is_refused = connections.failures() > 0;
    match about.pace {
        _ if !invalid.is_empty() || generator.cpu >= RATHER_BUSY => LoadLimit::Generator,
        _ if about.place == ServerPlace::Here
            && generator.machine_busy.is_some_and(|b| b >= BUSY) =>
        {
            LoadLimit::Machine
        }
        LoadPace::Open(_) if blocked >= 0.5 => {
            LoadLimit::ServerBlocked((blocked * 100.0).floor().clamp(0.0, 100.0) as u8)
        }
        _ if is_refused => LoadLimit::ServerRefused,
        _ if verified.lost > 0 || connections.losses() > 0 => LoadLimit::ServerLost,
        _ if is_overloaded => LoadLimit::ServerBehind,
        LoadPace::Open(_) => LoadLimit::NotReached,
        LoadPace::Closed(_) if results.messages.sent == 0 => LoadLimit::NotReached,
        LoadPace::Closed(_) => LoadLimit::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::fleet::Cause;
    use crate::command::bench::schedule::{ArrivalPattern, OfferedRate};

    const OPEN: LoadPace =
        LoadPace::Open(OfferedRate { rate: 1000.0, arrival: ArrivalPattern::Even, tick: 0 });

    fn about(pace: LoadPace) -> Circumstances {
        let max_lateness = MaxLateness::Usual;
        Circumstances { pace, max_lateness, place: ServerPlace::Here, copies: 1.0 }
    }

    fn good() -> Results {
        let mut results = Results::default();
        results.messages.window = Duration::from_secs(10);
        results.messages.sent = 10_000;
        results.messages.expected = 10_000;
        results.messages.received = 10_000;
        results.latencies.delivery.add_many(2_000_000, 10_000);
        results.latencies.lateness.add_many(50_000, 10_000);
        results
    }

    #[test]
    fn a_good_run_has_reached_no_limit() {
        let judgement = judge(&good(), &about(OPEN));
        assert_eq!((judgement.limit, judgement.is_valid()), (LoadLimit::NotReached, true));
        assert!(!judgement.is_overloaded());
        let judgement = judge(&good(), &about(LoadPace::Closed(None)));
        assert_eq!(judgement.limit, LoadLimit::Unknown);
    }

    #[test]
    fn each_limit_is_found() {
        let with = |change: fn(&mut Results)| {
            let mut results = good();
            change(&mut results);
            judge(&results, &about(OPEN)).limit
        };
        assert_eq!(with(|results| results.generator.cpu = 0.92), LoadLimit::Generator);
        assert_eq!(with(|results| results.generator.machine_busy = Some(0.97)), LoadLimit::Machine);
        assert_eq!(with(|results| results.generator.blocked = 0.88), LoadLimit::ServerBlocked(88));
        assert_eq!(with(|results| results.verified.lost = 1), LoadLimit::ServerLost);
        assert_eq!(
            with(|results| *results.connections.failed.entry(Cause::TcpRefused).or_default() = 1),
            LoadLimit::ServerRefused
        );
        assert_eq!(with(|results| results.messages.received = 5000), LoadLimit::ServerBehind);
        let ports = |results: &mut Results| {
            results.connections.failed.insert(Cause::LocalPorts, 3);
        };
        assert_eq!(with(ports), LoadLimit::Generator);
    }

    #[test]
    fn a_late_generator_proves_nothing() {
        let mut results = good();
        results.latencies.lateness.add_many(1_200_000, 200);
        let judgement = judge(&results, &about(OPEN));
        let [why] = &judgement.invalid[..] else { panic!("{judgement:?}") };
        assert!(why.contains("lateness p99 1.20 ms, 1.00 ms allowed"), "{why}");
        let never = Circumstances { max_lateness: MaxLateness::Never, ..about(OPEN) };
        assert!(judge(&results, &never).is_valid());
        // A tenth of the latency is allowed.
        results.latencies.delivery.add_many(20_000_000, 10_000);
        assert!(judge(&results, &about(OPEN)).is_valid());
        results.generator.latest_second = Some((3, 150_000_000));
        assert!(!judge(&results, &about(OPEN)).is_valid());
        // There is no lateness in a closed loop.
        assert!(judge(&results, &about(LoadPace::Closed(None))).is_valid());
    }

    #[test]
    fn what_was_not_sent_or_delivered_is_overload() {
        let mut results = good();
        results.messages.unsent = 1;
        assert!(judge(&results, &about(OPEN)).is_overloaded());
        results.messages.unsent = 0;
        results.messages.received = 9800;
        assert!(judge(&results, &about(OPEN)).is_overloaded());
        results.latencies.thirds[0].add_many(1_000_000, 10);
        results.latencies.thirds[1].add_many(2_001_000_000, 10);
        let judgement = judge(&results, &about(OPEN));
        let growth = judgement.overload.and_then(|overload| overload.growth).unwrap();
        assert!((growth - 3e8).abs() < 1e6, "{growth}");
        assert_eq!(judgement.steadiness, Steadiness::Growing);
    }
}
