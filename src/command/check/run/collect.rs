//! Collects what a run finds. The run is on a thread of its own: a panic in a probe ends that
//! thread, and another thread goes on with the rest of the points.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use super::steadiness;
use super::tasks::{self, Task};
use super::{FindingOrigin, Novelty, PointResult, RunEnd, RunEvent, RunNews};
use crate::command::check::bench::{Bench, BenchMemory, CheckTarget, Failure};
use crate::command::check::finding::Verdict;
use crate::command::check::guarded;
use crate::command::check::journal::Journal;
use crate::command::check::points;

/// How often an observer is told that time passes.
const PULSE: Duration = Duration::from_millis(250);

/// What came of a run.
pub struct RunResult {
    /// The results, in the order of the table.
    pub results: Vec<PointResult>,
    /// Why there was no connection at all.
    pub failure: Option<Failure>,
    /// What is known at the end.
    pub memory: BenchMemory,
    /// The signal that ended the run.
    pub signal: Option<i32>,
}

/// What a thread ends with.
enum ThreadEnd {
    /// It has asked all that was left.
    Done(Box<RunEnd>),
    /// It panicked: with these words.
    Fault(String),
}

/// What was found so far.
struct Collected {
    results: Vec<PointResult>,
    /// The tasks that these results are of.
    done: Vec<Task>,
    /// What was known when the latest point began.
    memory: BenchMemory,
    /// The point that is asked.
    asked: Option<Task>,
}

/// Asks all points, and cleans up. The observer is told of everything at once.
pub fn run(
    target: &Arc<CheckTarget>,
    journal: Journal,
    observer: &mut dyn FnMut(RunEvent<'_>),
) -> io::Result<RunResult> {
    let memory = BenchMemory::new(journal);
    let mut found = Collected { results: Vec::new(), done: Vec::new(), memory, asked: None };
    let mut after = None;
    loop {
        let known = found.done.len();
        let news = start(target, found.memory.clone(), found.done.clone(), after)?;
        match found.follow(&news, observer) {
            ThreadEnd::Done(end) => {
                let RunEnd { failure, memory, signal } = *end;
                found.worsen(&memory.journal, observer);
                return Ok(RunResult { results: found.sorted(), failure, memory, signal });
            }
            ThreadEnd::Fault(words) => {
                after = found.asked.map(|task| task.point.name).or(after);
                found.add_fault(&words, observer);
                // A fault outside of the points would come again: then the rest stays open.
                if found.done.len() == known {
                    found.add_rest(target, &words, observer);
                    let memory = found.memory.clone();
                    let results = found.sorted();
                    return Ok(RunResult { results, failure: None, memory, signal: None });
                }
            }
        }
    }
}

/// Begins to ask what is not done yet, `after` a point at which a thread has ended.
fn start(
    target: &Arc<CheckTarget>,
    memory: BenchMemory,
    done: Vec<Task>,
    after: Option<&'static str>,
) -> io::Result<Receiver<RunNews>> {
    let (sender, news) = mpsc::channel();
    let of_fault = sender.clone();
    let mut bench = Bench::new(Arc::clone(target), memory)?;
    // Whoever collects is gone only when the program ends.
    let task = move || {
        let end = super::run(&mut bench, &done, after, &mut |one| drop(sender.send(one)));
        drop(sender.send(RunNews::Ended(Box::new(end))));
    };
    guarded::spawn(task, move |words| drop(of_fault.send(RunNews::Fault(words))))?;
    Ok(news)
}

impl Collected {
    /// Takes what a thread tells, until it ends.
    fn follow(
        &mut self,
        news: &Receiver<RunNews>,
        observer: &mut dyn FnMut(RunEvent<'_>),
    ) -> ThreadEnd {
        loop {
            match news.recv_timeout(PULSE) {
                Ok(RunNews::Begins { task, memory }) => {
                    self.memory = *memory;
                    self.asked = Some(task);
                    observer(RunEvent::Begins { point: task.point, version: task.version });
                }
                Ok(RunNews::Found { task, result }) => self.add(task, *result, observer),
                Ok(RunNews::Ended(end)) => return ThreadEnd::Done(end),
                Ok(RunNews::Fault(words)) => return ThreadEnd::Fault(words),
                Err(RecvTimeoutError::Timeout) => observer(RunEvent::Waits),
                Err(RecvTimeoutError::Disconnected) => {
                    return ThreadEnd::Fault("the thread has ended without a word".to_owned());
                }
            }
        }
    }

    fn add(&mut self, task: Task, result: PointResult, observer: &mut dyn FnMut(RunEvent<'_>)) {
        observer(RunEvent::Found(&result));
        self.results.push(result);
        self.done.push(task);
        self.asked = None;
    }

    /// What was seen after a point has passed makes its result worse.
    fn worsen(&mut self, journal: &Journal, observer: &mut dyn FnMut(RunEvent<'_>)) {
        for result in steadiness::worsen(&mut self.results, journal) {
            observer(RunEvent::Worsened(result));
        }
    }

    /// The point that was asked has ended by a fault of this program.
    fn add_fault(&mut self, words: &str, observer: &mut dyn FnMut(RunEvent<'_>)) {
        if let Some(task) = self.asked {
            let result = self.undecided(task, words);
            self.add(task, result, observer);
        }
    }

    /// The rest is not asked.
    fn add_rest(
        &mut self,
        target: &CheckTarget,
        words: &str,
        observer: &mut dyn FnMut(RunEvent<'_>),
    ) {
        for task in tasks::left(target, &self.done) {
            let result = self.undecided(task, words);
            self.add(task, result, observer);
        }
    }

    /// What is told of a point that a fault of this program has kept from being decided.
    fn undecided(&self, task: Task, words: &str) -> PointResult {
        let newest = self.memory.newest().filter(|_| task.point.speaks_mqtt());
        PointResult {
            point: task.point,
            version: task.version.or(newest),
            verdict: Verdict::Unknown,
            origin: FindingOrigin::Fault,
            observed: format!("fault in mqttws: {words}"),
            remedy: "report it to the authors of mqttws, with this line",
            time: Duration::ZERO,
            tries: 1,
            novelty: Novelty::New,
            evidence: Vec::new(),
        }
    }

    /// The results in the order of the table, the newest version first.
    fn sorted(&mut self) -> Vec<PointResult> {
        let place = |result: &PointResult| {
            let at = points::all().position(|point| point.name == result.point.name);
            (at, std::cmp::Reverse(result.version))
        };
        let mut results = std::mem::take(&mut self.results);
        results.sort_by_key(place);
        results
    }
}
