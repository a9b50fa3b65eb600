//! Objects of JSON, whose members stay in their order, and their values.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::time::Duration;

use serde_json::Value;

use crate::command::bench::conditions::Measured;
use crate::command::bench::measure::{LatencyTimes, Quantile};

/// An object that grows; its members stay in their order.
pub struct Object(String);

impl Object {
    /// An empty one.
    pub fn new() -> Self {
        Self("{".to_owned())
    }

    /// A member whose value is JSON already.
    pub fn raw(mut self, name: &str, value: impl Display) -> Self {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        // Writing to a `String` cannot fail.
        let _ = write!(self.0, "\"{name}\":{value}");
        self
    }

    /// A member that is text.
    pub fn text(self, name: &str, value: &str) -> Self {
        self.raw(name, quoted(value))
    }

    /// A member that is a list of texts.
    pub fn texts<'a>(self, name: &str, values: impl IntoIterator<Item = &'a String>) -> Self {
        self.raw(name, array(values.into_iter().map(|value| quoted(value))))
    }

    /// A member that may be missing.
    pub fn maybe(self, name: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.raw(name, value),
            None => self.raw(name, "null"),
        }
    }

    /// The whole.
    pub fn end(self) -> String {
        self.0 + "}"
    }
}

/// A text in quotes.
pub fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// An array of JSON.
pub fn array(values: impl IntoIterator<Item = String>) -> String {
    let values: Vec<String> = values.into_iter().collect();
    format!("[{}]", values.join(","))
}

/// A number with a fraction; JSON has no infinity.
pub fn number(number: f64) -> String {
    Value::from(number).to_string()
}

/// A quantile.
pub fn quantile(quantile: Option<Quantile>) -> String {
    match quantile {
        Some(Quantile::Time(time)) => time.to_string(),
        Some(Quantile::Never) => "\"never\"".to_owned(),
        None => "null".to_owned(),
    }
}

/// A value of a metric.
pub fn measured(value: Measured) -> String {
    match value {
        Measured::Number(value) if value.fract() == 0.0 => format!("{value:.0}"),
        Measured::Number(value) => number(value),
        Measured::Never => "\"never\"".to_owned(),
        Measured::Nothing => "null".to_owned(),
    }
}

/// A time in seconds.
pub fn seconds(time: Duration) -> String {
    number(time.as_secs_f64())
}

/// An object of counts.
pub fn counts<K: Display>(counts: &BTreeMap<K, u64>) -> String {
    let object = Object::new();
    counts.iter().fold(object, |object, (name, count)| object.raw(&name.to_string(), count)).end()
}

/// Times in nanoseconds; `null` if nothing was expected.
pub fn times(times: &LatencyTimes) -> String {
    if times.count() + times.never() == 0 {
        return "null".to_owned();
    }
    let summary = times.summary();
    let buckets = times.buckets().into_iter().map(|(low, count)| format!("[{low},{count}]"));
    Object::new()
        .raw("count", times.count())
        .raw("never", times.never())
        .maybe("min", times.minimum())
        .maybe("mean", times.mean())
        .raw("sum", u64::try_from(summary.sum).unwrap_or(u64::MAX))
        .maybe("longest", (times.count() > 0).then_some(summary.longest))
        .raw("p50", quantile(times.quantile(0.5)))
        .raw("p90", quantile(times.quantile(0.9)))
        .raw("p99", quantile(times.quantile(0.99)))
        .raw("p99.9", quantile(times.quantile(0.999)))
        .raw("p99.99", quantile(times.quantile(0.9999)))
        .raw("max", quantile(times.maximum()))
        .raw("histogram", array(buckets))
        .end()
}
