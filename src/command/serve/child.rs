//! The command that `serve` runs: started with what it has to know of the broker, told of signals,
//! and waited for.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, getpgid, getpgrp, kill_process};

use super::direct;
use super::tls::CaFile;
#[cfg(target_os = "linux")]
use crate::command::start::Descendants;
use crate::command::start::{self, CommandOutput};
use crate::exit::CommandNotStarted;
use crate::signals::{ReceivedSignal, SignalSource, SignalWatch};
use crate::stdio::exec::CREDENTIALS;

/// The variable with the authority of a broker's certificate.
const CA_FILE: &str = "MQTTWS_CAFILE";
/// The variable with the name of a profile.
const PROFILE: &str = "MQTTWS_PROFILE";

/// What the command has to know of the broker.
#[derive(Debug)]
pub struct KnownBroker<'a> {
    /// Where it is.
    pub url: &'a str,
    /// By what it is trusted.
    pub ca_file: Option<&'a CaFile>,
    /// What to log in with: name and password.
    pub login: Option<&'a (String, String)>,
}

/// The command, which runs.
#[derive(Debug)]
pub struct ServedCommand {
    child: Child,
    /// The child and what it has started.
    #[cfg(target_os = "linux")]
    descendants: Descendants,
}

impl ServedCommand {
    /// Starts the command, if there is one. It has our stdin, stdout and stderr, and finds the
    /// broker in `$MQTTWS_URL` and mqttws on its `$PATH`.
    pub fn start(words: &[OsString], broker: &KnownBroker<'_>) -> Result<Option<Self>> {
        let Some((name, arguments)) = words.split_first() else { return Ok(None) };
        let temporary = broker.ca_file.and_then(CaFile::temporary);
        let (url, output) = (broker.url, CommandOutput::Stdout);
        let mut command = start::guarded(name, arguments, output, url, temporary)?;
        // They are meant for another broker.
        let [username, password] = CREDENTIALS;
        for variable in [username, password, CA_FILE, PROFILE] {
            command.env_remove(variable);
        }
        if let Some(file) = broker.ca_file {
            command.env(CA_FILE, file.path());
        }
        command.envs(direct::variables(env::vars_os(), url));
        if let Some((name, secret)) = broker.login {
            command.env(username, name).env(password, secret);
        }
        start_by(&mut command, name).map(Some)
    }

    /// Waits for its end, and passes each signal on to it, but for those that `obey` takes; returns
    /// its exit code, which is 128 and the signal's number if a signal ended it.
    pub fn wait(
        mut self,
        signals: &mut SignalWatch,
        obey: impl Fn(ReceivedSignal) -> bool,
    ) -> io::Result<u8> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                self.end_all_after(status);
                return Ok(code(status));
            }
            for signal in signals.wait() {
                if !obey(signal) {
                    self.pass_on(signal);
                }
            }
        }
    }

    /// The child that stands between us and the command ends by itself. If a signal has ended it,
    /// nobody else ends what the command has started.
    #[cfg(target_os = "linux")]
    fn end_all_after(&self, status: ExitStatus) {
        if status.signal().is_some() {
            self.descendants.kill();
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn end_all_after(&self, _: ExitStatus) {}

    fn pass_on(&self, received: ReceivedSignal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let (Some(pid), Some(signal)) = (pid, Signal::from_named_raw(received.number)) else {
            return;
        };
        // The terminal has sent it to the command, too, unless that has a process group of its own.
        if received.source == SignalSource::Terminal && getpgid(Some(pid)) == Ok(getpgrp()) {
            return;
        }
        // It fails only if the command has just ended by itself.
        let _ = kill_process(pid, signal);
    }
}

fn start_by(command: &mut Command, name: &OsStr) -> Result<ServedCommand> {
    #[cfg(target_os = "linux")]
    let descendants = Descendants::adopt();
    let child = command.spawn().map_err(CommandNotStarted);
    let child = child.with_context(|| start::running(name))?;
    Ok(ServedCommand {
        child,
        #[cfg(target_os = "linux")]
        descendants,
    })
}

fn code(status: ExitStatus) -> u8 {
    let code = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code).unwrap_or(u8::MAX)
}
