//! What a mirror is asked to do.

use super::loops::LoopMarks;
use crate::client;
use crate::command::subscribe::config::{EndConditions, Filter, StartOptions};
use crate::format::summary::SummaryForm;
use crate::format::topic_map::TopicMap;
use crate::mqtt::packet::Subscription;
use crate::mqtt::property::Properties;
use crate::mqtt::topic::TopicFilter;
use crate::report::Verbosity;

/// What a mirror is asked to do.
pub struct MirrorConfig {
    /// The broker that messages come from.
    pub source: client::Options,
    /// The broker that they go to.
    pub target: client::Options,
    /// The subscriptions.
    pub subscribe: Vec<Subscription>,
    /// The properties of SUBSCRIBE.
    pub subscribe_properties: Properties,
    /// What becomes of them on the way.
    pub passage: Passage,
    /// When it ends.
    pub end: EndConditions,
    /// The form of the summary, if there is to be one.
    pub summary: Option<SummaryForm>,
    /// What is told when the subscriptions are granted.
    pub start: StartOptions,
    /// Which lines go to stderr.
    pub verbosity: Verbosity,
}

/// Which messages are passed on, and to which topics.
pub struct Passage {
    /// Which.
    pub filter: Filter,
    /// To which topics.
    pub map: TopicMap,
    /// Whether the two brokers are one.
    pub brokers: BrokerPair,
}

/// Whether the two brokers are one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokerPair {
    /// They have different addresses.
    Two {
        /// What keeps messages from coming back over other mirrors.
        marks: Option<LoopMarks>,
    },
    /// They have the same address: what is passed on must not come back.
    Same {
        /// The topic filters that are subscribed to.
        filters: Vec<TopicFilter>,
    },
}
