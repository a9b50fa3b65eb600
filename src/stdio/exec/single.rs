//! One command for the whole run: started by its caller, with a thread that waits for its end, and
//! ended with all that it has started.

use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{ChildStdout, Command};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process_group, waitid,
};

use super::group;

/// How long a command may take to end after a signal, before it is killed.
const TIME_TO_END: Duration = Duration::from_secs(3);

/// How long a command may go on before it is told to end: one that has just published what was
/// waited for is about to end.
const GRACE: Duration = Duration::from_millis(250);

/// How often it is looked whether all that a command has started has ended: no system tells.
const PAUSE: Duration = Duration::from_millis(20);

/// The most that is said about a command that could not be run, in bytes.
const LONGEST_REASON: u64 = 4096;

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SingleEnd {
    /// With exit code 0.
    Done,
    /// It failed, and how.
    Failed(String),
    /// It could not be run, and why.
    NotRun(String),
}

/// A command that was started. It is the leader of a process group of its own, and stays in the
/// list of processes until we end, so that its number stands for its group and for nothing else.
#[derive(Debug)]
pub struct SingleCommand {
    leader: Pid,
    /// How it ended, if it has.
    state: Arc<Mutex<Option<SingleEnd>>>,
    /// Is closed when the command has ended; taken when it is told to end.
    ended: Option<Receiver<()>>,
    /// Is closed when a command that was told to end has ended.
    over: Option<Receiver<()>>,
}

impl SingleCommand {
    /// Starts a command. `wake` is called by another thread when it has ended. Where its stdout is
    /// a pipe, that ends as soon as the command runs, and holds the reason if it cannot.
    ///
    /// Call it on the main thread: a command that asks to be killed with its parent is killed with
    /// the thread that has started it.
    pub fn start(command: &mut Command, wake: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let mut child = command.process_group(0).spawn()?;
        let leader = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let leader = leader.ok_or_else(|| io::Error::other("it has no process id"))?;
        let pipe = child.stdout.take();
        let state = Arc::new(Mutex::new(None));
        let (sender, ended) = mpsc::channel();
        let shared = Arc::clone(&state);
        let body = move || {
            watch(leader, pipe, &shared);
            drop(sender);
            wake();
        };
        let started = thread::Builder::new().name("command".to_owned()).spawn(body);
        if let Err(error) = started {
            // It has not been waited for, so it is still there.
            let _ = kill_process_group(leader, Signal::KILL);
            return Err(error);
        }
        Ok(Self { leader, state, ended: Some(ended), over: None })
    }

    /// How it ended, if it has.
    pub fn end(&self) -> Option<SingleEnd> {
        lock(&self.state).clone()
    }

    /// Sends this signal to the command and to all that it has started; after [`TIME_TO_END`] they
    /// are killed.
    pub fn signal(&mut self, signal: i32) {
        self.end_after(Duration::ZERO, Signal::from_named_raw(signal).unwrap_or(Signal::TERM));
    }

    /// Sends SIGTERM so, unless it ends in an instant by itself. What it has left behind then gets
    /// the signal, too.
    pub fn terminate(&mut self) {
        self.end_after(GRACE, Signal::TERM);
    }

    fn end_after(&mut self, grace: Duration, signal: Signal) {
        let Some(ended) = self.ended.take() else { return };
        let (sender, over) = mpsc::channel();
        self.over = Some(over);
        let leader = self.leader;
        let body = move || {
            end(leader, &ended, grace, signal);
            drop(sender);
        };
        if thread::Builder::new().name("end".to_owned()).spawn(body).is_err() {
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }

    /// Waits for the end of a command that was told to end.
    pub fn wait(&self) {
        if let Some(over) = &self.over {
            // It is closed, and nothing is ever sent.
            let _ = over.recv();
        }
    }
}

/// Sends the signal to a command, which may end by itself within `grace`, and to all that it has
/// started, and kills what has not ended then. The command has not been waited for, so its number
/// stands for its group.
fn end(leader: Pid, ended: &Receiver<()>, grace: Duration, signal: Signal) {
    let _ = ended.recv_timeout(grace);
    let _ = kill_process_group(leader, signal);
    let latest = Instant::now() + TIME_TO_END;
    let is_late = ended.recv_timeout(TIME_TO_END) == Err(RecvTimeoutError::Timeout);
    if is_late || group_outlives(leader, latest) {
        let _ = kill_process_group(leader, Signal::KILL);
        let _ = ended.recv();
    }
}

/// Waits for the end of a group; whether there is something of it at the latest.
fn group_outlives(group: Pid, latest: Instant) -> bool {
    while group::runs(group) {
        if latest <= Instant::now() {
            return true;
        }
        thread::sleep(PAUSE);
    }
    false
}

/// Waits for the end of the command.
fn watch(leader: Pid, pipe: Option<ChildStdout>, state: &Mutex<Option<SingleEnd>>) {
    let reason = pipe.map(reason).unwrap_or_default();
    let status = loop {
        match waitid(WaitId::Pid(leader), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Err(error) if error == rustix::io::Errno::INTR => {}
            status => break status.ok().flatten(),
        }
    };
    let end = if reason.is_empty() { described(status) } else { SingleEnd::NotRun(reason) };
    *lock(state) = Some(end);
}

/// Why the command could not be run; empty if it runs.
fn reason(pipe: ChildStdout) -> String {
    let mut text = Vec::new();
    // Without a reason the exit code says enough.
    let _ = pipe.take(LONGEST_REASON).read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

fn described(status: Option<WaitIdStatus>) -> SingleEnd {
    let code = status.as_ref().and_then(WaitIdStatus::exit_status);
    let signal = status.as_ref().and_then(WaitIdStatus::terminating_signal);
    match (code, signal) {
        (Some(0), _) => SingleEnd::Done,
        (Some(code), _) => SingleEnd::Failed(format!("it ended with exit code {code}")),
        (None, Some(signal)) => SingleEnd::Failed(format!("signal {signal} ended it")),
        (None, None) => SingleEnd::Failed("it did not end well".to_owned()),
    }
}

fn lock(state: &Mutex<Option<SingleEnd>>) -> MutexGuard<'_, Option<SingleEnd>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
