//! A load in virtual time: it is driven as a fleet drives it, over a server that is a script, by a
//! clock that moves when nothing is left to do.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::server::Server;
use crate::client::fleet::Driver;
use crate::command::bench::clock::RunClock;
use crate::command::bench::config::{
    BenchAction, Comeback, LoadPace, LoadPlan, MaxLateness, MessagePlan, MessageProperties,
    RetainUse, SessionKeeping, TimePlan, WindowLength,
};
use crate::command::bench::course::LoadCourse;
use crate::command::bench::disturbances::Disturbances;
use crate::command::bench::judge::{Circumstances, LoadSubject, RunJudgement, ServerPlace, judge};
use crate::command::bench::load::{
    AfterSecond, Context, Found, Load, LoopTeam, RunDisplay, SecondDetail, SliceOver, System,
    TeamMember, Window,
};
use crate::command::bench::payload::Verification;
use crate::command::bench::payload::{Payloads, Sizes};
use crate::command::bench::plan::{Audience, Plan, WriterPlace};
use crate::command::bench::results::Results;
use crate::command::bench::schedule::{ArrivalPattern, OfferedRate};
use crate::command::bench::step_outcome::StepOutcome;
use crate::command::bench::steps::StepPlan;
use crate::mqtt::qos::QoS;
use crate::mqtt::topic::TopicName;

thread_local! {
    static NOW: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// What time it is.
pub fn now() -> Instant {
    NOW.get().expect("the world has begun")
}

/// The clock shows this time from now on.
pub fn set(time: Instant) {
    NOW.set(Some(time));
}

/// A fleet waits so long at most.
const HEARTBEAT: Duration = Duration::from_millis(50);

/// More turns than that in which the clock stands still are a loop without end.
const MOST_TURNS: u32 = 100_000;

/// An open loop at this rate over 10 s after a warm-up of 2 s: as many publishers as subscribers,
/// in pairs.
pub fn open(rate: f64, pairs: usize, qos: QoS) -> LoadPlan {
    let offer = OfferedRate { rate, arrival: ArrivalPattern::Even, tick: 0 };
    plan(LoadPace::Open(offer), pairs, qos)
}

/// A closed loop with so many messages in flight.
pub fn closed(limit: u64, pairs: usize, qos: QoS) -> LoadPlan {
    plan(LoadPace::Closed(Some(limit)), pairs, qos)
}

fn plan(pace: LoadPace, pairs: usize, qos: QoS) -> LoadPlan {
    LoadPlan {
        plan: Plan {
            publishers: pairs,
            writers: WriterPlace::Here,
            subscribers: pairs,
            idle: 0,
            topics: pairs,
            audience: Audience::Shared,
            groups: None,
        },
        topic: "t/%i".to_owned(),
        filter: None,
        messages: MessagePlan {
            qos,
            sub_qos: qos,
            sizes: Sizes::Fixed(64),
            verification: Verification::Full,
            body: None,
            window: None,
            properties: MessageProperties::default(),
            retain: RetainUse::Nothing,
        },
        pace,
        times: TimePlan {
            length: WindowLength::Time(Duration::from_secs(10)),
            warmup: Duration::from_secs(2),
            drain: Duration::from_secs(5),
            course: LoadCourse::Once,
        },
        connect_rate: None,
        comeback: Comeback::Soon,
        sessions: SessionKeeping::Connection,
        disturbances: Disturbances::default(),
        seed: 1,
        action: BenchAction::Run,
    }
}

/// What was found, and what it proves.
pub struct Outcome {
    pub found: Found,
    pub judgement: RunJudgement,
    pub server: Server,
    /// From the beginning to the end.
    pub took: Duration,
}

impl Outcome {
    pub fn results(&self) -> &Results {
        &self.found.results
    }
}

/// A step holds if all was delivered within this time.
struct StepJudge {
    longest: Duration,
}

impl RunDisplay for StepJudge {
    fn next(&self) -> Option<Instant> {
        None
    }

    fn show(&mut self, _: String, _: Instant) {}

    fn print(&mut self, _: &Results) {}

    fn slice_over(&mut self, _: &SliceOver<'_>) {}

    fn second_over(&mut self, _: &Results) -> AfterSecond {
        AfterSecond::GoOn
    }

    fn step_over(&mut self, plan: StepPlan, load: &LoadPlan, results: &mut Results) -> StepOutcome {
        let judgement = judged(load, results);
        let is_of_connecting = load.times.course.is_of_connecting();
        let delivery = &results.latencies.delivery;
        let times = if is_of_connecting { &results.connections.times.whole } else { delivery };
        let mut because = judgement.invalid.clone();
        because.extend(judgement.overload.map(|_| "overload".to_owned()));
        if is_of_connecting && results.connections.failures() > 0 {
            because.push("failed>0".to_owned());
        }
        let longest = u64::try_from(self.longest.as_nanos()).unwrap();
        if times.quantile_of_arrived(0.99).is_none_or(|p99| p99 > longest) {
            because.push("p99".to_owned());
        }
        let stepped = load.times.course.stepped().unwrap();
        StepOutcome { because, ..StepOutcome::of(plan, stepped, &judgement, results) }
    }
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn judged(load: &LoadPlan, results: &Results) -> RunJudgement {
    let taken = results.messages.sent - results.messages.refusals();
    let copies = results.messages.expected as f64 / taken.max(1) as f64;
    let about = Circumstances {
        subject: match load.plan.publishers {
            0 => LoadSubject::Connections,
            _ => LoadSubject::Messages,
        },
        pace: load.pace,
        length: load.times.length,
        max_lateness: MaxLateness::Usual,
        place: ServerPlace::Here,
        copies,
        stepped: load.times.course.stepped(),
    };
    judge(results, &about)
}

/// Runs a load against a server.
pub fn run(plan: &LoadPlan, server: Server) -> Outcome {
    run_until(plan, server, &[])
}

/// The same; signals come so long after the start, in their order.
pub fn run_until(plan: &LoadPlan, mut server: Server, signals: &[Duration]) -> Outcome {
    let began = Instant::now();
    set(began);
    let mut random = fastrand::Rng::with_seed(1);
    let topics = (0..plan.plan.topics).map(|topic| TopicName::new(format!("t/{topic}")).unwrap());
    let team = LoopTeam::new(1, SecondDetail::Second, 1_000_000_000);
    let context = Context {
        load: plan.clone(),
        topics: topics.collect(),
        interest: None,
        payloads: Payloads::new(1, 7, move || random.u64(..)),
        wills: None,
        clock: RunClock::new(began, 1_000_000_000),
        now,
        window: Window::default(),
        readers: Vec::new(),
        step: 0,
        start_at: None,
        member: TeamMember::new(&Arc::new(team), &plan.plan, 0),
    };
    let system = System { cpu: || Duration::ZERO, machine: || None };
    let display = StepJudge { longest: Duration::from_secs(1) };
    if plan.plan.publishers == 0 {
        server.counts_from(began);
    }
    let mut load = Load::new(context, system, display, began);
    drive(&mut load, &mut server, signals.iter().map(|after| began + *after).collect());
    let found = load.into_found();
    let judgement = judged(plan, &found.results);
    Outcome { found, judgement, server, took: now() - began }
}

/// As `Fleet::run` does it.
fn drive(load: &mut impl Driver, server: &mut Server, mut signals: VecDeque<Instant>) {
    let (mut due, mut turns) = (None, 0);
    loop {
        let began = now();
        let late = due.map_or(Duration::ZERO, |due| began.saturating_duration_since(due));
        while signals.front().is_some_and(|at| *at <= began) {
            signals.pop_front();
            load.interrupted(2, began);
        }
        server.tell(load);
        load.act(server, began);
        server.tell(load);
        if load.is_over() {
            return;
        }
        server.pass_on(load);
        load.rest(now());
        load.note_turn(now() - began + late);
        let times = [load.next_due(), server.next(), signals.front().copied()];
        let next = times.into_iter().flatten().fold(now() + HEARTBEAT, Instant::min).max(now());
        due = Some(next);
        set(next + server.pause(next));
        turns = if now() > began { 0 } else { turns + 1 };
        assert!(turns < MOST_TURNS, "nothing moves any more");
    }
}
