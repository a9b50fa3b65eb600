//! The flags that say who may come in.

use std::convert::Infallible;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, ensure};
use clap::Args;

use super::tls::ServeTlsFlags;
use crate::command::serve::access::acl::Acl;
use crate::command::serve::access::origin::Origin;
use crate::command::serve::access::users::Users;
use crate::command::serve::access::{Access, Reach, UpgradeRules};
use crate::exit::Usage;
use crate::transport::file;

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
    #[arg(long, num_args = 0, default_missing_value = "", value_parser = remote)]
    allow_remote: Option<Reach>,

    /// Let in this user, and none that is not named (repeatable)
    ///
    /// The command gets the first one in `$MQTTWS_USERNAME` and `$MQTTWS_PASSWORD`. Other users of
    /// this machine can see a password that is typed: see --users.
    #[arg(long = "user", value_name = "NAME:PASSWORD", allow_hyphen_values = true)]
    users: Vec<User>,

    /// Let in the users of this file: lines NAME:PASSWORD, or as `mosquitto_passwd` writes them
    #[arg(long = "users", value_name = "FILE", allow_hyphen_values = true)]
    users_file: Option<PathBuf>,

    /// Who may read and write which topics, by a file as mosquitto's `acl_file`
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    acl: Option<PathBuf>,
}

/// A user and the password.
#[derive(Clone)]
pub struct User {
    name: String,
    password: String,
}

/// Shows the name alone.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("User").field(&self.name).finish()
    }
}

impl FromStr for User {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let parts = text.split_once(':').filter(|(name, _)| !name.is_empty());
        let (name, password) = parts.ok_or("expected NAME:PASSWORD")?;
        Ok(Self { name: name.to_owned(), password: password.to_owned() })
    }
}

/// What `--allow-remote` means; it takes no value.
#[expect(clippy::unnecessary_wraps, reason = "clap wants a Result")]
fn remote(_: &str) -> Result<Reach, Infallible> {
    Ok(Reach::Remote)
}

impl AccessFlags {
    /// What the flags mean.
    pub fn resolve(self) -> Result<Access> {
        let (reach, users) = (self.reach(), self.users()?);
        let acl = self.acl.as_deref().map(read_acl).transpose()?;
        Ok(Access { upgrades: UpgradeRules { origins: self.allow_origin, reach }, users, acl })
    }

    /// What the command is to log in with: name and password.
    pub fn login(&self) -> Option<(String, String)> {
        self.users.first().map(|user| (user.name.clone(), user.password.clone()))
    }

    /// The users that may connect; `None` where neither flag is given.
    fn users(&self) -> Result<Option<Users>> {
        if !self.has_users() {
            return Ok(None);
        }
        let mut users = Users::default();
        for User { name, password } in &self.users {
            let added = users.add_plain(name, password);
            added.map_err(|problem| Usage::new(format!("--user: {problem}")))?;
        }
        if let Some(path) = &self.users_file {
            let added = users.add_file(&text_of(path)?);
            added.map_err(|(line, problem)| wrong_line(path, line, &problem))?;
        }
        Ok(Some(users))
    }

    fn has_users(&self) -> bool {
        !self.users.is_empty() || self.users_file.is_some()
    }

    /// From where clients may come.
    fn reach(&self) -> Reach {
        self.allow_remote.unwrap_or_default()
    }

    /// What the user should know about the flags.
    pub fn warnings(&self, tls: &ServeTlsFlags) -> Vec<String> {
        let is_open = self.reach() == Reach::Remote && !self.has_users() && !tls.asks_clients();
        let warning = "--allow-remote: everybody who reaches this machine can connect: name those \
                       who may with --user or --users";
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

fn read_acl(path: &Path) -> Result<Acl> {
    let acl = Acl::parse(&text_of(path)?);
    acl.map_err(|(line, problem)| wrong_line(path, line, &problem).into())
}

/// The text of a file, which may begin with a byte order mark.
fn text_of(path: &Path) -> Result<String> {
    let mut text = file::read_text(path).with_context(|| format!("reading {}", path.display()))?;
    if text.starts_with('\u{feff}') {
        text.remove(0);
    }
    Ok(text)
}

fn wrong_line(path: &Path, line: usize, problem: &impl fmt::Display) -> Usage {
    Usage::new(format!("{}, line {line}: {problem}", path.display()))
}
