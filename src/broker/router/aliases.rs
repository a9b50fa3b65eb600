//! The topic aliases of messages to one client (§3.3.2.3.4): the first topics have one each.

use std::collections::HashMap;

use crate::mqtt::packet::Publish;
use crate::mqtt::property::{Property, PropertyId};
use crate::mqtt::topic::TopicName;
use crate::mqtt::version::Version;

use super::copies;

/// How many are used, whatever the client allows.
const MOST: u16 = 64;
/// The length of the shortest topic that gets one. The property takes three bytes, and may make the
/// property length longer by one: a message without a topic of five bytes is shorter in any case.
const SHORTEST: usize = 5;

/// The aliases of one connection.
#[derive(Debug)]
pub struct OutboundAliases {
    topics: HashMap<TopicName, u16>,
    maximum: u16,
}

impl OutboundAliases {
    /// Those of a client that allows so many (Topic Alias Maximum); `None` if it allows none.
    pub fn new(maximum: u16) -> Option<Self> {
        (maximum > 0).then(|| Self { topics: HashMap::new(), maximum: maximum.min(MOST) })
    }

    /// Puts the alias of its topic into a message, which need not have the topic then. A message
    /// that would be longer than `maximum_packet` with it stays as it is.
    pub fn apply(&mut self, publish: &mut Publish, maximum_packet: usize) {
        let Some(topic) = publish.topic.as_ref().filter(|topic| topic.as_str().len() >= SHORTEST)
        else {
            return;
        };
        let alias = if let Some(alias) = self.topics.get(topic) {
            *alias
        } else {
            let next = u16::try_from(self.topics.len()).map_or(u16::MAX, |count| count + 1);
            if next > self.maximum || longest(publish) > maximum_packet {
                return;
            }
            let property = Property::number(PropertyId::TopicAlias, next.into());
            self.topics.insert(copies::topic(topic), next);
            return publish.properties.push(property);
        };
        publish.topic = None;
        publish.properties.push(Property::number(PropertyId::TopicAlias, alias.into()));
    }
}

/// At most how long a message is with an alias beside its topic, in bytes.
fn longest(publish: &Publish) -> usize {
    let Publish { properties, payload, .. } = publish;
    // Fixed header, length of the topic, packet identifier, and the property, which may make the
    // property length longer.
    let heads = 5 + 2 + 2 + 3 + 1;
    heads + publish.topic_or_empty().len() + properties.encoded_len(Version::V5) + payload.len()
}
