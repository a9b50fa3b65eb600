//! The command line as types. It ends in one [`Config`] per verb; after that there are no flags.

mod address;
mod apart;
mod bench;
mod check;
mod choice;
mod composition;
mod connection;
mod credentials;
mod crew;
mod disturbances;
mod exec;
mod field;
mod help;
mod layout;
mod leaving;
mod mirror;
mod mqtt;
mod network;
mod pages;
mod ping;
mod profiles;
pub mod property;
mod publish;
mod renewal;
mod request;
mod secret;
mod serve;
pub mod source;
mod subscribe;
mod testing;
mod tls;
mod upgrade;
pub mod value;
mod watching;

use std::ffi::OsString;

use clap::{ArgAction, ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::command::Config;
use crate::command::start::{CommandStart, START_WORD};
use crate::report::Misuse;
use bench::BenchFlags;
use check::CheckFlags;
use connection::ConnectionFlags;
use pages::{CompletionsFlags, ManFlags};
use ping::PingFlags;
use profiles::ProfileFlags;
use publish::PublishFlags;
use serve::ServeFlags;
use source::print_config::{self, Origins};
use source::{mistyped, mosquitto, profile};
use subscribe::SubscribeFlags;

/// Reads the command line, the profiles and the environment: the `Config` of the verb, and warnings
/// to print before it runs.
pub fn parse() -> anyhow::Result<(Config, Vec<String>)> {
    if let Some(start) = command_start(std::env::args_os()) {
        return Ok((Config::StartCommand(start), Vec::new()));
    }
    let typed = || mosquitto::translated(property::joined(std::env::args_os().collect())).ok();
    Cli::from_environment()
        .and_then(Cli::resolve)
        .map_err(|error| mistyped::explained(error, typed, Cli::command))
        .map_err(|error| ping::for_plugin(error, &typed().unwrap_or_default()))
}

/// Publish, subscribe and ping over MQTT over WebSockets.
#[derive(Debug, Parser)]
#[command(
    name = "mqttws",
    version,
    disable_help_flag = true,
    disable_version_flag = true,
    subcommand_required = true,
    max_term_width = 80,
    help_expected = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    command: Command,

    /// About the program itself.
    #[command(flatten)]
    about: About,

    /// The text of `--print-config`, where that is given.
    #[arg(skip)]
    listing: Option<String>,

    /// What to say about the profiles.
    #[arg(skip)]
    warnings: Vec<String>,
}

/// `--help` and `--version`.
#[derive(Debug, Args)]
#[command(next_help_heading = "General")]
struct About {
    /// Print help.
    #[arg(long, action = ArgAction::Help, global = true)]
    help: Option<bool>,

    /// Print the version.
    #[arg(long, action = ArgAction::Version)]
    version: Option<bool>,
}

impl Cli {
    /// The command line as it was typed, with what the profiles add.
    ///
    /// It is parsed once. Only where there are profiles it is parsed before that, with errors
    /// ignored, to find out which profile is asked for and which of its flags are overruled.
    fn from_environment() -> anyhow::Result<Self> {
        let typed = mosquitto::translated(property::joined(std::env::args_os().collect()))?;
        if let Some(text) = help::without_command(&typed) {
            return Err(text.into());
        }
        let typed = help::without_repetition(typed);
        let (command, arguments, origins) = if profile::may_matter(&typed) {
            let mut command = Self::command().args_override_self(true);
            command.build();
            let (arguments, origins) = profile::extended(typed, &command)?;
            (command, arguments, origins)
        } else {
            (lean(typed.get(1).and_then(|verb| verb.to_str())), typed, Origins::default())
        };
        // Where a flag that takes one value is given twice, the later one counts: a profile comes
        // first.
        let command = without_input(command, &arguments).args_override_self(true);
        Self::parsed(command, &arguments, &origins)
    }

    fn parsed(
        mut command: clap::Command,
        arguments: &[OsString],
        origins: &Origins,
    ) -> anyhow::Result<Self> {
        let parsed = command.try_get_matches_from_mut(arguments).and_then(|mut matches| {
            let sources = Sources::of(&command, &matches, origins);
            let cli = Self::from_arg_matches_mut(&mut matches)?;
            Ok((cli, sources, matches))
        });
        let (mut cli, sources, emptied) =
            parsed.map_err(|error| refused(error, &command, arguments, origins))?;
        cli.settle(&command, &sources, origins)?;
        // Dropping hundreds of flags takes a tenth of the time of a short run, and the process ends
        // soon enough.
        std::mem::forget((command, sources, emptied));
        Ok(cli)
    }

    /// The `Config` of the verb, and warnings to print.
    fn resolve(self) -> anyhow::Result<(Config, Vec<String>)> {
        if let Some(listing) = self.listing {
            return Ok((Config::Print(listing), self.warnings));
        }
        let (config, warnings) = self.command.resolve()?;
        Ok((config, [self.warnings, warnings].concat()))
    }

    /// Does what depends on the sources of the flags.
    fn settle(
        &mut self,
        command: &clap::Command,
        sources: &Sources,
        origins: &Origins,
    ) -> anyhow::Result<()> {
        let Some(connection) = self.command.connection_mut() else { return Ok(()) };
        connection.account_for_tls(sources.tls_is_typed);
        if !connection.is_quiet() {
            self.warnings.clone_from(&origins.warnings);
        }
        let whole = sources.whole.as_ref().filter(|_| connection.is_only_printed());
        let Some((verb, matches)) = whole.and_then(ArgMatches::subcommand) else { return Ok(()) };
        if let Some(of) = command.find_subcommand(verb) {
            self.listing = Some(print_config::listing(of, matches, connection, origins)?);
        }
        Ok(())
    }
}

/// The command that this process is to become, if mqttws started itself for that.
fn command_start(mut words: impl Iterator<Item = OsString>) -> Option<CommandStart> {
    let is_start = words.nth(1).is_some_and(|word| word == START_WORD);
    is_start.then(|| CommandStart::parse(words)).flatten()
}

/// What to say about a command line that clap does not accept.
fn refused(
    error: clap::Error,
    command: &clap::Command,
    arguments: &[OsString],
    origins: &Origins,
) -> anyhow::Error {
    if let Some(text) = help::instead(&error, arguments, origins) {
        return text.into();
    }
    let instead = mosquitto::instead(&error);
    let verb = command.get_subcommands().map(clap::Command::get_name);
    let verb = verb
        .into_iter()
        .find(|name| *name != "help" && arguments.get(1).is_some_and(|typed| typed == name));
    Misuse::new(error, verb, instead).into()
}

/// What has to be read from the matches before the values are moved out of them.
#[derive(Default)]
struct Sources {
    /// A TLS flag was typed.
    tls_is_typed: bool,
    /// A copy of all matches, made only for `--print-config`.
    whole: Option<ArgMatches>,
}

impl Sources {
    fn of(command: &clap::Command, matches: &ArgMatches, origins: &Origins) -> Self {
        let Some((verb, flags)) = matches.subcommand() else { return Self::default() };
        let arguments =
            command.find_subcommand(verb).into_iter().flat_map(clap::Command::get_arguments);
        let mut tls = arguments.filter(|arg| arg.get_help_heading() == Some("TLS"));
        let is_listed = matches!(flags.try_get_one("print_config"), Ok(Some(true)));
        Self {
            tls_is_typed: tls.any(|arg| origins.is_typed(arg.get_id().as_str(), flags)),
            whole: is_listed.then(|| matches.clone()),
        }
    }
}

/// The command line for these arguments: `--print-config` needs no message, and a group of clap
/// cannot say that it is required only without a flag.
fn without_input(command: clap::Command, arguments: &[OsString]) -> clap::Command {
    let publishes = arguments.get(1).is_some_and(|verb| verb == "pub");
    if !publishes || !arguments.iter().any(|argument| argument == "--print-config") {
        return command;
    }
    command
        .mut_subcommand("pub", |publish| publish.mut_group("input", |input| input.required(false)))
}

/// The command line of one verb: the flags of the others would be half of a short run's time.
fn lean(verb: Option<&str>) -> clap::Command {
    let (name, augment): (_, fn(clap::Command) -> clap::Command) = match verb {
        Some("pub") => ("pub", PublishFlags::augment_args),
        Some("sub") => ("sub", SubscribeFlags::augment_args),
        Some("ping") => ("ping", PingFlags::augment_args),
        Some("check") => ("check", CheckFlags::augment_args),
        Some("bench") => ("bench", BenchFlags::augment_args),
        Some("serve") => ("serve", ServeFlags::augment_args),
        _ => return Cli::command(),
    };
    let root = clap::Command::new("mqttws")
        .version(env!("CARGO_PKG_VERSION"))
        .disable_help_flag(true)
        .disable_version_flag(true)
        .max_term_width(80)
        .subcommand_required(true);
    About::augment_args(root).subcommand(augment(clap::Command::new(name)))
}

/// The verbs.
#[derive(Debug, Subcommand)]
enum Command {
    /// Publish messages: one, a file, or a stream of lines or records.
    Pub(Box<PublishFlags>),
    /// Subscribe, and write the messages that come to stdout.
    Sub(Box<SubscribeFlags>),
    /// Measure how fast a broker answers, and each step of the way to it.
    Ping(Box<PingFlags>),
    /// Say point by point whether a server, and the proxies before it, is interoperable over
    /// WebSockets, and what to change.
    ///
    /// The default set of points takes about 10 s and sends legal traffic only, but for one text
    /// frame. A FAIL is a broken must of RFC 6455 or MQTT, a WARN a broken should or a habit that
    /// hurts common clients.
    Check(Box<CheckFlags>),
    /// Put a load on a broker: how many connections and messages it carries, at which latency, and
    /// what it loses.
    ///
    /// Every message is verified. With `--rate` latency counts from the time at which a message was
    /// to be sent; without it each publisher sends as soon as the broker has taken what it sent
    /// before, and only service times are measured. The generator measures itself, too: a run that
    /// proves nothing is INVALID.
    Bench(Box<BenchFlags>),
    /// Run a local broker, alone or for the time of one command.
    ///
    /// It prints its URL on stdout once it listens. With a command it listens at a free port, runs
    /// that command with `$MQTTWS_URL` set and mqttws on its `$PATH`, and exits when the command
    /// ends, with its exit code: 126 if it cannot be run, 127 if it is not found.
    Serve(Box<ServeFlags>),
    /// List the profiles, and check them: one line for each, with its address and its other flags.
    ///
    /// What is wrong in the file is printed on stderr, and the exit code is 2 then.
    Profile(ProfileFlags),
    /// Print the completions for a shell, to be put where that shell looks for them.
    ///
    /// bash: ~/.local/share/bash-completion/completions/mqttws. fish:
    /// ~/.config/fish/completions/mqttws.fish. zsh: a file named _mqttws in a folder of $fpath.
    Completions(CompletionsFlags),
    /// Print a page of the manual, as the source that man(1) reads: mqttws man pub | man -l -
    Man(ManFlags),
    /// Print the version.
    #[command(disable_help_flag = true)]
    Version,
}

impl Command {
    /// What is to be done, and warnings to print.
    fn resolve(self) -> anyhow::Result<(Config, Vec<String>)> {
        Ok(match self {
            Self::Pub(publish) => {
                let (config, warnings) = publish.resolve()?;
                (Config::Publish(Box::new(config)), warnings)
            }
            Self::Sub(subscribe) if subscribe.is_mirror() => {
                let (config, warnings) = subscribe.resolve_mirror()?;
                (Config::Mirror(Box::new(config)), warnings)
            }
            Self::Sub(subscribe) => {
                let (config, warnings) = subscribe.resolve()?;
                (Config::Subscribe(Box::new(config)), warnings)
            }
            Self::Ping(ping) => {
                let (config, warnings) = ping.resolve()?;
                (Config::Ping(Box::new(config)), warnings)
            }
            Self::Check(check) => {
                let (config, warnings) = check.resolve()?;
                (Config::Check(config), warnings)
            }
            Self::Bench(bench) => {
                let (config, warnings) = bench.resolve()?;
                (Config::Bench(Box::new(config)), warnings)
            }
            Self::Serve(serve) => {
                let (config, warnings) = serve.resolve()?;
                (Config::Serve(Box::new(config)), warnings)
            }
            Self::Profile(profile) => profile.resolve(&Cli::command())?,
            Self::Completions(flags) => (printed(flags.text()), Vec::new()),
            Self::Man(flags) => (printed(flags.text()), Vec::new()),
            Self::Version => (printed(help::VERSION), Vec::new()),
        })
    }

    /// Where to connect, for the verbs that do.
    fn connection_mut(&mut self) -> Option<&mut ConnectionFlags> {
        match self {
            Self::Pub(publish) => Some(&mut publish.conversation.connection),
            Self::Sub(subscribe) => Some(&mut subscribe.conversation.connection),
            Self::Ping(ping) => Some(&mut ping.connection),
            Self::Check(check) => Some(&mut check.connection),
            Self::Bench(bench) => Some(&mut bench.connection),
            Self::Serve(_)
            | Self::Profile(_)
            | Self::Completions(_)
            | Self::Man(_)
            | Self::Version => None,
        }
    }
}

/// A text that is printed as it is.
fn printed(text: &str) -> Config {
    Config::Print(text.trim_end_matches('\n').to_owned())
}

#[cfg(test)]
mod completions;
#[cfg(test)]
mod deviations_page;
#[cfg(test)]
mod generated;
#[cfg(test)]
mod manual;
#[cfg(test)]
mod points_page;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lean_command_line_is_the_same_one() {
        for verb in ["pub", "sub", "ping", "check", "bench", "serve"] {
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
