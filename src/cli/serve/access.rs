//! The flags that say who may come in.

use std::net::IpAddr;

use anyhow::{Result, ensure};
use clap::Args;

use crate::command::serve::access::origin::Origin;
use crate::command::serve::access::{Access, Reach, UpgradeRules};
use crate::exit::Usage;

/// Who may connect, and to what.
#[derive(Debug, Args)]
#[command(next_help_heading = "Access")]
pub struct AccessFlags {
    /// Let in pages of this origin, too, such as `https://app.example` (repeatable)
    ///
    /// Pages of localhost, 127.0.0.1 and `[::1]` may connect anyway, at any port, so may what is
    /// no page. `null` is what a file and a sandboxed frame of any page have. There is no `*`.
    #[arg(long, value_name = "ORIGIN", allow_hyphen_values = true)]
    allow_origin: Vec<Origin>,

    /// Let in other machines: -h may be any address, and clients may use any name for it
    #[arg(long, action = clap::ArgAction::Count)]
    allow_remote: u8,
}

impl AccessFlags {
    /// What the flags mean.
    pub fn resolve(self) -> Access {
        let reach = self.reach();
        Access { upgrades: UpgradeRules { origins: self.allow_origin, reach } }
    }

    /// From where clients may come.
    fn reach(&self) -> Reach {
        if self.allow_remote > 0 { Reach::Remote } else { Reach::Local }
    }

    /// What the user should know about the flags.
    pub fn warnings(&self) -> Vec<String> {
        let is_open = self.reach() == Reach::Remote;
        let warning = "--allow-remote: everybody who reaches this machine can connect";
        is_open.then(|| warning.to_owned()).into_iter().collect()
    }

    /// Refuses an address that other machines reach, unless they may come.
    pub fn check_address(&self, address: IpAddr) -> Result<()> {
        ensure!(
            address.is_loopback() || self.reach() == Reach::Remote,
            Usage::new(format!(
                "-h: serve listens on this machine only (127.0.0.1 or ::1), not on {address}, \
                 without --allow-remote"
            ))
        );
        Ok(())
    }
}
