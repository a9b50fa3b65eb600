//! Waits for the end of the command that `serve` runs, or for a signal.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::SIGINT;

use crate::signals::SignalWatch;

/// Why the broker has nothing more to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopCause {
    /// A signal came, and there is no command to pass it on to.
    Signal,
    /// The command ended with this exit code; 128 and the signal's number if a signal ended it.
    Command(u8),
}

/// Watches SIGINT, SIGTERM, SIGHUP and SIGCHLD from its creation on. Create it before the broker
/// can be reached, so that no signal ends the process uncleanly.
#[derive(Debug)]
pub struct ServeSignals(SignalWatch);

impl ServeSignals {
    /// Begins to watch for signals.
    pub fn begin() -> io::Result<Self> {
        SignalWatch::begin().map(Self)
    }

    /// Waits for a signal or, with a command, for the end of that: signals are passed on to it.
    pub fn wait(mut self, command: Option<Child>) -> io::Result<StopCause> {
        let Some(mut child) = command else {
            while self.0.take().is_none() {
                self.0.wait()?;
            }
            return Ok(StopCause::Signal);
        };
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(StopCause::Command(code(status)));
            }
            while let Some(signal) = self.0.take() {
                // SIGINT comes from the keyboard, which sends it to the command as well: the
                // command decides what to do.
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
        // It fails only if the command has just ended by itself.
        let _ = kill_process(pid, signal);
    }
}

fn code(status: ExitStatus) -> u8 {
    let code = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code).unwrap_or(u8::MAX)
}
