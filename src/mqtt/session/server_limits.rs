//! The limits of a server for one connection: the properties of its CONNACK, or their defaults
//! (§3.2.2.3).

use std::num::NonZeroU16;

use crate::mqtt::packet::Publish;
use crate::mqtt::property::Properties;
use crate::mqtt::qos::QoS;
use crate::mqtt::topic::TopicFilter;
use crate::mqtt::version::Version;

use super::{Unsendable, Unsubscribable};

/// Before MQTT 5 a server does not announce how many messages it accepts at once. This many worked
/// with every server that was tried.
const WINDOW_AT_LEAST_ONCE: u16 = 1000;

/// Mosquitto 2.0 drops a connection that has 21 QoS 2 messages in flight (measured.md §1.5).
const WINDOW_EXACTLY_ONCE: u16 = 20;

/// How many messages of this QoS may be in flight at a server that does not say, before MQTT 5.
pub fn unsaid_window(qos: QoS) -> u16 {
    if qos == QoS::ExactlyOnce { WINDOW_EXACTLY_ONCE } else { WINDOW_AT_LEAST_ONCE }
}

/// What a server need not support in MQTT 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionalFeature {
    /// Retained messages.
    Retain,
    /// Filters with wildcards.
    Wildcards,
    /// Subscription identifiers.
    SubscriptionIdentifiers,
    /// Shared subscriptions.
    SharedSubscriptions,
}

impl OptionalFeature {
    /// Those that a CONNACK with these properties denies.
    fn missing_from(connack: &Properties) -> impl Iterator<Item = Self> {
        let answers = [
            (Self::Retain, connack.retain_available()),
            (Self::Wildcards, connack.wildcard_subscription_available()),
            (Self::SubscriptionIdentifiers, connack.subscription_identifier_available()),
            (Self::SharedSubscriptions, connack.shared_subscription_available()),
        ];
        answers.into_iter().filter(|(_, answer)| *answer == Some(false)).map(|(feature, _)| feature)
    }
}

/// The limits of a server. Properties that are absent from a CONNACK have their default, on each
/// connection anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerLimits {
    /// `None` before MQTT 5: the server does not say.
    pub receive_maximum: Option<u16>,
    /// The largest packet that the server accepts, in bytes.
    pub maximum_packet: usize,
    /// The highest QoS that the server accepts.
    pub maximum_qos: QoS,
    /// The highest topic alias that the server accepts; 0 means none.
    pub topic_alias_maximum: u16,
    /// What the server does not support.
    pub missing: Vec<OptionalFeature>,
    /// The keep alive that the server demands, in seconds.
    pub server_keep_alive: Option<u16>,
}

impl ServerLimits {
    /// The defaults of §3.2.2.3.
    pub fn before_connack() -> Self {
        Self {
            receive_maximum: None,
            maximum_packet: usize::MAX,
            maximum_qos: QoS::ExactlyOnce,
            topic_alias_maximum: 0,
            missing: Vec::new(),
            server_keep_alive: None,
        }
    }

    /// The limits that a CONNACK announces.
    pub fn from_connack(properties: &Properties, version: Version) -> Self {
        let defaults = Self::before_connack();
        if !version.has_properties() {
            return defaults;
        }
        Self {
            receive_maximum: Some(properties.receive_maximum().unwrap_or(u16::MAX)),
            maximum_packet: properties
                .maximum_packet_size()
                .and_then(|size| usize::try_from(size).ok())
                .unwrap_or(usize::MAX),
            maximum_qos: properties.maximum_qos().unwrap_or(QoS::ExactlyOnce),
            topic_alias_maximum: properties.topic_alias_maximum().unwrap_or(0),
            missing: OptionalFeature::missing_from(properties).collect(),
            server_keep_alive: properties.server_keep_alive(),
        }
    }

    fn lacks(&self, feature: OptionalFeature) -> bool {
        self.missing.contains(&feature)
    }

    /// How many messages may be in flight at once if the next one has this QoS; `asked` is the
    /// limit of the user.
    pub fn window(&self, qos: QoS, asked: Option<NonZeroU16>) -> usize {
        let window = match (self.receive_maximum, asked) {
            (Some(allowed), asked) => asked.map_or(allowed, |asked| allowed.min(asked.get())),
            (None, asked) => asked.map_or_else(|| unsaid_window(qos), NonZeroU16::get),
        };
        usize::from(window)
    }

    /// Checks whether the server accepts a subscription to `filter` with these properties.
    pub fn check_subscription(
        &self,
        filter: &TopicFilter,
        properties: &Properties,
    ) -> Result<(), Unsubscribable> {
        if self.lacks(OptionalFeature::SharedSubscriptions) && filter.share().is_some() {
            Err(Unsubscribable::Shared)
        } else if self.lacks(OptionalFeature::Wildcards) && filter.has_wildcard() {
            Err(Unsubscribable::Wildcard)
        } else if self.lacks(OptionalFeature::SubscriptionIdentifiers)
            && properties.subscription_identifiers().next().is_some()
        {
            Err(Unsubscribable::Identifier)
        } else {
            Ok(())
        }
    }

    /// Checks whether the server accepts this message with a payload of `length` bytes.
    pub fn check(
        &self,
        publish: &Publish,
        length: usize,
        version: Version,
    ) -> Result<(), Unsendable> {
        if publish.qos > self.maximum_qos {
            return Err(Unsendable::QoSNotSupported(self.maximum_qos));
        }
        if publish.retain && self.lacks(OptionalFeature::Retain) {
            return Err(Unsendable::RetainNotSupported);
        }
        if version.has_properties()
            && publish
                .properties
                .topic_alias()
                .is_some_and(|alias| alias > self.topic_alias_maximum)
        {
            return Err(Unsendable::TopicAliasTooHigh(self.topic_alias_maximum));
        }
        // The length is only computed if the server has announced a limit.
        if self.maximum_packet < usize::MAX {
            let size = publish.encoded_len_with(length, version);
            if size > self.maximum_packet {
                return Err(Unsendable::TooLarge { size, limit: self.maximum_packet });
            }
        }
        Ok(())
    }
}
