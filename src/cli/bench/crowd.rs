//! The flags of `bench` for its connections and topics.

use anyhow::{Result, ensure};
use clap::{ArgAction, Args};

use crate::cli::disturbances::scaled;
use crate::command::bench::config::{BenchAction, RemoteLoad};
use crate::command::bench::plan::{Audience, Plan, WriterPlace};
use crate::exit::Usage;

/// Connections and topics.
#[derive(Debug, Args)]
#[command(next_help_heading = "Load")]
pub struct CrowdFlags {
    /// Connections that publish [default: 1; 0 where --sub or --connect is given]
    #[arg(long = "pub", value_name = "N", value_parser = connections, allow_hyphen_values = true)]
    publishers: Option<usize>,

    /// Connections that subscribe [default: 1; 0 where --pub or --connect is given]
    #[arg(long = "sub", value_name = "N", value_parser = connections, allow_hyphen_values = true)]
    subscribers: Option<usize>,

    /// Connections that only stand
    #[arg(long = "connect", value_name = "N", value_parser = connections,
          allow_hyphen_values = true)]
    idle: Option<usize>,

    /// Topics; of K topics and N connections, connection c takes every topic k with k mod N = c, or
    /// topic c mod K if there are fewer topics than connections [default: as many as publishers]
    #[arg(long, value_name = "K", value_parser = connections, allow_hyphen_values = true)]
    topics: Option<usize>,

    /// Topic names: `%i` is the number of the topic, `%c` that of its first publisher, `%r` the
    /// run, `%%` a percent sign
    #[arg(
        short = 't',
        long = "topic",
        value_name = "PATTERN",
        default_value = "mqttws/bench/%r/%i",
        allow_hyphen_values = true
    )]
    pub topic: String,

    /// What subscribers subscribe to in place of their topics, wildcards allowed: `%i` is the
    /// number of a topic, `%c` that of the subscriber, `%r` the run; what each must get follows
    /// from matching
    #[arg(long, value_name = "PATTERN", conflicts_with_all = ["sub_all", "part"],
          allow_hyphen_values = true)]
    pub filter: Option<String>,

    /// Every subscriber takes all topics
    #[arg(long, action = ArgAction::Count)]
    sub_all: u8,

    /// Subscribers form so many groups that share their subscriptions: each message comes once to a
    /// group, in any order [default: 1]
    #[arg(long, value_name = "N", num_args = 0..=1, conflicts_with = "part",
          default_missing_value = "1", value_parser = connections)]
    share_groups: Option<usize>,

    /// Connections a second; `none` makes all at once [default: 1000]
    #[arg(long, value_name = "RATE", value_parser = connect_rate, allow_hyphen_values = true)]
    connect_rate: Option<ConnectRate>,

    /// Allow a load for a server beyond this machine and private networks
    #[arg(long, action = ArgAction::Count)]
    allow_remote: u8,

    /// Print the plan, and connect to nothing
    #[arg(long, action = ArgAction::Count)]
    dry_run: u8,
}

/// Connections a second.
#[derive(Debug, Clone, Copy, PartialEq)]
enum ConnectRate {
    /// So many.
    Limited(f64),
    /// All at once.
    None,
}

impl ConnectRate {
    fn limit(self) -> Option<f64> {
        match self {
            Self::Limited(rate) => Some(rate),
            Self::None => None,
        }
    }
}

/// Connections a second, unless a rate is given.
const CONNECT_RATE: f64 = 1000.0;

/// The most connections of a kind, and topics.
const MOST: usize = 1_000_000;

fn connections(text: &str) -> Result<usize, String> {
    let number: Option<usize> = text.parse().ok();
    number
        .filter(|number| *number <= MOST)
        .ok_or_else(|| "expected a number from 0 to 1000000".to_owned())
}

fn connect_rate(text: &str) -> Result<ConnectRate, String> {
    if text == "none" {
        return Ok(ConnectRate::None);
    }
    scaled(text)
        .map(ConnectRate::Limited)
        .ok_or_else(|| "expected connections a second, such as 500 or 2k, or none".to_owned())
}

/// Each group of a shared subscription needs a member.
fn check_groups(groups: Option<usize>, subscribers: usize) -> Result<()> {
    if let Some(groups) = groups {
        let why =
            format!("--share-groups: {groups} groups of {subscribers} subscribers: each needs one");
        ensure!((1..=subscribers).contains(&groups), Usage::new(why));
    }
    Ok(())
}

impl CrowdFlags {
    /// The connections and topics.
    pub fn plan(&self) -> Result<Plan> {
        let given = [self.publishers, self.subscribers, self.idle];
        let is_default = given.iter().all(Option::is_none);
        let [publishers, subscribers, idle] = given.map(Option::unwrap_or_default);
        let (publishers, subscribers) = if is_default { (1, 1) } else { (publishers, subscribers) };
        ensure!(
            publishers + subscribers + idle > 0,
            Usage::new(
                "--pub, --sub, --connect: there is no connection: give one of them 1 at least"
            )
        );
        let usual = if publishers > 0 { publishers } else { subscribers };
        let topics = self.topics.unwrap_or(usual);
        ensure!(
            topics > 0 || publishers + subscribers == 0,
            Usage::new("--topics: expected at least 1")
        );
        check_groups(self.share_groups, subscribers)?;
        let audience = match (&self.filter, self.sub_all) {
            (Some(_), _) => Audience::Filtered,
            (None, 0) => Audience::Shared,
            (None, _) => Audience::Everyone,
        };
        Ok(Plan {
            publishers,
            writers: WriterPlace::Here,
            subscribers,
            idle,
            topics: topics.max(1),
            audience,
            groups: self.share_groups,
        })
    }

    /// Connections a second; `None` is all at once.
    pub fn connect_rate(&self) -> Option<f64> {
        self.connect_rate.map_or(Some(CONNECT_RATE), ConnectRate::limit)
    }

    /// Whether `--connect-rate` was given.
    pub fn has_connect_rate(&self) -> bool {
        self.connect_rate.is_some()
    }

    /// Connections a second, if a rate was given: so many come back a second.
    pub fn comeback_rate(&self) -> Option<f64> {
        self.connect_rate.and_then(ConnectRate::limit)
    }

    /// Whether the load is done, or its plan printed.
    pub fn action(&self) -> BenchAction {
        if self.dry_run > 0 { BenchAction::Print } else { BenchAction::Run }
    }

    /// Whether a server beyond this machine and private networks may be loaded.
    pub fn remote(&self) -> RemoteLoad {
        if self.allow_remote > 0 { RemoteLoad::Allowed } else { RemoteLoad::Spared }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_may_connect_at_once() {
        assert_eq!(connect_rate("none"), Ok(ConnectRate::None));
        assert_eq!(connect_rate("2k"), Ok(ConnectRate::Limited(2000.0)));
        assert!(connect_rate("0").is_err() && connections("1000001").is_err());
    }
}
