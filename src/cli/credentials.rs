//! Who we are: user name and password, wherever they come from.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use bytestring::ByteString;
use clap::Args;

use crate::mqtt::packet;
use crate::report::Usage;
use crate::transport::endpoint::Endpoint;

/// User name and password.
#[derive(Debug, Args)]
pub struct Credentials {
    /// User name [default: that of the URL, or `$MQTTWS_USERNAME`]
    #[arg(short, long, value_name = "NAME", help_heading = "MQTT")]
    username: Option<String>,

    /// Password [default: that of the URL, or `$MQTTWS_PASSWORD`]; others can see it on the command line
    #[arg(short = 'P', long = "pw", value_name = "PASSWORD", help_heading = "MQTT", alias = "password")]
    password: Option<String>,

    /// Read the password from a file; one line end behind it does not count
    #[arg(long, value_name = "FILE", help_heading = "MQTT", conflicts_with = "password")]
    password_file: Option<PathBuf>,

    /// Ask for the password on the terminal
    #[arg(long, help_heading = "MQTT", conflicts_with_all = ["password", "password_file"])]
    ask_password: bool,
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

    fn given_password(&self, endpoint: &Endpoint) -> Result<Option<Bytes>> {
        if let Some(path) = &self.password_file {
            let mut password = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
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
