//! Packets of MQTT 3.1 and 3.1.1, and those that all versions share.

use super::*;

fn connect(version: Version) -> Connect {
    Connect {
        version,
        clean_start: true,
        keep_alive: 60,
        client_id: "c".into(),
        will: None,
        credentials: Credentials::default(),
        properties: none(),
    }
}

fn publish(qos: QoS, packet_id: Option<u16>, payload: &'static str) -> Publish {
    Publish { qos, packet_id: packet_id.map(id), ..Publish::new(topic("a/b"), payload.into()) }
}

fn connack(session_present: bool, code: u8) -> Packet {
    Packet::ConnAck(Box::new(ConnAck {
        session_present,
        code: ReasonCode(code),
        properties: none(),
    }))
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = connection();
    rows.extend(publishing());
    rows.extend(subscribing());
    rows
}

fn connection() -> Vec<Row> {
    let full = Connect {
        clean_start: false,
        keep_alive: 65_535,
        client_id: "id".into(),
        will: Some(Will {
            topic: topic("w"),
            payload: "bye".into(),
            qos: QoS::ExactlyOnce,
            retain: true,
            properties: none(),
        }),
        credentials: Credentials { username: Some("u".into()), password: Some("pw".into()) },
        ..connect(Version::V3_1_1)
    };
    let user_only = Credentials { username: Some("u".into()), password: None };
    let boxed = |connect: Connect| Packet::Connect(Box::new(connect));
    vec![
        row(
            "CONNECT 3.1",
            ALL,
            "10 0F 0006 'MQIsdp' 03 02 003C 0001 'c'",
            boxed(connect(Version::V3_1)),
        ),
        liberal(
            "CONNECT 3.1 with unused bits (3.1 §3.1)",
            ALL,
            "10 0F 0006 'MQIsdp' 03 2B 003C 0001 'c'",
            boxed(connect(Version::V3_1)),
        ),
        row(
            "CONNECT 3.1.1",
            ALL,
            "10 0D 0004 'MQTT' 04 02 003C 0001 'c'",
            boxed(connect(Version::V3_1_1)),
        ),
        row(
            "CONNECT 3.1.1 with everything",
            ALL,
            "10 1D 0004 'MQTT' 04 F4 FFFF 0002 'id' 0001 'w' 0003 'bye' 0001 'u' 0002 'pw'",
            boxed(full),
        ),
        row(
            "CONNECT 3.1.1 without client identifier",
            ALL,
            "10 0C 0004 'MQTT' 04 02 003C 0000",
            boxed(Connect { client_id: "".into(), ..connect(Version::V3_1_1) }),
        ),
        row(
            "CONNECT 3.1.1 with a user name alone",
            ALL,
            "10 10 0004 'MQTT' 04 82 003C 0001 'c' 0001 'u'",
            boxed(Connect { credentials: user_only.clone(), ..connect(Version::V3_1_1) }),
        ),
        liberal(
            "CONNECT 3.1 whose flags promise what does not follow (3.1 §3.1)",
            ALL,
            "10 12 0006 'MQIsdp' 03 C2 003C 0001 'c' 0001 'u'",
            boxed(Connect { credentials: user_only, ..connect(Version::V3_1) }),
        ),
        row("CONNACK accepted", V3, "20 02 00 00", connack(false, 0)),
        row("CONNACK session present", V3_1_1, "20 02 01 00", connack(true, 0)),
        liberal(
            "CONNACK 3.1 with its reserved byte in use",
            V3_1,
            "20 02 FE 00",
            connack(false, 0),
        ),
        row("CONNACK not authorized", V3, "20 02 00 05", connack(false, 5)),
        liberal("CONNACK with a code of MQTT 5", V3, "20 02 00 84", connack(false, 0x84)),
        row("PINGREQ", ALL, "C0 00", Packet::PingReq),
        row("PINGRESP", ALL, "D0 00", Packet::PingResp),
        row("DISCONNECT", ALL, "E0 00", Packet::Disconnect(Disconnect::default())),
    ]
}

fn publishing() -> Vec<Row> {
    let ack = |value| Ack::success(id(value));
    vec![
        row(
            "PUBLISH QoS 0",
            V3,
            "30 07 0003 'a/b' 'hi'",
            Packet::Publish(publish(QoS::AtMostOnce, None, "hi")),
        ),
        row(
            "PUBLISH without payload",
            V3,
            "30 05 0003 'a/b'",
            Packet::Publish(publish(QoS::AtMostOnce, None, "")),
        ),
        row(
            "PUBLISH retained",
            V3,
            "31 06 0003 'a/b' 'x'",
            Packet::Publish(Publish { retain: true, ..publish(QoS::AtMostOnce, None, "x") }),
        ),
        row(
            "PUBLISH QoS 1",
            V3,
            "32 08 0003 'a/b' 0001 'x'",
            Packet::Publish(publish(QoS::AtLeastOnce, Some(1), "x")),
        ),
        row(
            "PUBLISH QoS 2 again, retained",
            V3,
            "3D 08 0003 'a/b' FFFF 'x'",
            Packet::Publish(Publish {
                dup: true,
                retain: true,
                ..publish(QoS::ExactlyOnce, Some(65_535), "x")
            }),
        ),
        row("PUBACK", ALL, "40 02 0001", Packet::PubAck(ack(1))),
        row("PUBREC", ALL, "50 02 FFFF", Packet::PubRec(ack(65_535))),
        row("PUBREL", ALL, "62 02 1234", Packet::PubRel(ack(0x1234))),
        row("PUBCOMP", ALL, "70 02 0100", Packet::PubComp(ack(0x100))),
        liberal("PUBREL 3.1 with DUP (3.1 §2.1)", V3_1, "6A 02 0001", Packet::PubRel(ack(1))),
    ]
}

fn subscribing() -> Vec<Row> {
    let subscribe = |subscriptions| {
        Packet::Subscribe(Subscribe { packet_id: id(10), properties: none(), subscriptions })
    };
    let one = || vec![Subscription::new(filter("a/#"), QoS::AtLeastOnce)];
    let two = vec![
        Subscription::new(filter("a"), QoS::AtMostOnce),
        Subscription::new(filter("+"), QoS::ExactlyOnce),
    ];
    let codes = |codes: &[u8]| codes.iter().copied().map(ReasonCode).collect();
    let suback =
        |list| Packet::SubAck(SubAck { packet_id: id(10), properties: none(), codes: list });
    let unsubscribe = |filters| {
        Packet::Unsubscribe(Unsubscribe { packet_id: id(11), properties: none(), filters })
    };
    let unsuback =
        Packet::UnsubAck(UnsubAck { packet_id: id(11), properties: none(), codes: Vec::new() });
    vec![
        row("SUBSCRIBE", V3, "82 08 000A 0003 'a/#' 01", subscribe(one())),
        row("SUBSCRIBE to two", V3, "82 0A 000A 0001 'a' 00 0001 '+' 02", subscribe(two)),
        liberal(
            "SUBSCRIBE 3.1 with DUP (3.1 §2.1)",
            V3_1,
            "8A 08 000A 0003 'a/#' 01",
            subscribe(one()),
        ),
        liberal(
            "SUBSCRIBE 3.1 with unused bits (3.1 §3.8)",
            V3_1,
            "82 08 000A 0003 'a/#' FD",
            subscribe(one()),
        ),
        row("SUBACK", V3, "90 05 000A 00 01 02", suback(codes(&[0, 1, 2]))),
        row("SUBACK with a failure", V3, "90 03 000A 80", suback(codes(&[0x80]))),
        liberal("SUBACK with a code of MQTT 5", V3, "90 03 000A 87", suback(codes(&[0x87]))),
        row("UNSUBSCRIBE", V3, "A2 07 000B 0003 'a/#'", unsubscribe(vec![filter("a/#")])),
        row(
            "UNSUBSCRIBE from two",
            V3,
            "A2 08 000B 0001 'a' 0001 'b'",
            unsubscribe(vec![filter("a"), filter("b")]),
        ),
        liberal(
            "UNSUBSCRIBE 3.1 with DUP",
            V3_1,
            "AA 05 000B 0001 'a'",
            unsubscribe(vec![filter("a")]),
        ),
        row("UNSUBACK", V3, "B0 02 000B", unsuback),
    ]
}
