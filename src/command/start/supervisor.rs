//! The process between `serve` and its command: it passes signals on, hands the exit code up, and
//! when `serve` has died it kills the command and all that this has started. The kernel makes every
//! process below it that loses its parent its child, so that none gets away.

use std::ffi::OsString;
use std::fs;

use anyhow::{Context, Result};
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, getpgid, getpgrp, getpid, kill_process,
    set_child_subreaper, wait,
};

use super::{
    CommandOutput, DeathSignal, KILLED, StartRole, ends_with, is_parent, ourselves, running,
};
use crate::exit::{CommandNotStarted, Exit};
use crate::signals::{ReceivedSignal, SignalSource, SignalWatch};

/// So many processes may lie between a process and one that it has started.
const DEEPEST: usize = 1_000;

/// `serve`, and the command.
struct Supervised {
    parent: u32,
    command: Pid,
}

/// Starts the command, and returns its exit code when it has ended.
pub fn run(parent: u32, words: &[OsString]) -> Result<Exit> {
    let mut signals = SignalWatch::begin().context("watching for signals")?;
    // Where it is forbidden, some of what the command starts may get away.
    let _ = set_child_subreaper(Some(getpid()));
    if !ends_with(parent, DeathSignal::Watched) {
        return Ok(KILLED);
    }
    let supervised = Supervised { parent, command: start(words)? };
    loop {
        if !is_parent(parent) {
            kill_all();
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
            SignalSource::Process if received.is_request() || sender.is_some_and(is_below) => {
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

/// Whether a process was started by the command, or is the command.
fn is_below(process: u32) -> bool {
    let ourselves = std::process::id();
    let mut above = Some(process);
    for _ in 0..DEEPEST {
        above = above.and_then(parent_of);
        if above.is_none_or(|pid| pid == ourselves) {
            break;
        }
    }
    above == Some(ourselves)
}

/// Kills every process below this one, until none is left that can be killed.
fn kill_all() {
    while kill_children() > 0 {
        // What loses its parent now becomes our child.
        if matches!(wait(WaitOptions::empty()), Err(error) if error != Errno::INTR) {
            return;
        }
    }
}

/// Kills our children; returns how many there were that could be killed.
fn kill_children() -> usize {
    let ourselves = std::process::id();
    let Ok(entries) = fs::read_dir("/proc") else { return 0 };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let pids = names.filter_map(|name| name.parse::<u32>().ok());
    let children = pids.filter(|pid| parent_of(*pid) == Some(ourselves));
    let children = children.filter_map(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
    children.filter(|pid| kill_process(*pid, Signal::KILL).is_ok()).count()
}

/// The parent of a process, if that is there.
fn parent_of(process: u32) -> Option<u32> {
    let stat = fs::read(format!("/proc/{process}/stat")).ok()?;
    parent_in(&stat)
}

/// Field 4 of a line of `/proc/PID/stat`; field 2 is a name in parentheses, and may hold anything.
fn parent_in(stat: &[u8]) -> Option<u32> {
    let after_name = stat.iter().rposition(|byte| *byte == b')')? + 1;
    let fields = std::str::from_utf8(&stat[after_name..]).ok()?;
    fields.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_of_a_process_is_field_4() {
        assert_eq!(parent_in(b"42 (a b) 3)) S 17 42 42 0"), Some(17));
        for wrong in [&b""[..], b"42", b"42 (a) S", b"42 (a) S x"] {
            assert_eq!(parent_in(wrong), None);
        }
        let parent = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get());
        assert_eq!(parent_of(std::process::id()).map(i64::from), parent.map(i64::from));
    }
}
