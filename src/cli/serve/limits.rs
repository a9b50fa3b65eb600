//! `--limit` of `serve`.

use clap::Args;

use crate::command::serve::limits::{HELP, LimitSetting, Limits};

/// The flags for limits.
#[derive(Debug, Args)]
#[command(next_help_heading = "Broker")]
pub struct LimitFlags {
    // In a text that was put together at compile time.
    #[arg(long = "limit", value_name = "NAME=VALUE", allow_hyphen_values = true,
          help = "Change a limit", long_help = HELP)]
    limits: Vec<LimitSetting>,
}

impl LimitFlags {
    /// All limits.
    pub fn resolve(&self) -> Limits {
        let mut limits = Limits::default();
        self.limits.iter().for_each(|setting| limits.set(setting));
        limits
    }
}
