//! What is shown, looked at and decided while a load runs.

use std::time::Instant;

use super::conditions::ConditionTerms;
use super::config::{BenchForm, LoadPlan, ReportPlan};
use super::ending;
use super::load::{AfterSecond, RunDisplay, SecondsOver};
use super::machine;
use super::measure::LatencyTimes;
use super::report::{BenchReport, interval, promised, text};
use super::results::Results;
use super::steps::{StepOutcome, StepPlan};
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
    interval: GatheredSeconds,
}

/// What has come since the last line of `--report`.
#[derive(Debug, Default)]
struct GatheredSeconds {
    times: LatencyTimes,
    /// Its seconds: how many there were before, and those since.
    before: usize,
    seconds: Vec<super::results::Second>,
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
        let line = if is_shown { LoadLine::new(now) } else { LoadLine::default() };
        Self { line, load, plan, surroundings, interval: GatheredSeconds::default() }
    }

    /// Nothing more is shown.
    pub fn finish(&mut self) {
        self.line.finish();
    }

    fn terms(&self, results: &Results) -> ConditionTerms<'a> {
        ending::terms(self.plan, self.surroundings, promised(self.load, results))
    }

    /// A second for the lines of `--report`.
    fn report(&mut self, over: &SecondsOver<'_>) {
        let Some(every) = self.plan.interval else { return };
        self.interval.times.merge(over.times);
        self.interval.seconds.extend_from_slice(over.seconds);
        let seconds = usize::try_from(every.as_secs()).unwrap_or(usize::MAX).max(1);
        if self.interval.seconds.len() < seconds {
            return;
        }
        let line = interval::ReportInterval {
            run: self.surroundings.run,
            began: self.interval.before,
            seconds: &self.interval.seconds,
            times: &self.interval.times,
        };
        let line = match self.plan.form {
            BenchForm::Text => interval::text(&line),
            BenchForm::Json => interval::json(&line),
        };
        // Whoever reads may have gone: the load goes on.
        self.line.aside(|| drop(crate::command::print(&line)));
        self.interval.before += self.interval.seconds.len();
        self.interval.seconds.clear();
        self.interval.times.clear();
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

    fn seconds_over(&mut self, results: &Results, over: &SecondsOver<'_>) -> AfterSecond {
        self.report(over);
        let is_hasty = self.plan.haste == super::config::Haste::FailFast;
        let failed = is_hasty.then(|| self.terms(results).failed_early(results)).flatten();
        if failed.is_some() { AfterSecond::End } else { AfterSecond::GoOn }
    }

    fn step_over(&mut self, plan: StepPlan, load: &LoadPlan, results: &mut Results) -> StepOutcome {
        (_, results.generator.rss) = machine::memory();
        self.interval = GatheredSeconds::default();
        let judgement = ending::judged(load, self.plan, self.surroundings.server.place, results);
        let delivered = judgement.overload.map(|overload| overload.delivered);
        let outcomes = self.terms(results).outcomes(results, delivered);
        let mut because: Vec<String> = outcomes.iter().filter_map(ending::reason).collect();
        if because.len() > 1 {
            // Overload says no more than what it consists of.
            because.retain(|reason| reason != "overload");
        }
        because.extend(judgement.invalid.iter().map(|why| format!("invalid: {why}")));
        StepOutcome { because, ..step(plan, &judgement, results) }
    }
}

fn step(plan: StepPlan, judgement: &super::judge::RunJudgement, results: &Results) -> StepOutcome {
    let Results { messages, latencies, verified, generator, .. } = results;
    let has_readers = messages.expected > 0;
    let times = if has_readers { &latencies.delivery } else { &latencies.acknowledgement };
    StepOutcome {
        plan,
        sent: messages.sent,
        delivered: if has_readers { messages.rate() } else { messages.sent_rate() },
        lost: verified.lost,
        unsent: messages.unsent,
        times: [times.quantile(0.5), times.quantile(0.99), times.maximum()],
        lateness: latencies.lateness.quantile(0.99),
        cpu: generator.cpu,
        limit: judgement.limit,
        overload: judgement.overload,
        because: Vec::new(),
    }
}
