//! Packets of MQTT 5.

use super::*;

pub(super) fn rows() -> Vec<Row> {
    let mut rows = connecting();
    rows.extend(connected());
    rows.extend(publishing());
    rows.extend(acknowledging());
    rows.extend(subscribing());
    rows.extend(ending());
    rows
}

fn connecting() -> Vec<Row> {
    let bare = Connect {
        version: Version::V5,
        clean_start: true,
        keep_alive: 0,
        client_id: "".into(),
        will: None,
        credentials: Credentials::default(),
        properties: none(),
    };
    let full = Connect {
        version: Version::V5,
        clean_start: false,
        keep_alive: 45,
        client_id: "c".into(),
        will: Some(Will {
            topic: topic("w"),
            payload: "x".into(),
            qos: QoS::AtLeastOnce,
            retain: false,
            properties: properties([
                Property::number(PropertyId::WillDelayInterval, 5),
                Property::number(PropertyId::PayloadFormatIndicator, 1),
                Property::number(PropertyId::MessageExpiryInterval, 7),
                Property::text(PropertyId::ContentType, "t".into()),
                Property::text(PropertyId::ResponseTopic, "r".into()),
                Property::binary(PropertyId::CorrelationData, "d".into()),
                Property::user("k".into(), "v".into()),
            ]),
        }),
        credentials: Credentials { username: Some("u".into()), password: Some("p".into()) },
        properties: properties([
            Property::number(PropertyId::SessionExpiryInterval, u32::MAX),
            Property::number(PropertyId::ReceiveMaximum, 20),
            Property::number(PropertyId::MaximumPacketSize, 1000),
            Property::number(PropertyId::TopicAliasMaximum, 3),
            Property::number(PropertyId::RequestResponseInformation, 1),
            Property::number(PropertyId::RequestProblemInformation, 0),
            Property::user("k".into(), "v".into()),
            Property::user("k".into(), "".into()),
            Property::text(PropertyId::AuthenticationMethod, "M".into()),
            Property::binary(PropertyId::AuthenticationData, "D".into()),
        ]),
    };
    let password = Connect {
        credentials: Credentials { username: None, password: Some("p".into()) },
        ..bare.clone()
    };
    vec![
        row(
            "CONNECT",
            ALL,
            "10 0D 0004 'MQTT' 05 02 0000 00 0000",
            Packet::Connect(Box::new(bare)),
        ),
        row(
            "CONNECT with everything",
            ALL,
            "10 63 0004 'MQTT' 05 CC 002D \
             29 11 FFFFFFFF 21 0014 27 000003E8 22 0003 19 01 17 00 26 0001 'k' 0001 'v' 26 0001 'k' 0000 \
                15 0001 'M' 16 0001 'D' \
             0001 'c' \
             1F 18 00000005 01 01 02 00000007 03 0001 't' 08 0001 'r' 09 0001 'd' 26 0001 'k' 0001 'v' \
             0001 'w' 0001 'x' 0001 'u' 0001 'p'",
            Packet::Connect(Box::new(full)),
        ),
        // The other codec refuses it, as 3.1.1 does.
        liberal(
            "CONNECT with a password alone (§3.1.2.9)",
            ALL,
            "10 10 0004 'MQTT' 05 42 0000 00 0000 0001 'p'",
            Packet::Connect(Box::new(password)),
        ),
    ]
}

fn connected() -> Vec<Row> {
    let connack = |session_present, code, properties| {
        Packet::ConnAck(Box::new(ConnAck { session_present, code: ReasonCode(code), properties }))
    };
    let limits = properties([
        Property::number(PropertyId::SessionExpiryInterval, 60),
        Property::number(PropertyId::ReceiveMaximum, 10),
        Property::number(PropertyId::MaximumQoS, 1),
        Property::number(PropertyId::RetainAvailable, 0),
        Property::number(PropertyId::MaximumPacketSize, 2_000_000),
        Property::text(PropertyId::AssignedClientIdentifier, "id".into()),
        Property::number(PropertyId::TopicAliasMaximum, 10),
        Property::number(PropertyId::WildcardSubscriptionAvailable, 1),
        Property::number(PropertyId::SubscriptionIdentifierAvailable, 0),
        Property::number(PropertyId::SharedSubscriptionAvailable, 1),
        Property::number(PropertyId::ServerKeepAlive, 30),
        Property::text(PropertyId::ResponseInformation, "r".into()),
    ]);
    let elsewhere = properties([
        Property::text(PropertyId::ReasonString, "no".into()),
        Property::text(PropertyId::ServerReference, "x:1".into()),
        Property::user("k".into(), "v".into()),
    ]);
    vec![
        row("CONNACK", V5, "20 03 00 00 00", connack(false, 0, none())),
        row("CONNACK session present", V5, "20 03 01 00 00", connack(true, 0, none())),
        row(
            "CONNACK with limits",
            V5,
            "20 29 00 00 26 11 0000003C 21 000A 24 01 25 00 27 001E8480 12 0002 'id' 22 000A \
             28 01 29 00 2A 01 13 001E 1A 0001 'r'",
            connack(false, 0, limits),
        ),
        row(
            "CONNACK use another server",
            V5,
            "20 15 00 9C 12 1F 0002 'no' 1C 0003 'x:1' 26 0001 'k' 0001 'v'",
            connack(false, 0x9C, elsewhere),
        ),
        liberal("CONNACK in the older form", V5, "20 02 00 01", connack(false, 1, none())),
        liberal("CONNACK without property length", V5, "20 02 00 84", connack(false, 0x84, none())),
        liberal("CONNACK with an unknown code", V5, "20 03 00 F0 00", connack(false, 0xF0, none())),
    ]
}

fn publishing() -> Vec<Row> {
    let plain = Publish::new(topic("t"), "hi".into());
    let full = Publish {
        qos: QoS::AtLeastOnce,
        packet_id: Some(id(7)),
        properties: properties([
            Property::number(PropertyId::PayloadFormatIndicator, 1),
            Property::number(PropertyId::MessageExpiryInterval, 9),
            Property::number(PropertyId::TopicAlias, 2),
            Property::text(PropertyId::ResponseTopic, "r".into()),
            Property::binary(PropertyId::CorrelationData, Bytes::from_static(&[0, 255])),
            Property::user("k".into(), "v".into()),
            Property::number(PropertyId::SubscriptionIdentifier, 1),
            Property::number(PropertyId::SubscriptionIdentifier, 268_435_455),
            Property::text(PropertyId::ContentType, "c".into()),
        ]),
        ..plain.clone()
    };
    let alias = Publish {
        topic: None,
        properties: properties([Property::number(PropertyId::TopicAlias, 1)]),
        ..plain.clone()
    };
    vec![
        row("PUBLISH", V5, "30 06 0001 't' 00 'hi'", Packet::Publish(plain)),
        row(
            "PUBLISH with everything",
            V5,
            "32 2D 0001 't' 0007 25 01 01 02 00000009 23 0002 08 0001 'r' 09 0002 00FF 26 0001 'k' 0001 'v' \
             0B 01 0B FFFFFF7F 03 0001 'c' 'hi'",
            Packet::Publish(full),
        ),
        row(
            "PUBLISH with an alias alone",
            V5,
            "30 08 0000 03 23 0001 'hi'",
            Packet::Publish(alias),
        ),
    ]
}

fn acknowledging() -> Vec<Row> {
    let ack = |code, properties| Ack { packet_id: id(1), code: ReasonCode(code), properties };
    let why = || {
        properties([
            Property::text(PropertyId::ReasonString, "no".into()),
            Property::user("k".into(), "v".into()),
        ])
    };
    let long = "0C 1F 0002 'no' 26 0001 'k' 0001 'v'";
    vec![
        row("PUBACK with a code", V5, "40 03 0001 10", Packet::PubAck(ack(0x10, none()))),
        row("PUBREC with a code", V5, "50 03 0001 97", Packet::PubRec(ack(0x97, none()))),
        row("PUBREL with a code", V5, "62 03 0001 92", Packet::PubRel(ack(0x92, none()))),
        row("PUBCOMP with a code", V5, "70 03 0001 92", Packet::PubComp(ack(0x92, none()))),
        long_form(
            "PUBACK with a code of success",
            V5,
            "40 03 0001 00",
            Packet::PubAck(ack(0, none())),
        ),
        long_form(
            "PUBACK with no properties",
            V5,
            "40 04 0001 00 00",
            Packet::PubAck(ack(0, none())),
        ),
        long_form(
            "PUBREC with no properties",
            V5,
            "50 04 0001 10 00",
            Packet::PubRec(ack(0x10, none())),
        ),
        row(
            "PUBACK with properties",
            V5,
            &format!("40 10 0001 87 {long}"),
            Packet::PubAck(ack(0x87, why())),
        ),
        row(
            "PUBREC with properties",
            V5,
            &format!("50 10 0001 00 {long}"),
            Packet::PubRec(ack(0, why())),
        ),
        row(
            "PUBREL with properties",
            V5,
            &format!("62 10 0001 92 {long}"),
            Packet::PubRel(ack(0x92, why())),
        ),
        row(
            "PUBCOMP with properties",
            V5,
            &format!("70 10 0001 92 {long}"),
            Packet::PubComp(ack(0x92, why())),
        ),
        liberal(
            "PUBACK with an unknown code",
            V5,
            "40 03 0001 55",
            Packet::PubAck(ack(0x55, none())),
        ),
    ]
}

fn subscribing() -> Vec<Row> {
    let plain = Subscribe {
        packet_id: id(10),
        properties: none(),
        subscriptions: vec![Subscription::new(filter("a"), QoS::ExactlyOnce)],
    };
    let full = Subscribe {
        packet_id: id(10),
        properties: properties([
            Property::number(PropertyId::SubscriptionIdentifier, 128),
            Property::user("k".into(), "v".into()),
        ]),
        subscriptions: vec![
            Subscription {
                filter: filter("a/+"),
                qos: QoS::AtLeastOnce,
                no_local: true,
                retain_as_published: true,
                retain_handling: RetainHandling::Never,
            },
            Subscription {
                retain_handling: RetainHandling::New,
                ..Subscription::new(filter("$share/g/#"), QoS::AtMostOnce)
            },
        ],
    };
    let why = || properties([Property::text(PropertyId::ReasonString, "no".into())]);
    let codes = |codes: &[u8]| codes.iter().copied().map(ReasonCode).collect::<Vec<_>>();
    let suback =
        |properties, codes| Packet::SubAck(SubAck { packet_id: id(10), properties, codes });
    let unsuback =
        |properties, codes| Packet::UnsubAck(UnsubAck { packet_id: id(11), properties, codes });
    let unsubscribe = |properties, filters| {
        Packet::Unsubscribe(Unsubscribe { packet_id: id(11), properties, filters })
    };
    let user = properties([Property::user("k".into(), "v".into())]);
    vec![
        row("SUBSCRIBE", V5, "82 07 000A 00 0001 'a' 02", Packet::Subscribe(plain)),
        row(
            "SUBSCRIBE with everything",
            V5,
            "82 20 000A 0A 0B 8001 26 0001 'k' 0001 'v' 0003 'a/+' 2D 000A '$share/g/#' 10",
            Packet::Subscribe(full),
        ),
        row("SUBACK", V5, "90 07 000A 00 00 01 02 87", suback(none(), codes(&[0, 1, 2, 0x87]))),
        row(
            "SUBACK with a reason",
            V5,
            "90 09 000A 05 1F 0002 'no' 97",
            suback(why(), codes(&[0x97])),
        ),
        row("UNSUBSCRIBE", V5, "A2 06 000B 00 0001 'a'", unsubscribe(none(), vec![filter("a")])),
        row(
            "UNSUBSCRIBE with a property",
            V5,
            "A2 10 000B 07 26 0001 'k' 0001 'v' 0001 'a' 0001 'b'",
            unsubscribe(user, vec![filter("a"), filter("b")]),
        ),
        row("UNSUBACK", V5, "B0 05 000B 00 00 11", unsuback(none(), codes(&[0, 0x11]))),
        row(
            "UNSUBACK with a reason",
            V5,
            "B0 09 000B 05 1F 0002 'no' 87",
            unsuback(why(), codes(&[0x87])),
        ),
        liberal(
            "UNSUBACK with an unknown code",
            V5,
            "B0 04 000B 00 66",
            unsuback(none(), codes(&[0x66])),
        ),
    ]
}

fn ending() -> Vec<Row> {
    let disconnect =
        |code, properties| Packet::Disconnect(Disconnect { code: ReasonCode(code), properties });
    let auth = |code, properties| Packet::Auth(Auth { code: ReasonCode(code), properties });
    let moved = properties([
        Property::text(PropertyId::ReasonString, "no".into()),
        Property::user("k".into(), "v".into()),
        Property::text(PropertyId::ServerReference, "x".into()),
    ]);
    let step = properties([
        Property::text(PropertyId::AuthenticationMethod, "M".into()),
        Property::binary(PropertyId::AuthenticationData, "D".into()),
    ]);
    vec![
        row("DISCONNECT with a code", V5, "E0 01 8E", disconnect(0x8E, none())),
        long_form("DISCONNECT with no properties", V5, "E0 02 04 00", disconnect(4, none())),
        row(
            "DISCONNECT with an expiry",
            V5,
            "E0 07 00 05 11 00000000",
            disconnect(0, properties([Property::number(PropertyId::SessionExpiryInterval, 0)])),
        ),
        row(
            "DISCONNECT server moved",
            V5,
            "E0 12 9D 10 1F 0002 'no' 26 0001 'k' 0001 'v' 1C 0001 'x'",
            disconnect(0x9D, moved),
        ),
        liberal("DISCONNECT with an unknown code", V5, "E0 01 77", disconnect(0x77, none())),
        row("AUTH success", V5, "F0 00", auth(0, none())),
        row("AUTH continue", V5, "F0 0A 18 08 15 0001 'M' 16 0001 'D'", auth(0x18, step)),
    ]
}
