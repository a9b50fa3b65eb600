//! The flags of `bench` that say who the connections are.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{ArgAction, Args};

use super::connection::ConnectionFlags;
use super::field::check_text;
use super::value;
use crate::client::fleet::TlsResumption;
use crate::command::bench::config::{FleetPlan, MOST_LOOPS};
use crate::exit::Usage;
use crate::mqtt::packet::Credentials;

/// Who the connections are.
#[derive(Debug, Args)]
#[command(next_help_heading = "Load")]
pub struct CrewFlags {
    /// Give each connection the next of these: lines NAME:PASSWORD, again from the top after the
    /// last
    #[arg(long, value_name = "FILE", value_parser = value::file(), allow_hyphen_values = true,
          conflicts_with_all = ["username", "password", "password_file", "ask_password"])]
    users: Option<PathBuf>,

    /// Let connections continue the TLS session of another one; a fleet of devices does not
    #[arg(long, action = ArgAction::Count)]
    tls_resume: u8,

    /// Use so many threads, each with its share of the connections [default: as many as cores, or
    /// half of them if the server is on this machine]
    #[arg(long, value_name = "N", value_parser = loops, allow_hyphen_values = true)]
    loops: Option<usize>,
}

impl CrewFlags {
    /// What they say together with the flags of a connection.
    pub fn plan(&self, connection: &mut ConnectionFlags) -> Result<FleetPlan> {
        let users = self.users.as_deref().map(users).transpose()?;
        Ok(FleetPlan {
            client_id: connection.given_id().map(str::to_owned),
            users: users.unwrap_or_default(),
            local: connection.take_local(),
            resumption: match self.tls_resume {
                0 => TlsResumption::Never,
                _ => TlsResumption::Shared,
            },
            loops: self.loops,
        })
    }
}

fn loops(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=MOST_LOOPS).contains(number));
    number.ok_or_else(|| format!("expected a number from 1 to {MOST_LOOPS}"))
}

fn users(path: &Path) -> Result<Vec<Credentials>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("--users: reading {}", path.display()))?;
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.is_empty());
    let users: Result<Vec<Credentials>> =
        lines.map(|(number, line)| credentials(line, number, path)).collect();
    let users = users?;
    if users.is_empty() {
        return Err(Usage::new(format!(
            "--users: {}: there is no line NAME:PASSWORD",
            path.display()
        ))
        .into());
    }
    Ok(users)
}

fn credentials(line: &str, number: usize, path: &Path) -> Result<Credentials> {
    // The line may hold a password: it is not shown.
    let wrong = || {
        let path = path.display();
        Usage::new(format!("--users: {path}, line {number}: expected NAME:PASSWORD"))
    };
    let (name, password) = line.split_once(':').ok_or_else(wrong)?;
    check_text("--users: a name", Some(name))?;
    check_text("--users: a password", Some(password))?;
    Ok(Credentials { username: Some(name.into()), password: Some(password.to_owned().into()) })
}
