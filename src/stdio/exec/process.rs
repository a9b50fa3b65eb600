//! One command: started, given its input, read from and waited for; and signals for the commands
//! that run.

use std::any::Any;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use bytes::Bytes;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::environment::{self, Variable};
use crate::signals::GroupGuard;

/// How much a command may answer, in bytes.
const LONGEST_REPLY: u64 = 16 * 1024 * 1024;

/// What a command is given.
#[derive(Debug)]
pub struct Job {
    /// The number of its message.
    pub number: u64,
    /// More for its environment.
    pub variables: Vec<Variable>,
    /// What it reads.
    pub input: Bytes,
}

/// What became of a command.
#[derive(Debug, PartialEq, Eq)]
pub enum CommandOutcome {
    /// It ended with exit code 0; its output, if that was wanted.
    Done(Bytes),
    /// It failed, and why.
    Failed(String),
    /// It was not started, or was ended by us.
    Dropped,
}

/// What becomes of what a command writes to stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandStdout {
    /// It goes to our stdout.
    Inherited,
    /// It is read and handed to the caller.
    Captured,
}

/// The commands that run.
#[derive(Debug)]
pub struct Running {
    state: Mutex<RunningState>,
    guard: GroupGuard,
}

#[derive(Debug, Default)]
struct RunningState {
    phase: RunPhase,
    /// Each is the leader of a process group of its own, which is guarded.
    leaders: Vec<(Pid, Box<dyn Any + Send>)>,
}

/// How far the run has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum RunPhase {
    /// Commands are started.
    #[default]
    Starting,
    /// No other command is started.
    Stopped,
    /// Those that run were told to end.
    Ending,
}

impl Running {
    /// None runs yet.
    pub fn new(guard: GroupGuard) -> Self {
        Self { state: Mutex::default(), guard }
    }

    /// No other command is started.
    pub fn stop(&self) {
        let mut state = self.state();
        state.phase = state.phase.max(RunPhase::Stopped);
    }

    /// Sends a signal to all of them and to what they have started; no other is started.
    pub fn signal(&self, signal: i32) {
        let mut state = self.state();
        state.phase = RunPhase::Ending;
        let Some(signal) = Signal::from_named_raw(signal) else { return };
        for (leader, _) in &state.leaders {
            // It has not been waited for, so it is still there.
            let _ = kill_process_group(*leader, signal);
        }
    }

    /// Sends SIGKILL to all of them; no other is started.
    pub fn kill(&self) {
        self.signal(Signal::KILL.as_raw());
    }

    fn state(&self) -> MutexGuard<'_, RunningState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends SIGTERM to all of them; no other is started.
    pub fn terminate(&self) {
        self.signal(Signal::TERM.as_raw());
    }

    /// Runs a command and waits for its end.
    pub fn run(&self, command: &[OsString], job: Job, stdout: CommandStdout) -> CommandOutcome {
        let (child, pid) = match self.start(command, &job.variables, stdout) {
            Ok(Some(started)) => started,
            Ok(None) => return CommandOutcome::Dropped,
            Err(error) => return CommandOutcome::Failed(format!("it cannot be started: {error}")),
        };
        let output = talk(child, pid, job.input, |pid| self.reap(pid));
        let is_ending = self.state().phase == RunPhase::Ending;
        match output {
            Ok((status, output)) if status.success() => CommandOutcome::Done(output),
            _ if is_ending => CommandOutcome::Dropped,
            Ok((status, _)) => CommandOutcome::Failed(words(status)),
            Err(error) => CommandOutcome::Failed(error.to_string()),
        }
    }

    /// Under the lock, so that no signal comes between its start and its entry in the list.
    fn start(
        &self,
        command: &[OsString],
        variables: &[Variable],
        stdout: CommandStdout,
    ) -> io::Result<Option<(Child, Pid)>> {
        let mut state = self.state();
        if state.phase != RunPhase::Starting {
            return Ok(None);
        }
        let (program, arguments) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let mut process = Command::new(program);
        process.args(arguments).process_group(0).stdin(Stdio::piped());
        process.stdout(match stdout {
            CommandStdout::Captured => Stdio::piped(),
            CommandStdout::Inherited => Stdio::inherit(),
        });
        for (name, _) in
            std::env::vars_os().filter(|(name, value)| environment::is_ours(name, value))
        {
            process.env_remove(name);
        }
        self.guard.prepare();
        let child = process.envs(variables.iter().map(|(name, value)| (name, value))).spawn()?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("it has no process id"))?;
        state.leaders.push((pid, self.guard.guard(pid)));
        Ok(Some((child, pid)))
    }

    /// Waits for its end, and removes it from the list before its process id can be used again.
    fn reap(&self, pid: Pid) {
        while waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
            .is_err_and(|error| error == rustix::io::Errno::INTR)
        {}
        let mut state = self.state();
        if state.phase == RunPhase::Ending {
            // A shell starts its background jobs with SIGINT ignored: they would go on running.
            let _ = kill_process_group(pid, Signal::KILL);
        }
        state.leaders.retain(|(leader, _)| *leader != pid);
    }
}

/// Writes its input, reads its output, and waits for its end.
fn talk(
    mut child: Child,
    pid: Pid,
    input: Bytes,
    reap: impl Fn(Pid),
) -> io::Result<(ExitStatus, Bytes)> {
    let fed = child.stdin.take().map_or(Ok(()), |stdin| feed(stdin, input));
    let output = match (&fed, child.stdout.take()) {
        (Ok(()), Some(stdout)) => listen(stdout),
        _ => Ok(Bytes::new()),
    };
    if fed.is_err() || output.is_err() {
        // It has not been waited for, so it is still there.
        let _ = kill_process_group(pid, Signal::KILL);
    }
    reap(pid);
    let status = child.wait()?;
    fed.and(output).map(|output| (status, output))
}

/// Writes the input in a thread of its own, so that a command need not read it.
fn feed(mut stdin: ChildStdin, input: Bytes) -> io::Result<()> {
    let body = move || {
        // A command need not read all of its input: its exit code says whether it failed.
        let _ = stdin.write_all(&input);
    };
    thread::Builder::new().name("command".to_owned()).spawn(body).map(drop)
}

fn listen(stdout: impl Read) -> io::Result<Bytes> {
    let mut output = Vec::new();
    stdout.take(LONGEST_REPLY + 1).read_to_end(&mut output)?;
    if output.len() as u64 > LONGEST_REPLY {
        return Err(io::Error::other(format!("it writes more than {LONGEST_REPLY} bytes")));
    }
    Ok(output.into())
}

fn words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("it ended with exit code {code}"),
        (None, Some(signal)) => format!("signal {signal} ended it"),
        (None, None) => "it did not end well".to_owned(),
    }
}
