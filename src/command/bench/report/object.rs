//! Objects of JSON, whose members stay in their order, and their values.

use std::fmt::{Display, Write};

use serde_json::Value;

use crate::command::bench::conditions::Measured;
use crate::command::bench::measure::Quantile;

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
