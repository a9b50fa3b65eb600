//! The value of a metric in what a run has found.

use super::grammar::value_of;
use super::metric::{Count, Figure, Metric, TimeSource};
use super::{
    Bound, Condition, ConditionOrigin, ConditionOutcome, ConditionVerdict, Measured, Operator,
};
use crate::command::bench::measure::{LatencyTimes, Quantile, precise};
use crate::command::bench::payload::Verification;
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
        Count::Unacknowledged => messages.unacknowledged,
        Count::Failed => connections.failures(),
        Count::Disconnected => connections.losses(),
        Count::Connected => connections.made,
    }
}

/// How many there are; `None` where there was nothing to count.
fn counted(count: Count, results: &Results) -> Option<u64> {
    let Results { connections, messages, verified, .. } = results;
    let has_data = match count {
        Count::Lost | Count::Missed | Count::Duplicated | Count::Reordered | Count::Corrupted => {
            let some = verified.copies + messages.received + verified.corrupted > 0;
            // What was published in another part is judged with that.
            let is_open = verified.split.is_open();
            let is_decided = !is_open || !matches!(count, Count::Lost | Count::Missed);
            some && is_decided && verified.extent == Verification::Full
        }
        Count::Unsent | Count::Refused | Count::Unacknowledged => {
            messages.sent + messages.unsent + messages.refusals() > 0
        }
        Count::Failed | Count::Disconnected | Count::Connected => connections.wanted > 0,
    };
    has_data.then(|| number(count, results))
}

/// So many times are enough to tell a quantile early.
const ENOUGH: u64 = 1000;

impl Condition {
    /// What comes of it, beside this baseline.
    pub fn outcome(&self, results: &Results, baseline: Option<&Results>) -> ConditionOutcome {
        let value = as_printed(self.metric, measure(self.metric, results));
        let bound = self.bound(baseline);
        let verdict = match (value.number(), bound) {
            (Some(value), Some(bound)) if !self.operator.holds(value, bound) => {
                ConditionVerdict::Passed
            }
            // A condition without data proves nothing.
            (Some(_), Some(_)) | (None, _) | (_, None) => ConditionVerdict::Failed,
        };
        ConditionOutcome {
            condition: self.text.clone(),
            origin: ConditionOrigin::Given,
            shown: self.shown(value, bound),
            value,
            verdict,
        }
    }

    /// What is compared with; `None` if the baseline has nothing to say.
    fn bound(&self, baseline: Option<&Results>) -> Option<f64> {
        match self.bound {
            Bound::Value(value) => Some(value),
            Bound::OfBaseline(times) => match measure(self.metric, baseline?) {
                Measured::Number(number) => Some(number * times),
                Measured::Never | Measured::Nothing => None,
            },
        }
    }

    /// The value for people: three digits, or all of them if three would say something else.
    fn shown(&self, value: Measured, bound: Option<f64>) -> Option<String> {
        let number = match value {
            Measured::Number(number) => number,
            Measured::Never => return Some("never".to_owned()),
            Measured::Nothing => return None,
        };
        let Some(bound) = bound else {
            return Some(format!("{}, and the baseline has none", shown(self.metric, number)));
        };
        let brief = shown(self.metric, number);
        let read = value_of(self.metric, &brief.replace(',', "")).ok();
        let misleads =
            |read| self.operator.holds(read, bound) != self.operator.holds(number, bound);
        let text = if read.is_none_or(misleads) { exact(self.metric, number) } else { brief };
        Some(match self.bound {
            Bound::Value(_) => text,
            Bound::OfBaseline(times) => {
                format!("{text}, {times}x is {}", shown(self.metric, bound))
            }
        })
    }

    /// Whether it is true of large values.
    fn is_of_too_much(&self) -> bool {
        matches!(self.operator, Operator::Above | Operator::AtLeast)
    }

    /// Whether it can be told before the end.
    pub fn can_be_told_early(&self, results: &Results) -> bool {
        match self.metric {
            Metric::Count(count) => count.only_grows() && self.is_of_too_much(),
            Metric::Time(..) if !self.is_of_too_much() => false,
            Metric::Time(source, _) => {
                let times = times(source, results);
                times.count() + times.never() >= ENOUGH
            }
            Metric::LostShare | Metric::Rate | Metric::SentRate | Metric::Cpu | Metric::Memory => {
                false
            }
        }
    }
}

impl Measured {
    /// The number that is compared; what never came is above all.
    fn number(self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Never => Some(f64::INFINITY),
            Self::Nothing => None,
        }
    }
}

/// The value of a metric.
#[expect(clippy::cast_precision_loss, reason = "few digits are shown")]
pub fn measure(metric: Metric, results: &Results) -> Measured {
    let Results { messages, verified, generator, .. } = results;
    let number = match metric {
        Metric::Time(source, figure) => return time(times(source, results), figure),
        Metric::Count(count) => counted(count, results).map(|number| number as f64),
        Metric::LostShare => {
            let is_known = verified.extent == Verification::Full && !verified.split.is_open();
            let copies = Some(verified.copies as f64).filter(|all| *all > 0.0 && is_known);
            copies.map(|copies| verified.lost as f64 / copies * 100.0)
        }
        Metric::Rate => (messages.expected > 0).then(|| messages.rate()),
        Metric::SentRate => (!messages.window.is_zero()).then(|| messages.sent_rate()),
        Metric::Cpu => Some(generator.cpu * 100.0),
        Metric::Memory => Some(generator.rss as f64).filter(|rss| *rss > 0.0),
    };
    number.map_or(Measured::Nothing, Measured::Number)
}

/// What is compared is what is printed: a rate as a whole number.
fn as_printed(metric: Metric, value: Measured) -> Measured {
    match (metric, value) {
        (Metric::Rate | Metric::SentRate, Measured::Number(rate)) => Measured::Number(rate.round()),
        _ => value,
    }
}

/// A value with few digits.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "they come from whole numbers"
)]
pub fn shown(metric: Metric, number: f64) -> String {
    match metric {
        Metric::Time(..) => precise(number as u64),
        Metric::Count(_) | Metric::Rate | Metric::SentRate => {
            words::thousands(number.round() as u64)
        }
        Metric::LostShare | Metric::Cpu => words::percent(number),
        Metric::Memory => words::memory(number as u64),
    }
}

/// A value with all its digits.
fn exact(metric: Metric, number: f64) -> String {
    match metric {
        Metric::Time(..) => format!("{} ms", number / 1e6),
        Metric::Count(_) | Metric::Rate | Metric::SentRate => number.to_string(),
        Metric::LostShare | Metric::Cpu => format!("{number} %"),
        Metric::Memory => format!("{} KiB", number / 1024.0),
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
