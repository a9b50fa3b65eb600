//! PUBLISH and its four acknowledgements.

use bytes::Bytes;

use crate::mqtt::packet::PacketId;
use crate::mqtt::property::Properties;
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::topic::TopicName;

/// PUBLISH (§3.3).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Publish {
    /// A re-delivery `[MQTT-3.3.1-1]`; never with `QoS` 0 `[MQTT-3.3.1-2]`.
    pub dup: bool,
    /// The delivery guarantee.
    pub qos: QoS,
    /// To the server: keep it. From the server: it was kept.
    pub retain: bool,
    /// The topic name. `None` only in MQTT 5, where the Topic Alias property stands for it
    /// (§3.3.2.3.4).
    pub topic: Option<TopicName>,
    /// Present exactly when the `QoS` is above 0 `[MQTT-2.2.1-2]`.
    pub packet_id: Option<PacketId>,
    /// MQTT 5 only; empty before.
    pub properties: Properties,
    /// The application message: any bytes.
    pub payload: Bytes,
}

/// PUBACK, PUBREC, PUBREL and PUBCOMP (§3.4 to §3.7) share one form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    /// The identifier of the PUBLISH it answers.
    pub packet_id: PacketId,
    /// 0 is success; before MQTT 5 there is nothing else.
    pub code: ReasonCode,
    /// MQTT 5 only: reason string, user properties.
    pub properties: Properties,
}

impl Ack {
    /// An acknowledgement of success without properties: two bytes on the wire in every version.
    pub fn success(packet_id: PacketId) -> Self {
        Self { packet_id, code: ReasonCode::SUCCESS, properties: Properties::default() }
    }
}
