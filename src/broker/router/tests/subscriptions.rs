//! SUBSCRIBE, UNSUBSCRIBE and shared subscriptions (§3.8 to §3.11, §4.8.2).

use super::*;
use crate::broker::limits::{FILTER_LEVELS, Limit, Limits};
use crate::mqtt::packet::{SubAck, UnsubAck, Unsubscribe};

fn unsubscribe(filters: &[&'static str]) -> Packet {
    let filters = filters.iter().map(|filter| TopicFilter::new(*filter).unwrap()).collect();
    Packet::Unsubscribe(Unsubscribe {
        packet_id: packet_id(9),
        properties: Properties::default(),
        filters,
    })
}

#[test]
fn one_code_per_filter() {
    for version in VERSIONS {
        let mut world = World::new();
        let id = world.client(version, "id");
        let deep = "a/".repeat(FILTER_LEVELS);
        let subscriptions = vec![
            subscription("a", QoS::ExactlyOnce),
            Subscription::new(TopicFilter::new(deep).unwrap(), QoS::AtMostOnce),
            subscription("b/#", QoS::AtLeastOnce),
        ];
        let properties = Properties::default();
        let packet_id = packet_id(1);
        world.send(
            id,
            Packet::Subscribe(Subscribe {
                packet_id,
                properties: properties.clone(),
                subscriptions,
            }),
        );
        let refused = if version == Version::V5 { 0x8f } else { 0x80 };
        let codes = [2, refused, 1].map(ReasonCode).to_vec();
        assert_eq!(world.got(id), [Packet::SubAck(SubAck { packet_id, properties, codes })]);
    }
}

#[test]
fn unsubscribe_ends_a_subscription() {
    for version in VERSIONS {
        let mut world = World::new();
        let id = world.subscriber(version, "id", "a/#", QoS::AtMostOnce);
        world.subscribe(id, subscription("$share/g/a/b", QoS::AtMostOnce));
        world.subscribe(id, subscription("+/b", QoS::AtMostOnce));
        world.send(id, unsubscribe(&["a/#", "a/b", "$share/g/a/b"]));
        let codes =
            if version == Version::V5 { [0, 0x11, 0].map(ReasonCode).to_vec() } else { vec![] };
        let properties = Properties::default();
        assert_eq!(
            world.got(id),
            [Packet::UnsubAck(UnsubAck { packet_id: packet_id(9), properties, codes })]
        );
        world.publish(id, "a/b", "x", QoS::AtMostOnce);
        assert_eq!(world.messages(id), ["a/b x 0"]);
        world.send(id, unsubscribe(&["+/b"]));
        world.got(id);
        world.publish(id, "a/b", "x", QoS::AtMostOnce);
        assert_eq!(world.messages(id), [""; 0]);
    }
}

#[test]
fn a_group_takes_turns() {
    for version in VERSIONS {
        let mut world = World::new();
        let members = ["m1", "m2", "m3"]
            .map(|name| world.subscriber(version, name, "$share/g/a", QoS::AtMostOnce));
        let other = world.subscriber(version, "other", "$share/h/a", QoS::AtMostOnce);
        let plain = world.subscriber(version, "plain", "a", QoS::AtMostOnce);
        let from = world.client(version, "from");
        let flood = |world: &mut World, count| {
            (0..count).for_each(|_| world.publish(from, "a", "x", QoS::AtMostOnce));
            members.map(|id| world.messages(id).len())
        };
        assert_eq!(flood(&mut world, 6), [2, 2, 2]);
        assert_eq!((world.messages(other).len(), world.messages(plain).len()), (6, 6));
        world.lose(members[1]);
        assert_eq!(flood(&mut world, 6), [3, 0, 3]);
    }
}

#[test]
fn a_group_prefers_those_who_are_there() {
    let mut world = World::new();
    let mut away = Vec::new();
    for name in ["m1", "m2"] {
        let (id, _) = world.join(persistent(Version::V5, name));
        world.subscribe(id, subscription("$share/g/a", QoS::AtLeastOnce));
        away.push(id);
    }
    let from = world.client(Version::V5, "from");
    world.lose(away[0]);
    world.publish(from, "a", "1", QoS::AtLeastOnce);
    assert_eq!(world.messages(away[1]), ["a 1 1"]);
    world.lose(away[1]);
    world.publish(from, "a", "2", QoS::AtLeastOnce);
    world.publish(from, "a", "3", QoS::AtLeastOnce);
    let waiting: usize = ["m1", "m2"]
        .into_iter()
        .map(|name| {
            let (id, _) = world.join(persistent(Version::V5, name));
            world.messages(id).iter().filter(|message| !message.ends_with('d')).count()
        })
        .sum();
    assert_eq!(waiting, 2);
}

#[test]
fn groups_get_no_retained_messages_on_subscribing() {
    let mut world = World::new();
    let id = world.client(Version::V5, "id");
    world.send(id, retained("a", "x"));
    world.subscribe(id, subscription("$share/g/a", QoS::AtMostOnce));
    assert_eq!(world.got(id), []);
}

#[test]
fn subscriptions_are_bounded_and_leave_nothing_behind() {
    let mut world = World::within(Limits::default().with(Limit::Subscriptions, 100));
    let id = world.client(Version::V5, "id");
    for number in 0..100 {
        let filter = TopicFilter::new(format!("{number}/a/+/#")).unwrap();
        world.subscribe(id, Subscription::new(filter, QoS::AtMostOnce));
    }
    let subscribe = |filter| Subscribe {
        packet_id: packet_id(1),
        properties: Properties::default(),
        subscriptions: vec![subscription(filter, QoS::AtMostOnce)],
    };
    world.send(id, Packet::Subscribe(subscribe("one/more")));
    world.send(id, Packet::Subscribe(subscribe("0/a/+/#")));
    let codes: Vec<_> = world
        .got(id)
        .into_iter()
        .map(
            |packet| {
                if let Packet::SubAck(ack) = packet { ack.codes } else { panic!("{packet:?}") }
            },
        )
        .collect();
    assert_eq!(codes, [[ReasonCode::QUOTA_EXCEEDED], [ReasonCode::SUCCESS]]);
    world.lose(id);
    assert!(world.router.subscriptions.is_empty());
}
