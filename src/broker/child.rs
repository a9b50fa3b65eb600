//! The command that `serve` runs beside the broker, and the wait for its end or for a signal.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::SIGINT;

use crate::signals::SignalWatch;

/// Why the broker has nothing more to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopCause {
    /// A signal came, and there is no command that could end by it.
    Signal,
    /// The command ended with this exit code; 128 and the signal's number if a signal ended it.
    Command(u8),
}

/// From here on SIGINT, SIGTERM and SIGHUP are ours: make it before anybody can know that we run.
#[derive(Debug)]
pub struct ServeSignals(SignalWatch);

impl ServeSignals {
    /// Begins to watch for signals.
    pub fn begin() -> io::Result<Self> {
        SignalWatch::begin().map(Self)
    }

    /// Waits for a signal; with a command, runs it and waits for its end.
    pub fn wait(mut self, command: Option<Command>) -> io::Result<StopCause> {
        let Some(mut command) = command else {
            while self.0.take().is_none() {
                self.0.wait()?;
            }
            return Ok(StopCause::Signal);
        };
        let mut child = command.spawn()?;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(StopCause::Command(code(status)));
            }
            while let Some(signal) = self.0.take() {
                // SIGINT comes from the keyboard, and so has reached the command already: it
                // decides what to do.
                if signal != SIGINT {
                    pass_on(signal, &child);
                }
            }
            self.0.wait()?;
        }
    }
}

fn pass_on(signal: i32, child: &Child) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let (Some(pid), Some(signal)) = (pid, Signal::from_named_raw(signal)) {
        // It may have ended by itself in this very moment.
        let _ = kill_process(pid, signal);
    }
}

fn code(status: ExitStatus) -> u8 {
    let code = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code).unwrap_or(u8::MAX)
}
