//! Who we are: user name and password, wherever they come from.

use anyhow::{Result, ensure};
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
}

impl Credentials {
    /// What the flags, the URL and the environment say.
    pub fn resolve(&self, endpoint: &Endpoint) -> Result<packet::Credentials> {
        let (url_name, url_password) = endpoint.user.clone().unzip();
        let variable = |name| std::env::var(name).ok();
        let username = self.username.clone().or(url_name).or_else(|| variable("MQTTWS_USERNAME"));
        let password =
            self.password.clone().or(url_password.flatten()).or_else(|| variable("MQTTWS_PASSWORD"));
        let (username, password) = (username.map(ByteString::from), password.map(Bytes::from));
        let length = password.as_ref().map_or(0, Bytes::len);
        ensure!(length <= 65_535, Usage::new("the password has more than 65535 bytes"));
        super::session::check_text("-u", username.as_deref())?;
        Ok(packet::Credentials { username, password })
    }
}
