//! What `check` tells at the end, in each of its forms.

pub mod baseline;
pub mod headlines;
pub mod json;
pub mod junit;
pub mod list;
pub mod tap;
#[cfg(test)]
mod tests;
pub mod text;

use std::collections::BTreeMap;
use std::time::Duration;

use super::finding::Verdict;
use super::journal::Fact;
use super::points::Point;
use super::run::{FLAKY, FindingOrigin, Novelty, PointResult};
use super::select::PointSelection;
use crate::exit::{Exit, Signal};
use crate::format::escape;
use crate::mqtt::version::Version;
use headlines::Headline;

/// The server that was checked.
#[derive(Debug, Clone)]
pub struct CheckedServer {
    /// The address, without secrets.
    pub url: String,
    /// The host, for JUnit.
    pub host: String,
    /// The facts.
    pub facts: BTreeMap<&'static str, Fact>,
    /// The versions that are spoken, the newest first.
    pub versions: Vec<Version>,
}

/// When a run was, and what it took.
#[derive(Debug, Clone)]
pub struct RunCourse {
    /// When it began: RFC 3339, in UTC.
    pub started: String,
    /// How long it took.
    pub time: Duration,
    /// How many connections were made.
    pub connections: u64,
    /// How many bytes were sent and received.
    pub traffic: (u64, u64),
}

/// All that a report is made of.
#[derive(Debug, Clone)]
pub struct Report {
    /// What was checked.
    pub server: CheckedServer,
    /// When, and what it took.
    pub course: RunCourse,
    /// The points that were asked for.
    pub selection: PointSelection,
    /// The results, in the order of the table.
    pub results: Vec<PointResult>,
    /// Why there was no connection at all, and its exit code.
    pub failure: Option<(Exit, String)>,
    /// The signal that ended the run.
    pub signal: Option<Signal>,
    /// Failures of the baseline that are none any more.
    pub fixed: Vec<String>,
}

/// The judgement about the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerVerdict {
    /// No must is broken.
    Interoperable,
    /// Our own defaults work, but a must is broken.
    Usable,
    /// Our own defaults do not work.
    NotUsable,
    /// What would decide it is unknown.
    Undecided,
    /// There was no connection.
    NoConnection,
}

impl ServerVerdict {
    /// As the text writes it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Interoperable => "INTEROPERABLE",
            Self::Usable => "USABLE, not interoperable",
            Self::NotUsable => "NOT USABLE",
            Self::Undecided => "UNDECIDED",
            Self::NoConnection => "NO CONNECTION",
        }
    }

    /// As the JSON report writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Interoperable => "interoperable",
            Self::Usable => "usable",
            Self::NotUsable => "not-usable",
            Self::Undecided => "undecided",
            Self::NoConnection => "no-connection",
        }
    }
}

/// How many points have each verdict, by their worst version.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PointCounts {
    /// PASS.
    pub pass: usize,
    /// WARN.
    pub warn: usize,
    /// FAIL, but for known ones.
    pub fail: usize,
    /// n.a.
    pub not_applicable: usize,
    /// unknown.
    pub unknown: usize,
    /// FAIL, as in the baseline.
    pub known: usize,
}

impl PointCounts {
    /// All points.
    pub fn all(self) -> usize {
        self.pass + self.warn + self.fail + self.not_applicable + self.unknown + self.known
    }

    fn add(&mut self, worst: &PointResult) {
        let count = match worst.verdict {
            Verdict::Pass => &mut self.pass,
            Verdict::Warn => &mut self.warn,
            Verdict::Fail if worst.novelty == Novelty::Known => &mut self.known,
            Verdict::Fail => &mut self.fail,
            Verdict::NotApplicable => &mut self.not_applicable,
            Verdict::Unknown => &mut self.unknown,
        };
        *count += 1;
    }
}

/// The points without which our own defaults do not work. Of connect-mqtt5 and its like one is
/// enough.
const ESSENTIAL: [&str; 4] =
    ["offer-mqtt", "qos0-round-trip", "qos1-round-trip", "packet-over-messages"];

impl Report {
    /// The results by point, each with its worst result first.
    pub fn by_point(&self) -> Vec<(&'static Point, Vec<&PointResult>)> {
        let mut points: Vec<(&'static Point, Vec<&PointResult>)> = Vec::new();
        for result in &self.results {
            match points.last_mut() {
                Some((point, results)) if point.name == result.point.name => results.push(result),
                _ => points.push((result.point, vec![result])),
            }
        }
        for (_, results) in &mut points {
            // A known failure is better than a new one.
            results
                .sort_by_key(|result| std::cmp::Reverse((result.verdict, result.is_new_failure())));
        }
        points
    }

    /// How many points have each verdict.
    pub fn counts(&self) -> PointCounts {
        let mut counts = PointCounts::default();
        self.by_point().iter().for_each(|(_, results)| counts.add(results[0]));
        counts
    }

    /// The eight headlines.
    pub fn headlines(&self) -> Vec<Headline> {
        headlines::of(&self.results)
    }

    /// The results of this point.
    fn of(&self, name: &str) -> impl Iterator<Item = &PointResult> {
        self.results.iter().filter(move |result| result.point.name == name)
    }

    fn worst(&self, name: &str) -> Option<Verdict> {
        self.of(name).map(|result| result.verdict).max()
    }

    /// The judgement, and the point that decides it.
    pub fn verdict(&self) -> (ServerVerdict, Option<&'static str>) {
        if self.failure.is_some() {
            return (ServerVerdict::NoConnection, None);
        }
        let has = |name: &str, verdict| self.worst(name) == Some(verdict);
        // The upgrade without a name is a 101 none the less: connections came about.
        let fails = |name: &&&str| **name != "offer-mqtt" && has(name, Verdict::Fail);
        if let Some(name) = ESSENTIAL.iter().find(fails) {
            return (ServerVerdict::NotUsable, Some(name));
        }
        if has("still-alive", Verdict::Fail) {
            return (ServerVerdict::NotUsable, Some("still-alive"));
        }
        let failed = self.results.iter().find(|result| result.verdict == Verdict::Fail);
        if let Some(failed) = failed {
            return (ServerVerdict::Usable, Some(failed.point.name));
        }
        let unknown = |result: &&PointResult| {
            let decides = ESSENTIAL.contains(&result.point.name) || !result.point.marks.is_empty();
            decides && result.verdict == Verdict::Unknown
        };
        match self.results.iter().find(unknown) {
            Some(unknown) => (ServerVerdict::Undecided, Some(unknown.point.name)),
            None => (ServerVerdict::Interoperable, None),
        }
    }

    /// The exit code of the run.
    pub fn exit(&self) -> Exit {
        if let Some(signal) = self.signal {
            return Exit::Signal(signal);
        }
        if let Some((exit, _)) = &self.failure {
            return *exit;
        }
        let counts = self.counts();
        let is_undecided =
            self.verdict().0 == ServerVerdict::Undecided && !self.selection.is_partial();
        let has_failed = counts.fail > 0 || is_undecided || self.faults().next().is_some();
        if has_failed { Exit::Local } else { Exit::Done }
    }

    /// The points at which the server has answered differently when it was asked again.
    pub fn flaky(&self) -> Vec<&'static str> {
        let flaky = self.results.iter().filter(|result| result.observed.starts_with(FLAKY));
        let mut names: Vec<&'static str> = flaky.map(|result| result.point.name).collect();
        names.dedup();
        names
    }

    /// The points that a fault of this program has kept from being decided.
    pub fn faults(&self) -> impl Iterator<Item = &PointResult> {
        self.results.iter().filter(|result| result.origin == FindingOrigin::Fault)
    }
}

/// The name of a point with its version, as JUnit and TAP write it.
pub fn case_name(result: &PointResult) -> String {
    match result.version {
        Some(version) => format!("{} (MQTT {version})", result.point.name),
        None => result.point.name.to_owned(),
    }
}

/// Text of the server, harmless for a terminal: on one line and without control characters.
pub fn sanitised(text: &str) -> String {
    let harmless = |c: char| match c {
        '\n' | '\t' | '\r' => c.escape_default().to_string(),
        c if escape::is_harmless(c) => c.to_string(),
        c => c.escape_default().to_string(),
    };
    let short: String = text.chars().take(LONGEST).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    short.chars().map(harmless).collect::<String>() + more
}

/// The longest text that a report shows of one observation, in characters.
const LONGEST: usize = 500;
