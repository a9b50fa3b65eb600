//! The deviation of a server whose topic aliases outlive the connection in which it has set them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::head::RewrittenHead;
use super::packet::RawPacket;
use super::{Change, DeviationMemory, NamedChange, RequestStep, RewriteStep, pass};
use crate::mqtt::packet::{ConnAck, Connect, Packet, Publish};
use crate::mqtt::property::{Property, PropertyId};
use crate::mqtt::topic::TopicName;

/// How many sessions have aliases, and how many each has.
const MOST_SESSIONS: usize = 1_000;
const MOST_ALIASES: usize = 16;

/// The longest topic that gets an alias, in bytes: so memory is bounded.
const LONGEST_TOPIC: usize = 1_000;

/// The alias of each topic of a session.
type TopicNumbers = BTreeMap<TopicName, u16>;

/// The aliases of all sessions, for all connections of a broker.
#[derive(Debug, Clone, Default)]
pub struct SessionAliases(Arc<Mutex<BTreeMap<SessionName, TopicNumbers>>>);

/// Whose session: the path of its broker, and the client identifier.
type SessionName = (String, String);

/// What is known of a connection.
#[derive(Debug, Default)]
pub struct ConnectionAliases {
    sessions: SessionAliases,
    session: SessionName,
    /// The highest alias that the client takes.
    maximum: u16,
    /// What the aliases that the broker has set stand for.
    topics: BTreeMap<u16, TopicName>,
}

pub const CHANGES: &[NamedChange] = &[(
    "aliases-outlive-connections",
    Change { request: Some(note_path), ..Change::packets(note_connect, with_kept_alias) },
)];

impl ConnectionAliases {
    /// A new connection.
    pub fn new(sessions: SessionAliases) -> Self {
        Self { sessions, ..Self::default() }
    }

    /// Does something with the aliases of this session.
    fn with<T>(&self, work: impl FnOnce(&mut TopicNumbers) -> T) -> T {
        let mut sessions = self.sessions.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sessions.len() >= MOST_SESSIONS && !sessions.contains_key(&self.session) {
            sessions.pop_first();
        }
        work(sessions.entry(self.session.clone()).or_default())
    }

    fn accept(&mut self, connack: &ConnAck) {
        if let Some(assigned) = connack.properties.assigned_client_identifier() {
            self.session.1 = assigned.to_string();
        }
        if !connack.session_present && !connack.code.is_error() {
            self.with(BTreeMap::clear);
        }
    }

    /// Puts the aliases of the session into a message, in the place of the broker's.
    fn apply(&mut self, publish: &mut Publish) {
        let set = publish.properties.topic_alias();
        publish.properties.remove(PropertyId::TopicAlias);
        if let (Some(alias), Some(topic)) = (set, &publish.topic) {
            self.topics.insert(alias, topic.clone());
        }
        let known = set.and_then(|alias| self.topics.get(&alias).cloned());
        publish.topic = publish.topic.take().or(known);
        let Some(topic) = publish.topic.clone() else { return };
        let Some((alias, is_new)) = self.alias(&topic) else { return };
        if !is_new {
            publish.topic = None;
        }
        publish.properties.push(Property::number(PropertyId::TopicAlias, alias.into()));
    }

    /// The alias of a topic, and whether it is new in the session.
    fn alias(&self, topic: &TopicName) -> Option<(u16, bool)> {
        let maximum = self.maximum;
        self.with(|aliases| {
            if let Some(alias) = aliases.get(topic) {
                return (*alias <= maximum).then_some((*alias, false));
            }
            let has_room = aliases.len() < MOST_ALIASES.min(maximum.into());
            let next = u16::try_from(aliases.len() + 1).ok().filter(|_| has_room)?;
            let is_short = topic.as_str().len() <= LONGEST_TOPIC;
            is_short.then(|| {
                aliases.insert(topic.clone(), next);
                (next, true)
            })
        })
    }
}

fn note_path(memory: &mut DeviationMemory, head: &RewrittenHead) -> RequestStep {
    head.target().clone_into(&mut memory.aliases.session.0);
    RequestStep::Pass
}

fn note_connect(memory: &mut DeviationMemory, packet: &RawPacket) -> Vec<RewriteStep> {
    if let Some(Connect { client_id, properties, .. }) = packet.connect() {
        memory.aliases.session.1 = client_id.to_string();
        memory.aliases.maximum = properties.topic_alias_maximum().unwrap_or(0);
    }
    pass()
}

fn with_kept_alias(memory: &mut DeviationMemory, packet: &RawPacket) -> Vec<RewriteStep> {
    packet.changed(|packet| {
        if let Packet::ConnAck(connack) = packet {
            memory.aliases.accept(connack);
        } else if let Packet::Publish(publish) = packet
            && memory.aliases.maximum > 0
        {
            memory.aliases.apply(publish);
        }
    })
}
