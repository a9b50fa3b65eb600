//! The summary of a run (`--summary`): a sentence for people or a JSON object for programs.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::count::count;
use super::statistics::{Figures, Statistics};

/// How a summary is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SummaryForm {
    /// A sentence.
    Text,
    /// A line of JSON.
    Json,
}

/// Counts of a stream of messages.
#[derive(Debug)]
pub struct RunSummary<'a> {
    /// `published` or `received`.
    pub verb: &'static str,
    /// How many were.
    pub messages: u64,
    /// Their payloads, in bytes.
    pub bytes: u64,
    /// How many were refused, where that can be.
    pub refused: Option<u64>,
    /// How long it took from beginning to end.
    pub took: Duration,
    /// What else was measured: its name, and its times.
    pub times: Option<(&'static str, &'a Statistics)>,
}

impl RunSummary<'_> {
    /// The summary in this form, without a line feed.
    pub fn line(&self, form: SummaryForm) -> String {
        match form {
            SummaryForm::Text => self.text(),
            SummaryForm::Json => self.json(),
        }
    }

    fn text(&self) -> String {
        let (messages, bytes) = (count(self.messages, "message"), count(self.bytes, "byte"));
        let (verb, seconds) = (self.verb, self.took.as_secs_f64());
        let (rate, byte_rate) = (self.per_second(self.messages), self.per_second(self.bytes));
        let counts = format!(
            "{verb} {messages}, {bytes} in {seconds:.3} s, {rate:.1} messages/s, \
             {byte_rate:.0} bytes/s"
        );
        let times =
            self.figures().map(|(name, count, figures)| format!("; {name} of {count}: {figures}"));
        counts + &times.unwrap_or_default()
    }

    fn json(&self) -> String {
        let mut fields = Map::new();
        let mut put = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
        put(self.verb, self.messages.into());
        if let Some(refused) = self.refused {
            put("refused", refused.into());
        }
        put("bytes", self.bytes.into());
        put("seconds", rounded(self.took.as_secs_f64()));
        put("rate", rounded(self.per_second(self.messages)));
        put("byte_rate", rounded(self.per_second(self.bytes)));
        if let Some((name, _)) = self.times {
            let times =
                self.figures().map_or(Value::Null, |(_, count, figures)| times(count, &figures));
            put(&format!("{name}_ms"), times);
        }
        Value::Object(fields).to_string()
    }

    fn figures(&self) -> Option<(&'static str, u64, Figures)> {
        let (name, statistics) = self.times?;
        Some((name, statistics.count(), statistics.figures()?))
    }

    #[expect(clippy::cast_precision_loss, reason = "nobody counts 2^52 messages or bytes")]
    fn per_second(&self, number: u64) -> f64 {
        let seconds = self.took.as_secs_f64();
        if seconds > 0.0 { number as f64 / seconds } else { 0.0 }
    }
}

/// Figures as an object, in milliseconds.
pub fn times(count: u64, figures: &Figures) -> Value {
    json!({
        "count": count,
        "min": rounded(figures.minimum),
        "avg": rounded(figures.mean),
        "p50": rounded(figures.p50),
        "p99": rounded(figures.p99),
        "max": rounded(figures.maximum),
        "stddev": rounded(figures.deviation),
    })
}

/// To three decimals: all that was measured.
pub fn rounded(number: f64) -> Value {
    ((number * 1000.0).round() / 1000.0).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_in_both_forms() {
        let (none, mut one) = (Statistics::default(), Statistics::default());
        one.add(Duration::from_millis(2));
        let summary = |times| RunSummary {
            verb: "published",
            messages: 3,
            bytes: 12,
            refused: Some(1),
            took: Duration::from_millis(1500),
            times,
        };
        let text = "published 3 messages, 12 bytes in 1.500 s, 2.0 messages/s, 8 bytes/s";
        assert_eq!(summary(None).line(SummaryForm::Text), text);
        let without = summary(Some(("acknowledgement", &none)));
        assert_eq!(without.line(SummaryForm::Text), text);
        let json = concat!(
            r#"{"acknowledgement_ms":null,"byte_rate":8.0,"bytes":12,"published":3,"#,
            r#""rate":2.0,"refused":1,"seconds":1.5}"#
        );
        assert_eq!(without.line(SummaryForm::Json), json);
        let with = summary(Some(("acknowledgement", &one)));
        let times = "acknowledgement of 1: min/avg/p50/p99/max/stddev = \
                     2.000/2.000/2.000/2.000/2.000/0.000 ms";
        assert_eq!(with.line(SummaryForm::Text), format!("{text}; {times}"));
        let times = r#"{"avg":2.0,"count":1,"max":2.0,"min":2.0,"p50":2.0,"p99":2.0,"stddev":0.0}"#;
        assert_eq!(with.line(SummaryForm::Json), json.replace("null", times));
    }
}
