//! The flag of `serve` for what clients are expected to send.

use anyhow::Result;
use clap::Args;

use super::expect;
use crate::command::serve::PacketExpectation;

/// `--expect`
#[derive(Debug, Args)]
#[command(next_help_heading = "Tests of clients")]
pub struct ExpectFlags {
    /// Exit with 1 if no client has sent this packet: 'pub t=a/b q=1 payload~^ok' (repeatable)
    ///
    /// The packet is `pub`, `sub`, `unsub`, `connect` or `disconnect`; conditions are `t=FILTER`,
    /// `q=0` to `q=2`, `r=0` or `r=1`, `client=ID`, `payload=TEXT` and `payload~REGEX`; a value
    /// with blanks stands in quotes. All must hold for one packet. If the command fails its exit
    /// code counts.
    #[arg(long, value_name = "PACKET", allow_hyphen_values = true)]
    expect: Vec<String>,
}

impl ExpectFlags {
    /// The expectations.
    pub fn resolve(&self) -> Result<Vec<PacketExpectation>> {
        let parse = |text: &String| expect::parse(text).map_err(anyhow::Error::from);
        self.expect.iter().map(parse).collect()
    }
}
