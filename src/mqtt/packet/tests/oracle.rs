//! Our codec against an independent one, for 3.1.1 and 5: both decode the same bytes and encode the
//! same bytes.

use mqtt_protocol_core::mqtt::common::Cursor;
use mqtt_protocol_core::mqtt::connection::{PacketBuildResult, PacketBuilder};
use mqtt_protocol_core::mqtt::packet::{v3_1_1, v5_0};
use mqtt_protocol_core::mqtt::result_code::MqttError;
use proptest::prelude::*;

use super::*;
use crate::mqtt::property::PropertyId;

const COMPARED: [Version; 2] = [Version::V3_1_1, Version::V5];

/// The bytes that the other codec encodes for the packet that it decodes from these bytes.
fn other(version: Version, wire: &[u8]) -> Result<Vec<u8>, MqttError> {
    let mut cursor = Cursor::new(wire);
    let raw = match PacketBuilder::new().feed(&mut cursor) {
        PacketBuildResult::Complete(raw) if cursor.position() == wire.len() as u64 => raw,
        PacketBuildResult::Error(error) => return Err(error),
        _ => return Err(MqttError::MalformedPacket),
    };
    let kind = PacketType::from_bits(raw.packet_type()).ok_or(MqttError::MalformedPacket)?;
    let data = raw.data_as_slice();
    if kind == PacketType::Connect {
        return match data.get(6) {
            Some(4) => Ok(raw.parse_exact(v3_1_1::Connect::parse)?.to_continuous_buffer()),
            _ => Ok(raw.parse_exact(v5_0::Connect::parse)?.to_continuous_buffer()),
        };
    }
    if version == Version::V5 { other_v5(kind, &raw) } else { other_v3(kind, &raw) }
}

type Raw = mqtt_protocol_core::mqtt::connection::RawPacket;

fn other_v3(kind: PacketType, raw: &Raw) -> Result<Vec<u8>, MqttError> {
    use v3_1_1 as v;
    Ok(match kind {
        PacketType::ConnAck => raw.parse_exact(v::Connack::parse)?.to_continuous_buffer(),
        PacketType::Publish => raw
            .parse_exact(|data| v::Publish::parse(raw.flags(), data.into()))?
            .to_continuous_buffer(),
        PacketType::PubAck => raw.parse_exact(v::Puback::parse)?.to_continuous_buffer(),
        PacketType::PubRec => raw.parse_exact(v::Pubrec::parse)?.to_continuous_buffer(),
        PacketType::PubRel => raw.parse_exact(v::Pubrel::parse)?.to_continuous_buffer(),
        PacketType::PubComp => raw.parse_exact(v::Pubcomp::parse)?.to_continuous_buffer(),
        PacketType::Subscribe => raw.parse_exact(v::Subscribe::parse)?.to_continuous_buffer(),
        PacketType::SubAck => raw.parse_exact(v::Suback::parse)?.to_continuous_buffer(),
        PacketType::Unsubscribe => raw.parse_exact(v::Unsubscribe::parse)?.to_continuous_buffer(),
        PacketType::UnsubAck => raw.parse_exact(v::Unsuback::parse)?.to_continuous_buffer(),
        PacketType::PingReq => raw.parse_exact(v::Pingreq::parse)?.to_continuous_buffer(),
        PacketType::PingResp => raw.parse_exact(v::Pingresp::parse)?.to_continuous_buffer(),
        PacketType::Disconnect => raw.parse_exact(v::Disconnect::parse)?.to_continuous_buffer(),
        PacketType::Connect | PacketType::Auth => return Err(MqttError::MalformedPacket),
    })
}

fn other_v5(kind: PacketType, raw: &Raw) -> Result<Vec<u8>, MqttError> {
    use v5_0 as v;
    Ok(match kind {
        PacketType::ConnAck => raw.parse_exact(v::Connack::parse)?.to_continuous_buffer(),
        PacketType::Publish => raw
            .parse_exact(|data| v::Publish::parse(raw.flags(), data.into()))?
            .to_continuous_buffer(),
        PacketType::PubAck => raw.parse_exact(v::Puback::parse)?.to_continuous_buffer(),
        PacketType::PubRec => raw.parse_exact(v::Pubrec::parse)?.to_continuous_buffer(),
        PacketType::PubRel => raw.parse_exact(v::Pubrel::parse)?.to_continuous_buffer(),
        PacketType::PubComp => raw.parse_exact(v::Pubcomp::parse)?.to_continuous_buffer(),
        PacketType::Subscribe => raw.parse_exact(v::Subscribe::parse)?.to_continuous_buffer(),
        PacketType::SubAck => raw.parse_exact(v::Suback::parse)?.to_continuous_buffer(),
        PacketType::Unsubscribe => raw.parse_exact(v::Unsubscribe::parse)?.to_continuous_buffer(),
        PacketType::UnsubAck => raw.parse_exact(v::Unsuback::parse)?.to_continuous_buffer(),
        PacketType::PingReq => raw.parse_exact(v::Pingreq::parse)?.to_continuous_buffer(),
        PacketType::PingResp => raw.parse_exact(v::Pingresp::parse)?.to_continuous_buffer(),
        PacketType::Disconnect => raw.parse_exact(v::Disconnect::parse)?.to_continuous_buffer(),
        PacketType::Auth => raw.parse_exact(v::Auth::parse)?.to_continuous_buffer(),
        PacketType::Connect => return Err(MqttError::MalformedPacket),
    })
}

#[test]
fn both_read_and_write_the_valid_rows() {
    let mut differences = Vec::new();
    for row in rows() {
        for version in COMPARED.into_iter().filter(|version| row.versions.contains(version)) {
            let ancient =
                matches!(&row.packet, Packet::Connect(connect) if connect.version == Version::V3_1);
            let theirs = other(version, &row.wire);
            let expected = if row.strict && !ancient {
                theirs == Ok(row.wire.clone())
            } else {
                theirs.is_err()
            };
            if !expected {
                differences.push(format!("{} in {version}: {theirs:02X?}", row.name));
            }
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
}

/// Errors that the other codec does not find, or leaves to its connection: it may accept packets
/// that we refuse for these reasons.
fn is_unchecked_there(error: &Malformed) -> bool {
    matches!(
        error,
        Malformed::FixedHeaderFlags { .. }
            | Malformed::VariableByteInteger
            | Malformed::PacketIdZero
            | Malformed::QoS3
            | Malformed::DupWithQoS0
            | Malformed::NulInString
            | Malformed::Topic(_)
            | Malformed::NoTopic
            | Malformed::ConnectFlags
            | Malformed::WillFlags
            | Malformed::ConnAckFlags
            | Malformed::SubscriptionOptions
            | Malformed::NoLocalShared
            // It accepts a PUBLISH without a property length and an acknowledgement with trailing
            // bytes.
            | Malformed::Truncated { packet: PacketType::Publish }
            | Malformed::TrailingBytes { packet: PacketType::PubAck, .. }
            // It accepts two subscription identifiers in SUBSCRIBE.
            | Malformed::Property(PropertyError::Duplicate { property: PropertyId::SubscriptionIdentifier })
    )
}

/// The packet without the parts that we accept on purpose and the other codec does not: codes that
/// are not in its table, a password without a user name (§3.1.2.9 allows it), authentication data
/// without a method.
fn without_liberties(mut packet: Packet) -> Packet {
    let succeed = |codes: &mut Vec<ReasonCode>| codes.fill(ReasonCode::SUCCESS);
    match &mut packet {
        Packet::Connect(connect) => {
            connect.credentials.username.get_or_insert_default();
            connect.properties.push(Property::text(PropertyId::AuthenticationMethod, "M".into()));
            let mut methods = 0;
            connect.properties.0.retain(|one| {
                methods += usize::from(one.id() == PropertyId::AuthenticationMethod);
                one.id() != PropertyId::AuthenticationMethod || methods == 1
            });
        }
        Packet::ConnAck(connack) => connack.code = ReasonCode::SUCCESS,
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            ack.code = ReasonCode::SUCCESS;
        }
        Packet::SubAck(suback) => succeed(&mut suback.codes),
        Packet::UnsubAck(unsuback) => succeed(&mut unsuback.codes),
        Packet::Disconnect(disconnect) => disconnect.code = ReasonCode::SUCCESS,
        Packet::Auth(auth) => {
            auth.code = ReasonCode::SUCCESS;
            if auth.properties.authentication_method().is_none() {
                auth.properties.push(Property::text(PropertyId::AuthenticationMethod, "M".into()));
            }
        }
        _ => {}
    }
    packet
}

/// Compares two decoders of the same bytes. If both accept them, they must read the same packet; if
/// only one refuses, the reason must be known.
fn compare(version: Version, wire: &[u8]) {
    match (decode(version, wire), other(version, wire)) {
        (Ok(Some(ours)), Ok(theirs)) => {
            assert_eq!(decode(version, &theirs), Ok(Some(ours)), "{wire:02X?}");
        }
        (Ok(Some(Packet::Connect(connect))), Err(_)) if connect.version == Version::V3_1 => {}
        (Ok(Some(ours)), Err(error)) => {
            let plain = encode(&without_liberties(ours), version);
            assert_eq!(
                other(version, &plain),
                Ok(plain),
                "{version}: they refuse {wire:02X?}: {error:?}"
            );
        }
        (Err(error), Ok(_)) => {
            assert!(is_unchecked_there(&error), "{version}: we refuse {wire:02X?}: {error}");
        }
        (Ok(None) | Err(_), _) => {}
    }
}

#[test]
fn both_read_the_malformed_rows_alike() {
    for (_, versions, wire, _) in malformed::rows() {
        for version in COMPARED.into_iter().filter(|version| versions.contains(version)) {
            compare(version, &hex(wire));
        }
    }
}

#[test]
fn both_read_every_corruption_alike() {
    for row in rows() {
        for version in COMPARED.into_iter().filter(|version| row.versions.contains(version)) {
            // The first two bytes say where the packet ends: `other` decodes exactly one packet.
            for at in 2..row.wire.len() {
                let mut wire = row.wire.clone();
                for value in 0..=255 {
                    wire[at] = value;
                    compare(version, &wire);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(generated::same_cases())]

    #[test]
    fn both_read_and_write_generated_packets((version, packet) in generated::any_packet()) {
        if version != Version::V3_1 {
            let wire = encode(&packet, version);
            prop_assert_eq!(other(version, &wire), Ok(wire));
        }
    }
}
