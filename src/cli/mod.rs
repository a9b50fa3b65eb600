//! The command line as types. Nothing else in the program knows a flag.

mod address;
pub mod connection;
mod credentials;
mod handshake;
mod network;
pub mod ping;
mod profile;
pub mod property;
pub mod publish;
mod refused;
pub mod serve;
pub mod session;
pub mod subscribe;
mod tls;
mod value;

use clap::{ArgAction, CommandFactory, FromArgMatches, Parser, Subcommand};

pub use ping::Ping;
pub use publish::Publish;
pub use serve::Serve;
pub use subscribe::Subscribe;

/// Publish, subscribe and ping over MQTT over WebSockets.
#[derive(Debug, Parser)]
#[command(
    name = "mqttws",
    version,
    disable_help_flag = true,
    disable_version_flag = true,
    subcommand_required = true,
    help_expected = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// Print help.
    #[arg(long, action = ArgAction::Help, global = true, help_heading = "Help")]
    help: Option<bool>,

    /// Print the version.
    #[arg(long, action = ArgAction::Version, help_heading = "Help")]
    version: Option<bool>,
}

impl Cli {
    /// The command line as it was typed, with what the profiles add.
    pub fn from_environment() -> anyhow::Result<Self> {
        // Where a flag that takes one value is given twice, the later one counts: a profile comes first.
        let mut command = Self::command().args_override_self(true);
        command.build();
        let typed = property::joined(std::env::args_os().collect());
        let arguments = profile::extended(typed, &command)?;
        let matches = command.clone().try_get_matches_from(arguments);
        Ok(Self::from_arg_matches(&matches.map_err(|error| refused::explained(error, &mut command))?)?)
    }
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Publish messages: one, a file, or a stream of lines.
    Pub(Box<Publish>),
    /// Subscribe, and write the messages that come to stdout.
    Sub(Box<Subscribe>),
    /// Measure how fast a broker answers, and each step of the way to it.
    Ping(Box<Ping>),
    /// Run a local broker, alone or for the time of one command.
    Serve(Serve),
}

#[cfg(test)]
mod generated;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
