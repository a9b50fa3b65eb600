//! What was seen: the evidence of the point that is asked, what is noted for observed points, and
//! the facts about the server.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;

use super::finding::Verdict;
use super::points::Harm;
use crate::mqtt::version::Version;

/// How many lines of evidence a point has at most.
const EVIDENCE: usize = 64;

/// How many bytes a line of evidence shows.
const SHOWN: usize = 64;

/// Which side has sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// We.
    Out,
    /// The server.
    In,
}

/// What it is a piece of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProtocolLayer {
    /// The TCP stream: connected, ended, bytes that are no more than that.
    Tcp,
    /// The upgrade.
    Http,
    /// A WebSocket frame.
    Frame,
    /// An MQTT packet.
    Packet,
}

impl Direction {
    /// As the reports write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::In => "in",
        }
    }
}

impl ProtocolLayer {
    /// As the reports write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Http => "http",
            Self::Frame => "frame",
            Self::Packet => "packet",
        }
    }
}

/// One line of evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// When, since the point began.
    pub at: Duration,
    /// Which side has sent it.
    pub direction: Direction,
    /// What it is a piece of.
    pub layer: ProtocolLayer,
    /// It in words, without secrets.
    pub note: String,
    /// Its first bytes in hexadecimal, with `…` if there are more; empty where they may be secret.
    pub bytes: String,
}

impl Evidence {
    /// As `-d` writes it.
    fn traced(&self, during: &str) -> String {
        let Self { direction, layer, note, bytes, .. } = self;
        let line = format!("{during} {} {} {note} {bytes}", direction.name(), layer.name());
        line.trim_end().to_owned()
    }
}

/// What was noted for an observed point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The name of the point.
    pub point: &'static str,
    /// The version that was spoken, if one was.
    pub version: Option<Version>,
    /// What it means; [`Verdict::Pass`] only says that there was something to look at.
    pub verdict: Verdict,
    /// What was seen.
    pub observed: String,
    /// The point that was asked then.
    pub during: &'static str,
    /// The evidence up to there.
    pub evidence: Vec<Evidence>,
}

/// A fact about the server, which is told and not judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A number.
    Number(u64),
    /// Yes or no.
    Flag(bool),
    /// Text of the server.
    Text(String),
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Flag(flag) => f.write_str(if *flag { "yes" } else { "no" }),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// How many observations of one point are kept.
const OBSERVATIONS: usize = 16;

/// The journal of a run.
#[derive(Clone)]
pub struct Journal {
    /// When the run began.
    pub began: Instant,
    /// When the point began.
    since: Instant,
    /// The name of the point that is asked.
    pub during: &'static str,
    /// Whether broken bytes are sent: a malformed answer to them is no fault of its own.
    pub harm: Harm,
    evidence: Vec<Evidence>,
    observations: Vec<Observation>,
    /// The facts, by their name in the JSON report.
    pub facts: BTreeMap<&'static str, Fact>,
    /// How many times `-d` is given.
    debug: u8,
    trace: fn(&str),
    /// The bytes that were sent and received.
    pub traffic: (u64, u64),
    /// What comes is not shown: it is meant for others.
    pub is_blind: bool,
}

impl Journal {
    /// An empty journal; with `debug` above 0 packets, above 1 everything goes to `trace`, too.
    pub fn new(debug: u8, trace: fn(&str)) -> Self {
        Self {
            began: Instant::now(),
            since: Instant::now(),
            during: "",
            harm: Harm::None,
            evidence: Vec::new(),
            observations: Vec::new(),
            facts: BTreeMap::new(),
            debug,
            trace,
            traffic: (0, 0),
            is_blind: false,
        }
    }

    /// A point begins.
    pub fn begin(&mut self, point: &'static str) {
        self.since = Instant::now();
        self.during = point;
        self.harm = Harm::None;
        self.is_blind = false;
        self.evidence.clear();
    }

    /// Takes the evidence of the point.
    pub fn take_evidence(&mut self) -> Vec<Evidence> {
        std::mem::take(&mut self.evidence)
    }

    /// Notes what was sent or received. `bytes` are those that may be shown.
    pub fn note(
        &mut self,
        direction: Direction,
        layer: ProtocolLayer,
        note: impl FnOnce() -> String,
        bytes: &[u8],
    ) {
        if self.is_blind && direction == Direction::In {
            return;
        }
        let is_traced = self.debug > 1 || self.debug > 0 && layer == ProtocolLayer::Packet;
        let is_kept = self.evidence.len() < EVIDENCE;
        if !is_kept && !is_traced {
            return;
        }
        let (at, note, bytes) = (self.since.elapsed(), note(), hex(bytes));
        let evidence = Evidence { at, direction, layer, note, bytes };
        if is_traced {
            (self.trace)(&evidence.traced(self.during));
        }
        if is_kept {
            self.evidence.push(evidence);
        }
    }

    /// Forgets what the point that is asked has noted for these observed points.
    pub fn forget(&mut self, points: &[&str]) {
        let during = self.during;
        self.observations.retain(|one| one.during != during || !points.contains(&one.point));
    }

    /// Notes something for an observed point; of each point the first ones are kept.
    pub fn observe(
        &mut self,
        point: &'static str,
        version: Option<Version>,
        verdict: Verdict,
        observed: impl Into<String>,
    ) {
        if self.harm == Harm::Possible && point == "packets-wellformed" && verdict != Verdict::Pass
        {
            return;
        }
        let same = |kept: &&Observation| kept.point == point && kept.version == version;
        let mut kept = self.observations.iter().filter(same);
        let is_known = verdict == Verdict::Pass && kept.clone().any(|one| one.verdict == verdict);
        if is_known || kept.by_ref().count() >= OBSERVATIONS {
            return;
        }
        let evidence = if verdict == Verdict::Pass { Vec::new() } else { self.evidence.clone() };
        let (observed, during) = (observed.into(), self.during);
        self.observations.push(Observation { point, version, verdict, observed, during, evidence });
    }

    /// What was noted for this point, in this version if one is given.
    pub fn observed(
        &self,
        point: &str,
        version: Option<Version>,
    ) -> impl Iterator<Item = &Observation> {
        let fits = move |one: &&Observation| version.is_none() || one.version == version;
        self.observations.iter().filter(move |one| one.point == point).filter(fits)
    }

    /// Sets a fact.
    pub fn fact(&mut self, name: &'static str, fact: Fact) {
        self.facts.insert(name, fact);
    }

    /// Adds to a fact that is a number.
    pub fn count(&mut self, name: &'static str, by: u64) {
        let fact = self.facts.entry(name).or_insert(Fact::Number(0));
        if let Fact::Number(number) = fact {
            *number += by;
        }
    }

    /// Raises a fact that is a number.
    pub fn raise(&mut self, name: &'static str, to: u64) {
        let fact = self.facts.entry(name).or_insert(Fact::Number(to));
        if let Fact::Number(number) = fact {
            *number = to.max(*number);
        }
    }
}

/// The first bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    let shown = HEXLOWER.encode(&bytes[..bytes.len().min(SHOWN)]);
    if bytes.len() > SHOWN { shown + "…" } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_and_observations_are_bounded() {
        let mut journal = Journal::new(0, |_| {});
        journal.begin("ping");
        for number in 0..1000_u32 {
            let bytes = [0; 100];
            journal.note(Direction::In, ProtocolLayer::Frame, || number.to_string(), &bytes);
            journal.observe("never-masked", None, Verdict::Fail, "masked");
            journal.observe("binary-only", None, Verdict::Pass, "binary");
        }
        assert_eq!(journal.observed("never-masked", None).count(), OBSERVATIONS);
        assert_eq!(journal.observed("binary-only", None).count(), 1);
        let evidence = journal.take_evidence();
        assert_eq!(evidence.len(), EVIDENCE);
        assert_eq!(evidence[63].note, "63");
        assert_eq!(evidence[0].bytes, "00".repeat(64) + "…");
    }

    #[test]
    fn malformed_answers_to_broken_bytes_are_not_noted() {
        let mut journal = Journal::new(0, |_| {});
        journal.begin("subscribe-malformed");
        journal.harm = Harm::Possible;
        journal.observe("packets-wellformed", None, Verdict::Fail, "SUBACK without a code");
        journal.observe("frames-legal", None, Verdict::Fail, "RSV1");
        assert_eq!(journal.observed("packets-wellformed", None).count(), 0);
        assert_eq!(journal.observed("frames-legal", None).count(), 1);
        journal.begin("still-alive");
        journal.observe("packets-wellformed", None, Verdict::Fail, "SUBACK without a code");
        assert_eq!(journal.observed("packets-wellformed", None).count(), 1);
    }
}
