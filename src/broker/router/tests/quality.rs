//! The exchanges of QoS 1 and 2, in both directions (§4.3, §4.4, §4.9).

use super::*;
use crate::broker::limits::IN_FLIGHT;

/// Publishes `count` messages with payloads 0, 1, 2...
fn flood(world: &mut World, from: ConnectionId, qos: QoS, count: usize) {
    for number in 0..count {
        let payload = Bytes::from(number.to_string());
        world.send(from, Packet::Publish(Publish { payload, ..publish("a", "", qos) }));
        world.send(from, Packet::PubRel(Ack::success(packet_id(7))));
    }
}

fn ids(packets: &[Packet]) -> Vec<PacketId> {
    packets
        .iter()
        .filter_map(|packet| if let Packet::Publish(p) = packet { p.packet_id } else { None })
        .collect()
}

#[test]
fn once_inbound_is_exactly_once() {
    for version in VERSIONS {
        let mut world = World::new();
        let to = world.subscriber(version, "to", "a", QoS::AtMostOnce);
        let (from, _) = world.join(persistent(version, "from"));
        let message = publish("a", "x", QoS::ExactlyOnce);
        world.send(from, Packet::Publish(message.clone()));
        assert_eq!(world.got(from), [Packet::PubRec(Ack::success(packet_id(7)))]);
        world.lose(from);
        let (from, present) = world.join(persistent(version, "from"));
        assert!(present);
        world.send(from, Packet::Publish(Publish { dup: true, ..message.clone() }));
        world.send(from, Packet::PubRel(Ack::success(packet_id(7))));
        assert_eq!(
            world.got(from),
            [
                Packet::PubRec(Ack::success(packet_id(7))),
                Packet::PubComp(Ack::success(packet_id(7)))
            ]
        );
        assert_eq!(world.messages(to), ["a x 0"]);
        // The identifier is free, and unknown.
        world.send(from, Packet::PubRel(Ack::success(packet_id(7))));
        let unknown = ReasonCode(if version == Version::V5 { 0x92 } else { 0 });
        assert_eq!(world.got(from), [Packet::PubComp(ack(packet_id(7), unknown))]);
        world.send(from, Packet::Publish(message));
        assert_eq!(world.messages(to), ["a x 0"]);
    }
}

#[test]
fn the_client_receive_maximum_is_obeyed() {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let mut world = World::new();
        let properties = Properties(vec![Property::number(PropertyId::ReceiveMaximum, 3)]);
        let (to, _) = world.join(Connect { properties, ..connect(Version::V5, "to") });
        world.subscribe(to, subscription("a", qos));
        let from = world.client(Version::V5, "from");
        flood(&mut world, from, qos, 10);
        let packets = world.got(to);
        assert_eq!(ids(&packets), [packet_id(1), packet_id(2), packet_id(3)]);
        if qos == QoS::AtLeastOnce {
            world.send(to, Packet::PubAck(Ack::success(packet_id(2))));
            assert_eq!(world.messages(to), ["a 3 1"]);
            continue;
        }
        world.send(to, Packet::PubRec(Ack::success(packet_id(1))));
        assert_eq!(world.got(to), [Packet::PubRel(Ack::success(packet_id(1)))]);
        world.send(to, Packet::PubComp(Ack::success(packet_id(1))));
        assert_eq!(world.messages(to), ["a 3 2"]);
        // A refusal ends the exchange without PUBREL `[MQTT-4.3.3-4]`.
        world.send(to, Packet::PubRec(ack(packet_id(2), ReasonCode::QUOTA_EXCEEDED)));
        assert_eq!(world.messages(to), ["a 4 2"]);
    }
}

#[test]
fn our_receive_maximum_is_enforced() {
    for (version, over) in [(Version::V5, true), (Version::V3_1_1, false)] {
        let mut world = World::new();
        let id = world.client(version, "id");
        for number in 1..=1025 {
            let packet_id = PacketId::new(number);
            world.send(
                id,
                Packet::Publish(Publish { packet_id, ..publish("a", "x", QoS::ExactlyOnce) }),
            );
            assert_eq!(world.end(id).is_some(), over && number > 1024);
        }
        if over {
            assert_eq!(world.got(id).pop(), Some(goodbye(ReasonCode::RECEIVE_MAXIMUM_EXCEEDED)));
        }
    }
}

#[test]
fn everything_unacknowledged_is_sent_again_in_order() {
    for version in VERSIONS {
        let mut world = World::new();
        let (to, _) = world.join(persistent(version, "to"));
        world.subscribe(to, subscription("a", QoS::ExactlyOnce));
        let from = world.client(version, "from");
        flood(&mut world, from, QoS::ExactlyOnce, 6);
        assert_eq!(world.messages(to).len(), 6);
        for id in [3, 1, 5] {
            world.send(to, Packet::PubRec(Ack::success(packet_id(id))));
        }
        world.send(to, Packet::PubComp(Ack::success(packet_id(1))));
        world.lose(to);
        flood(&mut world, from, QoS::AtLeastOnce, 1);
        let (to, present) = world.join(persistent(version, "to"));
        assert!(present);
        let packets = world.got(to);
        assert_eq!(packets[..2], [3, 5].map(|id| Packet::PubRel(Ack::success(packet_id(id)))));
        let messages: Vec<_> = packets
            .iter()
            .filter_map(|packet| {
                if let Packet::Publish(p) = packet { Some((text(p), p.packet_id)) } else { None }
            })
            .collect();
        let expected = [("a 1 2 d", 2), ("a 3 2 d", 4), ("a 5 2 d", 6), ("a 0 1", 7)];
        assert_eq!(messages, expected.map(|(text, id)| (text.to_owned(), PacketId::new(id))));
    }
}

#[test]
fn what_is_sent_again_obeys_the_new_receive_maximum() {
    let mut world = World::new();
    let (to, _) = world.join(persistent(Version::V5, "to"));
    world.subscribe(to, subscription("a", QoS::AtLeastOnce));
    let from = world.client(Version::V5, "from");
    flood(&mut world, from, QoS::AtLeastOnce, 5);
    world.lose(to);
    let mut again = persistent(Version::V5, "to");
    again.properties.push(Property::number(PropertyId::ReceiveMaximum, 2));
    let (to, _) = world.join(again);
    assert_eq!(world.messages(to), ["a 0 1 d", "a 1 1 d"]);
    world.send(to, Packet::PubAck(Ack::success(packet_id(1))));
    assert_eq!(world.messages(to), ["a 2 1 d"]);
    // An acknowledgement of what was not sent again yet frees nothing, and is not sent any more.
    world.send(to, Packet::PubAck(Ack::success(packet_id(4))));
    assert_eq!(world.messages(to), [""; 0]);
    world.send(to, Packet::PubAck(Ack::success(packet_id(2))));
    assert_eq!(world.messages(to), ["a 4 1 d"]);
}

#[test]
fn packet_identifiers_wrap_and_skip_those_in_use() {
    let mut world = World::new();
    let to = world.subscriber(Version::V3_1_1, "to", "a", QoS::AtLeastOnce);
    let from = world.client(Version::V3_1_1, "from");
    // The first message is never acknowledged.
    let mut last = 0;
    for _ in 0..65_536 {
        world.send(from, Packet::Publish(publish("a", "", QoS::AtLeastOnce)));
        let id = ids(&world.got(to))[0];
        world.got(from);
        last = id.get();
        if last != 1 {
            world.send(to, Packet::PubAck(Ack::success(id)));
        }
    }
    assert_eq!(last, 2);
}

#[test]
fn messages_in_flight_are_bounded_and_slide() {
    let mut world = World::new();
    let to = world.subscriber(Version::V3_1_1, "to", "a", QoS::AtLeastOnce);
    let from = world.client(Version::V3_1_1, "from");
    flood(&mut world, from, QoS::AtLeastOnce, usize::from(IN_FLIGHT) + 10);
    let packets = world.got(to);
    assert_eq!(packets.len(), usize::from(IN_FLIGHT));
    for (number, id) in ids(&packets).into_iter().enumerate() {
        world.send(to, Packet::PubAck(Ack::success(id)));
        assert_eq!(world.got(to).len(), usize::from(number < 10));
    }
}

#[test]
fn acknowledgements_of_the_wrong_kind() {
    type Row = (QoS, fn(Ack) -> Packet, bool);
    let table: [Row; 6] = [
        (QoS::AtLeastOnce, Packet::PubRec, true),
        (QoS::AtLeastOnce, Packet::PubComp, true),
        (QoS::ExactlyOnce, Packet::PubAck, true),
        (QoS::ExactlyOnce, Packet::PubComp, true),
        (QoS::AtLeastOnce, Packet::PubAck, false),
        (QoS::ExactlyOnce, Packet::PubRec, false),
    ];
    for version in VERSIONS {
        for (qos, packet, wrong) in table {
            let mut world = World::new();
            let to = world.subscriber(version, "to", "a", qos);
            world.publish(to, "a", "x", qos);
            world.got(to);
            world.send(to, packet(Ack::success(packet_id(1))));
            assert_eq!(world.end(to), wrong.then_some(EndReason::Misbehaved));
            if wrong && version == Version::V5 {
                assert_eq!(world.got(to), [goodbye(ReasonCode::PROTOCOL_ERROR)]);
            }
        }
    }
}

#[test]
fn acknowledgements_of_nothing_are_forgiven() {
    for version in VERSIONS {
        let mut world = World::new();
        let id = world.client(version, "id");
        world.send(id, Packet::PubAck(Ack::success(packet_id(9))));
        world.send(id, Packet::PubComp(Ack::success(packet_id(9))));
        world.send(id, Packet::PubRec(ack(packet_id(9), ReasonCode::QUOTA_EXCEEDED)));
        assert_eq!(world.got(id), []);
        world.send(id, Packet::PubRec(Ack::success(packet_id(9))));
        let code = if version == Version::V5 {
            ReasonCode::PACKET_IDENTIFIER_NOT_FOUND
        } else {
            ReasonCode::SUCCESS
        };
        assert_eq!(world.got(id), [Packet::PubRel(ack(packet_id(9), code))]);
        assert_eq!(world.end(id), None);
    }
}

#[test]
fn a_repeated_pubrec_is_answered_again() {
    let mut world = World::new();
    let to = world.subscriber(Version::V5, "to", "a", QoS::ExactlyOnce);
    world.publish(to, "a", "x", QoS::ExactlyOnce);
    world.got(to);
    for _ in 0..2 {
        world.send(to, Packet::PubRec(Ack::success(packet_id(1))));
        assert_eq!(world.got(to), [Packet::PubRel(Ack::success(packet_id(1)))]);
    }
}
