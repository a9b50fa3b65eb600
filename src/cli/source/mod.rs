//! Where flags come from beside the command line: mosquitto's files, profiles and the environment;
//! and `--print-config`, which shows the source of each value.

pub mod mistyped;
pub mod mosquitto;
pub mod print_config;
pub mod profile;
pub mod words;

use std::env;
use std::path::PathBuf;

/// Whether environment variables say what no flag does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Variables {
    /// They do.
    #[default]
    Read,
    /// They do not: they are for another broker.
    Ignored,
}

impl Variables {
    /// The value of a variable, if it is set and counts.
    pub fn get(self, name: &str) -> Option<String> {
        match self {
            Self::Read => variable(name).map(|(_, value)| value),
            Self::Ignored => None,
        }
    }
}

/// An environment variable as `$NAME`, and its value.
pub fn variable(name: &str) -> Option<(String, String)> {
    Some((format!("${name}"), env::var(name).ok()?))
}

/// `$XDG_CONFIG_HOME`, or `~/.config`; a relative path in either variable does not count.
fn config_folder() -> Option<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")))
}
