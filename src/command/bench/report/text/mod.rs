//! The report as lines.

mod compared;
mod connections;
mod disturbances;
mod head;
mod messages;
mod steps;
mod verdict;

use std::fmt::Write;
use std::time::Duration;

use super::BenchReport;
use crate::command::bench::clock::number;
use crate::command::bench::judge::Overload;
use crate::command::bench::measure::precise;
use crate::command::bench::words;

/// How wide the name of a line is.
const NAME: usize = 10;

/// Lines that grow.
struct TextLines(String);

impl TextLines {
    /// A line with a name.
    fn add(&mut self, name: &str, text: &str) {
        let line = format!("{name:NAME$} {text}");
        self.0.push_str(line.trim_end());
        self.0.push('\n');
    }

    /// A line without a name.
    fn plain(&mut self, line: &str) {
        self.0.push_str(line.trim_end());
        self.0.push('\n');
    }

    /// A row of a table.
    fn row(&mut self, name: &str, cells: &[String]) {
        // Writing to a `String` cannot fail.
        let _ = writeln!(self.0, "{name:15}{}", cells.join(" "));
    }
}

/// The whole report, without its last line end.
pub fn render(report: &BenchReport<'_>) -> String {
    let mut lines = TextLines(String::new());
    lines.add("bench", &head::run(report));
    lines.add("server", &head::server(report));
    lines.add("machine", &head::machine(report));
    connections::add(report, &mut lines);
    if let Some(retained) = &report.results.disturbances.retained {
        lines.add("retained", &disturbances::retained_line(retained));
    }
    connections::held(report, &mut lines);
    if report.steps.is_empty() {
        if report.load.plan.publishers > 0 {
            messages::add(report, &mut lines);
        } else {
            messages::early_end(report, &mut lines);
        }
        happened(report, &mut lines);
        if report.load.plan.publishers > 0 {
            messages::times(report, &mut lines);
        }
        verdict::notes(report, &mut lines);
    } else {
        steps::table(report, &mut lines);
        messages::early_end(report, &mut lines);
        steps::answer(report, &mut lines);
    }
    verdict::generator(report, &mut lines);
    lines.add("limit", &verdict::limit(report));
    compared::runs(report, &mut lines);
    if let Some(comparison) = report.comparison {
        compared::baseline(comparison, &mut lines);
    }
    if report.steps.is_empty() {
        verdict::conditions(report.outcomes, &mut lines);
    }
    lines.add("result", &verdict::result(report));
    lines.0.truncate(lines.0.trim_end().len());
    lines.0
}

/// The report of a run that goes on: what is known so far.
pub fn render_so_far(report: &BenchReport<'_>) -> String {
    let mut lines = TextLines(String::new());
    lines.add("bench", &head::run(report));
    connections::add(report, &mut lines);
    if report.load.plan.publishers > 0 {
        messages::add(report, &mut lines);
        messages::times(report, &mut lines);
    } else {
        messages::early_end(report, &mut lines);
    }
    lines.0.truncate(lines.0.trim_end().len());
    lines.0
}

/// That less arrived at this rate than was offered, and how what was measured grew.
fn overload(what: &str, rate: f64, overload: &Overload, lines: &mut TextLines) {
    let growth = overload.growth.map(|growth| {
        let growth = Duration::from_secs_f64(growth.clamp(0.0, 1e18) / 1e9);
        let (growth, longest) = (precise(number(growth)), precise(overload.longest));
        format!(": {what} grew by {growth} a second, to {longest}")
    });
    let (rate, growth) = (words::rate(rate), growth.unwrap_or_default());
    lines.add("overload", &format!("at {rate}{growth}; these quantiles depend on --for"));
}

/// What was done to connections on purpose, and what came of it.
fn happened(report: &BenchReport<'_>, lines: &mut TextLines) {
    for cut in &report.results.disturbances.cuts {
        let [happened, waited] = disturbances::cut_lines(cut, report.load.sessions);
        lines.add("cut", &happened);
        if report.load.plan.publishers > 0 {
            lines.add("", &waited);
        }
    }
    if let Some(wills) = &report.results.disturbances.wills {
        lines.add("wills", &disturbances::wills_line(wills));
    }
    for stall in &report.results.disturbances.stalls {
        let [happened, waited] = disturbances::stall_lines(stall);
        lines.add("stall", &happened);
        if report.load.plan.publishers > 0 {
            lines.add("", &waited);
        }
    }
    if let Some(rate) = report.load.disturbances.churn {
        let churn = &report.results.disturbances.churn;
        lines.add("churn", &disturbances::churn_line(rate, churn, report.load.sessions));
    }
}
