//! The file of profiles: `[profile.NAME]` tables of long flag names, and each setting as it is
//! typed.

#[cfg(test)]
use std::ffi::OsStr;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::{ArgAction, ArgMatches};
use toml::{Table, Value};

use super::super::config_folder;
use crate::exit::Usage;
use crate::transport::file;

/// Flags with secrets: a file with one of them must not be readable by others.
const SECRETS: [&str; 7] =
    ["pw", "password", "basic-auth", "bearer", "header", "proxy", "auth-data"];

/// A file of profiles.
pub struct ProfileFile {
    /// Where it is.
    pub path: PathBuf,
    profiles: Table,
    /// Somebody else can read it.
    exposed: bool,
}

impl ProfileFile {
    /// The file that was named, or the one in its usual place, if there is one; it is an error if
    /// there is none and a profile is wanted.
    pub fn find(typed: &ArgMatches, is_wanted: bool) -> Result<Option<Self>> {
        let named = typed.get_one::<PathBuf>("config");
        let Some(path) = named.cloned().or_else(usual_place) else { return Ok(None) };
        if !is_wanted && named.is_none() && !path.exists() {
            return Ok(None);
        }
        Self::read(&path).map(Some)
    }

    fn read(path: &Path) -> Result<Self> {
        let what = || format!("reading {}", path.display());
        let text = file::read_text(path).with_context(what)?;
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

    /// The table of a profile, if there is one.
    pub fn profile(&self, name: &str) -> Option<&Table> {
        self.profiles.get(name).and_then(Value::as_table)
    }

    /// The names of all profiles, for an error.
    pub fn names(&self) -> String {
        let known: Vec<&str> = self.profiles.keys().map(String::as_str).collect();
        if known.is_empty() { "none".to_owned() } else { known.join(", ") }
    }

    /// A secret in a file that others can read is an error.
    pub fn check_exposure(&self, key: &str, value: &Value) -> Result<()> {
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
pub fn written_for(flag: &clap::Arg, key: &str, value: &Value) -> Option<Vec<OsString>> {
    // A value that may be left out is `true`, too.
    let may_stand_alone = flag.get_num_args().is_some_and(|values| values.min_values() == 0);
    let takes_value = flag.get_action().takes_values()
        && !(may_stand_alone && matches!(value, Value::Boolean(_)));
    written(key, value, takes_value, matches!(flag.get_action(), ArgAction::Count))
}

/// `$XDG_CONFIG_HOME/mqttws/config.toml`.
pub fn usual_place() -> Option<PathBuf> {
    Some(config_folder()?.join("mqttws/config.toml"))
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
