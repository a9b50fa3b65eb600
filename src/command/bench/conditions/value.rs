//! The value of a metric in what a run has found.

use super::metric::{Count, Figure, Metric, TimeSource};
use super::{Condition, ConditionOrigin, ConditionOutcome, ConditionVerdict, Measured, Operator};
use crate::command::bench::measure::{LatencyTimes, Quantile, precise};
use crate::command::bench::results::Results;
use crate::command::bench::words;

/// How many there are.
pub fn number(count: Count, results: &Results) -> u64 {
    let Results { connections, messages, verified, .. } = results;
    match count {
        Count::Lost => verified.lost,
        Count::Missed => verified.missed,
        Count::Duplicated => verified.duplicated,
        Count::Reordered => verified.reordered,
        Count::Corrupted => verified.corrupted,
        Count::Unsent => messages.unsent,
        Count::Refused => messages.refusals(),
        Count::Failed => connections.failures(),
        Count::Disconnected => connections.losses(),
        Count::Connected => connections.made,
    }
}

impl Condition {
    /// What comes of it.
    pub fn outcome(&self, results: &Results) -> ConditionOutcome {
        let value = self.measure(results);
        let is_true = match value {
            Measured::Number(number) => self.operator.holds(self.as_printed(number), self.value),
            Measured::Never => self.operator.holds(f64::INFINITY, self.value),
            // A condition without data proves nothing.
            Measured::Nothing => true,
        };
        ConditionOutcome {
            condition: self.text.clone(),
            origin: ConditionOrigin::Given,
            shown: self.shown(value),
            value,
            verdict: if is_true { ConditionVerdict::Failed } else { ConditionVerdict::Passed },
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "few digits are shown")]
    fn measure(&self, results: &Results) -> Measured {
        let number = match self.metric {
            Metric::Time(source, figure) => return time(times(source, results), figure),
            Metric::Count(count) => number(count, results) as f64,
            Metric::LostShare => match results.verified.copies {
                0 => return Measured::Nothing,
                copies => results.verified.lost as f64 / copies as f64 * 100.0,
            },
            Metric::Rate if results.messages.expected == 0 => return Measured::Nothing,
            Metric::SentRate if results.messages.window.is_zero() => return Measured::Nothing,
            Metric::Rate => results.messages.rate(),
            Metric::SentRate => results.messages.sent_rate(),
            Metric::Cpu => results.generator.cpu * 100.0,
            Metric::Memory => results.generator.rss as f64,
        };
        Measured::Number(number)
    }

    /// What is compared is what is printed: a rate as a whole number.
    fn as_printed(&self, number: f64) -> f64 {
        match self.metric {
            Metric::Rate | Metric::SentRate => number.round(),
            _ => number,
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "they come from whole numbers"
    )]
    fn shown(&self, value: Measured) -> Option<String> {
        let number = match value {
            Measured::Number(number) => number,
            Measured::Never => return Some("never".to_owned()),
            Measured::Nothing => return None,
        };
        Some(match self.metric {
            Metric::Time(..) => precise(number as u64),
            Metric::Count(_) | Metric::Rate | Metric::SentRate => {
                words::thousands(number.round() as u64)
            }
            Metric::LostShare | Metric::Cpu => words::percent(number),
            Metric::Memory => words::memory(number as u64),
        })
    }
}

impl Operator {
    #[expect(clippy::float_cmp, reason = "the user asks for equality")]
    fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Above => left > right,
            Self::AtLeast => left >= right,
            Self::Below => left < right,
            Self::AtMost => left <= right,
            Self::Equal => left == right,
            Self::Unequal => left != right,
        }
    }
}

fn times(source: TimeSource, results: &Results) -> &LatencyTimes {
    let Results { latencies, connections, .. } = results;
    let has_data = |times: &LatencyTimes| times.count() + times.never() > 0;
    match source {
        TimeSource::Main if has_data(&latencies.delivery) => &latencies.delivery,
        TimeSource::Main if has_data(&latencies.acknowledgement) => &latencies.acknowledgement,
        TimeSource::Main | TimeSource::Connect => &connections.times.whole,
        TimeSource::Delivery => &latencies.delivery,
        TimeSource::Acknowledgement => &latencies.acknowledgement,
        TimeSource::Tls => &connections.times.tls,
        TimeSource::Suback => &connections.times.suback,
        TimeSource::Lateness => &latencies.lateness,
        TimeSource::Cut => &results.disturbances.back,
    }
}

#[expect(clippy::cast_precision_loss, reason = "an hour has 10^13 nanoseconds")]
fn time(times: &LatencyTimes, figure: Figure) -> Measured {
    let quantile = match figure {
        Figure::Quantile(share) => times.quantile(share),
        Figure::Maximum => times.maximum(),
        Figure::Mean if times.never() > 0 => Some(Quantile::Never),
        Figure::Mean => times.mean().map(Quantile::Time),
    };
    match quantile {
        Some(Quantile::Time(time)) => Measured::Number(time as f64),
        Some(Quantile::Never) => Measured::Never,
        None => Measured::Nothing,
    }
}
