//! The lines of `-d`.

use super::*;

#[test]
fn packets_are_described_in_mosquittos_words() {
    let lines = [
        ("10 12 0004 'MQTT' 04 C2 003C 0000 0001 'u' 0001 'p'", "CONNECT"),
        ("20 03 00 87 00", "CONNACK (135)"),
        ("32 0B 0003 't/x' 0001 00 'hi!'", "PUBLISH (d0, q1, r0, m1, 't/x', ... (3 bytes))"),
        ("3D 08 0003 't/x' FFFF 00", "PUBLISH (d1, q2, r1, m65535, 't/x', ... (0 bytes))"),
        ("30 06 0000 03 23 0001", "PUBLISH (d0, q0, r0, m0, '', ... (0 bytes)), topic-alias 1"),
        ("40 02 0001", "PUBACK (Mid: 1, RC:0)"),
        ("40 03 0001 87", "PUBACK (Mid: 1, RC:135)"),
        ("50 02 0001", "PUBREC (Mid: 1)"),
        ("50 03 0001 97", "PUBREC (Mid: 1, RC:151)"),
        ("62 02 0001", "PUBREL (Mid: 1)"),
        ("70 02 0001", "PUBCOMP (Mid: 1, RC:0)"),
        ("82 09 0001 00 0003 'a/#' 01", "SUBSCRIBE (Mid: 1, Topic: a/#, QoS: 1, Options: 0x00)"),
        (
            "82 0B 0002 00 0001 'a' 2E 0001 'b' 00",
            "SUBSCRIBE (Mid: 2, Topic: a, QoS: 2, Options: 0x2c, Topic: b, QoS: 0, Options: 0x00)",
        ),
        (
            "90 06 0001 00 01 00 87",
            "SUBACK (Mid: 1, RC:1 granted QoS 1, RC:0 granted QoS 0, RC:135 not authorized)",
        ),
        ("A2 06 0001 00 0001 'a'", "UNSUBSCRIBE (Mid: 1, Topic: a)"),
        ("B0 05 0001 00 00 11", "UNSUBACK (Mid: 1, RC:0 success, RC:17 no subscription existed)"),
        ("C0 00", "PINGREQ"),
        ("D0 00", "PINGRESP"),
        ("E0 00", "DISCONNECT (0)"),
        ("E0 01 8E", "DISCONNECT (142)"),
        ("F0 00", "AUTH (0)"),
    ];
    for (wire, line) in lines {
        let packet = decode(Version::V5, &hex(wire)).unwrap().unwrap();
        assert_eq!(packet.describe(), line);
    }
}

#[test]
fn debugging_shows_no_password() {
    let wire = hex("10 1A 0004 'MQTT' 04 C2 003C 0000 0004 'user' 0006 'secret'");
    let packet = decode(Version::V3_1_1, &wire).unwrap().unwrap();
    let text = format!("{packet:?} {}", packet.describe());
    assert!(text.contains("user") && !text.contains("secret"), "{text}");
}

#[test]
fn properties_are_described() {
    let lines = [
        (
            "20 0B 01 00 08 21 0014 24 01 22 0005",
            "CONNACK (0), session present, receive-maximum 20, maximum-qos 1, topic-alias-maximum 5",
        ),
        (
            "30 14 0001 't' 10 09 0002 FF00 26 0001 'k' 0003 'a=b' 01 01",
            "PUBLISH (d0, q0, r0, m0, 't', ... (0 bytes)), correlation-data 0xff00, \
             user-property 'k'='a=b', payload-format-indicator 1",
        ),
        ("40 08 0001 87 04 1F 0001 'x'", "PUBACK (Mid: 1, RC:135), reason-string 'x'"),
        (
            "90 08 0001 04 1F 0001 'x' 80",
            "SUBACK (Mid: 1, RC:128 unspecified error), reason-string 'x'",
        ),
        ("E0 08 8E 06 1C 0003 'h:1'", "DISCONNECT (142), server-reference 'h:1'"),
        (
            "F0 0C 18 0A 15 0002 'SC' 16 0002 'pw'",
            "AUTH (24), authentication-method 'SC', authentication-data ***",
        ),
    ];
    for (wire, line) in lines {
        let packet = decode(Version::V5, &hex(wire)).unwrap().unwrap();
        assert_eq!(packet.describe(), line);
    }
}

#[test]
fn the_properties_of_connect_are_described_without_secrets() {
    let will = Will {
        topic: TopicName::new("w").unwrap(),
        payload: Bytes::from_static(b"s3cret"),
        qos: QoS::AtMostOnce,
        retain: false,
        properties: [Property::number(PropertyId::WillDelayInterval, 5)].into_iter().collect(),
    };
    let properties = [
        Property::number(PropertyId::SessionExpiryInterval, 600),
        Property::user("token".into(), "s3cret".into()),
        Property::binary(PropertyId::AuthenticationData, Bytes::from_static(b"s3cret")),
    ];
    let packet = Packet::Connect(Box::new(Connect {
        version: Version::V5,
        clean_start: true,
        keep_alive: 45,
        client_id: "me".into(),
        will: Some(will),
        credentials: Credentials::default(),
        properties: properties.into_iter().collect(),
    }));
    assert_eq!(
        packet.describe(),
        "CONNECT, session-expiry-interval 600, user-property 'token'=***, \
         authentication-data ***; will, will-delay-interval 5"
    );
}

/// A packet may hold megabytes of properties.
#[test]
fn a_description_is_short() {
    let long: bytestring::ByteString = "ü".repeat(30_000).into();
    let pair = Property::user(long.clone(), long.clone());
    let properties = std::iter::repeat_n(pair, 100).collect();
    let publish = Publish { properties, ..Publish::default() };
    let line = publish.describe(0);
    assert!(line.len() < 20_000, "{}", line.len());
    assert!(line.ends_with("...', and 70 more"), "{line}");
}
