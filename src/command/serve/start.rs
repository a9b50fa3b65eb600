//! The start of the command of `serve`. On Linux mqttws starts itself once more, and that process
//! asks the kernel to be killed when its parent dies before it becomes the command: so no command
//! outlives a `serve` that was killed by SIGKILL.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{self, Command};

use anyhow::{Context, Result};

use crate::exit::{CommandNotStarted, Exit};

/// The first word of the command line with which mqttws starts itself, in the place of a verb.
pub const START_WORD: &str = "start-command-of-serve";

/// The program that runs, also after its file was replaced or removed.
const OURSELVES: &str = "/proc/self/exe";

/// A command that is to be started by this process, which becomes the command.
#[derive(Debug, PartialEq, Eq)]
pub struct CommandStart {
    /// The process that started this one, and with which it ends.
    parent: u32,
    /// The command and its arguments.
    words: Vec<OsString>,
}

impl CommandStart {
    /// From the words after [`START_WORD`].
    pub fn parse(mut words: impl Iterator<Item = OsString>) -> Option<Self> {
        let parent = words.next()?.to_str()?.parse().ok()?;
        let words: Vec<OsString> = words.collect();
        (!words.is_empty()).then_some(Self { parent, words })
    }
}

/// A command that ends with us, if the system has a way to see to that.
pub fn guarded(name: &OsStr, arguments: &[OsString]) -> Command {
    let mut command;
    if cfg!(target_os = "linux") && Path::new(OURSELVES).exists() {
        command = Command::new(OURSELVES);
        command.arg0("mqttws").arg(START_WORD).arg(process::id().to_string()).arg(name);
    } else {
        command = Command::new(name);
    }
    command.args(arguments);
    command
}

/// Becomes the command; returns only if that fails, or if the parent is dead already.
pub fn run(start: &CommandStart) -> Result<Exit> {
    if !ends_with(start.parent) {
        return Ok(Exit::Command(128 + 9));
    }
    let Some((name, arguments)) = start.words.split_first() else { return Ok(Exit::Done) };
    let error = Command::new(name).args(arguments).exec();
    Err(CommandNotStarted(explained(error, name))).with_context(|| running(name))
}

/// What an error says that the program was doing.
pub fn running(name: &OsStr) -> String {
    format!("running {}", name.to_string_lossy())
}

/// Asks to be killed when the parent dies; false if it is dead already, which the kernel does not
/// tell any more.
#[cfg(target_os = "linux")]
fn ends_with(parent: u32) -> bool {
    use rustix::process::{Signal, getppid, set_parent_process_death_signal};
    // Where this is forbidden the command still runs.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    let now = getppid().map(|pid| pid.as_raw_nonzero().get());
    now.and_then(|pid| u32::try_from(pid).ok()) == Some(parent)
}

#[cfg(not(target_os = "linux"))]
fn ends_with(_: u32) -> bool {
    true
}

/// A script whose interpreter is not there is found, and cannot be run.
fn explained(error: io::Error, name: &OsStr) -> io::Error {
    let is_path = name.as_encoded_bytes().contains(&b'/');
    if error.kind() == io::ErrorKind::NotFound && is_path && Path::new(name).exists() {
        let text = "its interpreter (see its first line) was not found";
        return io::Error::new(io::ErrorKind::PermissionDenied, text);
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Option<CommandStart> {
        CommandStart::parse(words.iter().map(OsString::from))
    }

    #[test]
    fn a_start_names_its_parent_and_a_command() {
        let words = ["sh", "-c", "true"].map(OsString::from).to_vec();
        assert_eq!(parsed(&["42", "sh", "-c", "true"]), Some(CommandStart { parent: 42, words }));
        for wrong in [&[][..], &["42"], &["x", "sh"], &["-1", "sh"]] {
            assert_eq!(parsed(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn nothing_is_started_for_a_parent_that_is_not_there() {
        let start = CommandStart { parent: 1 << 30, words: vec!["/no-such-file".into()] };
        if cfg!(target_os = "linux") {
            assert_eq!(run(&start).expect("it does not get so far"), Exit::Command(137));
        }
    }
}
