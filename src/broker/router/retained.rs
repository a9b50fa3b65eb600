//! The last retained message of each topic (§3.3.1.3).

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Instant;

use super::message::AppMessage;
use crate::broker::limits::{Limit, Limits};
use crate::mqtt::topic::TopicFilter;

/// All retained messages, in the order of their topics.
#[derive(Debug, Default)]
pub struct Retained {
    messages: BTreeMap<Box<str>, AppMessage>,
    weight: usize,
    /// Messages that were not stored because there was no room, and not yet reported.
    lost: u64,
}

impl Retained {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether a message can be stored in place of the previous one of its topic.
    pub fn has_room(&self, message: &AppMessage, limits: &Limits) -> bool {
        if message.payload.is_empty() {
            return true;
        }
        let old = self.messages.get(message.topic.as_str()).map(AppMessage::weight);
        let count = self.messages.len() + usize::from(old.is_none());
        let weight = self.weight - old.unwrap_or(0) + message.weight();
        count <= limits.get(Limit::RetainedMessages) && weight <= limits.get(Limit::RetainedBytes)
    }

    /// Stores a message in place of the previous one, or only removes that one if the payload is
    /// empty `[MQTT-3.3.1-6]`.
    pub fn store(&mut self, message: &mut AppMessage) {
        if let Some(old) = self.messages.remove(message.topic.as_str()) {
            self.weight -= old.weight();
        }
        if !message.payload.is_empty() {
            self.weight += message.weight();
            message.detach();
            self.messages.insert(message.topic.as_str().into(), message.clone());
        }
    }

    /// Counts a message that was not stored; true if the one before it was.
    pub fn count_lost(&mut self) -> bool {
        self.lost += 1;
        self.lost == 1
    }

    /// How many messages were not stored since the last call.
    pub fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    /// All messages that have not expired.
    pub fn all(&self, now: Instant) -> impl Iterator<Item = &AppMessage> {
        self.messages.values().filter(move |message| !message.is_expired(now))
    }

    /// The messages that a filter matches. Expired ones are removed.
    pub fn matching(&mut self, filter: &TopicFilter, now: Instant) -> Vec<AppMessage> {
        let prefix = literal_prefix(filter.as_str());
        let from = (Bound::Included(prefix), Bound::Unbounded);
        let mut expired = Vec::new();
        let mut found = Vec::new();
        for (topic, message) in self.messages.range::<str, _>(from) {
            if !topic.starts_with(prefix) {
                break;
            }
            if message.is_expired(now) {
                expired.push(topic.clone());
            } else if filter.matches(&message.topic) {
                found.push(message.clone());
            }
        }
        for topic in expired {
            if let Some(old) = self.messages.remove(&topic) {
                self.weight -= old.weight();
            }
        }
        found
    }
}

/// What every topic that the filter matches begins with. `a/#` matches `a`, too `[MQTT-4.7.1-2]`.
fn literal_prefix(filter: &str) -> &str {
    let end = filter.find(['+', '#']).unwrap_or(filter.len());
    let prefix = &filter[..end];
    if end < filter.len() { prefix.strip_suffix('/').unwrap_or(prefix) } else { prefix }
}
