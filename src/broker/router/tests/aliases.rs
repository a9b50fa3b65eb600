//! Topic aliases of messages to a client (§3.3.2.3.4), where it allows them.

use super::*;

/// The topics and aliases of the messages that a client got.
fn aliased(world: &mut World, id: ConnectionId) -> Vec<(Option<String>, Option<u16>)> {
    let packets = world.got(id);
    let publishes = packets.iter().filter_map(|packet| match packet {
        Packet::Publish(publish) => Some(publish),
        _ => None,
    });
    let topic = |publish: &Publish| publish.topic.as_ref().map(ToString::to_string);
    publishes.map(|publish| (topic(publish), publish.properties.topic_alias())).collect()
}

fn subscriber(world: &mut World, properties: Vec<Property>) -> ConnectionId {
    let properties = Properties(properties);
    let (id, _) = world.join(Connect { properties, ..connect(Version::V5, "to") });
    world.subscribe(id, subscription("#", QoS::AtLeastOnce));
    id
}

#[test]
fn the_first_topics_have_one_each() {
    let mut world = World::new();
    let maximum = Property::number(PropertyId::TopicAliasMaximum, 2);
    let to = subscriber(&mut world, vec![maximum.clone()]);
    let from = world.client(Version::V5, "from");
    for topic in ["sensors/1", "sensors/2", "sensors/3", "four", "sensors/2", "sensors/1"] {
        world.publish(from, topic, "x", QoS::AtLeastOnce);
    }
    let topic = |text: &str| Some(text.to_owned());
    let expected = [
        (topic("sensors/1"), Some(1)),
        (topic("sensors/2"), Some(2)),
        (topic("sensors/3"), None),
        (topic("four"), None),
        (None, Some(2)),
        (None, Some(1)),
    ];
    assert_eq!(aliased(&mut world, to), expected);
    // Another connection begins anew.
    world.lose(to);
    let to = subscriber(&mut world, vec![maximum]);
    world.publish(from, "sensors/2", "x", QoS::AtMostOnce);
    assert_eq!(aliased(&mut world, to), [(topic("sensors/2"), Some(1))]);
}

#[test]
fn what_is_sent_again_has_its_topic() {
    let mut world = World::new();
    let maximum = Property::number(PropertyId::TopicAliasMaximum, 10);
    let begin = || {
        let mut connect = persistent(Version::V5, "to");
        connect.properties.push(maximum.clone());
        connect
    };
    let (to, _) = world.join(begin());
    world.subscribe(to, subscription("#", QoS::AtLeastOnce));
    let from = world.client(Version::V5, "from");
    world.publish(from, "sensors/1", "1", QoS::AtLeastOnce);
    world.publish(from, "sensors/1", "2", QoS::AtLeastOnce);
    world.lose(to);
    let (to, _) = world.join(begin());
    let expected = [(Some("sensors/1".to_owned()), Some(1)), (None, Some(1))];
    assert_eq!(aliased(&mut world, to), expected);
}

/// A message that is too large for the client does not set an alias that it never sees.
#[test]
fn a_message_that_is_not_sent_sets_none() {
    let mut world = World::new();
    let to = subscriber(
        &mut world,
        vec![
            Property::number(PropertyId::TopicAliasMaximum, 10),
            Property::number(PropertyId::MaximumPacketSize, 50),
        ],
    );
    let from = world.client(Version::V5, "from");
    let long = "0123456789012345678901234567890123456789";
    world.publish(from, "sensors/1", long, QoS::AtMostOnce);
    world.publish(from, "sensors/1", "x", QoS::AtMostOnce);
    assert_eq!(aliased(&mut world, to), [(Some("sensors/1".to_owned()), Some(1))]);
}

#[test]
fn a_client_that_allows_none_gets_none() {
    let mut world = World::new();
    let to = subscriber(&mut world, Vec::new());
    let from = world.client(Version::V5, "from");
    for _ in 0..2 {
        world.publish(from, "sensors/1", "x", QoS::AtMostOnce);
    }
    let expected = vec![(Some("sensors/1".to_owned()), None); 2];
    assert_eq!(aliased(&mut world, to), expected);
}

/// Where it makes a message that is sent again shorter, and nowhere else.
#[test]
fn a_topic_of_five_bytes_has_one() {
    let mut world = World::new();
    let to = subscriber(&mut world, vec![Property::number(PropertyId::TopicAliasMaximum, 2)]);
    let from = world.client(Version::V5, "from");
    for topic in ["four", "five5", "four", "five5"] {
        world.publish(from, topic, "x", QoS::AtMostOnce);
    }
    let topic = |text: &str| Some(text.to_owned());
    let expected =
        [(topic("four"), None), (topic("five5"), Some(1)), (topic("four"), None), (None, Some(1))];
    assert_eq!(aliased(&mut world, to), expected);
}
