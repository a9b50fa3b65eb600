//! The process between mqttws and a command: it passes signals on, says how the command has ended,
//! and when mqttws has died it kills the command and all that this has started. The kernel makes
//! every process below it that loses its parent its child, so that none gets away.
//!
//! For `serve` it ends with the command. For `sub`, which ends all that its command has started, it
//! stays until `sub` has no use for it any more.

use std::ffi::OsString;

use anyhow::{Context, Result};
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, getpgid, getpgrp, kill_process, kill_process_group, wait,
};

use super::descendants::{Descendants, is_descendant};
use super::line::SupervisorLine;
use super::{
    CommandOutput, DeathSignal, KILLED, StartRole, ends_with, is_parent, ourselves, running,
};
use crate::exit::{CommandNotStarted, Exit};
use crate::signals::{ReceivedSignal, SignalSource, SignalWatch};

/// mqttws, and the command.
struct Supervised {
    parent: u32,
    command: Pid,
    /// What connects us with `sub`.
    line: Option<SupervisorLine>,
    stage: SupervisedStage,
}

/// How far a command has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SupervisedStage {
    /// It runs, and was not told to end by `sub`.
    Running,
    /// It has ended by itself; what it has started may run.
    Ended,
    /// `sub` has ended it: nothing is left to do once nothing of it runs any more.
    Ending,
}

/// What is left of the children of this process.
struct Reaped {
    /// How the command has ended, if it has just done so.
    command: Option<WaitStatus>,
    /// Whether one of them runs.
    is_any_left: bool,
}

/// Starts the command, and returns its exit code when it has ended; that of `sub` is told to `sub`.
pub fn run(parent: u32, output: CommandOutput, words: &[OsString]) -> Result<Exit> {
    let mut signals = SignalWatch::begin().context("watching for signals")?;
    let descendants = Descendants::adopt();
    if !ends_with(parent, DeathSignal::Watched) {
        return Ok(KILLED);
    }
    let line = match output {
        CommandOutput::Stdout => None,
        CommandOutput::Stderr => Some(SupervisorLine::open().context("watching mqttws")?),
    };
    let command = start(output, words)?;
    let mut supervised = Supervised { parent, command, line, stage: SupervisedStage::Running };
    loop {
        if !is_parent(parent) || supervised.is_released() {
            descendants.kill();
            return Ok(KILLED);
        }
        if let Some(exit) = supervised.look_at_children() {
            return Ok(exit);
        }
        // One of them may come from the kernel: a thread of the parent has died, or the parent.
        for signal in signals.wait() {
            supervised.pass(signal, &descendants);
        }
    }
}

/// Starts the process that becomes the command. That of `sub` leads a process group of its own, as
/// it is ended with all of it.
fn start(output: CommandOutput, words: &[OsString]) -> Result<Pid> {
    use std::os::unix::process::CommandExt;
    let name = words.first().map(OsString::as_os_str).unwrap_or_default();
    let mut command = ourselves(StartRole::Command(output));
    if output == CommandOutput::Stderr {
        command.process_group(0);
    }
    let child = command.args(words).spawn().map_err(CommandNotStarted);
    let child = child.with_context(|| running(name))?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    pid.with_context(|| running(name))
}

/// Takes the ends of all children.
fn reap(command: Pid) -> Reaped {
    let mut reaped = Reaped { command: None, is_any_left: true };
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == command => reaped.command = Some(status),
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) => return reaped,
            Err(_) => return Reaped { is_any_left: false, ..reaped },
        }
    }
}

/// As shells have it: 128 and the number of the signal that has ended it.
fn exit_code(status: WaitStatus) -> u8 {
    let code = status.exit_status().or(status.terminating_signal().map(|number| 128 + number));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

impl Supervised {
    /// Whether `sub` has let go of us.
    fn is_released(&self) -> bool {
        self.line.as_ref().is_some_and(SupervisorLine::is_released)
    }

    /// Looks at the children that have ended; returns our exit if there is nothing left to do.
    fn look_at_children(&mut self) -> Option<Exit> {
        let reaped = reap(self.command);
        let Some(line) = &self.line else {
            return reaped.command.map(|status| Exit::Command(exit_code(status)));
        };
        if let Some(status) = reaped.command {
            line.report(status);
            if self.stage == SupervisedStage::Running {
                self.stage = SupervisedStage::Ended;
            }
        }
        let is_over = self.stage == SupervisedStage::Ending && !reaped.is_any_left;
        is_over.then_some(Exit::Done)
    }

    /// Passes a signal on to whom it is for.
    fn pass(&mut self, received: ReceivedSignal, descendants: &Descendants) {
        let Some(signal) = Signal::from_named_raw(received.number) else { return };
        let sender = received.sender.and_then(|sender| u32::try_from(sender).ok());
        if sender == Some(std::process::id()) {
            return;
        }
        let is_of_parent = received.source == SignalSource::Process && sender == Some(self.parent);
        if is_of_parent && self.line.is_some() {
            if !received.is_request() {
                self.end_all(signal, descendants);
            }
            return;
        }
        let to = match received.source {
            // The command has got it, too, unless it has a process group of its own.
            SignalSource::Terminal if getpgid(Some(self.command)) == Ok(getpgrp()) => None,
            SignalSource::Terminal => Some(self.command),
            SignalSource::Process if is_of_parent => {
                (!received.is_request()).then_some(self.command)
            }
            // The command takes us for mqttws. Others mean the whole process group, and mqttws has
            // got it, too.
            SignalSource::Process if received.is_request() || sender.is_some_and(is_descendant) => {
                i32::try_from(self.parent).ok().and_then(Pid::from_raw)
            }
            SignalSource::Process => None,
        };
        if let Some(to) = to {
            // It fails only if that process has just ended.
            let _ = kill_process(to, signal);
        }
    }

    /// Sends a signal of `sub` to all that runs: at once to the process group of the command, while
    /// its number stands for it, and then to what is in none or in another one.
    fn end_all(&mut self, signal: Signal, descendants: &Descendants) {
        let group = (self.stage == SupervisedStage::Running).then_some(self.command);
        if let Some(group) = group {
            let _ = kill_process_group(group, signal);
        }
        self.stage = SupervisedStage::Ending;
        descendants.signal_outside(group, signal);
    }
}
