//! Points that only wait: they begin first, and end after all others.

use std::time::{Duration, Instant};

use super::tasks::Task;
use super::{Findings, Runner};
use crate::command::check::bench::Conn;
use crate::command::check::finding::{Finding, StepResult, Stop};
use crate::command::check::probes::PointProbe;

/// How far a point is that waits.
pub(super) enum Begun {
    Not,
    At { conns: StepResult<Vec<Conn>>, topic: String, since: Instant },
}

impl Runner<'_> {
    pub(super) fn begin_waiting(&mut self, task: Task) -> (Task, Begun) {
        let PointProbe::Wait { begin, .. } = task.probe else { return (task, Begun::Not) };
        if let Some(finding) = self.without_asking(task) {
            self.record(task, finding, Duration::ZERO);
            return (task, Begun::Not);
        }
        self.begin(task);
        let conns = begin(self.bench);
        if let Ok(conns) = &conns {
            for conn in conns {
                self.bench.connections.park(*conn);
            }
        }
        let topic = self.bench.topic("");
        self.bench.end_point();
        (task, Begun::At { conns, topic, since: Instant::now() })
    }

    pub(super) fn finish_waiting(&mut self, task: Task, begun: Begun) {
        let (PointProbe::Wait { finish, .. }, Begun::At { conns, topic, since }) =
            (task.probe, begun)
        else {
            return;
        };
        // What ended at its beginning has its finding already.
        let is_lost = self.dead.is_some() && conns.is_ok();
        if let Some(words) = self.lost_server().filter(|_| is_lost) {
            return self.record(task, Finding::unknown(words), since.elapsed());
        }
        self.begin(task);
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
        self.push(task, Findings { finding, tries: 1, evidence }, since.elapsed());
    }
}
