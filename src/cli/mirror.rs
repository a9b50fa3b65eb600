//! The flags of `sub --to`: another broker that messages are passed on to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Context, Result, ensure};
use clap::{Args, FromArgMatches};

use super::connection::{ConnectionFlags, Conversation};
use super::mqtt::ClientNeeds;
use super::source::profile;
use crate::client;
use crate::command::mirror::config::BrokerPair;
use crate::command::mirror::loops::LoopMarks;
use crate::exit::Usage;
use crate::format::topic_map::{TopicMap, TopicRule};
use crate::mqtt::session::{Answering, Lifetime};
use crate::mqtt::topic::TopicFilter;
use crate::transport::endpoint::Endpoint;

/// Flags that say how messages are written, or what else becomes of them here.
const WITHOUT: [&str; 27] = [
    "verbose",
    "time",
    "hexdump",
    "format",
    "json",
    "pretty",
    "hex",
    "base64",
    "no_newline",
    "null",
    "output_dir",
    "watch",
    "latency",
    "report",
    "depth",
    "tree",
    "changed",
    "message_rate",
    "runs",
    "matching",
    "fail_on",
    "expect_none",
    "command",
    "unsubscribe",
    "remove_retained",
    "retained_only",
    "exit_after_subscribe",
];

/// Another broker.
#[derive(Debug, Args)]
#[command(next_help_heading = "Mirror")]
pub struct MirrorFlags {
    /// Publish each message to the broker at this URL instead of writing it; -q is 2 then
    ///
    /// A message is acknowledged when that broker has acknowledged it. User, password, TLS and
    /// headers for it come from this URL and from --to-profile only. See MIRROR in the manual.
    #[arg(long, value_name = "URL", conflicts_with_all = WITHOUT, allow_hyphen_values = true)]
    to: Option<String>,

    /// Connect to the broker of --to with the flags of this profile
    #[arg(long, value_name = "NAME", requires = "to", allow_hyphen_values = true)]
    to_profile: Option<String>,

    /// Publish messages whose whole topic matches REGEX to TEXT, in which $1 is the first group;
    /// repeatable: the first that matches counts, and other topics stay as they are
    #[arg(long, value_name = "REGEX=TEXT", requires = "to", allow_hyphen_values = true)]
    map: Vec<TopicRule>,

    /// Pass on also what other mirrors have brought back, and do not mark messages
    ///
    /// Otherwise, in MQTT 5, each message gets the user property mqttws-mirror, by which mirrors on
    /// this machine know what has been at a broker before. See MIRROR in the manual.
    #[arg(long, requires = "to")]
    allow_loops: bool,
}

impl MirrorFlags {
    /// Whether there is another broker.
    pub fn are_given(&self) -> bool {
        self.to.is_some()
    }

    /// The rules for topics.
    pub fn map(&self) -> TopicMap {
        TopicMap(self.map.clone())
    }

    /// Whether messages may come back over other mirrors.
    pub fn allows_loops(&self) -> bool {
        self.allow_loops
    }

    /// The options of the client of the other broker, and warnings to print; `source` is the
    /// client of the first one, and gets what both have in common.
    pub fn target(
        &self,
        connection: &ConnectionFlags,
        source: &mut client::Options,
    ) -> Result<(client::Options, Vec<String>)> {
        let url = self.to.as_deref().unwrap_or_default();
        Endpoint::parse(url).map_err(|error| Usage::new(format!("--to: {error}")))?;
        let conversation = self.conversation(url, connection)?;
        let properties = conversation.properties()?;
        let needs = ClientNeeds::new(Lifetime::Client);
        let (mut target, warnings) =
            conversation.resolve(&needs, &properties).context("the broker of --to")?;
        share(connection, source, &mut target);
        Ok((target, warnings))
    }

    /// The flags of the profile, and nothing else: no variable and no other flag is for the other
    /// broker.
    fn conversation(&self, url: &str, connection: &ConnectionFlags) -> Result<Conversation> {
        let own = Conversation::augment_args(clap::Command::new(TARGET).disable_help_flag(true));
        let mut arguments = vec![TARGET.into(), "--url".into(), url.into()];
        if let Some(name) = &self.to_profile {
            let given = profile::of_one(name, connection.config_file(), url, &own)?;
            arguments.extend(given);
        }
        let command = own.args_override_self(true);
        let mut matches = command.try_get_matches_from(arguments)?;
        let mut conversation = Conversation::from_arg_matches_mut(&mut matches)?;
        conversation.connection.ignore_variables();
        Ok(conversation)
    }
}

/// What the flags of the other broker are parsed as.
const TARGET: &str = "to";

/// Gives both clients what they have in common, and to the target the session that belongs to that
/// of the source.
fn share(connection: &ConnectionFlags, source: &mut client::Options, target: &mut client::Options) {
    source.session.receiving.answering = Answering::Caller;
    target.session.receiving.answering = Answering::Caller;
    (target.limits, target.lines) = connection.shared();
    target.session.reports.trace = source.session.reports.trace;
    target.session.sending.max_inflight =
        target.session.sending.max_inflight.or(source.session.sending.max_inflight);
    if source.session.lifetime == Lifetime::Persistent {
        if target.session.lifetime != Lifetime::Persistent {
            target.session.client_id = format!("{}-to", source.session.client_id).into();
            target.session.session_expiry = source.session.session_expiry;
        }
        target.session.lifetime = Lifetime::Persistent;
        target.session.clean_start = source.session.clean_start;
    }
}

/// Whether both brokers have the same address; it is an error if what is passed on would come back.
pub fn brokers(
    source: &client::Options,
    target: &client::Options,
    map: &TopicMap,
    filters: Vec<TopicFilter>,
    allows_loops: bool,
) -> Result<BrokerPair> {
    let [sources, targets] = [source, target].map(addresses);
    if !sources.iter().any(|one| targets.contains(one)) {
        let place = if allows_loops { None } else { this_network() };
        let marks = place.map(|place| LoopMarks::new(&place, &sources, &targets));
        return Ok(BrokerPair::Two { marks });
    }
    ensure!(
        !map.may_lead_back(&filters),
        Usage::new(
            "--to is the address of the same broker, and messages would come back by -t: publish \
             them with --map to topics that no -t matches"
        )
    );
    Ok(BrokerPair::Same { filters })
}

/// The addresses of a broker, each in one form.
fn addresses(options: &client::Options) -> Vec<String> {
    let endpoints = std::iter::once(&options.endpoint).chain(&options.other_endpoints);
    endpoints.map(address).collect()
}

fn address(endpoint: &Endpoint) -> String {
    let path = endpoint.target.split('?').next().unwrap_or_default();
    format!("{}:{}{path}", host(&endpoint.host), endpoint.port)
}

/// What tells the network of this process from all others: the same address may mean another broker
/// there. `None` if the system does not say it.
fn this_network() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = std::fs::read_link("/proc/self/ns/net").ok()?;
    Some(format!("{boot}{}", namespace.display()))
}

/// The host under one of its names.
fn host(name: &str) -> String {
    const LOCAL: &str = "localhost";
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let Ok(address) = name.parse::<IpAddr>() else { return name };
    match address.to_canonical() {
        IpAddr::V4(Ipv4Addr::LOCALHOST | Ipv4Addr::UNSPECIFIED)
        | IpAddr::V6(Ipv6Addr::LOCALHOST | Ipv6Addr::UNSPECIFIED) => LOCAL.to_owned(),
        address => address.to_string(),
    }
}
