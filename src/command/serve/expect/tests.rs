//! What is compared, and what is said of it.

use bytes::Bytes;

use super::*;
use crate::mqtt::packet::{Packet, Publish};
use crate::mqtt::topic::TopicName;

fn publish(topic: &str, qos: QoS, payload: &'static [u8]) -> Packet {
    let topic = TopicName::new(topic).expect("a topic name");
    Packet::Publish(Publish { qos, ..Publish::new(topic, Bytes::from_static(payload)) })
}

fn expected() -> PacketExpectation {
    let filter = TopicFilter::new("a/+").expect("a topic filter");
    let pattern = "^ok".parse().expect("a pattern");
    let fields = vec![
        ExpectedField::Topic(filter),
        ExpectedField::QoS(QoS::AtLeastOnce),
        ExpectedField::PayloadMatch(pattern),
    ];
    PacketExpectation { text: "pub ...".to_owned(), packet: ExpectedPacket::Publish, fields }
}

fn missing(packets: &[Packet]) -> Vec<String> {
    let mut expectations = Expectations::new(&[expected()]);
    for packet in packets {
        expectations.see(ClientPacket { client: "me", packet });
    }
    expectations.missing()
}

#[test]
fn one_packet_must_meet_all() {
    let one = publish("a/b", QoS::AtMostOnce, b"ok");
    let other = publish("a/b", QoS::AtLeastOnce, b"no");
    let right = publish("a/c", QoS::AtLeastOnce, b"ok\xff");
    assert_eq!(missing(&[one.clone(), other.clone()]).len(), 1);
    assert_eq!(missing(&[one, right, other]), Vec::<String>::new());
}

#[test]
fn the_nearest_is_told() {
    assert_eq!(missing(&[Packet::PingReq]), ["--expect 'pub ...' did not come; there was no pub"]);
    let far = publish("b", QoS::AtMostOnce, b"");
    let near = publish("a/b", QoS::AtMostOnce, b"ok");
    assert_eq!(
        missing(&[far.clone(), near, far.clone()]),
        ["--expect 'pub ...' did not come; nearest: pub client=me t=a/b q=0 r=0 payload=ok (q \
          differs)"]
    );
    assert_eq!(
        missing(&[far]),
        ["--expect 'pub ...' did not come; nearest: pub client=me t=b q=0 r=0 payload= (t, q, \
          payload differ)"]
    );
}

#[test]
fn a_long_payload_is_cut() {
    let long = Packet::Publish(Publish::new(
        TopicName::new("x").expect("a topic name"),
        Bytes::from("\u{fc}".repeat(1000)),
    ));
    let shown = format!("payload={}... (", "\u{fc}".repeat(60));
    assert!(missing(&[long])[0].contains(&shown));
}
