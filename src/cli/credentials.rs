//! The flags for user name, password and enhanced authentication.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use bytestring::ByteString;
use clap::Args;
use data_encoding::BASE64;
use ring::rand::{SecureRandom, SystemRandom};

use super::field::{LONGEST_FIELD, check_text};
use super::secret::SecretReader;
use super::source;
use super::value;
use crate::exit::Usage;
use crate::mqtt::packet;
use crate::mqtt::scram;
use crate::mqtt::session::Authentication;
use crate::transport::endpoint::Endpoint;

/// User name and password.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "MQTT")]
pub struct CredentialFlags {
    /// Whether variables say them, too.
    #[arg(skip)]
    pub variables: source::Variables,

    /// User name [default: that of the URL, or `$MQTTWS_USERNAME`]
    #[arg(short, long, value_name = "NAME", allow_hyphen_values = true)]
    username: Option<String>,

    /// Password [default: that of the URL, or `$MQTTWS_PASSWORD`]; others can see it on the command
    /// line
    #[arg(
        short = 'P',
        long = "pw",
        value_name = "PASSWORD",
        alias = "password",
        allow_hyphen_values = true
    )]
    password: Option<String>,

    /// Read the password from a file; one line end after it is not part of it
    #[arg(long, value_name = "FILE", conflicts_with = "password", value_parser = value::file(),
          allow_hyphen_values = true)]
    password_file: Option<PathBuf>,

    /// Ask for the password on the terminal
    #[arg(long, conflicts_with_all = ["password", "password_file"])]
    ask_password: bool,

    /// Method of enhanced authentication: SCRAM-SHA-256 with -u and a password, or one with a
    /// single step (MQTT 5)
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    auth_method: Option<String>,

    /// Authentication data of a method with a single step
    #[arg(long, value_name = "TEXT", requires = "auth_method", allow_hyphen_values = true)]
    auth_data: Option<String>,

    /// Read the authentication data from a file; one line end after it is not part of it
    #[arg(
        long,
        value_name = "FILE",
        requires = "auth_method",
        conflicts_with = "auth_data",
        value_parser = value::file(),
        allow_hyphen_values = true
    )]
    auth_data_file: Option<PathBuf>,

    /// Run this command for each connection: it prints user name, password, headers and how long
    /// they are valid
    ///
    /// Its output is a JSON object with `username`, `password`, `bearer`, `headers` and
    /// `expires_in`, or lines of the form NAME=VALUE with these names (`header=NAME: VALUE`). With
    /// `expires_in`, in seconds, the connection is renewed before they end. `$MQTTWS_URL` is the
    /// server. mqttws(1) has more about it.
    #[arg(long, value_name = "CMD",
          conflicts_with_all = ["password", "password_file", "ask_password"],
          allow_hyphen_values = true)]
    pub credentials_command: Option<String>,
}

/// Refuses what is longer than a field of CONNECT: in a file it is no wrong usage.
fn check_length(what: &str, length: usize, file: Option<&Path>) -> Result<()> {
    if length <= LONGEST_FIELD {
        return Ok(());
    }
    match file {
        Some(file) => bail!("{what} in {} has more than 65535 bytes", file.display()),
        None => bail!(Usage::new(format!("{what} has more than 65535 bytes"))),
    }
}

impl CredentialFlags {
    /// User name and password from the flags, the URL or the environment.
    pub fn resolve(
        &self,
        endpoint: &Endpoint,
        secrets: &mut SecretReader,
    ) -> Result<packet::Credentials> {
        let (url_name, url_password) = endpoint.user.clone().unzip();
        let variable = |name| self.variables.get(name);
        let username = self.username.clone().or(url_name).or_else(|| variable("MQTTWS_USERNAME"));
        let password = match self.given_password(endpoint, secrets)? {
            Some(password) => Some(password),
            None => url_password.flatten().or_else(|| variable("MQTTWS_PASSWORD")).map(Bytes::from),
        };
        let username = username.map(ByteString::from);
        let length = password.as_ref().map_or(0, Bytes::len);
        check_length("the password", length, self.password_file.as_deref())?;
        check_text("-u", username.as_deref())?;
        Ok(packet::Credentials { username, password })
    }

    /// These flags for later connections: what was asked for on the terminal is not asked again.
    pub fn with_asked(&self, password: Option<&Bytes>) -> Self {
        let mut later = self.clone();
        if std::mem::take(&mut later.ask_password) {
            later.password = password.and_then(|it| String::from_utf8(it.to_vec()).ok());
        }
        later
    }

    /// Whether a file holds a part of it.
    pub fn are_in_files(&self) -> bool {
        self.password_file.is_some() || self.auth_data_file.is_some()
    }

    /// Whether enhanced authentication is asked for.
    pub fn is_enhanced(&self) -> bool {
        self.auth_method.is_some()
    }

    /// Whether a flag gives the password.
    pub fn is_password_given(&self) -> bool {
        self.password.is_some() || self.password_file.is_some() || self.ask_password
    }

    /// The method of enhanced authentication; SCRAM takes the credentials for itself.
    pub fn authentication(
        &self,
        credentials: &mut packet::Credentials,
        secrets: &mut SecretReader,
    ) -> Result<Option<Authentication>> {
        let Some(method) = &self.auth_method else { return Ok(None) };
        check_text("--auth-method", Some(method))?;
        if method == scram::METHOD {
            return scram(std::mem::take(credentials)).map(Some);
        }
        let (method, data) = (method.as_str().into(), self.authentication_data(secrets)?);
        Ok(Some(Authentication::OneStep { method, data }))
    }

    fn authentication_data(&self, secrets: &mut SecretReader) -> Result<Option<Bytes>> {
        let data = match &self.auth_data_file {
            Some(path) => Some(secrets.read(path)?),
            None => self.auth_data.clone().map(String::into_bytes),
        };
        let length = data.as_ref().map_or(0, Vec::len);
        check_length("the authentication data", length, self.auth_data_file.as_deref())?;
        Ok(data.map(Bytes::from))
    }

    fn given_password(
        &self,
        endpoint: &Endpoint,
        secrets: &mut SecretReader,
    ) -> Result<Option<Bytes>> {
        if let Some(path) = &self.password_file {
            return Ok(Some(secrets.read(path)?.into()));
        }
        if self.ask_password {
            let prompt = format!("Password for {endpoint}: ");
            let password = rpassword::prompt_password(prompt).context("asking for the password")?;
            return Ok(Some(password.into()));
        }
        Ok(self.password.clone().map(Bytes::from))
    }
}

/// SCRAM, which takes user name and password for itself.
fn scram(credentials: packet::Credentials) -> Result<Authentication> {
    let packet::Credentials { username: Some(username), password: Some(password) } = credentials
    else {
        bail!(Usage::new(format!(
            "--auth-method {} needs a user name and a password",
            scram::METHOD
        )));
    };
    Ok(Authentication::Scram { username: username.to_string(), password, nonce: nonce()? })
}

/// 24 printable characters that cannot be guessed (RFC 5802 §5.1): 144 random bits of the system.
fn nonce() -> Result<String> {
    let mut random = [0; 18];
    let filled = SystemRandom::new().fill(&mut random);
    filled.map_err(|_| anyhow!("--auth-method: the system has no random numbers"))?;
    Ok(BASE64.encode(&random))
}
