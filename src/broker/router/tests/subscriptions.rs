//! SUBSCRIBE, UNSUBSCRIBE and shared subscriptions (§3.8 to §3.11, §4.8.2).

use super::*;
use crate::broker::limits::{Limit, Limits};
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
        let deep = "a/".repeat(32_767);
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
        let codes = [2, 0, 1].map(ReasonCode).to_vec();
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

/// A member of a group with a session that lasts an hour.
fn member(world: &mut World, version: Version, name: &'static str, qos: QoS) -> ConnectionId {
    let (id, _) = world.join(persistent(version, name));
    world.subscribe(id, subscription("$share/g/a", qos));
    id
}

/// Ends a session as a client does, by asking for a clean one.
fn end_session(world: &mut World, version: Version, name: &'static str) {
    let id = world.client(version, name);
    world.disconnect(id);
}

#[test]
fn what_one_member_did_not_take_goes_to_another() {
    for version in VERSIONS {
        let mut world = World::new();
        let first = member(&mut world, version, "m1", QoS::AtLeastOnce);
        let from = world.client(version, "from");
        for payload in ["1", "2", "3"] {
            world.publish(from, "a", payload, QoS::AtLeastOnce);
        }
        let sent = world.got(first);
        let Packet::Publish(one) = &sent[0] else { panic!("{sent:?}") };
        world.send(first, Packet::PubAck(Ack::success(one.packet_id.unwrap())));
        let second = member(&mut world, version, "m2", QoS::AtLeastOnce);
        // As long as the session lasts, they wait for it.
        world.lose(first);
        assert_eq!(world.messages(second), [""; 0]);
        end_session(&mut world, version, "m1");
        assert_eq!(world.messages(second), ["a 2 1", "a 3 1"]);
        // The last one takes them along.
        end_session(&mut world, version, "m2");
        let third = member(&mut world, version, "m3", QoS::AtLeastOnce);
        assert_eq!(world.messages(third), [""; 0]);
    }
}

#[test]
fn what_waits_for_an_absent_member_goes_to_another_when_its_session_expires() {
    let mut world = World::new();
    let first = member(&mut world, Version::V5, "m1", QoS::ExactlyOnce);
    world.lose(first);
    let from = world.client(Version::V5, "from");
    world.publish(from, "a", "1", QoS::ExactlyOnce);
    world.publish(from, "a", "2", QoS::AtLeastOnce);
    let second = world.client(Version::V5, "m2");
    let identifier = Properties(vec![Property::number(PropertyId::SubscriptionIdentifier, 5)]);
    world.subscribe_with(second, subscription("$share/g/a", QoS::AtLeastOnce), identifier);
    world.wait(Duration::from_secs(3600));
    let got = world.got(second);
    let identifiers = |packet: &Packet| match packet {
        Packet::Publish(publish) => publish.properties.subscription_identifiers().collect(),
        _ => Vec::new(),
    };
    assert_eq!(got.iter().map(identifiers).collect::<Vec<_>>(), [[5], [5]]);
    let Packet::Publish(publish) = &got[0] else { panic!("{got:?}") };
    assert_eq!((text(publish).as_str(), publish.packet_id), ("a 1 1", Some(packet_id(1))));
}

/// `[MQTT-4.8.2-5]` `[MQTT-4.8.2-6]`
#[test]
fn what_a_member_may_have_or_has_refused_goes_to_nobody_else() {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        for refuses in [false, true] {
            let mut world = World::new();
            let first = member(&mut world, Version::V5, "m1", qos);
            let from = world.client(Version::V5, "from");
            world.publish(from, "a", "1", qos);
            let second = member(&mut world, Version::V5, "m2", qos);
            let sent = world.got(first);
            let Packet::Publish(one) = &sent[0] else { panic!("{sent:?}") };
            if refuses {
                let refusal = ack(one.packet_id.unwrap(), ReasonCode::QUOTA_EXCEEDED);
                world.send(
                    first,
                    match qos {
                        QoS::ExactlyOnce => Packet::PubRec(refusal),
                        _ => Packet::PubAck(refusal),
                    },
                );
            }
            world.lose(first);
            end_session(&mut world, Version::V5, "m1");
            let is_passed_on = qos == QoS::AtLeastOnce && !refuses;
            assert_eq!(world.messages(second).len(), usize::from(is_passed_on), "{qos} {refuses}");
        }
    }
}

#[test]
fn nothing_is_passed_on_at_the_end() {
    let mut world = World::new();
    let members = ["m1", "m2", "m3"].map(|name| {
        let id = world.client(Version::V5, name);
        world.subscribe(id, subscription("$share/g/a", QoS::AtLeastOnce));
        id
    });
    let from = world.client(Version::V5, "from");
    for _ in 0..6 {
        world.publish(from, "a", "x", QoS::AtLeastOnce);
    }
    for id in members {
        assert_eq!(world.messages(id).len(), 2);
    }
    world.router.stop(world.now);
    world.settle();
    for id in members {
        assert_eq!(world.messages(id), [""; 0]);
    }
}
