//! What the first loop tells all of them, and how far each of them is.

use std::sync::Arc;
use std::time::Instant;

use crate::command::bench::load::sending::OpenMessage;
use crate::command::bench::steps::StepPlan;

/// What all loops are to do, each when it is told.
#[derive(Debug, Clone)]
pub enum LoopOrder {
    /// The subscribers connect.
    ConnectReaders(Instant),
    /// The others connect.
    ConnectOthers(Instant),
    /// The load begins.
    Begin(Instant),
    /// All have sent what they may (`-C`): the window has ended at this number.
    EndWindow(u64),
    /// A condition is true (`--fail-fast`).
    EndEarly(Instant),
    /// A signal came.
    Interrupt(i32, Instant),
    /// What was sent is told to the others.
    HandIn,
    /// What is lost is decided: this was sent by all.
    Judge(Arc<SentMessages>),
    /// The next step begins.
    Step(StepPlan, Instant),
    /// The connections are closed.
    Close(Instant),
    /// The figures so far are wanted.
    Figures,
}

/// How far a loop is, in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum LoopStage {
    /// It connects, or sends.
    #[default]
    Begun,
    /// Its subscribers are ready, or have failed.
    ReadersReady,
    /// All its connections are.
    AllReady,
    /// It has sent what it may (`-C`).
    Sent,
    /// It sends no more.
    Draining,
    /// It has told what it has sent.
    HandedIn,
    /// It has decided what is lost.
    Judged,
    /// Its connections are closed.
    Closed,
}

impl LoopStage {
    /// It as a number that grows from step to step.
    pub fn number(self, step: u32) -> u64 {
        u64::from(step) * 16 + self as u64
    }
}

/// What was sent, by one loop or by all.
#[derive(Debug, Default)]
pub struct SentMessages {
    /// How many messages of each stream, and how many of them in the window.
    pub streams: Vec<[u64; 2]>,
    /// Those that are not finished.
    pub open: Vec<OpenMessage>,
    /// Those of which nobody knows whether the server has them.
    pub doubtful: Vec<OpenMessage>,
}

impl SentMessages {
    /// Adds what another loop has sent.
    pub fn add(&mut self, other: Self) {
        if self.streams.len() < other.streams.len() {
            self.streams.resize(other.streams.len(), [0; 2]);
        }
        for (stream, more) in self.streams.iter_mut().zip(other.streams) {
            stream[0] += more[0];
            stream[1] += more[1];
        }
        self.open.extend(other.open);
        self.doubtful.extend(other.doubtful);
    }
}
