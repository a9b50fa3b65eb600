//! Where to connect: a URL, or mosquitto's host, port and path.

use anyhow::{Context, Result};
use clap::Args;

use crate::exit::Usage;
use crate::transport::endpoint::{Endpoint, Scheme};

/// Where `serve` listens, and so where everything connects that was told nothing else.
const DEFAULT_URL: &str = "ws://localhost:8080/mqtt";

/// The port of [`DEFAULT_URL`].
const DEFAULT_PORT: u16 = 8080;

/// An address, in one of its spellings.
#[derive(Debug, Args)]
pub struct Address {
    /// Where to connect: `ws://` or `wss://`, `[user[:password]@]host[:port][/path][?query]`
    ///
    /// Without a path it is /mqtt. Without any address it is `$MQTTWS_URL`, or else
    /// `ws://localhost:8080/mqtt`, where `mqttws serve` listens.
    #[arg(value_name = "URL", help_heading = "Where to connect", conflicts_with = "url_flag")]
    url: Option<String>,

    /// The same as URL.
    #[arg(
        short = 'L',
        long = "url",
        id = "url_flag",
        value_name = "URL",
        help_heading = "Where to connect"
    )]
    url_flag: Option<String>,

    /// Host to connect to [default: localhost]
    #[arg(short = 'h', long, value_name = "HOST", help_heading = "Where to connect",
          conflicts_with_all = ["url", "url_flag"])]
    host: Option<String>,

    /// Port to connect to; 443 means wss [default: 80, with TLS 443, without a host 8080]
    #[arg(short, long, value_name = "PORT", help_heading = "Where to connect",
          conflicts_with_all = ["url", "url_flag"], value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,

    /// Path of the WebSocket endpoint [default: /mqtt]
    #[arg(long, value_name = "PATH", help_heading = "Where to connect",
          conflicts_with_all = ["url", "url_flag"])]
    path: Option<String>,
}

impl Address {
    /// The address; `tls` says that other flags ask for TLS.
    pub fn resolve(&self, tls: bool) -> Result<Endpoint> {
        let given = self.url.as_deref().or(self.url_flag.as_deref());
        let parts = self.host.is_some() || self.port.is_some() || self.path.is_some();
        let endpoint = match given {
            Some(url) => {
                Endpoint::parse(url).map_err(|error| Usage::new(format!("the URL: {error}")))?
            }
            None if parts => self.assembled(tls)?,
            None => match std::env::var("MQTTWS_URL") {
                Ok(url) if !url.is_empty() => Endpoint::parse(&url)
                    .map_err(|error| Usage::new(format!("the URL in $MQTTWS_URL: {error}")))?,
                _ => Endpoint::parse(DEFAULT_URL).context("the default URL")?,
            },
        };
        Ok(endpoint)
    }

    fn assembled(&self, tls: bool) -> Result<Endpoint> {
        let scheme = if tls || self.port == Some(443) { Scheme::Wss } else { Scheme::Ws };
        let port = self.port.or(self.host.is_none().then_some(DEFAULT_PORT));
        let host = self.host.as_deref().unwrap_or("localhost");
        Ok(Endpoint::from_parts(scheme, host, port, self.path.as_deref())
            .map_err(|error| Usage::new(format!("the address: {error}")))?)
    }
}
