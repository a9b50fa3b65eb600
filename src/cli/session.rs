//! What the MQTT session is asked to be.

use std::num::NonZeroU16;

use anyhow::{Result, ensure};
use bytes::Bytes;
use bytestring::ByteString;
use clap::Args;

use super::connection::Connection;
use super::value;
use crate::client::{self, VersionChoice};
use crate::exit::Usage;
use crate::mqtt::packet::{Credentials, Will};
use crate::mqtt::property::{Property, PropertyId};
use crate::mqtt::qos::QoS;
use crate::mqtt::session::{
    self, ExtraProperties, Lifetime, Login, ReceiveOptions, ReportOptions, SendOptions,
};
use crate::mqtt::topic::TopicName;
use crate::mqtt::version::Version;

/// The largest payload there can be, and its header.
const MAXIMUM_PACKET: usize = 256 * 1024 * 1024 + 64 * 1024;

/// How long a broker keeps a session for us that we have lost the connection to, in seconds.
const OUTAGE: u32 = 600;

/// Letters and digits: the only characters that every server takes in a client identifier.
const ALPHANUMERIC: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The session of one run.
#[derive(Debug, Args)]
pub struct Session {
    /// MQTT version: 5, 311 or 31 [default: the newest that the broker takes]
    #[arg(short = 'V', long, value_name = "VERSION", help_heading = "MQTT")]
    protocol_version: Option<Version>,

    /// Client id [default: mqttws and random characters]
    #[arg(short, long, value_name = "ID", help_heading = "MQTT", alias = "client-id")]
    id: Option<String>,

    /// Begin the generated client id with this
    #[arg(short = 'I', long, value_name = "PREFIX", help_heading = "MQTT", conflicts_with = "id")]
    id_prefix: Option<String>,

    /// Keep alive in seconds; 0 turns it off
    #[arg(short, long, value_name = "SECS", help_heading = "MQTT", default_value_t = 45)]
    keepalive: u16,

    /// Most QoS 1 and 2 messages in flight [default: what the broker allows; before MQTT 5 1000,
    /// and 20 of QoS 2]
    #[arg(short = 'M', long, value_name = "N", help_heading = "MQTT", value_parser = value::in_flight)]
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
}

impl Session {
    /// Whether the client id was chosen by the user, so that the session can be taken up again.
    pub fn has_id(&self) -> bool {
        self.id.is_some()
    }

    /// The versions to try, in this order. What only MQTT 5 can say is a usage error with an older
    /// one, and rules the older ones out.
    pub fn versions(&self, credentials: &Credentials, enhanced: bool) -> Result<Vec<Version>> {
        let lonely_password = credentials.password.is_some() && credentials.username.is_none();
        let needs = [
            (lonely_password, "before MQTT 5 a password needs a user name: give one with -u"),
            (enhanced, "--auth-method: only MQTT 5 has enhanced authentication"),
            (self.will_delay.is_some(), "--will-delay: only MQTT 5 has a will delay"),
        ];
        let newest_only = needs.iter().any(|(given, _)| *given);
        match self.protocol_version {
            Some(version) => {
                let impossible = needs.iter().find(|(given, _)| *given && version < Version::V5);
                ensure!(impossible.is_none(), Usage::new(impossible.map_or("", |(_, why)| why)));
                Ok(vec![version])
            }
            None if newest_only => Ok(vec![Version::V5]),
            None => Ok(vec![Version::V5, Version::V3_1_1, Version::V3_1]),
        }
    }

    /// Who chose the versions.
    pub fn version_choice(&self, credentials: &Credentials, enhanced: bool) -> VersionChoice {
        let lonely_password = credentials.password.is_some() && credentials.username.is_none();
        let needs = [
            (lonely_password, client::LONELY_PASSWORD),
            (enhanced, "--auth-method"),
            (self.will_delay.is_some(), "--will-delay"),
        ];
        match needs.into_iter().find(|(given, _)| *given) {
            Some((_, flag)) => VersionChoice::NeededBy(flag),
            None if self.protocol_version.is_some() => VersionChoice::Asked,
            None => VersionChoice::Ours,
        }
    }

    /// The configuration that the flags mean.
    pub fn resolve(
        &self,
        credentials: Credentials,
        version: Version,
        trace: bool,
    ) -> Result<session::Config> {
        let client_id = match &self.id {
            Some(id) => ByteString::from(id.as_str()),
            None => random_client_id(self.id_prefix.as_deref().unwrap_or("mqttws")),
        };
        check_text(if self.id.is_some() { "-i" } else { "-I" }, Some(&client_id))?;
        Ok(session::Config {
            version,
            client_id,
            // A generated identifier has no session that must be forgotten, and a session that was
            // begun with Clean Start does not survive the restart of mosquitto 2.0.
            clean_start: self.id.is_some(),
            lifetime: Lifetime::Connection,
            keep_alive: self.keepalive,
            session_expiry: OUTAGE,
            login: Login { credentials, authentication: None },
            will: self.will()?,
            properties: ExtraProperties::default(),
            sending: SendOptions { max_inflight: self.max_inflight, ..SendOptions::default() },
            receiving: ReceiveOptions { maximum_packet: MAXIMUM_PACKET, parts_above: None },
            reports: ReportOptions { only_failures: false, trace },
        })
    }

    fn will(&self) -> Result<Option<Will>> {
        let Some(topic) = &self.will_topic else { return Ok(None) };
        let payload = Bytes::from(self.will_payload.clone().unwrap_or_default());
        ensure!(
            payload.len() <= 65_535,
            Usage::new("--will-payload: expected at most 65535 bytes")
        );
        let properties = self
            .will_delay
            .map(|value| Property::number(PropertyId::WillDelayInterval, value))
            .into_iter()
            .collect();
        Ok(Some(Will {
            topic: topic.clone(),
            payload,
            qos: self.will_qos,
            retain: self.will_retain,
            properties,
        }))
    }
}

/// Which session, for the commands that can keep one.
#[derive(Debug, Args)]
pub struct Persistence {
    /// Keep the session: the broker stores what comes while we are away (needs -i)
    #[arg(short = 'c', long, help_heading = "MQTT")]
    disable_clean_session: bool,

    /// Seconds for which the broker keeps the session when we are away, or `never` for no end (MQTT
    /// 5) [default: with -c never]
    #[arg(short = 'x', long, value_name = "SECS", help_heading = "MQTT", value_parser = value::expiry,
          allow_hyphen_values = true)]
    session_expiry_interval: Option<u32>,
}

impl Persistence {
    /// Applies it to the session that the other flags asked for.
    pub fn apply(&self, connection: &Connection, options: &mut client::Options) -> Result<()> {
        if self.disable_clean_session {
            ensure!(
                connection.session.id.is_some(),
                Usage::new("-c keeps the session of a client id: give one with -i")
            );
            options.session.clean_start = false;
            options.session.lifetime = Lifetime::Kept;
            options.session.session_expiry = u32::MAX;
        }
        if let Some(expiry) = self.session_expiry_interval {
            ensure!(
                connection.session.protocol_version.is_none_or(|version| version == Version::V5),
                Usage::new("-x: only MQTT 5 has a session expiry")
            );
            options.require_version_5("-x");
            options.session.session_expiry = expiry;
            // A session of a generated id that nobody can take up again would only burden the
            // broker.
            if connection.session.id.is_some() && expiry > 0 {
                options.session.lifetime = Lifetime::Kept;
            }
        }
        Ok(())
    }
}

/// A text that becomes an MQTT string (MQTT 5 §1.5.4).
pub fn check_text(what: &str, text: Option<&str>) -> Result<()> {
    let fits = text.is_none_or(|text| text.len() <= 65_535 && !text.contains('\0'));
    ensure!(fits, Usage::new(format!("{what}: expected at most 65535 bytes, without U+0000")));
    Ok(())
}

fn random_client_id(prefix: &str) -> ByteString {
    let random =
        (0..12).filter_map(|_| fastrand::choice(ALPHANUMERIC)).map(|&byte| char::from(byte));
    prefix.chars().chain(random).collect::<String>().into()
}
