//! Signals: the first one ends the run, and then cleaning up goes on whatever comes.

use std::io;
use std::sync::Arc;

use crate::command::check::finding::{StepResult, Stop};
use crate::signals::Signals;
use crate::transport::poll::{Poller, Waker};

/// What a run does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunStage {
    /// It asks points.
    Asking,
    /// It leaves nothing behind.
    CleaningUp,
}

/// The signals of a run.
pub struct Interrupts {
    signals: Signals,
    /// What a signal wakes.
    pub waker: Arc<Waker>,
    /// The signal that ends the run.
    pub caught: Option<i32>,
    /// What the run does now.
    pub stage: RunStage,
}

impl Interrupts {
    /// Signals are noticed from now on.
    pub fn new() -> io::Result<Self> {
        let waker = Arc::clone(Poller::new()?.waker());
        let signals = Signals::new(waker.writer())?;
        Ok(Self { signals, waker, caught: None, stage: RunStage::Asking })
    }

    /// A signal ends the run; while cleaning up it does not.
    pub fn obey(&mut self) -> StepResult<()> {
        if let Some(signal) = self.signals.take() {
            self.caught = Some(signal);
        }
        match (self.caught, self.stage) {
            (Some(_), RunStage::Asking) => Err(Stop::Interrupted),
            (_, _) => Ok(()),
        }
    }
}
