//! One command for the whole run: started by its caller, with a thread that waits for its end, and
//! ended with all that it has started.

use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{ChildStdout, Command};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process_group, waitid,
};

/// How long a command may take to end after a signal, before it is killed.
const TIME_TO_END: Duration = Duration::from_secs(3);

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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SinglePhase {
    /// Nothing has asked it to end.
    Running,
    /// It was told to end.
    Ending,
}

#[derive(Debug)]
struct SingleState {
    phase: SinglePhase,
    end: Option<SingleEnd>,
}

/// A command that was started. It is the leader of a process group of its own, and stays in the
/// list of processes until we end, so that its number stands for its group and for nothing else.
#[derive(Debug)]
pub struct SingleCommand {
    leader: Pid,
    state: Arc<Mutex<SingleState>>,
    /// Is closed when the command has ended.
    ended: Option<Receiver<()>>,
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
        let state = Arc::new(Mutex::new(SingleState { phase: SinglePhase::Running, end: None }));
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
        Ok(Self { leader, state, ended: Some(ended) })
    }

    /// How it ended, if it has.
    pub fn end(&self) -> Option<SingleEnd> {
        lock(&self.state).end.clone()
    }

    /// Sends this signal to the command and to all that it has started; after [`TIME_TO_END`] they
    /// are killed. What it has left behind when it ended by itself gets the signal, too.
    pub fn signal(&mut self, signal: i32) {
        let Some(signal) = Signal::from_named_raw(signal) else { return };
        let mut state = lock(&self.state);
        let _ = kill_process_group(self.leader, signal);
        if state.end.is_some() || state.phase == SinglePhase::Ending {
            return;
        }
        state.phase = SinglePhase::Ending;
        drop(state);
        let Some(ended) = self.ended.take() else { return };
        let (sender, killed) = mpsc::channel();
        self.ended = Some(killed);
        let leader = self.leader;
        let body = move || {
            kill_later(leader, &ended);
            drop(sender);
        };
        if thread::Builder::new().name("kill".to_owned()).spawn(body).is_err() {
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }

    /// Asks it to end, as [`SingleCommand::signal`] does.
    pub fn terminate(&mut self) {
        self.signal(Signal::TERM.as_raw());
    }

    /// Waits for the end of a command that was told to end.
    pub fn wait(&self) {
        if let Some(ended) = &self.ended
            && lock(&self.state).phase == SinglePhase::Ending
        {
            // It is closed, and nothing is ever sent.
            let _ = ended.recv();
        }
    }
}

/// Waits for the end of the command.
fn watch(leader: Pid, pipe: Option<ChildStdout>, state: &Mutex<SingleState>) {
    let reason = pipe.map(reason).unwrap_or_default();
    let status = loop {
        match waitid(WaitId::Pid(leader), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Err(error) if error == rustix::io::Errno::INTR => {}
            status => break status.ok().flatten(),
        }
    };
    let mut state = lock(state);
    if state.phase == SinglePhase::Ending {
        // What it has started in the background may have ignored the signal.
        let _ = kill_process_group(leader, Signal::KILL);
    }
    state.end = Some(if reason.is_empty() { described(status) } else { SingleEnd::NotRun(reason) });
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

/// Kills the command, unless it ends in time.
fn kill_later(leader: Pid, ended: &Receiver<()>) {
    if ended.recv_timeout(TIME_TO_END) == Err(RecvTimeoutError::Timeout) {
        let _ = kill_process_group(leader, Signal::KILL);
        let _ = ended.recv();
    }
}

fn lock(state: &Mutex<SingleState>) -> MutexGuard<'_, SingleState> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
