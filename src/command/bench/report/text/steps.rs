//! The table of the steps of a ramp or a search, and its answer.

use super::TextLines;
use super::connections::causes;
use crate::command::bench::course::LoadCourse;
use crate::command::bench::measure::Quantile;
use crate::command::bench::report::BenchReport;
use crate::command::bench::results::LoadEnding;
use crate::command::bench::step_outcome::{StepCounts, StepOutcome};
use crate::command::bench::words;

/// The names of the columns of a step of connecting.
const HEADS_OF_CONNECTING: &str = "    offered         made   failed  not begun       p50       \
                                   p99       max   lateness p99   loop CPU";

/// The names of the columns.
const HEADS: &str = "    offered    delivered     lost   unsent       p50       p99       max   \
                     lateness p99   loop CPU";

/// One line a step.
pub fn table(report: &BenchReport<'_>, lines: &mut TextLines) {
    let is_of_connecting = report.load.times.course.is_of_connecting();
    lines.plain(if is_of_connecting { HEADS_OF_CONNECTING } else { HEADS });
    for step in report.steps {
        lines.plain(&row(step));
    }
}

fn row(step: &StepOutcome) -> String {
    let rate = |rate: f64| words::rate(rate.round());
    let [p50, p99, max] = step.times.map(time);
    let counts = match &step.counts {
        StepCounts::Messages(counts) => format!(
            "{:>13}{:>9}{:>9}",
            rate(counts.delivered),
            words::thousands(counts.lost),
            words::thousands(counts.unsent)
        ),
        StepCounts::Connections(counts) => format!(
            "{:>13}{:>9}{:>11}",
            rate(counts.rate),
            words::thousands(counts.failed.values().sum()),
            words::thousands(counts.not_begun)
        ),
    };
    format!(
        "{:>11}{counts}{p50:>10}{p99:>10}{max:>10}{:>15}{:>11}   {}",
        words::rate(step.plan.rate),
        time(step.lateness),
        words::percent(step.cpu * 100.0),
        verdict(step),
    )
}

/// Whether it held, and why not.
fn verdict(step: &StepOutcome) -> String {
    if step.has_held() {
        return "held".to_owned();
    }
    let failed = match &step.counts {
        StepCounts::Messages(_) => String::new(),
        StepCounts::Connections(counts) if counts.failed.is_empty() => String::new(),
        StepCounts::Connections(counts) => format!("; {}", causes(&counts.failed)),
    };
    format!("not held: {}{failed}", step.because.join(", "))
}

fn time(time: Option<Quantile>) -> String {
    time.map_or_else(|| "-".to_owned(), |time| time.to_string())
}

/// The overload of the step that did not hold, and the highest that did.
pub fn answer(report: &BenchReport<'_>, lines: &mut TextLines) {
    let overloaded = report.steps.iter().rev().find_map(|step| Some((step, step.overload?)));
    if let Some((step, overload)) = overloaded {
        let what = match step.counts {
            StepCounts::Messages(_) => "latency",
            StepCounts::Connections(_) => "connect time",
        };
        super::overload(what, step.plan.rate, &overload, lines);
    }
    lines.add("highest", &highest(report));
}

fn highest(report: &BenchReport<'_>) -> String {
    let failed = report.steps.iter().filter(|step| !step.has_held());
    let failed = failed.min_by(|one, other| one.plan.rate.total_cmp(&other.plan.rate));
    let rate = |step: &StepOutcome| words::rate(step.plan.rate);
    let Some(best) = report.highest() else {
        return failed.map_or_else(
            || "none: no step was whole".to_owned(),
            |step| format!("none: {} did not hold", rate(step)),
        );
    };
    let is_search = matches!(report.load.times.course, LoadCourse::FindMax { .. });
    let tries =
        report.steps.iter().filter(|step| step.has_held() && step.plan == best.plan && is_search);
    let twice = if tries.count() > 1 { ", twice" } else { "" };
    let held = format!("{} held for {}{twice}", rate(best), words::given(best.plan.length));
    match failed {
        Some(step) if is_search => format!("{held}, {} did not", rate(step)),
        Some(step) => {
            format!("{held}, {} did not; --find-max would search between them", rate(step))
        }
        None if matches!(report.results.ending, LoadEnding::Interrupted(..)) => {
            format!("{held}; then it was interrupted")
        }
        None if is_search => held,
        None => format!("{held}; the ramp ended there"),
    }
}
