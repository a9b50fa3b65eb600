//! Profiles: `[profile.NAME]` tables of long flag names. They become flags before those that were
//! typed, so that the typed ones win; environment variables win over profiles, too.

use std::env;
#[cfg(test)]
use std::ffi::OsStr;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, Command};
use toml::{Table, Value};

use super::print_config::Origins;
use crate::exit::Usage;

/// The profile that is always read.
const DEFAULT: &str = "default";

/// The flags of the address: one of them typed, or in the environment, replaces all those of a
/// profile.
const ADDRESS: [&str; 4] = ["url", "host", "port", "path"];

/// The variables that win over a profile, and the flags that they stand for.
const VARIABLES: [(&str, &[&str]); 3] = [
    ("MQTTWS_URL", &ADDRESS),
    ("MQTTWS_USERNAME", &["username"]),
    ("MQTTWS_PASSWORD", &["pw", "password", "password-file", "ask-password"]),
];

/// Flags with secrets: a file with one of them must not be readable by others.
const SECRETS: [&str; 7] =
    ["pw", "password", "basic-auth", "bearer", "header", "proxy", "auth-data"];

/// Whether there can be a profile at all: one is asked for, or the usual file is there.
pub fn may_matter(arguments: &[OsString]) -> bool {
    let asks = |argument: &OsString| {
        let bytes = argument.as_encoded_bytes();
        bytes.starts_with(b"--profile") || bytes.starts_with(b"--config")
    };
    arguments.iter().any(asks) || usual_place().is_some_and(|path| path.exists())
}

/// The command line with the flags of its profiles before its own, and the source of each flag.
pub fn extended(arguments: Vec<OsString>, command: &Command) -> Result<(Vec<OsString>, Origins)> {
    let alone = |arguments| Ok((arguments, Origins::default()));
    // Errors are left to the parse that counts.
    let Ok(typed) = command.clone().ignore_errors(true).try_get_matches_from(&arguments) else {
        return alone(arguments);
    };
    let Some((name, typed)) = typed.subcommand() else { return alone(arguments) };
    let Some(subcommand) = command.find_subcommand(name).filter(|sub| has_flag(sub, "profile"))
    else {
        return alone(arguments);
    };
    let Some(config) = ProfileFile::find(typed)? else { return alone(arguments) };
    let is_typed =
        |id: &&clap::Id| typed.value_source(id.as_str()) == Some(ValueSource::CommandLine);
    let typed_ids = typed.ids().filter(is_typed).map(ToString::to_string).collect();
    let mut origins =
        Origins { file: Some(config.path.clone()), added: Vec::new(), typed: typed_ids };
    let mut flags = Vec::new();
    let named = typed.get_one::<String>("profile").map(String::as_str);
    for profile in [DEFAULT].into_iter().chain(named) {
        for (id, flag) in config.flags(profile, command, subcommand, typed)? {
            origins.added.push((id, profile.to_owned()));
            flags.push(flag);
        }
    }
    let at =
        arguments.iter().position(|argument| argument == name).map_or(arguments.len(), |at| at + 1);
    Ok(([&arguments[..at], &flags, &arguments[at..]].concat(), origins))
}

/// A file of profiles.
struct ProfileFile {
    path: PathBuf,
    profiles: Table,
    /// Somebody else can read it.
    exposed: bool,
}

impl ProfileFile {
    /// The file that was named, or the one in its usual place, if there is one.
    fn find(typed: &ArgMatches) -> Result<Option<Self>> {
        let named = typed.get_one::<PathBuf>("config");
        let Some(path) = named.cloned().or_else(usual_place) else { return Ok(None) };
        let wanted = named.is_some() || typed.contains_id("profile");
        if !wanted && !path.exists() {
            return Ok(None);
        }
        Self::read(&path).map(Some)
    }

    fn read(path: &Path) -> Result<Self> {
        let what = || format!("reading {}", path.display());
        let text = fs::read_to_string(path).with_context(what)?;
        let exposed = fs::metadata(path).with_context(what)?.mode() & 0o044 != 0;
        let table: Table = text.parse().map_err(|error: toml::de::Error| {
            let line = error.span().map_or(0, |span| text[..span.start].lines().count().max(1));
            Usage::new(format!("{}: line {line}: {}", path.display(), error.message()))
        })?;
        let profiles = match table.get("profile") {
            Some(Value::Table(profiles)) => profiles.clone(),
            None => Table::new(),
            Some(_) => bail!(Usage::new(format!("{}: profile is not a table", path.display()))),
        };
        if let Some(other) = table.keys().find(|key| *key != "profile") {
            bail!(Usage::new(format!("{}: {other}: expected only [profile.NAME]", path.display())));
        }
        Ok(Self { path: path.to_owned(), profiles, exposed })
    }

    /// The flags of one profile that mean something to this command and were not set in a stronger
    /// place, each with its identifier.
    fn flags(
        &self,
        name: &str,
        all: &Command,
        of: &Command,
        typed: &ArgMatches,
    ) -> Result<Vec<(String, OsString)>> {
        let path = self.path.display();
        let mut flags = Vec::new();
        for (key, value) in self.profile(name)?.into_iter().flatten() {
            let known = all.get_subcommands().any(|sub| has_flag(sub, key));
            ensure!(known, Usage::new(format!("{path}: profile {name}: there is no flag --{key}")));
            self.check_exposure(key, value)?;
            let flag = of.get_arguments().find(|arg| is_named(arg, key));
            if let Some(flag) = flag.filter(|_| !is_overruled(key, typed)) {
                let written = written_for(flag, key, value).ok_or_else(|| {
                    Usage::new(format!("{path}: profile {name}: {key}: not a value for --{key}"))
                })?;
                let id = flag.get_id();
                flags.extend(written.into_iter().map(|written| (id.to_string(), written)));
            }
        }
        Ok(flags)
    }

    /// The table of a profile; only the default one may be missing.
    fn profile(&self, name: &str) -> Result<Option<&Table>, Usage> {
        match self.profiles.get(name) {
            Some(Value::Table(profile)) => Ok(Some(profile)),
            None if name == DEFAULT => Ok(None),
            _ => {
                let known: Vec<&str> = self.profiles.keys().map(String::as_str).collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                let path = self.path.display();
                Err(Usage::new(format!(
                    "--profile: no profile {name} in {path}; there are: {known}"
                )))
            }
        }
    }

    /// A secret in a file that others can read is an error.
    fn check_exposure(&self, key: &str, value: &Value) -> Result<()> {
        let path = self.path.display();
        let is_secret = SECRETS.contains(&key)
            || (key == "url" && value.as_str().is_some_and(|url| url.contains('@')));
        ensure!(
            !self.exposed || !is_secret,
            Usage::new(format!("{path}: others can read the {key} in it: chmod 600 {path}"))
        );
        Ok(())
    }
}

/// A key and its value as this flag would be typed; `None` if the value does not fit it.
fn written_for(flag: &clap::Arg, key: &str, value: &Value) -> Option<Vec<OsString>> {
    // A value that may be left out is `true`, too.
    let may_stand_alone = flag.get_num_args().is_some_and(|values| values.min_values() == 0);
    let takes_value = flag.get_action().takes_values()
        && !(may_stand_alone && matches!(value, Value::Boolean(_)));
    written(key, value, takes_value, matches!(flag.get_action(), ArgAction::Count))
}

/// `$XDG_CONFIG_HOME/mqttws/config.toml`.
fn usual_place() -> Option<PathBuf> {
    Some(super::config_folder()?.join("mqttws/config.toml"))
}

fn has_flag(command: &Command, name: &str) -> bool {
    command.get_arguments().any(|arg| is_named(arg, name))
}

fn is_named(arg: &clap::Arg, name: &str) -> bool {
    arg.get_long() == Some(name)
        || arg.get_all_aliases().is_some_and(|aliases| aliases.contains(&name))
}

/// Whether a flag that was typed, or a variable, replaces this one.
fn is_overruled(key: &str, typed: &ArgMatches) -> bool {
    let by_variable = VARIABLES
        .iter()
        .any(|(variable, flags)| flags.contains(&key) && env::var_os(variable).is_some());
    let same: &[&str] = match key {
        _ if ADDRESS.contains(&key) => &["url", "url_flag", "host", "port", "path"],
        "pw" | "password" | "password-file" | "ask-password" => {
            &["password", "password_file", "ask_password"]
        }
        _ => &[],
    };
    let typed_flag = |id: &str| typed.value_source(id) == Some(ValueSource::CommandLine);
    by_variable || typed.ids().any(|id| same.contains(&id.as_str()) && typed_flag(id.as_str()))
}

/// A key and its value as they would be typed; `None` if the value does not fit the flag.
fn written(key: &str, value: &Value, takes_value: bool, counts: bool) -> Option<Vec<OsString>> {
    let with = |value: String| Some(vec![OsString::from(format!("--{key}={value}"))]);
    match value {
        Value::Boolean(false) if !takes_value => Some(Vec::new()),
        Value::Boolean(true) if !takes_value => Some(vec![format!("--{key}").into()]),
        Value::Integer(times @ 0..=9) if counts => {
            let times = usize::try_from(*times).ok()?;
            Some(vec![format!("--{key}").into(); times])
        }
        Value::String(text) if takes_value => with(text.clone()),
        Value::Integer(number) if takes_value => with(number.to_string()),
        Value::Float(number) if takes_value => with(number.to_string()),
        Value::Array(values) => {
            let each = values.iter().map(|value| match value {
                Value::Array(_) => None,
                value => written(key, value, takes_value, counts),
            });
            each.collect::<Option<Vec<_>>>().map(|flags| flags.concat())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_they_are_typed() {
        let value = |text: &str| {
            let table: Table = format!("v = {text}").parse().expect("TOML");
            table["v"].clone()
        };
        let typed = |text, takes_value| {
            let flags = written("x", &value(text), takes_value, false)?;
            Some(flags.join(OsStr::new(" ")).into_string().expect("text"))
        };
        assert_eq!(typed("\"a b\"", true).as_deref(), Some("--x=a b"));
        assert_eq!(typed("7", true).as_deref(), Some("--x=7"));
        assert_eq!(typed("0.5", true).as_deref(), Some("--x=0.5"));
        assert_eq!(typed("[\"a\", 1]", true).as_deref(), Some("--x=a --x=1"));
        assert_eq!(typed("true", false).as_deref(), Some("--x"));
        assert_eq!(typed("false", false).as_deref(), Some(""));
        for (text, takes_value) in [("true", true), ("7", false), ("{}", true), ("[[1]]", true)] {
            assert_eq!(typed(text, takes_value), None, "{text}");
        }
    }
}
