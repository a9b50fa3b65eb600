//! The log of a broker, line by line.

use std::net::SocketAddr;

use super::clients::Clients;
use super::{json, text};
use crate::broker::event::BrokerEvent;
use crate::mqtt::packet::{
    Ack, ConnAck, Connect, Credentials, Disconnect, Packet, PacketId, Publish, SubAck, Subscribe,
    Subscription, Unsubscribe, Will,
};
use crate::mqtt::property::{Properties, Property, PropertyId};
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::topic::{TopicFilter, TopicName};
use crate::mqtt::version::Version;

fn address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 50_000))
}

/// What the log says of these events, in each form.
fn logged(events: &[BrokerEvent<'_>]) -> (Vec<String>, Vec<String>) {
    let mut clients = Clients::default();
    let (mut lines, mut objects) = (Vec::new(), Vec::new());
    for event in events {
        clients.begin(event);
        lines.extend(text::lines(event, &clients));
        objects.push(json::object(event, &clients, "T"));
        clients.end(event);
    }
    (lines, objects)
}

fn received(packet: &Packet) -> BrokerEvent<'_> {
    BrokerEvent::Received(address(), packet)
}

fn sent(packet: &Packet) -> BrokerEvent<'_> {
    BrokerEvent::Sent(address(), packet)
}

fn connect(client_id: &'static str, version: Version) -> Connect {
    Connect {
        version,
        clean_start: true,
        keep_alive: 60,
        client_id: client_id.into(),
        will: None,
        credentials: Credentials::default(),
        properties: Properties::default(),
    }
}

fn connack(code: u8, properties: Vec<Property>) -> Packet {
    Packet::ConnAck(Box::new(ConnAck {
        session_present: false,
        code: ReasonCode(code),
        properties: Properties(properties),
    }))
}

fn ack(code: u8) -> Ack {
    let packet_id = PacketId::new(1).expect("it is not 0");
    Ack { packet_id, code: ReasonCode(code), properties: Properties::default() }
}

fn filter(text: &'static str) -> TopicFilter {
    TopicFilter::new(text).expect("it is a filter")
}

/// A packet, and who sends it.
enum Step {
    Received(Packet),
    Sent(Packet),
}

use Step::{Received, Sent};

fn asked() -> Packet {
    let will = Will {
        topic: TopicName::new("w").expect("it is a topic"),
        payload: "x".into(),
        qos: QoS::AtMostOnce,
        retain: false,
        properties: Properties::default(),
    };
    Packet::Connect(Box::new(Connect {
        will: Some(will),
        credentials: Credentials { username: Some("ann".into()), password: Some("s3cret".into()) },
        ..connect("me", Version::V3_1_1)
    }))
}

/// One of everything.
fn conversation() -> Vec<Step> {
    let (packet_id, properties) = (ack(0).packet_id, Properties::default);
    let subscriptions = vec![
        Subscription::new(filter("a/#"), QoS::AtLeastOnce),
        Subscription::new(filter("b"), QoS::AtMostOnce),
    ];
    let codes = vec![ReasonCode(1), ReasonCode(0)];
    let publish = Publish {
        qos: QoS::ExactlyOnce,
        packet_id: Some(packet_id),
        topic: TopicName::new("a/b").ok(),
        payload: "hello".into(),
        ..Publish::default()
    };
    let filters = vec![filter("b")];
    vec![
        Received(asked()),
        Sent(connack(0, Vec::new())),
        Received(Packet::Subscribe(Subscribe {
            packet_id,
            properties: properties(),
            subscriptions,
        })),
        Sent(Packet::SubAck(SubAck { packet_id, properties: properties(), codes })),
        Received(Packet::Publish(publish.clone())),
        Sent(Packet::PubRec(ack(0))),
        Received(Packet::PubRel(ack(0))),
        Sent(Packet::PubComp(ack(0))),
        Sent(Packet::Publish(publish)),
        Received(Packet::Unsubscribe(Unsubscribe { packet_id, properties: properties(), filters })),
        Received(Packet::PingReq),
        Sent(Packet::PingResp),
        Received(Packet::Disconnect(Disconnect { code: ReasonCode(0), properties: properties() })),
    ]
}

fn logged_conversation() -> (Vec<String>, Vec<String>) {
    let steps = conversation();
    let events = steps.iter().map(|step| match step {
        Received(packet) => received(packet),
        Sent(packet) => sent(packet),
    });
    let end = [BrokerEvent::Closed(address()), BrokerEvent::Note("a note")];
    let events: Vec<_> =
        [BrokerEvent::Opened(address())].into_iter().chain(events).chain(end).collect();
    logged(&events)
}

/// As mosquitto 2.0.11 writes it, but for the port after the address, and with what SUBACK and
/// PUBREL say.
#[test]
fn a_conversation_is_told_as_mosquitto_tells_it() {
    let (lines, _) = logged_conversation();
    assert_eq!(
        lines,
        [
            "New connection from 127.0.0.1:50000.",
            "New client connected from 127.0.0.1:50000 as me (p2, c1, k60, u'ann').",
            "Will message specified (1 bytes) (r0, q0).",
            "    w",
            "Sending CONNACK to me (0, 0)",
            "Received SUBSCRIBE from me",
            "    a/# (QoS 1)",
            "    b (QoS 0)",
            "Sending SUBACK to me (Mid: 1, RC:1 granted QoS 1, RC:0 granted QoS 0)",
            "Received PUBLISH from me (d0, q2, r0, m1, 'a/b', ... (5 bytes))",
            "Sending PUBREC to me (m1, rc0)",
            "Received PUBREL from me (Mid: 1)",
            "Sending PUBCOMP to me (m1)",
            "Sending PUBLISH to me (d0, q2, r0, m1, 'a/b', ... (5 bytes))",
            "Received UNSUBSCRIBE from me",
            "    b",
            "Received PINGREQ from me",
            "Sending PINGRESP to me",
            "Received DISCONNECT from me",
            "Client me disconnected.",
            "a note",
        ]
    );
}

#[test]
fn each_event_is_an_object() {
    let (_, objects) = logged_conversation();
    let at = r#"{"time":"T","event":"#;
    let me = r#""address":"127.0.0.1:50000","client":"me""#;
    let publish =
        r#""packet":"PUBLISH","topic":"a/b","qos":2,"retain":false,"dup":false,"bytes":5,"mid":1"#;
    let expected = [
        format!(r#"{at}"open","address":"127.0.0.1:50000"}}"#),
        format!(
            r#"{at}"received",{me},"packet":"CONNECT","version":"3.1.1","clean_start":true,"keep_alive":60,"username":"ann","will_topic":"w"}}"#
        ),
        format!(r#"{at}"sent",{me},"packet":"CONNACK","code":0,"session_present":false}}"#),
        format!(
            r#"{at}"received",{me},"packet":"SUBSCRIBE","mid":1,"filters":[{{"filter":"a/#","qos":1}},{{"filter":"b","qos":0}}]}}"#
        ),
        format!(r#"{at}"sent",{me},"packet":"SUBACK","mid":1,"codes":[1,0]}}"#),
        format!(r#"{at}"received",{me},{publish}}}"#),
        format!(r#"{at}"sent",{me},"packet":"PUBREC","mid":1,"code":0}}"#),
        format!(r#"{at}"received",{me},"packet":"PUBREL","mid":1,"code":0}}"#),
        format!(r#"{at}"sent",{me},"packet":"PUBCOMP","mid":1,"code":0}}"#),
        format!(r#"{at}"sent",{me},{publish}}}"#),
        format!(r#"{at}"received",{me},"packet":"UNSUBSCRIBE","mid":1,"filters":["b"]}}"#),
        format!(r#"{at}"received",{me},"packet":"PINGREQ"}}"#),
        format!(r#"{at}"sent",{me},"packet":"PINGRESP"}}"#),
        format!(r#"{at}"received",{me},"packet":"DISCONNECT","code":0}}"#),
        format!(r#"{at}"close",{me}}}"#),
        format!(r#"{at}"note","text":"a note"}}"#),
    ];
    assert_eq!(objects, expected);
}

/// Failures and properties are what mosquitto does not tell.
#[test]
fn a_refusal_says_why() {
    let asked = Packet::Connect(Box::new(connect("me", Version::V5)));
    let reason = Property::text(PropertyId::ReasonString, "shut".into());
    let refused = connack(0x87, vec![reason]);
    let puback = Packet::PubAck(ack(0x87));
    let disconnect = Packet::Disconnect(Disconnect {
        code: ReasonCode(0x8b),
        properties: Properties::default(),
    });
    let (lines, _) = logged(&[
        received(&asked),
        sent(&refused),
        sent(&puback),
        sent(&disconnect),
        BrokerEvent::Closed(address()),
        BrokerEvent::Closed(address()),
    ]);
    assert_eq!(
        lines,
        [
            "Sending CONNACK to me (0, 135), reason-string 'shut'",
            "Sending PUBACK to me (Mid: 1, RC:135)",
            "Sending DISCONNECT to me (139)",
            "Client me closed its connection.",
            "127.0.0.1:50000 closed its connection.",
        ]
    );
}

/// Before the broker has assigned an identifier, and where that is not told, there is the address.
#[test]
fn a_client_without_an_identifier_has_an_address() {
    let version_5 = Packet::Connect(Box::new(Connect {
        properties: Properties(vec![Property::number(PropertyId::ReceiveMaximum, 20)]),
        ..connect("", Version::V5)
    }));
    let assigned = Property::text(PropertyId::AssignedClientIdentifier, "auto-1".into());
    let accepted = connack(0, vec![assigned]);
    let (lines, _) = logged(&[received(&version_5), sent(&accepted)]);
    assert_eq!(
        lines,
        [
            "New client connected from 127.0.0.1:50000 as auto-1 (p5, c1, k60), receive-maximum 20.",
            "No will message specified.",
            "Sending CONNACK to auto-1 (0, 0), assigned-client-identifier 'auto-1'",
        ]
    );
    let older = Packet::Connect(Box::new(connect("", Version::V3_1)));
    let (lines, objects) = logged(&[received(&older), sent(&connack(0, Vec::new()))]);
    assert_eq!(
        lines[0],
        "New client connected from 127.0.0.1:50000 as 127.0.0.1:50000 (p1, c1, k60)."
    );
    assert!(!objects[1].contains("client"), "{objects:?}");
}
