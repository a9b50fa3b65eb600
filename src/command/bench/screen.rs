//! What is shown, looked at and decided while a load runs.

use std::time::Instant;

use super::conditions::ConditionTerms;
use super::config::{BenchForm, LoadPlan, ReportPlan};
use super::course::SteppedRate;
use super::ending;
use super::load::{AfterSecond, RunDisplay, SliceOver};
use super::machine;
use super::report::interval::{self, ReportInterval};
use super::report::{BenchReport, promised, text};
use super::results::Results;
use super::step_outcome::StepOutcome;
use super::steps::StepPlan;
use super::surroundings::Surroundings;
use crate::report::Verbosity;
use crate::terminal::load_line::LoadLine;
use crate::terminal::status_line;

/// What is shown while the load runs, and what it is judged by.
pub struct Screen<'a> {
    line: LoadLine,
    load: &'a LoadPlan,
    plan: &'a ReportPlan,
    surroundings: &'a Surroundings,
    /// What has come since the last line of `--report`.
    interval: ReportInterval,
}

impl<'a> Screen<'a> {
    /// The screen of a run that begins now.
    pub fn new(
        load: &'a LoadPlan,
        plan: &'a ReportPlan,
        surroundings: &'a Surroundings,
        verbosity: Verbosity,
        now: Instant,
    ) -> Self {
        let is_shown = verbosity.shows_progress();
        let run = surroundings.run;
        let line = if is_shown { LoadLine::new(now) } else { LoadLine::default() };
        let interval = ReportInterval::new(run, load.times.course.stepped());
        Self { line, load, plan, surroundings, interval }
    }

    /// Nothing more is shown.
    pub fn finish(&mut self) {
        self.line.finish();
    }

    fn terms(&self, results: &Results) -> ConditionTerms<'a> {
        ending::terms(self.plan, self.surroundings, promised(self.load, results))
    }

    /// A slice for the lines of `--report`.
    fn report(&mut self, over: &SliceOver<'_>) {
        let Some(every) = self.plan.interval else { return };
        self.interval.add(over);
        if self.interval.length < every {
            return;
        }
        let line = match self.plan.form {
            BenchForm::Text => interval::text(&self.interval),
            BenchForm::Json => interval::json(&self.interval),
        };
        // Whoever reads may have gone: the load goes on.
        self.line.aside(|| drop(crate::command::print(&line)));
        self.interval.go_on();
    }
}

impl RunDisplay for &mut Screen<'_> {
    fn next(&self) -> Option<Instant> {
        self.line.next()
    }

    fn show(&mut self, line: String, now: Instant) {
        self.line.show(line, now);
    }

    fn print(&mut self, results: &Results) {
        let judgement = super::judge::RunJudgement::default();
        let report = BenchReport {
            load: self.load,
            plan: self.plan,
            surroundings: self.surroundings,
            results,
            judgement: &judgement,
            outcomes: &[],
            steps: &[],
            runs: &[],
            comparison: None,
        };
        status_line::write(&(text::render_so_far(&report) + "\n"));
    }

    fn slice_over(&mut self, over: &SliceOver<'_>) {
        self.report(over);
    }

    fn second_over(&mut self, results: &Results) -> AfterSecond {
        let is_hasty = self.plan.haste == super::config::Haste::FailFast;
        let failed = is_hasty.then(|| self.terms(results).failed_early(results)).flatten();
        if failed.is_some() { AfterSecond::End } else { AfterSecond::GoOn }
    }

    fn step_over(&mut self, plan: StepPlan, load: &LoadPlan, results: &mut Results) -> StepOutcome {
        (_, results.generator.rss) = machine::memory();
        self.interval.next_step();
        let judgement = ending::judged(load, self.plan, self.surroundings.server.place, results);
        let delivered = judgement.overload.map(|overload| overload.delivered);
        let conditions = self.terms(results).outcomes(results, delivered);
        let mut because: Vec<String> = conditions.iter().filter_map(ending::reason).collect();
        if because.len() > 1 {
            // Overload says no more than what it consists of.
            because.retain(|reason| reason != "overload");
        }
        because.extend(judgement.invalid.iter().map(|why| format!("invalid: {why}")));
        let stepped = load.times.course.stepped().unwrap_or(SteppedRate::Messages);
        StepOutcome { conditions, because, ..StepOutcome::of(plan, stepped, &judgement, results) }
    }
}
