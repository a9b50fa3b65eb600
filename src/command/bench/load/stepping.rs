//! Several steps over the same connections: after each it is decided whether it held, and what the
//! next one is.

use std::time::Instant;

use super::leading::joined;
use super::receiving::Receiving;
use super::seconds::Seconds;
use super::sending::LoadSending;
use super::team::LoopOrder;
use super::{Load, LoadPhase, RunDisplay};
use crate::command::bench::config::{LoadPace, LoadPlan, WindowLength};
use crate::command::bench::course::STEP_WARMUP;
use crate::command::bench::results::{ConnectionResults, Results};
use crate::command::bench::step_outcome::StepOutcome;
use crate::command::bench::steps::{StepPlan, StepSearch};

/// What was found.
#[derive(Debug)]
pub struct Found {
    /// The figures; of several steps those of the highest that held, or of the first.
    pub results: Results,
    /// The steps; empty if there was one window only.
    pub steps: Vec<StepOutcome>,
}

/// What one loop has found.
#[derive(Debug)]
pub struct LoopFound {
    pub(super) results: Results,
    pub(super) steps: LoadSteps,
}

impl LoopFound {
    /// What all loops have found: this one is the first, and the others are in their order.
    pub fn join(self, others: Vec<Self>) -> Found {
        let series = self.results.series.clone();
        let others = others.into_iter().map(|other| other.results);
        let mut results = joined(std::iter::once(self.results).chain(others).collect());
        results.series = series;
        self.steps.finish(results)
    }
}

/// The figures of a step.
#[derive(Debug)]
struct KeptStep {
    rate: f64,
    results: Results,
    /// Whether it held, and did not fail when it was tried again.
    standing: Standing,
}

/// Whether a step is an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It held.
    Held,
    /// It did not, or not again.
    Refuted,
}

/// The steps so far.
#[derive(Debug, Default)]
pub struct LoadSteps {
    search: Option<StepSearch>,
    outcomes: Vec<StepOutcome>,
    /// The step that is reported.
    kept: Option<KeptStep>,
    /// The connections of all steps.
    connections: ConnectionResults,
    /// The largest share of a core that each loop took.
    busiest: Vec<f64>,
}

impl LoadSteps {
    /// The steps of a load, of which the first is put into the plan.
    pub fn begin(load: &mut LoadPlan) -> Self {
        let length = match load.times.length {
            WindowLength::Time(time) => time,
            // A search has no number of messages.
            WindowLength::Count(_) => return Self::default(),
        };
        let search = StepSearch::new(load.times.course, length);
        if let Some(search) = &search {
            set(load, search.plan());
        }
        Self { search, ..Self::default() }
    }

    /// Notes a step that is over.
    fn note(&mut self, outcome: StepOutcome, results: Results) {
        self.connections.add_step(&results.connections);
        self.busiest.resize(results.generator.loops.len(), 0.0);
        for (busiest, cpu) in self.busiest.iter_mut().zip(&results.generator.loops) {
            *busiest = busiest.max(*cpu);
        }
        let rate = outcome.plan.rate;
        let standing = if outcome.has_held() { Standing::Held } else { Standing::Refuted };
        self.outcomes.push(outcome);
        let is_better = match &mut self.kept {
            None => true,
            Some(kept) if standing == Standing::Refuted => {
                if rate <= kept.rate {
                    kept.standing = Standing::Refuted;
                }
                false
            }
            Some(kept) => kept.standing == Standing::Refuted || rate >= kept.rate,
        };
        if is_better {
            self.kept = Some(KeptStep { rate, results, standing });
        }
    }

    fn is_of_connecting(&self) -> bool {
        self.search.as_ref().is_some_and(StepSearch::is_of_connecting)
    }

    /// What was found: a step that was broken off counts only if it was the first.
    pub fn finish(self, last: Results) -> Found {
        let ending = last.ending;
        let is_of_connecting = self.is_of_connecting();
        let Some(KeptStep { mut results, .. }) = self.kept else {
            return Found { results: last, steps: Vec::new() };
        };
        if !is_of_connecting {
            results.connections = self.connections;
            results.connections.add_step(&last.connections);
        }
        results.generator.cpu = self.busiest.iter().copied().fold(0.0, f64::max);
        results.generator.loops = self.busiest;
        results.ending = ending;
        Found { results, steps: self.outcomes }
    }
}

/// The load is this step.
fn set(load: &mut LoadPlan, plan: StepPlan) {
    if load.times.course.is_of_connecting() {
        load.connect_rate = Some(plan.rate);
    } else if let LoadPace::Open(offer) = &mut load.pace {
        offer.rate = plan.rate;
    }
    load.times.length = WindowLength::Time(plan.length);
    load.times.warmup = STEP_WARMUP;
}

impl<D: RunDisplay> Load<D> {
    /// All that can come has come: the next step begins, or the connections are closed.
    pub(super) fn after_drain(&mut self, now: Instant) {
        let next = self.end_step().filter(|_| self.times.interrupt.is_none());
        match next {
            Some(plan) => self.give(LoopOrder::Step(plan, now), now),
            None => self.give(LoopOrder::Close(now), now),
        }
    }

    /// Tells what was found in a step, if there are several; its connections go on.
    pub(super) fn hand_in_step(&mut self) {
        if self.times.steps.search.is_none() || self.times.interrupt.is_some() {
            return;
        }
        let mut results = std::mem::take(&mut self.results);
        results.series = self.series();
        self.results.connections = if self.is_of_connecting() {
            let receive_maximum = results.connections.receive_maximum;
            ConnectionResults { receive_maximum, ..ConnectionResults::default() }
        } else {
            results.connections.of_next_step()
        };
        self.results.granted = results.granted;
        self.results.generator.loops = vec![0.0];
        self.context.member.add_step(results);
    }

    /// Judges a step of all loops; what the next one is.
    fn end_step(&mut self) -> Option<StepPlan> {
        let steps = self.context.member.take_steps();
        let first = steps.first()?;
        let plan = self.times.steps.search.as_ref()?.plan();
        let series = first.series.clone();
        let mut results = joined(steps);
        results.series = series;
        let display = self.display.as_mut()?;
        let outcome = display.step_over(plan, &self.context.load, &mut results);
        let next = self.times.steps.search.as_mut()?.go_on(outcome.has_held());
        self.times.steps.note(outcome, results);
        next
    }

    pub(super) fn begin_step(&mut self, plan: StepPlan, now: Instant) {
        self.context.member.begin_step();
        let context = &mut self.context;
        set(&mut context.load, plan);
        context.step += 1;
        // What still comes of the step before is not taken for this one's.
        context.payloads = context.payloads.of_step(context.step);
        self.sending = LoadSending::new(context);
        self.receiving = Receiving::new(context);
        self.seconds = Seconds::new(self.seconds.system(), context.member.slice());
        if self.is_of_connecting() {
            self.phase = LoadPhase::Emptying(now);
        } else {
            self.begin_sending(now);
        }
    }
}
