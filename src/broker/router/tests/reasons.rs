//! Reason Strings (§3.1.2.11.7, §3.2.2.3.9): in each refusal, where the client takes them.

use super::*;
use crate::broker::limits::{Limit, Limits};
use crate::broker::memory::MemoryLevel;

/// A client whose CONNECT has this property.
fn client_with(world: &mut World, id: PropertyId, value: u32) -> ConnectionId {
    let properties = Properties(vec![Property::number(id, value)]);
    world.join(Connect { properties, ..connect(Version::V5, "id") }).0
}

/// A broker in which nobody may subscribe.
fn world() -> World {
    World::within(Limits::default().with(Limit::Subscriptions, 0))
}

/// What is refused: by PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK, and at last by DISCONNECT.
fn misbehave(world: &mut World, id: ConnectionId) -> Vec<String> {
    let filter = TopicFilter::new("a").unwrap();
    let packets = [
        Packet::Publish(publish("$SYS/a", "x", QoS::AtLeastOnce)),
        Packet::Publish(publish("$SYS/a", "x", QoS::ExactlyOnce)),
        Packet::PubRec(Ack::success(packet_id(9))),
        Packet::PubRel(Ack::success(packet_id(9))),
        Packet::Subscribe(Subscribe {
            packet_id: packet_id(1),
            properties: Properties::default(),
            subscriptions: vec![Subscription::new(filter, QoS::AtMostOnce)],
        }),
        Packet::PingResp,
    ];
    for packet in packets {
        world.send(id, packet);
    }
    assert_eq!((world.got(id).len(), world.end(id)), (6, Some(EndReason::Misbehaved)));
    std::mem::take(&mut world.reasons)
}

#[test]
fn each_refusal_says_why() {
    let mut world = world();
    let id = world.client(Version::V5, "id");
    let reasons = misbehave(&mut world, id);
    assert_eq!(reasons.len(), 6);
    assert_eq!(reasons[0], "clients do not publish to $SYS");
    assert!(reasons[4].ends_with("a session has at most 0 subscriptions here"));
    assert_eq!(reasons[5], "a packet that only servers send");
    assert_eq!(world.notes.last().unwrap(), "\"id\": a packet that only servers send");
}

#[test]
fn a_full_queue_is_told_to_publishers() {
    let mut world = World::within(Limits::default().with(Limit::QueueMessages, 1));
    let (away, _) = world.join(persistent(Version::V3_1_1, "away"));
    world.subscribe(away, subscription("q", QoS::AtLeastOnce));
    world.lose(away);
    let id = world.client(Version::V5, "id");
    for qos in [QoS::AtLeastOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        world.send(id, Packet::Publish(publish("q", "x", qos)));
    }
    let string = "the queues of all who would get it are full";
    assert_eq!(std::mem::take(&mut world.reasons), [string; 2]);
    // What somebody gets is not to be sent again.
    let to = world.subscriber(Version::V5, "to", "q", QoS::AtLeastOnce);
    world.got(id);
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        world.send(id, Packet::Publish(publish("q", "x", qos)));
    }
    let codes = world.got(id).into_iter().map(|packet| match packet {
        Packet::PubAck(ack) | Packet::PubRec(ack) => ack.code,
        other => panic!("{other:?}"),
    });
    assert!(codes.eq([ReasonCode::SUCCESS; 2]));
    assert_eq!((world.got(to).len(), world.reasons.len()), (2, 0));
    assert_eq!(world.router.statistics.dropped, 4);
}

/// A filter may be as long as a string can be; with a sentence it is longer.
#[test]
fn a_long_filter_is_named_in_part() {
    let mut world = world();
    let id = world.client(Version::V5, "id");
    let filter = TopicFilter::new("ä".repeat(32_767)).unwrap();
    world.send(
        id,
        Packet::Subscribe(Subscribe {
            packet_id: packet_id(1),
            properties: Properties::default(),
            subscriptions: vec![Subscription::new(filter, QoS::AtMostOnce)],
        }),
    );
    let got = world.got(id);
    assert!(matches!(&got[..], [Packet::SubAck(_)]), "{got:?}");
    assert_eq!(world.reasons, ["ä".repeat(512)]);
}

/// `[MQTT-3.1.2-29]`
#[test]
fn a_client_that_asks_for_none_gets_them_at_the_ends_alone() {
    let mut world = world();
    let id = client_with(&mut world, PropertyId::RequestProblemInformation, 0);
    assert_eq!(misbehave(&mut world, id), ["a packet that only servers send"]);
}

/// `[MQTT-3.4.2-2]` and its likes
#[test]
fn they_are_left_out_where_the_packet_would_be_too_large() {
    let mut world = world();
    let id = client_with(&mut world, PropertyId::MaximumPacketSize, 38);
    let reasons = misbehave(&mut world, id);
    assert_eq!(reasons.len(), 1, "{reasons:?}");
    for version in [Version::V3_1, Version::V3_1_1] {
        let id = world.client(version, "id");
        assert_eq!(misbehave_before_5(&mut world, id), [""; 0]);
    }
}

fn misbehave_before_5(world: &mut World, id: ConnectionId) -> Vec<String> {
    world.send(id, Packet::Publish(publish("$SYS/a", "x", QoS::AtLeastOnce)));
    world.send(id, Packet::PubRel(Ack::success(packet_id(9))));
    assert_eq!(world.got(id).len(), 2);
    std::mem::take(&mut world.reasons)
}

#[test]
fn connack_says_why_a_client_is_refused() {
    let method = Property::text(PropertyId::AuthenticationMethod, "SCRAM-SHA-1".into());
    let data = Property::binary(PropertyId::AuthenticationData, Bytes::from_static(b"x"));
    for (property, code, string) in [
        (method, 0x8c, "the broker has no enhanced authentication"),
        (data, 0x82, "authentication data without an authentication method (§3.1.2.11.10)"),
    ] {
        let mut world = World::new();
        let properties = Properties(vec![property]);
        let id = world.dial(Connect { properties, ..connect(Version::V5, "id") });
        let got = world.got(id);
        let [Packet::ConnAck(answer)] = &got[..] else { panic!("{got:?}") };
        assert_eq!((answer.code, world.end(id)), (ReasonCode(code), Some(EndReason::Refused)));
        assert_eq!(world.reasons, [string]);
    }
}

/// What would have to be kept for it is not: its will, or its name.
#[test]
fn a_client_is_refused_where_there_is_no_memory_and_the_user_is_told() {
    let mut world = World::new();
    world.router.set_memory(MemoryLevel::Out);
    let willing = Connect { will: Some(will("gone")), ..connect(Version::V5, "id") };
    let long = connect(Version::V5, "x".repeat(257).leak());
    for refused in [willing, long] {
        let id = world.dial(refused);
        assert_eq!(world.end(id), Some(EndReason::Refused));
    }
    assert_eq!(world.reasons, ["the broker has no memory left"; 2]);
    let told = world.router.warnings();
    assert!(told.len() == 1 && told[0].starts_with("the limit of memory is reached"), "{told:?}");
}

#[test]
fn what_ends_a_connection_is_told() {
    let mut world = World::new();
    let id = world.client(Version::V5, "id");
    world.client(Version::V5, "id");
    assert_eq!(world.end(id), Some(EndReason::TakenOver));
    assert_eq!(world.reasons, ["another connection has the same client identifier"]);
    let id = world.client(Version::V5, "many");
    let maximum = Limits::default().get_u16(Limit::ReceiveMaximum);
    for number in 0..=maximum {
        let packet_id = Some(packet_id(number + 1));
        let publish = Publish { packet_id, ..publish("a", "x", QoS::ExactlyOnce) };
        world.send(id, Packet::Publish(publish));
    }
    let string = format!("more than {maximum} unfinished messages [MQTT-3.3.4-7]");
    assert_eq!(world.reasons.last(), Some(&string));
    let (id, _) = world.join(Connect { keep_alive: 3, ..connect(Version::V5, "silent") });
    world.wait(Duration::from_secs(5));
    assert_eq!(world.end(id), Some(EndReason::Silent));
    assert_eq!(world.reasons.last().unwrap(), "silent for more than 4.5 seconds");
    world.router.stop(world.now);
    world.settle();
    assert_eq!(world.reasons.last().unwrap(), "the broker was stopped");
}
