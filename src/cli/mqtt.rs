//! The flags of MQTT: version, client id, will, and how long the session lives.

use std::fs;
use std::io::Read;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use bytestring::ByteString;
use clap::Args;

use super::credentials::CredentialFlags;
use super::field::{LONGEST_FIELD, check_text};
use super::property::GivenProperties;
use super::secret::SecretReader;
use super::upgrade::UpgradeFlags;
use super::value::{self, MostInFlight};
use crate::client::{self, VersionChoice, VersionsToTry};
use crate::exit::Usage;
use crate::mqtt::packet::{self, Will};
use crate::mqtt::property::{Place, Properties, Property, PropertyId};
use crate::mqtt::qos::QoS;
use crate::mqtt::session::{
    self, Answering, IdChoice, Lifetime, Login, ReceiveOptions, ReportOptions, SendOptions,
    SuccessReports, TopicAliasUse,
};
use crate::mqtt::topic::{DiscouragedCharacter, TopicName};
use crate::mqtt::version::Version;
use crate::transport::endpoint::Endpoint;

/// For how long a broker keeps the session of a run that has lost its connection, in seconds:
/// longer than the restart of a server takes.
const OUTAGE: u32 = 600;

/// Keep alive in seconds, where the user gives none.
const KEEP_ALIVE: u16 = 45;

/// Letters and digits: the only characters that every server takes in a client identifier.
const ALPHANUMERIC: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The session of one run.
#[derive(Debug, Args)]
#[command(next_help_heading = "MQTT")]
pub struct SessionFlags {
    /// MQTT version: 5, 311 or 31 [default: the newest that the broker takes]
    #[arg(short = 'V', long, value_name = "VERSION", allow_hyphen_values = true)]
    protocol_version: Option<Version>,

    /// Client id [default: mqttws and random characters]
    #[arg(short, long, value_name = "ID", alias = "client-id", allow_hyphen_values = true)]
    id: Option<String>,

    /// Begin the generated client id with this
    #[arg(
        short = 'I',
        long,
        value_name = "PREFIX",
        conflicts_with = "id",
        allow_hyphen_values = true
    )]
    id_prefix: Option<String>,

    /// Keep alive; 0 turns it off
    #[arg(short, long, value_name = "SECS", default_value = "45",
          value_parser = value::keep_alive, allow_hyphen_values = true)]
    keepalive: u16,

    /// Largest number of QoS 1 and 2 messages in flight [default: what the broker allows; before
    /// MQTT 5 1000, and 20 of QoS 2]
    #[arg(short = 'M', long, value_name = "N", value_parser = value::in_flight,
          allow_hyphen_values = true)]
    pub max_inflight: Option<MostInFlight>,

    /// Take control characters in topics; many brokers disconnect a client that sends one
    #[arg(long)]
    pub allow_control_characters: bool,

    /// Topic of the will: a message that the broker publishes when we disconnect uncleanly
    #[arg(long, value_name = "TOPIC", allow_hyphen_values = true)]
    will_topic: Option<TopicName>,

    /// Payload of the will [default: empty]
    #[arg(long, value_name = "TEXT", requires = "will_topic", allow_hyphen_values = true)]
    will_payload: Option<String>,

    /// The payload of the will is the content of this file
    #[arg(long, value_name = "FILE", requires = "will_topic", conflicts_with = "will_payload",
          value_parser = value::file(), allow_hyphen_values = true)]
    will_file: Option<PathBuf>,

    /// QoS of the will
    #[arg(long, value_name = "QOS", requires = "will_topic", value_parser = value::qos,
          default_value = "0", hide_default_value = true, allow_hyphen_values = true)]
    will_qos: QoS,

    /// Let the broker retain the will for later subscribers
    #[arg(long, requires = "will_topic")]
    will_retain: bool,

    /// How long the broker waits for us to reconnect before it publishes the will (MQTT 5)
    #[arg(long, value_name = "SECS", requires = "will_topic", value_parser = value::seconds,
          allow_hyphen_values = true)]
    will_delay: Option<u32>,
}

/// Whether the session outlives the run, for the verbs that can keep one.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Delivery")]
pub struct Persistence {
    /// Keep the session: the broker stores messages while we are disconnected (needs -i)
    #[arg(short = 'c', long)]
    disable_clean_session: bool,

    /// How long the broker keeps the session after we disconnect; `never` (needs -i) has no end
    /// (MQTT 5) [default: with -c never]
    #[arg(short = 'x', long, value_name = "SECS", value_parser = value::expiry,
          allow_hyphen_values = true)]
    session_expiry_interval: Option<u32>,
}

impl Persistence {
    /// The first of these flags that was given, which `check` decides itself.
    pub fn given_against_check(&self) -> Option<&'static str> {
        let expiry = self.session_expiry_interval.map(|_| "-x");
        self.disable_clean_session.then_some("-c").or(expiry)
    }
}

/// What a verb needs of its client.
pub struct ClientNeeds {
    /// The flags that were given and need MQTT 5.
    pub version_5: Vec<NeedsVersion5>,
    /// How long the session has to live.
    pub lifetime: Lifetime,
    /// Whether topic aliases are used.
    pub topic_aliases: TopicAliasUse,
    /// Which acknowledgements are reported to it.
    pub reports: AckReports,
    /// Messages whose packet is larger than this, in bytes, are handed out in parts.
    pub parts_above: Option<usize>,
}

/// Which acknowledgements are reported to a verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AckReports {
    /// All of them.
    All,
    /// Those that refuse something.
    Failures,
    /// Those that refuse something, in a run that is over in an instant and blocks nowhere else:
    /// see [`crate::client::Options::brief`].
    FailuresOfShortRun,
}

impl ClientNeeds {
    /// A session with this lifetime, and nothing else.
    pub fn new(lifetime: Lifetime) -> Self {
        Self {
            version_5: Vec::new(),
            lifetime,
            topic_aliases: TopicAliasUse::Never,
            reports: AckReports::All,
            parts_above: None,
        }
    }
}

/// Says why a flag that was given needs MQTT 5, when this older version is asked for.
pub type NeedsVersion5 = (&'static str, fn(Version) -> String);

/// What of a session needs MQTT 5, in the order in which [`MqttFlags::versions`] looks at it.
const NEED_VERSION_5: [NeedsVersion5; 5] = [
    (client::LONELY_PASSWORD, |_| {
        "before MQTT 5 a password needs a user name: give one with -u".into()
    }),
    ("--auth-method", |_| "--auth-method: only MQTT 5 has enhanced authentication".into()),
    ("--will-delay", |_| "--will-delay: only MQTT 5 has a will delay".into()),
    ("-x", |_| "-x: only MQTT 5 has a session expiry".into()),
    ("-D", |version| format!("-D: MQTT {version} has no properties, only MQTT 5 has")),
];

/// The flags that make a session.
pub struct MqttFlags<'a> {
    /// Version, client id and will.
    pub session: &'a SessionFlags,
    /// User name and password.
    pub credentials: &'a CredentialFlags,
    /// `-c` and `-x`.
    pub persistence: &'a Persistence,
    /// `-D`
    pub properties: &'a GivenProperties,
    /// The limits of messages.
    pub upgrade: &'a UpgradeFlags,
    /// How many times `-d` is given.
    pub debug: u8,
}

impl MqttFlags<'_> {
    /// The session that the flags ask for at this endpoint, and the versions to try, in this order.
    /// Without an endpoint the credentials come later.
    pub fn resolve(
        &self,
        endpoint: Option<&Endpoint>,
        needs: &ClientNeeds,
        secrets: &mut SecretReader,
    ) -> Result<(session::Config, VersionsToTry)> {
        let Self { session, properties, .. } = self;
        let (mut credentials, mut authentication) = (packet::Credentials::default(), None);
        if let Some(endpoint) = endpoint {
            credentials = self.credentials.resolve(endpoint, secrets)?;
            authentication = self.credentials.authentication(&mut credentials, secrets)?;
        }
        let versions = self.versions(&credentials, self.credentials.is_enhanced(), needs)?;
        let connect = properties.connect(authentication)?;
        let will = session.will(properties)?;
        let will_delay = will.as_ref().and_then(|will| will.properties.will_delay_interval());
        let lifetime = self.lifetime(connect.session_expiry, will_delay, needs)?;
        let config = session::Config {
            version: versions.list[0],
            client_id: session.client_id()?,
            clean_start: lifetime.begins_anew(session.id_choice(), will.is_some())
                && !self.persistence.disable_clean_session,
            lifetime,
            keep_alive: session.keepalive,
            session_expiry: self.session_expiry(connect.session_expiry, will_delay),
            login: Login { credentials, authentication: connect.authentication },
            will,
            properties: properties.extra(connect.others),
            sending: self.sending(needs),
            receiving: self.receiving(needs),
            reports: self.reports(needs),
        };
        Ok((config, versions))
    }

    /// A will is not delayed beyond the end of the session (§3.1.3.2.2).
    fn lifetime(
        &self,
        expiry_by_property: Option<u32>,
        will_delay: Option<u32>,
        needs: &ClientNeeds,
    ) -> Result<Lifetime> {
        let is_kept = self.is_kept(expiry_by_property)?;
        let least = will_delay.map_or(Lifetime::Connection, |_| Lifetime::ClientIfExpiring);
        Ok(if is_kept { Lifetime::Persistent } else { needs.lifetime.max(least) })
    }

    fn sending(&self, needs: &ClientNeeds) -> SendOptions {
        SendOptions {
            topic_aliases: needs.topic_aliases,
            max_inflight: self.session.max_inflight.map(MostInFlight::of_identifiers),
            grouping: self.upgrade.grouping(),
        }
    }

    fn receiving(&self, needs: &ClientNeeds) -> ReceiveOptions {
        ReceiveOptions {
            maximum_packet: self.upgrade.maximum_packet(),
            parts_above: needs.parts_above,
            strictness: self.upgrade.strictness(),
            answering: Answering::Session,
        }
    }

    fn reports(&self, needs: &ClientNeeds) -> ReportOptions {
        let successes = match needs.reports {
            AckReports::All => SuccessReports::Each,
            AckReports::Failures | AckReports::FailuresOfShortRun => SuccessReports::Together,
        };
        ReportOptions { successes, trace: self.debug > 0 }
    }

    /// The versions to try. What only MQTT 5 can say is a usage error with an older one, and rules
    /// the older ones out.
    fn versions(
        &self,
        credentials: &packet::Credentials,
        is_enhanced: bool,
        needs: &ClientNeeds,
    ) -> Result<VersionsToTry> {
        let given = [
            credentials.password.is_some() && credentials.username.is_none(),
            is_enhanced,
            self.session.will_delay.is_some(),
            self.persistence.session_expiry_interval.is_some(),
            !self.properties.is_empty(),
        ];
        let own = NEED_VERSION_5.iter().zip(given).filter(|(_, is_given)| *is_given);
        let first = own.map(|(need, _)| *need).chain(needs.version_5.iter().copied()).next();
        let (list, choice) = match (self.session.protocol_version, first) {
            (Some(version), Some((_, why))) if version < Version::V5 => {
                bail!(Usage::new(why(version)))
            }
            (_, Some((flag, _))) => (vec![Version::V5], VersionChoice::NeededBy(flag)),
            (Some(version), None) => (vec![version], VersionChoice::Asked),
            (None, None) => {
                (vec![Version::V5, Version::V3_1_1, Version::V3_1], VersionChoice::Ours)
            }
        };
        Ok(VersionsToTry { list, choice })
    }

    /// The session expiry that the user asks for; `by_property` is that of `-D connect`.
    fn given_expiry(&self, by_property: Option<u32>) -> Option<u32> {
        by_property.or(self.persistence.session_expiry_interval)
    }

    /// Session Expiry Interval in seconds, where the session outlives a connection.
    fn session_expiry(&self, by_property: Option<u32>, will_delay: Option<u32>) -> u32 {
        let outage = OUTAGE.max(will_delay.unwrap_or(0));
        let unasked = if self.persistence.disable_clean_session { u32::MAX } else { outage };
        self.given_expiry(by_property).unwrap_or(unasked)
    }

    /// Refuses a session without end that no other run can take up.
    fn check_endless(&self, connect: Option<u32>, disconnect: Option<u32>) -> Result<(), Usage> {
        let given = [
            ("-x", self.persistence.session_expiry_interval),
            ("-D connect session-expiry-interval", connect),
            ("-D disconnect session-expiry-interval", disconnect),
        ];
        let endless = given.into_iter().find(|(_, expiry)| *expiry == Some(u32::MAX));
        match endless.filter(|_| self.session.id.is_none()) {
            Some((flag, _)) => Err(Usage::new(format!(
                "{flag}: a session without end belongs to a client id: give one with -i"
            ))),
            None => Ok(()),
        }
    }

    /// Whether the session is to live longer than this client.
    fn is_kept(&self, by_property: Option<u32>) -> Result<bool> {
        let (has_id, is_kept) = (self.session.id.is_some(), self.persistence.disable_clean_session);
        ensure!(
            !is_kept || has_id,
            Usage::new("-c keeps the session of a client id: give one with -i")
        );
        let disconnect = self.properties.of(Place::Disconnect).session_expiry_interval();
        self.check_endless(by_property, disconnect)?;
        // A session of a generated id that nobody can take up again would only burden the broker.
        let expires_late =
            has_id && self.given_expiry(by_property).is_some_and(|expiry| expiry > 0);
        // A session can only be given more time by DISCONNECT when CONNECT gave it some
        // (§3.14.2.2.2).
        Ok(is_kept || expires_late || disconnect.is_some_and(|expiry| expiry > 0))
    }
}

impl SessionFlags {
    /// The payload of the will.
    fn will_bytes(&self) -> Result<Bytes> {
        let Some(path) = &self.will_file else {
            let payload = self.will_payload.clone().unwrap_or_default();
            let fits = payload.len() <= LONGEST_FIELD;
            ensure!(fits, Usage::new("--will-payload: expected at most 65535 bytes"));
            return Ok(payload.into());
        };
        let mut payload = Vec::new();
        let file = fs::File::open(path);
        // One byte more shows that it is too large; some files have no end.
        let read =
            file.and_then(|file| file.take(1 + LONGEST_FIELD as u64).read_to_end(&mut payload));
        read.with_context(|| format!("reading {}", path.display()))?;
        ensure!(
            payload.len() <= LONGEST_FIELD,
            Usage::new(format!("--will-file {}: it has more than 65535 bytes", path.display()))
        );
        Ok(payload.into())
    }

    /// Whether `-I` is given.
    pub fn has_id_prefix(&self) -> bool {
        self.id_prefix.is_some()
    }

    /// The first flag that is given of those that `check` decides itself.
    pub fn given_against_check(&self) -> Option<&'static str> {
        let given = [
            (self.keepalive != KEEP_ALIVE, "-k"),
            (self.max_inflight.is_some(), "-M"),
            (self.will_topic.is_some(), "--will-topic"),
        ];
        given.into_iter().find(|(is_given, _)| *is_given).map(|(_, name)| name)
    }

    /// Refuses a topic of this flag that holds a control character, unless they are allowed.
    pub fn check_topic(&self, flag: &str, topic: &str) -> Result<(), Usage> {
        match DiscouragedCharacter::find(topic) {
            Some(found) if !self.allow_control_characters => {
                Err(Usage::new(format!("{flag}: {found}; --allow-control-characters takes it")))
            }
            _ => Ok(()),
        }
    }

    /// `-i`.
    pub fn given_id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn id_choice(&self) -> IdChoice {
        if self.id.is_some() { IdChoice::Given } else { IdChoice::Generated }
    }

    fn client_id(&self) -> Result<ByteString> {
        let id = match &self.id {
            Some(id) => ByteString::from(id.as_str()),
            None => random_client_id(self.id_prefix.as_deref().unwrap_or("mqttws")),
        };
        check_text(if self.id.is_some() { "-i" } else { "-I" }, Some(&id))?;
        Ok(id)
    }

    fn will(&self, given: &GivenProperties) -> Result<Option<Will>> {
        let given = given.of(Place::Will);
        let Some(topic) = &self.will_topic else {
            ensure!(
                given.is_empty(),
                Usage::new("-D will: there is no will; give one with --will-topic")
            );
            return Ok(None);
        };
        self.check_topic("--will-topic", topic.as_str())?;
        if let Some(topic) = given.response_topic() {
            self.check_topic("-D will response-topic", topic)?;
        }
        Ok(Some(Will {
            topic: topic.clone(),
            payload: self.will_bytes()?,
            qos: self.will_qos,
            retain: self.will_retain,
            properties: self.will_properties(given)?,
        }))
    }

    /// The properties of the will: those of `-D` and the delay.
    fn will_properties(&self, given: Properties) -> Result<Properties> {
        ensure!(
            self.will_delay.is_none() || given.will_delay_interval().is_none(),
            Usage::new(format!(
                "-D will {}: --will-delay sets it, too",
                PropertyId::WillDelayInterval
            ))
        );
        let delay = self.will_delay;
        let delay = delay.map(|value| Property::number(PropertyId::WillDelayInterval, value));
        Ok(delay.into_iter().chain(given.0).collect())
    }
}

fn random_client_id(prefix: &str) -> ByteString {
    let random =
        (0..12).filter_map(|_| fastrand::choice(ALPHANUMERIC)).map(|&byte| char::from(byte));
    prefix.chars().chain(random).collect::<String>().into()
}
