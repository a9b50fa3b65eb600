//! A command that prints credentials: run by the shell in a process group of its own, which is
//! killed when nobody waits for it any more.

use std::any::Any;
use std::io::{self, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::signals::GroupGuard;
use crate::transport::endpoint::Endpoint;

/// How much a command may print, in bytes.
const LONGEST_OUTPUT: u64 = 64 * 1024;

/// The command that runs.
pub struct CommandGroup {
    state: Mutex<GroupState>,
    guard: GroupGuard,
}

#[derive(Default)]
enum GroupState {
    /// None runs.
    #[default]
    Idle,
    /// This process leads its group, which is guarded, and was not waited for.
    Running { leader: Pid, _guarded: Box<dyn Any + Send> },
    /// No other is started.
    Ended,
}

/// Ends the command when it is dropped.
pub struct CommandGuard(Arc<CommandGroup>);

impl std::fmt::Debug for CommandGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CommandGuard").finish_non_exhaustive()
    }
}

impl CommandGuard {
    /// The guard of this group.
    pub fn new(group: Arc<CommandGroup>) -> Self {
        Self(group)
    }
}

impl Drop for CommandGuard {
    fn drop(&mut self) {
        let mut state = self.0.state();
        if let GroupState::Running { leader, .. } = *state {
            // It has not been waited for, so it is still there.
            let _ = kill_process_group(leader, Signal::KILL);
        }
        *state = GroupState::Ended;
    }
}

impl CommandGroup {
    /// None runs yet.
    pub fn new(guard: GroupGuard) -> Self {
        Self { state: Mutex::default(), guard }
    }

    fn state(&self) -> MutexGuard<'_, GroupState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the command prints on stdout. Its stdin is empty, its stderr is ours, and
    /// `$MQTTWS_URL` is the server without user name, password and query.
    pub fn run(&self, command: &str, endpoint: &Endpoint) -> Result<Vec<u8>, String> {
        let (mut child, leader) = self
            .start(command, endpoint)
            .map_err(|error| format!("it cannot be started: {error}"))?;
        let printed = read_all(&mut child);
        if printed.is_err() {
            let _ = kill_process_group(leader, Signal::KILL);
        }
        self.reap(leader);
        let status = child.wait().map_err(|error| error.to_string())?;
        match printed {
            Ok(printed) if status.success() => Ok(printed),
            Ok(_) => Err(words(status)),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Under the lock, so that it is not ended between its start and its entry here.
    fn start(&self, command: &str, endpoint: &Endpoint) -> io::Result<(Child, Pid)> {
        let mut state = self.state();
        if matches!(*state, GroupState::Ended) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let mut process = Command::new("sh");
        process.arg("-c").arg(command).env("MQTTWS_URL", endpoint.public_url());
        process.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped());
        self.guard.prepare();
        let child = process.spawn()?;
        let leader = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let leader = leader.ok_or_else(|| io::Error::other("it has no process id"))?;
        *state = GroupState::Running { leader, _guarded: self.guard.guard(leader) };
        Ok((child, leader))
    }

    /// Waits for its end, and forgets it before its process id can be used again.
    fn reap(&self, leader: Pid) {
        while waitid(WaitId::Pid(leader), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
            .is_err_and(|error| error == rustix::io::Errno::INTR)
        {}
        let mut state = self.state();
        if matches!(*state, GroupState::Running { .. }) {
            *state = GroupState::Idle;
        }
    }
}

fn read_all(child: &mut Child) -> io::Result<Vec<u8>> {
    let mut printed = Vec::new();
    let Some(stdout) = child.stdout.take() else { return Ok(printed) };
    stdout.take(LONGEST_OUTPUT + 1).read_to_end(&mut printed)?;
    if printed.len() as u64 > LONGEST_OUTPUT {
        return Err(io::Error::other(format!("it prints more than {LONGEST_OUTPUT} bytes")));
    }
    Ok(printed)
}

fn words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(127), _) => "the shell has not found it (exit code 127)".to_owned(),
        (Some(code), _) => format!("it ended with exit code {code}"),
        (None, Some(signal)) => format!("signal {signal} ended it"),
        (None, None) => "it did not end well".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn unguarded() -> CommandGroup {
        CommandGroup::new(GroupGuard::new(|_| Box::new(())))
    }

    fn run(command: &str) -> Result<Vec<u8>, String> {
        let endpoint = Endpoint::parse("ws://ann:pw@h:81/a?token=1").expect("an address");
        unguarded().run(command, &endpoint)
    }

    #[test]
    fn a_command_prints_or_fails() {
        assert_eq!(run("echo $MQTTWS_URL; cat"), Ok(b"ws://h:81/a\n".to_vec()));
        assert_eq!(run("exit 3"), Err("it ended with exit code 3".into()));
        assert_eq!(run("kill -9 $$"), Err("signal 9 ended it".into()));
        assert_eq!(run("yes"), Err("it prints more than 65536 bytes".into()));
    }

    #[test]
    fn nobody_waits_for_a_command_that_is_not_wanted_any_more() {
        let group = Arc::new(unguarded());
        let guard = CommandGuard::new(Arc::clone(&group));
        let endpoint = Endpoint::parse("ws://h/").expect("an address");
        let began = Instant::now();
        let thread = std::thread::spawn(move || group.run("sleep 60", &endpoint));
        while matches!(*guard.0.state(), GroupState::Idle) {
            std::thread::yield_now();
        }
        drop(guard);
        assert_eq!(thread.join().expect("no panic"), Err("signal 9 ended it".into()));
        assert!(began.elapsed() < Duration::from_secs(50));
    }
}
