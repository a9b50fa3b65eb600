//! SUBSCRIBE, SUBACK, UNSUBSCRIBE and UNSUBACK.

use crate::mqtt::packet::PacketId;
use crate::mqtt::property::Properties;
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::topic::TopicFilter;

/// SUBSCRIBE (§3.8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribe {
    /// Answered by the SUBACK with the same identifier.
    pub packet_id: PacketId,
    /// MQTT 5 only: subscription identifier, user properties.
    pub properties: Properties,
    /// At least one `[MQTT-3.8.3-2]`.
    pub subscriptions: Vec<Subscription>,
}

/// One topic filter with its Subscription Options (§3.8.3.1). Before MQTT 5 only the `QoS` is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// What is subscribed to.
    pub filter: TopicFilter,
    /// The highest `QoS` at which messages are wanted.
    pub qos: QoS,
    /// Do not send back what this connection publishes.
    pub no_local: bool,
    /// Keep the RETAIN flag as it was published.
    pub retain_as_published: bool,
    /// Which retained messages are wanted at the time of subscribing.
    pub retain_handling: RetainHandling,
}

impl Subscription {
    /// A subscription with the default options.
    pub fn new(filter: TopicFilter, qos: QoS) -> Self {
        Self {
            filter,
            qos,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::Always,
        }
    }
}

/// Retain Handling (§3.8.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum RetainHandling {
    /// 0: retained messages at every SUBSCRIBE.
    #[default]
    Always = 0,
    /// 1: only if the subscription did not exist.
    New = 1,
    /// 2: never.
    Never = 2,
}

/// SUBACK (§3.9): a code for each filter, in order; below 0x80 it is the granted `QoS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubAck {
    /// The identifier of the SUBSCRIBE.
    pub packet_id: PacketId,
    /// MQTT 5 only.
    pub properties: Properties,
    /// One per filter.
    pub codes: Vec<ReasonCode>,
}

/// UNSUBSCRIBE (§3.10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsubscribe {
    /// Answered by the UNSUBACK with the same identifier.
    pub packet_id: PacketId,
    /// MQTT 5 only.
    pub properties: Properties,
    /// At least one `[MQTT-3.10.3-2]`.
    pub filters: Vec<TopicFilter>,
}

/// UNSUBACK (§3.11). Before MQTT 5 it has no codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsubAck {
    /// The identifier of the UNSUBSCRIBE.
    pub packet_id: PacketId,
    /// MQTT 5 only.
    pub properties: Properties,
    /// One per filter in MQTT 5, none before.
    pub codes: Vec<ReasonCode>,
}
