//! The start of a command that `serve` or `sub` runs. On Linux mqttws starts itself once more, and
//! that process asks the kernel to be killed when its parent dies before it becomes the command.
//! Between `serve` or `sub` and the command stands one more process, which kills all that the
//! command has started when they are killed by SIGKILL. The many commands of `--exec` and those
//! for credentials share one process that does this.

#[cfg(target_os = "linux")]
mod descendants;
mod line;
mod single;
#[cfg(target_os = "linux")]
mod supervisor;
mod watcher;

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

use anyhow::{Context, Result};

use super::ready;
use crate::exit::{CommandNotStarted, Exit};

#[cfg(target_os = "linux")]
pub use descendants::Descendants;
pub use line::SingleEnd;
pub use single::SingleCommand;
pub use watcher::GroupWatch;

/// The first word of the command line with which mqttws starts itself, in the place of a verb.
pub const START_WORD: &str = "start-command";

/// The program that runs, also after its file was replaced or removed.
const OURSELVES: &str = "/proc/self/exe";

/// Where commands are looked for if nothing says where; an empty entry would be the folder that one
/// is in.
const USUAL_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Where the stdout of a command goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandOutput {
    /// To our stdout.
    Stdout,
    /// To our stderr. What takes the place of stdout until the command runs is the line to `sub`,
    /// which is told why the command could not be run.
    Stderr,
}

/// What a process does that mqttws has started for a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StartRole {
    /// It starts another one, and stays.
    Supervisor(CommandOutput),
    /// It becomes the command.
    Command(CommandOutput),
    /// It has no command: it reads what others there are.
    Watcher,
}

impl StartRole {
    const ALL: [Self; 5] = [
        Self::Supervisor(CommandOutput::Stdout),
        Self::Supervisor(CommandOutput::Stderr),
        Self::Command(CommandOutput::Stdout),
        Self::Command(CommandOutput::Stderr),
        Self::Watcher,
    ];

    /// The word for it between mqttws and itself.
    fn word(self) -> &'static str {
        match self {
            Self::Supervisor(CommandOutput::Stdout) => "supervised-stdout",
            Self::Supervisor(CommandOutput::Stderr) => "supervised-stderr",
            Self::Command(CommandOutput::Stdout) => "stdout",
            Self::Command(CommandOutput::Stderr) => "stderr",
            Self::Watcher => "watch",
        }
    }
}

/// A command that is to be started by this process.
#[derive(Debug, PartialEq, Eq)]
pub struct CommandStart {
    /// The process that started this one, and with which it ends.
    parent: u32,
    /// What this one does.
    role: StartRole,
    /// A file that a supervisor removes at the end.
    temporary: Option<PathBuf>,
    /// The command and its arguments.
    words: Vec<OsString>,
}

impl CommandStart {
    /// From the words after [`START_WORD`].
    pub fn parse(mut words: impl Iterator<Item = OsString>) -> Option<Self> {
        let parent = words.next()?.to_str()?.parse().ok()?;
        let role = words.next()?;
        let role = StartRole::ALL.into_iter().find(|one| role == one.word())?;
        let is_supervisor = matches!(role, StartRole::Supervisor(_));
        let temporary = if is_supervisor { Some(words.next()?) } else { None };
        let temporary = temporary.filter(|path| !path.is_empty()).map(PathBuf::from);
        let words: Vec<OsString> = words.collect();
        let has_command = role != StartRole::Watcher;
        (words.is_empty() != has_command).then_some(Self { parent, role, temporary, words })
    }
}

/// Whether mqttws can start itself for a command.
fn is_started_by_us() -> bool {
    cfg!(target_os = "linux") && Path::new(OURSELVES).exists()
}

/// A command that ends with us, if the system has a way to see to that, and that finds a broker in
/// `$MQTTWS_URL` and mqttws on its `$PATH`. With [`CommandOutput::Stderr`] the caller says what its
/// stdout is. A `temporary` file is removed at the end, also if we die.
pub fn guarded(
    name: &OsStr,
    arguments: &[OsString],
    output: CommandOutput,
    url: &str,
    temporary: Option<&Path>,
) -> Result<Command> {
    let mut command;
    if is_started_by_us() {
        command = ourselves(StartRole::Supervisor(output));
        command.arg(temporary.map_or(OsStr::new(""), Path::as_os_str)).arg(name);
    } else {
        command = Command::new(name);
    }
    command.args(arguments).env("PATH", path()?).env("MQTTWS_URL", url);
    command.env_remove(ready::SOCKET);
    Ok(command)
}

/// A start of mqttws itself, which is to get the words of a command.
fn ourselves(role: StartRole) -> Command {
    let mut command = Command::new(OURSELVES);
    command.arg0("mqttws").arg(START_WORD).arg(process::id().to_string()).arg(role.word());
    command
}

/// `$PATH` with the folder of this program in front, unless the name of that folder cannot stand
/// there.
fn path() -> Result<OsString> {
    let program = env::current_exe().context("looking for mqttws itself")?;
    let inherited = env::var_os("PATH").filter(|path| !path.is_empty());
    let path = inherited.unwrap_or_else(|| USUAL_PATH.into());
    let folders = program.parent().map(Into::into).into_iter().chain(env::split_paths(&path));
    Ok(env::join_paths(folders).unwrap_or(path))
}

/// Becomes the command, or stays to supervise it; returns when that fails or has ended, or if the
/// parent is dead already.
pub fn run(start: &CommandStart) -> Result<Exit> {
    let output = match start.role {
        #[cfg(target_os = "linux")]
        StartRole::Supervisor(output) => {
            let exit = supervisor::run(start.parent, output, &start.words);
            if let Some(path) = &start.temporary {
                // The parent removes it, too, unless it is killed before that.
                let _ = std::fs::remove_file(path);
            }
            return exit;
        }
        #[cfg(not(target_os = "linux"))]
        StartRole::Supervisor(output) => output,
        StartRole::Command(output) => output,
        StartRole::Watcher => return watcher::run(),
    };
    if !ends_with(start.parent, DeathSignal::Kill) {
        return Ok(KILLED);
    }
    become_command(&start.words, output)
}

/// The exit code of a command that SIGKILL has ended.
const KILLED: Exit = Exit::Command(128 + 9);

/// Returns only if it fails.
fn become_command(words: &[OsString], output: CommandOutput) -> Result<Exit> {
    let Some((name, arguments)) = words.split_first() else { return Ok(Exit::Done) };
    let mut command = Command::new(name);
    command.args(arguments);
    match output {
        CommandOutput::Stdout => {
            let error = command.exec();
            Err(CommandNotStarted(explained(error, name))).with_context(|| running(name))
        }
        CommandOutput::Stderr => {
            // It is closed when the command runs.
            let line = io::stdout().as_fd().try_clone_to_owned().context("duplicating stdout")?;
            let error = command.stdout(io::stderr()).exec();
            write!(File::from(line), "{}", explained(error, name)).context("telling mqttws")?;
            Ok(Exit::Local)
        }
    }
}

/// What an error says that the program was doing.
pub fn running(name: &OsStr) -> String {
    format!("running {}", name.to_string_lossy())
}

/// What the kernel sends when the parent dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DeathSignal {
    Kill,
    /// One that is watched for, and that the parent never sends itself.
    #[cfg(target_os = "linux")]
    Watched,
}

/// Asks for this signal when the parent dies; false if it is dead already, which the kernel does
/// not tell any more.
#[cfg(target_os = "linux")]
fn ends_with(parent: u32, signal: DeathSignal) -> bool {
    use rustix::process::{Signal, set_parent_process_death_signal};
    let signal = match signal {
        DeathSignal::Kill => Signal::KILL,
        DeathSignal::Watched => Signal::USR1,
    };
    // Where this is forbidden the command still runs.
    let _ = set_parent_process_death_signal(Some(signal));
    is_parent(parent)
}

#[cfg(not(target_os = "linux"))]
fn ends_with(_: u32, _: DeathSignal) -> bool {
    true
}

/// Whether this process is still our parent.
#[cfg(target_os = "linux")]
fn is_parent(parent: u32) -> bool {
    let now = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get());
    now.and_then(|pid| u32::try_from(pid).ok()) == Some(parent)
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
        for role in StartRole::ALL.into_iter().filter(|role| matches!(role, StartRole::Command(_)))
        {
            let words = words.clone();
            assert_eq!(
                parsed(&["42", role.word(), "sh", "-c", "true"]),
                Some(CommandStart { parent: 42, role, temporary: None, words })
            );
        }
        for role in StartRole::ALL.into_iter().take(2) {
            for (file, temporary) in [("", None), ("/tmp/ca.pem", Some("/tmp/ca.pem".into()))] {
                let words = words.clone();
                assert_eq!(
                    parsed(&["42", role.word(), file, "sh", "-c", "true"]),
                    Some(CommandStart { parent: 42, role, temporary, words })
                );
            }
        }
        for wrong in [
            &[][..],
            &["42"],
            &["42", "stdout"],
            &["42", "supervised-stdout", ""],
            &["42", "sh", "true"],
            &["x", "stdout", "sh"],
            &["-1", "stdout", "sh"],
            &["42", "watch", "sh"],
        ] {
            assert_eq!(parsed(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn nothing_is_started_for_a_parent_that_is_not_there() {
        for role in StartRole::ALL.into_iter().skip(2).take(2) {
            let words = vec!["/no-such-file".into()];
            let start = CommandStart { parent: 1 << 30, role, temporary: None, words };
            if cfg!(target_os = "linux") {
                assert_eq!(run(&start).expect("it does not get so far"), Exit::Command(137));
            }
        }
    }
}
