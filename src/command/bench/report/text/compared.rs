//! What several runs, or an earlier one, say beside each other.

use std::cmp::Ordering;

use super::TextLines;
use crate::command::bench::comparison::{Comparison, FigureComparison, FigureVerdict};
use crate::command::bench::conditions::{self, Measured};
use crate::command::bench::figures;
use crate::command::bench::report::BenchReport;

/// The least, the median and the most of several runs.
pub fn runs(report: &BenchReport<'_>, lines: &mut TextLines) {
    if report.runs.len() < 2 {
        return;
    }
    let heads = ["min", "median", "max"].map(|head| format!("{head:>12}"));
    lines.add("runs", &format!("{:<16}{}", report.runs.len(), heads.concat()));
    for (name, values) in figures::spread(report.runs) {
        let cells = values.map(|value| format!("{:>12}", conditions::shown(name, value)));
        lines.add("", &format!("{name:<16}{}", cells.concat()));
    }
}

/// A run beside an earlier one.
pub fn baseline(comparison: &Comparison, lines: &mut TextLines) {
    let Comparison { run, start, flaws, differences, figures } = comparison;
    lines.add("baseline", &format!("run {run:08x} of {start}"));
    for flaw in flaws {
        lines.add("", flaw);
    }
    for it in differences {
        lines.add("differs", &format!("{}: {}, was {}", it.setting, it.here, it.was));
    }
    for figure in figures {
        lines.add("", &line(figure));
    }
}

/// `p99 2.93 ms, was 2.41 ms: +22 % (runs 2.90-2.97, was 2.38-2.46)`
fn line(figure: &FigureComparison) -> String {
    let shown = |value| shown(figure.name, value);
    let (value, was) = (shown(figure.value), shown(figure.was));
    let change = match figure.change() {
        Some(change) => format!("{:+.0} %", change * 100.0),
        None => match figure.value.total_cmp(&figure.was) {
            Ordering::Equal => "as before".to_owned(),
            Ordering::Greater => "more".to_owned(),
            Ordering::Less => "less".to_owned(),
        },
    };
    let ranges = || {
        let (range, then) =
            (range(figure.name, figure.range), range(figure.name, figure.range_then));
        format!("(runs {range}, was {then})")
    };
    let verdict = match figure.verdict {
        FigureVerdict::More | FigureVerdict::Less => format!("{change} {}", ranges()),
        FigureVerdict::NoDifference(runs) => {
            format!("no difference that {runs} runs can show {}", ranges())
        }
        FigureVerdict::OneRun => format!("{change} (one run: no verdict)"),
    };
    format!("{} {value}, was {was}: {verdict}", figure.name)
}

/// A figure; an infinite one never came.
fn shown(name: &str, value: f64) -> String {
    let value = if value.is_finite() { Measured::Number(value) } else { Measured::Never };
    conditions::shown(name, value)
}

/// `2.90-2.97`, with the unit where it is not that of both.
fn range(name: &str, [least, most]: [f64; 2]) -> String {
    let (least, most) = (shown(name, least), shown(name, most));
    let unit = |text: &str| text.split_once(' ').map(|(_, unit)| unit.to_owned());
    let number = |text: &str| text.split(' ').next().unwrap_or_default().to_owned();
    if unit(&least) == unit(&most) {
        format!("{}-{}", number(&least), number(&most))
    } else {
        format!("{least}-{most}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(verdict: FigureVerdict) -> FigureComparison {
        FigureComparison {
            name: "p99",
            value: 2_930_000.0,
            was: 2_410_000.0,
            range: [2_900_000.0, 2_970_000.0],
            range_then: [2_380_000.0, 2_460_000.0],
            verdict,
        }
    }

    #[test]
    fn a_figure_is_told_beside_its_earlier_value() {
        assert_eq!(
            line(&figure(FigureVerdict::More)),
            "p99 2.93 ms, was 2.41 ms: +22 % (runs 2.90-2.97, was 2.38-2.46)"
        );
        assert_eq!(
            line(&figure(FigureVerdict::OneRun)),
            "p99 2.93 ms, was 2.41 ms: +22 % (one run: no verdict)"
        );
        assert_eq!(
            line(&figure(FigureVerdict::NoDifference(3))),
            "p99 2.93 ms, was 2.41 ms: no difference that 3 runs can show (runs 2.90-2.97, was \
             2.38-2.46)"
        );
        let never = FigureComparison { value: f64::INFINITY, ..figure(FigureVerdict::OneRun) };
        assert_eq!(line(&never), "p99 never, was 2.41 ms: more (one run: no verdict)");
        let both = FigureComparison { was: f64::INFINITY, ..never };
        assert_eq!(line(&both), "p99 never, was never: as before (one run: no verdict)");
        let wide =
            FigureComparison { range: [900_000.0, 1_500_000_000.0], ..figure(FigureVerdict::More) };
        assert!(line(&wide).contains("(runs 0.90 ms-1.50 s, was"), "{}", line(&wide));
    }
}
