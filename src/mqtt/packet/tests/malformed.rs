//! Malformed packets, by clause.

use super::*;
use crate::mqtt::property::{Place, PropertyId};
use crate::mqtt::topic::TopicError;

/// A name, the versions that refuse the packet, its bytes, and the error.
type Refused = (&'static str, &'static [Version], &'static str, Malformed);

pub(super) fn rows() -> Vec<Refused> {
    let mut rows = headers();
    rows.extend(connections());
    rows.extend(publishing());
    rows.extend(subscribing());
    rows.extend(properties());
    rows
}

/// The versions in which no packet but PUBLISH has flags that say nothing.
const V311_ON: &[Version] = &[Version::V3_1_1, Version::V5];

fn headers() -> Vec<Refused> {
    use PacketType as Type;
    let flags = |packet, flags| Malformed::FixedHeaderFlags { packet, flags };
    vec![
        ("§2.1.2 type 0", ALL, "00 00", Malformed::UnknownPacketType { value: 0 }),
        ("§2.1.2 type 15 before MQTT 5", V3, "F0 00", Malformed::UnknownPacketType { value: 15 }),
        (
            "[MQTT-2.1.3-1] CONNECT",
            ALL,
            "11 0D 0004 'MQTT' 04 02 003C 0001 'a'",
            flags(Type::Connect, 1),
        ),
        (
            "[MQTT-2.1.3-1] CONNECT",
            ALL,
            "18 0E 0004 'MQTT' 05 02 003C 00 0001 'a'",
            flags(Type::Connect, 8),
        ),
        ("[MQTT-2.1.3-1] CONNACK", V311_ON, "28", flags(Type::ConnAck, 8)),
        ("[MQTT-2.1.3-1] PUBACK", V311_ON, "42", flags(Type::PubAck, 2)),
        ("[MQTT-2.1.3-1] PUBREC", V311_ON, "54", flags(Type::PubRec, 4)),
        ("[MQTT-3.6.1-1] PUBREL", ALL, "60", flags(Type::PubRel, 0)),
        ("[MQTT-3.6.1-1] PUBREL with DUP", V311_ON, "6A", flags(Type::PubRel, 10)),
        ("[MQTT-2.1.3-1] PUBCOMP", V311_ON, "71", flags(Type::PubComp, 1)),
        ("[MQTT-3.8.1-1] SUBSCRIBE", ALL, "80", flags(Type::Subscribe, 0)),
        ("[MQTT-2.1.3-1] SUBACK", V311_ON, "92", flags(Type::SubAck, 2)),
        ("[MQTT-3.10.1-1] UNSUBSCRIBE", ALL, "A4", flags(Type::Unsubscribe, 4)),
        ("[MQTT-3.10.1-1] UNSUBSCRIBE", V311_ON, "A3", flags(Type::Unsubscribe, 3)),
        ("[MQTT-2.1.3-1] UNSUBACK", V311_ON, "B2", flags(Type::UnsubAck, 2)),
        ("[MQTT-2.1.3-1] PINGREQ", V311_ON, "C3 00", flags(Type::PingReq, 3)),
        ("[MQTT-2.1.3-1] DISCONNECT", V311_ON, "E8 00", flags(Type::Disconnect, 8)),
    ]
}

fn trailing(packet: PacketType, count: usize) -> Malformed {
    Malformed::TrailingBytes { packet, count }
}

fn connections() -> Vec<Refused> {
    use PacketType::{ConnAck, Connect};
    let short = || Malformed::Truncated { packet: Connect };
    let version = |name: &str, level| Malformed::UnsupportedVersion { name: name.into(), level };
    vec![
        ("[MQTT-3.1.2-1] name", ALL, "10 0C 0004 'MQTX' 04 02 003C 0000", version("MQTX", 4)),
        ("[MQTT-3.1.2-2] level", ALL, "10 0C 0004 'MQTT' 06 02 003C 0000", version("MQTT", 6)),
        (
            "[MQTT-3.1.2-2] level 3 of MQTT",
            ALL,
            "10 0C 0004 'MQTT' 03 02 003C 0000",
            version("MQTT", 3),
        ),
        (
            "[MQTT-3.1.2-3] reserved flag",
            ALL,
            "10 0C 0004 'MQTT' 04 03 003C 0000",
            Malformed::ConnectFlags,
        ),
        (
            "[MQTT-3.1.2-11] will QoS",
            ALL,
            "10 0C 0004 'MQTT' 04 0A 003C 0000",
            Malformed::WillFlags,
        ),
        (
            "[MQTT-3.1.2-13] will retain",
            ALL,
            "10 0C 0004 'MQTT' 04 22 003C 0000",
            Malformed::WillFlags,
        ),
        (
            "[MQTT-3.1.2-12] will QoS 3",
            ALL,
            "10 12 0004 'MQTT' 04 1E 003C 0000 0001 'w' 0001 'x'",
            Malformed::QoS3,
        ),
        (
            "3.1.1 [MQTT-3.1.2-22] password alone",
            ALL,
            "10 0F 0004 'MQTT' 04 42 003C 0000 0001 'p'",
            Malformed::PasswordWithoutUserName,
        ),
        ("§3.1 no client identifier", ALL, "10 0A 0004 'MQTT' 04 02 003C", short()),
        (
            "§3.1 a user name that does not follow",
            ALL,
            "10 0C 0004 'MQTT' 04 82 003C 0000",
            short(),
        ),
        ("§3.1 a will that does not follow", ALL, "10 0C 0004 'MQTT' 04 06 003C 0000", short()),
        (
            "§3.1 bytes after the last field",
            ALL,
            "10 0D 0004 'MQTT' 04 02 003C 0000 00",
            trailing(Connect, 1),
        ),
        ("§3.1 empty", ALL, "10 00", short()),
        (
            "[MQTT-1.5.4-1] client identifier",
            ALL,
            "10 0D 0004 'MQTT' 04 02 003C 0001 FF",
            Malformed::NotUtf8,
        ),
        (
            "[MQTT-1.5.4-2] client identifier",
            ALL,
            "10 0D 0004 'MQTT' 04 02 003C 0001 00",
            Malformed::NulInString,
        ),
        (
            "[MQTT-3.1.3-11] will topic",
            ALL,
            "10 12 0004 'MQTT' 04 06 003C 0000 0001 '#' 0001 'x'",
            Malformed::Topic(TopicError::WildcardInName),
        ),
        ("[MQTT-3.2.2-1] flags", V3_1_1, "20 02 02 00", Malformed::ConnAckFlags),
        ("[MQTT-3.2.2-1] flags", V5, "20 03 80 00 00", Malformed::ConnAckFlags),
        ("§3.2 empty", ALL, "20 00", Malformed::Truncated { packet: ConnAck }),
        ("§3.2 without code", ALL, "20 01 00", Malformed::Truncated { packet: ConnAck }),
        ("3.1.1 §3.2 too long", V3, "20 03 00 00 00", trailing(ConnAck, 1)),
        ("§3.2.2 after the properties", V5, "20 04 00 00 00 00", trailing(ConnAck, 1)),
    ]
}

fn publishing() -> Vec<Refused> {
    use PacketType::{PubAck, PubRec, Publish};
    let short = || Malformed::Truncated { packet: Publish };
    vec![
        ("[MQTT-3.3.1-4] QoS 3", ALL, "36 06 0001 'a' 0001 00", Malformed::QoS3),
        ("[MQTT-3.3.1-2] DUP", V311_ON, "38 04 0001 'a' 00", Malformed::DupWithQoS0),
        (
            "[MQTT-2.2.1-3] packet identifier 0",
            ALL,
            "32 06 0001 'a' 0000 00",
            Malformed::PacketIdZero,
        ),
        ("§3.3.2 empty", ALL, "30 00", short()),
        ("§3.3.2 topic past the end", ALL, "30 03 0002 'a'", short()),
        ("§3.3.2 no packet identifier", ALL, "32 04 0001 'a' 00", short()),
        ("§3.3.2 no property length", V5, "30 03 0001 'a'", short()),
        ("§3.3.2 properties past the end", V5, "30 05 0001 'a' 05 01", short()),
        ("[MQTT-4.7.3-1] no topic", V3, "30 02 0000", Malformed::Topic(TopicError::Empty)),
        ("§3.3.2.1 neither topic nor alias", V5, "30 03 0000 00", Malformed::NoTopic),
        (
            "[MQTT-3.3.2-2] +",
            ALL,
            "30 04 0001 '+' 00",
            Malformed::Topic(TopicError::WildcardInName),
        ),
        (
            "[MQTT-3.3.2-2] #",
            ALL,
            "30 06 0003 'a/#' 00",
            Malformed::Topic(TopicError::WildcardInName),
        ),
        ("[MQTT-4.7.3-2] NUL", ALL, "30 04 0001 00 00", Malformed::Topic(TopicError::Nul)),
        (
            "[MQTT-1.5.4-1] surrogate",
            ALL,
            "30 06 0003 EDA080 00",
            Malformed::Topic(TopicError::NotUtf8),
        ),
        ("[MQTT-2.2.1-3] PUBACK 0", ALL, "40 02 0000", Malformed::PacketIdZero),
        ("§3.4.2 PUBACK of one byte", ALL, "40 01 00", Malformed::Truncated { packet: PubAck }),
        ("3.1.1 §3.4 PUBACK of three bytes", V3, "40 03 0001 00", trailing(PubAck, 1)),
        ("§3.4.2.2 PUBACK after its properties", V5, "40 05 0001 00 00 00", trailing(PubAck, 1)),
        (
            "§3.5.2.2 PUBREC properties past the end",
            V5,
            "50 05 0001 00 03 1F",
            Malformed::Truncated { packet: PubRec },
        ),
    ]
}

fn subscribing() -> Vec<Refused> {
    use PacketType::{SubAck, Subscribe, UnsubAck, Unsubscribe};
    let empty = |packet| Malformed::NoTopicFilter { packet };
    let later = &[Version::V3_1_1];
    vec![
        ("[MQTT-3.8.3-2] SUBSCRIBE", V3, "82 02 0001", empty(Subscribe)),
        ("[MQTT-3.8.3-2] SUBSCRIBE", V5, "82 03 0001 00", empty(Subscribe)),
        ("[MQTT-2.2.1-3] SUBSCRIBE", V3, "82 06 0000 0001 'a' 00", Malformed::PacketIdZero),
        ("[MQTT-3.8.3-4] QoS 3", V3, "82 06 0001 0001 'a' 03", Malformed::QoS3),
        (
            "[MQTT-3.8.3-4] upper bits",
            later,
            "82 06 0001 0001 'a' 04",
            Malformed::SubscriptionOptions,
        ),
        (
            "[MQTT-3.8.3-5] upper bits",
            V5,
            "82 07 0001 00 0001 'a' 40",
            Malformed::SubscriptionOptions,
        ),
        ("§3.8.3.1 QoS 3", V5, "82 07 0001 00 0001 'a' 03", Malformed::QoS3),
        ("§3.8.3.1 handling 3", V5, "82 07 0001 00 0001 'a' 30", Malformed::RetainHandling3),
        (
            "[MQTT-3.8.3-4] no local",
            V5,
            "82 10 0001 00 000A '$share/g/a' 04",
            Malformed::NoLocalShared,
        ),
        (
            "§3.8.3 no options",
            V3,
            "82 05 0001 0001 'a'",
            Malformed::Truncated { packet: Subscribe },
        ),
        ("[MQTT-4.7.3-1] no filter", V3, "82 05 0001 0000 00", Malformed::Topic(TopicError::Empty)),
        (
            "[MQTT-4.7.1-1] #",
            V3,
            "82 08 0001 0003 '#/a' 00",
            Malformed::Topic(TopicError::MisplacedHash),
        ),
        (
            "[MQTT-4.7.1-2] +",
            V3,
            "82 07 0001 0002 'a+' 00",
            Malformed::Topic(TopicError::MisplacedPlus),
        ),
        (
            "[MQTT-4.8.2-1] share",
            V5,
            "82 0F 0001 00 0009 '$share//a' 00",
            Malformed::Topic(TopicError::BadShare),
        ),
        ("§3.9.3 SUBACK", V3, "90 02 0001", Malformed::NoReasonCode { packet: SubAck }),
        ("§3.9.3 SUBACK", V5, "90 03 0001 00", Malformed::NoReasonCode { packet: SubAck }),
        ("[MQTT-3.10.3-2] UNSUBSCRIBE", V3, "A2 02 0001", empty(Unsubscribe)),
        ("[MQTT-3.10.3-2] UNSUBSCRIBE", V5, "A2 03 0001 00", empty(Unsubscribe)),
        ("§3.11.3 UNSUBACK", V5, "B0 03 0001 00", Malformed::NoReasonCode { packet: UnsubAck }),
        ("3.1.1 §3.11 UNSUBACK", V3, "B0 03 0001 00", trailing(UnsubAck, 1)),
    ]
}

fn properties() -> Vec<Refused> {
    use PropertyId as Id;
    let value = |property| Malformed::Property(PropertyError::Value { property });
    let twice = |property| Malformed::Property(PropertyError::Duplicate { property });
    let here = |property, place| Malformed::Property(PropertyError::NotAllowed { property, place });
    let short = || Malformed::Truncated { packet: PacketType::ConnAck };
    vec![
        (
            "§2.2.2.2 unknown",
            V5,
            "20 05 00 00 02 04 00",
            Malformed::Property(PropertyError::Unknown { byte: 4 }),
        ),
        (
            "§2.2.2.2 unknown",
            V5,
            "20 05 00 00 02 FF 00",
            Malformed::Property(PropertyError::Unknown { byte: 0xFF }),
        ),
        (
            "Table 2-4 topic alias in CONNACK",
            V5,
            "20 06 00 00 03 23 0001",
            here(Id::TopicAlias, Place::ConnAck),
        ),
        (
            "Table 2-4 expiry in PUBACK",
            V5,
            "40 09 0001 00 05 11 00000001",
            here(Id::SessionExpiryInterval, Place::PubAck),
        ),
        ("§3.2.2.3.3 twice", V5, "20 09 00 00 06 21 0001 21 0001", twice(Id::ReceiveMaximum)),
        (
            "§3.8.2.1.2 twice",
            V5,
            "82 0B 0001 04 0B 01 0B 02 0001 'a' 00",
            twice(Id::SubscriptionIdentifier),
        ),
        ("§3.2.2.3.3 zero", V5, "20 06 00 00 03 21 0000", value(Id::ReceiveMaximum)),
        ("§3.2.2.3.6 zero", V5, "20 08 00 00 05 27 00000000", value(Id::MaximumPacketSize)),
        ("§3.2.2.3.4 two", V5, "20 05 00 00 02 24 02", value(Id::MaximumQoS)),
        ("§3.2.2.3.5 two", V5, "20 05 00 00 02 25 02", value(Id::RetainAvailable)),
        ("§3.2.2.3.11 two", V5, "20 05 00 00 02 28 02", value(Id::WildcardSubscriptionAvailable)),
        ("§3.2.2.3.12 2", V5, "20 05 00 00 02 29 02", value(Id::SubscriptionIdentifierAvailable)),
        ("§3.2.2.3.13 two", V5, "20 05 00 00 02 2A 02", value(Id::SharedSubscriptionAvailable)),
        ("§3.3.2.3.2 two", V5, "30 06 0001 'a' 02 01 02", value(Id::PayloadFormatIndicator)),
        ("[MQTT-3.3.2-8] zero", V5, "30 07 0001 'a' 03 23 0000", value(Id::TopicAlias)),
        ("§3.3.2.3.8 zero", V5, "30 06 0001 'a' 02 0B 00", value(Id::SubscriptionIdentifier)),
        (
            "§1.5.5 longer than needed",
            V5,
            "30 07 0001 'a' 03 0B 8100",
            Malformed::VariableByteInteger,
        ),
        ("§2.2.2.1 property past its section", V5, "20 06 00 00 02 21 0001", short()),
        ("§2.2.2.1 section past the packet", V5, "20 05 00 00 09 21 00", short()),
        ("§2.2.2.1 length past the packet", V5, "20 03 00 00 80", short()),
        ("[MQTT-1.5.4-1] property", V5, "20 07 00 00 04 1F 0001 FF", Malformed::NotUtf8),
        ("[MQTT-1.5.4-2] property", V5, "20 07 00 00 04 1F 0001 00", Malformed::NulInString),
    ]
}

#[test]
fn every_row_is_refused_and_says_why() {
    for (name, versions, wire, error) in rows() {
        for &version in versions {
            assert_eq!(decode(version, &hex(wire)), Err(error.clone()), "{name} in {version}");
            assert!(!error.to_string().is_empty() && error.reason_code().is_error(), "{name}");
        }
    }
}

#[test]
fn flags_that_are_not_used_in_mqtt_31_say_nothing() {
    for (odd, plain) in [
        ("C3 00", "C0 00"),
        ("D1 00", "D0 00"),
        ("EF 00", "E0 00"),
        ("4D 02 0001", "40 02 0001"),
        ("52 02 0001", "50 02 0001"),
        ("6B 02 0001", "62 02 0001"),
        ("78 02 0001", "70 02 0001"),
        ("1F 0F 0006 'MQIsdp' 03 02 003C 0001 'a'", "10 0F 0006 'MQIsdp' 03 02 003C 0001 'a'"),
        ("38 04 0001 'a' 00", "30 04 0001 'a' 00"),
        ("8B 06 0001 0001 61 00", "82 06 0001 0001 61 00"),
        ("A3 05 0001 0001 61", "A2 05 0001 0001 61"),
    ] {
        assert_eq!(decode(Version::V3_1, &hex(odd)), decode(Version::V3_1, &hex(plain)), "{odd}");
        assert!(decode(Version::V3_1, &hex(plain)).is_ok(), "{plain}");
    }
}

/// Only MQTT 5 forbids it `[MQTT-1.5.5-1]`.
#[test]
fn before_mqtt_5_a_remaining_length_may_take_more_bytes_than_it_needs() {
    let error = Err(Malformed::VariableByteInteger);
    for (odd, plain) in [
        ("C0 8000", "C0 00"),
        ("C0 80808000", "C0 00"),
        ("30 848000 0001 61 'x'", "30 04 0001 61 'x'"),
        ("82 868000 0001 0001 61 00", "82 06 0001 0001 61 00"),
    ] {
        for version in [Version::V3_1, Version::V3_1_1] {
            assert_eq!(decode(version, &hex(odd)), decode(version, &hex(plain)), "{odd}");
            assert!(decode(version, &hex(plain)).is_ok(), "{plain}");
        }
        assert_eq!(decode(Version::V5, &hex(odd)), error, "{odd}");
    }
    assert_eq!(decode(Version::V3_1_1, &hex("C0 8080808000")), error);
    // CONNECT comes before the version is known.
    let connect = |wire| decode(Version::V3_1_1, &hex(wire));
    assert!(connect("10 8D00 0004 'MQTT' 04 02 0000 0001 61").is_ok());
    assert_eq!(connect("10 8E00 0004 'MQTT' 05 02 0000 00 0001 61"), error);
}

#[test]
fn errors_name_the_rule_and_its_clause() {
    let name = "\u{1b}[2J".repeat(1000).into();
    let cases = [
        (
            Malformed::FixedHeaderFlags { packet: PacketType::PubRel, flags: 8 },
            "PUBREL with the flags 0b1000 [MQTT-2.1.3-1]",
        ),
        (
            Malformed::PacketTooLarge { size: 12, maximum: 10 },
            "a packet of 12 bytes, at most 10 are accepted [MQTT-3.1.2-24]",
        ),
        (
            Malformed::Property(PropertyError::NotAllowed {
                property: PropertyId::TopicAlias,
                place: Place::ConnAck,
            }),
            "topic-alias is not a property of CONNACK (§2.2.2.2)",
        ),
        (Malformed::Topic(TopicError::Empty), "the topic is empty (§4.7)"),
        (
            Malformed::UnsupportedVersion { name, level: 9 },
            "CONNECT with protocol \"\\u{1b}[2J\\u{1b}[2J\\u{1b}[2J\\u{1b}[2J\\u{1b}[2J\" \
             level 9 [MQTT-3.1.2-2]",
        ),
    ];
    for (error, text) in cases {
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn an_error_is_final() {
    let mut decoder = Decoder::new(Version::V5, UNLIMITED);
    decoder.feed(Bytes::from_static(&[0xC0, 0, 0x00, 0, 0xC0, 0]));
    assert_eq!(decoder.next(), Ok(Some(Packet::PingReq)));
    let error = Malformed::UnknownPacketType { value: 0 };
    assert_eq!(decoder.next(), Err(error.clone()));
    decoder.feed(Bytes::from_static(&[0xC0, 0]));
    assert_eq!(decoder.next(), Err(error));
    assert_eq!(decoder.buffered(), 0);
}
