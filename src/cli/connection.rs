//! The flags that every client command shares, and the one step that reads the environment.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{ArgAction, Args};

use super::address::Address;
use super::credentials::Credentials;
use super::handshake::Handshake;
use super::network::Network;
use super::session::Session;
use super::tls::Tls;
use super::value;
use crate::client::{self, Notice, Reconnect};
use crate::exit::Usage;
use crate::report;
use crate::transport::endpoint::{Endpoint, Scheme};

/// Where to connect, and how.
#[derive(Debug, Args)]
pub struct Connection {
    /// The address.
    #[command(flatten)]
    address: Address,

    /// The way there.
    #[command(flatten)]
    network: Network,

    /// The upgrade.
    #[command(flatten)]
    handshake: Handshake,

    /// TLS.
    #[command(flatten)]
    tls: Tls,

    /// Time for everything from name look-up to CONNACK, and for the answer to a SUBSCRIBE
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

    /// User name and password.
    #[command(flatten)]
    credentials: Credentials,

    /// The session.
    #[command(flatten)]
    pub session: Session,

    /// Read the flags of this profile, too: a table of the configuration file
    #[arg(long, value_name = "NAME", help_heading = "Output")]
    profile: Option<String>,

    /// Configuration file [default: `$XDG_CONFIG_HOME/mqttws/config.toml`]
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    config: Option<PathBuf>,

    /// Print what is in force and where each value came from, with secrets masked; connect to
    /// nothing
    #[arg(long, help_heading = "Output")]
    print_config: bool,

    /// Log each packet on stderr; twice (-dd) also proxy, TLS, the HTTP upgrade and each WebSocket
    /// frame
    #[arg(short, long, help_heading = "Output", action = ArgAction::Count)]
    debug: u8,

    /// No warnings and no progress
    #[arg(long, help_heading = "Output")]
    quiet: bool,
}

impl Connection {
    /// Whether warnings and progress are unwanted.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Says whether a TLS flag was typed: those of a profile mean nothing to a `ws://` address.
    pub fn account_for_tls(&mut self, is_typed: bool) {
        self.tls.is_typed = is_typed;
    }

    /// Whether progress may be shown: lines of the log stand better alone.
    pub fn shows_progress(&self) -> bool {
        !self.quiet && self.debug == 0
    }

    /// Whether nothing is wanted but to see what is in force.
    pub fn is_only_printed(&self) -> bool {
        self.print_config
    }

    /// The address in force.
    pub fn endpoint(&self) -> Result<Endpoint> {
        self.address.resolve(self.tls.is_given())
    }

    /// Whether a flag says where the password comes from.
    pub fn is_password_given(&self) -> bool {
        self.credentials.is_password_given()
    }

    /// The place that names a proxy for this scheme, and what it says.
    pub fn proxy(&self, scheme: Scheme) -> Option<(String, String)> {
        self.network.proxy_for(scheme)
    }

    /// The place that names hosts without a proxy, and what it says.
    pub fn exempt(&self) -> Option<(String, String)> {
        self.network.exempt()
    }

    /// What the flags, the environment and the defaults mean together.
    pub fn resolve(&self) -> Result<client::Options> {
        let tls = self.tls.resolve()?;
        let endpoint = self.endpoint()?;
        let route = self.network.resolve(&endpoint, self.handshake.follow)?;
        ensure!(
            endpoint.scheme == Scheme::Wss
                || !self.tls.is_given()
                || !self.tls.is_typed
                || self.handshake.follow
                || route.proxies.need_tls(),
            Usage::new(format!("TLS flags need a wss:// address, and {endpoint} is not one"))
        );
        let mut credentials = self.credentials.resolve(&endpoint)?;
        let authentication = self.credentials.authentication(&mut credentials)?;
        let versions = self.session.versions(&credentials, authentication.is_some())?;
        let version_choice = self.session.version_choice(&credentials, authentication.is_some());
        let mut session = self.session.resolve(credentials, versions[0], self.debug > 0)?;
        session.login.authentication = authentication;
        session.receiving.maximum_packet =
            self.handshake.max_message_size.unwrap_or(session.receiving.maximum_packet);
        session.sending.whole_packets = self.handshake.frame_per_packet;
        if tls.insecure && !self.quiet {
            report::warn("--insecure: the server's certificate is not verified");
        }
        Ok(client::Options {
            tls,
            route: Arc::new(route),
            subprotocols: self.handshake.subprotocols()?,
            headers: self.handshake.headers()?,
            strict: self.handshake.strict,
            follow: self.handshake.follow,
            connect_timeout: self.connect_timeout,
            wait: self.wait,
            reconnect: Reconnect {
                enabled: !self.no_reconnect,
                shortest: self.reconnect_delay.0,
                longest: self.reconnect_delay.1,
                tries: self.reconnect_tries,
            },
            version_choice,
            versions,
            credentials: None,
            session,
            brief: false,
            warn: self.warn(),
            log: self.debug > 1,
            trace: Box::new(report::trace),
            endpoint,
        })
    }

    fn warn(&self) -> Notice {
        if self.quiet { Box::new(|_| {}) } else { Box::new(report::warn) }
    }
}
