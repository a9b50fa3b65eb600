//! The results as metrics in the text format of Prometheus, as the textfile collector of its node
//! exporter reads them. All are gauges: a later run starts again.

use std::fmt::{Display, Write};

use super::results::PingResults;
use super::server::ServerFacts;

/// The metrics, without the last line feed.
pub fn metrics(results: &PingResults) -> String {
    let mut text = MetricsText { url: escaped(&results.url), text: String::new() };
    let is_up = u8::from(!results.answers.is_empty());
    text.single("up", "Whether the broker was reached and answered a probe.", is_up);
    text.single("probes_sent", "How many probes the last run sent.", results.sent);
    let answered = results.answers.count();
    text.single("probes_answered", "How many probes of the last run were answered.", answered);
    round_trips(results, &mut text);
    phases(results, &mut text);
    if let Some(end) = results.server.as_ref().and_then(ServerFacts::certificate_end) {
        let what = "The last second of the server's certificate, since 1970.";
        text.single("certificate_not_after_timestamp_seconds", what, end);
    }
    text.text.truncate(text.text.trim_end().len());
    text.text
}

fn round_trips(results: &PingResults, text: &mut MetricsText) {
    let Some(figures) = results.answers.figures() else { return };
    text.head("round_trip_seconds", "How long the answers of the last run took.");
    for (name, time) in [
        ("min", figures.minimum),
        ("avg", figures.mean),
        ("p50", figures.p50),
        ("p99", figures.p99),
        ("max", figures.maximum),
        ("stddev", figures.deviation),
    ] {
        text.sample("round_trip_seconds", Some(("statistic", name)), time / 1000.0);
    }
}

fn phases(results: &PingResults, text: &mut MetricsText) {
    let Some(server) = &results.server else { return };
    text.head("connect_phase_seconds", "How long each step of connecting took.");
    for (name, time) in &server.phases {
        text.sample("connect_phase_seconds", Some(("phase", name)), time.as_secs_f64());
    }
}

/// The text so far.
struct MetricsText {
    /// The value of the label that every sample has, escaped.
    url: String,
    text: String,
}

impl MetricsText {
    /// A metric with one sample.
    fn single(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, help);
        self.sample(name, None, value);
    }

    fn head(&mut self, name: &str, help: &str) {
        self.put(format_args!("# HELP mqttws_ping_{name} {help}\n"));
        self.put(format_args!("# TYPE mqttws_ping_{name} gauge\n"));
    }

    fn sample(&mut self, name: &str, label: Option<(&str, &str)>, value: impl Display) {
        let label = label.map(|(name, value)| format!(",{name}=\"{value}\"")).unwrap_or_default();
        let url = self.url.clone();
        self.put(format_args!("mqttws_ping_{name}{{url=\"{url}\"{label}}} {value}\n"));
    }

    fn put(&mut self, line: std::fmt::Arguments<'_>) {
        self.text.write_fmt(line).expect("a string takes everything");
    }
}

/// The value of a label: three characters have escapes.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        let results = PingResults::new("ws://h/a\"b\\c\nd".to_owned(), None);
        let text = metrics(&results);
        let sample = r#"mqttws_ping_up{url="ws://h/a\"b\\c\nd"} 0"#;
        assert!(text.lines().any(|line| line == sample), "{text}");
    }
}
