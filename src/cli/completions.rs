//! The completions that are committed: for bash, zsh and fish written here, from the flags and from
//! what their values are; for other shells by `clap_complete`. Flags that help does not show are
//! left out.

mod bash;
mod fish;
mod zsh;

use clap::{Arg, ArgAction, Command, CommandFactory};
use clap_complete::Shell;

use super::Cli;
use super::help::ABOUT_HELP;
use crate::command::check::points;
use crate::command::serve::all_deviations;

/// What the words of a flag, or in the place of an argument, are.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Words {
    /// Nothing that we know: no words, and no files.
    Unknown,
    /// One of these.
    These(Vec<String>),
    /// Some of these, with commas between.
    Several(Vec<String>),
    /// A file.
    Files,
    /// A folder.
    Folders,
    /// A program, also as the beginning of a command.
    Programs,
    /// A profile.
    Profiles,
}

/// Whether a flag has a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taking {
    Nothing,
    /// `--flag=VALUE` or `--flag`.
    Joined,
    /// The next word.
    Next,
}

/// A flag as completions need it.
#[derive(Debug)]
struct CompletedFlag {
    short: Option<char>,
    long: Option<String>,
    /// The first sentence of its help.
    help: String,
    value_name: String,
    taking: Taking,
    words: Words,
    /// It can be given several times.
    is_repeatable: bool,
}

impl CompletedFlag {
    /// Its names as they are typed.
    fn names(&self) -> Vec<String> {
        let short = self.short.map(|short| format!("-{short}"));
        short.into_iter().chain(self.long.as_ref().map(|long| format!("--{long}"))).collect()
    }
}

/// A command as completions need it.
#[derive(Debug)]
struct CompletedVerb {
    name: String,
    help: String,
    flags: Vec<CompletedFlag>,
    /// The words that are no flags.
    words: Words,
}

/// The files by their names.
pub fn files() -> Vec<(&'static str, String)> {
    let verbs = verbs();
    let mut files = vec![
        ("mqttws.bash", bash::script(&verbs)),
        ("_mqttws", zsh::script(&verbs)),
        ("mqttws.fish", fish::script(&verbs)),
    ];
    for (shell, name) in [(Shell::PowerShell, "_mqttws.ps1"), (Shell::Elvish, "mqttws.elv")] {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut visible(&Cli::command()), "mqttws", &mut text);
        files.push((name, String::from_utf8(text).expect("completions are text")));
    }
    files
}

/// The command line without what help does not show.
fn visible(command: &Command) -> Command {
    let mut copy = Command::new(command.get_name().to_owned())
        .version(env!("CARGO_PKG_VERSION"))
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args(command.get_arguments().filter(|arg| !arg.is_hide_set()).map(alone))
        .subcommands(command.get_subcommands().map(visible));
    if let Some(about) = command.get_about() {
        copy = copy.about(about.clone());
    }
    if command.has_subcommands() {
        let verbs = command.get_subcommands().map(|verb| {
            Command::new(verb.get_name().to_owned()).about(about(verb)).disable_help_flag(true)
        });
        let help = Command::new("help").about(ABOUT_HELP).disable_help_flag(true);
        let help = help.disable_help_subcommand(true).subcommands(verbs);
        copy = copy.disable_help_subcommand(true).subcommand(help);
    }
    copy
}

/// What a command does, in a sentence.
fn about(verb: &Command) -> String {
    if verb.get_name() == "help" { ABOUT_HELP.into() } else { summary(verb.get_about()) }
}

/// A flag without its relations to others.
fn alone(arg: &Arg) -> Arg {
    let mut copy = Arg::new(arg.get_id().clone()).action(arg.get_action().clone());
    copy = copy.value_parser(arg.get_value_parser().clone());
    if let Some(short) = arg.get_short() {
        copy = copy.short(short);
    }
    if let Some(long) = arg.get_long() {
        copy = copy.long(long.to_owned());
    }
    copy = copy.help(summary(arg.get_help()));
    copy.last(arg.is_last_set()).global(arg.is_global_set())
}

fn verbs() -> Vec<CompletedVerb> {
    let mut cli = Cli::command();
    cli.build();
    let names: Vec<String> = cli.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    let verbs = cli.get_subcommands().map(|verb| {
        let shown = verb.get_arguments().filter(|arg| !arg.is_hide_set());
        let flags = shown.filter(|arg| !arg.is_positional()).map(flag).collect();
        let words = match verb.get_name() {
            "help" => Words::These(names.clone()),
            _ => verb.get_positionals().next().map_or(Words::Unknown, words),
        };
        CompletedVerb { name: verb.get_name().to_owned(), help: about(verb), flags, words }
    });
    verbs.collect()
}

fn flag(arg: &Arg) -> CompletedFlag {
    let takes_value = arg.get_action().takes_values();
    let is_optional = arg.get_num_args().is_some_and(|number| number.min_values() == 0);
    CompletedFlag {
        short: arg.get_short(),
        long: arg.get_long().map(str::to_owned),
        help: summary(arg.get_help()),
        value_name: arg.get_value_names().map_or(String::new(), <[_]>::concat),
        taking: match (takes_value, is_optional) {
            (false, _) => Taking::Nothing,
            (true, true) => Taking::Joined,
            (true, false) => Taking::Next,
        },
        words: words(arg),
        is_repeatable: matches!(arg.get_action(), ArgAction::Append | ArgAction::Count),
    }
}

/// The first sentence of a help text, without its full stop.
fn summary(help: Option<&clap::builder::StyledStr>) -> String {
    let help = help.map(ToString::to_string).unwrap_or_default();
    let line = help.lines().next().unwrap_or_default();
    let sentence = line.split("; ").next().unwrap_or_default();
    sentence.split(" [default").next().unwrap_or_default().trim_end_matches('.').to_owned()
}

/// The values of flags that are one of a few words, by the flags' identifiers.
const VALUES: [(&str, &str); 13] = [
    ("qos", "0 1 2"),
    ("will_qos", "0 1 2"),
    ("protocol_version", "5 311 31"),
    ("versions", "5 311 31"),
    ("color", "auto always never"),
    ("tls_version", "1.2 1.3"),
    ("retain_handling", "always new never"),
    ("summary", "json"),
    ("on", "min avg max p50 p90 p99"),
    ("auth_method", "SCRAM-SHA-256"),
    ("subprotocol", "mqtt mqttv3.1 none"),
    ("session_expiry_interval", "never"),
    ("property", "connect will publish subscribe unsubscribe disconnect"),
];

/// What the value of this flag or argument is.
fn words(arg: &Arg) -> Words {
    let these = |words: &str| Words::These(words.split(' ').map(str::to_owned).collect());
    let id = arg.get_id().as_str();
    if let Some((_, words)) = VALUES.iter().find(|(known, _)| *known == id) {
        return these(words);
    }
    let possible = arg.get_possible_values();
    if !possible.is_empty() && arg.get_action().takes_values() {
        // `text` is what --json is without a value.
        let shown = possible
            .iter()
            .map(clap::builder::PossibleValue::get_name)
            .filter(|name| *name != "text");
        return Words::These(shown.map(str::to_owned).collect());
    }
    let value_name = arg.get_value_names().map(<[_]>::concat).unwrap_or_default();
    match (id, value_name.as_str()) {
        ("profile", _) => Words::Profiles,
        ("exec" | "exec_argv" | "shell" | "command", _) => Words::Programs,
        ("deviate", _) => Words::Several(
            all_deviations().map(|known| known.name).chain(["list"]).map(str::to_owned).collect(),
        ),
        ("only" | "skip", _) => {
            Words::These(points::groups().iter().map(|group| group.name.to_owned()).collect())
        }
        ("unix", _) | (_, "FILE") => Words::Files,
        (_, "DIR") => Words::Folders,
        _ => Words::Unknown,
    }
}

/// A text as a word in single quotes, for shells in which `\` in it is a plain character.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[test]
fn all_values_belong_to_a_flag() {
    let mut cli = Cli::command();
    cli.build();
    for (id, _) in VALUES {
        let mut all = cli.get_subcommands().flat_map(Command::get_arguments);
        assert!(all.any(|arg| arg.get_id() == id), "{id}");
    }
}
