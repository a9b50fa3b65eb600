//! The flags that every client command shares.

mod resolve;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{ArgAction, Args};

use super::address::Address;
use super::apart::Apart;
use super::choice::Chosen;
use super::credentials::CredentialFlags;
use super::leaving::{self, LeavingChoice};
use super::mqtt::{ClientNeeds, NeedsVersion5, Persistence, SessionFlags};
use super::network::NetworkFlags;
use super::property::{GivenProperties, PropertyFlags};
use super::renewal::{CREDENTIALS_COMMAND, URL_COMMAND};
use super::source::Variables;
use super::source::mosquitto::NoEffect;
use super::tls::TlsFlags;
use super::upgrade::UpgradeFlags;
use super::value;
use crate::client::{self, ConnectLimits, Leaving, LineHandlers, Reconnect};
use crate::exit::Usage;
use crate::report::Verbosity;
use crate::transport::endpoint::{Endpoint, Scheme};

/// Where to connect, and how.
#[derive(Debug, Args)]
pub struct ConnectionFlags {
    /// The session.
    #[command(flatten)]
    pub session: Apart<SessionFlags>,

    /// User name and password.
    #[command(flatten)]
    credentials: Apart<CredentialFlags>,

    /// The address.
    #[command(flatten)]
    address: Apart<Address>,

    /// The upgrade.
    #[command(flatten)]
    upgrade: Apart<UpgradeFlags>,

    /// The way there.
    #[command(flatten)]
    network: Apart<NetworkFlags>,

    /// Time, and what to do when it fails.
    #[command(flatten)]
    retry: Apart<Retry>,

    /// TLS.
    #[command(flatten)]
    tls: Apart<TlsFlags>,

    /// Profiles and the log.
    #[command(flatten)]
    general: Apart<General>,
}

/// How long connecting may take, and what happens when it fails or the connection is lost.
#[derive(Debug, Args)]
#[command(next_help_heading = "Where to connect")]
struct Retry {
    /// Time limit for connecting, from name look-up to CONNACK, and for the answer to a SUBSCRIBE
    #[arg(long, value_name = "SECS", default_value = "10",
          value_parser = value::timeout, allow_hyphen_values = true)]
    connect_timeout: Duration,

    /// Keep trying to make the first connection for this time
    #[arg(long, value_name = "SECS", default_value = "0",
          value_parser = value::duration, hide_default_value = true, allow_hyphen_values = true)]
    wait: Duration,

    /// Do not reconnect when the connection is lost
    #[arg(long)]
    no_reconnect: bool,

    /// Shortest and longest delay before reconnecting
    #[arg(long, value_name = "MIN[,MAX]", default_value = "1,30",
          value_parser = value::delays, allow_hyphen_values = true)]
    reconnect_delay: (Duration, Duration),

    /// Give up after this many attempts to reconnect [default: never]
    #[arg(long, value_name = "N",
          value_parser = value::tries, allow_hyphen_values = true)]
    reconnect_tries: Option<u32>,
}

impl Retry {
    fn limits(&self) -> ConnectLimits {
        let reconnect = Reconnect {
            shortest: self.reconnect_delay.0,
            longest: self.reconnect_delay.1,
            tries: if self.no_reconnect { Some(0) } else { self.reconnect_tries },
        };
        ConnectLimits { timeout: self.connect_timeout, wait: self.wait, reconnect }
    }
}

/// Profiles and the log.
#[derive(Debug, Args)]
#[command(next_help_heading = "General")]
struct General {
    /// Also read the flags of this profile, a table of the configuration file [default:
    /// `$MQTTWS_PROFILE`]
    ///
    /// Of the places that set a flag the first in this order counts: the command line, the
    /// profile that was typed, the environment, `[profile.default]`. User name, password, headers,
    /// certificate and key beside a `url` in a profile are used with that address only.
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    profile: Option<String>,

    /// Configuration file [default: `$XDG_CONFIG_HOME/mqttws/config.toml`]
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    config: Option<PathBuf>,

    /// Print the settings in force and where each came from, with secrets masked; connect to
    /// nothing
    #[arg(long)]
    print_config: bool,

    /// Log each packet on stderr; twice (-dd) also proxy, TLS, the HTTP upgrade and each WebSocket
    /// frame
    #[arg(short, long, action = ArgAction::Count)]
    debug: u8,

    /// No warnings and no progress
    #[arg(long)]
    quiet: bool,
}

/// The flags that `pub` and `sub` share: the connection, a session that may outlive the run, and
/// properties.
#[derive(Debug, Args)]
pub struct Conversation {
    /// Address and session.
    #[command(flatten)]
    pub connection: ConnectionFlags,

    /// How the broker is left.
    #[command(flatten)]
    leaving: Chosen<LeavingChoice>,

    /// Which session.
    #[command(flatten)]
    persistence: Persistence,

    /// Flags without effect.
    #[command(flatten)]
    no_effect: NoEffect,

    /// Properties.
    #[command(flatten)]
    properties: PropertyFlags,
}

impl Conversation {
    /// The properties that `-D` gives, each with its packet.
    pub fn properties(&self) -> Result<GivenProperties> {
        self.properties.parsed()
    }

    /// The options of a client with these needs; `properties` are those that `-D` gives.
    pub fn resolve(
        &self,
        needs: &ClientNeeds,
        properties: &GivenProperties,
    ) -> Result<(client::Options, Vec<String>)> {
        let (mut options, warnings) =
            self.connection.resolve_with(needs, &self.persistence, properties)?;
        options.leaving = self.leaving.0;
        ensure!(
            options.leaving != Leaving::DisconnectWithWill || options.session.will.is_some(),
            Usage::new("--disconnect-with-will needs a will: --will-topic")
        );
        Ok((options, warnings))
    }

    /// What needs MQTT 5 at the end.
    pub fn end_needs_version_5(&self) -> Option<NeedsVersion5> {
        leaving::needs_version_5(self.leaving.0)
    }
}

impl ConnectionFlags {
    /// Which lines go to stderr besides results and errors.
    pub fn verbosity(&self) -> Verbosity {
        match self.general.debug {
            _ if self.general.quiet => Verbosity::Quiet,
            0 => Verbosity::Progress,
            // Lines of the log stand better alone.
            _ => Verbosity::Warnings,
        }
    }

    /// How often `-d` is given.
    pub fn debug(&self) -> u8 {
        self.general.debug
    }

    /// The first flag that is given of those that `check` decides itself.
    pub fn given_against_check(&self) -> Option<&'static str> {
        let upgrade = self.upgrade.given_against_check();
        upgrade.or_else(|| self.session.given_against_check()).or_else(|| self.given_that_changes())
    }

    /// The first flag that is given of those by which address or credentials change.
    pub fn given_that_changes(&self) -> Option<&'static str> {
        let several = self.address.are_several().then_some("-L more than once");
        self.given_command().or(several)
    }

    /// The first flag that is given of those that name a command for each connection.
    pub fn given_command(&self) -> Option<&'static str> {
        let credentials =
            self.credentials.credentials_command.as_ref().map(|_| CREDENTIALS_COMMAND);
        credentials.or_else(|| self.address.url_command.as_ref().map(|_| URL_COMMAND))
    }

    /// The first flag that is given of those that `bench` decides itself.
    pub fn given_against_bench(&self) -> Option<&'static str> {
        let is_delayed =
            self.retry.reconnect_delay != (Duration::from_secs(1), Duration::from_secs(30));
        let given = [
            (self.general.debug > 0, "--debug"),
            (self.upgrade.follow, "--follow"),
            (self.session.has_id_prefix(), "--id-prefix"),
            (is_delayed, "--reconnect-delay"),
            (self.retry.reconnect_tries.is_some(), "--reconnect-tries"),
        ];
        given.into_iter().find(|(is_given, _)| *is_given).map(|(_, name)| name)
    }

    /// `-i`.
    pub fn given_id(&self) -> Option<&str> {
        self.session.given_id()
    }

    /// All local addresses that were given (`--bind`); from now on only the first counts.
    pub fn take_local(&mut self) -> Vec<IpAddr> {
        self.network.take_local()
    }

    /// `-M`.
    pub fn max_inflight(&self) -> Option<value::MostInFlight> {
        self.session.max_inflight
    }

    /// Notes whether a TLS flag was typed: the TLS flags of a profile are ignored with a `ws://`
    /// address.
    pub fn account_for_tls(&mut self, is_typed: bool) {
        self.tls.is_typed = is_typed;
    }

    /// `--config`.
    pub fn config_file(&self) -> Option<&Path> {
        self.general.config.as_deref()
    }

    /// How long connecting may take, and where lines for the user go: also for a second client.
    pub fn shared(&self) -> (ConnectLimits, LineHandlers) {
        (self.retry.limits(), self.lines())
    }

    /// The variables that identify the user are for another broker.
    pub fn ignore_variables(&mut self) {
        self.credentials.variables = Variables::Ignored;
        self.tls.variables = Variables::Ignored;
    }

    /// `--quiet`.
    pub fn is_quiet(&self) -> bool {
        self.general.quiet
    }

    /// Whether `--print-config` is given: the settings are printed and nothing else is done.
    pub fn is_only_printed(&self) -> bool {
        self.general.print_config
    }

    /// Whether a command prints the address.
    pub fn has_url_command(&self) -> bool {
        self.address.url_command.is_some()
    }

    /// More addresses.
    pub fn other_endpoints(&self) -> Result<Vec<Endpoint>> {
        self.address.others()
    }

    /// The address in force.
    pub fn endpoint(&self) -> Result<Endpoint> {
        self.address.resolve(self.tls.is_given())
    }

    /// Whether a flag gives the password.
    pub fn is_password_given(&self) -> bool {
        self.credentials.is_password_given()
    }

    /// Whether `$MQTTWS_CAFILE` says what is trusted.
    pub fn trusts_by_variable(&self) -> bool {
        self.tls.ca_variable().is_some()
    }

    /// The place that names a proxy for this scheme, and its value.
    pub fn proxy(&self, scheme: Scheme) -> Option<(String, String)> {
        self.network.proxy_for(scheme)
    }

    /// The place that names hosts without a proxy, and its value.
    pub fn exempt(&self) -> Option<(String, String)> {
        self.network.exempt()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::mqtt::session::Lifetime;
    use crate::mqtt::version::Version;

    #[derive(Debug, Parser)]
    #[command(disable_help_flag = true)]
    struct CommandLine {
        #[command(flatten)]
        conversation: Conversation,
    }

    fn resolved(flags: &[&str]) -> Result<client::Options> {
        let conversation =
            CommandLine::try_parse_from([&["x", "ws://h/"], flags].concat())?.conversation;
        let needs = ClientNeeds::new(Lifetime::ClientIfExpiring);
        Ok(conversation.resolve(&needs, &conversation.properties()?)?.0)
    }

    #[test]
    fn flags_say_how_long_the_session_lives() {
        use Lifetime::{ClientIfExpiring, Persistent};
        /// Lifetime, Clean Start, session expiry.
        type Life = (Lifetime, bool, u32);
        let disconnect = "disconnect session-expiry-interval 5";
        let connect = "connect session-expiry-interval 7";
        let will = ["--will-topic", "w", "--will-delay"];
        let delayed = |delay| [&will[..], &[delay]].concat();
        let rows: [(&[&str], Life); 10] = [
            (&[], (ClientIfExpiring, false, 600)),
            (&["-i", "me"], (ClientIfExpiring, true, 600)),
            (&["-i", "me", "-c"], (Persistent, false, u32::MAX)),
            (&["-i", "me", "-x", "60"], (Persistent, true, 60)),
            (&["-i", "me", "-x", "0"], (ClientIfExpiring, true, 0)),
            (&["-x", "60"], (ClientIfExpiring, false, 60)),
            (&["-i", "me", "-D", connect], (Persistent, true, 7)),
            (&["-D", disconnect], (Persistent, false, 600)),
            (&delayed("30"), (ClientIfExpiring, true, 600)),
            (&delayed("3600"), (ClientIfExpiring, true, 3600)),
        ];
        for (flags, expected) in rows {
            let session = resolved(flags).unwrap().session;
            let found = (session.lifetime, session.clean_start, session.session_expiry);
            assert_eq!(found, expected, "{flags:?}");
        }
        assert!(resolved(&["-c"]).is_err(), "-c needs -i");
    }

    #[test]
    fn a_flag_of_version_5_rules_out_the_older_ones() {
        let versions = |flags: &[&str]| resolved(flags).map(|options| options.versions.list).ok();
        assert_eq!(versions(&[]), Some(vec![Version::V5, Version::V3_1_1, Version::V3_1]));
        assert_eq!(versions(&["-V", "311"]), Some(vec![Version::V3_1_1]));
        let property = ["-D", "connect user-property a b"];
        let rows: [&[&str]; 4] =
            [&["-x", "1"], &property, &["--auth-method", "m"], &["--pw", "secret"]];
        for flags in rows {
            assert_eq!(versions(flags), Some(vec![Version::V5]), "{flags:?}");
            assert_eq!(versions(&[flags, &["-V", "311"]].concat()), None, "{flags:?}");
        }
    }
}
