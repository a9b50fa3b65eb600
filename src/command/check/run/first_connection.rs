//! The first connection of a run, and which points are asked where there is none.

use std::time::Duration;

use super::Runner;
use super::tasks::Task;
use crate::command::check::bench::Failure;
use crate::command::check::finding::{Doubt, Finding, Stop, Verdict};
use crate::command::check::points::Point;
use crate::exit::Exit;

impl Runner<'_> {
    /// Asks what can be asked of a server that cannot be connected to.
    pub(super) fn ask_possible(&mut self, tasks: Vec<Task>, failure: &Failure) {
        for task in tasks {
            if is_possible(task.point, failure, self.bench.known.was_upgraded) {
                self.ask(task);
            } else {
                let words = format!("no connection: {}", failure.words);
                self.record(task, Finding::unknown(words), Duration::ZERO);
            }
        }
    }

    /// Opens the first connection, in the newest version that is spoken; where the network may have
    /// kept it from that, once more. Without one there is little to ask.
    pub(super) fn meet(&mut self) -> Option<Failure> {
        let first = self.connect()?;
        if first.doubt == Doubt::None {
            return Some(first);
        }
        self.bench.known.plain_answer = None;
        let again = self.connect();
        if again.is_none() {
            self.bench.journal.observe("offer-mqtt", None, Verdict::Fail, first.words);
        }
        again
    }

    fn connect(&mut self) -> Option<Failure> {
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
                let unknown = Failure { exit: Exit::Refused, words, doubt: Doubt::None };
                Some(self.bench.failure.clone().unwrap_or(unknown))
            }
        }
    }
}

/// Whether a point can be asked of a server that cannot be connected to.
fn is_possible(point: &Point, failure: &Failure, was_upgraded: bool) -> bool {
    let groups: &[&str] = match failure.exit {
        Exit::Upgrade => &["reach", "tls", "upgrade"],
        Exit::Refused => &["reach", "tls", "upgrade", "connect"],
        Exit::TimedOut if was_upgraded => &["reach", "tls", "upgrade", "connect"],
        Exit::Tls => &["reach", "tls"],
        _ => &["reach"],
    };
    groups.contains(&point.group()) || point.name == "offer-mqtt" && failure.exit == Exit::TimedOut
}
