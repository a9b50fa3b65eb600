//! The conditions that fail a run: those of `--fail`, and those that follow from what MQTT
//! promises.

mod grammar;
mod metric;
mod value;

use super::results::Results;
use super::words;
use crate::mqtt::qos::QoS;
use metric::{Count, Metric};
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
        | Count::Failed
        | Count::Disconnected
        | Count::Connected => true,
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
    }
}
