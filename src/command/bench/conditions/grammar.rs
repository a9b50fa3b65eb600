//! How conditions are written: `p99>20ms`, `lost%>0.1%`, `rate<20k`.

use std::str::FromStr;

use super::metric::{Count, Figure, Metric, TimeSource};
use super::{Bound, Condition, IMPLIED, Operator, Tolerated};

const OPERATORS: &str = "> >= < <= == !=";

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let at = text.find(['>', '<', '=', '!']).ok_or_else(|| {
            let place = if text.is_empty() { String::new() } else { format!("{text}: ") };
            format!("{place}expected METRIC OP VALUE, such as p99>20ms; OP is one of {OPERATORS}")
        })?;
        let (name, rest) = text.split_at(at);
        let (operator, value) = operator(rest)
            .ok_or_else(|| format!("{text}: expected one of {OPERATORS} after {name}"))?;
        let metric = metric(name.trim()).ok_or_else(|| unknown(name.trim()))?;
        let bound = bound(metric, value.trim()).map_err(|error| format!("{text}: {error}"))?;
        let text = text.split_whitespace().collect();
        Ok(Self { text, metric, operator, bound })
    }
}

fn unknown(name: &str) -> String {
    format!(
        "{name} is no metric; there are p50, p99.9 and the like, max, mean (of delivery, or \
         ack.p99, connect.p99, tls.p99, suback.p99, lateness.p99, cut.p99), lost, lost%, missed, \
         duplicated, reordered, corrupted, unsent, refused, unacknowledged, failed, disconnected, \
         connected, rate, sent_rate, cpu, rss"
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

/// The metric of this name.
pub fn metric(name: &str) -> Option<Metric> {
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
    if let Some((_, figure)) = [("max", Figure::Maximum), ("mean", Figure::Mean)]
        .into_iter()
        .find(|(known, _)| *known == name)
    {
        return Some(figure);
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
        "unacknowledged" => Count::Unacknowledged,
        "failed" => Count::Failed,
        "disconnected" => Count::Disconnected,
        "connected" => Count::Connected,
        _ => return None,
    })
}

/// A value, or how many times that of the baseline it is: `20ms`, `1.2x`.
fn bound(metric: Metric, text: &str) -> Result<Bound, String> {
    let Some(times) = text.strip_suffix('x') else {
        return value_of(metric, text).map(Bound::Value);
    };
    let times: Option<f64> = times.trim_end().parse().ok();
    times
        .filter(|times| times.is_finite() && *times >= 0.0)
        .map(Bound::OfBaseline)
        .ok_or_else(|| "expected a number before x, such as 1.2x".to_owned())
}

/// The number that a value stands for: times in nanoseconds.
pub fn value_of(metric: Metric, text: &str) -> Result<f64, String> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '%');
    let unit = text[number.len()..].trim();
    let (factor, expected) = match metric {
        Metric::Time(..) => {
            (time_unit(unit), "a time with ns, us, ms or s, or a multiple of the baseline's with x")
        }
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

#[cfg(test)]
mod tests {
    use super::*;

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
            ("lost > 0", 0.0),
            ("p99.999<=3 ms", 3e6),
            ("rss>100KiB", 102_400.0),
        ] {
            let Bound::Value(parsed) = text.parse::<Condition>().unwrap().bound else { panic!() };
            assert!((parsed - value).abs() < 1e-9, "{text}");
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
            "p99>x",
            "p99>-1x",
            "p99>infx",
            "p99>1xs",
            "p99>1e400ms",
            ">1",
        ] {
            assert!(wrong.parse::<Condition>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_multiple_of_the_baseline_has_an_x() {
        for (text, times) in [("p99>1.2x", 1.2), ("lost<=2 x", 2.0), ("rss>1x", 1.0)] {
            let condition: Condition = text.parse().unwrap();
            assert_eq!(condition.bound, Bound::OfBaseline(times), "{text}");
            assert!(condition.is_of_baseline());
        }
    }

    #[test]
    fn only_what_is_implied_is_tolerated() {
        assert_eq!("lost".parse(), Ok(Tolerated::Count(Count::Lost)));
        assert!("p99".parse::<Tolerated>().is_err() && "".parse::<Tolerated>().is_err());
    }
}
