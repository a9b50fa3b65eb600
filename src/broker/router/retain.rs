//! PUBLISH with the retain flag (§3.3.1.3), and the retained messages as a whole.

use std::time::Instant;

use super::Router;
use super::message::{AppMessage, Grant};
use super::retained::Retained;
use crate::broker::memory::MemoryLevel;
use crate::mqtt::packet::Publish;

impl Router {
    /// Retains a message if there is room for it.
    pub(super) fn retain(&mut self, message: &mut AppMessage) {
        let topic = message.topic.as_str();
        if !self.has_room_to_retain(message) {
            if self.retained.count_lost() {
                self.lines.warnings.push(format!(
                    "there is no room for more retained messages (see --limit): {topic:?} is \
                     delivered, but not retained"
                ));
            }
            return;
        }
        let lost = self.retained.take_lost();
        if lost > 0 {
            let messages = if lost == 1 { "message was" } else { "messages were" };
            self.lines.warnings.push(format!("{lost} {messages} not retained"));
        }
        self.retained.store(message);
    }

    /// Whether a message can be retained.
    pub(super) fn has_room_to_retain(&self, message: &AppMessage) -> bool {
        // The first change copies the index of all that it shares with other brokers.
        let is_affordable = !self.retained.is_shared() || self.memory.level < MemoryLevel::Low;
        is_affordable && self.retained.has_room(message, &self.limits)
    }

    /// The retained messages, for another broker to begin with.
    pub fn shared_retained(&self) -> Retained {
        self.retained.clone()
    }

    /// Begins with these retained messages.
    pub fn begin_with(&mut self, retained: Retained) {
        self.retained = retained;
    }

    /// Retains a message that no client has published; false when there is no room for it.
    #[must_use]
    pub fn load_retained(&mut self, mut publish: Publish, now: Instant) -> bool {
        let Some(topic) = publish.topic.take() else { return false };
        let mut message = AppMessage::published(publish, topic, now);
        let has_room = self.retained.has_room(&message, &self.limits);
        if has_room {
            self.retained.store(&mut message);
        }
        has_room
    }

    /// All retained messages, with the time that they have left.
    pub fn retained_messages(&self, now: Instant) -> Vec<Publish> {
        let publish = |message: &AppMessage| {
            let grant = Grant { qos: message.qos, retain: true, ..Grant::default() };
            message.delivery(&grant).into_publish(now)
        };
        self.retained.all(now).map(publish).collect()
    }
}
