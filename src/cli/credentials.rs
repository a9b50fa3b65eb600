//! Who we are: user name and password, wherever they come from.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use bytestring::ByteString;
use clap::Args;

use crate::exit::Usage;
use crate::mqtt::packet;
use crate::mqtt::scram;
use crate::mqtt::session::Authentication;
use crate::transport::endpoint::Endpoint;

/// User name and password.
#[derive(Debug, Args)]
pub struct Credentials {
    /// User name [default: that of the URL, or `$MQTTWS_USERNAME`]
    #[arg(short, long, value_name = "NAME", help_heading = "MQTT")]
    username: Option<String>,

    /// Password [default: that of the URL, or `$MQTTWS_PASSWORD`]; others can see it on the command
    /// line
    #[arg(
        short = 'P',
        long = "pw",
        value_name = "PASSWORD",
        help_heading = "MQTT",
        alias = "password"
    )]
    password: Option<String>,

    /// Read the password from a file; one line end behind it does not count
    #[arg(long, value_name = "FILE", help_heading = "MQTT", conflicts_with = "password")]
    password_file: Option<PathBuf>,

    /// Ask for the password on the terminal
    #[arg(long, help_heading = "MQTT", conflicts_with_all = ["password", "password_file"])]
    ask_password: bool,

    /// Method of enhanced authentication: SCRAM-SHA-256 with -u and a password, or one with a
    /// single step (MQTT 5)
    #[arg(long, value_name = "NAME", help_heading = "MQTT")]
    auth_method: Option<String>,

    /// Authentication data of a method with a single step
    #[arg(long, value_name = "TEXT", help_heading = "MQTT", requires = "auth_method")]
    auth_data: Option<String>,

    /// Read the authentication data from a file, byte for byte
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "MQTT",
        requires = "auth_method",
        conflicts_with = "auth_data"
    )]
    auth_data_file: Option<PathBuf>,
}

impl Credentials {
    /// What the flags, the URL and the environment say.
    pub fn resolve(&self, endpoint: &Endpoint) -> Result<packet::Credentials> {
        let (url_name, url_password) = endpoint.user.clone().unzip();
        let variable = |name| std::env::var(name).ok();
        let username = self.username.clone().or(url_name).or_else(|| variable("MQTTWS_USERNAME"));
        let password = match self.given_password(endpoint)? {
            Some(password) => Some(password),
            None => url_password.flatten().or_else(|| variable("MQTTWS_PASSWORD")).map(Bytes::from),
        };
        let username = username.map(ByteString::from);
        let length = password.as_ref().map_or(0, Bytes::len);
        ensure!(length <= 65_535, Usage::new("the password has more than 65535 bytes"));
        super::session::check_text("-u", username.as_deref())?;
        Ok(packet::Credentials { username, password })
    }

    /// Whether a flag says where the password comes from.
    pub fn is_password_given(&self) -> bool {
        self.password.is_some() || self.password_file.is_some() || self.ask_password
    }

    /// The method of enhanced authentication; SCRAM takes the credentials for itself.
    pub fn authentication(
        &self,
        credentials: &mut packet::Credentials,
    ) -> Result<Option<Authentication>> {
        let Some(method) = &self.auth_method else { return Ok(None) };
        super::session::check_text("--auth-method", Some(method))?;
        if method == scram::METHOD {
            let packet::Credentials { username: Some(username), password: Some(password) } =
                std::mem::take(credentials)
            else {
                bail!(Usage::new(format!(
                    "--auth-method {method} needs a user name and a password"
                )));
            };
            let nonce = (0..24).map(|_| fastrand::alphanumeric()).collect();
            return Ok(Some(Authentication::Scram {
                username: username.to_string(),
                password,
                nonce,
            }));
        }
        let data = match &self.auth_data_file {
            Some(path) => {
                Some(fs::read(path).with_context(|| format!("reading {}", path.display()))?)
            }
            None => self.auth_data.clone().map(String::into_bytes),
        };
        let fits = data.as_ref().is_none_or(|data| data.len() <= 65_535);
        ensure!(fits, Usage::new("the authentication data has more than 65535 bytes"));
        Ok(Some(Authentication::OneStep {
            method: method.as_str().into(),
            data: data.map(Bytes::from),
        }))
    }

    fn given_password(&self, endpoint: &Endpoint) -> Result<Option<Bytes>> {
        if let Some(path) = &self.password_file {
            let mut password =
                fs::read(path).with_context(|| format!("reading {}", path.display()))?;
            if password.last() == Some(&b'\n') {
                password.pop();
            }
            return Ok(Some(password.into()));
        }
        if self.ask_password {
            let prompt = format!("Password for {endpoint}: ");
            let password = rpassword::prompt_password(prompt).context("asking for the password")?;
            return Ok(Some(password.into()));
        }
        Ok(self.password.clone().map(Bytes::from))
    }
}
