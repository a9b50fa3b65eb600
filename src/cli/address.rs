//! The flags that say where the server is.

use anyhow::{Context, Result};
use clap::Args;

use super::source::mistyped;
use super::value;
use crate::exit::Usage;
use crate::transport::endpoint::{Endpoint, EndpointError, Scheme};

/// The address without any flag or variable: where `serve` listens.
const DEFAULT_URL: &str = "ws://localhost:8080/mqtt";

/// The port of [`DEFAULT_URL`].
const DEFAULT_PORT: u16 = 8080;

/// An address, in one of its spellings.
#[derive(Debug, Args)]
#[command(next_help_heading = "Where to connect")]
pub struct Address {
    /// Where to connect: `ws://` or `wss://`, `[user[:password]@]host[:port][/path][?query]`
    ///
    /// Without a path it is /mqtt. Without any address it is `$MQTTWS_URL`, or else
    /// `ws://localhost:8080/mqtt`, where `mqttws serve` listens.
    #[arg(value_name = "URL", conflicts_with = "url_flag")]
    url: Option<String>,

    /// The same as URL; again and again for the addresses of one cluster, which are tried in turn
    ///
    /// The next one is tried when one cannot be reached, each within its share of
    /// --connect-timeout, and after a loss. User name and password in a URL are for that URL alone;
    /// all other flags are for all of them.
    #[arg(
        short = 'L',
        long = "url",
        id = "url_flag",
        value_name = "URL",
        allow_hyphen_values = true
    )]
    url_flag: Vec<String>,

    /// Run this command for each connection: it prints the URL
    ///
    /// Its output is a URL, or all that --credentials-command may print and `url`. Presigned URLs
    /// live shorter than a subscription: with `expires_in`, in seconds, the connection is renewed
    /// before they end. mqttws(1) has more about it.
    #[arg(long, value_name = "CMD",
          conflicts_with_all = ["url", "url_flag", "host", "port", "path"],
          allow_hyphen_values = true)]
    pub url_command: Option<String>,

    /// Host to connect to [default: localhost]
    #[arg(short = 'h', long, value_name = "HOST",
          conflicts_with_all = ["url", "url_flag"], allow_hyphen_values = true)]
    host: Option<String>,

    /// Port to connect to; 443 means wss [default: 80, with TLS 443, without a host 8080]
    #[arg(short, long, value_name = "PORT",
          conflicts_with_all = ["url", "url_flag"],
          value_parser = value::port, allow_hyphen_values = true)]
    port: Option<u16>,

    /// Path of the WebSocket endpoint [default: /mqtt]
    #[arg(long, value_name = "PATH",
          conflicts_with_all = ["url", "url_flag"], allow_hyphen_values = true)]
    path: Option<String>,
}

impl Address {
    /// The address; `tls` says that other flags ask for TLS.
    pub fn resolve(&self, tls: bool) -> Result<Endpoint> {
        if self.url_command.is_some() {
            // The command names another one before anything is dialled, perhaps made of this one.
            let variable = std::env::var("MQTTWS_URL").ok();
            let before = variable.and_then(|url| Endpoint::parse(&url).ok());
            return before.map_or_else(default_endpoint, Ok);
        }
        let given = self.url.as_ref().or(self.url_flag.first());
        let parts = self.host.is_some() || self.port.is_some() || self.path.is_some();
        let endpoint = match given {
            Some(url) => parsed(url, "the URL")?,
            None if parts => self.assembled(tls)?,
            None => match std::env::var("MQTTWS_URL") {
                Ok(url) if !url.is_empty() => parsed(&url, "the URL in $MQTTWS_URL")?,
                _ => default_endpoint()?,
            },
        };
        Ok(endpoint)
    }

    /// All addresses if there are several; none is left then.
    pub fn take_several(&mut self) -> Vec<String> {
        if self.are_several() { std::mem::take(&mut self.url_flag) } else { Vec::new() }
    }

    /// From now on this is the only one.
    pub fn set_only(&mut self, url: String) {
        self.url_flag = vec![url];
    }

    /// Whether there is more than one.
    pub fn are_several(&self) -> bool {
        self.url_flag.len() > 1
    }

    /// Whether an address may be another one than the first, and of the other scheme.
    pub fn may_be_of_any_scheme(&self) -> bool {
        self.url_command.is_some() || self.are_several()
    }

    /// More addresses of the same cluster.
    pub fn others(&self) -> Result<Vec<Endpoint>> {
        let others = self.url_flag.iter().skip(1).map(|url| Ok(parsed(url, "the URL")?));
        others.collect()
    }

    fn assembled(&self, tls: bool) -> Result<Endpoint> {
        let scheme = if tls || self.port == Some(443) { Scheme::Wss } else { Scheme::Ws };
        let port = self.port.or(self.host.is_none().then_some(DEFAULT_PORT));
        let host = self.host.as_deref().unwrap_or("localhost");
        check_host_alone(host)?;
        Ok(Endpoint::from_parts(scheme, host, port, self.path.as_deref())
            .map_err(|error| Usage::new(format!("the address: {error}")))?)
    }
}

fn default_endpoint() -> Result<Endpoint> {
    Endpoint::parse(DEFAULT_URL).context("the default URL")
}

/// The endpoint of a URL from this place.
pub fn parsed(url: &str, place: &str) -> Result<Endpoint, Usage> {
    Endpoint::parse(url).map_err(|error| {
        // A lone word may be anything, also a password.
        let is_address = error == EndpointError::NoScheme && url.contains(['.', ':', '/']);
        match mistyped::with_scheme(url).filter(|_| is_address) {
            Some(instead) => Usage::new(format!("{place} has no scheme: write {instead}")),
            None => Usage::new(format!("{place}: {error}")),
        }
    })
}

/// Refuses a host with more than a name or an address. What it holds may be a password.
fn check_host_alone(host: &str) -> Result<(), Usage> {
    let (name, port) = host.rsplit_once(':').unwrap_or((host, ""));
    let has_port = !port.is_empty()
        && port.bytes().all(|byte| byte.is_ascii_digit())
        && (!name.contains(':') || name.ends_with(']'));
    let instead = match () {
        () if host.contains("://") => "write the URL alone, without -h".to_owned(),
        () if host.contains('@') => "write user name and password with -u and -P".to_owned(),
        () if host.contains('/') => {
            "write the URL alone, or the path with --path and the port with -p".to_owned()
        }
        () if has_port => format!("write the port with -p: -h {name} -p {port}"),
        () => return Ok(()),
    };
    Err(Usage::new(format!("-h takes a host: {instead}")))
}
