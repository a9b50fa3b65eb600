//! The flags of MQTT: version, client id, user name and password, will, and how long the session
//! lives.

use std::fs;
use std::num::NonZeroU16;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use bytestring::ByteString;
use clap::Args;

use super::property::GivenProperties;
use super::source;
use super::value;
use crate::client::{self, VersionChoice};
use crate::exit::Usage;
use crate::mqtt::packet::{self, Will};
use crate::mqtt::property::{Place, Property, PropertyId};
use crate::mqtt::qos::QoS;
use crate::mqtt::scram;
use crate::mqtt::session::{
    self, Authentication, ExtraProperties, Lifetime, Login, ReceiveOptions, ReportOptions,
    SendOptions, Strictness,
};
use crate::mqtt::topic::TopicName;
use crate::mqtt::version::Version;
use crate::transport::endpoint::Endpoint;

/// How long a broker keeps a session for us that we have lost the connection to, in seconds.
const OUTAGE: u32 = 600;

/// Letters and digits: the only characters that every server takes in a client identifier.
const ALPHANUMERIC: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The session of one run.
#[derive(Debug, Args)]
#[command(next_help_heading = "MQTT")]
pub struct SessionFlags {
    /// MQTT version: 5, 311 or 31 [default: the newest that the broker takes]
    #[arg(short = 'V', long, value_name = "VERSION")]
    protocol_version: Option<Version>,

    /// Client id [default: mqttws and random characters]
    #[arg(short, long, value_name = "ID", alias = "client-id")]
    id: Option<String>,

    /// Begin the generated client id with this
    #[arg(short = 'I', long, value_name = "PREFIX", conflicts_with = "id")]
    id_prefix: Option<String>,

    /// Keep alive in seconds; 0 turns it off
    #[arg(short, long, value_name = "SECS", default_value_t = 45)]
    keepalive: u16,

    /// Most QoS 1 and 2 messages in flight [default: what the broker allows; before MQTT 5 1000,
    /// and 20 of QoS 2]
    #[arg(short = 'M', long, value_name = "N", value_parser = value::in_flight)]
    pub max_inflight: Option<NonZeroU16>,

    /// Topic of the will: a message that the broker publishes when we disconnect uncleanly
    #[arg(long, value_name = "TOPIC")]
    will_topic: Option<TopicName>,

    /// Payload of the will [default: empty]
    #[arg(long, value_name = "TEXT", requires = "will_topic")]
    will_payload: Option<String>,

    /// QoS of the will
    #[arg(long, value_name = "QOS", requires = "will_topic", value_parser = value::qos,
          default_value = "0", hide_default_value = true)]
    will_qos: QoS,

    /// Let the broker retain the will for later subscribers
    #[arg(long, requires = "will_topic")]
    will_retain: bool,

    /// How long the broker waits for us to come back before it publishes the will (MQTT 5)
    #[arg(long, value_name = "SECS", requires = "will_topic")]
    will_delay: Option<u32>,
}

/// User name and password.
#[derive(Debug, Args)]
#[command(next_help_heading = "MQTT")]
pub struct CredentialFlags {
    /// User name [default: that of the URL, or `$MQTTWS_USERNAME`]
    #[arg(short, long, value_name = "NAME")]
    username: Option<String>,

    /// Password [default: that of the URL, or `$MQTTWS_PASSWORD`]; others can see it on the command
    /// line
    #[arg(short = 'P', long = "pw", value_name = "PASSWORD", alias = "password")]
    password: Option<String>,

    /// Read the password from a file; one line end after it does not count
    #[arg(long, value_name = "FILE", conflicts_with = "password")]
    password_file: Option<PathBuf>,

    /// Ask for the password on the terminal
    #[arg(long, conflicts_with_all = ["password", "password_file"])]
    ask_password: bool,

    /// Method of enhanced authentication: SCRAM-SHA-256 with -u and a password, or one with a
    /// single step (MQTT 5)
    #[arg(long, value_name = "NAME")]
    auth_method: Option<String>,

    /// Authentication data of a method with a single step
    #[arg(long, value_name = "TEXT", requires = "auth_method")]
    auth_data: Option<String>,

    /// Read the authentication data from a file, byte for byte
    #[arg(long, value_name = "FILE", requires = "auth_method", conflicts_with = "auth_data")]
    auth_data_file: Option<PathBuf>,
}

/// Which session, for the commands that can keep one.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "MQTT")]
pub struct Persistence {
    /// Keep the session: the broker stores what comes while we are away (needs -i)
    #[arg(short = 'c', long)]
    disable_clean_session: bool,

    /// Seconds for which the broker keeps the session when we are away, or `never` for no end (MQTT
    /// 5) [default: with -c never]
    #[arg(short = 'x', long, value_name = "SECS", value_parser = value::expiry,
          allow_hyphen_values = true)]
    session_expiry_interval: Option<u32>,
}

/// The demands of a verb on its client.
pub struct ClientNeeds {
    /// The flags that were given and need MQTT 5.
    pub version_5: Vec<NeedsVersion5>,
    /// How long the session has to live.
    pub lifetime: Lifetime,
    /// Use topic aliases.
    pub topic_alias: bool,
    /// Acknowledgements are only of interest where they refuse something.
    pub only_failures: bool,
    /// Messages whose packet is larger than this, in bytes, are handed out in parts.
    pub parts_above: Option<usize>,
    /// See [`crate::client::Options::brief`].
    pub brief: bool,
}

impl ClientNeeds {
    /// A session that lives so long, and nothing else.
    pub fn new(lifetime: Lifetime) -> Self {
        Self {
            version_5: Vec::new(),
            lifetime,
            topic_alias: false,
            only_failures: false,
            parts_above: None,
            brief: false,
        }
    }
}

impl ClientNeeds {
    fn receiving(&self, packets: Packets) -> ReceiveOptions {
        ReceiveOptions {
            maximum_packet: packets.maximum,
            parts_above: self.parts_above,
            strictness: packets.strictness,
        }
    }

    fn reports(&self, packets: Packets) -> ReportOptions {
        ReportOptions { only_failures: self.only_failures, trace: packets.trace }
    }
}

/// Says why a flag that was given needs MQTT 5, to a user who asks for this older version.
pub type NeedsVersion5 = (&'static str, fn(Version) -> String);

/// The flags about packets that stand among those of the upgrade and of the log.
#[derive(Debug, Clone, Copy)]
pub struct Packets {
    /// The largest that is accepted, in bytes.
    pub maximum: usize,
    /// Each is a WebSocket message of its own.
    pub whole: bool,
    /// They are logged.
    pub trace: bool,
    /// What is tolerated of those that come.
    pub strictness: Strictness,
}

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
}

impl MqttFlags<'_> {
    /// The session that the flags ask for at this endpoint, and the versions to try, in this order.
    pub fn resolve(
        &self,
        endpoint: &Endpoint,
        needs: &ClientNeeds,
        packets: Packets,
    ) -> Result<(session::Config, Vec<Version>, VersionChoice)> {
        let Self { session, properties, .. } = self;
        let mut credentials = self.credentials.resolve(endpoint)?;
        let authentication = self.credentials.authentication(&mut credentials)?;
        let (versions, choice) = self.versions(&credentials, authentication.is_some(), needs)?;
        let connect = properties.connect(authentication)?;
        let is_kept = self.is_kept(connect.session_expiry)?;
        let lifetime = if is_kept { Lifetime::Persistent } else { needs.lifetime };
        let config = session::Config {
            version: versions[0],
            client_id: session.client_id()?,
            // A generated identifier has no session that must be forgotten, and a session that was
            // begun with Clean Start does not survive the restart of mosquitto 2.0.
            clean_start: session.id.is_some() && !self.persistence.disable_clean_session,
            lifetime,
            keep_alive: session.keepalive,
            session_expiry: self.session_expiry(connect.session_expiry),
            login: Login { credentials, authentication: connect.authentication },
            will: session.will(properties)?,
            properties: ExtraProperties {
                connect: connect.others,
                disconnect: properties.of(Place::Disconnect),
            },
            sending: SendOptions {
                topic_alias: needs.topic_alias,
                max_inflight: session.max_inflight,
                whole_packets: packets.whole,
            },
            receiving: needs.receiving(packets),
            reports: needs.reports(packets),
        };
        Ok((config, versions, choice))
    }

    /// The versions to try. What only MQTT 5 can say is a usage error with an older one, and rules
    /// the older ones out.
    fn versions(
        &self,
        credentials: &packet::Credentials,
        is_enhanced: bool,
        needs: &ClientNeeds,
    ) -> Result<(Vec<Version>, VersionChoice)> {
        let is_lonely = credentials.password.is_some() && credentials.username.is_none();
        let own: [(bool, NeedsVersion5); 5] = [
            (
                is_lonely,
                (client::LONELY_PASSWORD, |_| {
                    "before MQTT 5 a password needs a user name: give one with -u".into()
                }),
            ),
            (
                is_enhanced,
                ("--auth-method", |_| {
                    "--auth-method: only MQTT 5 has enhanced authentication".into()
                }),
            ),
            (
                self.session.will_delay.is_some(),
                ("--will-delay", |_| "--will-delay: only MQTT 5 has a will delay".into()),
            ),
            (
                self.persistence.session_expiry_interval.is_some(),
                ("-x", |_| "-x: only MQTT 5 has a session expiry".into()),
            ),
            (
                !self.properties.is_empty(),
                ("-D", |version| format!("-D: MQTT {version} has no properties, only MQTT 5 has")),
            ),
        ];
        let own = own.iter().filter(|(is_given, _)| *is_given).map(|(_, why)| *why);
        let first = own.chain(needs.version_5.iter().copied()).next();
        match (self.session.protocol_version, first) {
            (Some(version), Some((_, why))) if version < Version::V5 => {
                bail!(Usage::new(why(version)))
            }
            (_, Some((flag, _))) => Ok((vec![Version::V5], VersionChoice::NeededBy(flag))),
            (Some(version), None) => Ok((vec![version], VersionChoice::Asked)),
            (None, None) => {
                let all = vec![Version::V5, Version::V3_1_1, Version::V3_1];
                Ok((all, VersionChoice::Ours))
            }
        }
    }

    /// The session expiry that the user asks for; `by_property` is that of `-D connect`.
    fn given_expiry(&self, by_property: Option<u32>) -> Option<u32> {
        by_property.or(self.persistence.session_expiry_interval)
    }

    /// Session Expiry Interval in seconds, where the session outlives a connection.
    fn session_expiry(&self, by_property: Option<u32>) -> u32 {
        let unasked = if self.persistence.disable_clean_session { u32::MAX } else { OUTAGE };
        self.given_expiry(by_property).unwrap_or(unasked)
    }

    /// Whether the session is to live longer than this client.
    fn is_kept(&self, by_property: Option<u32>) -> Result<bool> {
        let (has_id, is_kept) = (self.session.id.is_some(), self.persistence.disable_clean_session);
        ensure!(
            !is_kept || has_id,
            Usage::new("-c keeps the session of a client id: give one with -i")
        );
        // A session of a generated id that nobody can take up again would only burden the broker.
        let expires_late =
            has_id && self.given_expiry(by_property).is_some_and(|expiry| expiry > 0);
        // A session can only be given more time by DISCONNECT when CONNECT gave it some
        // (§3.14.2.2.2).
        let disconnect = self.properties.of(Place::Disconnect).session_expiry_interval();
        Ok(is_kept || expires_late || disconnect.is_some_and(|expiry| expiry > 0))
    }
}

impl SessionFlags {
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
        let payload = Bytes::from(self.will_payload.clone().unwrap_or_default());
        ensure!(
            payload.len() <= 65_535,
            Usage::new("--will-payload: expected at most 65535 bytes")
        );
        ensure!(
            self.will_delay.is_none() || given.will_delay_interval().is_none(),
            Usage::new(format!(
                "-D will {}: --will-delay says it, too",
                PropertyId::WillDelayInterval
            ))
        );
        let delay = self.will_delay;
        let delay = delay.map(|value| Property::number(PropertyId::WillDelayInterval, value));
        let properties = delay.into_iter().chain(given.0).collect();
        Ok(Some(Will {
            topic: topic.clone(),
            payload,
            qos: self.will_qos,
            retain: self.will_retain,
            properties,
        }))
    }
}

impl CredentialFlags {
    /// What the flags, the URL and the environment say.
    fn resolve(&self, endpoint: &Endpoint) -> Result<packet::Credentials> {
        let (url_name, url_password) = endpoint.user.clone().unzip();
        let variable = |name| source::variable(name).map(|(_, value)| value);
        let username = self.username.clone().or(url_name).or_else(|| variable("MQTTWS_USERNAME"));
        let password = match self.given_password(endpoint)? {
            Some(password) => Some(password),
            None => url_password.flatten().or_else(|| variable("MQTTWS_PASSWORD")).map(Bytes::from),
        };
        let username = username.map(ByteString::from);
        let length = password.as_ref().map_or(0, Bytes::len);
        ensure!(length <= 65_535, Usage::new("the password has more than 65535 bytes"));
        check_text("-u", username.as_deref())?;
        Ok(packet::Credentials { username, password })
    }

    /// Whether a flag gives the password.
    pub fn is_password_given(&self) -> bool {
        self.password.is_some() || self.password_file.is_some() || self.ask_password
    }

    /// The method of enhanced authentication; SCRAM takes the credentials for itself.
    fn authentication(
        &self,
        credentials: &mut packet::Credentials,
    ) -> Result<Option<Authentication>> {
        let Some(method) = &self.auth_method else { return Ok(None) };
        check_text("--auth-method", Some(method))?;
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

/// A text that becomes an MQTT string (MQTT 5 §1.5.4).
fn check_text(what: &str, text: Option<&str>) -> Result<()> {
    let fits = text.is_none_or(|text| text.len() <= 65_535 && !text.contains('\0'));
    ensure!(fits, Usage::new(format!("{what}: expected at most 65535 bytes, without U+0000")));
    Ok(())
}

fn random_client_id(prefix: &str) -> ByteString {
    let random =
        (0..12).filter_map(|_| fastrand::choice(ALPHANUMERIC)).map(|&byte| char::from(byte));
    prefix.chars().chain(random).collect::<String>().into()
}
