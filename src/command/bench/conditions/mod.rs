//! The conditions that fail a run: those of `--fail`, and those that follow from what MQTT
//! promises.

mod grammar;
mod metric;
mod value;

use super::results::Results;
use super::words;
use crate::mqtt::qos::QoS;
pub use metric::Count;
use metric::Metric;
use value::number;

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

/// A condition, as it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    text: String,
    metric: Metric,
    operator: Operator,
    bound: Bound,
}

/// What a value is compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// A number: times in nanoseconds, shares in percent, memory in bytes.
    Value(f64),
    /// So many times the value of the baseline.
    OfBaseline(f64),
}

impl Condition {
    /// Whether it needs a baseline.
    pub fn is_of_baseline(&self) -> bool {
        matches!(self.bound, Bound::OfBaseline(_))
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// What a run is judged by.
#[derive(Debug, Clone, Copy)]
pub struct ConditionTerms<'a> {
    /// The conditions of `--fail`.
    pub given: &'a [Condition],
    /// The implied conditions that do not count.
    pub tolerated: &'a [Tolerated],
    /// What the readers were promised.
    pub qos: QoS,
    /// What an earlier run has found.
    pub baseline: Option<&'a Results>,
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

impl Measured {
    /// How it compares: what never came is above all, and no data are below.
    pub fn order(self, other: Self) -> std::cmp::Ordering {
        let place = |value| match value {
            Self::Nothing => f64::NEG_INFINITY,
            Self::Number(number) => number,
            Self::Never => f64::INFINITY,
        };
        place(self).total_cmp(&place(other))
    }
}

/// The value of the metric of this name in what was found.
pub fn measured(name: &str, results: &Results) -> Measured {
    grammar::metric(name).map_or(Measured::Nothing, |metric| value::measure(metric, results))
}

/// A value of the metric of this name, for people.
pub fn shown(name: &str, value: Measured) -> String {
    match (grammar::metric(name), value) {
        (Some(metric), Measured::Number(number)) => value::shown(metric, number),
        (_, Measured::Never) => "never".to_owned(),
        (Some(_) | None, Measured::Number(_) | Measured::Nothing) => "-".to_owned(),
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

/// Whether MQTT promises at this QoS that there are none.
fn is_promised(count: Count, qos: QoS) -> bool {
    match count {
        Count::Lost => qos > QoS::AtMostOnce,
        Count::Duplicated => qos != QoS::AtLeastOnce,
        Count::Missed
        | Count::Reordered
        | Count::Corrupted
        | Count::Unsent
        | Count::Refused
        | Count::Unacknowledged
        | Count::Failed
        | Count::Disconnected
        | Count::Connected => true,
    }
}

impl ConditionTerms<'_> {
    /// Every condition that was given, and every implied one that is true. `delivered` is how much
    /// arrived of what was offered, in percent, if that was an overload.
    pub fn outcomes(&self, results: &Results, delivered: Option<f64>) -> Vec<ConditionOutcome> {
        let given = self.given.iter().map(|condition| condition.outcome(results, self.baseline));
        let mut outcomes: Vec<ConditionOutcome> = given.collect();
        for count in IMPLIED {
            let number = number(count, results);
            if number > 0 && self.is_implied(count) {
                outcomes.push(implied_count(count, number));
            }
        }
        let counts = !self.tolerated.contains(&Tolerated::Overload);
        outcomes.extend(delivered.filter(|_| counts).map(overload));
        outcomes
    }

    /// The first condition that is true already, and will stay so: of a number that only grows, or
    /// of times of which there are enough to tell.
    pub fn failed_early(&self, results: &Results) -> Option<String> {
        let given = self.given.iter().filter(|condition| condition.can_be_told_early(results));
        let failed = |condition: &&Condition| {
            condition.outcome(results, self.baseline).verdict == ConditionVerdict::Failed
        };
        if let Some(condition) = given.clone().find(failed) {
            return Some(condition.text.clone());
        }
        let mut counts = IMPLIED.into_iter().filter(|count| count.only_grows());
        let count = counts.find(|count| self.is_implied(*count) && number(*count, results) > 0)?;
        Some(format!("{}>0", count.name()))
    }

    fn is_implied(&self, count: Count) -> bool {
        is_promised(count, self.qos) && !self.tolerated.contains(&Tolerated::Count(count))
    }
}

#[expect(clippy::cast_precision_loss, reason = "few digits are shown")]
fn implied_count(count: Count, number: u64) -> ConditionOutcome {
    ConditionOutcome {
        condition: format!("{}>0", count.name()),
        origin: ConditionOrigin::Implied,
        shown: Some(words::thousands(number)),
        value: Measured::Number(number as f64),
        verdict: ConditionVerdict::Failed,
    }
}

/// So much was delivered of what was offered, in percent.
fn overload(delivered: f64) -> ConditionOutcome {
    ConditionOutcome {
        condition: "overload".to_owned(),
        origin: ConditionOrigin::Implied,
        shown: Some(format!("{} delivered", words::percent(delivered))),
        value: Measured::Number(delivered),
        verdict: ConditionVerdict::Failed,
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
        condition(text).outcome(results, None).verdict == ConditionVerdict::Failed
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
        let outcome = condition("ack.p99>1s").outcome(&results(), None);
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
            let terms = ConditionTerms { given: &[], tolerated, qos, baseline: None };
            terms
                .outcomes(&results, None)
                .into_iter()
                .map(|outcome| outcome.condition)
                .collect::<Vec<_>>()
        };
        assert_eq!(names(QoS::AtMostOnce, &[]), ["duplicated>0"]);
        assert_eq!(names(QoS::AtLeastOnce, &[]), ["lost>0"]);
        assert_eq!(names(QoS::ExactlyOnce, &[]), ["lost>0", "duplicated>0"]);
        let tolerated = ["lost".parse().unwrap()];
        assert_eq!(names(QoS::ExactlyOnce, &tolerated), ["duplicated>0"]);
    }

    #[test]
    fn without_messages_there_are_no_data() {
        let mut results = Results::default();
        results.connections.wanted = 3;
        results.connections.made = 3;
        for text in ["lost>0", "lost==0", "duplicated>0", "unsent>0", "rate<1", "p99>1s", "rss>1"] {
            assert!(failed(text, &results), "{text}");
        }
        for text in ["connected<3", "failed>0", "disconnected>0"] {
            assert!(!failed(text, &results), "{text}");
        }
    }

    #[test]
    fn a_bound_may_be_a_multiple_of_the_baseline() {
        let mut baseline = results();
        baseline.latencies.delivery.clear();
        baseline.latencies.delivery.add_many(4_000_000, 1000);
        let outcome = |text: &str, baseline: Option<&Results>| {
            let outcome = condition(text).outcome(&results(), baseline);
            (outcome.verdict, outcome.shown.unwrap_or_default())
        };
        let (failed, passed) = (ConditionVerdict::Failed, ConditionVerdict::Passed);
        let shown = "5.00 ms, 1.2x is 4.80 ms".to_owned();
        assert_eq!(outcome("p99>1.2x", Some(&baseline)), (failed, shown));
        assert_eq!(outcome("p99>1.3x", Some(&baseline)).0, passed);
        assert_eq!(outcome("rate<1x", Some(&baseline)).0, passed);
        // Without data at one of them it fails.
        assert_eq!(outcome("p99>1.3x", None).0, failed);
        assert_eq!(outcome("p99>1.3x", Some(&Results::default())).0, failed);
        assert_eq!(outcome("ack.p99>1.3x", Some(&baseline)).0, failed);
        baseline.latencies.delivery.add_never(100);
        let none = "5.00 ms, and the baseline has none".to_owned();
        assert_eq!(outcome("p99>1.3x", Some(&baseline)), (failed, none));
    }

    #[test]
    fn what_is_compared_is_what_is_printed() {
        let mut results = results();
        results.latencies.delivery.clear();
        results.latencies.delivery.add_many(2_930_687, 1000);
        let shown = |text: &str| condition(text).outcome(&results, None).shown.unwrap();
        assert_eq!(shown("p99>20ms"), "2.93 ms");
        assert_eq!(shown("p99>2.93ms"), "2.930687 ms");
        assert_eq!(shown("p99==2.93ms"), "2.930687 ms");
    }

    #[test]
    fn what_only_grows_is_told_early() {
        let early = |texts: &[&str], results: &Results, qos| {
            let given: Vec<Condition> = texts.iter().map(|text| condition(text)).collect();
            let terms = ConditionTerms { given: &given, tolerated: &[], qos, baseline: None };
            terms.failed_early(results)
        };
        let mut results = results();
        let qos = QoS::AtLeastOnce;
        assert_eq!(early(&["p99>20ms", "lost==0", "rate<1M"], &results, qos), None);
        assert_eq!(early(&["p99>4ms"], &results, qos).as_deref(), Some("p99>4ms"));
        // It may still become longer.
        assert_eq!(early(&["max<20ms", "p99<=20ms"], &results, qos), None);
        results.verified.duplicated = 2;
        assert_eq!(early(&["duplicated>1"], &results, qos).as_deref(), Some("duplicated>1"));
        assert_eq!(early(&["duplicated>2"], &results, qos), None);
        let implied = early(&[], &results, QoS::ExactlyOnce);
        assert_eq!(implied.as_deref(), Some("duplicated>0"));
        results.latencies.delivery.clear();
        results.latencies.delivery.add_many(9_000_000_000, 999);
        assert_eq!(early(&["p99>4ms"], &results, qos), None);
    }
}
