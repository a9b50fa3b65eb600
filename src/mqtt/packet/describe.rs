//! Describes a packet in one line for `-d`, in mosquitto's wording and without secrets. `report`
//! escapes characters that could control a terminal.

use std::fmt::Write;

use super::{Ack, Packet, PacketId, PacketType, Publish, Subscribe, Unsubscribe};
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::version::Version;

impl Packet {
    /// The words that mosquitto's clients print after "sending" or "received".
    pub fn describe(&self) -> String {
        let name = self.packet_type().name();
        match self {
            Self::ConnAck(packet) => format!("{name} ({})", packet.code.0),
            Self::Publish(packet) => packet.describe(packet.payload.len()),
            Self::PubAck(ack) | Self::PubRec(ack) | Self::PubRel(ack) | Self::PubComp(ack) => {
                Ack::describe(self.packet_type(), ack.packet_id, ack.code)
            }
            Self::Subscribe(packet) => describe_subscribe(packet),
            Self::Unsubscribe(packet) => describe_unsubscribe(packet),
            Self::Disconnect(packet) => format!("{name} ({})", packet.code.0),
            Self::Auth(packet) => format!("{name} ({})", packet.code.0),
            Self::Connect(_)
            | Self::SubAck(_)
            | Self::UnsubAck(_)
            | Self::PingReq
            | Self::PingResp => name.to_owned(),
        }
    }
}

impl Ack {
    /// Describes an acknowledgement for the packet log. mosquitto does not print the code of PUBREC
    /// and PUBREL. Here a code that means a failure is printed, because it explains what follows.
    pub fn describe(packet: PacketType, packet_id: PacketId, code: ReasonCode) -> String {
        let name = packet.name();
        match packet {
            PacketType::PubRec | PacketType::PubRel if !code.is_error() => {
                format!("{name} (Mid: {packet_id})")
            }
            _ => format!("{name} (Mid: {packet_id}, RC:{})", code.0),
        }
    }
}

impl Publish {
    /// Describes a message for the packet log, as if its payload had `length` bytes.
    pub fn describe(&self, length: usize) -> String {
        format!(
            "PUBLISH (d{}, q{}, r{}, m{}, '{}', ... ({length} bytes))",
            u8::from(self.dup),
            self.qos,
            u8::from(self.retain),
            self.packet_id.map_or(0, u16::from),
            self.topic_or_empty(),
        )
    }
}

fn describe_subscribe(packet: &Subscribe) -> String {
    let mut line = format!("SUBSCRIBE (Mid: {}", packet.packet_id);
    for one in &packet.subscriptions {
        let (topic, options) = (one.filter.as_str(), one.options(Version::V5) & !0b11);
        // Writing to a `String` cannot fail.
        let _ = write!(line, ", Topic: {topic}, QoS: {}, Options: {options:#04x}", one.qos);
    }
    line + ")"
}

fn describe_unsubscribe(packet: &Unsubscribe) -> String {
    let mut line = format!("UNSUBSCRIBE (Mid: {}", packet.packet_id);
    for filter in &packet.filters {
        // Writing to a `String` cannot fail.
        let _ = write!(line, ", Topic: {}", filter.as_str());
    }
    line + ")"
}
