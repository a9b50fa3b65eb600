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

/// How long a command may go on before it is told to end: one that has just published what was
/// waited for is about to end.
const GRACE: Duration = Duration::from_millis(250);

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
        Ok(Self { leader, state, ended: Some(ended), over: None })
    }

    /// How it ended, if it has.
    pub fn end(&self) -> Option<SingleEnd> {
        lock(&self.state).end.clone()
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
        let (leader, state) = (self.leader, Arc::clone(&self.state));
        let body = move || {
            end(leader, &ended, &state, grace, signal);
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

/// Sends the signal to a command that does not end by itself within `grace`, and kills it if it
/// does not end then.
fn end(
    leader: Pid,
    ended: &Receiver<()>,
    state: &Mutex<SingleState>,
    grace: Duration,
    signal: Signal,
) {
    let is_late = |limit| ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout);
    if is_late(grace) {
        lock(state).phase = SinglePhase::Ending;
        let _ = kill_process_group(leader, signal);
        if is_late(TIME_TO_END) {
            let _ = kill_process_group(leader, Signal::KILL);
            let _ = ended.recv();
        }
    } else {
        // It has not been waited for, so its number still stands for its group.
        let _ = kill_process_group(leader, signal);
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

fn lock(state: &Mutex<SingleState>) -> MutexGuard<'_, SingleState> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
