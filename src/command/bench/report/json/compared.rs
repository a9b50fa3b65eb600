//! A run beside an earlier one, as JSON.

use super::object::{Object, array, measured, number};
use crate::command::bench::comparison::{Comparison, Difference, FigureComparison, FigureVerdict};
use crate::command::bench::conditions::Measured;

/// The comparison.
pub fn baseline(comparison: &Comparison) -> String {
    Object::new()
        .text("run", &format!("{:08x}", comparison.run))
        .text("start", &comparison.start)
        .texts("flaws", &comparison.flaws)
        .raw("differs", array(comparison.differences.iter().map(difference)))
        .raw("figures", array(comparison.figures.iter().map(figure)))
        .end()
}

fn difference(difference: &Difference) -> String {
    Object::new()
        .text("setting", difference.setting)
        .text("here", &difference.here)
        .text("was", &difference.was)
        .end()
}

fn figure(figure: &FigureComparison) -> String {
    let range = |range: [f64; 2]| array(range.map(|value| measured(finite(value))));
    Object::new()
        .text("metric", figure.name)
        .raw("value", measured(finite(figure.value)))
        .raw("was", measured(finite(figure.was)))
        .maybe("change", figure.change().map(number))
        .raw("runs", range(figure.range))
        .raw("runs_then", range(figure.range_then))
        .text("verdict", verdict(figure.verdict))
        .end()
}

fn finite(value: f64) -> Measured {
    if value.is_finite() { Measured::Number(value) } else { Measured::Never }
}

fn verdict(verdict: FigureVerdict) -> &'static str {
    match verdict {
        FigureVerdict::More => "more",
        FigureVerdict::Less => "less",
        FigureVerdict::NoDifference(_) => "none",
        FigureVerdict::OneRun => "unknown",
    }
}
