//! `--changed`: whether the payload of a topic is another than before. Only hashes are kept.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use crate::mqtt::packet::Publish;
use crate::report;

/// The most topics that are remembered: their hashes take at most 60 MB.
const MOST_TOPICS: usize = 1_000_000;

/// What the payloads were.
#[derive(Debug, Default)]
pub struct PayloadChanges {
    /// The hash of each topic, and that of its latest payload.
    latest: HashMap<u64, u64>,
    hasher: RandomState,
    /// Messages of topics for which there was no room.
    without_room: u64,
}

impl PayloadChanges {
    /// Whether this message brings a payload that its topic did not have. A topic for which there
    /// is no room is taken for changed each time.
    pub fn is_new(&mut self, publish: &Publish) -> bool {
        let topic = self.hasher.hash_one(publish.topic_or_empty());
        let payload = self.hasher.hash_one(&publish.payload[..]);
        if let Some(latest) = self.latest.get_mut(&topic) {
            return std::mem::replace(latest, payload) != payload;
        }
        if self.latest.len() < MOST_TOPICS {
            self.latest.insert(topic, payload);
            return true;
        }
        self.without_room += 1;
        if self.without_room == 1 {
            report::note(&format!(
                "--changed: more than {MOST_TOPICS} topics: messages of the others are all written"
            ));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::topic::TopicName;

    #[test]
    fn only_another_payload_is_a_change() {
        let mut changes = PayloadChanges::default();
        let mut is_new = |topic: &str, payload: &'static str| {
            let topic = TopicName::new(topic).expect("a topic");
            changes.is_new(&Publish::new(topic, payload.into()))
        };
        let seen =
            [("a", "1"), ("b", "1"), ("a", "1"), ("a", "2"), ("a", "1"), ("b", "1"), ("a", "")]
                .map(|(topic, payload)| is_new(topic, payload));
        assert_eq!(seen, [true, true, false, true, true, false, true]);
    }
}
