//! `mqttws profile`: what a file of profiles holds, and what is wrong in it.

use std::fs;
use std::path::Path;

use anyhow::Result;
use clap::error::ErrorKind;
use clap::{Arg, Command};
use toml::{Table, Value};

use super::file::{ProfileFile, READ_FIRST, usual_place, written_for};
use super::{PROFILE, has_flag, is_named};
use crate::cli::source::mistyped::similar_name;
use crate::cli::source::variable;
use crate::report::Misuse;
use crate::transport::endpoint::Endpoint;

/// The commands that read profiles.
const READERS: [&str; 4] = ["pub", "sub", "ping", "check"];

/// What is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// The names, and nothing is checked.
    Names,
    /// Name, address and flags.
    Whole,
}

/// A file of profiles for its user.
#[derive(Debug, Default)]
pub struct Overview {
    /// A line for each profile.
    pub listing: String,
    /// What is wrong.
    pub problems: Vec<String>,
    /// What to warn of.
    pub warnings: Vec<String>,
}

impl Overview {
    /// The file that was named, or else the one in the usual place; that need not be there.
    pub fn of(named: Option<&Path>, rows: Rows, command: &Command) -> Result<Self> {
        let Some(path) = named.map(Path::to_owned).or_else(usual_place) else {
            let warning = "there is no place for profiles: neither $HOME nor $XDG_CONFIG_HOME is \
                           set";
            return Ok(Self { warnings: vec![warning.to_owned()], ..Self::default() });
        };
        if named.is_none() && !path.exists() {
            let warning = format!("there are no profiles: no file {}", path.display());
            return Ok(Self { warnings: vec![warning], ..Self::default() });
        }
        let file = ProfileFile::read(&path)?;
        Ok(match rows {
            Rows::Names => Self { listing: file.names_in_lines(), ..Self::default() },
            Rows::Whole => Self {
                listing: listing(&file),
                problems: problems(&file, command),
                ..Self::default()
            },
        })
    }
}

/// A line for each profile: its name, its address, and its other keys.
fn listing(file: &ProfileFile) -> String {
    let rows: Vec<[String; 3]> = file
        .all()
        .map(|(name, settings)| {
            let keys: Vec<&str> =
                settings.keys().map(String::as_str).filter(|key| !ADDRESS.contains(key)).collect();
            [name.to_owned(), address(settings), keys.join(", ")]
        })
        .collect();
    let width = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    let (names, addresses) = (width(0), width(1));
    let lines = rows.iter().map(|[name, address, keys]| {
        format!("{name:names$}  {address:addresses$}  {keys}").trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The keys of the second column.
const ADDRESS: [&str; 5] = ["url", "url-command", "host", "port", "path"];

/// The address in a profile, without anything secret; `-` if there is none.
fn address(settings: &Table) -> String {
    let text = |key: &str| match settings.get(key) {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Integer(number)) => Some(number.to_string()),
        _ => None,
    };
    if settings.contains_key("url") {
        let shown = |url| Endpoint::parse(url).map_or_else(|_| "-".to_owned(), |it| it.to_string());
        return super::urls(settings.get("url")).map(shown).collect::<Vec<_>>().join(", ");
    }
    if settings.contains_key("url-command") {
        return "by url-command".to_owned();
    }
    let parts = [("", "host"), (":", "port"), ("", "path")]
        .map(|(sign, key)| text(key).map_or(String::new(), |value| format!("{sign}{value}")));
    let whole = parts.concat();
    if whole.is_empty() { "-".to_owned() } else { whole }
}

/// What is wrong in a file.
fn problems(file: &ProfileFile, command: &Command) -> Vec<String> {
    let mut built = command.clone().args_override_self(true);
    built.build();
    let mut problems = Vec::new();
    for (name, settings) in file.all() {
        let place = format!("{}: profile {name}", file.path.display());
        let mut flags: Vec<(&str, Vec<String>)> = Vec::new();
        for (key, value) in settings {
            match setting(file, &built, key, value) {
                Ok(written) => flags.push((key, written)),
                Err(problem) => problems.push(format!("{place}: {problem}")),
            }
        }
        problems.extend(together(&built, &flags).map(|problem| format!("{place}: {problem}")));
    }
    let named = variable(PROFILE).filter(|(_, name)| !name.is_empty());
    if let Some((place, name)) = named.filter(|(_, name)| file.profile(name).is_none()) {
        let (path, known) = (file.path.display(), file.names());
        problems.push(format!("{place}: no profile {name} in {path}; there are: {known}"));
    }
    problems.extend(file.not_tables().map(|name| {
        format!("{}: profile {name}: expected a table, [profile.{name}]", file.path.display())
    }));
    problems
}

/// A setting as it would be typed, or what is wrong with it.
fn setting(
    file: &ProfileFile,
    command: &Command,
    key: &str,
    value: &Value,
) -> Result<Vec<String>, String> {
    ProfileFile::check_key(key, |key| command.get_subcommands().any(|sub| has_flag(sub, key)))
        .map_err(|error| unknown(command, key).unwrap_or_else(|| error.to_string()))?;
    file.check_exposure(key, value).map_err(|error| short(&error.to_string(), file))?;
    let value = file.located(key, value);
    let readers = || READERS.iter().filter_map(|verb| command.find_subcommand(verb));
    let arg = readers().find_map(|verb| flag(verb, key));
    let arg = arg.ok_or_else(|| format!("{key}: no command that reads profiles has it"))?;
    let written = written_for(arg, key, &value)
        .ok_or_else(|| format!("{key}: not a value for --{key}"))?
        .into_iter()
        .filter_map(|word| word.into_string().ok())
        .collect::<Vec<_>>();
    // What one command refuses may be meant for another: `topic` is a filter to `sub`.
    let verbs = readers().filter(|verb| flag(verb, key).is_some());
    let refusals: Vec<Option<String>> =
        verbs.map(|verb| refusal(command, verb.get_name(), &written)).collect();
    match refusals.iter().all(Option::is_some).then(|| refusals.into_iter().flatten().next()) {
        Some(Some(refusal)) => Err(refusal),
        _ => check_value(key, &value).map(|()| written),
    }
}

/// What to say about a key that is no flag.
fn unknown(command: &Command, key: &str) -> Option<String> {
    if command.get_subcommands().any(|sub| has_flag(sub, key)) {
        return None;
    }
    let similar = READERS
        .iter()
        .filter_map(|verb| command.find_subcommand(verb))
        .find_map(|verb| similar_name(key, verb));
    let advice = similar.map_or(String::new(), |name| format!("; a similar one exists: {name}"));
    Some(format!("there is no flag --{key}{advice}"))
}

/// An error without the path of the file, which stands before it already.
fn short(error: &str, file: &ProfileFile) -> String {
    let path = format!("{}: ", file.path.display());
    error.strip_prefix(&path).unwrap_or(error).to_owned()
}

fn flag<'a>(verb: &'a Command, key: &str) -> Option<&'a Arg> {
    verb.get_arguments().find(|arg| is_named(arg, key))
}

/// Checks an address, and that what is read can be read.
fn check_value(key: &str, value: &Value) -> Result<(), String> {
    let one = [value.clone()];
    let values = match value {
        Value::Array(values) => values.as_slice(),
        _ => &one,
    };
    for text in values.iter().filter_map(Value::as_str) {
        if key == "url" {
            Endpoint::parse(text).map_err(|error| format!("url: {error}"))?;
        }
        if READ_FIRST.contains(&key) {
            fs::metadata(text).map_err(|error| format!("{key}: reading {text}: {error}"))?;
        }
    }
    Ok(())
}

/// Why a command refuses these flags, but for those that it needs beside them.
fn refusal(command: &Command, verb: &str, flags: &[String]) -> Option<String> {
    let line = ["mqttws", verb].into_iter().chain(flags.iter().map(String::as_str));
    let error = command.clone().try_get_matches_from(line).err()?;
    let is_refusal = error.kind() != ErrorKind::MissingRequiredArgument && error.use_stderr();
    is_refusal.then(|| Misuse::new(error, None, None).sentence())
}

/// Why flags of a profile cannot stand together.
fn together(command: &Command, flags: &[(&str, Vec<String>)]) -> Option<String> {
    READERS.iter().filter_map(|verb| command.find_subcommand(verb)).find_map(|verb| {
        let name = verb.get_name();
        let known = flags.iter().filter(|(key, words)| {
            flag(verb, key).is_some() && refusal(command, name, words).is_none()
        });
        let words: Vec<String> = known.flat_map(|(_, words)| words.clone()).collect();
        refusal(command, name, &words)
    })
}
