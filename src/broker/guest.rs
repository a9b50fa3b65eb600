//! The command that `serve` runs beside the broker, and the wait for its end or for a signal.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc;
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGTERM};

use crate::signals;

/// Why the broker has nothing more to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// A signal came, and there is no command that could end by it.
    Signal(i32),
    /// The command ended with this exit code; 128 and the signal's number if a signal ended it.
    Command(u8),
}

#[derive(Debug)]
enum Mail {
    Signal(i32),
    Ended(io::Result<ExitStatus>),
}

/// From here on SIGINT, SIGTERM and SIGHUP are ours: make it before anybody can know that we run.
#[derive(Debug)]
pub struct Watch(signals::Stream);

impl Watch {
    /// Begins to watch for signals.
    pub fn begin() -> io::Result<Self> {
        signals::Stream::new().map(Self)
    }

    /// Waits for a signal; with a command, runs it and waits for its end.
    pub fn wait(self, command: Option<Command>) -> io::Result<End> {
        wait(self.0, command)
    }
}

fn wait(signals: signals::Stream, command: Option<Command>) -> io::Result<End> {
    let (sender, mail) = mpsc::channel();
    let child = command.map(|mut command| command.spawn()).transpose()?;
    let pid =
        child.as_ref().and_then(|child| i32::try_from(child.id()).ok()).and_then(Pid::from_raw);
    let signalled = sender.clone();
    thread::spawn(move || {
        signals.forever(|signal| {
            // Without a receiver the program is ending already.
            let _ = signalled.send(Mail::Signal(signal));
        });
    });
    if let Some(child) = child {
        thread::spawn(move || sender.send(Mail::Ended(reap(child))));
    }
    loop {
        match (mail.recv().map_err(io::Error::other)?, pid) {
            (Mail::Ended(status), _) => return status.map(|status| End::Command(code(status))),
            (Mail::Signal(signal), None) => return Ok(End::Signal(signal)),
            // SIGINT comes from the keyboard, and so has reached the command already. It decides
            // what to do.
            (Mail::Signal(signal @ (SIGTERM | SIGHUP)), Some(pid)) => {
                let signal = if signal == SIGHUP { Signal::HUP } else { Signal::TERM };
                // It may have ended by itself in this very moment.
                let _ = kill_process(pid, signal);
            }
            (Mail::Signal(_), Some(_)) => {}
        }
    }
}

fn reap(mut child: Child) -> io::Result<ExitStatus> {
    child.wait()
}

fn code(status: ExitStatus) -> u8 {
    let code = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code).unwrap_or(u8::MAX)
}
