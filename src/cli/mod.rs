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
pub mod value;

use clap::{ArgAction, Args, CommandFactory, FromArgMatches, Parser, Subcommand};

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

    /// About the program itself.
    #[command(flatten)]
    about: About,
}

/// What every program tells of itself.
#[derive(Debug, Args)]
struct About {
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
        let typed = property::joined(std::env::args_os().collect());
        let (mut command, arguments) = if profile::may_matter(&typed) {
            let mut command = Self::command().args_override_self(true);
            command.build();
            let arguments = profile::extended(typed, &command)?;
            (command, arguments)
        } else {
            (lean(typed.get(1).and_then(|verb| verb.to_str())), typed)
        };
        // Where a flag that takes one value is given twice, the later one counts: a profile comes first.
        command = command.args_override_self(true);
        let matches = command.try_get_matches_from_mut(arguments);
        Ok(Self::from_arg_matches(&matches.map_err(|error| refused::explained(error, &mut command))?)?)
    }
}

/// The command line of one verb: the flags of the others would be half of a short run's time.
fn lean(verb: Option<&str>) -> clap::Command {
    let (name, augment): (_, fn(clap::Command) -> clap::Command) = match verb {
        Some("pub") => ("pub", Publish::augment_args),
        Some("sub") => ("sub", Subscribe::augment_args),
        Some("ping") => ("ping", Ping::augment_args),
        Some("serve") => ("serve", Serve::augment_args),
        _ => return Cli::command(),
    };
    let root = clap::Command::new("mqttws")
        .version(env!("CARGO_PKG_VERSION"))
        .disable_help_flag(true)
        .disable_version_flag(true)
        .subcommand_required(true);
    About::augment_args(root).subcommand(augment(clap::Command::new(name)))
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Publish messages: one, a file, or a stream of lines or records.
    Pub(Box<Publish>),
    /// Subscribe, and write the messages that come to stdout.
    Sub(Box<Subscribe>),
    /// Measure how fast a broker answers, and each step of the way to it.
    Ping(Box<Ping>),
    /// Run a local broker, alone or for the time of one command.
    ///
    /// It prints its URL on stdout once it listens. With a command it runs that command with `$MQTTWS_URL`
    /// set and mqttws on its `$PATH`, and ends with it and with its exit code.
    Serve(Serve),
}

#[cfg(test)]
mod cloud;
#[cfg(test)]
mod generated;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lean_command_line_is_the_same_one() {
        for verb in ["pub", "sub", "ping", "serve"] {
            let help = |mut command: clap::Command| {
                command.build();
                command.find_subcommand_mut(verb).expect("the verb").render_long_help().to_string()
            };
            assert_eq!(help(lean(Some(verb))), help(Cli::command()), "{verb}");
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
