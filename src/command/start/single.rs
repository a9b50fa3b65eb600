//! The command of `sub`: started with a process that supervises it, with a thread that waits for
//! its end, and ended with all that it has started.

use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::net::{Shutdown, shutdown};
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process_group, waitid,
};

#[cfg(target_os = "linux")]
use super::Descendants;
use super::line::SingleEnd;
use super::{CommandOutput, guarded, is_started_by_us, running};

/// How long a command may take to end after a signal, before it is killed.
const TIME_TO_END: Duration = Duration::from_secs(3);

/// How long a command may go on before it is told to end: one that has just published what was
/// waited for is about to end.
const GRACE: Duration = Duration::from_millis(250);

/// How long the process that supervises may take to kill all of it.
const TIME_TO_KILL: Duration = Duration::from_secs(1);

/// A command that was started. The process that supervises it, or itself where there is none, is
/// the leader of a process group, and stays in the list of processes until we end, so that its
/// number stands for its group and for nothing else.
#[derive(Debug)]
pub struct SingleCommand {
    leader: Pid,
    /// How it ended, if it has.
    state: Arc<Mutex<Option<SingleEnd>>>,
    /// What is needed to end it; taken when it is told to end.
    ending: Option<CommandEnding>,
    /// Is closed when a command that was told to end has ended.
    over: Option<Receiver<()>>,
}

/// What is needed to end a command.
#[derive(Debug)]
struct CommandEnding {
    leader: Pid,
    /// Is closed when the command has ended.
    ended: Receiver<()>,
    /// Says how the leader has ended, and then is closed.
    gone: Receiver<LeaderEnd>,
    /// The connection with the process that supervises.
    line: Option<UnixStream>,
    /// That process and what it supervises.
    #[cfg(target_os = "linux")]
    descendants: Option<Descendants>,
}

/// How the process that leads the group has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LeaderEnd {
    /// By itself.
    Exited,
    /// By a signal: nobody else ends what it has supervised.
    Killed,
}

impl SingleCommand {
    /// Starts a command that finds a broker at `url`. `wake` is called by another thread when it
    /// has ended.
    ///
    /// Call it on the main thread: a process that asks to be told of the death of its parent is
    /// told of that of the thread that has started it.
    pub fn start(
        name: &OsStr,
        arguments: &[OsString],
        url: &str,
        wake: impl FnOnce() + Send + 'static,
    ) -> Result<Self> {
        let mut command = guarded(name, arguments, CommandOutput::Stderr, url, None)?;
        // A process group of its own cannot read from the terminal: it would be stopped.
        if io::stdin().is_terminal() {
            command.stdin(Stdio::null());
        }
        let line = connect(&mut command).with_context(|| running(name))?;
        #[cfg(target_os = "linux")]
        let descendants = line.is_some().then(Descendants::adopt);
        let child = command.process_group(0).spawn().with_context(|| running(name))?;
        // The other end of the line is that of the child alone.
        drop(command);
        let leader = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let leader = leader.with_context(|| running(name))?;
        let state = Arc::default();
        let watched = watch(leader, line.as_ref(), &state, wake);
        let (ended, gone) = watched.with_context(|| running(name)).inspect_err(|_| {
            // It has not been waited for, so it is still there.
            let _ = kill_process_group(leader, Signal::KILL);
        })?;
        let ending = CommandEnding {
            leader,
            ended,
            gone,
            line,
            #[cfg(target_os = "linux")]
            descendants,
        };
        Ok(Self { leader, state, ending: Some(ending), over: None })
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
        let Some(ending) = self.ending.take() else { return };
        let (sender, over) = mpsc::channel();
        self.over = Some(over);
        let body = move || {
            ending.run(grace, signal);
            drop(sender);
        };
        if thread::Builder::new().name("end".to_owned()).spawn(body).is_err() {
            let _ = kill_process_group(self.leader, Signal::KILL);
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

impl CommandEnding {
    /// Sends the signal to a command, which may end by itself within `grace`, and to all that it
    /// has started, and kills what has not ended then. The leader has not been waited for, so its
    /// number stands for its group.
    fn run(self, grace: Duration, signal: Signal) {
        let _ = self.ended.recv_timeout(grace);
        let _ = kill_process_group(self.leader, signal);
        let mut end = self.gone.recv_timeout(TIME_TO_END);
        if end == Err(RecvTimeoutError::Timeout)
            && let Some(line) = &self.line
        {
            // The process that supervises kills all of it now.
            let _ = shutdown(line, Shutdown::Both);
            end = self.gone.recv_timeout(TIME_TO_KILL);
        }
        let is_alone = self.line.is_none();
        if is_alone || end != Ok(LeaderEnd::Exited) {
            let _ = kill_process_group(self.leader, Signal::KILL);
            self.kill_descendants();
        }
    }

    /// Kills what nobody supervises any more.
    #[cfg(target_os = "linux")]
    fn kill_descendants(&self) {
        if let Some(descendants) = &self.descendants {
            descendants.kill();
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn kill_descendants(&self) {}
}

/// Connects a command with us: our end of the line to the process that supervises it. Where there
/// is none, its stdout is our stderr.
fn connect(command: &mut Command) -> io::Result<Option<UnixStream>> {
    if !is_started_by_us() {
        command.stdout(io::stderr());
        return Ok(None);
    }
    let (ours, its) = UnixStream::pair()?;
    command.stdout(OwnedFd::from(its));
    Ok(Some(ours))
}

/// Starts the thread that waits for the end of a command, and then for that of its leader.
fn watch(
    leader: Pid,
    line: Option<&UnixStream>,
    state: &Arc<Mutex<Option<SingleEnd>>>,
    wake: impl FnOnce() + Send + 'static,
) -> io::Result<(Receiver<()>, Receiver<LeaderEnd>)> {
    let line = line.map(UnixStream::try_clone).transpose()?;
    let state = Arc::clone(state);
    let ((ended_sender, ended), (gone_sender, gone)) = (mpsc::channel(), mpsc::channel());
    let body = move || {
        let end = match line {
            Some(mut line) => SingleEnd::read(&mut line),
            None => described(await_end(leader).as_ref()),
        };
        *lock(&state) = Some(end);
        drop(ended_sender);
        wake();
        let status = await_end(leader);
        let signal = status.as_ref().and_then(WaitIdStatus::terminating_signal);
        let end = if signal.is_some() { LeaderEnd::Killed } else { LeaderEnd::Exited };
        // Nobody may want to know.
        let _ = gone_sender.send(end);
    };
    thread::Builder::new().name("command".to_owned()).spawn(body)?;
    Ok((ended, gone))
}

/// Waits for the end of a process, which stays in the list of processes.
fn await_end(leader: Pid) -> Option<WaitIdStatus> {
    loop {
        match waitid(WaitId::Pid(leader), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Err(error) if error == rustix::io::Errno::INTR => {}
            status => return status.ok().flatten(),
        }
    }
}

fn described(status: Option<&WaitIdStatus>) -> SingleEnd {
    let code = status.and_then(WaitIdStatus::exit_status);
    SingleEnd::of(code, status.and_then(WaitIdStatus::terminating_signal))
}

fn lock(state: &Mutex<Option<SingleEnd>>) -> MutexGuard<'_, Option<SingleEnd>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
