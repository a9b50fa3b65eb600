//! `--warn` and `--crit`: the figure that is compared, and what comes of it. A probe without an
//! answer counts as one that takes longer than any threshold.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::exit::PluginState;
use crate::format::statistics::{Statistics, milliseconds};

/// The limits of a figure; at least one is given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// A time above this is a warning.
    pub warn: Option<Duration>,
    /// A time above this is critical.
    pub crit: Option<Duration>,
    /// What is compared with them.
    pub on: JudgedFigure,
}

impl Thresholds {
    /// What these answers are, with so many probes that have none.
    pub fn judge(&self, answers: &Statistics, lost: u64) -> PluginState {
        let time = self.on.of(answers, lost);
        let is_above = |limit: Option<Duration>| {
            limit.is_some_and(|limit| time.is_none_or(|time| time > milliseconds(limit)))
        };
        match () {
            () if is_above(self.crit) => PluginState::Critical,
            () if is_above(self.warn) => PluginState::Warning,
            () => PluginState::Ok,
        }
    }
}

/// A figure that can be compared with thresholds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum JudgedFigure {
    /// The shortest time.
    Minimum,
    /// The mean.
    Mean,
    /// The longest time.
    Maximum,
    /// The time that so many percent do not exceed: above 0, at most 100.
    Percentile(f64),
}

impl JudgedFigure {
    /// The figure in milliseconds; `None` if it is longer than any time that was measured.
    pub fn of(self, answers: &Statistics, lost: u64) -> Option<f64> {
        let figures = answers.figures()?;
        match self {
            Self::Minimum => Some(figures.minimum),
            Self::Mean => (lost == 0).then_some(figures.mean),
            Self::Maximum => (lost == 0).then_some(figures.maximum),
            Self::Percentile(percent) => {
                answers.percentile(percent_of_answers(percent, answers.count(), lost)?)
            }
        }
    }
}

/// The percentile of the answers that is this one of all probes; `None` if it is one without an
/// answer.
#[expect(clippy::cast_precision_loss, reason = "nobody sends 2^52 probes")]
fn percent_of_answers(percent: f64, answered: u64, lost: u64) -> Option<f64> {
    if lost == 0 {
        return Some(percent);
    }
    let (answered, all) = (answered as f64, answered.saturating_add(lost) as f64);
    let rank = (percent / 100.0 * all).ceil().max(1.0);
    (rank <= answered).then(|| rank / answered * 100.0)
}

impl fmt::Display for JudgedFigure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Minimum => f.write_str("min"),
            Self::Mean => f.write_str("avg"),
            Self::Maximum => f.write_str("max"),
            Self::Percentile(percent) => write!(f, "p{percent}"),
        }
    }
}

impl FromStr for JudgedFigure {
    type Err = &'static str;

    /// As it is displayed.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let percent = |digits: &str| {
            let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            let percent = digits.parse().ok().filter(|_| is_plain);
            percent.filter(|percent| *percent > 0.0 && *percent <= 100.0)
        };
        match text {
            "min" => Ok(Self::Minimum),
            "avg" => Ok(Self::Mean),
            "max" => Ok(Self::Maximum),
            _ => text
                .strip_prefix('p')
                .and_then(percent)
                .map(Self::Percentile)
                .ok_or("expected min, avg, max, or a percentile such as p50, p99 or p99.9"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answers 1 ms, 2 ms ... `count` ms.
    fn answers(count: u64) -> Statistics {
        let mut answers = Statistics::default();
        (1..=count).for_each(|time| answers.add(Duration::from_millis(time)));
        answers
    }

    #[test]
    fn figures_are_read_as_they_are_written() {
        for text in ["min", "avg", "max", "p50", "p99", "p99.9", "p100", "p0.1"] {
            assert_eq!(
                text.parse::<JudgedFigure>().map(|figure| figure.to_string()),
                Ok(text.into())
            );
        }
        for text in ["", "p", "p0", "p101", "pNaN", "pinf", "p-1", "p+1", "p1e1", "99", "median"] {
            assert!(text.parse::<JudgedFigure>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_probe_without_an_answer_takes_longer_than_any_other() {
        for (figure, lost, expected) in [
            ("min", 9, Some(1.0)),
            ("avg", 0, Some(50.5)),
            ("avg", 1, None),
            ("max", 0, Some(100.0)),
            ("max", 1, None),
            ("p50", 0, Some(50.0)),
            ("p50", 100, Some(100.0)),
            ("p50", 101, None),
            ("p99", 1, Some(100.0)),
            ("p99", 2, None),
            ("p100", 1, None),
        ] {
            let figure: JudgedFigure = figure.parse().expect("a figure");
            let time = figure.of(&answers(100), lost).map(f64::round);
            assert_eq!(time, expected.map(f64::round), "{figure} with {lost} lost");
        }
        assert_eq!(JudgedFigure::Minimum.of(&answers(0), 1), None);
    }

    #[test]
    fn a_time_above_a_threshold_is_told() {
        let on = JudgedFigure::Percentile(99.0);
        let milliseconds = |time| Some(Duration::from_millis(time));
        for (warn, crit, lost, expected) in [
            (milliseconds(200), milliseconds(300), 0, PluginState::Ok),
            (milliseconds(50), milliseconds(200), 0, PluginState::Warning),
            (milliseconds(20), milliseconds(50), 0, PluginState::Critical),
            (milliseconds(50), None, 0, PluginState::Warning),
            (None, milliseconds(50), 0, PluginState::Critical),
            (None, milliseconds(200), 9, PluginState::Critical),
            (milliseconds(200), None, 9, PluginState::Warning),
        ] {
            let thresholds = Thresholds { warn, crit, on };
            assert_eq!(thresholds.judge(&answers(100), lost), expected, "{thresholds:?}");
        }
    }
}
