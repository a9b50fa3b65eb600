//! `serve`: the local broker, alone or for the time of one command.

use anyhow::Result;

use crate::cli;
use crate::report::Exit;

/// Runs `mqttws serve`.
pub fn run(_args: &cli::Serve) -> Result<Exit> {
    Ok(Exit::Done)
}
