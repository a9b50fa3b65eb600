//! The command that `serve` runs beside the broker, and the wait for its end or for a signal.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGCHLD, SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

/// Why the broker has nothing more to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopCause {
    /// A signal came, and there is no command that could end by it.
    Signal,
    /// The command ended with this exit code; 128 and the signal's number if a signal ended it.
    Command(u8),
}

/// From here on SIGINT and SIGTERM are ours: make it before anybody can know that we run.
#[derive(Debug)]
pub struct ServeSignals {
    interrupted: Arc<AtomicBool>,
    terminated: Arc<AtomicBool>,
    /// Gets a byte for each signal, also for SIGCHLD, after its flag was set.
    wakes: UnixStream,
}

impl ServeSignals {
    /// Begins to watch for signals.
    pub fn begin() -> io::Result<Self> {
        let (wakes, writer) = UnixStream::pair()?;
        let signals = Self { interrupted: Arc::default(), terminated: Arc::default(), wakes };
        // Actions run in the order of their registration: first the flag, then the byte.
        flag::register(SIGINT, Arc::clone(&signals.interrupted))?;
        flag::register(SIGTERM, Arc::clone(&signals.terminated))?;
        for signal in [SIGINT, SIGTERM, SIGCHLD] {
            low_level::pipe::register(signal, writer.try_clone()?)?;
        }
        Ok(signals)
    }

    /// Waits for a signal; with a command, runs it and waits for its end.
    pub fn wait(mut self, command: Option<Command>) -> io::Result<StopCause> {
        let Some(mut command) = command else {
            while !self.interrupted.load(SeqCst) && !self.terminated.load(SeqCst) {
                self.wait_for_any()?;
            }
            return Ok(StopCause::Signal);
        };
        let mut child = command.spawn()?;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(StopCause::Command(code(status)));
            }
            // SIGINT comes from the keyboard, and so has reached the command already: it decides
            // what to do.
            if self.terminated.swap(false, SeqCst) {
                terminate(&child);
            }
            self.wait_for_any()?;
        }
    }

    fn wait_for_any(&mut self) -> io::Result<()> {
        match self.wakes.read(&mut [0; 64]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            result => result.map(drop),
        }
    }
}

fn terminate(child: &Child) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // It may have ended by itself in this very moment.
        let _ = kill_process(pid, Signal::TERM);
    }
}

fn code(status: ExitStatus) -> u8 {
    let code = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code).unwrap_or(u8::MAX)
}
