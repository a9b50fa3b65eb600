//! The flags of one profile, for a second broker (`sub --to-profile`).

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Result, bail};
use clap::{Command, CommandFactory};

use super::file::{ProfileFile, usual_place};
use super::{AddressOrigin, ChosenAddress, Order, ProfileLayer, Strength};
use crate::cli::Cli;
use crate::exit::Usage;

/// The flags of the profile of this name that mean something to `command`, as they are typed.
/// Neither `[profile.default]` nor the environment says anything. The address is `url`; what
/// authenticates us in a profile with another address is an error.
pub fn of_one(
    name: &str,
    config: Option<&Path>,
    url: &str,
    command: &Command,
) -> Result<Vec<OsString>> {
    let Some(path) = config.map(Path::to_owned).or_else(usual_place) else {
        bail!(Usage::new("--to-profile: there is no file of profiles: name one with --config"));
    };
    let config = ProfileFile::read(&path)?;
    let Some(settings) = config.profile(name) else {
        let (path, known) = (path.display(), config.names());
        bail!(Usage::new(format!("--to-profile: no profile {name} in {path}; there are: {known}")));
    };
    let words = [command.get_name(), "--url", url];
    let typed = command.clone().try_get_matches_from(words)?;
    let mut all = Cli::command();
    all.build();
    let layers = [ProfileLayer { name, strength: Strength::Typed, settings }];
    let address = ChosenAddress { source: AddressOrigin::Flag, url: Some(url.to_owned()) };
    let order = Order {
        config: &config,
        layers: &layers,
        address,
        typed: &typed,
        all: &all,
        verb: command,
    };
    let flags = order.flags(0, &mut Vec::new())?;
    Ok(flags.into_iter().map(|(_, flag)| flag).collect())
}
