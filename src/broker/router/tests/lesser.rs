//! A broker that offers less than MQTT has.

use std::ops::RangeInclusive;

use super::*;
use crate::broker::limits::Limit;
use crate::mqtt::packet::{ConnAck, SubAck};

fn subscribe(filter: &'static str, properties: Properties) -> Packet {
    let subscriptions = vec![subscription(filter, QoS::ExactlyOnce)];
    Packet::Subscribe(Subscribe { packet_id: packet_id(1), properties, subscriptions })
}

/// Sends a packet as an accepted client, and returns the answers and the end.
fn answers(limits: Limits, version: Version, packet: Packet) -> (Vec<Packet>, Option<EndReason>) {
    let mut world = World::within(limits);
    let id = world.client(version, "id");
    world.send(id, packet);
    (world.got(id), world.end(id))
}

fn lesser(limit: Limit) -> Limits {
    Limits::default().with(limit, 0)
}

#[test]
fn mqtt_5_clients_are_told_of_all_that_is_missing() {
    let limits = [Limit::Retain, Limit::Wildcards, Limit::SubscriptionIdentifiers, Limit::Shared]
        .into_iter()
        .fold(Limits::default(), |limits, limit| limits.with(limit, 0))
        .with(Limit::MaxQos, 1)
        .with(Limit::ReceiveMaximum, 7)
        .with(Limit::TopicAliases, 3)
        .with(Limit::Packet, 1000)
        .with(Limit::KeepAlive, 20);
    let mut world = World::within(limits);
    let id = world.dial(connect(Version::V5, "id"));
    let packets = world.got(id);
    let [Packet::ConnAck(answer)] = &packets[..] else { panic!("{packets:?}") };
    let told: Vec<String> = answer.properties.0.iter().map(|one| format!("{one:?}")).collect();
    let expected = [
        (PropertyId::ReceiveMaximum, 7),
        (PropertyId::TopicAliasMaximum, 3),
        (PropertyId::MaximumPacketSize, 1000),
        (PropertyId::MaximumQoS, 1),
        (PropertyId::RetainAvailable, 0),
        (PropertyId::WildcardSubscriptionAvailable, 0),
        (PropertyId::SubscriptionIdentifierAvailable, 0),
        (PropertyId::SharedSubscriptionAvailable, 0),
        (PropertyId::ServerKeepAlive, 20),
    ];
    let expected = expected.map(|(id, value)| format!("{:?}", Property::number(id, value)));
    assert_eq!(told, expected);
}

#[test]
fn the_keep_alive_of_the_server_is_the_longest() {
    for (version, wanted, ends_after) in [
        (Version::V5, 0, Some(30)),
        (Version::V5, 100, Some(30)),
        (Version::V5, 10, Some(15)),
        (Version::V3_1_1, 0, None),
        (Version::V3_1_1, 100, Some(150)),
    ] {
        let mut world = World::within(Limits::default().with(Limit::KeepAlive, 20));
        let (id, _) = world.join(Connect { keep_alive: wanted, ..connect(version, "id") });
        let ends_after = ends_after.unwrap_or(1000);
        world.wait(Duration::from_secs(ends_after - 1));
        assert_eq!(world.end(id), None, "{version:?} {wanted}");
        world.wait(Duration::from_secs(2));
        assert_eq!(world.end(id).is_some(), ends_after < 1000, "{version:?} {wanted}");
    }
}

#[test]
fn a_message_that_is_not_supported_ends_the_connection() {
    let above = || Packet::Publish(publish("a", "x", QoS::AtLeastOnce));
    for version in VERSIONS {
        for (limits, packet, code) in [
            (lesser(Limit::MaxQos), above(), ReasonCode::QOS_NOT_SUPPORTED),
            (lesser(Limit::Retain), retained("a", "x"), ReasonCode::RETAIN_NOT_SUPPORTED),
        ] {
            let (packets, end) = answers(limits, version, packet);
            let told = if version == Version::V5 { vec![goodbye(code)] } else { Vec::new() };
            assert_eq!((packets, end), (told, Some(EndReason::Misbehaved)), "{version:?}");
        }
    }
}

#[test]
fn a_will_that_is_not_supported_is_refused() {
    let wills = [
        (Limit::MaxQos, will("x"), ReasonCode::QOS_NOT_SUPPORTED),
        (Limit::Retain, Will { retain: true, ..will("x") }, ReasonCode::RETAIN_NOT_SUPPORTED),
    ];
    for version in VERSIONS {
        for (limit, will, code) in wills.clone() {
            let mut world = World::within(lesser(limit));
            let id = world.dial(Connect { will: Some(will), ..connect(version, "id") });
            let code = if version == Version::V5 { code } else { ReasonCode(3) };
            let properties = Properties::default();
            let refusal = ConnAck { session_present: false, code, properties };
            assert_eq!(world.got(id), [Packet::ConnAck(Box::new(refusal))]);
            assert_eq!(world.end(id), Some(EndReason::Refused));
        }
    }
}

#[test]
fn a_subscription_that_is_not_supported() {
    let none = Properties::default;
    let identifier = || Properties(vec![Property::number(PropertyId::SubscriptionIdentifier, 1)]);
    for (limit, filter, properties, code) in [
        (Limit::Wildcards, "a/+", none(), ReasonCode::WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED),
        (Limit::Wildcards, "$share/g/#", none(), ReasonCode::WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED),
        (Limit::Shared, "$share/g/a", none(), ReasonCode::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED),
        (
            Limit::SubscriptionIdentifiers,
            "a",
            identifier(),
            ReasonCode::SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED,
        ),
    ] {
        let (packets, end) =
            answers(lesser(limit), Version::V5, subscribe(filter, properties.clone()));
        assert_eq!((packets, end), (vec![goodbye(code)], Some(EndReason::Misbehaved)), "{filter}");
        if properties.is_empty() {
            let (packets, end) = answers(lesser(limit), Version::V3_1_1, subscribe(filter, none()));
            let (packet_id, codes) = (packet_id(1), vec![ReasonCode(0x80)]);
            let refused = SubAck { packet_id, properties: none(), codes };
            assert_eq!((packets, end), (vec![Packet::SubAck(refused)], None), "{filter}");
        }
    }
}

#[test]
fn a_subscription_is_granted_the_highest_qos_there_is() {
    for version in VERSIONS {
        let limits = Limits::default().with(Limit::MaxQos, 1);
        let (packets, _) = answers(limits, version, subscribe("a", Properties::default()));
        let (packet_id, codes) = (packet_id(1), vec![ReasonCode::GRANTED_QOS_1]);
        let granted = SubAck { packet_id, properties: Properties::default(), codes };
        assert_eq!(packets, [Packet::SubAck(granted)]);
    }
}

/// Publishes, and returns the code of the acknowledgement.
fn code_of(world: &mut World, id: ConnectionId, message: Publish) -> Option<ReasonCode> {
    world.send(id, Packet::Publish(message));
    match world.got(id).pop() {
        Some(Packet::PubAck(ack) | Packet::PubRec(ack)) => Some(ack.code),
        None => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_retained_message_without_room_leaves_the_old_one() {
    let quota = ReasonCode::QUOTA_EXCEEDED;
    for (version, qos, told) in [
        (Version::V5, QoS::ExactlyOnce, Some(quota)),
        (Version::V5, QoS::AtLeastOnce, Some(quota)),
        (Version::V5, QoS::AtMostOnce, None),
        (Version::V3_1_1, QoS::AtLeastOnce, Some(ReasonCode::SUCCESS)),
    ] {
        let limits = Limits::default().with(Limit::RetainedMessages, 2);
        let mut world = World::within(limits.with(Limit::RetainedBytes, 300));
        let to = world.subscriber(version, "to", "#", QoS::AtLeastOnce);
        let from = world.client(version, "from");
        let long: &'static str = Box::leak("x".repeat(300).into_boxed_str());
        let mut code = |topic, payload, id| {
            let packet_id = PacketId::new(id).filter(|_| qos != QoS::AtMostOnce);
            let message = Publish { retain: true, packet_id, ..publish(topic, payload, qos) };
            code_of(&mut world, from, message)
        };
        let taken = told.map(|_| ReasonCode::SUCCESS);
        assert_eq!([code("a", "1", 1), code("b", "1", 2)], [taken, taken]);
        assert_eq!([code("c", "1", 3), code("a", long, 4)], [told, told]);
        // One that is refused reaches nobody, and the others are delivered.
        let is_refused = told == Some(quota);
        assert_eq!(world.messages(to).len(), if is_refused { 2 } else { 4 });
        assert_eq!(world.router.warnings().len(), usize::from(!is_refused));
        let reader = world.subscriber(version, "reader", "#", QoS::AtMostOnce);
        assert_eq!(world.messages(reader), ["a 1 0 r", "b 1 0 r"]);
    }
}

#[test]
fn a_message_that_finds_every_queue_full_is_not_answered_with_success() {
    for version in VERSIONS {
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let mut world = World::within(Limits::default().with(Limit::QueueMessages, 2));
            let (away, _) = world.join(persistent(Version::V3_1_1, "away"));
            world.subscribe(away, subscription("a", qos));
            world.lose(away);
            // Who may not have it at this QoS gets none while it is away.
            let (other, _) = world.join(persistent(Version::V3_1_1, "other"));
            world.subscribe(other, subscription("a", QoS::AtMostOnce));
            world.lose(other);
            let from = world.client(version, "from");
            let codes = |world: &mut World, numbers: RangeInclusive<u16>| -> Vec<_> {
                let publish = |number| {
                    let packet_id = PacketId::new(number);
                    let message = Publish { packet_id, ..publish("a", "x", qos) };
                    code_of(world, from, message).unwrap().0
                };
                numbers.map(publish).collect()
            };
            let full = if version == Version::V5 { 0x97 } else { 0 };
            assert_eq!(codes(&mut world, 1..=4), [0, 0, full, full], "{version:?} {qos}");
            // One that somebody gets is not to be sent again, by which others would get it twice.
            let to = world.subscriber(Version::V3_1_1, "to", "a", QoS::AtMostOnce);
            assert_eq!(codes(&mut world, 5..=8), [0; 4], "{version:?} {qos}");
            assert_eq!(world.messages(to).len(), 4);
            assert_eq!(world.router.statistics.dropped, 6);
            let told = world.router.warnings();
            assert!(told.len() == 1 && told[0].starts_with("the queue of \"away\" is full"));
            world.join(persistent(Version::V3_1_1, "away"));
            assert_eq!(
                world.router.warnings(),
                ["the queue of \"away\" was full: 6 messages lost"]
            );
        }
    }
}

#[test]
fn absent_sessions_make_room_for_new_clients() {
    let mut world = World::within(Limits::default().with(Limit::Sessions, 4));
    let from = world.client(Version::V5, "from");
    for client_id in ["full", "first", "second"] {
        let (id, _) = world.join(persistent(Version::V5, client_id));
        world.subscribe(id, subscription(client_id, QoS::AtLeastOnce));
        world.lose(id);
        world.wait(Duration::from_secs(1));
    }
    world.publish(from, "full", "x", QoS::AtLeastOnce);
    let ended = |line: &String| line.split('"').nth(1).map(ToOwned::to_owned);
    for (client_id, makes_room) in [("a", "first"), ("b", "second")] {
        world.client(Version::V3_1_1, client_id);
        assert_eq!(world.notes.last().and_then(ended).as_deref(), Some(makes_room));
    }
    // What is lost is told of in any case.
    world.client(Version::V3_1_1, "c");
    assert_eq!(
        world.router.warnings(),
        [
            "there are too many sessions (see --limit): that of \"full\", whose client has been absent \
          longest, is ended, with 1 messages for it"
        ]
    );
    let refused = world.dial(connect(Version::V5, "refused"));
    assert_eq!((world.end(refused), world.end(from)), (Some(EndReason::Refused), None));
}
