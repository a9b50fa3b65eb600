//! What identifies the user at a server, asked for anew for each connection: files that are read
//! again, and commands that are run, in a thread of their own.

mod process;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use process::CommandGroup;
pub use process::CommandGuard;

use crate::mqtt::session::Login;
use crate::signals::GroupGuard;
use crate::transport::endpoint::Endpoint;

/// What one connection is made with.
#[derive(Clone)]
pub struct FreshCredentials {
    /// How the client authenticates itself in CONNECT.
    pub login: Login,
    /// The headers of the upgrade.
    pub headers: Vec<(String, String)>,
    /// The server, where `--url-command` names it.
    pub endpoint: Option<Endpoint>,
    /// For how long they are valid, from when they were asked for.
    pub lifetime: Option<Duration>,
    /// A number that is another one for other credentials.
    pub mark: u64,
}

impl std::fmt::Debug for FreshCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FreshCredentials").finish_non_exhaustive()
    }
}

/// Makes the credentials for this server from what the commands have printed, in their order, and
/// from files. An error names its flag.
pub type ReadCredentials =
    Box<dyn FnMut(&Endpoint, &[Vec<u8>]) -> Result<FreshCredentials, String> + Send>;

/// A command that prints credentials.
#[derive(Debug, Clone)]
pub struct CredentialCommand {
    /// The flag that gives it.
    pub flag: &'static str,
    /// What the shell runs.
    pub command: String,
}

/// What may change while the program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changing {
    /// The authorities that vouch for servers, and nothing that identifies the user.
    Authorities,
    /// What identifies the user.
    Credentials,
}

/// Where credentials come from.
pub struct CredentialSource {
    /// What of it may change.
    pub changing: Changing,
    /// The commands, which are run one after the other.
    pub commands: Arc<[CredentialCommand]>,
    /// Sees to their ends where we cannot.
    pub guard: GroupGuard,
    /// What makes credentials of what they print.
    pub read: Arc<Mutex<ReadCredentials>>,
    /// The mark of the latest credentials, if there are any yet.
    pub mark: Option<u64>,
    /// When they were asked for the last time.
    pub asked: Option<Instant>,
}

impl CredentialSource {
    /// What asks for the credentials of this server, for a thread of its own; the guard ends the
    /// commands when it is dropped.
    pub fn request(&self, endpoint: Endpoint) -> (CredentialRequest, CommandGuard) {
        let group = Arc::new(CommandGroup::new(self.guard.clone()));
        let (commands, read) = (Arc::clone(&self.commands), Arc::clone(&self.read));
        let guard = CommandGuard::new(Arc::clone(&group));
        (CredentialRequest { commands, read, endpoint, group }, guard)
    }

    /// What has not answered when the time is up.
    pub fn described(&self) -> String {
        let flags: Vec<&str> = self.commands.iter().map(|command| command.flag).collect();
        match flags[..] {
            [] => "a file is still being read".to_owned(),
            _ => format!("{} has not ended", flags.join(", ")),
        }
    }
}

/// Asks for credentials once.
pub struct CredentialRequest {
    commands: Arc<[CredentialCommand]>,
    read: Arc<Mutex<ReadCredentials>>,
    endpoint: Endpoint,
    group: Arc<CommandGroup>,
}

impl CredentialRequest {
    /// Runs the commands and reads the files; waits for their ends.
    pub fn run(self) -> Result<FreshCredentials, String> {
        let run = |command: &CredentialCommand| {
            let printed = self.group.run(&command.command, &self.endpoint);
            printed.map_err(|error| format!("{}: {error}", command.flag))
        };
        let printed: Vec<Vec<u8>> = self.commands.iter().map(run).collect::<Result<_, _>>()?;
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read(&self.endpoint, &printed)
    }
}
