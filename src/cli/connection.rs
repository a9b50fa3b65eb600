//! The flags that every client command shares, and the one step that reads the environment.

use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use bytestring::ByteString;
use clap::Args;

use super::value;
use crate::client::{self, Notice, Reconnect};
use crate::mqtt::packet::{Credentials, Will};
use crate::mqtt::property::Property;
use crate::mqtt::qos::QoS;
use crate::mqtt::session;
use crate::mqtt::topic::TopicName;
use crate::mqtt::version::Version;
use crate::report::{self, Usage};
use crate::transport::endpoint::{Endpoint, Scheme};
use crate::transport::tls::TlsOptions;

/// Where `serve` listens, and so where everything connects that was told nothing else.
const DEFAULT_URL: &str = "ws://localhost:8080/mqtt";

/// The port of [`DEFAULT_URL`].
const DEFAULT_PORT: u16 = 8080;

/// The largest payload there can be, and its header.
const MAXIMUM_PACKET: usize = 256 * 1024 * 1024 + 64 * 1024;

/// How long a broker keeps a session for us that we have lost the connection to, in seconds.
const OUTAGE: u32 = 600;

/// Letters and digits: the only characters that every server takes in a client identifier.
const ALPHANUMERIC: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Which session, for the commands that can keep one.
#[derive(Debug, Args)]
pub struct Persistence {
    /// Keep the session: the broker stores what comes while we are away (needs -i)
    #[arg(short = 'c', long, help_heading = "MQTT")]
    disable_clean_session: bool,

    /// Seconds for which the broker keeps the session when we are away, or `never` for no end (MQTT 5)
    /// [default: with -c never]
    #[arg(short = 'x', long, value_name = "SECS", help_heading = "MQTT", value_parser = value::expiry,
          allow_hyphen_values = true)]
    session_expiry_interval: Option<u32>,
}

impl Persistence {
    /// Applies it to the session that the other flags asked for.
    pub fn apply(&self, connection: &Connection, options: &mut client::Options) -> Result<()> {
        if self.disable_clean_session {
            ensure!(
                connection.id.is_some(),
                Usage::new("-c keeps the session of a client id: give one with -i")
            );
            options.session.clean_start = false;
            options.session.outlives_us = true;
            options.session.session_expiry = u32::MAX;
        }
        if let Some(expiry) = self.session_expiry_interval {
            ensure!(
                connection.protocol_version.is_none_or(|version| version == Version::V5),
                Usage::new("-x: only MQTT 5 has a session expiry")
            );
            options.versions = vec![Version::V5];
            options.session.session_expiry = expiry;
            // A session of a generated id that nobody can take up again would only burden the broker.
            options.session.outlives_us |= connection.id.is_some() && expiry > 0;
        }
        Ok(())
    }
}

/// Where to connect, and how.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct Connection {
    /// Where to connect: `ws://` or `wss://`, `[user[:password]@]host[:port][/path][?query]`
    ///
    /// Without a path it is /mqtt. Without any address it is `$MQTTWS_URL`, or else
    /// `ws://localhost:8080/mqtt`, where `mqttws serve` listens.
    #[arg(value_name = "URL", help_heading = "Where to connect", conflicts_with = "url_flag")]
    url: Option<String>,

    /// The same as URL.
    #[arg(short = 'L', long = "url", id = "url_flag", value_name = "URL", help_heading = "Where to connect")]
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

    /// WebSocket subprotocols to offer, separated by commas, or `none` [default: mqtt, then mqttv3.1]
    #[arg(long, value_name = "NAMES", help_heading = "Where to connect")]
    subprotocol: Option<String>,

    /// Trust the certificate authorities of this PEM file instead of the built-in ones (repeatable)
    #[arg(long, value_name = "FILE", help_heading = "Where to connect", aliases = ["ca", "ca-cert"])]
    cafile: Vec<PathBuf>,

    /// Do not verify the server's certificate: anyone on the way can read and change everything
    #[arg(long, help_heading = "Where to connect")]
    insecure: bool,

    /// Time for everything from name look-up to CONNACK
    #[arg(long, value_name = "SECS", help_heading = "Where to connect", default_value = "10",
          value_parser = value::duration)]
    connect_timeout: Duration,

    /// Keep trying the first connection for so long
    #[arg(long, value_name = "SECS", help_heading = "Where to connect", default_value = "0",
          value_parser = value::duration, hide_default_value = true)]
    wait: Duration,

    /// Do not connect again when the connection is lost
    #[arg(long, help_heading = "Where to connect")]
    no_reconnect: bool,

    /// Shortest and longest delay before connecting again
    #[arg(long, value_name = "MIN[,MAX]", help_heading = "Where to connect", default_value = "1,30",
          value_parser = value::delays)]
    reconnect_delay: (Duration, Duration),

    /// Give up after so many tries to connect again [default: never]
    #[arg(long, value_name = "N", help_heading = "Where to connect",
          value_parser = clap::value_parser!(u32).range(1..))]
    reconnect_tries: Option<u32>,

    /// MQTT version: 5, 311 or 31 [default: the newest that the broker takes]
    #[arg(short = 'V', long, value_name = "VERSION", help_heading = "MQTT")]
    protocol_version: Option<Version>,

    /// Client id [default: mqttws and random characters]
    #[arg(short, long, value_name = "ID", help_heading = "MQTT", alias = "client-id")]
    id: Option<String>,

    /// User name [default: that of the URL, or `$MQTTWS_USERNAME`]
    #[arg(short, long, value_name = "NAME", help_heading = "MQTT")]
    username: Option<String>,

    /// Password [default: that of the URL, or `$MQTTWS_PASSWORD`]; others can see it on the command line
    #[arg(short = 'P', long = "pw", value_name = "PASSWORD", help_heading = "MQTT", alias = "password")]
    password: Option<String>,

    /// Most QoS 1 and 2 messages in flight [default: what the broker allows; before MQTT 5 1000, and 20 of
    /// QoS 2]
    #[arg(short = 'M', long, value_name = "N", help_heading = "MQTT")]
    max_inflight: Option<NonZeroU16>,

    /// Topic of the will: a message that the broker publishes when we vanish
    #[arg(long, value_name = "TOPIC", help_heading = "MQTT")]
    will_topic: Option<TopicName>,

    /// Payload of the will [default: empty]
    #[arg(long, value_name = "TEXT", help_heading = "MQTT", requires = "will_topic")]
    will_payload: Option<String>,

    /// QoS of the will
    #[arg(long, value_name = "QOS", help_heading = "MQTT", requires = "will_topic", value_parser = value::qos,
          default_value = "0", hide_default_value = true)]
    will_qos: QoS,

    /// Let the broker keep the will for later subscribers
    #[arg(long, help_heading = "MQTT", requires = "will_topic")]
    will_retain: bool,

    /// How long the broker waits for us to come back before it publishes the will (MQTT 5)
    #[arg(long, value_name = "SECS", help_heading = "MQTT", requires = "will_topic")]
    will_delay: Option<u32>,

    /// Keep alive in seconds; 0 turns it off
    #[arg(short, long, value_name = "SECS", help_heading = "MQTT", default_value_t = 45)]
    keepalive: u16,

    /// Log each packet on stderr
    #[arg(short, long, help_heading = "Output")]
    debug: bool,

    /// No warnings and no progress
    #[arg(long, help_heading = "Output")]
    quiet: bool,
}

impl Connection {
    /// Whether warnings and progress are unwanted.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// What the flags, the environment and the defaults mean together.
    pub fn resolve(&self) -> Result<client::Options> {
        let endpoint = self.endpoint()?;
        let versions = match self.protocol_version {
            Some(version) => vec![version],
            None => vec![Version::V5, Version::V3_1_1, Version::V3_1],
        };
        let session = self.session(&endpoint, versions[0])?;
        if self.insecure && endpoint.scheme == Scheme::Wss && !self.quiet {
            report::warn("--insecure: the server's certificate is not verified");
        }
        Ok(client::Options {
            tls: TlsOptions { ca_files: self.cafile.clone(), insecure: self.insecure },
            subprotocols: self.subprotocols()?,
            headers: Vec::new(),
            strict: false,
            connect_timeout: self.connect_timeout,
            wait: self.wait,
            reconnect: Reconnect {
                enabled: !self.no_reconnect,
                shortest: self.reconnect_delay.0,
                longest: self.reconnect_delay.1,
                tries: self.reconnect_tries,
            },
            versions,
            session,
            warn: self.warn(),
            trace: Box::new(report::trace),
            endpoint,
        })
    }

    fn warn(&self) -> Notice {
        if self.quiet { Box::new(|_| {}) } else { Box::new(report::warn) }
    }

    fn endpoint(&self) -> Result<Endpoint> {
        let given = self.url.as_deref().or(self.url_flag.as_deref());
        let parts = self.host.is_some() || self.port.is_some() || self.path.is_some();
        let endpoint = match given {
            Some(url) => Endpoint::parse(url).map_err(|error| Usage::new(format!("the URL: {error}")))?,
            None if parts => self.endpoint_from_parts()?,
            None => match std::env::var("MQTTWS_URL") {
                Ok(url) => Endpoint::parse(&url)
                    .map_err(|error| Usage::new(format!("the URL in $MQTTWS_URL: {error}")))?,
                Err(_) => Endpoint::parse(DEFAULT_URL).context("the default URL")?,
            },
        };
        if endpoint.scheme == Scheme::Ws && self.has_tls_flag() {
            bail!(Usage::new(format!("TLS flags need a wss:// address, and {endpoint} is not one")));
        }
        Ok(endpoint)
    }

    fn endpoint_from_parts(&self) -> Result<Endpoint> {
        let scheme = if self.has_tls_flag() || self.port == Some(443) { Scheme::Wss } else { Scheme::Ws };
        let port = self.port.or(self.host.is_none().then_some(DEFAULT_PORT));
        let host = self.host.as_deref().unwrap_or("localhost");
        Ok(Endpoint::from_parts(scheme, host, port, self.path.as_deref())
            .map_err(|error| Usage::new(format!("the address: {error}")))?)
    }

    fn has_tls_flag(&self) -> bool {
        self.insecure || !self.cafile.is_empty()
    }

    fn subprotocols(&self) -> Result<Option<Vec<String>>> {
        let Some(names) = &self.subprotocol else { return Ok(None) };
        if names == "none" {
            return Ok(Some(Vec::new()));
        }
        let names: Vec<String> = names.split(',').map(|name| name.trim().to_owned()).collect();
        let is_token = |name: &String| {
            !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(&b))
        };
        ensure!(
            names.iter().all(is_token),
            Usage::new("--subprotocol: expected names separated by commas, or none")
        );
        Ok(Some(names))
    }

    fn session(&self, endpoint: &Endpoint, version: Version) -> Result<session::Config> {
        let client_id = match &self.id {
            Some(id) => ByteString::from(id.as_str()),
            None => random_client_id(),
        };
        for (what, text) in [("-i", &self.id), ("-u", &self.username)] {
            let text = text.as_deref().unwrap_or_default();
            ensure!(
                text.len() <= 65_535 && !text.contains('\0'),
                Usage::new(format!("{what}: expected at most 65535 bytes, without U+0000"))
            );
        }
        Ok(session::Config {
            version,
            client_id,
            clean_start: true,
            outlives_connection: false,
            only_with_expiry: true,
            outlives_us: false,
            keep_alive: self.keepalive,
            session_expiry: OUTAGE,
            credentials: self.credentials(endpoint)?,
            will: self.will()?,
            topic_alias: false,
            max_inflight: self.max_inflight,
            maximum_packet: MAXIMUM_PACKET,
            trace: self.debug,
        })
    }

    fn will(&self) -> Result<Option<Will>> {
        let Some(topic) = &self.will_topic else { return Ok(None) };
        let payload = Bytes::from(self.will_payload.clone().unwrap_or_default());
        ensure!(payload.len() <= 65_535, Usage::new("--will-payload: expected at most 65535 bytes"));
        let properties = self.will_delay.map(Property::WillDelayInterval).into_iter().collect();
        Ok(Some(Will {
            topic: topic.clone(),
            payload,
            qos: self.will_qos,
            retain: self.will_retain,
            properties,
        }))
    }

    fn credentials(&self, endpoint: &Endpoint) -> Result<Credentials> {
        let (url_name, url_password) = endpoint.user.clone().unzip();
        let variable = |name| std::env::var(name).ok();
        let username = self.username.clone().or(url_name).or_else(|| variable("MQTTWS_USERNAME"));
        let password =
            self.password.clone().or(url_password.flatten()).or_else(|| variable("MQTTWS_PASSWORD"));
        let (username, password) = (username.map(ByteString::from), password.map(Bytes::from));
        let length = password.as_ref().map_or(0, Bytes::len);
        ensure!(length <= 65_535, Usage::new("the password has more than 65535 bytes"));
        if password.is_some() && username.is_none() && self.protocol_version.is_some_and(|v| v < Version::V5)
        {
            bail!(Usage::new("before MQTT 5 a password needs a user name: give one with -u"));
        }
        Ok(Credentials { username, password })
    }
}

fn random_client_id() -> ByteString {
    let random = (0..12).filter_map(|_| fastrand::choice(ALPHANUMERIC)).map(|&byte| char::from(byte));
    "mqttws".chars().chain(random).collect::<String>().into()
}
