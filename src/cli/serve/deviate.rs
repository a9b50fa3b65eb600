//! The flag of `serve` for deviations of real servers.

use anyhow::{Result, bail};
use clap::Args;

use crate::cli::source::mistyped::similar;
use crate::cli::value::elided;
use crate::command::serve::{DeviationChoice, all_deviations, find_deviation};
use crate::exit::Usage;

/// `--deviate`
#[derive(Debug, Args)]
#[command(next_help_heading = "Tests of clients")]
pub struct DeviateFlags {
    /// Deviate from the standards as real servers do; `list` prints all names
    ///
    /// Several are separated by commas, or stand after `--deviate` each. With `--json` the list is
    /// an object a line, with the points of `check` that each changes.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    deviate: Vec<String>,
}

impl DeviateFlags {
    /// The deviations of these names.
    pub fn resolve(&self) -> Result<DeviationChoice> {
        if self.deviate.iter().any(|name| name == "list") {
            return Ok(DeviationChoice::List);
        }
        let mut found = Vec::new();
        for name in &self.deviate {
            let Some(deviation) = find_deviation(name) else { bail!(unknown(name)) };
            found.push(deviation);
        }
        Ok(DeviationChoice::These(found))
    }
}

/// The error for a name that no deviation has.
fn unknown(typed: &str) -> Usage {
    let names: Vec<&str> = all_deviations().map(|deviation| deviation.name).collect();
    let meant = similar(typed, names.into_iter());
    let meant = meant.map_or(String::new(), |name| format!("did you mean {name}? "));
    let typed = elided(typed);
    Usage::new(format!("--deviate: there is no {typed}; {meant}--deviate list prints all names"))
}
