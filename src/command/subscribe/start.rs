//! What begins when the broker has granted the subscriptions: whoever waits for that is told, and
//! the command of the command line is started.

use std::ffi::OsString;

use anyhow::Result;

use super::config::StartOptions;
use crate::command::ready::{ReadyFile, ServiceManager};
use crate::command::start::{SingleCommand, SingleEnd, running};

/// What begins, or has begun.
pub struct Start {
    stage: StartStage,
    /// The command in words.
    command_name: String,
    manager: ServiceManager,
    needs: NeededGrants,
}

/// Which subscriptions the broker has to grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NeededGrants {
    /// Any: it is enough that it has answered.
    Any,
    /// All of them.
    All,
}

enum StartStage {
    /// The broker has not answered yet.
    Before { ready_file: Option<ReadyFile>, command: Vec<OsString>, url: String },
    /// It has; there may be a command.
    Begun(Option<SingleCommand>),
}

impl Start {
    /// Nothing begins yet; the file descriptor of `--ready-fd` is taken.
    pub fn new(options: StartOptions) -> Result<Self> {
        let StartOptions { ready_fd, command, url } = options;
        let is_needed = ready_fd.is_some() || !command.is_empty();
        let name = command.first().map(|name| running(name)).unwrap_or_default();
        let ready_file = ready_fd.map(ReadyFile::take).transpose()?;
        Ok(Self {
            stage: StartStage::Before { ready_file, command, url },
            command_name: name,
            manager: ServiceManager::from_environment(),
            needs: if is_needed { NeededGrants::All } else { NeededGrants::Any },
        })
    }

    /// The command is told of the server with this URL.
    pub fn set_url(&mut self, server: String) {
        if let StartStage::Before { url, .. } = &mut self.stage {
            *url = server;
        }
    }

    /// Whether nothing can begin any more when one subscription is refused.
    pub fn needs_all(&self) -> bool {
        self.needs == NeededGrants::All
    }

    /// The broker has answered: begins, unless that was done before. `wake` is called by another
    /// thread when the command has ended.
    pub fn begin(&mut self, status: &str, wake: impl FnOnce() + Send + 'static) -> Result<()> {
        let StartStage::Before { ready_file, command, url } = &mut self.stage else {
            return Ok(());
        };
        if let Some(file) = ready_file.take() {
            file.write("")?;
        }
        self.manager.ready(status);
        let started = match command.split_first() {
            None => None,
            Some((name, arguments)) => Some(SingleCommand::start(name, arguments, url, wake)?),
        };
        self.stage = StartStage::Begun(started);
        Ok(())
    }

    /// Why the command has failed, if it has.
    pub fn failure(&self) -> Option<String> {
        let StartStage::Begun(Some(command)) = &self.stage else { return None };
        match command.end()? {
            SingleEnd::Done => None,
            SingleEnd::Failed(why) | SingleEnd::NotRun(why) => {
                Some(format!("{}: {why}", self.command_name))
            }
        }
    }

    /// The run is over: the command gets this signal, or is asked to end. It is returned, to be
    /// waited for.
    pub fn end(&mut self, signal: Option<i32>) -> Option<SingleCommand> {
        let StartStage::Begun(command) = &mut self.stage else { return None };
        self.manager.stopping();
        let mut command = command.take()?;
        match signal {
            Some(signal) => command.signal(signal),
            None => command.terminate(),
        }
        Some(command)
    }
}
