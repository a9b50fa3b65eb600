//! The run: which points are asked, in which order, and what becomes of their findings.

mod health;

use std::time::{Duration, Instant};

use super::bench::{Bench, Conn, Failure, Spoken};
use super::finding::{Doubt, Finding, Probed, Step, Stop, Verdict};
use super::journal::Evidence;
use super::points::{self, Harm, Need, Point, Severity, Versions, Way};
use super::probes::{self, Probe};
use super::select::Selection;
use crate::exit::Exit;
use crate::mqtt::version::Version;
use crate::transport::endpoint::Scheme;

/// The points that the default set asks in MQTT 5 and in 3.1.1.
const IN_BOTH: [&str; 4] =
    ["qos0-round-trip", "qos1-round-trip", "qos2-round-trip", "mqtt-disconnect"];

/// The point that is asked last: it ends the whole process of some servers.
const LAST: &str = "length-top-bit";

/// The point that ends the shared connection of its version.
const ENDS_SHARED: &str = "mqtt-disconnect";

/// What became of a point.
#[derive(Debug, Clone)]
pub struct PointResult {
    /// The point.
    pub point: &'static Point,
    /// The version that it was asked in, if it speaks MQTT.
    pub version: Option<Version>,
    /// The verdict.
    pub verdict: Verdict,
    /// What was seen.
    pub observed: String,
    /// How long it took.
    pub time: Duration,
    /// How often it was tried.
    pub tries: u32,
    /// A baseline holds the same failure.
    pub known: bool,
    /// The evidence.
    pub evidence: Vec<Evidence>,
}

/// One point to ask, in one version if it is asked in each.
#[derive(Clone, Copy)]
struct Task {
    point: &'static Point,
    version: Option<Version>,
    probe: Probe,
}

/// What is asked for.
pub struct Plan<'a> {
    /// The points.
    pub selection: &'a Selection,
    /// Told of each result at once.
    pub observer: &'a mut dyn FnMut(&PointResult),
}

/// What came of a run.
pub struct Outcome {
    /// The results, in the order of the table.
    pub results: Vec<PointResult>,
    /// Why there was no connection at all.
    pub failure: Option<Failure>,
}

/// Asks all points, and cleans up.
pub fn run(bench: &mut Bench, plan: &mut Plan<'_>) -> Outcome {
    let mut runner =
        Runner { bench, plan, results: Vec::new(), dead: None, limited: None, has_rested: false };
    let failure = runner.run();
    let Runner { mut results, .. } = runner;
    bench.clean_up();
    let place = |result: &PointResult| {
        let at = points::all().position(|point| point.name == result.point.name);
        // The newest version first.
        (at, std::cmp::Reverse(result.version))
    };
    results.sort_by_key(place);
    Outcome { results, failure }
}

struct Runner<'a, 'b> {
    bench: &'a mut Bench,
    plan: &'a mut Plan<'b>,
    results: Vec<PointResult>,
    /// The server does not answer any more: since which point.
    dead: Option<String>,
    /// The server refuses connections that it took before: how.
    limited: Option<String>,
    /// The run has waited for that to end.
    has_rested: bool,
}

impl Runner<'_, '_> {
    fn run(&mut self) -> Option<Failure> {
        let tasks = tasks(self.bench, self.plan.selection);
        let failure = self.meet();
        if let Some(failure) = &failure {
            for task in tasks {
                if is_possible(task.point, failure) {
                    self.ask(task);
                } else {
                    let words = format!("no connection: {}", failure.words);
                    self.record(task, Finding::unknown(words), Duration::ZERO, 0);
                }
            }
            return Some(failure.clone());
        }
        let (waiting, tasks) = parted(tasks, |task| matches!(task.probe, Probe::Wait { .. }));
        let (observed, tasks) = parted(tasks, |task| task.point.way == Way::Observed);
        let (shared, alone) = parted(tasks, |task| task.point.way == Way::Shared);
        // With one client id there can be one connection at a time: these points wait in turn.
        let is_single = self.bench.target.client_id.is_some();
        let (early, late) = parted(waiting, |_| !is_single);
        let begun: Vec<_> = early.into_iter().map(|task| self.begin_waiting(task)).collect();
        for version in self.bench.target.versions.clone() {
            let of_version = |task: &&Task| self.version_of(task) == Some(version);
            let tasks: Vec<Task> = shared.iter().filter(of_version).copied().collect();
            for task in tasks {
                self.ask(task);
            }
            self.bench.end_shared();
        }
        let (last, alone) = parted(alone, |task| task.point.name == LAST);
        let (harmful, harmless) = parted(alone, |task| task.point.harm == Harm::Possible);
        for task in harmless.into_iter().chain(harmful).chain(last) {
            self.ask(task);
        }
        for (task, begun) in begun {
            self.finish_waiting(task, begun);
        }
        for task in late {
            let (task, begun) = self.begin_waiting(task);
            self.finish_waiting(task, begun);
        }
        for task in observed {
            self.ask(task);
        }
        None
    }

    /// Opens the first connection, in the newest version that is spoken. Without one there is
    /// little to ask.
    fn meet(&mut self) -> Option<Failure> {
        self.bench.begin_as("connect", None);
        match self.bench.shared() {
            Ok(conn) => {
                self.bench.note_reached(conn);
                self.bench.failure = None;
                None
            }
            Err(Stop::Interrupted) => None,
            Err(stop) => {
                let words = stop.finding().observed;
                let unknown = Failure { exit: Exit::Refused, words };
                Some(self.bench.failure.clone().unwrap_or(unknown))
            }
        }
    }

    /// The version that a shared point is asked in.
    fn version_of(&self, task: &Task) -> Option<Version> {
        task.version.or_else(|| self.bench.versions().first().copied())
    }

    fn ask(&mut self, task: Task) {
        let Probe::Ask(probe) = task.probe else { return };
        if let Some(finding) = self.without_asking(task) {
            return self.record(task, finding, Duration::ZERO, 0);
        }
        let began = Instant::now();
        let mut tries = 1;
        let mut finding = self.attempt_unless_limited(task, probe);
        let mut evidence = self.bench.journal.take_evidence();
        if is_doubtful(&finding) {
            self.leave(task);
            tries = 2;
            let again = self.attempt(task, probe);
            if is_doubtful(&again) {
                self.leave(task);
            }
            if again.verdict == Verdict::Fail {
                (finding, evidence) = (again, self.bench.journal.take_evidence());
            } else {
                let words = format!("flaky: 1 of 2: {}", finding.observed);
                finding = Finding::warn(words);
            }
        }
        let was_cut = self.bench.saw_unexpected_end;
        self.bench.end_point();
        self.bench.read_parked();
        self.push(task, finding, began.elapsed(), tries, evidence);
        let is_suspect = was_cut || task.point.harm == Harm::Possible;
        if is_suspect && task.point.way != Way::Observed && self.bench.interrupted.is_none() {
            self.ask_whether_alive(task.point);
        }
    }

    /// Ends the connections of a try that failed. What the server makes of a shared one after that
    /// is unknown, so the next point gets another.
    fn leave(&mut self, task: Task) {
        if task.point.way == Way::Shared {
            self.bench.end_shared();
        }
        self.bench.end_point();
    }

    /// Asks once.
    fn attempt(&mut self, task: Task, probe: fn(&mut Bench) -> Probed) -> Finding {
        self.bench.begin(task.point, task.version);
        probe(self.bench).unwrap_or_else(Stop::finding)
    }

    fn begin_waiting(&mut self, task: Task) -> (Task, Begun) {
        let Probe::Wait { begin, .. } = task.probe else { return (task, Begun::Not) };
        if let Some(finding) = self.without_asking(task) {
            self.record(task, finding, Duration::ZERO, 0);
            return (task, Begun::Not);
        }
        self.bench.begin(task.point, task.version);
        let conns = begin(self.bench);
        if let Ok(conns) = &conns {
            for conn in conns {
                self.bench.park(*conn);
            }
        }
        let topic = self.bench.topic("");
        self.bench.end_point();
        (task, Begun::At { conns, topic, since: Instant::now() })
    }

    fn finish_waiting(&mut self, task: Task, begun: Begun) {
        let (Probe::Wait { finish, .. }, Begun::At { conns, topic, since }) = (task.probe, begun)
        else {
            return;
        };
        if let Some(dead) = &self.dead {
            let words = format!("the server no longer answers since {dead}");
            return self.record(task, Finding::unknown(words), since.elapsed(), 1);
        }
        self.bench.begin(task.point, task.version);
        self.bench.resume(topic, since);
        let probed = conns.and_then(|conns| {
            let probed = finish(self.bench, &conns);
            for conn in conns {
                self.bench.close(conn);
            }
            probed
        });
        let finding = probed.unwrap_or_else(Stop::finding);
        let evidence = self.bench.journal.take_evidence();
        self.bench.end_point();
        self.push(task, finding, since.elapsed(), 1, evidence);
    }

    /// The finding of a point that is not asked at all.
    fn without_asking(&self, task: Task) -> Option<Finding> {
        let (bench, point) = (&*self.bench, task.point);
        if bench.interrupted.is_some() {
            return Some(Finding::unknown("interrupted"));
        }
        if let Some(limited) = self.limited.as_ref().filter(|_| point.way != Way::Observed) {
            return Some(Finding::unknown(limited.clone()));
        }
        if let Some(dead) = self.dead.as_ref().filter(|_| point.way != Way::Observed) {
            return Some(Finding::unknown(format!("the server no longer answers since {dead}")));
        }
        if point.needs.contains(&Need::Tls) && bench.target.endpoint.scheme != Scheme::Wss {
            return Some(Finding::not_applicable("not wss"));
        }
        if point.needs.contains(&Need::Credentials) && bench.target.credentials.username.is_none() {
            return Some(Finding::not_applicable("no user name given"));
        }
        let is_about_versions = point.name.starts_with("connect-mqtt");
        match task.version.and_then(|version| bench.spoken(version)) {
            Some(Spoken::No(why)) if !is_about_versions => {
                Some(Finding::not_applicable(why.clone()))
            }
            _ => None,
        }
    }

    fn record(&mut self, task: Task, finding: Finding, time: Duration, tries: u32) {
        self.push(task, finding, time, tries, Vec::new());
    }

    fn push(
        &mut self,
        task: Task,
        finding: Finding,
        time: Duration,
        tries: u32,
        evidence: Vec<Evidence>,
    ) {
        let Task { point, version, .. } = task;
        let verdict = self.weighed(task, &finding);
        let speaks_mqtt = !matches!(point.group(), "reach" | "tls" | "upgrade");
        let newest = self.bench.versions().first().copied().filter(|_| speaks_mqtt);
        let observed = self.evidence_of(point, verdict, version);
        let result = PointResult {
            point,
            version: version.or(newest),
            verdict,
            observed: finding.observed,
            time,
            tries,
            known: false,
            evidence: observed.unwrap_or(evidence),
        };
        (self.plan.observer)(&result);
        self.results.push(result);
    }

    /// The evidence of an observed point is that of the point that was asked then.
    fn evidence_of(
        &self,
        point: &Point,
        verdict: Verdict,
        version: Option<Version>,
    ) -> Option<Vec<Evidence>> {
        let mut observed = self.bench.journal.observed(point.name, version);
        let worst = observed.find(|one| one.verdict == verdict && one.verdict != Verdict::Pass)?;
        (point.way == Way::Observed).then(|| worst.evidence.clone())
    }

    /// Only a must can fail; a version that the user asks for must be spoken.
    fn weighed(&self, task: Task, finding: &Finding) -> Verdict {
        let is_version = task.point.name.starts_with("connect-mqtt");
        match finding.verdict {
            Verdict::Fail if task.point.severity != Severity::Must => Verdict::Warn,
            Verdict::NotApplicable if is_version && self.bench.target.versions_are_asked => {
                Verdict::Fail
            }
            verdict => verdict,
        }
    }
}

/// Whether it failed, and another try may end otherwise.
fn is_doubtful(finding: &Finding) -> bool {
    finding.verdict == Verdict::Fail && finding.doubt == Doubt::Network
}

/// How far a point is that waits.
enum Begun {
    Not,
    At { conns: Step<Vec<Conn>>, topic: String, since: Instant },
}

/// Whether a point can be asked of a server that cannot be connected to.
fn is_possible(point: &Point, failure: &Failure) -> bool {
    let groups: &[&str] = match failure.exit {
        Exit::Upgrade => &["reach", "tls", "upgrade"],
        Exit::Refused => &["reach", "tls", "upgrade", "connect"],
        Exit::Tls => &["reach", "tls"],
        _ => &["reach"],
    };
    groups.contains(&point.group()) || point.name == "offer-mqtt" && failure.exit == Exit::TimedOut
}

/// The tasks for which `is_first` holds, and the others.
fn parted(tasks: Vec<Task>, is_first: impl Fn(&Task) -> bool) -> (Vec<Task>, Vec<Task>) {
    tasks.into_iter().partition(is_first)
}

/// What is asked, in the order of the table; the end of the shared connection comes last.
fn tasks(bench: &Bench, selection: &Selection) -> Vec<Task> {
    let mut tasks = Vec::new();
    for point in points::all().filter(|point| selection.holds(point)) {
        let Some(probe) = probes::find(point.name) else { continue };
        for version in versions(bench, selection, point) {
            tasks.push(Task { point, version, probe });
        }
    }
    tasks.sort_by_key(|task| task.point.name == ENDS_SHARED);
    tasks
}

/// The versions that a point is asked in; `None` stands for the newest that is spoken.
fn versions(bench: &Bench, selection: &Selection, point: &Point) -> Vec<Option<Version>> {
    let tried = bench.target.versions.iter().copied();
    let is_thorough = selection.full || selection.only.iter().any(|name| name == point.name);
    match &point.versions {
        // Of several, the default set asks in the newest.
        Versions::Only(only) if only.len() == 1 || is_thorough => {
            tried.filter(|version| only.contains(version)).map(Some).collect()
        }
        Versions::All if is_thorough => tried.map(Some).collect(),
        Versions::All if IN_BOTH.contains(&point.name) => {
            tried.filter(|version| *version >= Version::V3_1_1).map(Some).collect()
        }
        Versions::Newest | Versions::All | Versions::Only(_) => vec![None],
    }
}
