//! The conditions that fail a run: those of `--fail`, and those that follow from what MQTT
//! promises.

use std::str::FromStr;

use super::measure::{LatencyTimes, Quantile, precise};
use super::results::Results;
use super::words;
use crate::mqtt::qos::QoS;

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `==`
    Equal,
    /// `!=`
    Unequal,
}

/// Of which times a figure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeSource {
    /// Delivery, else acknowledgement, else connecting.
    Main,
    /// Delivery.
    Delivery,
    /// Acknowledgement.
    Acknowledgement,
    /// Connecting.
    Connect,
    /// The TLS handshake.
    Tls,
    /// SUBACK.
    Suback,
    /// The lateness of the generator.
    Lateness,
    /// Coming back after a cut.
    Cut,
}

/// A figure of times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Figure {
    /// The time that this share does not exceed.
    Quantile(f64),
    /// The longest.
    Maximum,
    /// The mean.
    Mean,
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Metric {
    /// A time.
    Time(TimeSource, Figure),
    /// A number.
    Count(Count),
    /// Lost copies, in percent of those expected.
    LostShare,
    /// Copies received a second.
    Rate,
    /// Messages sent a second.
    SentRate,
    /// The share of a core that the loop took, in percent.
    Cpu,
    /// The peak of the memory, in bytes.
    Memory,
}

/// A number of things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Copies that never came.
    Lost,
    /// Copies sent to readers that were away.
    Missed,
    /// Second copies.
    Duplicated,
    /// Copies after a later one.
    Reordered,
    /// Copies that are not what was sent.
    Corrupted,
    /// Messages that were due and not sent.
    Unsent,
    /// Messages that were refused.
    Refused,
    /// Connections that were not made.
    Failed,
    /// Connections that were lost.
    Disconnected,
    /// Connections that were made.
    Connected,
}

/// A condition, as it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    text: String,
    metric: Metric,
    operator: Operator,
    value: f64,
}

/// An implied condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tolerated {
    /// Of a number above 0.
    Count(Count),
    /// Of overload.
    Overload,
}

/// A condition and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ConditionOutcome {
    /// As it was written.
    pub condition: String,
    /// Whether it follows from what MQTT promises.
    pub origin: ConditionOrigin,
    /// The value, for people; `None` without data.
    pub shown: Option<String>,
    /// The value, for programs.
    pub value: Measured,
    /// Whether the run has failed by it.
    pub verdict: ConditionVerdict,
}

/// Where a condition comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConditionOrigin {
    /// `--fail`
    Given,
    /// What MQTT promises.
    Implied,
}

/// What a condition says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConditionVerdict {
    /// It is not true.
    Passed,
    /// It is true, or there are no data.
    Failed,
}

/// A value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Measured {
    /// A number: times in nanoseconds, shares in percent, memory in bytes.
    Number(f64),
    /// A time that never came.
    Never,
    /// There are no data.
    Nothing,
}

const OPERATORS: &str = "> >= < <= == !=";

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let at = text.find(['>', '<', '=', '!']).ok_or_else(|| {
            format!("{text}: expected METRIC OP VALUE, such as p99>20ms; OP is one of {OPERATORS}")
        })?;
        let (name, rest) = text.split_at(at);
        let (operator, value) = operator(rest)
            .ok_or_else(|| format!("{text}: expected one of {OPERATORS} after {name}"))?;
        let metric = metric(name.trim()).ok_or_else(|| unknown(name.trim()))?;
        let value = value_of(metric, value.trim()).map_err(|error| format!("{text}: {error}"))?;
        let text = text.split_whitespace().collect();
        Ok(Self { text, metric, operator, value })
    }
}

fn unknown(name: &str) -> String {
    format!(
        "{name} is no metric; there are p50, p99.9 and the like, max, mean (of delivery, or \
         ack.p99, connect.p99, tls.p99, suback.p99, lateness.p99, cut.p99), lost, lost%, missed, \
         duplicated, reordered, corrupted, unsent, refused, failed, disconnected, connected, rate, \
         sent_rate, cpu, rss"
    )
}

fn operator(text: &str) -> Option<(Operator, &str)> {
    let two = |mark: &str| text.strip_prefix(mark);
    None.or_else(|| two(">=").map(|rest| (Operator::AtLeast, rest)))
        .or_else(|| two("<=").map(|rest| (Operator::AtMost, rest)))
        .or_else(|| two("==").map(|rest| (Operator::Equal, rest)))
        .or_else(|| two("!=").map(|rest| (Operator::Unequal, rest)))
        .or_else(|| two(">").map(|rest| (Operator::Above, rest)))
        .or_else(|| two("<").map(|rest| (Operator::Below, rest)))
}

fn metric(name: &str) -> Option<Metric> {
    if let Some(count) = count(name) {
        return Some(Metric::Count(count));
    }
    Some(match name {
        "lost%" => Metric::LostShare,
        "rate" => Metric::Rate,
        "sent_rate" => Metric::SentRate,
        "cpu" => Metric::Cpu,
        "rss" => Metric::Memory,
        _ => {
            let (source, figure) = match name.split_once('.') {
                Some((source, figure)) if source_of(source).is_some() => {
                    (source_of(source)?, figure)
                }
                _ => (TimeSource::Main, name),
            };
            Metric::Time(source, figure_of(figure)?)
        }
    })
}

fn source_of(name: &str) -> Option<TimeSource> {
    Some(match name {
        "delivery" => TimeSource::Delivery,
        "ack" => TimeSource::Acknowledgement,
        "connect" => TimeSource::Connect,
        "tls" => TimeSource::Tls,
        "suback" => TimeSource::Suback,
        "lateness" => TimeSource::Lateness,
        "cut" => TimeSource::Cut,
        _ => return None,
    })
}

fn figure_of(name: &str) -> Option<Figure> {
    match name {
        "max" => return Some(Figure::Maximum),
        "mean" => return Some(Figure::Mean),
        _ => {}
    }
    let percent = name.strip_prefix('p').filter(|digits| digits.starts_with(char::is_numeric))?;
    let percent: f64 = percent.parse().ok()?;
    (percent > 0.0 && percent <= 100.0).then_some(Figure::Quantile(percent / 100.0))
}

fn count(name: &str) -> Option<Count> {
    Some(match name {
        "lost" => Count::Lost,
        "missed" => Count::Missed,
        "duplicated" => Count::Duplicated,
        "reordered" => Count::Reordered,
        "corrupted" => Count::Corrupted,
        "unsent" => Count::Unsent,
        "refused" => Count::Refused,
        "failed" => Count::Failed,
        "disconnected" => Count::Disconnected,
        "connected" => Count::Connected,
        _ => return None,
    })
}

/// The number that a value stands for: times in nanoseconds.
fn value_of(metric: Metric, text: &str) -> Result<f64, String> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '%');
    let unit = text[number.len()..].trim();
    let (factor, expected) = match metric {
        Metric::Time(..) => (time_unit(unit), "a time with ns, us, ms or s"),
        Metric::LostShare | Metric::Cpu => (share_unit(unit), "a share in %"),
        Metric::Memory => (memory_unit(unit), "a size with KiB or MiB"),
        Metric::Count(_) | Metric::Rate | Metric::SentRate => {
            (number_unit(unit), "a number, perhaps with k or M")
        }
    };
    let factor = factor.ok_or_else(|| format!("expected {expected}"))?;
    let number: f64 = number.trim().parse().map_err(|_| "expected a number".to_owned())?;
    if number.is_finite() && number >= 0.0 {
        Ok(number * factor)
    } else {
        Err("expected a number, at least 0".to_owned())
    }
}

fn time_unit(unit: &str) -> Option<f64> {
    match unit {
        "ns" => Some(1.0),
        "us" | "µs" => Some(1e3),
        "ms" => Some(1e6),
        "s" => Some(1e9),
        _ => None,
    }
}

fn share_unit(unit: &str) -> Option<f64> {
    matches!(unit, "%" | "").then_some(1.0)
}

fn memory_unit(unit: &str) -> Option<f64> {
    match unit {
        "" => Some(1.0),
        "KiB" => Some(1024.0),
        "MiB" => Some(1_048_576.0),
        _ => None,
    }
}

fn number_unit(unit: &str) -> Option<f64> {
    match unit {
        "" => Some(1.0),
        "k" => Some(1e3),
        "M" => Some(1e6),
        _ => None,
    }
}

impl FromStr for Tolerated {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let implied = IMPLIED.into_iter().find(|count| count.name() == name);
        match (implied, name) {
            (Some(count), _) => Ok(Self::Count(count)),
            (None, "overload") => Ok(Self::Overload),
            (None, _) => Err(format!(
                "{name}: expected failed, disconnected, corrupted, unsent, overload, lost, \
                 duplicated or reordered"
            )),
        }
    }
}

/// The numbers that fail a run that has any.
const IMPLIED: [Count; 7] = [
    Count::Failed,
    Count::Disconnected,
    Count::Corrupted,
    Count::Unsent,
    Count::Lost,
    Count::Duplicated,
    Count::Reordered,
];

impl Count {
    /// Its name in conditions.
    fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Missed => "missed",
            Self::Duplicated => "duplicated",
            Self::Reordered => "reordered",
            Self::Corrupted => "corrupted",
            Self::Unsent => "unsent",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Disconnected => "disconnected",
            Self::Connected => "connected",
        }
    }
}

/// Whether MQTT promises at this QoS that there are none.
fn is_promised(count: Count, qos: QoS) -> bool {
    match count {
        Count::Lost => qos > QoS::AtMostOnce,
        Count::Duplicated => qos != QoS::AtLeastOnce,
        _ => true,
    }
}

/// Every condition that was given, and every implied one that is true; `qos` is what the readers
/// were promised.
pub fn outcomes(
    given: &[Condition],
    tolerated: &[Tolerated],
    qos: QoS,
    results: &Results,
    is_overloaded: bool,
) -> Vec<ConditionOutcome> {
    let mut outcomes: Vec<ConditionOutcome> =
        given.iter().map(|condition| condition.outcome(results)).collect();
    for count in IMPLIED {
        let number = number(count, results);
        if number > 0 && is_promised(count, qos) && !tolerated.contains(&Tolerated::Count(count)) {
            outcomes.push(implied(format!("{}>0", count.name()), number));
        }
    }
    if is_overloaded && !tolerated.contains(&Tolerated::Overload) {
        outcomes.push(implied("overload".to_owned(), 1));
    }
    outcomes
}

#[expect(clippy::cast_precision_loss, reason = "few digits are shown")]
fn implied(condition: String, number: u64) -> ConditionOutcome {
    let shown = (condition != "overload").then(|| words::thousands(number));
    ConditionOutcome {
        condition,
        origin: ConditionOrigin::Implied,
        shown,
        value: Measured::Number(number as f64),
        verdict: ConditionVerdict::Failed,
    }
}

fn number(count: Count, results: &Results) -> u64 {
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
    fn outcome(&self, results: &Results) -> ConditionOutcome {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(text: &str) -> Condition {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    fn results() -> Results {
        let mut results = Results::default();
        results.latencies.delivery.add_many(5_000_000, 1000);
        results.verified.copies = 1000;
        results.messages.expected = 1000;
        results.messages.received = 1000;
        results.messages.window = std::time::Duration::from_secs(1);
        results
    }

    fn failed(text: &str, results: &Results) -> bool {
        condition(text).outcome(results).verdict == ConditionVerdict::Failed
    }

    #[test]
    fn units_are_those_of_the_metric() {
        for (text, value) in [
            ("p99>20ms", 2e7),
            ("ack.p99.9 >= 1.5s", 1.5e9),
            ("max<100us", 1e5),
            ("mean!=7ns", 7.0),
            ("lost>10k", 1e4),
            ("lost%>0.1%", 0.1),
            ("rate<20k", 2e4),
            ("sent_rate<1.5M", 1.5e6),
            ("rss>=16MiB", 16.0 * 1_048_576.0),
            ("cpu>90%", 90.0),
            ("connect.max>1s", 1e9),
        ] {
            assert!((condition(text).value - value).abs() < 1e-9, "{text}");
        }
        for wrong in [
            "",
            "p99",
            "p99>20",
            "p99>ms",
            "p0>1ms",
            "p101>1ms",
            "px>1ms",
            "p99=1ms",
            "p99>>1ms",
            "lost>1ms",
            "lost%>1k",
            "rss>1k",
            "foo>1",
            "lost>-1",
            "x.p99>1ms",
            "p99>infs",
            ">1",
        ] {
            assert!(wrong.parse::<Condition>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_condition_is_true_or_not() {
        let results = results();
        for (text, expected) in [
            ("p99>4ms", true),
            ("p99>20ms", false),
            ("p99==5ms", true),
            ("p99>=5ms", true),
            ("p99>5ms", false),
            ("lost>0", false),
            ("lost==0", true),
            ("rate<1000", false),
            ("rate<1001", true),
            ("lost%>0", false),
        ] {
            assert_eq!(failed(text, &results), expected, "{text}");
        }
    }

    #[test]
    fn without_data_a_condition_fails() {
        let outcome = condition("ack.p99>1s").outcome(&results());
        assert_eq!((outcome.verdict, outcome.shown), (ConditionVerdict::Failed, None));
        assert!(failed("p99<1s", &Results::default()));
        assert!(failed("p99>1s", &Results::default()));
    }

    #[test]
    fn what_never_came_is_above_everything() {
        let mut results = results();
        results.latencies.delivery.add_never(100);
        assert!(failed("p99>3600s", &results) && !failed("p99<3600s", &results));
        assert!(!failed("p50>1s", &results));
    }

    #[test]
    fn promises_of_mqtt_are_implied() {
        let mut results = results();
        results.verified.lost = 3;
        results.verified.duplicated = 2;
        let names = |qos, tolerated: &[Tolerated]| {
            let outcomes = outcomes(&[], tolerated, qos, &results, false);
            outcomes.into_iter().map(|outcome| outcome.condition).collect::<Vec<_>>()
        };
        assert_eq!(names(QoS::AtMostOnce, &[]), ["duplicated>0"]);
        assert_eq!(names(QoS::AtLeastOnce, &[]), ["lost>0"]);
        assert_eq!(names(QoS::ExactlyOnce, &[]), ["lost>0", "duplicated>0"]);
        let tolerated = ["lost".parse().unwrap()];
        assert_eq!(names(QoS::ExactlyOnce, &tolerated), ["duplicated>0"]);
        assert!("p99".parse::<Tolerated>().is_err());
    }
}
