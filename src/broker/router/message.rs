//! One application message on its way from its publisher to its subscribers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::copies::{self, CopyBlock};
use crate::broker::limits::{MESSAGE_OVERHEAD, PROPERTY_OVERHEAD};
use crate::mqtt::packet::{Publish, Will};
use crate::mqtt::property::{Properties, Property, PropertyId};
use crate::mqtt::qos::QoS;
use crate::mqtt::topic::{TopicFilter, TopicName};
use crate::mqtt::version::Version;

/// Where the bytes of a message are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageBytes {
    /// In what was read from the socket with it.
    Read,
    /// In a block that it shares with other messages.
    Block,
    /// In memory of its own.
    Own,
}

/// A message as it was published; what belongs to one hop only (alias, identifiers) is gone.
#[derive(Debug, Clone)]
pub struct AppMessage {
    /// Where it was published.
    pub topic: TopicName,
    /// What was published.
    pub payload: Bytes,
    /// The QoS it was published at.
    pub qos: QoS,
    /// Whether it was published to be retained.
    pub retain: bool,
    /// What the server forwards unaltered (`[MQTT-3.3.2-4]` and its likes).
    pub properties: Properties,
    /// When it is no longer worth delivering (§3.3.2.3.3).
    pub expires_at: Option<Instant>,
    memory: MessageBytes,
}

/// How one subscriber gets a message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grant {
    /// The highest QoS it was granted.
    pub qos: QoS,
    /// The RETAIN flag it sees.
    pub retain: bool,
    /// The subscription identifiers of all its subscriptions that match (§3.3.2.3.8).
    pub identifiers: Vec<u32>,
    /// The shared subscription through which it gets the message, if it does.
    pub shared: Option<Arc<TopicFilter>>,
}

/// What became of a message for one session; the later the worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeliveryOutcome {
    /// The session gets none.
    None,
    /// It was sent or queued.
    Done,
    /// It was queued for a client that takes nothing now.
    Idle,
    /// It was lost, as those of QoS 0 may be.
    Dropped,
    /// It was lost because the queue is full.
    Overflowed,
}

/// Where a message goes if its subscriber does not take it (§4.8.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedOrigin {
    /// The shared subscription.
    pub filter: Arc<TopicFilter>,
    /// The QoS at which the message was published.
    qos: QoS,
}

/// A message addressed to one subscriber.
#[derive(Debug, Clone)]
pub struct AddressedMessage {
    /// The packet, but for its identifier and the time that is left.
    pub publish: Publish,
    /// When it is no longer worth delivering.
    pub expires_at: Option<Instant>,
    /// The shared subscription that it came through.
    pub shared: Option<SharedOrigin>,
    memory: MessageBytes,
}

impl AppMessage {
    /// The message in a PUBLISH whose topic alias was resolved.
    pub fn published(publish: Publish, topic: TopicName, now: Instant) -> Self {
        let Publish { qos, retain, properties, payload, .. } = publish;
        let (properties, expires_at) = forwarded(properties, now);
        Self { topic, payload, qos, retain, properties, expires_at, memory: MessageBytes::Read }
    }

    /// A retained message of the broker itself.
    pub fn own(topic: TopicName, payload: Bytes) -> Self {
        Self {
            topic,
            payload,
            qos: QoS::ExactlyOnce,
            retain: true,
            properties: Properties::default(),
            expires_at: None,
            memory: MessageBytes::Own,
        }
    }

    /// The message in a will, at the time it is published.
    pub fn willed(will: Will, now: Instant) -> Self {
        let Will { topic, payload, qos, retain, properties } = will;
        let (properties, expires_at) = forwarded(properties, now);
        Self { topic, payload, qos, retain, properties, expires_at, memory: MessageBytes::Read }
    }

    /// The message for one subscriber.
    pub fn delivery(&self, grant: &Grant) -> AddressedMessage {
        let mut properties = self.properties.clone();
        properties.0.extend(
            grant
                .identifiers
                .iter()
                .map(|id| Property::number(PropertyId::SubscriptionIdentifier, *id)),
        );
        let publish = Publish {
            qos: self.qos.min(grant.qos),
            retain: grant.retain,
            properties,
            ..Publish::new(self.topic.clone(), self.payload.clone())
        };
        let shared = grant.shared.as_ref();
        let shared = shared.map(|filter| SharedOrigin { filter: filter.clone(), qos: self.qos });
        AddressedMessage { publish, expires_at: self.expires_at, shared, memory: self.memory }
    }

    /// The message that one member of a shared subscription did not take, for another.
    pub fn taken_back(delivery: AddressedMessage) -> Option<(Arc<TopicFilter>, Self)> {
        let AddressedMessage { publish, expires_at, shared, memory } = delivery;
        let SharedOrigin { filter, qos } = shared?;
        let Publish { topic, payload, retain, mut properties, .. } = publish;
        properties.remove(PropertyId::SubscriptionIdentifier);
        let topic = topic?;
        Some((filter, Self { topic, payload, qos, retain, properties, expires_at, memory }))
    }

    /// Whether its time has passed. One that has no time reaches those to whom it can be sent at
    /// once.
    pub fn is_expired(&self, now: Instant) -> bool {
        self.expires_at.is_some_and(|at| at < now)
    }

    /// What it costs to keep, in bytes.
    pub fn weight(&self) -> usize {
        let topic = self.topic.as_str().len();
        MESSAGE_OVERHEAD + topic + self.payload.len() + weight_of(&self.properties)
    }

    /// Gives it memory that it shares with few others, because it is kept for a while by a client
    /// that reads. All who keep it share that.
    pub fn detach_into(&mut self, block: &mut CopyBlock) {
        if self.memory != MessageBytes::Read {
            return;
        }
        let small = block.bytes(&self.payload);
        self.memory = if small.is_some() { MessageBytes::Block } else { MessageBytes::Own };
        self.payload = small.unwrap_or_else(|| copies::bytes(&self.payload));
        self.topic = block.topic(&self.topic);
        self.properties = copies::properties(&self.properties);
    }

    /// Gives it memory of its own, because it will be kept. All who keep it share that.
    pub fn detach(&mut self) {
        if self.memory != MessageBytes::Own {
            self.topic = copies::topic(&self.topic);
            self.payload = copies::bytes(&self.payload);
            self.properties = copies::properties(&self.properties);
            self.memory = MessageBytes::Own;
        }
    }
}

impl AddressedMessage {
    /// What it costs to keep, in bytes.
    pub fn weight(&self) -> usize {
        weight(&self.publish)
    }

    /// Gives it memory of its own, because it will be kept.
    pub fn detach(&mut self) {
        if self.memory != MessageBytes::Own {
            self.publish.topic = self.publish.topic.as_ref().map(copies::topic);
            self.publish.payload = copies::bytes(&self.publish.payload);
            self.publish.properties = copies::properties(&self.publish.properties);
            self.memory = MessageBytes::Own;
        }
    }

    /// Whether its time has passed. One that has no time reaches those to whom it can be sent at
    /// once.
    pub fn is_expired(&self, now: Instant) -> bool {
        self.expires_at.is_some_and(|at| at < now)
    }

    /// The packet to send now, with the time that is left `[MQTT-3.3.2-6]`.
    pub fn publish_at(&self, now: Instant) -> Publish {
        self.clone().into_publish(now)
    }

    /// The packet to send now, when it is not needed again.
    pub fn into_publish(self, now: Instant) -> Publish {
        let mut publish = self.publish;
        if let Some(at) = self.expires_at {
            let left = at.saturating_duration_since(now).as_millis().div_ceil(1000);
            let left = u32::try_from(left).unwrap_or(u32::MAX);
            publish.properties.0.push(Property::number(PropertyId::MessageExpiryInterval, left));
        }
        publish
    }
}

/// Whether answers can be published: a Response Topic has no wildcards `[MQTT-3.3.2-14]`.
pub fn is_answerable(properties: &Properties) -> bool {
    properties.response_topic().is_none_or(|topic| !topic.contains(['+', '#']))
}

/// What a PUBLISH costs to keep, in bytes.
pub fn weight(publish: &Publish) -> usize {
    let topic = publish.topic_or_empty().len();
    MESSAGE_OVERHEAD + topic + publish.payload.len() + weight_of(&publish.properties)
}

fn weight_of(properties: &Properties) -> usize {
    if properties.0.is_empty() {
        return 0;
    }
    properties.0.len() * PROPERTY_OVERHEAD + properties.encoded_len(Version::V5)
}

/// Splits properties into what is forwarded and the time at which the message expires.
fn forwarded(mut properties: Properties, now: Instant) -> (Properties, Option<Instant>) {
    let expires_at = properties
        .message_expiry_interval()
        .and_then(|seconds| now.checked_add(Duration::from_secs(seconds.into())));
    properties.0.retain(|property| {
        !matches!(
            property.id(),
            PropertyId::MessageExpiryInterval
                | PropertyId::TopicAlias
                | PropertyId::SubscriptionIdentifier
                | PropertyId::WillDelayInterval
        )
    });
    (properties, expires_at)
}
