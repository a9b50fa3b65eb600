//! `$SYS/broker/...`: what the broker tells about itself, under the names that mosquitto uses. It
//! is published only while there is a subscription for it.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::message::AppMessage;
use super::{Alarm, Router};
use crate::mqtt::topic::{TopicFilter, TopicName};

/// How often what has changed is published.
pub const INTERVAL: Duration = Duration::from_secs(10);

/// The first level of the topics.
const FIRST_LEVEL: &str = "$SYS";

/// What was counted since the start.
#[derive(Debug, Default)]
pub struct BrokerStatistics {
    started: Option<Instant>,
    /// What clients have sent.
    pub received: DirectionTraffic,
    /// What they were sent.
    pub sent: DirectionTraffic,
    /// Messages that were lost because a client was too slow.
    pub dropped: u64,
    clients: ClientCount,
    /// What was published last, in the order of the topics.
    published: Vec<String>,
    alarm: Option<Instant>,
}

/// What went in one direction.
#[derive(Debug, Default)]
pub struct DirectionTraffic {
    /// Bytes of the sockets, frames included.
    pub bytes: u64,
    /// Packets of every type.
    pub packets: u64,
    /// Those of them that are PUBLISH.
    pub messages: u64,
}

/// How many clients there are.
#[derive(Debug, Default)]
struct ClientCount {
    connected: u64,
    /// The most there were at once.
    maximum: u64,
    /// Sessions that have expired.
    expired: u64,
}

impl BrokerStatistics {
    /// The broker starts.
    pub fn start(&mut self, now: Instant) {
        self.started.get_or_insert(now);
    }

    /// A client has connected.
    pub fn connected(&mut self) {
        let clients = &mut self.clients;
        clients.connected += 1;
        clients.maximum = clients.maximum.max(clients.connected);
    }

    /// It is no longer connected.
    pub fn disconnected(&mut self) {
        self.clients.connected = self.clients.connected.saturating_sub(1);
    }

    /// A session has expired.
    pub fn expired(&mut self) {
        self.clients.expired += 1;
    }
}

impl Router {
    /// The values by their topics, in an order that does not change.
    fn statistics(&self, now: Instant) -> Vec<(&'static str, String)> {
        let BrokerStatistics { started, received, sent, dropped, clients, .. } = &self.statistics;
        let uptime = started.map_or(0, |started| now.duration_since(started).as_secs());
        let total = self.sessions.len() as u64;
        let numbers = [
            ("$SYS/broker/clients/connected", clients.connected),
            ("$SYS/broker/clients/disconnected", total.saturating_sub(clients.connected)),
            ("$SYS/broker/clients/expired", clients.expired),
            ("$SYS/broker/clients/maximum", clients.maximum),
            ("$SYS/broker/clients/total", total),
            ("$SYS/broker/messages/received", received.packets),
            ("$SYS/broker/messages/sent", sent.packets),
            ("$SYS/broker/publish/messages/received", received.messages),
            ("$SYS/broker/publish/messages/sent", sent.messages),
            ("$SYS/broker/publish/messages/dropped", *dropped),
            ("$SYS/broker/bytes/received", received.bytes),
            ("$SYS/broker/bytes/sent", sent.bytes),
            ("$SYS/broker/retained messages/count", self.retained.len() as u64),
            ("$SYS/broker/subscriptions/count", self.sessions.subscriptions() as u64),
        ];
        let texts = [
            ("$SYS/broker/version", concat!("mqttws version ", env!("CARGO_PKG_VERSION")).into()),
            ("$SYS/broker/uptime", format!("{uptime} seconds")),
        ];
        texts
            .into_iter()
            .chain(numbers.map(|(topic, number)| (topic, number.to_string())))
            .collect()
    }

    /// The retained messages that a new subscription gets; what changes later is published.
    pub(super) fn watch_statistics(&mut self, filter: &TopicFilter, now: Instant) {
        if is_below_sys(filter) && self.statistics.alarm.is_none() {
            let at = now + INTERVAL;
            self.statistics.alarm = Some(at);
            self.timers.set(at, Alarm::Statistics);
        }
    }

    /// Those that a filter matches, as retained messages.
    pub(super) fn statistics_matching(
        &self,
        filter: &TopicFilter,
        now: Instant,
    ) -> Vec<AppMessage> {
        if !is_below_sys(filter) {
            return Vec::new();
        }
        let values = self.statistics(now).into_iter().map(message);
        values.filter(|message| filter.matches(&message.topic)).collect()
    }

    /// Publishes what has changed, as long as there is a subscription.
    pub(super) fn publish_statistics(&mut self, now: Instant) {
        self.statistics.alarm = None;
        if !self.subscriptions.has_first_level(FIRST_LEVEL) {
            return;
        }
        let at = now + INTERVAL;
        self.statistics.alarm = Some(at);
        self.timers.set(at, Alarm::Statistics);
        // What waits in common queues was not counted.
        self.readmit_all();
        let values = self.statistics(now);
        let before = std::mem::take(&mut self.statistics.published);
        for (index, value) in values.iter().enumerate() {
            if before.get(index) != Some(&value.1) {
                self.distribute(&mut message(value.clone()), None, None, now);
            }
        }
        self.statistics.published = values.into_iter().map(|(_, value)| value).collect();
    }
}

/// The message for a value.
fn message((topic, value): (&'static str, String)) -> AppMessage {
    let topic = TopicName::new(topic).expect("the topics of the table are valid");
    AppMessage::own(topic, Bytes::from(value))
}

/// Whether a filter matches topics below `$SYS` alone; no other matches any of them
/// `[MQTT-4.7.2-1]`.
fn is_below_sys(filter: &TopicFilter) -> bool {
    let path = filter.share().map_or(filter.as_str(), |(_, path)| path);
    path.split('/').next() == Some(FIRST_LEVEL)
}
