//! The topic aliases that a server sets on one connection (MQTT 5 §3.3.2.3.4).

use std::collections::BTreeMap;

use super::finding::Verdict;
use super::journal::Journal;
use crate::mqtt::packet::{Packet, Publish};
use crate::mqtt::topic::TopicName;
use crate::mqtt::version::Version;

/// The aliases of one connection.
#[derive(Debug, Default)]
pub struct Aliases {
    maximum: u16,
    topics: BTreeMap<u16, TopicName>,
}

impl Aliases {
    /// Aliases up to this one are allowed: our Topic Alias Maximum.
    pub fn up_to(maximum: u16) -> Self {
        Self { maximum, topics: BTreeMap::new() }
    }

    /// Gives a message its topic, and notes its alias for `topic-alias-out`.
    pub fn resolve(
        &mut self,
        packet: &mut Packet,
        version: Option<Version>,
        journal: &mut Journal,
    ) {
        if let Packet::Publish(publish) = packet {
            let (verdict, words) = self.judge(publish);
            journal.observe("topic-alias-out", version, verdict, words);
        }
    }

    fn judge(&mut self, publish: &mut Publish) -> (Verdict, String) {
        let Some(alias) = publish.properties.topic_alias() else {
            return (Verdict::Pass, String::new());
        };
        let maximum = self.maximum;
        if alias == 0 || alias > maximum {
            let words = format!("a delivery with the alias {alias}, {maximum} are allowed");
            return (Verdict::Fail, words);
        }
        match &publish.topic {
            Some(topic) => {
                self.topics.insert(alias, topic.clone());
            }
            None => publish.topic = self.topics.get(&alias).cloned(),
        }
        match publish.topic {
            Some(_) => (Verdict::Pass, String::new()),
            None => (Verdict::Fail, format!("a delivery with the alias {alias}, which is not set")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::property::{Property, PropertyId};

    fn publish(topic: Option<&str>, alias: u16) -> Publish {
        let topic = topic.map(|topic| TopicName::new(topic).unwrap());
        let mut publish = Publish { topic, ..Publish::default() };
        publish.properties.push(Property::number(PropertyId::TopicAlias, alias.into()));
        publish
    }

    #[test]
    fn aliases_are_judged_and_resolved() {
        let mut aliases = Aliases::up_to(2);
        for (topic, alias, verdict, resolved) in [
            (None, 1, Verdict::Fail, ""),
            (Some("a"), 1, Verdict::Pass, "a"),
            (None, 1, Verdict::Pass, "a"),
            (Some("b"), 1, Verdict::Pass, "b"),
            (None, 1, Verdict::Pass, "b"),
            (Some("c"), 3, Verdict::Fail, "c"),
        ] {
            let mut publish = publish(topic, alias);
            assert_eq!(aliases.judge(&mut publish).0, verdict, "{topic:?} {alias}");
            assert_eq!(publish.topic_or_empty(), resolved);
        }
        let mut plain = Publish::default();
        assert_eq!(Aliases::default().judge(&mut plain).0, Verdict::Pass);
    }
}
