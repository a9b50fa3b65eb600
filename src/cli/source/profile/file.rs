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

/// Flags whose file, or folder, is read before a connection is made. These paths and those of
/// [`OTHER_PATHS`] are relative to the file of profiles.
pub const READ_FIRST: [&str; 10] = [
    "cafile",
    "ca",
    "ca-cert",
    "capath",
    "cert",
    "key",
    "key-password-file",
    "password-file",
    "auth-data-file",
    "will-file",
];

/// The other flags whose value is a path.
const OTHER_PATHS: [&str; 6] = ["file", "output-dir", "tls-keylog", "unix", "junit", "baseline"];

/// Flags that choose the profile, or print something instead of a run.
const NOT_IN_PROFILES: [&str; 5] = ["profile", "config", "print-config", "help", "list"];

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

    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self> {
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

    /// All profiles by their names.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Table)> {
        let entries = self.profiles.iter();
        entries.filter_map(|(name, value)| Some((name.as_str(), value.as_table()?)))
    }

    /// The names of what stands where profiles do and is none.
    pub fn not_tables(&self) -> impl Iterator<Item = &str> {
        let entries = self.profiles.iter().filter(|(_, value)| !value.is_table());
        entries.map(|(name, _)| name.as_str())
    }

    /// The names of all profiles, one per line.
    pub fn names_in_lines(&self) -> String {
        self.all().map(|(name, _)| name).collect::<Vec<_>>().join("\n")
    }

    /// The names of all profiles, for an error.
    pub fn names(&self) -> String {
        let known: Vec<&str> = self.profiles.keys().map(String::as_str).collect();
        if known.is_empty() { "none".to_owned() } else { known.join(", ") }
    }

    /// A key that is no flag is an error, and so is one that a profile cannot set.
    pub fn check_key(key: &str, is_flag: impl Fn(&str) -> bool) -> Result<(), Usage> {
        if !is_flag(key) {
            return Err(Usage::new(format!("there is no flag --{key}")));
        }
        if NOT_IN_PROFILES.contains(&key) {
            return Err(Usage::new(format!("{key}: it cannot be set in a profile")));
        }
        Ok(())
    }

    /// A value with its paths as they are meant: from the folder of this file, and `~` is `$HOME`.
    pub fn located(&self, key: &str, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.located_text(key, text)),
            Value::Array(values) => {
                Value::Array(values.iter().map(|value| self.located(key, value)).collect())
            }
            other => other.clone(),
        }
    }

    fn located_text(&self, key: &str, text: &str) -> String {
        if READ_FIRST.contains(&key) || OTHER_PATHS.contains(&key) {
            return self.located_path(text);
        }
        let head = match key {
            "basic-auth" | "bearer" => "",
            "header" => text.split_once(':').map_or("", |(name, _)| &text[..=name.len()]),
            _ => return text.to_owned(),
        };
        match text[head.len()..].trim_start().strip_prefix('@') {
            Some(path) if !(key == "header" && head.is_empty()) => {
                format!("{head}@{}", self.located_path(path))
            }
            _ => text.to_owned(),
        }
    }

    fn located_path(&self, path: &str) -> String {
        let home = std::env::var("HOME").ok().filter(|home| !home.is_empty());
        match (path.strip_prefix('~'), home) {
            (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => home + rest,
            _ if path.is_empty() || path == "-" => path.to_owned(),
            _ => {
                let folder = self.path.parent().unwrap_or(Path::new(""));
                folder.join(path).to_string_lossy().into_owned()
            }
        }
    }

    /// A secret in a file that others can read is an error.
    pub fn check_exposure(&self, key: &str, value: &Value) -> Result<()> {
        let path = self.path.display();
        let is_secret = SECRETS.contains(&key)
            || (["url", "to"].contains(&key)
                && super::urls(Some(value)).any(|url| url.contains('@')));
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
    fn paths_are_relative_to_the_file() {
        let path = PathBuf::from("/etc/mqttws/config.toml");
        let file = ProfileFile { path, profiles: Table::new(), exposed: false };
        let home = std::env::var("HOME").unwrap_or_default();
        for (key, text, expected) in [
            ("cafile", "ca.pem", "/etc/mqttws/ca.pem"),
            ("cafile", "../ca.pem", "/etc/mqttws/../ca.pem"),
            ("cafile", "/ca.pem", "/ca.pem"),
            ("password-file", "~/secret", &format!("{home}/secret")),
            ("password-file", "~ann/secret", "/etc/mqttws/~ann/secret"),
            ("file", "-", "-"),
            ("bearer", "@token", "@/etc/mqttws/token"),
            ("bearer", "token", "token"),
            ("header", "X-Key: @key", "X-Key:@/etc/mqttws/key"),
            ("header", "X-Key: key", "X-Key: key"),
            ("header", "@key", "@key"),
            ("topic", "a", "a"),
            ("path", "mqtt", "mqtt"),
        ] {
            assert_eq!(file.located(key, &text.into()), expected.into(), "{key} = {text}");
        }
    }

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
