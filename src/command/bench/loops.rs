//! The loops of a load: each has a thread, and a fleet with its share of the connections.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::{Builder, Scope, scope};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::LoadTask;
use super::clock::{RunClock, number};
use super::config::{Haste, LoadPlan, MOST_LOOPS};
use super::interest::Interest;
use super::judge::ServerPlace;
use super::load::{
    Context, Found, Load, LoopFound, LoopShare, LoopTeam, SecondDetail, System, TeamMember, Window,
};
use super::machine;
use super::names::{self, Names};
use super::part::divisor;
use super::payload::Payloads;
use super::plan::Plan;
use super::screen::Screen;
use super::surroundings::Surroundings;
use crate::client::fleet::{Fleet, RunSignals};

/// How many loops there are: as many as were asked for, or as the cores that we may use, of which
/// a server on this machine has half; but none has nothing to do.
fn loops(asked: Option<usize>, plan: &Plan, place: ServerPlace, cores: usize) -> usize {
    let usual = match place {
        ServerPlace::Here => cores / 2,
        ServerPlace::Elsewhere => cores,
    };
    let most = LoopShare::most(plan).clamp(1, MOST_LOOPS);
    asked.unwrap_or(usual).clamp(1, most)
}

/// How long the slices are of which loops tell, in nanoseconds: a second and the time between two
/// lines (`--report`) have a whole number of them.
fn slice(interval: Option<Duration>) -> u64 {
    let second = number(Duration::from_secs(1));
    interval.map_or(second, |interval| divisor(number(interval).max(1), second))
}

/// What all loops of a load begin with.
pub struct LoadLoops<'a> {
    task: &'a LoadTask<'a>,
    names: &'a Names,
    team: Arc<LoopTeam>,
    count: usize,
    wills: Option<String>,
    clock_identity: u16,
    clock: RunClock,
    now: Instant,
    start_at: Option<Instant>,
}

impl<'a> LoadLoops<'a> {
    /// The loops of a load that begins now.
    pub fn new(
        task: &'a LoadTask<'_>,
        names: &'a Names,
        surroundings: &Surroundings,
    ) -> Result<Self> {
        let place = surroundings.server.place;
        let count = loops(task.fleet.loops, &task.load.plan, place, surroundings.machine.cores);
        let detail = match task.report.haste {
            Haste::FailFast if count > 1 => SecondDetail::Results,
            Haste::FailFast | Haste::ToTheEnd => SecondDetail::Second,
        };
        // Both at once: other processes of this machine have the same clock.
        let now = Instant::now();
        let clock = RunClock::new(now, machine::monotonic());
        let start_at = task.runs.start_at.map(|at| at.saturating_sub(machine::since_1970()));
        Ok(Self {
            task,
            names,
            team: Arc::new(LoopTeam::new(count, detail, slice(task.report.interval))),
            count,
            wills: names.wills(task.load)?,
            clock_identity: machine::clock_identity(),
            clock,
            now,
            start_at: start_at.map(|wait| now + wait),
        })
    }

    /// Runs them: the first in this thread.
    pub fn run(&self, screen: &mut Screen<'_>) -> Result<Found> {
        let (sender, others) = channel();
        let first = scope(|scope| {
            for number in 1..self.count {
                self.begin(number, scope, &sender).inspect_err(|_| self.team.fail(0))?;
            }
            self.run_first(screen).inspect_err(|_| self.team.fail(0))
        })?;
        let mut others: Vec<(usize, Result<LoopFound>)> = others.try_iter().collect();
        others.sort_by_key(|(number, _)| *number);
        let others: Result<Vec<LoopFound>> = others.into_iter().map(|(_, found)| found).collect();
        Ok(first.join(others?))
    }

    /// Begins another loop; what it finds is sent when it has ended.
    fn begin<'scope>(
        &'scope self,
        number: usize,
        scope: &'scope Scope<'scope, '_>,
        sender: &Sender<(usize, Result<LoopFound>)>,
    ) -> Result<()> {
        let sender = sender.clone();
        let run = move || {
            let found = self.run_other(number).inspect_err(|_| self.team.fail(number));
            // Nobody waits for it after an error of the first.
            let _ = sender.send((number, found));
        };
        let thread = Builder::new().name(format!("loop {}", number + 1));
        thread.spawn_scoped(scope, run).context("starting a loop")?;
        Ok(())
    }

    fn run_first(&self, screen: &mut Screen<'_>) -> Result<LoopFound> {
        let signals: Arc<RunSignals> = Arc::clone(self.task.signals);
        let fleet = Fleet::new(self.task.options.clone(), signals).context("starting the load")?;
        let load = |context, system| Load::new(context, system, screen, self.now);
        self.run_loop(0, fleet, load)
    }

    fn run_other(&self, number: usize) -> Result<LoopFound> {
        let options = self.task.options.clone();
        let fleet = Fleet::beside_another(options).context("starting a loop")?;
        let load =
            |context, system| Load::<&mut Screen<'_>>::beside_another(context, system, self.now);
        self.run_loop(number, fleet, load)
    }

    /// Runs one loop to its end.
    fn run_loop<'s, 't: 's>(
        &self,
        number: usize,
        mut fleet: Fleet,
        load: impl FnOnce(Context, System) -> Load<&'s mut Screen<'t>>,
    ) -> Result<LoopFound> {
        if self.count > 1 {
            let waker = fleet.waker().context("starting a loop")?;
            self.team.set_waker(number, waker);
        }
        let member = TeamMember::new(&self.team, &self.task.load.plan, number);
        let context = self.context(member)?;
        self.add_connections(&mut fleet, &context);
        let system = System { cpu: machine::thread_cpu, machine: machine::machine_cpu };
        let mut load = load(context, system);
        fleet.run(&mut load).context("waiting for the connections")?;
        Ok(load.into_share())
    }

    fn context(&self, member: TeamMember) -> Result<Context> {
        let load = self.task.load;
        let topics = self.names.topics(&load.topic)?;
        let filter = load.filter.as_deref();
        let interest = filter.map(|filter| Interest::new(filter, self.names, &topics));
        Ok(Context {
            load: load.clone(),
            topics,
            interest: interest.transpose()?,
            payloads: payloads(self.names, load, self.clock_identity),
            wills: self.wills.clone(),
            clock: self.clock,
            now: Instant::now,
            window: Window::default(),
            readers: Vec::new(),
            step: 0,
            start_at: self.start_at,
            member,
        })
    }

    /// Adds the connections of a loop to its fleet, and to the first the one that watches them.
    fn add_connections(&self, fleet: &mut Fleet, context: &Context) {
        let (load, names, plan) = (self.task.load, self.names, self.task.fleet);
        for id in 0..load.plan.connections() {
            if !context.member.share.has(&load.plan, id) {
                fleet.leave_out();
                continue;
            }
            let (prefix, payloads) = (context.wills.as_ref(), &context.payloads);
            let properties = &load.messages.properties.will;
            let will = prefix.and_then(|prefix| names::will(prefix, id, payloads, properties));
            fleet.add(|config| {
                plan.identify(config, names, id);
                config.will = will;
            });
        }
        if load.needs_watcher() && context.member.leads() {
            fleet.add(|config| names.watch(config));
        }
    }
}

/// The payloads of a run; their times are of this clock.
fn payloads(names: &Names, load: &LoadPlan, clock: u16) -> Payloads {
    if let Some(body) = &load.messages.body {
        return Payloads::with_body(names.payloads(), clock, &body.bytes);
    }
    let mut random = fastrand::Rng::with_seed(load.seed);
    Payloads::new(names.payloads(), clock, move || random.u64(..))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::bench::plan::{Audience, WriterPlace};

    #[test]
    fn there_are_as_many_loops_as_cores_and_none_has_nothing_to_do() {
        let plan = |publishers, subscribers| {
            let (audience, groups) = (Audience::Shared, None);
            let (writers, idle, topics) = (WriterPlace::Here, 0, 4);
            Plan { publishers, writers, subscribers, idle, topics, audience, groups }
        };
        let (here, elsewhere) = (ServerPlace::Here, ServerPlace::Elsewhere);
        let usual = |place, cores| loops(None, &plan(50, 50), place, cores);
        assert_eq!([1, 2, 3, 8].map(|cores| usual(here, cores)), [1, 1, 1, 4]);
        assert_eq!([1, 2, 8].map(|cores| usual(elsewhere, cores)), [1, 2, 8]);
        assert_eq!(loops(Some(7), &plan(50, 50), here, 2), 7);
        assert_eq!(loops(Some(7), &plan(1, 2), here, 2), 3);
        assert_eq!(loops(None, &plan(1, 0), elsewhere, 8), 1);
    }
}
