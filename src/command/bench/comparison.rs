//! A run beside an earlier one: the settings that differ, and what the figures say. With one run on
//! a side nothing can be told of what differs by chance.

use std::time::Duration;

use super::conditions::Measured;
use super::config::{Comeback, LoadPace, LoadPlan, SessionKeeping, WindowLength};
use super::figures::{COMPARED, RunFigures};
use super::judge::ServerPlace;
use super::machine::Machine;
use super::part::RunPart;
use super::results::{DisturbanceResults, LoadEnding, Results};
use super::schedule::ArrivalPattern;
use super::server::BenchServer;
use super::stored::StoredRun;
use super::words;

/// A setting that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Its name.
    pub setting: &'static str,
    /// What it is.
    pub here: String,
    /// What it was.
    pub was: String,
}

/// What a comparison of a figure says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FigureVerdict {
    /// It is more.
    More,
    /// It is less.
    Less,
    /// The runs of both sides overlap: so few cannot tell them apart.
    NoDifference(usize),
    /// There is one run on a side.
    OneRun,
}

/// A figure beside its earlier value.
#[derive(Debug, Clone, PartialEq)]
pub struct FigureComparison {
    /// Its name.
    pub name: &'static str,
    /// What it is; infinite if it never came.
    pub value: f64,
    /// What it was; infinite if it never came.
    pub was: f64,
    /// The least and the most of the runs.
    pub range: [f64; 2],
    /// The same of the earlier ones.
    pub range_then: [f64; 2],
    /// What that says.
    pub verdict: FigureVerdict,
}

impl FigureComparison {
    /// How much more it is, as a share of what it was; `None` of nothing, and where one of them
    /// never came.
    pub fn change(&self) -> Option<f64> {
        let has_share = self.was != 0.0 && self.was.is_finite() && self.value.is_finite();
        has_share.then(|| self.value / self.was - 1.0)
    }
}

/// A run beside an earlier one.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The earlier run.
    pub run: u32,
    /// When it began.
    pub start: String,
    /// Why it proves less than it might.
    pub flaws: Vec<String>,
    /// The settings that differ.
    pub differences: Vec<Difference>,
    /// The figures of which both have data.
    pub figures: Vec<FigureComparison>,
}

/// One side of a comparison.
#[derive(Debug, Clone, Copy)]
pub struct ComparedSide<'a> {
    /// The version of the program.
    pub version: &'a str,
    /// Which part of a run it is.
    pub part: RunPart,
    /// How it went on, by the word for programs, and which rate grew, if one did.
    pub course: (&'a str, Option<&'a str>),
    /// What was done.
    pub load: &'a LoadPlan,
    /// With which server.
    pub server: &'a BenchServer,
    /// On which machine.
    pub machine: &'a Machine,
    /// What was found.
    pub results: &'a Results,
    /// The figures of each run.
    pub runs: &'a [RunFigures],
}

impl<'a> ComparedSide<'a> {
    /// That of a report that was stored.
    pub fn stored(stored: &'a StoredRun) -> Self {
        let StoredRun { version, part, load, server, machine, results, runs, .. } = stored;
        let (course, of) = &stored.course;
        let (part, course) = (*part, (course.as_str(), of.as_deref()));
        Self { version, part, course, load, server, machine, results, runs }
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        let course = match self.course {
            (word, Some(of)) => format!("{word} of {of}"),
            (word, None) => word.to_owned(),
        };
        let mut all = vec![("course", course), ("part", self.part.to_string())];
        all.extend(settings(self.load));
        let (server, machine) = (self.server, self.machine);
        let tls = server.tls.as_ref().map(|(version, cipher)| format!("{version} {cipher}"));
        let is_here = server.place == ServerPlace::Here;
        let unknown = || "unknown".to_owned();
        all.extend([
            ("scheme", server.scheme.to_owned()),
            ("TLS", tls.unwrap_or_else(|| "none".to_owned())),
            ("MQTT", server.mqtt.clone()),
            ("server", if is_here { "same machine" } else { "another machine" }.to_owned()),
            ("cores", machine.cores.to_string()),
            ("processor", machine.model.clone().unwrap_or_else(unknown)),
            ("kernel", machine.kernel.clone().unwrap_or_else(unknown)),
            ("mqttws", self.version.to_owned()),
            ("loops", self.results.generator.loops.len().to_string()),
        ]);
        all.extend(self.done_to_connections());
        all
    }

    /// What was done to connections on purpose.
    fn done_to_connections(&self) -> Vec<(&'static str, String)> {
        let DisturbanceResults { cuts, stalls, retained, wills, .. } = &self.results.disturbances;
        let listed = |all: Vec<String>| {
            if all.is_empty() { "none".to_owned() } else { all.join(", ") }
        };
        let cuts = cuts.iter().map(|cut| {
            let (who, how) = (cut.plan.who.kind.word(), cut.plan.how.word());
            format!("{who}:{}@{}s:{how}", cut.count, cut.plan.at.as_secs_f64())
        });
        let stalls = stalls.iter().map(|stall| {
            let (who, at) = (stall.plan.who.kind.word(), stall.plan.at.as_secs_f64());
            format!("{who}:{}@{at}s:{}s", stall.count, stall.plan.length.as_secs_f64())
        });
        let churn = self.load.disturbances.churn.map(words::rate);
        vec![
            ("cut", listed(cuts.collect())),
            ("stall", listed(stalls.collect())),
            ("churn", churn.unwrap_or_else(|| "none".to_owned())),
            ("retained", yes(retained.is_some())),
            ("will", yes(wills.is_some())),
        ]
    }
}

fn yes(is_so: bool) -> String {
    if is_so { "yes" } else { "no" }.to_owned()
}

/// The settings of a load as text.
pub fn settings(load: &LoadPlan) -> Vec<(&'static str, String)> {
    let (none, random) = (|| "none".to_owned(), || "random".to_owned());
    let (pace, rate, arrival, tick, inflight) = match load.pace {
        LoadPace::Open(offer) => {
            let is_even = offer.arrival == ArrivalPattern::Even;
            let arrival = if is_even { "even" } else { "poisson" };
            let tick = format!("{} us", Duration::from_nanos(offer.tick).as_micros());
            ("open", offer.rate.to_string(), arrival, tick, load.messages.window)
        }
        LoadPace::Closed(limit) => ("closed", none(), "none", none(), limit),
    };
    let sessions = match load.sessions {
        SessionKeeping::Connection => none(),
        SessionKeeping::Kept(u32::MAX) => "kept".to_owned(),
        SessionKeeping::Kept(expiry) => format!("kept {expiry} s"),
    };
    let length = match load.times.length {
        WindowLength::Time(time) => words::given(time),
        WindowLength::Count(count) => format!("{count} messages"),
    };
    vec![
        ("publishers", load.plan.publishers.to_string()),
        ("subscribers", load.plan.subscribers.to_string()),
        ("idle", load.plan.idle.to_string()),
        ("topics", load.plan.topics.to_string()),
        ("audience", format!("{:?}", load.plan.audience).to_lowercase()),
        ("filter", load.filter.clone().unwrap_or_else(none)),
        ("qos", load.messages.qos.bits().to_string()),
        ("sub_qos", load.messages.sub_qos.bits().to_string()),
        ("size", load.messages.sizes.to_string()),
        ("body", load.messages.body.as_ref().map_or_else(random, |body| body.name.clone())),
        ("verify", format!("{:?}", load.messages.verification).to_lowercase()),
        ("loop", pace.to_owned()),
        ("rate", rate),
        ("arrival", arrival.to_owned()),
        ("tick", tick),
        ("inflight", inflight.map_or_else(none, |limit| limit.to_string())),
        ("for", length),
        ("warmup", words::given(load.times.warmup)),
        ("drain", words::given(load.times.drain)),
        ("connect_rate", load.connect_rate.map_or_else(none, |rate| rate.to_string())),
        ("sessions", sessions),
        ("reconnect", yes(load.comeback == Comeback::Soon)),
    ]
}

/// Why an earlier run proves less than it might.
fn flaws(then: &StoredRun) -> Vec<String> {
    let invalid = then.invalid.iter().map(|why| format!("it was INVALID: {why}"));
    let ended = |how, after| format!("it was {how} after {}", words::seconds(after));
    let ended = match then.results.ending {
        LoadEnding::Interrupted(_, after) => Some(ended("interrupted", after)),
        LoadEnding::FailedFast(after) => Some(ended("ended by --fail-fast", after)),
        LoadEnding::Complete | LoadEnding::Running(..) => None,
    };
    invalid.chain(ended).collect()
}

/// Compares a run with an earlier one.
pub fn compare(here: ComparedSide<'_>, then: &StoredRun) -> Comparison {
    let was = ComparedSide::stored(then);
    let settings = here.settings().into_iter().zip(was.settings());
    let differences = settings.filter(|((_, here), (_, was))| here != was);
    let differences =
        differences.map(|((setting, here), (_, was))| Difference { setting, here, was });
    let (values, earlier) = (RunFigures::of(here.results), RunFigures::of(was.results));
    let figures = COMPARED.iter().enumerate().filter_map(|(at, name)| {
        let (value, was_value) = (number(values.0[at])?, number(earlier.0[at])?);
        if value == 0.0 && was_value == 0.0 {
            return None;
        }
        let (range, range_then) = (range(here.runs, at, value), range(was.runs, at, was_value));
        let runs = here.runs.len().min(was.runs.len());
        let is_apart = range[0] > range_then[1] || range[1] < range_then[0];
        let verdict = match runs {
            0 | 1 => FigureVerdict::OneRun,
            _ if !is_apart => FigureVerdict::NoDifference(runs),
            _ if range[0] > range_then[1] => FigureVerdict::More,
            _ => FigureVerdict::Less,
        };
        Some(FigureComparison { name, value, was: was_value, range, range_then, verdict })
    });
    Comparison {
        run: then.run,
        start: then.start.clone(),
        flaws: flaws(then),
        differences: differences.collect(),
        figures: figures.collect(),
    }
}

/// A figure; what never came is infinite.
fn number(value: Measured) -> Option<f64> {
    match value {
        Measured::Number(number) => Some(number),
        Measured::Never => Some(f64::INFINITY),
        Measured::Nothing => None,
    }
}

/// The least and the most of a figure.
fn range(runs: &[RunFigures], at: usize, value: f64) -> [f64; 2] {
    let values = runs.iter().filter_map(|run| number(*run.0.get(at)?));
    let least = values.clone().reduce(f64::min).unwrap_or(value);
    [least, values.reduce(f64::max).unwrap_or(value)]
}
