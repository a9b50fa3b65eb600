//! The topic aliases that the client has defined for the server on one connection (§3.3.2.3.4).

use std::collections::HashMap;

use crate::mqtt::packet::Publish;
use crate::mqtt::property::{Property, PropertyId};
use crate::mqtt::topic::TopicName;

/// Aliases by topic. They are numbered from 1 and do not change on a connection.
#[derive(Debug, Default)]
pub struct TopicAliases(HashMap<TopicName, u16>);

impl TopicAliases {
    /// Forgets all aliases, because a new connection begins.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The message with an alias for its topic. The first message with an alias carries the topic,
    /// too. Returns `None` if no alias up to `maximum` is free, or if `fits` says that the result
    /// is too large; the message is then sent without an alias.
    pub fn apply(
        &mut self,
        publish: &Publish,
        maximum: u16,
        fits: impl FnOnce(&Publish) -> bool,
    ) -> Option<Publish> {
        let topic = publish.topic.as_ref()?;
        let known = self.0.get(topic).copied();
        let new = u16::try_from(self.0.len() + 1).ok().filter(|&new| new <= maximum);
        let alias = known.or(new)?;
        let mut aliased = publish.clone();
        aliased.properties.push(Property::number(PropertyId::TopicAlias, alias.into()));
        if known.is_some() {
            aliased.topic = None;
        }
        if !fits(&aliased) {
            return None;
        }
        if known.is_none() {
            self.0.insert(topic.clone(), alias);
        }
        Some(aliased)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_topic_is_sent_once_and_then_its_alias() {
        let mut aliases = TopicAliases::default();
        let mut send = |topic: &'static str, fits: bool| {
            let publish = Publish::new(TopicName::new(topic).unwrap(), Bytes::new());
            let publish = aliases.apply(&publish, 2, |_| fits)?;
            Some((publish.topic_or_empty().to_owned(), publish.properties.topic_alias()?))
        };
        assert_eq!(send("a", true), Some(("a".to_owned(), 1)));
        assert_eq!(send("a", true), Some((String::new(), 1)));
        assert_eq!(send("b", false), None, "the server has not seen it");
        assert_eq!(send("b", true), Some(("b".to_owned(), 2)));
        assert_eq!(send("c", true), None, "there is no third alias");
        assert_eq!(send("b", true), Some((String::new(), 2)));
    }
}
