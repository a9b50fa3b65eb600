//! Publishing and delivering: QoS, wildcards, RETAIN, aliases, expiry, limits.

use super::*;
use crate::broker::limits::{Limit, UNSENT_BYTES};
use crate::mqtt::packet::RetainHandling;

#[test]
fn the_lower_qos_counts() {
    for publisher in VERSIONS {
        for subscriber in VERSIONS {
            for sent in QOS {
                for granted in QOS {
                    let mut world = World::new();
                    let to = world.subscriber(subscriber, "to", "a/+", granted);
                    let from = world.client(publisher, "from");
                    world.publish(from, "a/b", "hello", sent);
                    assert_eq!(world.messages(to), [format!("a/b hello {}", sent.min(granted))]);
                    assert_eq!(world.got(from), []);
                }
            }
        }
    }
}

#[test]
fn wildcards() {
    let table = [
        ("#", "a/b", true),
        ("#", "$x/a", false),
        ("+/a", "$x/a", false),
        ("$x/#", "$x/a", true),
        ("$x/+", "$x/a", true),
        ("a/#", "a", true),
        ("a/#", "a/b/c", true),
        ("a/#", "ab", false),
        ("a/+", "a", false),
        ("a/+", "a/", true),
        ("+/+", "/a", true),
        ("+", "/a", false),
        ("/+", "/a", true),
        ("a/+/c", "a/b/c", true),
        ("a/+/c", "a/b/d", false),
        ("a/+/#", "a/b", true),
        ("a", "a", true),
        ("a", "a/b", false),
        ("a/b", "a", false),
    ];
    for (filter, topic, matches) in table {
        let mut world = World::new();
        let to = world.subscriber(Version::V3_1_1, "to", filter, QoS::AtMostOnce);
        let late = world.client(Version::V3_1_1, "late");
        let from = world.client(Version::V3_1_1, "from");
        world.send(from, retained(topic, "x"));
        assert_eq!(world.messages(to).len(), usize::from(matches), "{filter} {topic}");
        world.subscribe(late, subscription(filter, QoS::AtMostOnce));
        assert_eq!(world.messages(late).len(), usize::from(matches), "retained: {filter} {topic}");
    }
}

#[test]
fn clients_do_not_publish_to_sys() {
    for version in VERSIONS {
        let mut world = World::new();
        let to = world.subscriber(version, "to", "$SYS/#", QoS::ExactlyOnce);
        // What the broker tells about itself.
        world.got(to);
        let dying = world.dial(Connect {
            will: Some(Will { topic: TopicName::new("$SYS/w").unwrap(), ..will("gone") }),
            ..connect(version, "dying")
        });
        world.lose(dying);
        let from = world.client(version, "from");
        let code =
            if version == Version::V5 { ReasonCode::NOT_AUTHORIZED } else { ReasonCode::SUCCESS };
        let answer = ack(packet_id(7), code);
        for topic in ["$SYS", "$SYS/a"] {
            world.send(from, Packet::Publish(publish(topic, "x", QoS::AtMostOnce)));
            assert_eq!(world.got(from), []);
            world.send(from, Packet::Publish(publish(topic, "x", QoS::AtLeastOnce)));
            assert_eq!(world.got(from), [Packet::PubAck(answer.clone())]);
            world.send(from, Packet::Publish(publish(topic, "x", QoS::ExactlyOnce)));
            assert_eq!(world.got(from), [Packet::PubRec(answer.clone())]);
            if version < Version::V5 {
                // The flow goes on there.
                world.send(from, Packet::PubRel(Ack::success(packet_id(7))));
                assert_eq!(world.got(from), [Packet::PubComp(Ack::success(packet_id(7)))]);
            }
        }
        world.send(from, retained("$SYS/a", "x"));
        assert_eq!(world.messages(to), [""; 0]);
        let late = world.subscriber(version, "late", "$SYS/a", QoS::AtMostOnce);
        assert_eq!(world.messages(late), [""; 0]);
        // `$SYSTEM` is another topic.
        let other = world.subscriber(version, "other", "$SYSTEM", QoS::AtMostOnce);
        world.publish(from, "$SYSTEM", "x", QoS::AtMostOnce);
        assert_eq!(world.messages(other), ["$SYSTEM x 0"]);
    }
}

#[test]
fn overlapping_subscriptions_deliver_once_at_the_highest_qos() {
    for version in VERSIONS {
        let mut world = World::new();
        let to = world.subscriber(version, "to", "a/#", QoS::AtMostOnce);
        world.subscribe(to, subscription("a/b", QoS::ExactlyOnce));
        world.subscribe(to, subscription("+/b", QoS::AtLeastOnce));
        world.publish(to, "a/b", "x", QoS::ExactlyOnce);
        assert_eq!(world.messages(to), ["a/b x 2"]);
    }
}

#[test]
fn subscription_identifiers_of_all_that_match() {
    let mut world = World::new();
    let to = world.client(Version::V5, "to");
    world.send(to, retained("a/b", "kept"));
    for (filter, identifier) in [("a/#", 1), ("+/b", 268_435_455), ("other", 3)] {
        let properties =
            Properties(vec![Property::number(PropertyId::SubscriptionIdentifier, identifier)]);
        world.subscribe_with(to, subscription(filter, QoS::AtMostOnce), properties);
    }
    world.publish(to, "a/b", "x", QoS::AtMostOnce);
    let identifiers: Vec<Vec<u32>> = world
        .got(to)
        .iter()
        .map(|packet| {
            let Packet::Publish(publish) = packet else { panic!("{packet:?}") };
            let mut identifiers: Vec<_> = publish.properties.subscription_identifiers().collect();
            identifiers.sort_unstable();
            identifiers
        })
        .collect();
    assert_eq!(identifiers, [vec![1], vec![268_435_455], vec![1, 268_435_455]]);
}

#[test]
fn properties_are_forwarded_to_those_who_know_them() {
    let properties = Properties(vec![
        Property::number(PropertyId::PayloadFormatIndicator, 1),
        Property::text(PropertyId::ContentType, "text/plain".into()),
        Property::text(PropertyId::ResponseTopic, "r".into()),
        Property::binary(PropertyId::CorrelationData, Bytes::from_static(&[0, 255])),
        Property::user("k".into(), "v".into()),
        Property::user("k".into(), "w".into()),
    ]);
    let mut world = World::new();
    let new = world.subscriber(Version::V5, "new", "#", QoS::AtMostOnce);
    let old = world.subscriber(Version::V3_1_1, "old", "#", QoS::AtMostOnce);
    let message = Publish { properties, ..publish("t", "x", QoS::AtMostOnce) };
    world.send(new, Packet::Publish(message.clone()));
    assert_eq!(world.got(new), [Packet::Publish(message)]);
    assert_eq!(world.messages(old), ["t x 0"]);
}

#[test]
fn retained_messages() {
    for version in VERSIONS {
        let mut world = World::new();
        let early = world.subscriber(version, "early", "#", QoS::AtMostOnce);
        world.send(early, retained("a", "1"));
        world.send(early, retained("a", "2"));
        world.send(early, retained("b", "3"));
        // It was not retained when it came by.
        assert_eq!(world.messages(early), ["a 1 0", "a 2 0", "b 3 0"]);
        let late = world.subscriber(version, "late", "#", QoS::AtMostOnce);
        assert_eq!(world.messages(late), ["a 2 0 r", "b 3 0 r"]);
        world.send(early, retained("a", ""));
        assert_eq!(world.messages(late), ["a  0"]);
        world.subscribe(late, subscription("+", QoS::AtMostOnce));
        assert_eq!(world.messages(late), ["b 3 0 r"]);
    }
}

#[test]
fn retain_handling_and_retain_as_published() {
    let mut world = World::new();
    let id = world.client(Version::V5, "id");
    world.send(id, retained("a", "1"));
    let wanted =
        |retain_handling| Subscription { retain_handling, ..subscription("a", QoS::AtMostOnce) };
    for (handling, count) in [
        (RetainHandling::Never, 0),
        (RetainHandling::New, 0),
        (RetainHandling::Always, 1),
        (RetainHandling::Always, 1),
    ] {
        world.subscribe(id, wanted(handling));
        assert_eq!(world.messages(id).len(), count, "{handling:?}");
    }
    world
        .subscribe(id, Subscription { retain_as_published: true, ..wanted(RetainHandling::Never) });
    world.send(id, retained("a", "2"));
    world.publish(id, "a", "3", QoS::AtMostOnce);
    assert_eq!(world.messages(id), ["a 2 0 r", "a 3 0"]);
    let new = world.client(Version::V5, "new");
    world.subscribe(new, wanted(RetainHandling::New));
    assert_eq!(world.messages(new), ["a 2 0 r"]);
}

#[test]
fn no_local() {
    let mut world = World::new();
    let id = world.client(Version::V5, "id");
    let other = world.client(Version::V5, "other");
    world.subscribe(id, Subscription { no_local: true, ..subscription("a", QoS::AtMostOnce) });
    world.publish(id, "a", "mine", QoS::AtMostOnce);
    world.publish(other, "a", "yours", QoS::AtMostOnce);
    assert_eq!(world.messages(id), ["a yours 0"]);
}

#[test]
fn publishers_learn_that_nobody_listens() {
    for (version, code) in [(Version::V3_1_1, 0), (Version::V5, 0x10)] {
        let mut world = World::new();
        let id = world.client(version, "id");
        world.send(id, Packet::Publish(publish("a", "x", QoS::AtLeastOnce)));
        let code = if version == Version::V5 { ReasonCode(code) } else { ReasonCode::SUCCESS };
        assert_eq!(world.got(id), [Packet::PubAck(ack(packet_id(7), code))]);
    }
}

#[test]
fn topic_aliases() {
    let alias = |topic: Option<&'static str>, alias| {
        let properties = Properties(vec![Property::number(PropertyId::TopicAlias, alias)]);
        let topic = topic.map(|topic| TopicName::new(topic).unwrap());
        Packet::Publish(Publish { topic, properties, ..publish("x", "p", QoS::AtMostOnce) })
    };
    let mut world = World::new();
    let to = world.subscriber(Version::V5, "to", "#", QoS::AtMostOnce);
    let from = world.client(Version::V5, "from");
    for packet in [
        alias(Some("a"), 1),
        alias(None, 1),
        alias(Some("b"), 16),
        alias(None, 16),
        alias(Some("c"), 1),
    ] {
        world.send(from, packet);
    }
    world.send(from, alias(None, 1));
    assert_eq!(world.messages(to), ["a p 0", "a p 0", "b p 0", "b p 0", "c p 0", "c p 0"]);
    // Aliases belong to the connection `[MQTT-3.3.2-7]`.
    let again = world.client(Version::V5, "from");
    for (id, packet, code) in [
        (again, alias(None, 1), ReasonCode::PROTOCOL_ERROR),
        (to, alias(Some("a"), 17), ReasonCode::TOPIC_ALIAS_INVALID),
    ] {
        world.got(id);
        world.send(id, packet);
        assert_eq!(
            (world.got(id), world.end(id)),
            (vec![goodbye(code)], Some(EndReason::Misbehaved))
        );
    }
}

#[test]
fn response_topics_have_no_wildcards() {
    let properties = |topic: &'static str| {
        Properties(vec![Property::text(PropertyId::ResponseTopic, topic.into())])
    };
    for (topic, is_taken) in [("a/b", true), ("a/+", false), ("#", false), ("", true)] {
        let mut world = World::new();
        let to = world.subscriber(Version::V5, "to", "#", QoS::AtMostOnce);
        let from = world.client(Version::V5, "from");
        let message =
            Publish { properties: properties(topic), ..publish("x", "p", QoS::AtMostOnce) };
        world.send(from, Packet::Publish(message));
        let (told, end) = (vec![goodbye(ReasonCode::PROTOCOL_ERROR)], EndReason::Misbehaved);
        let refused = if is_taken { (vec![], None) } else { (told, Some(end)) };
        assert_eq!((world.got(from), world.end(from)), refused, "{topic:?}");
        assert_eq!(world.messages(to).len(), usize::from(is_taken), "{topic:?}");
        let will = Will {
            topic: TopicName::new("will").unwrap(),
            payload: Bytes::new(),
            qos: QoS::AtMostOnce,
            retain: false,
            properties: properties(topic),
        };
        let id = world.dial(Connect { will: Some(will), ..connect(Version::V5, "willing") });
        let end = (!is_taken).then_some(EndReason::Refused);
        assert_eq!(world.end(id), end, "{topic:?}");
    }
}

/// `[MQTT-4.3.3-7]`
#[test]
fn a_message_that_was_sent_does_not_expire() {
    let mut world = World::new();
    let (to, _) = world.join(persistent(Version::V5, "to"));
    world.subscribe(to, subscription("t", QoS::ExactlyOnce));
    let from = world.client(Version::V5, "from");
    let mut message = publish("t", "x", QoS::ExactlyOnce);
    message.properties.push(Property::number(PropertyId::MessageExpiryInterval, 5));
    world.send(from, Packet::Publish(message));
    world.lose(to);
    world.wait(Duration::from_secs(10));
    let (to, _) = world.join(persistent(Version::V5, "to"));
    assert_eq!(world.messages(to), ["t x 2 d"]);
}

/// `[MQTT-3.3.2-5]` `[MQTT-3.3.2-6]`
#[test]
fn messages_expire() {
    let mut world = World::new();
    let (to, _) = world.join(persistent(Version::V5, "to"));
    world.subscribe(to, subscription("a", QoS::AtLeastOnce));
    world.lose(to);
    let from = world.client(Version::V5, "from");
    for (payload, expiry, retain) in [("short", 5, false), ("long", 60, true)] {
        let properties =
            Properties(vec![Property::number(PropertyId::MessageExpiryInterval, expiry)]);
        let message = Publish { retain, properties, ..publish("a", payload, QoS::AtLeastOnce) };
        world.send(from, Packet::Publish(message));
    }
    world.wait(Duration::from_millis(10_500));
    let left = |packets: &[Packet]| match packets {
        [.., Packet::Publish(publish)] => {
            (text(publish), publish.properties.message_expiry_interval())
        }
        _ => panic!("{packets:?}"),
    };
    let (to, present) = world.join(persistent(Version::V5, "to"));
    assert!(present);
    let packets = world.got(to);
    assert_eq!(packets.len(), 1);
    assert_eq!(left(&packets), ("a long 1".to_owned(), Some(50)));
    world.subscribe(from, subscription("a", QoS::AtMostOnce));
    assert_eq!(left(&world.got(from)), ("a long 0 r".to_owned(), Some(50)));
    world.wait(Duration::from_secs(50));
    world.subscribe(from, subscription("#", QoS::AtMostOnce));
    assert_eq!(world.got(from), []);
}

/// Also if nobody asks for them.
#[test]
fn retained_messages_that_have_expired_make_room() {
    let mut world = World::within(Limits::default().with(Limit::RetainedMessages, 1));
    let from = world.client(Version::V5, "from");
    let send = |world: &mut World, topic, seconds| {
        let expiry = Property::number(PropertyId::MessageExpiryInterval, seconds);
        let properties = Properties(vec![expiry]);
        let message = publish(topic, "x", QoS::AtLeastOnce);
        world.send(from, Packet::Publish(Publish { retain: true, properties, ..message }));
        match &world.got(from)[..] {
            [Packet::PubAck(ack)] => ack.code,
            other => panic!("{other:?}"),
        }
    };
    let nobody = ReasonCode::NO_MATCHING_SUBSCRIBERS;
    assert_eq!(send(&mut world, "a", 5), nobody);
    assert_eq!(send(&mut world, "b", 5), ReasonCode::QUOTA_EXCEEDED);
    world.wait(Duration::from_secs(4));
    assert_eq!(send(&mut world, "b", 5), ReasonCode::QUOTA_EXCEEDED);
    // It begins anew.
    assert_eq!(send(&mut world, "a", 5), nobody);
    world.wait(Duration::from_secs(4));
    assert_eq!(send(&mut world, "b", 5), ReasonCode::QUOTA_EXCEEDED);
    world.wait(Duration::from_secs(1));
    assert_eq!(send(&mut world, "b", 5), nobody);
    world.wait(Duration::from_secs(5));
    assert_eq!((world.router.retained.len(), world.router.deadline()), (0, None));
}

#[test]
fn packets_that_are_too_large_for_a_client_count_as_sent() {
    let mut world = World::new();
    let properties = Properties(vec![
        Property::number(PropertyId::MaximumPacketSize, 20),
        Property::number(PropertyId::ReceiveMaximum, 1),
    ]);
    let (to, _) = world.join(Connect { properties, ..connect(Version::V5, "to") });
    world.subscribe(to, subscription("a", QoS::AtLeastOnce));
    let from = world.client(Version::V3_1_1, "from");
    for payload in ["123456789012", "1234567890123", "x"] {
        world.publish(from, "a", payload, QoS::AtLeastOnce);
    }
    let packets = world.got(to);
    let [Packet::Publish(first)] = &packets[..] else { panic!("{packets:?}") };
    assert_eq!(text(first), "a 123456789012 1");
    world.send(to, Packet::PubAck(Ack::success(first.packet_id.unwrap())));
    assert_eq!(world.messages(to), ["a x 1"]);
}

#[test]
fn a_client_that_does_not_read_costs_bounded_memory() {
    let mut world = World::new();
    let to = world.subscriber(Version::V5, "to", "0", QoS::AtMostOnce);
    world.subscribe(to, subscription("1", QoS::AtLeastOnce));
    let from = world.client(Version::V5, "from");
    world.clients.get_mut(&to).unwrap().asleep = true;
    let mebibyte = Bytes::from(vec![0; 1 << 20]);
    let large = |topic, qos| {
        Packet::Publish(Publish { payload: mebibyte.clone(), ..publish(topic, "", qos) })
    };
    for _ in 0..100 {
        world.send(from, large("0", QoS::AtMostOnce));
    }
    // Until its socket is tried.
    assert_eq!(world.held_back, [(from, to)]);
    // QoS 0 is dropped, QoS 1 waits.
    let sent = world.messages(to).len();
    assert_eq!(sent, UNSENT_BYTES / (1 << 20));
    world.send(from, large("1", QoS::AtLeastOnce));
    assert_eq!(world.messages(to).len(), 0);
    assert_eq!(world.notes, ["\"to\" is too slow: messages are dropped"]);
    let unsent = world.router.peers[&to].backlog.unsent;
    world.router.written(to, unsent, world.now);
    world.settle();
    assert_eq!(world.messages(to).len(), 1);
    assert_eq!(world.notes[1], format!("\"to\" was too slow: {} messages dropped", 100 - sent));
}

#[test]
fn the_queue_of_an_absent_client_is_bounded() {
    let mut world = World::new();
    let (to, _) = world.join(persistent(Version::V3_1_1, "to"));
    world.subscribe(to, subscription("a", QoS::AtLeastOnce));
    world.lose(to);
    let from = world.client(Version::V3_1_1, "from");
    let chunk = Bytes::from(vec![0; 32 << 20]);
    for _ in 0..10 {
        let message = Publish { payload: chunk.clone(), ..publish("a", "", QoS::AtLeastOnce) };
        world.send(from, Packet::Publish(message));
    }
    let (to, _) = world.join(persistent(Version::V3_1_1, "to"));
    let seen = world.clients[&to].inbox.len();
    assert_eq!(seen, 7, "eight would be 256 MiB and their topics");
    let told = world.router.warnings();
    assert_eq!(told.last().unwrap(), "the queue of \"to\" was full: 3 messages lost");
}
