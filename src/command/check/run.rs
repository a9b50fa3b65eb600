//! The run: which points are asked, in which order, and what becomes of their findings.

pub mod collect;
mod first_connection;
mod health;
mod steadiness;
mod tasks;
mod unasked;
mod waiting;

use std::time::{Duration, Instant};

use super::bench::{Bench, BenchMemory, CheckTarget, Failure};
use super::finding::{Doubt, Finding, Probed, Stop, Verdict};
use super::journal::Evidence;
use super::points::{self, Harm, Point, Severity, Way};
use super::probes::PointProbe;
use super::select::PointSelection;
use crate::mqtt::version::Version;

pub use steadiness::FLAKY;
use tasks::{Schedule, Task};

/// What became of a point.
#[derive(Debug, Clone)]
pub struct PointResult {
    /// The point.
    pub point: &'static Point,
    /// The version that it was asked in, if it speaks MQTT.
    pub version: Option<Version>,
    /// The verdict.
    pub verdict: Verdict,
    /// Where the verdict comes from.
    pub origin: FindingOrigin,
    /// What was seen.
    pub observed: String,
    /// What to do about it.
    pub remedy: &'static str,
    /// How long it took.
    pub time: Duration,
    /// How often it was tried.
    pub tries: u32,
    /// Whether a baseline holds the same failure.
    pub novelty: Novelty,
    /// The evidence.
    pub evidence: Vec<Evidence>,
}

/// Where a verdict comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FindingOrigin {
    /// From the probe of the point.
    Probe,
    /// From a fault of this program, which kept the point from being decided.
    Fault,
}

/// Whether a failure was known before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Novelty {
    /// It was not.
    New,
    /// A baseline holds the same failure.
    Known,
}

impl PointResult {
    /// Whether it is a failure that the baseline does not hold.
    pub fn is_new_failure(&self) -> bool {
        self.verdict == Verdict::Fail && self.novelty == Novelty::New
    }
}

/// What asking a point has given.
struct Findings {
    finding: Finding,
    /// How often it was tried.
    tries: u32,
    evidence: Vec<Evidence>,
}

/// What a run ends with, beside its results.
pub struct RunEnd {
    /// Why there was no connection at all.
    failure: Option<Failure>,
    /// What is known at the end.
    memory: BenchMemory,
    /// The signal that ended the run.
    signal: Option<i32>,
}

/// What the thread of a run tells.
enum RunNews {
    /// A point is asked.
    Begins {
        /// The point in its version.
        task: Task,
        /// What is known before.
        memory: Box<BenchMemory>,
    },
    /// A point has a result.
    Found {
        /// The point in its version.
        task: Task,
        /// The result.
        result: Box<PointResult>,
    },
    /// Nothing is left to ask.
    Ended(Box<RunEnd>),
    /// The thread panicked: with these words.
    Fault(String),
}

/// What happens in a run.
#[derive(Clone, Copy)]
pub enum RunEvent<'a> {
    /// A point is asked, in this version if it is asked in each.
    Begins {
        /// The point.
        point: &'static Point,
        /// The version.
        version: Option<Version>,
    },
    /// A point has a result.
    Found(&'a PointResult),
    /// What came later has made the result of a point worse.
    Worsened(&'a PointResult),
    /// Time passes.
    Waits,
}

/// How many results there will be in each group.
pub fn planned(target: &CheckTarget) -> Vec<(&'static str, usize)> {
    let tasks = tasks::all(target);
    let count = |name| tasks.iter().filter(|task| task.point.group() == name).count();
    points::groups().iter().map(|group| (group.name, count(group.name))).collect()
}

/// When nothing more is asked. A healthy server takes about 10 s for the default set, and about 3
/// minutes for the full one, however short `--timeout` is.
fn longest_run(selection: &PointSelection, timeout: Duration) -> Duration {
    if selection.is_default() { timeout * 6 } else { Duration::from_secs(300) + timeout * 30 }
}

/// Whether the server limits how many connections it takes in a time.
enum RateLimit {
    /// It has not shown so.
    NotSeen,
    /// It did once, and the run has waited for that to end.
    Rested,
    /// It does: how.
    Reached(String),
}

/// Asks all points that are not done, and cleans up; `after` a point at which another thread has
/// ended, if one has.
fn run(
    bench: &mut Bench,
    done: &[Task],
    after: Option<&'static str>,
    tell: &mut dyn FnMut(RunNews),
) -> RunEnd {
    let tasks = tasks::left(&bench.target, done);
    let target = &bench.target;
    let longest = longest_run(&target.selection, target.timeout);
    let until = bench.journal.began + longest;
    let mut runner = Runner { bench, tell, until, longest, dead: None, limit: RateLimit::NotSeen };
    let failure = match (runner.meet(), after) {
        (Some(_), Some(point)) => {
            runner.dead = Some(point.to_owned());
            None
        }
        (failure, _) => failure,
    };
    match &failure {
        Some(failure) => runner.ask_possible(tasks, failure),
        None => runner.ask_all(Schedule::new(tasks)),
    }
    bench.clean_up();
    RunEnd { failure, memory: bench.memory(), signal: bench.interrupts.caught }
}

struct Runner<'a> {
    bench: &'a mut Bench,
    tell: &'a mut dyn FnMut(RunNews),
    /// When no more points are asked, and how long that is after the beginning.
    until: Instant,
    longest: Duration,
    /// The server does not answer any more: since which point.
    dead: Option<String>,
    limit: RateLimit,
}

impl Runner<'_> {
    fn ask_all(&mut self, schedule: Schedule) {
        let Schedule { waiting, shared, alone, observed } = schedule;
        // With one client id there can be one connection at a time: these points wait in turn.
        let is_single = self.bench.target.client_id.is_some();
        let (late, early) = if is_single { (waiting, Vec::new()) } else { (Vec::new(), waiting) };
        let begun: Vec<_> = early.into_iter().map(|task| self.begin_waiting(task)).collect();
        for version in self.bench.target.versions() {
            for task in &shared {
                if task.version.or_else(|| self.bench.newest()) == Some(version) {
                    self.ask(*task);
                }
            }
            self.bench.end_shared();
        }
        for task in alone {
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
    }

    fn ask(&mut self, task: Task) {
        let PointProbe::Ask(probe) = task.probe else { return };
        if let Some(finding) = self.without_asking(task) {
            return self.record(task, finding, Duration::ZERO);
        }
        let began = Instant::now();
        let first = self.attempt(task, probe);
        let evidence = self.bench.journal.take_evidence();
        let mut asked = Findings { finding: first, tries: 1, evidence };
        if is_doubtful(&asked.finding) || self.is_cut_off(&asked.finding) {
            self.ask_again(task, probe, &mut asked);
        }
        if self.is_turned_away(task) {
            asked.finding = self.ask_after_rest(task, probe);
        }
        let was_cut = self.bench.asked.saw_unexpected_end;
        self.bench.end_point();
        let Bench { connections, journal, .. } = &mut *self.bench;
        connections.read_parked(journal);
        self.push(task, asked, began.elapsed());
        let is_suspect = was_cut || task.point.harm == Harm::Possible;
        if is_suspect && task.point.way != Way::Observed && self.bench.interrupts.caught.is_none() {
            self.ask_whether_alive(task.point);
        }
    }

    /// Asks a second time where the first finding may be due to the network.
    fn ask_again(&mut self, task: Task, probe: fn(&mut Bench) -> Probed, asked: &mut Findings) {
        asked.tries = 2;
        self.leave(task);
        let again = self.attempt(task, probe);
        if is_doubtful(&again) {
            self.leave(task);
        }
        let is_cut_off = asked.finding.verdict == Verdict::Unknown;
        if again.verdict == Verdict::Fail || is_cut_off && again.verdict == Verdict::Unknown {
            asked.evidence = self.bench.journal.take_evidence();
            asked.finding = again;
        } else {
            let words = format!("{FLAKY}1 of 2: {}", asked.finding.observed);
            asked.finding = Finding::warn(words);
        }
    }

    /// Whether it has got no connection, and may get one by another try.
    fn is_cut_off(&self, finding: &Finding) -> bool {
        let failure = self.bench.failure.as_ref();
        let may_pass = failure.is_some_and(|failure| failure.doubt == Doubt::Network);
        finding.verdict == Verdict::Unknown && finding.doubt == Doubt::Network && may_pass
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
        self.begin(task);
        probe(self.bench).unwrap_or_else(Stop::finding)
    }

    /// A point begins.
    fn begin(&mut self, task: Task) {
        self.bench.begin(task.point, task.version);
        (self.tell)(RunNews::Begins { task, memory: Box::new(self.bench.memory()) });
        #[cfg(debug_assertions)]
        tasks::panic_if_a_test_asks(task.point);
    }

    /// The finding of a point that is not asked, or not to its end.
    fn record(&mut self, task: Task, finding: Finding, time: Duration) {
        let tries = u32::from(!time.is_zero());
        self.push(task, Findings { finding, tries, evidence: Vec::new() }, time);
    }

    fn push(&mut self, task: Task, asked: Findings, time: Duration) {
        let Findings { finding, tries, evidence } = asked;
        let Task { point, version, .. } = task;
        let verdict = self.weighed(task, &finding);
        let newest = self.bench.newest().filter(|_| point.speaks_mqtt());
        let observed = self.evidence_of(point, verdict, version);
        let result = PointResult {
            point,
            version: version.or(newest),
            verdict,
            origin: FindingOrigin::Probe,
            observed: finding.observed,
            remedy: finding.remedy.unwrap_or(point.remedy),
            time,
            tries,
            novelty: Novelty::New,
            evidence: observed.unwrap_or(evidence),
        };
        (self.tell)(RunNews::Found { task, result: Box::new(result) });
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
            Verdict::NotApplicable
                if is_version && !self.bench.target.asked_versions.is_empty() =>
            {
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

#[cfg(test)]
mod tests {
    use super::super::points::Set;
    use super::*;

    #[test]
    fn every_run_has_an_end() {
        let longest = |set, only: &[&str], timeout| {
            let only = only.iter().map(|&name| name.to_owned()).collect();
            let selection = PointSelection { set, only, skip: Vec::new() };
            longest_run(&selection, Duration::from_secs(timeout)).as_secs()
        };
        assert_eq!(longest(Set::Default, &[], 10), 60);
        assert_eq!(longest(Set::Full, &[], 10), 600);
        assert_eq!(longest(Set::Default, &["publish"], 10), 600);
        // A healthy server needs its 3 minutes.
        assert_eq!(longest(Set::Full, &[], 1), 330);
    }
}
