//! `--remove-retained`: a retained message is removed from the broker when it was written, and not
//! before.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::client::Client;
use crate::mqtt::packet::Publish;
use crate::mqtt::qos::QoS;
use crate::mqtt::topic::TopicName;

/// The topics whose retained message is to be removed, each with the number of the message that
/// was theirs.
#[derive(Debug, Default)]
pub struct Removals {
    /// It grows by what the broker sends before it accepts the removals.
    topics: VecDeque<(u64, TopicName)>,
    written: u64,
}

impl Removals {
    /// The retained message of this topic came as this number.
    pub fn add(&mut self, number: u64, topic: &TopicName) {
        // A copy: the topic is a piece of a larger block that is needed no more.
        if let Ok(topic) = TopicName::new(topic.as_str()) {
            self.topics.push_back((number, topic));
        }
    }

    /// Everything up to this message is written.
    pub fn written(&mut self, number: u64) {
        self.written = number;
    }

    /// Publishes as many removals as may be now: an empty retained message each (§3.3.1.3).
    pub fn publish(&mut self, client: &mut Client) {
        while self.topics.front().is_some_and(|(number, _)| *number <= self.written)
            && client.can_publish(QoS::AtLeastOnce)
            && let Some((number, topic)) = self.topics.pop_front()
        {
            let removal = Publish {
                qos: QoS::AtLeastOnce,
                retain: true,
                ..Publish::new(topic, Bytes::new())
            };
            // A broker without retained messages has none to remove.
            let _ = client.publish(removal, number);
        }
    }

    /// Whether the retained messages that were written are removed.
    pub fn is_done(&self, client: &Client) -> bool {
        let waits = self.topics.front().is_some_and(|(number, _)| *number <= self.written);
        !waits && client.is_settled()
    }
}
