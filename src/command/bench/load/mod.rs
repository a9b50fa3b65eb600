//! The load: connect, subscribe, send, wait for what is missing, close. It is told what happens and
//! what time it is, and tells the fleet what to do.

mod absences;
mod beginning;
mod churn;
mod connecting;
mod context;
mod cut;
mod dialer;
mod disturbing;
mod draining;
mod ending;
mod happenings;
mod holding;
mod leading;
mod making;
mod measuring;
mod pacing;
mod progress;
mod receiving;
mod retained;
mod seconds;
mod sending;
mod splitting;
mod stalling;
mod stalls;
mod stepping;
mod team;
#[cfg(test)]
mod tests;
mod watcher;
mod wills;
mod window;

use std::time::{Duration, Instant};

use super::clock::number;
use super::config::LoadPlan;
use super::plan::Role;
use super::results::Results;
use super::step_outcome::StepOutcome;
use super::steps::StepPlan;
use crate::client::fleet::{Driver, Happening, ManyConnections};
use crate::mqtt::packet::Publish;
use absences::Absences;
use connecting::Connecting;
pub use connecting::commonest;
pub use context::{Context, System};
use ending::ServerRemains;
use receiving::Receiving;
use seconds::Seconds;
use sending::{AcknowledgedSink, LoadSending};
use stepping::LoadSteps;
pub use stepping::{Found, LoopFound};
pub use team::{GatheredSecond, LoopShare, LoopTeam, SecondDetail, TeamMember};
use team::{LoopOrder, OwnIds};
pub use window::Window;

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LoadPhase {
    /// What is retained is set.
    Setting,
    /// The subscribers connect and subscribe.
    Readers,
    /// The others connect.
    Others,
    /// The connections stand.
    Holding(Instant),
    /// Connections are made at the rate of a step.
    Making,
    /// Those that have begun are made, or fail.
    Settling(Instant),
    /// All are ended before the next step.
    Emptying(Instant),
    /// Messages are sent.
    Sending,
    /// What is missing is waited for.
    Draining,
    /// The connections are ended.
    Closing(Instant),
    /// What is retained is removed.
    Clearing(Instant),
    /// The sessions that the server keeps are ended.
    Ending(Instant),
    /// All is done.
    Over,
}

impl LoadPhase {
    /// Whether the connections are under load: messages are sent, or they stand.
    fn is_loading(self) -> bool {
        match self {
            Self::Holding(_) | Self::Sending | Self::Making => true,
            Self::Setting
            | Self::Readers
            | Self::Others
            | Self::Settling(_)
            | Self::Emptying(_)
            | Self::Draining
            | Self::Closing(_)
            | Self::Clearing(_)
            | Self::Ending(_)
            | Self::Over => false,
        }
    }
}

/// What is shown while it runs.
pub trait RunDisplay {
    /// When something new is to be shown.
    fn next(&self) -> Option<Instant>;
    /// Shows this line.
    fn show(&mut self, line: String, now: Instant);
    /// Prints the figures so far.
    fn print(&mut self, results: &Results);
    /// A slice of the window is over.
    fn slice_over(&mut self, over: &SliceOver<'_>);
    /// A second of the window is over; what follows from what was found until then.
    fn second_over(&mut self, results: &Results) -> AfterSecond;
    /// A step of several is over: what it was, and whether it held.
    fn step_over(&mut self, plan: StepPlan, load: &LoadPlan, results: &mut Results) -> StepOutcome;
}

/// A slice of the window that is over: a second, or a part of one.
#[derive(Debug, Clone, Copy)]
pub struct SliceOver<'a> {
    /// What happened in it.
    pub slice: &'a GatheredSecond,
    /// How long it is, in nanoseconds.
    pub length: u64,
}

/// What follows from a second that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterSecond {
    /// The run goes on.
    GoOn,
    /// It ends here.
    End,
}

/// What is to be done for connections, and has to wait for the next turn.
#[derive(Debug, Default)]
struct Chores {
    /// Connections that were made and are to subscribe.
    subscribe: Vec<usize>,
    /// Connections that are to be given up.
    abandon: Vec<usize>,
    /// How many connections are being closed.
    closing: usize,
    /// Connections whose session the server keeps.
    sessions: Vec<usize>,
    /// How many copies of the messages of which publishers of other loops have come (QoS 0).
    arrived: Vec<(usize, u64)>,
}

/// The load.
pub struct Load<D> {
    context: Context,
    phase: LoadPhase,
    connecting: Connecting,
    sending: LoadSending,
    receiving: Receiving,
    seconds: Seconds,
    results: Results,
    chores: Chores,
    absences: Absences,
    leftovers: ServerRemains,
    times: LoadTimes,
    /// The first loop alone shows something.
    display: Option<D>,
}

/// When the load began, when it was told to end, and its steps.
struct LoadTimes {
    began: Instant,
    steps: LoadSteps,
    /// Signals that came.
    interrupt: Option<LoadInterrupt>,
    /// When it is counted again how many connections are online.
    look_at: Instant,
    /// How many were.
    online: u64,
    /// When it was found that nothing had come for as long as it is waited.
    quiet: Option<Instant>,
    /// What was being done when the turn began.
    turn_began_in: LoadPhase,
}

/// When the load was told to end.
#[derive(Debug, Clone, Copy)]
struct LoadInterrupt {
    /// By the first signal.
    since: Instant,
    /// And by another one: at once.
    again: Option<Instant>,
}

/// How long clearing up at the server may take after a second signal.
const HASTY_END: Duration = Duration::from_secs(1);

impl LoadTimes {
    /// When a phase of the end is over that may take until `usual`.
    fn limit(&self, usual: Instant) -> Instant {
        let again = self.interrupt.and_then(|interrupt| interrupt.again);
        again.map_or(usual, |again| usual.min(again + HASTY_END))
    }
}

impl<D: RunDisplay> Load<D> {
    /// A load that begins now, and is shown.
    pub fn new(context: Context, system: System, display: D, now: Instant) -> Self {
        Self::begin_loop(context, system, Some(display), now)
    }

    /// One loop of a load that begins now, and not the first.
    pub fn beside_another(context: Context, system: System, now: Instant) -> Self {
        Self::begin_loop(context, system, None, now)
    }

    fn begin_loop(mut context: Context, system: System, display: Option<D>, now: Instant) -> Self {
        let steps = LoadSteps::begin(&mut context.load);
        context.window = Window { start: 0, begin: u64::MAX, end: u64::MAX };
        context.readers = vec![0; context.load.plan.topics];
        let plan = context.load.plan;
        let own = OwnIds::of(plan, context.member.share);
        let connecting = Connecting::new(&context.load, own, now);
        let mut results = Results::default();
        results.connections.wanted = connecting.wanted();
        results.generator.loops = vec![0.0];
        results.verified.split.topic = plan.writers.split_topic();
        let leftovers = ServerRemains::new(&context);
        let mut load = Self {
            phase: LoadPhase::Setting,
            sending: LoadSending::new(&context),
            receiving: Receiving::new(&context),
            seconds: Seconds::new(system, context.member.slice()),
            connecting,
            results,
            chores: Chores::default(),
            absences: Absences::new(
                context.load.disturbances.comeback_rate.map(|rate| rate / context.loops()),
            ),
            leftovers,
            times: LoadTimes {
                began: now,
                steps,
                interrupt: None,
                look_at: now,
                online: 0,
                quiet: None,
                turn_began_in: LoadPhase::Setting,
            },
            display,
            context,
        };
        if !load.context.load.needs_watcher() {
            load.begin_readers(now);
        }
        load
    }

    /// What was found by a load in one loop.
    #[cfg(test)]
    pub fn into_found(self) -> Found {
        self.into_share().join(Vec::new())
    }

    /// What this loop has found.
    pub fn into_share(mut self) -> LoopFound {
        self.results.series = self.series();
        LoopFound { results: self.results, steps: self.times.steps }
    }
}

impl<D: RunDisplay> Driver for Load<D> {
    fn happened(&mut self, id: usize, what: Happening, now: Instant) {
        let at = self.context.clock.number(now);
        if id == self.context.load.plan.connections() {
            return self.watcher_happened(what, at);
        }
        let role = self.context.load.plan.role(id);
        let Self { context, sending, results, .. } = self;
        match (what, role) {
            (Happening::Acknowledged { token, code }, Role::Publisher(publisher)) => {
                let Results { messages, latencies, .. } = results;
                let mut sink = AcknowledgedSink { messages, latencies };
                if let Some(token) = context.number_of(token) {
                    sending.acknowledged(publisher, token, code, context, &mut sink, at);
                }
                self.receiving.latest = self.receiving.latest.max(at);
            }
            (Happening::InDoubt { token }, Role::Publisher(publisher)) => {
                if let Some(token) = context.number_of(token) {
                    sending.in_doubt(publisher, token, context, &mut results.messages);
                }
            }
            (Happening::Sendable, Role::Publisher(publisher)) => {
                sending.unblock(publisher, context, at);
            }
            (Happening::Made(made), _) => self.made(id, &made, at),
            (Happening::Subscribed { codes, took }, _) => self.subscribed(id, &codes, took, now),
            (Happening::Pong { took }, _) => results.connections.times.pong.add(number(took)),
            (Happening::NotMade(cause), _) => self.not_made(id, cause, now),
            (Happening::Lost(cause), _) => self.lost(id, cause, now),
            (Happening::Closed, _) => self.closed(id, now),
            (
                Happening::Acknowledged { .. } | Happening::InDoubt { .. } | Happening::Sendable,
                Role::Subscriber(_) | Role::Idle(_),
            ) => {}
        }
    }

    fn message(&mut self, id: usize, head: &Publish, payload: &[u8], now: Instant) {
        if id == self.context.load.plan.connections() {
            return self.watched(payload, self.context.clock.number(now));
        }
        // Nobody else has subscribed.
        if let Role::Subscriber(_) = self.context.load.plan.role(id) {
            self.received(id, head, payload, now);
        }
    }

    fn interrupted(&mut self, signal: i32, now: Instant) {
        self.give(LoopOrder::Interrupt(signal, now), now);
    }

    fn asked_for_figures(&mut self, now: Instant) {
        self.give(LoopOrder::Figures, now);
        self.print_figures();
    }

    fn act(&mut self, fleet: &mut impl ManyConnections, now: Instant) {
        self.times.turn_began_in = self.phase;
        self.listen(now);
        for id in std::mem::take(&mut self.chores.abandon) {
            fleet.abandon(id);
        }
        for id in self.connecting.due(now) {
            fleet.dial(id, now, now);
        }
        self.subscribe(fleet, now);
        match self.phase {
            LoadPhase::Setting => self.prepare(fleet, now),
            LoadPhase::Readers | LoadPhase::Others => self.connect(fleet, now),
            LoadPhase::Holding(until) => self.hold(until, now),
            LoadPhase::Making => self.make(fleet, now),
            LoadPhase::Settling(since) => self.settle(since, now),
            LoadPhase::Emptying(since) => self.empty(fleet, since, now),
            LoadPhase::Sending => self.send(fleet, now),
            LoadPhase::Draining => self.drain(now),
            LoadPhase::Closing(_)
            | LoadPhase::Clearing(_)
            | LoadPhase::Ending(_)
            | LoadPhase::Over => {}
        }
        self.disturb(fleet, now);
        if let LoadPhase::Closing(since) = self.phase {
            self.close(fleet, since, now);
        }
        if let LoadPhase::Clearing(since) = self.phase {
            self.clear(fleet, since, now);
        }
        if let LoadPhase::Ending(since) = self.phase {
            self.end_sessions(fleet, since, now);
        }
        self.look_who_is_online(now);
        if self.next_show().is_some_and(|at| at <= now) {
            self.show(now);
        }
    }

    fn next_due(&self) -> Option<Instant> {
        if !self.chores.subscribe.is_empty() || !self.chores.abandon.is_empty() {
            return Some(self.times.began);
        }
        let phase = match self.phase {
            LoadPhase::Setting => self.next_preparation(),
            LoadPhase::Readers | LoadPhase::Others => self.next_connection(),
            LoadPhase::Holding(until) => Some(self.next_hold(until)),
            LoadPhase::Making => Some(self.next_making()),
            LoadPhase::Settling(since) => self.settled_at(since),
            LoadPhase::Emptying(since) => self.next_emptying(since),
            LoadPhase::Sending => self.next_send(),
            LoadPhase::Draining => self.drained_at(),
            LoadPhase::Closing(since) => Some(self.closed_at(since)),
            LoadPhase::Clearing(since) => Some(self.next_clearing(since)),
            LoadPhase::Ending(since) => Some(self.next_ending(since)),
            LoadPhase::Over => None,
        };
        let disturbance = self.next_disturbance();
        [phase, disturbance, self.connecting.next(), self.next_show()].into_iter().flatten().min()
    }

    fn rest(&mut self, now: Instant) {
        self.tell_slices(now);
    }

    fn is_over(&self) -> bool {
        self.phase == LoadPhase::Over
    }

    fn note_turn(&mut self, took: Duration) {
        self.tell();
        // One that was away over the end of the holding does not hold any more.
        let phase = match self.times.turn_began_in {
            held @ LoadPhase::Holding(_) => held,
            _ => self.phase,
        };
        let is_measured = match phase {
            // The connections are all that is measured.
            LoadPhase::Readers | LoadPhase::Others | LoadPhase::Making | LoadPhase::Settling(_) => {
                self.context.load.plan.publishers == 0
            }
            LoadPhase::Holding(_) | LoadPhase::Sending | LoadPhase::Draining => {
                self.seconds.has_begun()
            }
            LoadPhase::Setting
            | LoadPhase::Emptying(_)
            | LoadPhase::Closing(_)
            | LoadPhase::Clearing(_)
            | LoadPhase::Ending(_)
            | LoadPhase::Over => false,
        };
        if is_measured {
            let (generator, took) = (&mut self.results.generator, number(took));
            generator.turn.add(took);
            if generator.longest_turn.is_none_or(|(_, longest)| longest < took) {
                generator.longest_turn = Some((self.seconds.seconds_over(), took));
            }
        }
    }
}
