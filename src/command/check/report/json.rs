//! The report as one JSON object, its keys in a fixed order. `format` 1 grows by new keys only.

use std::fmt::{Display, Write};
use std::time::Duration;

use bytes::BytesMut;

use super::super::finding::Verdict;
use super::super::journal::{Evidence, Fact};
use super::super::points::{Point, Set};
use super::super::run::{Novelty, PointResult};
use super::{Report, text};
use crate::format::{escape, json};

/// Facts that stand under `reached` and not among the facts.
const REACHED: [&str; 10] = [
    "address",
    "subprotocol",
    "tls_version",
    "tls_cipher",
    "tls_alpn",
    "tls_subject",
    "tls_names",
    "tls_not_after",
    "tls_sha256",
    "tls_needs_sni",
];

/// An object or an array that is being written.
pub struct Writer {
    out: String,
}

impl Writer {
    /// An object.
    pub fn object() -> Self {
        Self { out: "{".to_owned() }
    }

    fn key(&mut self, key: &str) {
        // No member ends so: text ends with a quotation mark, an object with a brace.
        if !self.out.ends_with('{') {
            self.out.push(',');
        }
        self.out.push_str(&quoted(key));
        self.out.push(':');
    }

    /// A member whose value is JSON already.
    pub fn raw(&mut self, key: &str, value: impl Display) -> &mut Self {
        self.key(key);
        // Writing to a `String` cannot fail.
        let _ = write!(self.out, "{value}");
        self
    }

    /// A member whose value is text.
    pub fn text(&mut self, key: &str, value: &str) -> &mut Self {
        self.raw(key, quoted(value))
    }

    /// A member whose value is a time in seconds.
    pub fn seconds(&mut self, key: &str, time: Duration) -> &mut Self {
        // Whole milliseconds: what is more is noise.
        let rounded = (time.as_secs_f64() * 1000.0).round() / 1000.0;
        self.raw(key, rounded)
    }

    /// A member whose value is a list of texts.
    pub fn texts<'a>(&mut self, key: &str, values: impl IntoIterator<Item = &'a str>) -> &mut Self {
        let values: Vec<String> = values.into_iter().map(quoted).collect();
        self.raw(key, array(&values))
    }

    /// The object.
    pub fn end(&mut self) -> String {
        std::mem::take(&mut self.out) + "}"
    }
}

/// A JSON string, harmless for a terminal.
fn quoted(text: &str) -> String {
    let mut out = BytesMut::new();
    json::string(text, &mut out);
    let mut harmless = String::with_capacity(out.len());
    for c in String::from_utf8_lossy(&out).chars() {
        if escape::is_harmless(c) {
            harmless.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a `String` cannot fail.
                let _ = write!(harmless, "\\u{unit:04x}");
            }
        }
    }
    harmless
}

/// A JSON array of what is JSON already.
pub fn array(values: &[String]) -> String {
    format!("[{}]", values.join(","))
}

/// The name of a verdict in JSON: as in the text.
fn verdict_name(verdict: Verdict) -> &'static str {
    verdict.name()
}

/// The whole report, without a line end.
pub fn render(report: &Report, detail: text::Detail) -> String {
    let mut root = Writer::object();
    root.raw("format", 1).text("mqttws", env!("CARGO_PKG_VERSION")).text("url", &report.server.url);
    root.text("started", &report.course.started).seconds("seconds", report.course.time);
    root.text("set", if report.selection.set == Set::Full { "full" } else { "default" });
    root.raw("connections", report.course.connections);
    root.raw("reached", reached(report)).raw("facts", facts(report));
    root.raw("headlines", headlines(report)).raw("points", points(report, detail));
    if !report.fixed.is_empty() {
        root.texts("fixed", report.fixed.iter().map(String::as_str));
    }
    root.raw("counts", counts(report));
    let (judgement, reason) = report.verdict();
    root.text("verdict", judgement.name());
    match (reason, &report.failure) {
        (Some(reason), _) => drop(root.text("reason", reason)),
        (None, Some((_, words))) => drop(root.text("reason", words)),
        (None, None) => {}
    }
    root.raw("exit", u8::from(report.exit()));
    root.end()
}

fn reached(report: &Report) -> String {
    let fact = |name: &str| report.server.facts.get(name).map(ToString::to_string);
    let mut object = Writer::object();
    if let Some(address) = fact("address") {
        object.text("address", &address);
        object.raw("http", Writer::object().raw("status", 101).end());
    }
    if let Some(name) = fact("subprotocol") {
        object.text("subprotocol", &name);
    }
    let versions: Vec<String> = report.server.versions.iter().map(ToString::to_string).collect();
    object.texts("versions", versions.iter().map(String::as_str));
    if fact("tls_version").or_else(|| fact("tls_sha256")).is_some() {
        object.raw("tls", tls(report));
    }
    object.end()
}

/// What is known of TLS, also where the certificate was refused.
fn tls(report: &Report) -> String {
    let fact = |name: &str| report.server.facts.get(name).map(ToString::to_string);
    let mut object = Writer::object();
    for key in ["version", "cipher", "alpn", "subject", "names", "not_after", "sha256"] {
        match fact(&format!("tls_{key}")) {
            Some(names) if key == "names" => {
                object.texts(key, names.split(", ").filter(|name| !name.is_empty()));
            }
            Some(value) => drop(object.text(key, &value)),
            None => {}
        }
    }
    if let Some(Fact::Flag(needs_sni)) = report.server.facts.get("tls_needs_sni") {
        object.raw("needs_sni", needs_sni);
    }
    object.end()
}

fn facts(report: &Report) -> String {
    let mut object = Writer::object();
    for (name, fact) in report.server.facts.iter().filter(|(name, _)| !REACHED.contains(name)) {
        match fact {
            Fact::Number(number) => object.raw(name, number),
            Fact::Flag(flag) => object.raw(name, flag),
            Fact::Text(text) => object.text(name, text),
        };
    }
    object.end()
}

fn headlines(report: &Report) -> String {
    let objects: Vec<String> = report
        .headlines()
        .iter()
        .map(|headline| {
            let mut object = Writer::object();
            object.text("mark", headline.mark.name()).text("title", headline.mark.title());
            object.text("verdict", verdict_name(headline.verdict));
            object.text("observed", &headline.observed);
            object.texts("points", headline.points.iter().copied()).end()
        })
        .collect();
    array(&objects)
}

fn points(report: &Report, detail: text::Detail) -> String {
    array(&report.results.iter().map(|result| point(result, detail)).collect::<Vec<_>>())
}

fn point(result: &PointResult, detail: text::Detail) -> String {
    let Point { name, clauses, severity, set, expected, .. } = result.point;
    let mut object = Writer::object();
    object.text("name", name).text("group", result.point.group());
    object.texts("clause", clauses.iter().copied());
    object.text("severity", severity.name()).text("set", set.name());
    if let Some(version) = result.version {
        object.text("version", &version.to_string());
    }
    object.text("verdict", verdict_name(result.verdict)).text("expected", expected);
    object.text("observed", &result.observed).text("remedy", result.remedy);
    object
        .seconds("seconds", result.time)
        .raw("tries", result.tries)
        .raw("known", result.novelty == Novelty::Known);
    let is_shown = !matches!(result.verdict, Verdict::Pass | Verdict::NotApplicable);
    if is_shown || detail == text::Detail::Much {
        object.raw("evidence", array(&result.evidence.iter().map(evidence).collect::<Vec<_>>()));
    }
    object.end()
}

fn evidence(line: &Evidence) -> String {
    let mut object = Writer::object();
    object.seconds("at", line.at).text("dir", line.direction.name());
    object.text("layer", line.layer.name()).text("note", &line.note);
    if !line.bytes.is_empty() {
        object.text("bytes", &line.bytes);
    }
    object.end()
}

fn counts(report: &Report) -> String {
    let counts = report.counts();
    let mut object = Writer::object();
    object.raw("pass", counts.pass).raw("warn", counts.warn).raw("fail", counts.fail);
    object.raw("not_applicable", counts.not_applicable).raw("unknown", counts.unknown);
    object.raw("known", counts.known).end()
}
