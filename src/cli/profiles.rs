//! `mqttws profile`.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Command};

use super::source::profile::{Overview, Rows};
use crate::command::Config;

/// List the profiles, and check them.
#[derive(Debug, Args)]
#[command(disable_help_flag = true, next_help_heading = "General")]
pub struct ProfileFlags {
    /// Configuration file [default: `$XDG_CONFIG_HOME/mqttws/config.toml`]
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    config: Option<PathBuf>,

    /// Print the names alone, one per line, and check nothing
    #[arg(long)]
    names: bool,
}

impl ProfileFlags {
    /// The `Config` that the flags mean, and warnings to print; `command` is the whole command
    /// line.
    pub fn resolve(self, command: &Command) -> Result<(Config, Vec<String>)> {
        let rows = if self.names { Rows::Names } else { Rows::Whole };
        let Overview { listing, problems, warnings } =
            Overview::of(self.config.as_deref(), rows, command)?;
        Ok((Config::Profiles { listing, problems }, warnings))
    }
}
