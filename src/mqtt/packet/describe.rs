//! Describes a packet in one line for `-d`: in mosquitto's wording, then the properties, without
//! secrets. `report` escapes characters that could control a terminal.

use std::fmt::Write;

use data_encoding::HEXLOWER;

use super::{Ack, ConnAck, Connect, Packet, PacketId, PacketType, Publish, Subscribe, Unsubscribe};
use crate::mqtt::property::{Properties, PropertyId, Value};
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::version::Version;

/// The longest part of a property's value that is shown, in characters.
const LONGEST_VALUE: usize = 100;

/// After this many properties the others are only counted.
const MOST_PROPERTIES: usize = 30;

/// Stands for a secret.
const HIDDEN: &str = "***";

impl Packet {
    /// The words that mosquitto's clients print after "sending" or "received", and the properties.
    pub fn describe(&self) -> String {
        let name = self.packet_type().name();
        match self {
            Self::Connect(packet) => packet.describe_properties(name.to_owned()),
            Self::ConnAck(packet) => describe_connack(packet),
            Self::Publish(packet) => packet.describe(packet.payload.len()),
            Self::PubAck(ack) | Self::PubRec(ack) | Self::PubRel(ack) | Self::PubComp(ack) => {
                let line = Ack::describe(self.packet_type(), ack.packet_id, ack.code);
                with_properties(line, &ack.properties)
            }
            Self::Subscribe(packet) => describe_subscribe(packet),
            Self::SubAck(packet) => {
                let line = with_codes(PacketType::SubAck, packet.packet_id, &packet.codes);
                with_properties(line, &packet.properties)
            }
            Self::Unsubscribe(packet) => describe_unsubscribe(packet),
            Self::UnsubAck(packet) => {
                let line = with_codes(PacketType::UnsubAck, packet.packet_id, &packet.codes);
                with_properties(line, &packet.properties)
            }
            Self::Disconnect(packet) => {
                with_properties(format!("{name} ({})", packet.code.0), &packet.properties)
            }
            Self::Auth(packet) => {
                with_properties(format!("{name} ({})", packet.code.0), &packet.properties)
            }
            Self::PingReq | Self::PingResp => name.to_owned(),
        }
    }
}

fn describe_connack(packet: &ConnAck) -> String {
    let present = if packet.session_present { ", session present" } else { "" };
    packet.describe_properties(format!(
        "{} ({}){present}",
        PacketType::ConnAck.name(),
        packet.code.0
    ))
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
        let line = format!(
            "PUBLISH (d{}, q{}, r{}, m{}, '{}', ... ({length} bytes))",
            u8::from(self.dup),
            self.qos,
            u8::from(self.retain),
            self.packet_id.map_or(0, u16::from),
            self.topic_or_empty(),
        );
        with_properties(line, &self.properties)
    }
}

impl Connect {
    /// Its properties and those of its will as the packet log has them, after `line`. Its user
    /// properties may hold a token.
    pub fn describe_properties(&self, line: String) -> String {
        let mut line = add_properties(line, &self.properties, Secrets::UserProperties);
        if let Some(will) = self.will.as_ref().filter(|will| !will.properties.is_empty()) {
            line = add_properties(line + "; will", &will.properties, Secrets::Authentication);
        }
        line
    }
}

impl ConnAck {
    /// Its properties as the packet log has them, after `line`.
    pub fn describe_properties(&self, line: String) -> String {
        with_properties(line, &self.properties)
    }
}

fn describe_subscribe(packet: &Subscribe) -> String {
    let mut line = format!("SUBSCRIBE (Mid: {}", packet.packet_id);
    for one in &packet.subscriptions {
        let (topic, options) = (one.filter.as_str(), one.options(Version::V5) & !0b11);
        // Writing to a `String` cannot fail.
        let _ = write!(line, ", Topic: {topic}, QoS: {}, Options: {options:#04x}", one.qos);
    }
    with_properties(line + ")", &packet.properties)
}

fn describe_unsubscribe(packet: &Unsubscribe) -> String {
    let mut line = format!("UNSUBSCRIBE (Mid: {}", packet.packet_id);
    for filter in &packet.filters {
        // Writing to a `String` cannot fail.
        let _ = write!(line, ", Topic: {}", filter.as_str());
    }
    with_properties(line + ")", &packet.properties)
}

/// SUBACK or UNSUBACK with each of its codes, by number and name.
fn with_codes(packet: PacketType, packet_id: PacketId, codes: &[ReasonCode]) -> String {
    let mut line = format!("{} (Mid: {packet_id}", packet.name());
    for code in codes {
        // Writing to a `String` cannot fail.
        let _ = write!(line, ", RC:{} {}", code.0, code.name(packet));
    }
    line + ")"
}

/// Which properties are secrets, beside authentication data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Secrets {
    /// No others.
    Authentication,
    /// The values of user properties.
    UserProperties,
}

fn with_properties(line: String, properties: &Properties) -> String {
    add_properties(line, properties, Secrets::Authentication)
}

/// The line with each property by its name in `-D`.
fn add_properties(mut line: String, properties: &Properties, secrets: Secrets) -> String {
    for property in properties.iter().take(MOST_PROPERTIES) {
        let value = match property.value() {
            Value::Number(number) => number.to_string(),
            Value::Binary(_) if property.id() == PropertyId::AuthenticationData => HIDDEN.into(),
            Value::Text(text) => text_value(text),
            Value::Binary(data) => match std::str::from_utf8(data) {
                Ok(text) => text_value(text),
                Err(_) => binary_value(data),
            },
            Value::Pair(name, _) if secrets == Secrets::UserProperties => {
                format!("{}={HIDDEN}", text_value(name))
            }
            Value::Pair(name, value) => format!("{}={}", text_value(name), text_value(value)),
        };
        // Writing to a `String` cannot fail.
        let _ = write!(line, ", {} {value}", property.id());
    }
    match properties.iter().len().saturating_sub(MOST_PROPERTIES) {
        0 => line,
        others => format!("{line}, and {others} more"),
    }
}

/// A text in quotes, as far as it is shown.
fn text_value(text: &str) -> String {
    match text.char_indices().nth(LONGEST_VALUE) {
        Some((end, _)) => format!("'{}...'", &text[..end]),
        None => format!("'{text}'"),
    }
}

/// Bytes in hexadecimal digits, as far as they are shown.
fn binary_value(data: &[u8]) -> String {
    let shown = &data[..data.len().min(LONGEST_VALUE / 2)];
    let rest = if shown.len() < data.len() { "..." } else { "" };
    format!("0x{}{rest}", HEXLOWER.encode(shown))
}
