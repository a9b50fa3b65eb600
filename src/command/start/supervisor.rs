//! The process between `serve` and its command: it passes signals on, hands the exit code up, and
//! when `serve` has died it kills the command and all that this has started. The kernel makes every
//! process below it that loses its parent its child, so that none gets away. It then removes what
//! `serve` would have removed.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, getpgid, getpgrp, kill_process, wait};

use super::descendants::{Descendants, is_descendant};
use super::{
    CommandOutput, DeathSignal, KILLED, StartRole, ends_with, is_parent, ourselves, running,
};
use crate::exit::{CommandNotStarted, Exit};
use crate::signals::{ReceivedSignal, SignalSource, SignalWatch};

/// `serve`, and the command.
struct Supervised {
    parent: u32,
    command: Pid,
}

/// Starts the command, and returns its exit code when it has ended. When the parent has died, a
/// `temporary` file of it is removed.
pub fn run(parent: u32, temporary: Option<&Path>, words: &[OsString]) -> Result<Exit> {
    let mut signals = SignalWatch::begin().context("watching for signals")?;
    let descendants = Descendants::adopt();
    if !ends_with(parent, DeathSignal::Watched) {
        remove(temporary);
        return Ok(KILLED);
    }
    let supervised = Supervised { parent, command: start(words)? };
    loop {
        if !is_parent(parent) {
            descendants.kill();
            remove(temporary);
            return Ok(KILLED);
        }
        if let Some(code) = reap(supervised.command) {
            return Ok(Exit::Command(code));
        }
        // One of them may come from the kernel: a thread of the parent has died, or the parent.
        for signal in signals.wait() {
            supervised.pass(signal);
        }
    }
}

fn remove(temporary: Option<&Path>) {
    if let Some(path) = temporary {
        // The parent may have removed it before it died.
        let _ = fs::remove_file(path);
    }
}

/// Starts the process that becomes the command.
fn start(words: &[OsString]) -> Result<Pid> {
    let name = words.first().map(OsString::as_os_str).unwrap_or_default();
    let mut command = ourselves(StartRole::Command(CommandOutput::Stdout));
    let child = command.args(words).spawn().map_err(CommandNotStarted);
    let child = child.with_context(|| running(name))?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    pid.with_context(|| running(name))
}

/// Takes the ends of all children; returns the exit code of the command if it has ended.
fn reap(command: Pid) -> Option<u8> {
    let mut code = None;
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == command => code = Some(exit_code(status)),
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) | Err(_) => return code,
        }
    }
}

/// As shells have it: 128 and the number of the signal that has ended it.
fn exit_code(status: WaitStatus) -> u8 {
    let code = status.exit_status().or(status.terminating_signal().map(|number| 128 + number));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

impl Supervised {
    /// Passes a signal on to whom it is for.
    fn pass(&self, received: ReceivedSignal) {
        let Some(signal) = Signal::from_named_raw(received.number) else { return };
        let sender = received.sender.and_then(|sender| u32::try_from(sender).ok());
        let to = match received.source {
            // The command has got it, too, unless it has a process group of its own.
            SignalSource::Terminal if getpgid(Some(self.command)) == Ok(getpgrp()) => None,
            SignalSource::Terminal => Some(self.command),
            SignalSource::Process if sender == Some(self.parent) => {
                (!received.is_request()).then_some(self.command)
            }
            // The command takes us for `serve`. Others mean the whole process group, and `serve`
            // has got it, too.
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
}
