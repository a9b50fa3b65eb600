//! What set the limit: the generator, the machine or the server; and whether the run proves
//! anything.

mod lateness;
mod limit;
mod overload;

use super::config::{LoadPace, MaxLateness, WindowLength};
use super::course::SteppedRate;
use super::measure::{LatencyTimes, Quantile};
use super::results::Results;
use super::words;
pub use limit::LoadLimit;
pub use overload::Overload;

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
    /// What was to be measured.
    pub subject: LoadSubject,
    /// How it was sent.
    pub pace: LoadPace,
    /// How long it was to be sent.
    pub length: WindowLength,
    /// How late the generator may be.
    pub max_lateness: MaxLateness,
    /// Where the server is.
    pub place: ServerPlace,
    /// Copies of each message, about.
    pub copies: f64,
    /// Which rate grew from step to step, if there were steps.
    pub stepped: Option<SteppedRate>,
}

impl Circumstances {
    /// Whether it was a step of connecting.
    fn is_of_connecting(&self) -> bool {
        self.stepped == Some(SteppedRate::Connecting)
    }

    /// Whether there were times that do not depend on the server.
    fn is_open(&self) -> bool {
        matches!(self.pace, LoadPace::Open(_)) || self.is_of_connecting()
    }
}

/// What a run is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadSubject {
    /// Messages.
    Messages,
    /// Connections alone (`--connect`).
    Connections,
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

/// What helps a generator that has too much to do.
const ADVICE_OF_CONNECTING: &str = ". Offer less, or add --loops";

/// The same where messages are sent.
const ADVICE: &str = ". Lower --rate, add --loops, or use more machines (--part)";

/// Judges a run.
pub fn judge(results: &Results, about: &Circumstances) -> RunJudgement {
    let mut invalid = Vec::new();
    invalid.extend(local_limit(results));
    invalid.extend(too_late(results));
    if about.is_open() {
        invalid.extend(lateness::stood_still(results, about));
        let mut weak: Vec<String> = lateness::late(results, about).into_iter().collect();
        let cpu = results.generator.cpu;
        if cpu >= BUSY && results.messages.unsent + results.making.not_begun > 0 {
            weak.push(format!("{}, and not all was sent", lateness::busiest(results)));
        }
        if let Some(last) = weak.last_mut() {
            let is_sent = !about.is_of_connecting();
            last.push_str(if is_sent { ADVICE } else { ADVICE_OF_CONNECTING });
        }
        invalid.extend(weak);
    } else if about.subject == LoadSubject::Connections {
        invalid.extend(lateness::stood_still(results, about));
        invalid.extend(lateness::begun_late(results, about));
    }
    conclude(results, about, &invalid)
}

/// What a run proves of which it is known why it proves nothing.
pub fn conclude(results: &Results, about: &Circumstances, invalid: &[String]) -> RunJudgement {
    let overload = overload::overload(results, about);
    let limit = limit::limit(results, about, invalid, overload.is_some());
    let invalid = invalid.to_owned();
    RunJudgement { limit, invalid, overload, steadiness: steadiness(results) }
}

fn local_limit(results: &Results) -> Option<String> {
    let connections = &results.connections;
    let causes = connections.failed.iter().chain(&connections.disconnected);
    let (cause, count) = causes.into_iter().find(|(cause, _)| cause.is_local())?;
    let count = words::thousands(*count);
    Some(format!("a limit of this machine: {count} connections: {}", cause.words()))
}

/// That messages may have been published elsewhere before all subscribers were ready.
fn too_late(results: &Results) -> Option<String> {
    let split = &results.verified.split;
    (split.is_open() && !split.late.is_zero()).then(|| {
        let late = words::seconds(split.late);
        format!("the last subscriber was ready {late} after --start-at: choose a later time")
    })
}

fn p99(times: &LatencyTimes) -> Option<Quantile> {
    times.quantile(0.99)
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::limit::FullKind;
    use super::*;
    use crate::client::fleet::{Cause, ConnectionStage};
    use crate::command::bench::results::Second;
    use crate::command::bench::schedule::{ArrivalPattern, OfferedRate};
    use crate::mqtt::reason::ReasonCode;

    const OPEN: LoadPace =
        LoadPace::Open(OfferedRate { rate: 1000.0, arrival: ArrivalPattern::Even, tick: 0 });

    fn about(pace: LoadPace) -> Circumstances {
        Circumstances {
            subject: LoadSubject::Messages,
            pace,
            length: WindowLength::Time(Duration::from_secs(10)),
            max_lateness: MaxLateness::Usual,
            place: ServerPlace::Here,
            copies: 1.0,
            stepped: None,
        }
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
        let sockets = with(|results| results.generator.blocked = 0.88);
        assert_eq!(sockets, LoadLimit::ServerBlocked(FullKind::Sockets, 88));
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
        assert!(why.contains("lateness p99 1.2 ms, 1.0 ms allowed"), "{why}");
        let never = Circumstances { max_lateness: MaxLateness::Never, ..about(OPEN) };
        assert!(judge(&results, &never).is_valid());
        // A tenth of the latency is allowed.
        results.latencies.delivery.add_many(20_000_000, 10_000);
        assert!(judge(&results, &about(OPEN)).is_valid());
        let seconds = [0, 0, 150_000_000, 0, 120_000_000, 0];
        let second = |late| Second { lateness: Some(late), ..Second::default() };
        results.series = seconds.map(second).to_vec();
        let judgement = judge(&results, &about(OPEN));
        let [why] = &judgement.invalid[..] else { panic!("{judgement:?}") };
        assert!(why.contains("p99 0.15 s, 0.10 s allowed, from 2 s to 5 s; the loop at"), "{why}");
        // There is no lateness in a closed loop.
        assert!(judge(&results, &about(LoadPace::Closed(None))).is_valid());
    }

    #[test]
    fn what_was_not_sent_or_delivered_is_overload() {
        let mut results = good();
        results.messages.unsent = 1;
        assert!(judge(&results, &about(OPEN)).is_overloaded());
        results.messages.unsent = 0;
        results.messages.received = 9899;
        assert!(judge(&results, &about(OPEN)).is_overloaded());
        results.messages.received = 9900;
        assert!(!judge(&results, &about(OPEN)).is_overloaded());
        results.messages.received = 9800;
        results.latencies.thirds[0].add_many(1_000_000, 10);
        results.latencies.thirds[1].add_many(2_001_000_000, 10);
        let judgement = judge(&results, &about(OPEN));
        let growth = judgement.overload.and_then(|overload| overload.growth).unwrap();
        assert!((growth - 3e8).abs() < 1e6, "{growth}");
        assert_eq!(judgement.steadiness, Steadiness::Growing);
    }

    #[test]
    fn what_was_refused_was_offered_and_not_delivered() {
        let refuse = |results: &mut Results, count| {
            results.messages.refused.insert(ReasonCode::QUOTA_EXCEEDED, count);
        };
        let mut results = good();
        // 100 of 10,100 more.
        refuse(&mut results, 100);
        assert!(!judge(&results, &about(OPEN)).is_overloaded());
        refuse(&mut results, 110);
        let judgement = judge(&results, &about(OPEN));
        assert!(judgement.is_overloaded());
        assert_eq!(judgement.limit, LoadLimit::ServerRefusedMessages);
        let closed = judge(&results, &about(LoadPace::Closed(None)));
        assert_eq!(closed.limit, LoadLimit::ServerRefusedMessages);
        // All of them.
        let mut none = Results::default();
        refuse(&mut none, 100);
        assert!(judge(&none, &about(OPEN)).overload.is_some_and(|it| it.delivered == 0.0));
    }

    #[test]
    fn without_readers_what_was_not_acknowledged_was_not_delivered() {
        let writers = Circumstances { copies: 0.0, ..about(OPEN) };
        let mut results = good();
        results.messages.expected = 0;
        results.messages.received = 0;
        assert!(!judge(&results, &writers).is_overloaded());
        results.messages.acknowledged = 9_900;
        results.messages.unacknowledged = 100;
        assert!(!judge(&results, &writers).is_overloaded());
        results.messages.acknowledged = 9_899;
        results.messages.unacknowledged = 101;
        let overload = judge(&results, &writers).overload.unwrap();
        assert!((overload.delivered - 98.99).abs() < 1e-9, "{overload:?}");
    }

    #[test]
    fn a_window_that_ends_with_a_message_ends_before_its_arrival() {
        let mut results = good();
        // 2 ms at 1,000 messages a second.
        results.messages.received = 9898;
        let count = Circumstances { length: WindowLength::Count(10_000), ..about(OPEN) };
        assert!(!judge(&results, &count).is_overloaded());
        results.messages.received = 9896;
        assert!(judge(&results, &count).is_overloaded());
    }

    #[test]
    fn a_server_that_refuses_is_named_whatever_the_machine_does() {
        let mut results = good();
        results.generator.cpu = 0.99;
        results.generator.machine_busy = Some(1.0);
        let cause = Cause::Connack(ReasonCode::QUOTA_EXCEEDED);
        results.connections.failed.insert(cause, 3);
        let limit = |results: &Results| judge(results, &about(OPEN)).limit;
        assert_eq!(limit(&results), LoadLimit::ServerRefused);
        // A server that was silent may have had no core.
        results.connections.failed.clear();
        results.connections.failed.insert(Cause::Timeout(ConnectionStage::Connack), 3);
        assert_eq!(limit(&results), LoadLimit::Generator);
        results.generator.cpu = 0.5;
        assert_eq!(limit(&results), LoadLimit::Machine);
        results.generator.machine_busy = Some(0.5);
        assert_eq!(limit(&results), LoadLimit::ServerRefused);
    }

    #[test]
    fn a_generator_that_stood_still_accuses_itself() {
        let mut results = good();
        results.generator.longest_turn = Some((4, 300_000_000));
        let judgement = judge(&results, &about(OPEN));
        let [why] = &judgement.invalid[..] else { panic!("{judgement:?}") };
        assert!(why.starts_with("the generator stood still for 0.30 s at 4 s"), "{why}");
        let closed = about(LoadPace::Closed(Some(1000)));
        let judgement = judge(&results, &closed);
        assert_eq!((judgement.limit, judgement.is_valid()), (LoadLimit::Generator, true));
        let max_lateness = MaxLateness::Time(Duration::from_secs(1));
        assert!(judge(&results, &Circumstances { max_lateness, ..about(OPEN) }).is_valid());
    }

    #[test]
    fn connections_that_were_begun_late_prove_nothing() {
        let connections =
            Circumstances { subject: LoadSubject::Connections, ..about(LoadPace::Closed(None)) };
        let mut results = Results::default();
        results.connections.times.whole.add_many(5_000_000, 1000);
        results.latencies.lateness.add_many(90_000_000, 1000);
        assert!(judge(&results, &connections).is_valid());
        results.latencies.lateness.add_many(300_000_000, 20);
        let judgement = judge(&results, &connections);
        let [why] = &judgement.invalid[..] else { panic!("{judgement:?}") };
        assert!(why.starts_with("the generator began connections late: p99 0.30 s"), "{why}");
        assert_eq!(judgement.limit, LoadLimit::Generator);
        // A tenth of the time that they took is allowed.
        results.connections.times.whole.add_many(4_000_000_000, 1000);
        assert!(judge(&results, &connections).is_valid());
        results.generator.longest_turn = Some((0, 200_000_000));
        let judgement = judge(&results, &connections);
        assert!(judgement.invalid[0].starts_with("the generator stood still"), "{judgement:?}");
    }

    #[test]
    fn what_was_lost_excuses_no_lateness() {
        let mut results = good();
        results.latencies.delivery.add_never(5000);
        results.latencies.lateness.add_many(30_000_000, 5000);
        assert!(!judge(&results, &about(OPEN)).is_valid());
    }

    #[test]
    fn messages_that_wait_behind_others_show_a_server_at_its_limit() {
        let mut results = good();
        results.generator.window_full = 0.99;
        results.connections.times.connack.add(1_000_000);
        let closed = about(LoadPace::Closed(Some(1000)));
        // Nothing is acknowledged at all.
        let mut silent = results.clone();
        silent.latencies.acknowledgement.add_never(1000);
        let windows = LoadLimit::ServerBlocked(FullKind::Windows, 99);
        assert_eq!(judge(&silent, &closed).limit, windows);
        // As long as the way there and back.
        assert_eq!(judge(&results, &closed).limit, LoadLimit::Unknown);
        results.latencies.acknowledgement.add_many(1_000_000_000, 10_000);
        assert_eq!(judge(&results, &closed).limit, LoadLimit::ServerBlocked(FullKind::Windows, 99));
    }
}
